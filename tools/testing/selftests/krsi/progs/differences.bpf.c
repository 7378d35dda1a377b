// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that see the differences between KRSI and the bpf LSM.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define FRAMES 16

__u64 stack[FRAMES];
/* The function that each of them is in. */
char names[FRAMES][64];
long stack_size;
int created;

SEC("lsm/task_getpgid")
int BPF_PROG(task_getpgid, struct task_struct *p)
{
	if (!on_target())
		return 0;
	stack_size = bpf_get_stack(ctx, stack, sizeof(stack), 0);
	for (int i = 0; i < FRAMES; i++)
		bpf_snprintf(names[i], sizeof(names[i]), "%ps", &stack[i], sizeof(stack[i]));
	return 0;
}

SEC("lsm/inode_init_security")
int BPF_PROG(inode_init_security)
{
	if (on_target())
		__sync_fetch_and_add(&created, 1);
	return 0;
}
