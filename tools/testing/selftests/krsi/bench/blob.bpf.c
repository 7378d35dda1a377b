// SPDX-License-Identifier: GPL-2.0
/*
 * Each hook's program counts in a slot of the object that the hook is about.
 */

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "krsi_blob.bpf.h"
#include "provenance.h"

char LICENSE[] SEC("license") = "GPL";

/* One of the programs is loaded at a time. */
KRSI_SLOT(slot);

SEC("?lsm/task_getpgid")
int BPF_PROG(blob_task, struct task_struct *p)
{
	__u64 *count = KRSI_BLOB(task, p, slot, __u64);

	if (count)
		(*count)++;
	return 0;
}

SEC("?lsm/file_ioctl")
int BPF_PROG(blob_inode, struct file *file)
{
	__u64 *count = KRSI_BLOB(inode, file->f_inode, slot, __u64);

	if (count)
		(*count)++;
	return 0;
}

SEC("?lsm/file_ioctl")
int BPF_PROG(blob_file, struct file *file)
{
	__u64 *count = KRSI_BLOB(file, file, slot, __u64);

	if (count)
		(*count)++;
	return 0;
}

SEC("?lsm/task_getsid")
int BPF_PROG(blob_cred, struct task_struct *p)
{
	__u64 *count = KRSI_CURRENT_CRED_BLOB(slot, __u64);

	if (count)
		(*count)++;
	return 0;
}

/* Of a slot that is kept in an extended attribute. */
SEC("?lsm/file_ioctl")
int BPF_PROG(blob_kept, struct file *file)
{
	__u64 *count = KRSI_BLOB(inode, file->f_inode, slot, __u64);

	if (count)
		(*count)++;
	return 0;
}

/* Of slots of boot programs, those of the sample provenance. */
SEC("?lsm/file_ioctl")
int BPF_PROG(blob_origin, struct file *file)
{
	struct provenance *origin = KRSI_BLOB(inode, file->f_inode, slot, struct provenance);

	if (origin)
		origin->exec_id++;
	return 0;
}

SEC("?lsm/task_getsid")
int BPF_PROG(blob_running, struct task_struct *p)
{
	struct provenance *running = KRSI_CURRENT_CRED_BLOB(slot, struct provenance);

	if (running)
		running->exec_id++;
	return 0;
}
