/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A policy that labels objects with where they come from, as real ones do: who
 * made them, what executed that, and whose they are. NAME is its name.
 */

#ifndef _KRSI_BENCH_BOOT_H
#define _KRSI_BENCH_BOOT_H

#include "krsi_boot.bpf.h"

struct origin {
	__u64 exec_id;
	__u64 when;
	__u32 pid;
	__u32 uid;
	__u32 how;
	__u32 fact;
};

static __always_inline void write_origin(struct origin *origin, __u32 how, __u32 fact)
{
	struct task_struct *task;

	if (!origin)
		return;
	origin->how = how;
	origin->fact = fact;
	if (how != KRSI_BLOB_NEW)
		return;
	task = bpf_get_current_task_btf();
	origin->exec_id = task->self_exec_id;
	origin->when = bpf_ktime_get_boot_ns() - task->start_boottime;
	origin->pid = bpf_get_current_pid_tgid() >> 32;
	origin->uid = bpf_get_current_uid_gid();
}

/* Through a macro, so that NAME is what it stands for. */
#define SLOT(CLASS, WHOSE) KRSI_BOOT_SLOT(CLASS, WHOSE, struct origin)
#define BLOB(CLASS, OBJECT, WHOSE) KRSI_BOOT_BLOB(CLASS, OBJECT, WHOSE, struct origin)

SLOT(cred, NAME);
SLOT(task, NAME);
SLOT(inode, NAME);
SLOT(file, NAME);

SEC("krsi.blob/cred")
void BPF_PROG(origin_cred, struct cred *cred, const struct cred *old, __u32 how)
{
	write_origin(BLOB(cred, cred, NAME), how, old ? old->euid.val : 0);
}

SEC("krsi.blob/task")
void BPF_PROG(origin_task, struct task_struct *task, __u64 clone_flags, __u32 how)
{
	write_origin(BLOB(task, task, NAME), how, clone_flags);
}

SEC("krsi.blob/inode")
void BPF_PROG(origin_inode, struct inode *inode, __u32 how)
{
	write_origin(BLOB(inode, inode, NAME), how, inode->i_sb->s_magic);
}

SEC("krsi.blob/file")
void BPF_PROG(origin_file, struct file *file, __u32 how)
{
	write_origin(BLOB(file, file, NAME), how, 0);
}

#ifndef FOUR_CLASSES
SLOT(sock, NAME);
SLOT(superblock, NAME);

SEC("krsi.blob/sock")
void BPF_PROG(origin_sock, struct sock *sk, __u32 how)
{
	write_origin(BLOB(sock, sk, NAME), how, sk->__sk_common.skc_family);
}

SEC("krsi.blob/superblock")
void BPF_PROG(origin_superblock, struct super_block *sb, __u32 how)
{
	write_origin(BLOB(superblock, sb, NAME), how, sb->s_dev);
}
#endif

#endif /* _KRSI_BENCH_BOOT_H */
