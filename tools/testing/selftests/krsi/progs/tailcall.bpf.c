// SPDX-License-Identifier: GPL-2.0
/*
 * A program that goes on in another.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

int verdict;
__u32 entered;
__u32 reached;
/* Calls of the entry that found nothing to go on in. */
__u32 missed;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

SEC("lsm/task_getpgid")
int entry(void *ctx)
{
	if (!on_target())
		return 0;
	entered++;
	bpf_tail_call(ctx, &programs, 0);
	missed++;
	return -EACCES;
}

SEC("lsm/task_getpgid")
int BPF_PROG(callee, struct task_struct *p)
{
	/* The context is the caller's. */
	if (p->tgid == target)
		reached++;
	return verdict < 0 ? -EPERM : 0;
}

/* Calls itself until the kernel ends it. */
SEC("lsm/task_getpgid")
int endless(void *ctx)
{
	reached++;
	bpf_tail_call(ctx, &programs, 0);
	return -EPERM;
}

SEC("lsm/file_open")
int other_hook(void *ctx)
{
	return 0;
}
