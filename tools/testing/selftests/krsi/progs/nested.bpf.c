// SPDX-License-Identifier: GPL-2.0
/*
 * A program on file_open reads an extended attribute of the file. On overlayfs
 * this calls the hooks inode_permission and inode_getxattr, whose programs run
 * while the outer one is still in its call.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

extern int bpf_get_file_xattr(struct file *file, const char *name__str,
			      struct bpf_dynptr *value_p) __ksym;

/* Runs, results and cookies. */
struct seen {
	__u64 ran;
	__u64 cookie;
};

struct seen atomic_inside;	/* inode_permission, which may not sleep */
struct seen sleepable_inside;	/* inode_getxattr, which does */
struct seen older;		/* file_open, after the outer one */
struct seen before, after;	/* the outer one, around its call */

/* The task that is in the call of the outer program. */
__u32 inside;
int permission_verdict;
int getxattr_verdict;
int outer_verdict;
int older_verdict;

/* Read by the program inside. */
void *user;
__u64 word;
long err;
__u32 asleep;

long xattr_len;
char value[64];
static const char xattr_name[] = "user.krsi";

static __always_inline void note(struct seen *seen, void *ctx)
{
	__sync_fetch_and_add(&seen->ran, 1);
	seen->cookie = bpf_get_attach_cookie(ctx);
}

static __always_inline bool is_inside(void)
{
	return inside && inside == (__u32)bpf_get_current_pid_tgid();
}

/* The file of overlayfs is opened, not the one behind it. */
static __always_inline bool on_overlay(struct file *file)
{
	return on_target() && file->f_inode->i_sb->s_magic == 0x794c7630;
}

SEC("lsm.s/file_open")
int BPF_PROG(outer, struct file *file)
{
	struct bpf_dynptr ptr;

	if (!on_overlay(file))
		return 0;
	if (bpf_dynptr_from_mem(value, sizeof(value), 0, &ptr))
		return -EACCES;
	note(&before, ctx);
	inside = bpf_get_current_pid_tgid();
	xattr_len = bpf_get_file_xattr(file, xattr_name, &ptr);
	inside = 0;
	note(&after, ctx);
	return bounded(outer_verdict);
}

SEC("lsm/file_open")
int BPF_PROG(older_atomic, struct file *file)
{
	if (!on_overlay(file))
		return 0;
	note(&older, ctx);
	return bounded(older_verdict);
}

SEC("lsm/inode_permission")
int BPF_PROG(permission, struct inode *inode, int mask)
{
	if (!is_inside())
		return 0;
	note(&atomic_inside, ctx);
	return bounded(permission_verdict);
}

SEC("lsm.s/inode_getxattr")
int BPF_PROG(getxattr, struct dentry *dentry, const char *name)
{
	__u64 read = 0;

	if (!is_inside())
		return 0;
	if (user) {
		__sync_fetch_and_add(&asleep, 1);
		err = bpf_copy_from_user(&read, sizeof(read), user);
		__sync_fetch_and_add(&asleep, -1);
		word = read;
	}
	note(&sleepable_inside, ctx);
	return bounded(getxattr_verdict);
}
