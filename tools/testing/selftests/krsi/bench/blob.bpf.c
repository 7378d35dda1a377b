// SPDX-License-Identifier: GPL-2.0
/*
 * Each hook's program counts in a slot of the object that the hook is about.
 */

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "krsi_blob.bpf.h"

char LICENSE[] SEC("license") = "GPL";

KRSI_SLOT(task_slot);
KRSI_SLOT(inode_slot);
KRSI_SLOT(file_slot);
KRSI_SLOT(cred_slot);

SEC("lsm/task_getpgid")
int BPF_PROG(blob_task, struct task_struct *p)
{
	__u64 *count = KRSI_BLOB(task, p, task_slot, __u64);

	if (count)
		(*count)++;
	return 0;
}

SEC("lsm/file_ioctl")
int BPF_PROG(blob_inode, struct file *file)
{
	__u64 *count = KRSI_BLOB(inode, file->f_inode, inode_slot, __u64);

	if (count)
		(*count)++;
	return 0;
}

SEC("lsm/file_ioctl")
int BPF_PROG(blob_file, struct file *file)
{
	__u64 *count = KRSI_BLOB(file, file, file_slot, __u64);

	if (count)
		(*count)++;
	return 0;
}

SEC("lsm/task_getsid")
int BPF_PROG(blob_cred, struct task_struct *p)
{
	__u64 *count = KRSI_CURRENT_CRED_BLOB(cred_slot, __u64);

	if (count)
		(*count)++;
	return 0;
}
