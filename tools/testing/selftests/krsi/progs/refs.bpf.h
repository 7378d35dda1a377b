/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kfuncs that the tests of pointers and paths call.
 */

#ifndef _KRSI_REFS_BPF_H
#define _KRSI_REFS_BPF_H

#include "krsi.bpf.h"
#include "verdict.bpf.h"

void bpf_rcu_read_lock(void) __ksym;
void bpf_rcu_read_unlock(void) __ksym;
struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
void bpf_task_release(struct task_struct *p) __ksym;
struct cgroup *bpf_cgroup_acquire(struct cgroup *cgrp) __ksym;
void bpf_cgroup_release(struct cgroup *cgrp) __ksym;
struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
struct file *bpf_get_task_exe_file(struct task_struct *task) __ksym;
void bpf_put_file(struct file *file) __ksym;
int bpf_copy_from_user_str(void *dst, u32 dst__sz, const void *unsafe_ptr__ign,
			   u64 flags) __ksym;

struct task_struct *krsi_task_real_parent(struct task_struct *task) __ksym;
struct task_struct *krsi_task_group_leader(struct task_struct *task) __ksym;
const struct cred *krsi_task_cred(struct task_struct *task) __ksym;
void krsi_cred_put(const struct cred *cred) __ksym;
const struct krsi_dentry *krsi_dentry_parent(const struct dentry *dentry) __ksym;
const struct krsi_dentry *krsi_path_dentry(const struct path *path) __ksym;
const struct super_block *krsi_inode_sb(const struct inode *inode) __ksym;

s64 krsi_path(const struct path *path, char *dst, u32 dst__sz, u64 flags) __ksym;
s64 krsi_path_at(const struct path *dir, const struct dentry *dentry, char *dst, u32 dst__sz,
		 u64 flags) __ksym;
s64 krsi_file_path(const struct file *file, char *dst, u32 dst__sz, u64 flags) __ksym;
s64 krsi_bprm_path(const struct linux_binprm *bprm, char *dst, u32 dst__sz, u64 flags) __ksym;

#endif /* _KRSI_REFS_BPF_H */
