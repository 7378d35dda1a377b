// SPDX-License-Identifier: GPL-2.0
/*
 * A policy on the inode that has a file's data: on an overlay, it is not the
 * file's own.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define EUCLEAN 117

struct inode *bpf_real_data_inode(struct file *file) __ksym;

/* Files that are labelled can neither be opened nor executed. */
struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, int);
} labels SEC(".maps");

/* The file system that the policy is for. */
__u32 dev;

struct {
	__u32 calls;
	__u32 missing;
	__u64 real_ino;
	__u64 own_ino;
	__u32 real_dev;
	bool same;
} opened, executed;

static __always_inline int note(typeof(opened) *seen, struct file *file)
{
	struct inode *real;
	int *label;

	if (!on_target() || file->f_inode->i_sb->s_dev != dev)
		return 0;
	seen->calls++;
	real = bpf_real_data_inode(file);
	if (!real) {
		seen->missing++;
		return 0;
	}
	seen->own_ino = file->f_inode->i_ino;
	seen->real_ino = real->i_ino;
	seen->real_dev = real->i_sb->s_dev;
	seen->same = real == file->f_inode;
	label = bpf_inode_storage_get(&labels, real, 0, 0);
	return label && *label ? -EUCLEAN : 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(on_open, struct file *file)
{
	return note(&opened, file);
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(on_exec, struct linux_binprm *bprm)
{
	return note(&executed, bprm->file);
}
