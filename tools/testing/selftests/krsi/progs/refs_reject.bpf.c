// SPDX-License-Identifier: GPL-2.0
/*
 * How not to use the kfuncs that give pointers, each beside what the verifier
 * says to it.
 */

#include "refs.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define NOT_RCU "must be a rcu pointer"

/* References are given back, once, on each way out, to where they are from. */

SEC("lsm/file_open") __reject("Unreleased reference")
int BPF_PROG(parent_kept, struct file *file)
{
	krsi_task_real_parent(bpf_get_current_task_btf());
	return 0;
}

SEC("lsm.s/file_open") __reject("Unreleased reference")
int BPF_PROG(leader_kept, struct file *file)
{
	struct task_struct *leader = krsi_task_group_leader(bpf_get_current_task_btf());

	if (!leader)
		return 0;
	if (leader->pid == 1)
		return -EPERM;
	bpf_task_release(leader);
	return 0;
}

SEC("lsm/file_open") __reject("Unreleased reference")
int BPF_PROG(cred_kept, struct file *file)
{
	const struct cred *cred = krsi_task_cred(bpf_get_current_task_btf());

	return cred ? -(int)(cred->uid.val & 1) : 0;
}

SEC("lsm/file_open") __reject("Unreleased reference")
int BPF_PROG(cred_kept_in_loop, struct file *file)
{
	int i;

	bpf_for(i, 0, 3)
		krsi_task_cred(bpf_get_current_task_btf());
	return 0;
}

SEC("lsm/file_open") __reject("invalid mem access 'trusted_ptr_or_null_'")
int BPF_PROG(parent_unchecked, struct file *file)
{
	struct task_struct *parent = krsi_task_real_parent(bpf_get_current_task_btf());
	int pid = parent->pid;

	bpf_task_release(parent);
	return -(pid & 1);
}

SEC("lsm/file_open") __reject("invalid mem access 'trusted_ptr_or_null_'")
int BPF_PROG(cred_unchecked, struct file *file)
{
	const struct cred *cred = krsi_task_cred(bpf_get_current_task_btf());
	int uid = cred->uid.val;

	krsi_cred_put(cred);
	return -(uid & 1);
}

SEC("lsm/file_open") __reject("Possibly NULL pointer passed to trusted R1")
int BPF_PROG(cred_put_unchecked, struct file *file)
{
	krsi_cred_put(krsi_task_cred(bpf_get_current_task_btf()));
	return 0;
}

SEC("lsm/file_open") __reject("invalid mem access 'scalar'")
int BPF_PROG(cred_after_put, struct file *file)
{
	const struct cred *cred = krsi_task_cred(bpf_get_current_task_btf());

	if (!cred)
		return 0;
	krsi_cred_put(cred);
	return -(int)(cred->uid.val & 1);
}

SEC("lsm/file_open") __reject("invalid mem access 'scalar'")
int BPF_PROG(parent_after_release, struct file *file)
{
	struct task_struct *parent = krsi_task_real_parent(bpf_get_current_task_btf());

	if (!parent)
		return 0;
	bpf_task_release(parent);
	return -(parent->pid & 1);
}

SEC("lsm/file_open") __reject("release kfunc krsi_cred_put expects referenced")
int BPF_PROG(cred_put_twice, struct file *file)
{
	const struct cred *cred = krsi_task_cred(bpf_get_current_task_btf());

	if (!cred)
		return 0;
	krsi_cred_put(cred);
	krsi_cred_put(cred);
	return 0;
}

SEC("lsm/file_open")
__reject("R1 expected pointer to STRUCT task_struct but R1 has a pointer to STRUCT cred")
int BPF_PROG(cred_released_as_task, struct file *file)
{
	const struct cred *cred = krsi_task_cred(bpf_get_current_task_btf());

	if (cred)
		bpf_task_release((struct task_struct *)cred);
	return 0;
}

SEC("lsm/file_open") __reject("only read is supported")
int BPF_PROG(cred_written, struct file *file)
{
	const struct cred *cred = krsi_task_cred(bpf_get_current_task_btf());

	if (!cred)
		return 0;
	((struct cred *)cred)->uid.val = 0;
	krsi_cred_put(cred);
	return 0;
}

/* They are for tasks that the verifier knows to be there. */

SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(parent_of_untrusted, struct file *file)
{
	struct task_struct *ref;

	ref = krsi_task_real_parent(bpf_get_current_task_btf()->real_parent);
	if (ref)
		bpf_task_release(ref);
	return 0;
}

SEC("lsm/file_open") __reject("Possibly NULL pointer passed to trusted R1")
int BPF_PROG(cred_of_null, struct file *file)
{
	const struct cred *cred = krsi_task_cred(NULL);

	if (cred)
		krsi_cred_put(cred);
	return 0;
}

SEC("lsm/file_open") __reject("R1 is scalar expected STRUCT task_struct")
int BPF_PROG(cred_of_number, struct file *file)
{
	const struct cred *cred = krsi_task_cred((void *)bpf_get_current_task());

	if (cred)
		krsi_cred_put(cred);
	return 0;
}

/* What RCU alone keeps. */

SEC("lsm.s/file_open") __reject("krsi_path_dentry requires RCU critical section protection")
int BPF_PROG(dentry_outside, struct file *file)
{
	krsi_path_dentry(&file->f_path);
	return 0;
}

SEC("lsm.s/inode_unlink") __reject("krsi_dentry_parent requires RCU critical section protection")
int BPF_PROG(parent_outside, struct inode *dir, struct dentry *dentry)
{
	krsi_dentry_parent(dentry);
	return 0;
}

SEC("lsm.s/inode_unlink") __reject("krsi_inode_sb requires RCU critical section protection")
int BPF_PROG(sb_outside, struct inode *dir, struct dentry *dentry)
{
	krsi_inode_sb(dir);
	return 0;
}

SEC("lsm.s/file_open") __reject("invalid mem access 'rcu_ptr_or_null_'")
int BPF_PROG(dentry_unchecked, struct file *file)
{
	int flags;

	bpf_rcu_read_lock();
	flags = krsi_path_dentry(&file->f_path)->dentry.d_flags;
	bpf_rcu_read_unlock();
	return -(flags & 1);
}

SEC("lsm/inode_unlink") __reject("invalid mem access 'rcu_ptr_or_null_'")
int BPF_PROG(sb_unchecked, struct inode *dir, struct dentry *dentry)
{
	return -(int)(krsi_inode_sb(dir)->s_magic & 1);
}

SEC("lsm.s/inode_unlink") __reject(NOT_RCU)
int BPF_PROG(parent_after, struct inode *dir, struct dentry *dentry)
{
	const struct krsi_dentry *parent;

	bpf_rcu_read_lock();
	parent = krsi_dentry_parent(dentry);
	bpf_rcu_read_unlock();
	if (!parent)
		return 0;
	bpf_rcu_read_lock();
	krsi_dentry_parent(&parent->dentry);
	bpf_rcu_read_unlock();
	return 0;
}

/* What is walked to without their help. */
SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(parent_walked, struct file *file)
{
	bpf_rcu_read_lock();
	krsi_dentry_parent(file->f_path.dentry);
	bpf_rcu_read_unlock();
	return 0;
}

/*
 * The inode of a directory that nothing pins: the verifier would take it for
 * one that something does, if it was behind a plain struct dentry.
 */
SEC("lsm.s/inode_unlink") __reject(NOT_RCU)
int BPF_PROG(inode_of_parent, struct inode *dir, struct dentry *dentry)
{
	const struct krsi_dentry *parent;
	struct inode *inode;

	bpf_rcu_read_lock();
	parent = krsi_dentry_parent(dentry);
	if (parent) {
		inode = parent->dentry.d_inode;
		if (inode)
			krsi_inode_sb(inode);
	}
	bpf_rcu_read_unlock();
	return 0;
}

/*
 * Files that are made or taken apart have neither path nor inode, or those are
 * gone; nor may a program be tail-called where that is so.
 */
#define UNFINISHED(hook)							\
SEC("lsm/" #hook) __reject("calling kernel function krsi_path_dentry is not allowed")	\
int BPF_PROG(path_in_##hook, struct file *file)					\
{										\
	krsi_path_dentry(&file->f_path);					\
	return 0;								\
}										\
SEC("lsm/" #hook) __reject("calling kernel function krsi_inode_sb is not allowed")	\
int BPF_PROG(sb_in_##hook, struct file *file)					\
{										\
	krsi_inode_sb(file->f_inode);						\
	return 0;								\
}

UNFINISHED(backing_file_alloc)
UNFINISHED(backing_file_free)
UNFINISHED(file_free_security)
UNFINISHED(file_release)
UNFINISHED(file_set_fowner)

/* Not for tracing programs, which look for kfuncs in the same place. */
#define TRACING(kfunc, ...)						\
SEC("fentry/bpf_lsm_file_open")						\
__reject("calling kernel function " #kfunc " is not allowed")		\
int BPF_PROG(tracing_##kfunc, struct file *file)			\
{									\
	kfunc(__VA_ARGS__);						\
	return 0;							\
}

TRACING(krsi_task_real_parent, bpf_get_current_task_btf())
TRACING(krsi_task_group_leader, bpf_get_current_task_btf())
TRACING(krsi_task_cred, bpf_get_current_task_btf())
TRACING(krsi_cred_put, NULL)
TRACING(krsi_path_dentry, &file->f_path)
TRACING(krsi_dentry_parent, NULL)
TRACING(krsi_inode_sb, file->f_inode)
