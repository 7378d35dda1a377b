/* SPDX-License-Identifier: GPL-2.0 */
/* What protect.bpf.c tells protect.c about each decision. */

#ifndef _SAMPLES_KRSI_PROTECT_H
#define _SAMPLES_KRSI_PROTECT_H

enum protect_hook {
	PROTECT_OPEN,
	PROTECT_UNLINK,
	PROTECT_RENAME,
};

struct protect_event {
	int pid;
	int verdict;	/* 0 or a negative errno, as the hook returned it */
	enum protect_hook hook;
	char comm[16];
};

#endif /* _SAMPLES_KRSI_PROTECT_H */
