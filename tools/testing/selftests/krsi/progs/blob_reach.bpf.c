// SPDX-License-Identifier: GPL-2.0
/*
 * Labels of objects that an argument leads to: the credentials by which a file
 * was opened, the file system and the device of an inode, the directory of a
 * file; and what cannot be loaded.
 */

#include "refs.bpf.h"
#include "krsi_blob.bpf.h"

char LICENSE[] SEC("license") = "GPL";

KRSI_SLOT(cred_slot);
KRSI_SLOT(inode_slot);
KRSI_SLOT(superblock_slot);
KRSI_SLOT(bdev_slot);

/* What is written to labels, if not 0, and what was in the last one that was read. */
__u64 label, seen;
/* Labels that were there to be read, and that were not. */
__u64 found, missing;
/* What krsi_dentry_blob_read() returned for the file, its directory, and in error. */
int of_file, of_dir, of_size, of_slot;
__u64 file_label, dir_label, error_label;
/* The slot, which the verifier does not take for a constant. */
__u32 zero;

static __always_inline int look(__u64 *blob)
{
	if (blob) {
		found++;
		seen = *blob;
	} else {
		missing++;
	}
	return 0;
}

static __always_inline int write(__u64 *blob)
{
	if (blob && label)
		*blob = label;
	return 0;
}

SEC("?lsm/task_getsid")
int BPF_PROG(cred_write, struct task_struct *p)
{
	return on_target() ? write(KRSI_CURRENT_CRED_BLOB(cred_slot, __u64)) : 0;
}

SEC("?lsm/file_ioctl")
int BPF_PROG(file_cred, struct file *file)
{
	return on_target() ? look(KRSI_BLOB(file_cred, file, cred_slot, __u64)) : 0;
}

/* The same by a call. */
SEC("?lsm.s/file_ioctl")
int BPF_PROG(file_cred_called, struct file *file)
{
	return on_target() ? look(KRSI_BLOB(file_cred, file, cred_slot + zero, __u64)) : 0;
}

SEC("?lsm/sb_kern_mount")
int BPF_PROG(sb_write, struct super_block *sb)
{
	return on_target() ? write(KRSI_BLOB(superblock, sb, superblock_slot, __u64)) : 0;
}

SEC("?lsm/file_open")
int BPF_PROG(inode_sb, struct file *file)
{
	return on_target() ? look(KRSI_BLOB(inode_sb, file->f_inode, superblock_slot, __u64)) : 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(inode_sb_called, struct file *file)
{
	if (!on_target())
		return 0;
	return look(KRSI_BLOB(inode_sb, file->f_inode, superblock_slot + zero, __u64));
}

/* What a policy does that allows only what dm-verity has checked. */
SEC("?lsm/bdev_setintegrity")
int BPF_PROG(bdev_write, struct block_device *bdev, enum lsm_integrity_type type)
{
	if (on_target() && type == LSM_INT_DMVERITY_ROOTHASH)
		write(KRSI_BLOB(bdev, bdev, bdev_slot, __u64));
	return 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(inode_bdev, struct file *file)
{
	return on_target() ? look(KRSI_BLOB(inode_bdev, file->f_inode, bdev_slot, __u64)) : 0;
}

static __always_inline int read_labels(const struct path *path)
{
	const struct krsi_dentry *dentry = krsi_path_dentry(path), *dir;
	__u32 half = -1;

	if (!dentry)
		return 0;
	of_file = krsi_dentry_blob_read(&dentry->dentry, inode_slot, &file_label,
					sizeof(file_label));
	dir = krsi_dentry_parent(&dentry->dentry);
	if (!dir)
		return 0;
	of_dir = krsi_dentry_blob_read(&dir->dentry, inode_slot, &dir_label, sizeof(dir_label));
	error_label = -1;
	of_slot = krsi_dentry_blob_read(&dir->dentry, inode_slot + 1, &error_label,
					sizeof(error_label));
	of_size = krsi_dentry_blob_read(&dir->dentry, inode_slot, &half, sizeof(half));
	error_label |= half;
	return 0;
}

static __always_inline int write_directory(struct inode *inode)
{
	if ((inode->i_mode & 0170000) == 0040000)
		write(KRSI_BLOB(inode, inode, inode_slot, __u64));
	return 0;
}

SEC("?lsm/file_open")
int BPF_PROG(directory, struct file *file)
{
	if (!on_target())
		return 0;
	write_directory(file->f_inode);
	return read_labels(&file->f_path);
}

SEC("?lsm.s/file_open")
int BPF_PROG(directory_sleepable, struct file *file)
{
	if (!on_target())
		return 0;
	write_directory(file->f_inode);
	bpf_rcu_read_lock();
	read_labels(&file->f_path);
	bpf_rcu_read_unlock();
	return 0;
}

/* An argument of a hook, which need not have an inode. */
SEC("?lsm/inode_create")
int BPF_PROG(negative, struct inode *dir, struct dentry *dentry)
{
	if (!on_target())
		return 0;
	error_label = -1;
	of_file = krsi_dentry_blob_read(dentry, inode_slot, &error_label, sizeof(error_label));
	return 0;
}

/* Refused by the verifier, with the reasons that blob_reach_test.c has. */

SEC("?lsm/backing_file_free")
int BPF_PROG(reject_unfinished_cred, struct file *file)
{
	return look(KRSI_BLOB(file_cred, file, cred_slot, __u64));
}

/* A program of the hook above could tail-call it. */
SEC("?lsm/file_release")
int BPF_PROG(reject_tail_called_cred, struct file *file)
{
	return look(KRSI_BLOB(file_cred, file, cred_slot, __u64));
}

SEC("?lsm/backing_file_free")
int BPF_PROG(reject_unfinished_sb, struct file *file)
{
	return look(KRSI_BLOB(inode_sb, file->f_inode, superblock_slot, __u64));
}

SEC("?lsm/backing_file_alloc")
int BPF_PROG(reject_unfinished_bdev, struct file *file)
{
	return look(KRSI_BLOB(inode_bdev, file->f_inode, bdev_slot, __u64));
}

/* Of a path, the inode is not trusted. */
SEC("?lsm/file_open")
int BPF_PROG(reject_walked_sb, struct file *file)
{
	return look(KRSI_BLOB(inode_sb, file->f_path.dentry->d_inode, superblock_slot, __u64));
}

SEC("?lsm/file_open")
int BPF_PROG(reject_walked_bdev, struct file *file)
{
	return look(KRSI_BLOB(inode_bdev, file->f_path.dentry->d_inode, bdev_slot, __u64));
}

SEC("?lsm/file_open")
int BPF_PROG(reject_walked_dentry, struct file *file)
{
	return krsi_dentry_blob_read(file->f_path.dentry, inode_slot, &file_label,
				     sizeof(file_label));
}

/* The section that keeps the entry is over. */
SEC("?lsm.s/file_open")
int BPF_PROG(reject_after_section, struct file *file)
{
	const struct krsi_dentry *dentry;

	bpf_rcu_read_lock();
	dentry = krsi_path_dentry(&file->f_path);
	bpf_rcu_read_unlock();
	if (dentry)
		krsi_dentry_blob_read(&dentry->dentry, inode_slot, &file_label,
				      sizeof(file_label));
	return 0;
}

SEC("?fentry/bpf_lsm_file_open")
int BPF_PROG(reject_tracing, struct file *file)
{
	look(KRSI_BLOB(file_cred, file, cred_slot, __u64));
	return 0;
}
