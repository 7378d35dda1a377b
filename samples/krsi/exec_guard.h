/* SPDX-License-Identifier: GPL-2.0 */
/* What exec_guard.bpf.c tells exec_guard.c about each exec that it denies. */

#ifndef _SAMPLES_KRSI_EXEC_GUARD_H
#define _SAMPLES_KRSI_EXEC_GUARD_H

enum exec_guard_reason {
	GUARD_ALLOWED,
	GUARD_PRELOAD,		/* LD_PRELOAD or LD_AUDIT is set */
	GUARD_LOADER,		/* the dynamic loader, as a program */
	GUARD_FORWARD,		/* ssh -R, or what does the same */
	GUARD_SERVER,		/* python -m http.server */
	GUARD_UNKNOWN,		/* an option that the policy does not know */
	GUARD_TOO_LONG,		/* a string that is longer than the policy looks */
	GUARD_TOO_MANY,		/* more arguments than the policy looks at */
	GUARD_UNREADABLE,	/* strings that could not be read */
};

struct exec_guard_event {
	int pid;
	enum exec_guard_reason reason;
	unsigned int arg;	/* the argument that decided */
	char comm[16];
	char name[64];		/* of the program that was to run */
};

#endif /* _SAMPLES_KRSI_EXEC_GUARD_H */
