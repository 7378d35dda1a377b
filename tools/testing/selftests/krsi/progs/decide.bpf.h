/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DECIDE(hook) is a program on @hook that counts the calls of the process
 * under test and returns one verdict, which the test sets.
 */

#ifndef _DECIDE_BPF_H
#define _DECIDE_BPF_H

#include "krsi.bpf.h"

int verdict;
__u64 calls;

static __always_inline int decide(void)
{
	if (!on_target())
		return 0;
	__sync_fetch_and_add(&calls, 1);
	return bounded(verdict);
}

#define DECIDE(hook)			\
SEC("lsm/" #hook)			\
int hook(void *ctx)			\
{					\
	return decide();		\
}

#endif /* _DECIDE_BPF_H */
