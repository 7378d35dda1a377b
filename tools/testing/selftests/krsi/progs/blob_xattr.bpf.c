// SPDX-License-Identifier: GPL-2.0
/*
 * Labels of inodes that last: reads and writes them, has them saved and
 * restored, and gives them to new inodes.
 */

#include "krsi.bpf.h"
#include "krsi_blob.bpf.h"
#include "../boot/boot.h"

char LICENSE[] SEC("license") = "GPL";

KRSI_SLOT(kept);
KRSI_SLOT(large);

/* What is written to labels, if not 0, and what was in the last one before. */
__u64 label;
__u64 seen;
__u64 missing;
/* The next file that is opened; an overlay opens another for it. */
bool next;
/* What is to be done with the next inode whose attributes are asked for. */
bool save, restore;
int result;
/* How many files there are, for who counts them. */
__u64 made;

/* A label of more than a word: the same in each of them. */
struct large {
	__u64 words[8];
};

SEC("?lsm/file_open")
int BPF_PROG(use, struct file *file)
{
	__u64 *blob;

	if (!on_target() || !next)
		return 0;
	next = false;
	blob = KRSI_BLOB(inode, file->f_inode, kept, __u64);
	if (!blob) {
		missing++;
		return 0;
	}
	seen = *blob;
	if (label)
		*blob = label;
	return 0;
}

/* Of a boot program's slot, what it has in the next file that is opened. */
KRSI_SLOT(maker_slot);
struct boot_maker maker;

SEC("?lsm/file_open")
int BPF_PROG(look, struct file *file)
{
	struct boot_maker *seen;

	if (!on_target() || !next)
		return 0;
	next = false;
	seen = KRSI_BLOB(inode, file->f_inode, maker_slot, struct boot_maker);
	if (seen)
		maker = *seen;
	else
		missing++;
	return 0;
}

/* Overwrites a label with zeroes. */
SEC("?lsm/file_ioctl")
int BPF_PROG(clear, struct file *file)
{
	__u64 *blob;

	if (!on_target())
		return 0;
	blob = KRSI_BLOB(inode, file->f_inode, kept, __u64);
	if (blob)
		*blob = 0;
	return 0;
}

SEC("?lsm.s/inode_getxattr")
int BPF_PROG(keep, struct dentry *dentry)
{
	if (!on_target())
		return 0;
	if (save)
		result = krsi_inode_blob_save(dentry, kept);
	if (restore)
		result = krsi_inode_blob_restore(dentry, kept);
	save = restore = false;
	return 0;
}

SEC("?lsm.s/inode_setxattr")
int BPF_PROG(keep_locked, struct mnt_idmap *idmap, struct dentry *dentry)
{
	if (!on_target())
		return 0;
	if (save)
		result = krsi_inode_blob_save_locked(dentry, kept);
	save = false;
	return 0;
}

/* A new inode has its label before anybody finds it. */
SEC("?lsm/inode_init_security")
int BPF_PROG(create, struct inode *inode)
{
	__u64 *blob;

	if (!on_target())
		return -95 /* EOPNOTSUPP */;
	blob = KRSI_BLOB(inode, inode, kept, __u64);
	if (!blob)
		missing++;
	else if (label)
		*blob = label;
	return -95;
}

static __always_inline void write_large(struct large *blob)
{
	int i;

	if (!blob) {
		missing++;
		return;
	}
	for (i = 0; i < 8; i++)
		blob->words[i] = label;
}

SEC("?lsm/inode_init_security")
int BPF_PROG(large_create, struct inode *inode)
{
	if (on_target() && label)
		write_large(KRSI_BLOB(inode, inode, large, struct large));
	return -95 /* EOPNOTSUPP */;
}

SEC("?lsm.s/inode_getxattr")
int BPF_PROG(large_keep, struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;

	if (!on_target() || !save || !inode)
		return 0;
	save = false;
	write_large(KRSI_BLOB(inode, inode, large, struct large));
	result = krsi_inode_blob_save(dentry, large);
	return 0;
}

/* Refused by the verifier, with the reasons that blob_xattr_test.c has. */

SEC("?lsm.s/inode_setxattr")
int BPF_PROG(reject_locked, struct mnt_idmap *idmap, struct dentry *dentry)
{
	krsi_inode_blob_save(dentry, kept);
	return 0;
}

SEC("?lsm.s/inode_set_acl")
int BPF_PROG(reject_locked_acl, struct mnt_idmap *idmap, struct dentry *dentry)
{
	krsi_inode_blob_save(dentry, kept);
	return 0;
}

SEC("?lsm.s/inode_getxattr")
int BPF_PROG(reject_unlocked, struct dentry *dentry)
{
	krsi_inode_blob_save_locked(dentry, kept);
	return 0;
}

SEC("?lsm/inode_getxattr")
int BPF_PROG(reject_atomic, struct dentry *dentry)
{
	krsi_inode_blob_save(dentry, kept);
	return 0;
}
