// SPDX-License-Identifier: GPL-2.0
/*
 * Each hook's program counts in the local storage of the object that the hook
 * is about.
 */

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} inodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} socks SEC(".maps");

SEC("lsm/task_getpgid")
int BPF_PROG(count_task, struct task_struct *p)
{
	__u64 *count;

	count = bpf_task_storage_get(&tasks, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (count)
		(*count)++;
	return 0;
}

SEC("lsm/file_ioctl")
int BPF_PROG(count_inode, struct file *file)
{
	__u64 *count;

	count = bpf_inode_storage_get(&inodes, file->f_inode, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (count)
		(*count)++;
	return 0;
}

SEC("lsm/socket_getsockname")
int BPF_PROG(count_sock, struct socket *sock)
{
	struct sock *sk = sock->sk;
	__u64 *count;

	if (!sk)
		return 0;
	count = bpf_sk_storage_get(&socks, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (count)
		(*count)++;
	return 0;
}
