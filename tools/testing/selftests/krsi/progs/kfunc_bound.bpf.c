// SPDX-License-Identifier: GPL-2.0
/*
 * Tail calls between hooks whose functions have one type. Programs that call
 * kfuncs of KRSI are of their own hook only.
 */

#include "kfuncs.bpf.h"

char LICENSE[] SEC("license") = "GPL";

KRSI_SLOT(slot) = 1;

__u32 reached;
long long answer;
static char buf[256];

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} callees SEC(".maps");

#define CALLER(name, section)						\
SEC(section)								\
int call_##name(void *ctx)						\
{									\
	bpf_tail_call(ctx, &callees, 0);				\
	return 0;							\
}

CALLER(open, "lsm.s/file_open")
CALLER(receive, "lsm.s/file_receive")
CALLER(rmdir, "lsm.s/inode_rmdir")
CALLER(unlink, "lsm.s/inode_unlink")
CALLER(release, "lsm/file_release")
CALLER(free, "lsm/file_free_security")

/* A caller that has a kfunc itself. */
SEC("lsm.s/file_open")
int BPF_PROG(call_with_path, struct file *file)
{
	answer = krsi_file_path(file, buf, sizeof(buf), 0);
	bpf_tail_call(ctx, &callees, 0);
	return 0;
}

/* Callees without a kfunc, or with one that is the same everywhere. */
SEC("lsm.s/file_open")
int BPF_PROG(plain_open, struct file *file)
{
	reached++;
	return 0;
}

SEC("lsm.s/file_receive")
int BPF_PROG(plain_receive, struct file *file)
{
	reached++;
	return 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(common_open, struct file *file)
{
	struct task_struct *task = bpf_task_acquire(bpf_get_current_task_btf());

	if (task)
		bpf_task_release(task);
	return 0;
}

/* One of each file of kfuncs. */
#define CALLEE(name, hook, args, body)					\
SEC("lsm.s/" #hook)							\
int BPF_PROG(name, args)						\
{									\
	body;								\
	return 0;							\
}

CALLEE(path, file_open, struct file *file,
	answer = krsi_file_path(file, buf, sizeof(buf), 0))
CALLEE(inode_blob, file_open, struct file *file,
	(void)KRSI_BLOB(inode, file->f_inode, slot, __u64))
CALLEE(file_blob, file_open, struct file *file,
	(void)KRSI_BLOB(file, file, slot, __u64))
CALLEE(cred_blob, file_open, struct file *file,
	(void)KRSI_CURRENT_CRED_BLOB(slot, __u64))
CALLEE(superblock, file_open, struct file *file,
	bpf_rcu_read_lock(); krsi_inode_sb(file->f_inode); bpf_rcu_read_unlock())

SEC("lsm.s/file_open")
int BPF_PROG(task, struct file *file)
{
	struct task_struct *parent = krsi_task_real_parent(bpf_get_current_task_btf());

	if (parent)
		bpf_task_release(parent);
	return 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(audit, struct file *file)
{
	struct krsi_audit_event event = {};

	answer = krsi_audit_log(&event, sizeof(event), buf, 1);
	return 0;
}

/* Wherever in the program the kfunc is. */
static __noinline long ask_static(struct file *file)
{
	return krsi_file_path(file, buf, sizeof(buf), 0);
}

CALLEE(in_static, file_open, struct file *file, answer = ask_static(file))

__noinline long ask_global(struct file *file __arg_trusted)
{
	return krsi_file_path(file, buf, sizeof(buf), 0);
}

CALLEE(in_global, file_open, struct file *file, answer = ask_global(file))

static long ask_again(__u64 i, void *ctx)
{
	KRSI_CURRENT_CRED_BLOB(slot, __u64);
	return 0;
}

CALLEE(in_loop, file_open, struct file *file, bpf_loop_once(ask_again))

/* After dput(), file->f_inode dangles. */
SEC("lsm/file_release")
int BPF_PROG(released_inode, struct file *file)
{
	KRSI_BLOB(inode, file->f_inode, slot, __u64);
	return 0;
}

/* Both take the lock that the hook's caller has, or not: the hook tells which. */
SEC("lsm.s/inode_unlink")
int BPF_PROG(remove_xattr, struct inode *dir, struct dentry *dentry)
{
	bpf_remove_dentry_xattr(dentry, "security.bpf.krsi");
	return 0;
}

SEC("lsm.s/inode_unlink")
int BPF_PROG(save_slot, struct inode *dir, struct dentry *dentry)
{
	krsi_inode_blob_save_locked(dentry, slot);
	return 0;
}

/* A function that another program may replace, and programs that would. */
__noinline int replaceable(struct task_struct *task __arg_trusted)
{
	return task->pid;
}

SEC("lsm.s/file_open")
int BPF_PROG(calls_replaceable, struct file *file)
{
	return replaceable(bpf_get_current_task_btf()) ? 0 : -EPERM;
}

#define REPLACEMENT(name, call)						\
SEC("freplace/replaceable")						\
int replace_##name(struct task_struct *task __arg_trusted)		\
{									\
	call;								\
	return 0;							\
}

REPLACEMENT(task, krsi_cred_put(krsi_task_cred(task)))
REPLACEMENT(blob, (void)KRSI_BLOB(task, task, slot, __u64))
REPLACEMENT(path, krsi_path(NULL, buf, sizeof(buf), 0))
REPLACEMENT(audit, krsi_audit_log(NULL, 0, buf, 1))
REPLACEMENT(exec, krsi_bprm_read(NULL, 0, buf, 1))
