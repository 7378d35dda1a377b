// SPDX-License-Identifier: GPL-2.0
/*
 * kfuncs that return trusted pointers where the verifier does not trust those
 * that a program reads. These are wrappers, because kfuncs need BTF, which Rust
 * functions do not have. See Documentation/bpf/krsi-kfuncs-refs.rst.
 */

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/krsi.h>

#include "krsi_kfuncs.h"

__bpf_kfunc_start_defs();

/**
 * krsi_task_real_parent - get a reference on the real parent of a task
 * @task: the task
 *
 * The real parent is the process that getppid() returns and that is notified
 * when the task exits, as opposed to a debugger. Release the reference with
 * bpf_task_release().
 *
 * Context: any.
 * Return: the parent, or NULL if @task is still being created or was reaped, or
 * if it is PID 1 or 2 of the initial namespace, whose parent is the idle task.
 */
__bpf_kfunc struct task_struct *krsi_task_real_parent(struct task_struct *task)
{
	return krsi_get_real_parent(task);
}

/**
 * krsi_task_group_leader - get a reference on the leader of a thread group
 * @task: a task of the thread group
 *
 * Release the reference with bpf_task_release().
 *
 * Context: any.
 * Return: the leader, or NULL if @task is still being created or was reaped.
 */
__bpf_kfunc struct task_struct *krsi_task_group_leader(struct task_struct *task)
{
	return krsi_get_group_leader(task);
}

/**
 * krsi_task_cred - get a reference on a task's objective credentials
 * @task: the task
 *
 * The objective credentials apply when another task acts upon this one. The
 * subjective credentials, by which the task itself acts, differ only while the
 * kernel overrides them. Credentials never change: a task that changes its
 * identity gets new ones. Release the reference with krsi_cred_put().
 *
 * Context: any.
 * Return: the credentials, or NULL if @task no longer has any.
 */
__bpf_kfunc const struct cred *krsi_task_cred(struct task_struct *task)
{
	return krsi_get_task_cred(task);
}

/**
 * krsi_cred_put - release a reference that krsi_task_cred() returned
 * @cred: the credentials
 *
 * Context: any; does not sleep.
 */
__bpf_kfunc void krsi_cred_put(const struct cred *cred)
{
	krsi_put_cred(cred);
}

/* Releases credentials that are in a map when it is freed. */
__bpf_kfunc void krsi_cred_put_dtor(void *cred)
{
	krsi_put_cred(cred);
}

CFI_NOSEAL(krsi_cred_put_dtor);

/**
 * krsi_dentry_parent - get the parent of a dentry
 * @dentry: the dentry
 *
 * The result has a separate type and can be passed to this function again. It
 * is valid until the end of the RCU section. Mounts are not crossed.
 *
 * Context: any, in an RCU section.
 * Return: the dentry of the directory, or NULL at the root of a filesystem and
 * for files that are in no directory.
 */
__bpf_kfunc const struct krsi_dentry *krsi_dentry_parent(const struct dentry *dentry)
{
	return krsi_find_parent(dentry);
}

/**
 * krsi_path_dentry - get the dentry of a path
 * @path: the path, such as &file->f_path
 *
 * The result is valid until the end of the RCU section.
 *
 * Context: any, in an RCU section.
 * Return: the dentry, or NULL for pipes, sockets and other files that no path
 * leads to.
 */
__bpf_kfunc const struct krsi_dentry *krsi_path_dentry(const struct path *path)
{
	return krsi_find_dentry(path);
}

/**
 * krsi_inode_sb - get the superblock of an inode
 * @inode: the inode
 *
 * The result is valid until the end of the RCU section.
 *
 * Context: any, in an RCU section.
 * Return: the superblock, or NULL if @inode is NULL, as the context inode at
 * inode_init_security_anon() can be.
 */
__bpf_kfunc const struct super_block *krsi_inode_sb(const struct inode *inode)
{
	return krsi_find_sb(inode);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(krsi_refs_ids)
BTF_ID_FLAGS(func, krsi_task_real_parent,
	     KF_ACQUIRE | KF_RET_NULL | KF_RCU | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_task_group_leader,
	     KF_ACQUIRE | KF_RET_NULL | KF_RCU | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_task_cred,
	     KF_ACQUIRE | KF_RET_NULL | KF_RCU | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_cred_put, KF_RELEASE | KRSI_KFUNC)
BTF_ID_FLAGS(func, krsi_dentry_parent,
	     KF_RET_NULL | KF_RCU | KF_RCU_PROTECTED | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_path_dentry,
	     KF_RET_NULL | KF_RCU_PROTECTED | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_inode_sb,
	     KF_RET_NULL | KF_RCU | KF_RCU_PROTECTED | KRSI_HOOK_KFUNC)
BTF_KFUNCS_END(krsi_refs_ids)

/* kfuncs that require files and directories to be fully initialised. */
BTF_SET_START(krsi_find_ids)
BTF_ID(func, krsi_dentry_parent)
BTF_ID(func, krsi_path_dentry)
BTF_ID(func, krsi_inode_sb)
BTF_SET_END(krsi_find_ids)

/* Tracing programs share the kfuncs of LSM programs. */
static int krsi_refs_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
	int hook;

	if (!btf_id_set8_contains(&krsi_refs_ids, kfunc_id))
		return 0;
	hook = krsi_kfunc_hook(prog);
	if (hook < 0)
		return hook;
	if (!btf_id_set_contains(&krsi_find_ids, kfunc_id))
		return 0;
	return krsi_find_allowed(hook) ? 0 : -EACCES;
}

static const struct btf_kfunc_id_set krsi_refs_set = {
	.owner = THIS_MODULE,
	.set = &krsi_refs_ids,
	.filter = krsi_refs_filter,
};

BTF_ID_LIST(krsi_refs_dtor_ids)
BTF_ID(struct, cred)
BTF_ID(func, krsi_cred_put_dtor)

static int __init krsi_refs_init(void)
{
	const struct btf_id_dtor_kfunc dtors[] = {
		{
			.btf_id = krsi_refs_dtor_ids[0],
			.kfunc_btf_id = krsi_refs_dtor_ids[1],
		},
	};
	int err;

	if (!krsi_active())
		return 0;
	err = krsi_register_kfuncs(BPF_PROG_TYPE_LSM, &krsi_refs_set);
	return err ?: register_btf_id_dtor_kfuncs(dtors, ARRAY_SIZE(dtors),
						  THIS_MODULE);
}
late_initcall(krsi_refs_init);
