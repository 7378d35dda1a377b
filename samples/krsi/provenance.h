/* SPDX-License-Identifier: GPL-2.0 */
/* What provenance_boot.bpf.c, provenance.bpf.c and provenance.c share. */

#ifndef _SAMPLES_KRSI_PROVENANCE_H
#define _SAMPLES_KRSI_PROVENANCE_H

/* The slots, which provenance_boot.bpf.c initialises. */
#define PROVENANCE_RUNNING "running"	/* of credentials: what runs with them */
#define PROVENANCE_ORIGIN "origin"	/* of inodes: who made them */

/* Always set: zeroes, which nobody has initialised, say nothing. */
#define PROVENANCE_KNOWN 1
/* Has to do with the network; once set it stays. */
#define PROVENANCE_NETWORK 2

/* What is in both slots. */
struct provenance {
	/* The exec of the program, or of the one that made or wrote to the
	 * file; 0 if it is older than the policy.
	 */
	unsigned long long exec_id;
	unsigned long long flags;
};

struct provenance_event {
	unsigned long long exec_id;	/* who wrote to the file */
	int pid;			/* who wanted to execute it */
	int known;			/* 0: it has no label */
	char comm[16];
	char name[64];
};

#endif /* _SAMPLES_KRSI_PROVENANCE_H */
