// SPDX-License-Identifier: GPL-2.0

#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/magic.h>
#include <linux/mnt_namespace.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/user_namespace.h>

__rust_helper bool rust_helper_d_unlinked(const struct dentry *dentry)
{
	return d_unlinked(dentry);
}

__rust_helper bool rust_helper_d_is_positive(const struct dentry *dentry)
{
	return d_is_positive(dentry);
}

__rust_helper const struct path *
rust_helper_file_user_path(const struct file *file)
{
	return file_user_path(file);
}

/* The caller must hold the RCU read lock. */
__rust_helper const struct user_namespace *
rust_helper_mnt_owner_rcu(struct vfsmount *mnt)
{
	return mnt_owner_rcu(mnt);
}

/* Whether only root can have created the superblock. */
__rust_helper bool rust_helper_sb_made_by_root(const struct super_block *sb)
{
	/* fusermount mounts this type for any user. */
	if (sb->s_magic == FUSE_SUPER_MAGIC &&
	    sb->s_type->fs_flags & FS_USERNS_MOUNT)
		return false;
	return sb->s_user_ns == &init_user_ns;
}

/*
 * The caller must hold the RCU read lock, which protects the result. Returns
 * false if the current task has no root.
 */
__rust_helper bool rust_helper_current_root_rcu(struct path *root)
{
	struct fs_struct *fs = current->fs;
	unsigned int seq;

	if (!fs)
		return false;
	do {
		seq = read_seqbegin(&fs->seq);
		*root = fs->root;
	} while (read_seqretry(&fs->seq, seq));
	return true;
}
