// SPDX-License-Identifier: GPL-2.0
/*
 * What programs see of their hook's arguments: by name, by index, by value and
 * behind pointers.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define MAX_ARGS 8

int verdict;
__u64 calls;

/* The arguments by index, as bpf_get_func_arg() gives them. */
__u64 arg[MAX_ARGS];
__u64 arg_cnt;
/* Of the first index that there is not, and of bpf_get_func_ret(). */
long err_beyond;
long err_ret;
__u64 func_ret;
__u64 cookie;

static __always_inline bool by_index(void *ctx)
{
	__u64 none;
	__u32 i;

	if (!on_target())
		return false;
	calls++;
	arg_cnt = bpf_get_func_arg_cnt(ctx);
	for (i = 0; i < MAX_ARGS; i++)
		if (i < arg_cnt)
			bpf_get_func_arg(ctx, i, &arg[i]);
	err_beyond = bpf_get_func_arg(ctx, arg_cnt, &none);
	err_ret = bpf_get_func_ret(ctx, &func_ret);
	cookie = bpf_get_attach_cookie(ctx);
	return true;
}

/* What was decided before: an argument after the last one. */
int ret_seen;

/* No argument at all, so that it is the first. */
SEC("lsm/uring_allowed")
int uring_allowed(__u64 *ctx)
{
	if (!by_index(ctx))
		return 0;
	ret_seen = (int)ctx[0];
	return bounded(verdict);
}

SEC("lsm/uring_sqpoll")
int uring_sqpoll(void *ctx)
{
	return by_index(ctx) ? bounded(verdict) : 0;
}

SEC("lsm/tun_dev_create")
int tun_dev_create(void *ctx)
{
	return by_index(ctx) ? bounded(verdict) : 0;
}

/* Void hooks without arguments; nothing here makes the kernel call them. */
SEC("lsm/secmark_refcount_inc")
int secmark_refcount_inc(void *ctx)
{
	return 0;
}

SEC("lsm/initramfs_populated")
int initramfs_populated(void *ctx)
{
	return 0;
}

/* One pointer. */
SEC("lsm/task_getpgid")
int BPF_PROG(task_getpgid, struct task_struct *p, int ret)
{
	if (!by_index(ctx))
		return 0;
	/* The argument by name is the one by index, and points to the task. */
	if ((__u64)p != arg[0] || p->tgid != target)
		return -EACCES;
	ret_seen = ret;
	return bounded(verdict);
}

/* Two structures of 16 bytes by value, and an argument after them. */
__u64 optval, optlen, stream_len;
bool optval_is_kernel, optlen_is_kernel;
int sock_type;

SEC("lsm/socket_getpeersec_stream")
int BPF_PROG2(socket_getpeersec_stream, struct socket *, sock, sockptr_t, val, sockptr_t, len_ptr,
	      unsigned int, len, int, ret)
{
	if (!by_index(ctx))
		return 0;
	ret_seen = ret;
	sock_type = sock->type;
	optval = (__u64)val.user;
	optlen = (__u64)len_ptr.user;
	optval_is_kernel = val.is_kernel;
	optlen_is_kernel = len_ptr.is_kernel;
	stream_len = len;
	return bounded(verdict);
}

/* Six arguments: all that registers hold. */
char xattr_name[32];
char xattr_value[16];
__u64 xattr_size;
int xattr_flags;
__u16 xattr_mode;

SEC("lsm/inode_setxattr")
int BPF_PROG(inode_setxattr, struct mnt_idmap *idmap, struct dentry *dentry, const char *name,
	     const void *value, size_t size, int flags, int ret)
{
	struct inode *inode = dentry->d_inode;

	if (!by_index(ctx))
		return 0;
	ret_seen = ret;
	bpf_probe_read_kernel_str(xattr_name, sizeof(xattr_name), name);
	bpf_probe_read_kernel(xattr_value, size & (sizeof(xattr_value) - 1), value);
	xattr_size = size;
	xattr_flags = flags;
	if (inode)
		xattr_mode = inode->i_mode;
	return bounded(verdict);
}

/* Six arguments and no verdict. */
char key_payload[16];
__u64 key_payload_len;
bool key_created;

SEC("lsm/key_post_create_or_update")
int BPF_PROG(key_post_create_or_update, struct key *keyring, struct key *key, const void *payload,
	     size_t payload_len, unsigned long flags, bool create)
{
	if (!by_index(ctx))
		return 0;
	bpf_probe_read_kernel(key_payload, payload_len & (sizeof(key_payload) - 1), payload);
	key_payload_len = payload_len;
	key_created = create;
	return bounded(verdict);
}

/* Narrow ones. */
__u16 mkdir_mode;
char mkdir_name[16];

SEC("lsm/path_mkdir")
int BPF_PROG(path_mkdir, const struct path *dir, struct dentry *dentry, umode_t mode)
{
	if (!by_index(ctx))
		return 0;
	mkdir_mode = mode;
	bpf_probe_read_kernel_str(mkdir_name, sizeof(mkdir_name), dentry->d_name.name);
	return bounded(verdict);
}

int kill_pid, kill_sig;

SEC("lsm/task_kill")
int BPF_PROG(task_kill, struct task_struct *p, struct kernel_siginfo *info, int sig,
	     const struct cred *cred)
{
	if (!by_index(ctx))
		return 0;
	kill_pid = p->tgid;
	kill_sig = sig;
	return bounded(verdict);
}

/* Five longs; the options are the test's own. */
SEC("lsm/task_prctl")
int BPF_PROG(task_prctl, int option, unsigned long arg2, unsigned long arg3, unsigned long arg4,
	     unsigned long arg5, int ret)
{
	if (option != 0x6b727369 || !by_index(ctx))
		return 0;
	if (arg[1] != arg2 || arg[2] != arg3 || arg[3] != arg4 || arg[4] != arg5)
		return -EACCES;
	ret_seen = ret;
	return bounded(verdict);
}
