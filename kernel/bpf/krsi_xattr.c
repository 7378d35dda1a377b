// SPDX-License-Identifier: GPL-2.0
/*
 * kfuncs of slots that are stored in extended attributes. See
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
 * krsi_inode_blob_save - save a slot of an inode to its extended attribute
 * @dentry: a dentry of the inode; the caller does not hold the inode's lock
 * @slot: number of a slot that was claimed with xattr=yes
 *
 * Writes the slot to its extended attribute, or removes the attribute if the
 * slot is all zero. The policy decides, not the permissions of the current
 * task: no permission is checked, and no hook is called. Concurrent writes to
 * the slot are saved in words of 8 bytes.
 *
 * Context: may sleep; takes the inode's lock.
 * Return:
 * * 0
 * * -EINVAL: no such slot, or a negative dentry
 * * -ENODATA: the content of the attribute is unknown
 * * -EPERM: the inode is immutable, or the file system is not trusted
 * * -EROFS: the file system is read-only
 * * -EAGAIN: the file system is frozen
 * * -EINTR: the task was killed while it waited for the lock
 * * an error of the file system, -EOPNOTSUPP if it has no attributes
 */
__bpf_kfunc int krsi_inode_blob_save(struct dentry *dentry, u32 slot)
{
	struct inode *inode = dentry ? d_inode(dentry) : NULL;
	int ret;

	if (!inode)
		return -EINVAL;
	/* The caller of the hook may hold this already. */
	if (!sb_start_write_trylock(inode->i_sb))
		return -EAGAIN;
	/* If the program holds the lock after all, the task can be killed. */
	ret = down_write_killable(&inode->i_rwsem);
	if (!ret) {
		ret = save_locked(dentry, inode, slot);
		inode_unlock(inode);
	}
	sb_end_write(inode->i_sb);
	return ret;
}

/**
 * krsi_inode_blob_save_locked - save a slot of a locked inode
 * @dentry: the dentry that is the hook's argument
 * @slot: as for krsi_inode_blob_save()
 *
 * For hooks that are called with the inode's lock held: inode_setattr,
 * inode_file_setattr, inode_setxattr, inode_removexattr, inode_set_acl and
 * inode_remove_acl, the inode_post_ hooks of all these but inode_file_setattr,
 * inode_unlink and inode_rmdir. Only their programs may call this, and they may
 * not call krsi_inode_blob_save().
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
 * krsi_inode_blob_restore - read a slot of an inode from its extended attribute
 * @dentry: a dentry of the inode
 * @slot: number of a slot that was claimed with xattr=yes
 *
 * For inodes that are older than the slot, and to retry a failed read. Slots
 * that can be accessed are not changed.
 *
 * Context: may sleep.
 * Return:
 * * 0: the slot can be accessed
 * * -EINVAL: no such slot, a negative dentry, or an attribute whose size
 *   differs from the slot's
 * * -EPERM: the file system is not trusted
 * * an error of the file system
 */
__bpf_kfunc int krsi_inode_blob_restore(struct dentry *dentry, u32 slot)
{
	struct inode *inode = dentry ? d_inode(dentry) : NULL;

	return inode ? krsi_xattr_restore(dentry, inode, slot) : -EINVAL;
}

__bpf_kfunc_end_defs();
