// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/task: instruction *: calls kfunc bpf_task_acquire: boot programs may not call it */

#include "krsi_boot.bpf.h"

struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;

SEC("krsi.blob/task")
void BPF_PROG(label, struct task_struct *task, __u64 clone_flags, __u32 how)
{
	bpf_task_acquire(task);
}

char LICENSE[] SEC("license") = "GPL";
