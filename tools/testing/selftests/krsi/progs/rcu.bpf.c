// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that read through pointers that RCU protects, in every manner that
 * the verifier takes, and tell what they read.
 */

#include "refs.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* What was found. */
int parent, grandparent, uid, f_uid;
__u64 cgroup, own_cgroup, magic;
int calls;
/* How many ancestors there are, down to the first process. */
int ancestors;
/* From the calling process's memory. */
void *user;
__u64 word;

int sk_type, sk_family;

static __always_inline bool asked(void)
{
	if (bpf_get_current_task_btf()->tgid != target)
		return false;
	calls++;
	return true;
}

/* Each pointer once, whatever it is to the verifier where this is called. */
static __always_inline void look(struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct cred *cred = task->cred;
	struct task_struct *up = task->real_parent;

	parent = up->tgid;
	grandparent = up->real_parent->tgid;
	if (cred)
		uid = cred->uid.val;
	cgroup = task->cgroups->dfl_cgrp->kn->id;
	own_cgroup = bpf_get_current_cgroup_id();
	f_uid = file->f_cred->uid.val;
	magic = file->f_inode->i_sb->s_magic;
}

SEC("lsm.s/file_open")
int BPF_PROG(sleepable_inside, struct file *file)
{
	if (!asked())
		return 0;
	bpf_rcu_read_lock();
	look(file);
	bpf_rcu_read_unlock();
	return 0;
}

/* These are reads that may fail, as zeroes, if what is read went away. */
SEC("lsm.s/file_open")
int BPF_PROG(sleepable_outside, struct file *file)
{
	if (asked())
		look(file);
	return 0;
}

SEC("lsm/file_open")
int BPF_PROG(atomic, struct file *file)
{
	if (asked())
		look(file);
	return 0;
}

SEC("lsm/file_open")
int BPF_PROG(atomic_inside, struct file *file)
{
	if (!asked())
		return 0;
	bpf_rcu_read_lock();
	look(file);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(nested, struct file *file)
{
	if (!asked())
		return 0;
	bpf_rcu_read_lock();
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	look(file);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(sleep_between, struct file *file)
{
	__u64 value = 0;

	if (!asked())
		return 0;
	bpf_rcu_read_lock();
	look(file);
	parent = 0;
	bpf_rcu_read_unlock();
	bpf_copy_from_user(&value, sizeof(value), user);
	word = value;
	bpf_rcu_read_lock();
	look(file);
	bpf_rcu_read_unlock();
	return 0;
}

static __noinline void look_apart(struct file *file)
{
	look(file);
}

SEC("lsm.s/file_open")
int BPF_PROG(subprogram, struct file *file)
{
	if (!asked())
		return 0;
	bpf_rcu_read_lock();
	look_apart(file);
	bpf_rcu_read_unlock();
	return 0;
}

__noinline int look_global(struct file *file __arg_trusted)
{
	if (!file)
		return 0;
	bpf_rcu_read_lock();
	look(file);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(global_subprogram, struct file *file)
{
	if (asked())
		look_global(file);
	return 0;
}

/* Up to the first process, in one section. */
SEC("lsm.s/file_open")
int BPF_PROG(loop, struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int i;

	if (!asked())
		return 0;
	bpf_rcu_read_lock();
	look(file);
	bpf_for(i, 0, 64) {
		if (task->pid <= 1)
			break;
		task = task->real_parent;
		ancestors = i + 1;
	}
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm.s/socket_listen")
int BPF_PROG(sock_sleepable, struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;

	if (!sk || !asked())
		return 0;
	sk_type = sk->sk_type;
	sk_family = sk->__sk_common.skc_family;
	return 0;
}

SEC("lsm/socket_listen")
int BPF_PROG(sock_atomic, struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;

	if (!sk || !asked())
		return 0;
	sk_type = sk->sk_type;
	sk_family = sk->__sk_common.skc_family;
	return 0;
}
