/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the measurements of an exec and their program agree on.
 */

#ifndef _KRSI_BENCH_EXEC_H
#define _KRSI_BENCH_EXEC_H

#define EXEC_MAX (2 << 20)
#define EXEC_NAME "LD_PRELOAD"
/* How often the short questions are asked. */
#define EXEC_REPEAT 64

enum exec_question {
	EXEC_NOTHING,
	EXEC_ARG,
	EXEC_ENV,
	EXEC_READ,
	EXEC_DUMP,
	EXEC_COPY,
};

#endif /* _KRSI_BENCH_EXEC_H */
