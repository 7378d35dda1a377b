// SPDX-License-Identifier: GPL-2.0
/*
 * The kfuncs of slots that are stored in extended attributes. See
 * Documentation/security/krsi-blobs.rst.
 */

#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/fs.h>
#include <linux/fsnotify.h>
#include <linux/init.h>
#include <linux/krsi_blob.h>

#include "krsi_kfuncs.h"

static int __init krsi_xattr_param(char *count)
{
	krsi_xattr_setup(count);
	return 1;
}
__setup("krsi.xattrs=", krsi_xattr_param);

static int __init krsi_xattr_trust_param(char *names)
{
	/* Adds the enumerators to BTF, for programs. */
	BTF_TYPE_EMIT_ENUM(KRSI_XATTR_TRUST);

	krsi_xattr_trust_setup(names);
	return 1;
}
__setup("krsi.xattr_trust=", krsi_xattr_trust_param);

static int save_locked(struct dentry *dentry, struct inode *inode, u32 slot)
{
	int ret;

	if (sb_rdonly(inode->i_sb))
		return -EROFS;
	if (IS_IMMUTABLE(inode))
		return -EPERM;
	ret = krsi_xattr_save(dentry, inode, slot);
	if (!ret)
		fsnotify_xattr(dentry);
	return ret;
}

__bpf_kfunc_start_defs();

/**
 * krsi_inode_blob_save - make what an inode has in a slot last
 * @dentry: an entry of the inode, which the caller has not locked
 * @slot: number of a slot that was claimed with xattr=yes
 *
 * Writes the slot to its extended attribute, or removes the attribute if the
 * slot has zeroes. The policy decides, not the rights of the current task: no
 * permission is checked, and no hook is called. What others write to the slot
 * meanwhile is saved by words of 8 bytes.
 *
 * Context: may sleep; takes the inode's lock.
 * Return:
 * * 0
 * * -EINVAL: no such slot, or an entry without an inode
 * * -ENODATA: it is not known what the attribute has
 * * -EPERM: an immutable inode, or a file system that is not trusted
 * * -EROFS: a file system that is not written to
 * * -EAGAIN: a file system that is frozen
 * * -EINTR: the task was killed while it waited for the lock
 * * what the file system returns, -EOPNOTSUPP if it has no attributes
 */
__bpf_kfunc int krsi_inode_blob_save(struct dentry *dentry, u32 slot)
{
	struct inode *inode = dentry ? d_inode(dentry) : NULL;
	int ret;

	if (!inode)
		return -EINVAL;
	/* Whoever calls the hook may have this already. */
	if (!sb_start_write_trylock(inode->i_sb))
		return -EAGAIN;
	/* A program that has a locked inode after all can be killed. */
	ret = down_write_killable(&inode->i_rwsem);
	if (!ret) {
		ret = save_locked(dentry, inode, slot);
		inode_unlock(inode);
	}
	sb_end_write(inode->i_sb);
	return ret;
}

/**
 * krsi_inode_blob_save_locked - the same where the inode is locked
 * @dentry: the entry that is the hook's argument
 * @slot: as for krsi_inode_blob_save()
 *
 * For hooks that are called with the lock: inode_setattr, inode_file_setattr,
 * inode_setxattr, inode_removexattr, inode_set_acl and inode_remove_acl, those
 * named inode_post_ of all these but inode_file_setattr, inode_unlink and
 * inode_rmdir. Only these may call it, and they may not call the other.
 *
 * Context: may sleep.
 * Return: as krsi_inode_blob_save().
 */
__bpf_kfunc int krsi_inode_blob_save_locked(struct dentry *dentry, u32 slot)
{
	struct inode *inode = dentry ? d_inode(dentry) : NULL;

	return inode ? save_locked(dentry, inode, slot) : -EINVAL;
}

/**
 * krsi_inode_blob_restore - read a slot that was not read yet, or could not be
 * @dentry: an entry of the inode
 * @slot: number of a slot that was claimed with xattr=yes
 *
 * For inodes that are older than the slot, and to try again what has failed.
 * Slots that can be accessed are left as they are.
 *
 * Context: may sleep.
 * Return:
 * * 0: the slot can be accessed
 * * -EINVAL: no such slot, an entry without an inode, or an attribute that has
 *   not the slot's size
 * * -EPERM: a file system that is not trusted
 * * what the file system returns
 */
__bpf_kfunc int krsi_inode_blob_restore(struct dentry *dentry, u32 slot)
{
	struct inode *inode = dentry ? d_inode(dentry) : NULL;

	return inode ? krsi_xattr_restore(dentry, inode, slot) : -EINVAL;
}

__bpf_kfunc_end_defs();
