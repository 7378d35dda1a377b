// SPDX-License-Identifier: GPL-2.0
/*
 * A policy that decides which file systems are trusted, and programs that read
 * labels.
 */

#include "krsi.bpf.h"
#include "krsi_blob.bpf.h"

char LICENSE[] SEC("license") = "GPL";

KRSI_SLOT(kept);
KRSI_SLOT(trust);

/* The value for superblocks that the test mounts, and how many had a slot. */
__u64 decision;
int decided;

/* The label of the next file that the test opens. */
bool next;
__u64 seen;
int missing;

/* Restores the label of the next inode whose attributes the test reads. */
bool restore;
int result;

SEC("?lsm/sb_set_mnt_opts")
int BPF_PROG(decide, struct super_block *sb)
{
	__u64 *word;

	if (!on_target())
		return 0;
	word = KRSI_BLOB(superblock, sb, trust, __u64);
	if (!word)
		return 0;
	*word = decision;
	decided++;
	return 0;
}

static __always_inline int look_at(struct file *file)
{
	__u64 *blob;

	if (!on_target() || !next)
		return 0;
	next = false;
	blob = KRSI_BLOB(inode, file->f_inode, kept, __u64);
	if (blob)
		seen = *blob;
	else
		missing++;
	return 0;
}

SEC("lsm/file_open")
int BPF_PROG(look, struct file *file)
{
	return look_at(file);
}

/* Sockets are not opened. */
SEC("lsm/file_ioctl")
int BPF_PROG(look_ioctl, struct file *file)
{
	return look_at(file);
}

SEC("lsm.s/inode_getxattr")
int BPF_PROG(ask, struct dentry *dentry)
{
	if (on_target() && restore)
		result = krsi_inode_blob_restore(dentry, kept);
	restore = false;
	return 0;
}
