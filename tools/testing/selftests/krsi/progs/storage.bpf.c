// SPDX-License-Identifier: GPL-2.0
/*
 * Counts in the storage of inodes, tasks and sockets.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} inodes SEC(".maps"), more_inodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} sockets SEC(".maps");

/* More than this many uses of one object are denied; 0: never. */
__u64 limit;
/* Do not count, drop the inode's storage instead. */
bool drop;
__u64 newest;
/* There was no memory at once, without waiting for another CPU's lock. */
bool failed;

static __always_inline int over(__u64 *count)
{
	if (!count) {
		failed = true;
		return -EACCES;
	}
	newest = __sync_fetch_and_add(count, 1) + 1;
	return limit && newest > limit ? -EPERM : 0;
}

static __always_inline int count_inode(struct file *file)
{
	__u64 *other;

	if (!on_target())
		return 0;
	if (drop) {
		bpf_inode_storage_delete(&inodes, file->f_inode);
		return 0;
	}
	/* A second map on the same inode does not disturb the first. */
	other = bpf_inode_storage_get(&more_inodes, file->f_inode, 0,
				      BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!other) {
		failed = true;
		return -EACCES;
	}
	*other = 0xdead;
	return over(bpf_inode_storage_get(&inodes, file->f_inode, 0,
					  BPF_LOCAL_STORAGE_GET_F_CREATE));
}

SEC("lsm/file_open")
int BPF_PROG(file_open, struct file *file)
{
	return count_inode(file);
}

SEC("lsm.s/file_open")
int BPF_PROG(file_open_sleepable, struct file *file)
{
	return count_inode(file);
}

/* Storage is there before an inode is anywhere to be seen. */
SEC("lsm/inode_create")
int BPF_PROG(inode_create, struct inode *dir, struct dentry *dentry, umode_t mode)
{
	if (!on_target())
		return 0;
	return over(bpf_inode_storage_get(&inodes, dir, 0, BPF_LOCAL_STORAGE_GET_F_CREATE));
}

SEC("lsm/task_getpgid")
int BPF_PROG(task_getpgid, struct task_struct *p)
{
	if (!on_target())
		return 0;
	return over(bpf_task_storage_get(&tasks, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE));
}

SEC("lsm/socket_getsockname")
int BPF_PROG(socket_getsockname, struct socket *sock)
{
	struct sock *sk = sock->sk;

	if (!on_target() || !sk)
		return 0;
	return over(bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE));
}
