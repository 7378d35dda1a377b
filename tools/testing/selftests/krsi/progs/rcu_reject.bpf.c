// SPDX-License-Identifier: GPL-2.0
/*
 * What programs cannot do with pointers that RCU protects, each beside what the
 * verifier says to it, and a few at the border that they can.
 *
 * bpf_task_acquire() stands for whatever uses a pointer: it takes trusted
 * pointers and those of the RCU section that the program is in.
 */

#include "refs.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define NOT_RCU "must be a rcu pointer"
#define UNBALANCED \
	"BPF_EXIT instruction in main prog cannot be used inside bpf_rcu_read_lock-ed region"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} jumps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, long);
} of_sock SEC(".maps");

int zero;
void *user;

static __always_inline void use(struct task_struct *task)
{
	struct task_struct *ref = bpf_task_acquire(task);

	if (ref)
		bpf_task_release(ref);
}

/* Where the section is. */

SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(outside, struct file *file)
{
	use(bpf_get_current_task_btf()->real_parent);
	return 0;
}

SEC("lsm.s/file_open") __accept
int BPF_PROG(inside, struct file *file)
{
	bpf_rcu_read_lock();
	use(bpf_get_current_task_btf()->real_parent);
	bpf_rcu_read_unlock();
	return 0;
}

/* A program that cannot sleep is one section from beginning to end... */
SEC("lsm/file_open") __accept
int BPF_PROG(atomic, struct file *file)
{
	use(bpf_get_current_task_btf()->real_parent);
	return 0;
}

/* ... with or without sections of its own in it. */
SEC("lsm/file_open") __accept
int BPF_PROG(atomic_after_section, struct file *file)
{
	struct task_struct *parent;

	bpf_rcu_read_lock();
	parent = bpf_get_current_task_btf()->real_parent;
	bpf_rcu_read_unlock();
	use(parent);
	return 0;
}

SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(before, struct file *file)
{
	struct task_struct *parent = bpf_get_current_task_btf()->real_parent;

	bpf_rcu_read_lock();
	use(parent);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(after, struct file *file)
{
	struct task_struct *parent;

	bpf_rcu_read_lock();
	parent = bpf_get_current_task_btf()->real_parent;
	bpf_rcu_read_unlock();
	use(parent);
	return 0;
}

/* Another section is not the one that it was found in. */
SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(another_section, struct file *file)
{
	struct task_struct *parent;

	bpf_rcu_read_lock();
	parent = bpf_get_current_task_btf()->real_parent;
	bpf_rcu_read_unlock();
	bpf_rcu_read_lock();
	use(parent);
	bpf_rcu_read_unlock();
	return 0;
}

/* Once found outside, what it points to is not found inside either. */
SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(from_untrusted, struct file *file)
{
	struct task_struct *parent = bpf_get_current_task_btf()->real_parent;

	bpf_rcu_read_lock();
	use(parent->real_parent);
	bpf_rcu_read_unlock();
	return 0;
}

/* Nested sections. */

SEC("lsm.s/file_open") __accept
int BPF_PROG(nested, struct file *file)
{
	struct task_struct *parent;

	bpf_rcu_read_lock();
	bpf_rcu_read_lock();
	parent = bpf_get_current_task_btf()->real_parent;
	bpf_rcu_read_unlock();
	use(parent);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(nested_after, struct file *file)
{
	struct task_struct *parent;

	bpf_rcu_read_lock();
	bpf_rcu_read_lock();
	parent = bpf_get_current_task_btf()->real_parent;
	bpf_rcu_read_unlock();
	bpf_rcu_read_unlock();
	use(parent);
	return 0;
}

SEC("lsm.s/file_open") __reject(UNBALANCED)
int BPF_PROG(nested_unbalanced, struct file *file)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	return 0;
}

/* Ends of sections. */

SEC("lsm.s/file_open") __reject(UNBALANCED)
int BPF_PROG(early_return, struct file *file)
{
	const struct cred *cred;

	bpf_rcu_read_lock();
	cred = bpf_get_current_task_btf()->cred;
	if (!cred)
		return -EACCES;
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm/file_open") __reject(UNBALANCED)
int BPF_PROG(atomic_unlocked_not, struct file *file)
{
	bpf_rcu_read_lock();
	return 0;
}

SEC("lsm.s/file_open") __reject("unmatched rcu read unlock")
int BPF_PROG(unlock_only, struct file *file)
{
	bpf_rcu_read_unlock();
	return 0;
}

/* Nor is the section that a program runs in its own to leave. */
SEC("lsm/file_open") __reject("unmatched rcu read unlock")
int BPF_PROG(atomic_unlock_only, struct file *file)
{
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm.s/file_open") __reject("unmatched rcu read unlock")
int BPF_PROG(unlock_twice, struct file *file)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm/file_open") __reject("tail_call cannot be used inside bpf_rcu_read_lock-ed region")
int BPF_PROG(tail_call_inside, struct file *file)
{
	bpf_rcu_read_lock();
	bpf_tail_call(ctx, &jumps, 0);
	bpf_rcu_read_unlock();
	return 0;
}

/* Sleeping. */

SEC("lsm.s/file_open") __reject("sleepable helper bpf_copy_from_user#148 in rcu_read_lock region")
int BPF_PROG(sleep_inside, struct file *file)
{
	__u64 word;

	bpf_rcu_read_lock();
	bpf_copy_from_user(&word, sizeof(word), user);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm.s/file_open") __reject("sleepable helper bpf_copy_from_user#148 in rcu_read_lock region")
int BPF_PROG(sleep_inside_outer, struct file *file)
{
	__u64 word;

	bpf_rcu_read_lock();
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_copy_from_user(&word, sizeof(word), user);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm.s/file_open")
__reject("kernel func bpf_copy_from_user_str is sleepable within rcu_read_lock region")
int BPF_PROG(sleep_inside_kfunc, struct file *file)
{
	char name[8];

	bpf_rcu_read_lock();
	bpf_copy_from_user_str(name, sizeof(name), user, 0);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(sleep_between, struct file *file)
{
	struct task_struct *parent;
	__u64 word;

	bpf_rcu_read_lock();
	parent = bpf_get_current_task_btf()->real_parent;
	bpf_rcu_read_unlock();
	bpf_copy_from_user(&word, sizeof(word), user);
	bpf_rcu_read_lock();
	use(parent);
	bpf_rcu_read_unlock();
	return 0;
}

/* Loops. */

SEC("lsm.s/file_open") __accept
int BPF_PROG(loop_of_sections, struct file *file)
{
	int i;

	bpf_for(i, 0, 100) {
		bpf_rcu_read_lock();
		use(bpf_get_current_task_btf()->real_parent);
		bpf_rcu_read_unlock();
	}
	return 0;
}

SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(loop_carries_out, struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	int i;

	bpf_for(i, 0, 100) {
		bpf_rcu_read_lock();
		use(task);
		task = task->real_parent;
		bpf_rcu_read_unlock();
	}
	return 0;
}

SEC("lsm.s/file_open") __reject(UNBALANCED)
int BPF_PROG(loop_locks, struct file *file)
{
	int i;

	bpf_for(i, 0, 100)
		bpf_rcu_read_lock();
	return 0;
}

/* Functions. */

static __noinline void lock(void)
{
	bpf_rcu_read_lock();
}

static __noinline void unlock(void)
{
	bpf_rcu_read_unlock();
}

SEC("lsm.s/file_open") __accept
int BPF_PROG(static_in_section, struct file *file)
{
	lock();
	use(bpf_get_current_task_btf()->real_parent);
	unlock();
	return 0;
}

SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(static_unlocks, struct file *file)
{
	struct task_struct *parent;

	bpf_rcu_read_lock();
	parent = bpf_get_current_task_btf()->real_parent;
	unlock();
	use(parent);
	return 0;
}

SEC("lsm.s/file_open") __reject(UNBALANCED)
int BPF_PROG(static_locks, struct file *file)
{
	lock();
	return 0;
}

__noinline int global_locks(int unused)
{
	bpf_rcu_read_lock();
	return unused;
}

/* It has to leave what it enters, and enters nothing for its caller. */
SEC("lsm.s/file_open") __reject(UNBALANCED)
int BPF_PROG(calls_global_locks, struct file *file)
{
	return -(global_locks(zero) & 1);
}

SEC("lsm.s/file_open") __reject("unmatched rcu read unlock")
int BPF_PROG(unlocks_after_global, struct file *file)
{
	global_locks(zero);
	bpf_rcu_read_unlock();
	return 0;
}

__noinline int global_unlocks(int unused)
{
	bpf_rcu_read_unlock();
	return unused;
}

SEC("lsm.s/file_open") __reject("unmatched rcu read unlock")
int BPF_PROG(calls_global_unlocks, struct file *file)
{
	bpf_rcu_read_lock();
	global_unlocks(zero);
	bpf_rcu_read_unlock();
	return 0;
}

__noinline int global_sleeps(int unused)
{
	__u64 word = 0;

	bpf_copy_from_user(&word, sizeof(word), user);
	return word;
}

SEC("lsm.s/file_open") __reject("sleepable global function global_sleeps() called in")
int BPF_PROG(calls_global_sleeps, struct file *file)
{
	bpf_rcu_read_lock();
	global_sleeps(zero);
	bpf_rcu_read_unlock();
	return 0;
}

/* It is verified for each kind of place that it is called from. */
__noinline int global_uses(int unused)
{
	use(bpf_get_current_task_btf()->real_parent);
	return unused;
}

SEC("lsm.s/file_open") __accept
int BPF_PROG(calls_global_inside, struct file *file)
{
	bpf_rcu_read_lock();
	global_uses(zero);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(calls_global_outside, struct file *file)
{
	return -(global_uses(zero) & 1);
}

SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(calls_global_in_and_out, struct file *file)
{
	bpf_rcu_read_lock();
	global_uses(zero);
	bpf_rcu_read_unlock();
	global_uses(zero);
	return 0;
}

/* Other pointers. */

SEC("lsm.s/file_open") __reject("invalid mem access 'rcu_ptr_or_null_'")
int BPF_PROG(cred_unchecked, struct file *file)
{
	int uid;

	bpf_rcu_read_lock();
	uid = bpf_get_current_task_btf()->cred->uid.val;
	bpf_rcu_read_unlock();
	return -(uid & 1);
}

SEC("lsm/file_open") __reject("invalid mem access 'rcu_ptr_or_null_'")
int BPF_PROG(atomic_cred_unchecked, struct file *file)
{
	return -(bpf_get_current_task_btf()->cred->uid.val & 1);
}

/* To put what was never taken. */
SEC("lsm/file_open") __reject("release kfunc krsi_cred_put expects referenced")
int BPF_PROG(cred_put_rcu, struct file *file)
{
	const struct cred *cred = bpf_get_current_task_btf()->cred;

	if (cred)
		krsi_cred_put(cred);
	return 0;
}

SEC("lsm/file_open") __reject("release kfunc krsi_cred_put expects referenced")
int BPF_PROG(f_cred_put, struct file *file)
{
	krsi_cred_put(file->f_cred);
	return 0;
}

SEC("lsm.s/file_open") __accept
int BPF_PROG(cgroup_inside, struct file *file)
{
	struct cgroup *cgroup;

	bpf_rcu_read_lock();
	cgroup = bpf_cgroup_acquire(bpf_get_current_task_btf()->cgroups->dfl_cgrp);
	bpf_rcu_read_unlock();
	if (cgroup)
		bpf_cgroup_release(cgroup);
	return 0;
}

SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(cgroup_outside, struct file *file)
{
	struct cgroup *cgroup;

	cgroup = bpf_cgroup_acquire(bpf_get_current_task_btf()->cgroups->dfl_cgrp);
	if (cgroup)
		bpf_cgroup_release(cgroup);
	return 0;
}

SEC("lsm.s/file_open") __reject(NOT_RCU)
int BPF_PROG(cgroup_half_outside, struct file *file)
{
	struct css_set *cgroups;
	struct cgroup *cgroup;

	bpf_rcu_read_lock();
	cgroups = bpf_get_current_task_btf()->cgroups;
	bpf_rcu_read_unlock();
	cgroup = bpf_cgroup_acquire(cgroups->dfl_cgrp);
	if (cgroup)
		bpf_cgroup_release(cgroup);
	return 0;
}

SEC("lsm.s/socket_listen") __reject("R2 type=trusted_ptr_or_null_ expected=")
int BPF_PROG(sk_unchecked, struct socket *sock, int backlog)
{
	bpf_sk_storage_get(&of_sock, sock->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	return 0;
}

SEC("lsm.s/socket_listen") __accept
int BPF_PROG(sk_checked, struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;

	if (sk)
		bpf_sk_storage_get(&of_sock, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	return 0;
}

/* What is written through any of them. */
SEC("lsm/file_open") __reject("only read is supported")
int BPF_PROG(write_rcu, struct file *file)
{
	bpf_get_current_task_btf()->real_parent->exit_code = 1;
	return 0;
}
