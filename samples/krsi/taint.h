/* SPDX-License-Identifier: GPL-2.0 */
/* What taint_boot.bpf.c, taint.bpf.c and taint.c share. */

#ifndef _SAMPLES_KRSI_TAINT_H
#define _SAMPLES_KRSI_TAINT_H

/* The slot of credentials, which taint_boot.bpf.c initialises. */
#define TAINT_SLOT "tainted"

/* What is in it. Zero, which nobody has initialised, is neither. */
enum taint_state {
	TAINT_CLEAN = 1,
	TAINT_TAINTED = 2,
};

/* What a file that was named on the command line is. */
enum taint_mark {
	TAINT_SOURCE = 1,	/* whoever reads it is tainted */
	TAINT_PROTECTED = 2,	/* nobody who is tainted gets at it */
};

enum taint_action {
	TAINT_TAKES,		/* the task is tainted from here on */
	TAINT_DENIED,
};

struct taint_event {
	int pid;
	enum taint_action action;
	char comm[16];
	char name[64];
};

#endif /* _SAMPLES_KRSI_TAINT_H */
