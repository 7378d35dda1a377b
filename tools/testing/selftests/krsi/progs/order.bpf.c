// SPDX-License-Identifier: GPL-2.0
/*
 * Four programs on one hook, and four on a hook that returns nothing: each
 * notes when it ran and returns a verdict of its own.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

int verdict[4];
/* The position in which each program ran, from 1; 0 if it did not. */
__u32 ran[4];
__u32 next;

static __always_inline int note(int i)
{
	if (!on_target())
		return 0;
	ran[i] = ++next;
	return bounded(verdict[i]);
}

#define NOTE(i)				\
SEC("lsm/task_getpgid")			\
int getpgid##i(void *ctx)		\
{					\
	return note(i);			\
}					\
SEC("lsm/file_set_fowner")		\
int fowner##i(void *ctx)		\
{					\
	return note(i);			\
}

NOTE(0)
NOTE(1)
NOTE(2)
NOTE(3)
