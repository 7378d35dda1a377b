// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/inode: instruction *: unknown symbol "init_task" */

#include "krsi_boot.bpf.h"

extern const struct task_struct init_task __ksym;
KRSI_BOOT_SLOT(inode, pid, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
	__u64 *pid = KRSI_BOOT_BLOB(inode, inode, pid, __u64);

	if (pid)
		*pid = init_task.pid;
}

char LICENSE[] SEC("license") = "GPL";
