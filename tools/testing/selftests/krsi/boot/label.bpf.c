// SPDX-License-Identifier: GPL-2.0
/*
 * A program for each point: 17 of them, in 15 classes. Each labels the object
 * with who made it, and counts how often it ran for it.
 */

#include "krsi_boot.bpf.h"
#include "boot.h"

KRSI_BOOT_SLOT_FLAGS(cred, label, struct boot_label, KRSI_BOOT_RESET);
KRSI_BOOT_SLOT(task, label, struct boot_label);
KRSI_BOOT_SLOT(file, label, struct boot_label);
KRSI_BOOT_SLOT(backing_file, label, struct boot_label);
KRSI_BOOT_SLOT(inode, label, struct boot_label);
KRSI_BOOT_SLOT(superblock, label, struct boot_label);
KRSI_BOOT_SLOT(sock, label, struct boot_label);
KRSI_BOOT_SLOT(ipc, label, struct boot_label);
KRSI_BOOT_SLOT(msg_msg, label, struct boot_label);
KRSI_BOOT_SLOT(key, label, struct boot_label);
KRSI_BOOT_SLOT(bdev, label, struct boot_label);
KRSI_BOOT_SLOT(perf_event, label, struct boot_label);
KRSI_BOOT_SLOT(bpf_map, label, struct boot_label);
KRSI_BOOT_SLOT(bpf_prog, label, struct boot_label);
KRSI_BOOT_SLOT(bpf_token, label, struct boot_label);
KRSI_BOOT_SLOT(inode, create, struct boot_create);
KRSI_BOOT_SLOT(inode, named, struct boot_named);

static __always_inline void write_label(struct boot_label *label, __u32 class,
					__u32 how, __u64 fact)
{
	if (!label)
		return;
	__sync_fetch_and_add(&label->runs, 1);
	label->how = how;
	label->fact = fact;
	if (how == KRSI_BLOB_NEW) {
		label->pid = bpf_get_current_pid_tgid() >> 32;
		label->exec_id = bpf_get_current_task_btf()->self_exec_id;
	}
	label->magic = BOOT_MAGIC + class;
}

#define LABEL(CLASS, OBJECT, FACT)					\
	write_label(KRSI_BOOT_BLOB(CLASS, OBJECT, label, struct boot_label), \
		    KRSI_BOOT_CLASS_##CLASS, how, FACT)

/* The fact: whether they come from other credentials. */
SEC("krsi.blob/cred")
void BPF_PROG(label_cred, struct cred *cred, const struct cred *old, __u32 how)
{
	LABEL(cred, cred, !!old);
}

SEC("krsi.blob/task")
void BPF_PROG(label_task, struct task_struct *task, __u64 clone_flags, __u32 how)
{
	LABEL(task, task, clone_flags);
}

/* The fact: who opens it. */
SEC("krsi.blob/file")
void BPF_PROG(label_file, struct file *file, __u32 how)
{
	LABEL(file, file, file->f_cred->fsuid.val);
}

SEC("krsi.blob/backing_file")
void BPF_PROG(label_backing_file, struct file *file, __u32 how)
{
	LABEL(backing_file, file, file->f_flags);
}

/* The fact: the number of the file system's type. */
SEC("krsi.blob/inode")
void BPF_PROG(label_inode, struct inode *inode, __u32 how)
{
	LABEL(inode, inode, inode->i_sb->s_magic);
}

SEC("krsi.blob/superblock")
void BPF_PROG(label_superblock, struct super_block *sb, __u32 how)
{
	LABEL(superblock, sb, sb->s_flags);
}

SEC("krsi.blob/sock")
void BPF_PROG(label_sock, struct sock *sk, __u32 how)
{
	LABEL(sock, sk, sk->__sk_common.skc_family);
}

SEC("krsi.blob/ipc")
void BPF_PROG(label_ipc, struct kern_ipc_perm *perm, __u32 how)
{
	LABEL(ipc, perm, perm->mode);
}

SEC("krsi.blob/msg_msg")
void BPF_PROG(label_msg_msg, struct msg_msg *msg, __u32 how)
{
	LABEL(msg_msg, msg, msg->m_ts);
}

SEC("krsi.blob/key")
void BPF_PROG(label_key, struct key *key, __u32 how)
{
	LABEL(key, key, key->perm);
}

SEC("krsi.blob/bdev")
void BPF_PROG(label_bdev, struct block_device *bdev, __u32 how)
{
	LABEL(bdev, bdev, bdev->bd_dev);
}

SEC("krsi.blob/perf_event")
void BPF_PROG(label_perf_event, struct perf_event *event, __u32 how)
{
	LABEL(perf_event, event, event->cpu);
}

SEC("krsi.blob/bpf_map")
void BPF_PROG(label_bpf_map, struct bpf_map *map, __u32 how)
{
	LABEL(bpf_map, map, map->max_entries);
}

SEC("krsi.blob/bpf_prog")
void BPF_PROG(label_bpf_prog, struct bpf_prog *prog, __u32 how)
{
	LABEL(bpf_prog, prog, prog->type);
}

SEC("krsi.blob/bpf_token")
void BPF_PROG(label_bpf_token, struct bpf_token *token, __u32 how)
{
	LABEL(bpf_token, token, token->allowed_cmds);
}

SEC("krsi.blob/inode_create")
void BPF_PROG(label_inode_create, struct inode *inode, struct inode *dir, __u32 how)
{
	struct boot_create *create;

	create = KRSI_BOOT_BLOB(inode, inode, create, struct boot_create);
	if (!create)
		return;
	__sync_fetch_and_add(&create->runs, 1);
	create->dir = dir->i_ino;
	create->pid = bpf_get_current_pid_tgid() >> 32;
	create->magic = BOOT_MAGIC;
}

SEC("krsi.blob/inode_instantiate")
void BPF_PROG(label_inode_instantiate, struct inode *inode, __u32 how)
{
	struct boot_named *named;

	named = KRSI_BOOT_BLOB(inode, inode, named, struct boot_named);
	if (!named)
		return;
	__sync_fetch_and_add(&named->runs, 1);
	named->how = how;
	named->uid = inode->i_uid.val;
	named->mode = inode->i_mode;
	named->magic = BOOT_MAGIC;
}

char LICENSE[] SEC("license") = "GPL";
