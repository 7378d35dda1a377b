// SPDX-License-Identifier: GPL-2.0

//! Inodes, their superblocks and their extended attributes.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/xattr.h`](srctree/include/linux/xattr.h)

use crate::{
    bindings,
    dcache::Dentry,
    error::to_result,
    prelude::*,
    types::{NotThreadSafe, Opaque},
};
use core::ptr;

/// Wraps the kernel's `struct inode`.
///
/// # Invariants
///
/// The C structure is valid for as long as the reference.
#[repr(transparent)]
pub struct Inode(Opaque<bindings::inode>);

impl Inode {
    /// Creates a reference to an [`Inode`] from a valid pointer.
    ///
    /// # Safety
    ///
    /// `ptr` must point to an inode that is valid for `'a`.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *const bindings::inode) -> &'a Self {
        // SAFETY: The caller guarantees that the inode is valid for `'a`. `Self` is transparent.
        unsafe { &*ptr.cast() }
    }

    /// Returns a raw pointer to the inner inode.
    #[inline]
    pub fn as_ptr(&self) -> *mut bindings::inode {
        self.0.get()
    }

    /// Returns the blob that the LSM framework has allocated for the inode, or null.
    #[cfg(CONFIG_SECURITY)]
    #[inline]
    pub fn security(&self) -> *mut c_void {
        // SAFETY: By the type invariant the inode is valid.
        unsafe { (*self.as_ptr()).i_security }
    }

    /// Returns the superblock that the inode belongs to.
    #[inline]
    pub fn superblock(&self) -> &SuperBlock {
        // SAFETY: By the type invariant the inode is valid, and a superblock outlives its inodes.
        unsafe { SuperBlock::from_raw((*self.as_ptr()).i_sb) }
    }

    /// Whether the inode is internal to the kernel, so that LSMs ignore it.
    #[inline]
    pub fn is_private(&self) -> bool {
        // SAFETY: By the type invariant the inode is valid. The flags are written atomically.
        let flags = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).i_flags) };

        flags & bindings::S_PRIVATE != 0
    }

    /// Whether the inode can have extended attributes.
    #[inline]
    pub fn has_xattrs(&self) -> bool {
        // SAFETY: By the type invariant the inode is valid. The flag is set before it is in use.
        let flags = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).i_opflags) };

        u32::from(flags) & bindings::IOP_XATTR != 0
    }

    /// Acquires the spinlock `i_lock`. The caller must not hold it.
    #[inline]
    pub fn lock(&self) -> InodeLock<'_> {
        // SAFETY: By the type invariant the inode is valid, and its lock is initialised.
        unsafe { bindings::spin_lock(&raw mut (*self.as_ptr()).i_lock) };
        // INVARIANT: The lock was just acquired.
        InodeLock(self, NotThreadSafe)
    }
}

/// An inode, and a dentry through which the file system accesses its extended attributes.
///
/// # Invariants
///
/// `dentry` belongs to `inode`, or is about to be bound to it.
#[derive(Clone, Copy)]
pub struct NamedInode<'a> {
    inode: &'a Inode,
    dentry: &'a Dentry,
}

impl<'a> NamedInode<'a> {
    /// Pairs an inode with a dentry.
    ///
    /// # Safety
    ///
    /// `dentry` must belong to `inode`, or be about to be bound to it.
    #[inline]
    pub unsafe fn new(inode: &'a Inode, dentry: &'a Dentry) -> Self {
        // INVARIANT: The caller guarantees that the dentry belongs to the inode, or will.
        Self { inode, dentry }
    }

    /// Returns the inode.
    #[inline]
    pub fn inode(&self) -> &'a Inode {
        self.inode
    }

    /// Reads an extended attribute into `buffer` and returns its length.
    ///
    /// May sleep. Checks no permissions.
    ///
    /// # Errors
    ///
    /// - `ENODATA`: the inode does not have the attribute
    /// - `EOPNOTSUPP`: the file system does not support it
    /// - `ERANGE`: it does not fit
    /// - other errors of the file system
    pub fn xattr(&self, name: &CStr, buffer: &mut [u8]) -> Result<usize> {
        // SAFETY: By the type invariant, dentry and inode belong together. The buffer has that
        // length.
        let len = unsafe {
            bindings::__vfs_getxattr(
                self.dentry.as_ptr(),
                self.inode.as_ptr(),
                name.as_char_ptr(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
            )
        };

        usize::try_from(len).map_err(|_| Error::from_errno(len as c_int))
    }

    /// Makes a [`LockedInode`].
    ///
    /// # Safety
    ///
    /// `dentry` must belong to the inode, and the current task must hold the inode's `i_rwsem` for
    /// writing, for `'a`.
    #[inline]
    pub unsafe fn assume_locked(self) -> LockedInode<'a> {
        // INVARIANT: The caller guarantees that the dentry belongs to the inode and that `i_rwsem`
        // is held.
        LockedInode(self)
    }
}

/// A [`NamedInode`] that is locked.
///
/// # Invariants
///
/// The dentry belongs to the inode, whose `i_rwsem` the current task holds for writing.
#[derive(Clone, Copy)]
pub struct LockedInode<'a>(NamedInode<'a>);

impl<'a> LockedInode<'a> {
    /// Returns the inode.
    #[inline]
    pub fn inode(&self) -> &'a Inode {
        self.0.inode
    }

    /// Writes an extended attribute. May sleep. Checks no permissions.
    pub fn set_xattr(&self, name: &CStr, value: &[u8]) -> Result {
        // SAFETY: By the type invariant, dentry and inode belong together and are locked. The
        // value has that length.
        to_result(unsafe {
            bindings::__vfs_setxattr(
                &raw mut bindings::nop_mnt_idmap,
                self.0.dentry.as_ptr(),
                self.0.inode.as_ptr(),
                name.as_char_ptr(),
                value.as_ptr().cast(),
                value.len(),
                0,
            )
        })
    }

    /// Removes an extended attribute. May sleep. Checks no permissions.
    pub fn remove_xattr(&self, name: &CStr) -> Result {
        // SAFETY: By the type invariant, dentry and inode belong together and are locked.
        to_result(unsafe {
            bindings::__vfs_removexattr(
                &raw mut bindings::nop_mnt_idmap,
                self.0.dentry.as_ptr(),
                name.as_char_ptr(),
            )
        })
    }
}

/// A guard for the spinlock `i_lock` of an inode.
///
/// # Invariants
///
/// The current context holds the lock until the guard is dropped.
#[must_use = "the lock is released when the guard is dropped"]
pub struct InodeLock<'a>(&'a Inode, NotThreadSafe);

impl Drop for InodeLock<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant the lock is held.
        unsafe { bindings::spin_unlock(&raw mut (*self.0.as_ptr()).i_lock) };
    }
}

/// Wraps the kernel's `struct super_block`.
///
/// # Invariants
///
/// The C structure is valid for as long as the reference.
#[repr(transparent)]
pub struct SuperBlock(Opaque<bindings::super_block>);

impl SuperBlock {
    /// The size of [`SuperBlock::id`], with the terminating NUL.
    pub const ID_LEN: usize = 32;

    /// Creates a reference to a [`SuperBlock`] from a valid pointer.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a superblock that is valid for `'a`.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *const bindings::super_block) -> &'a Self {
        // SAFETY: The caller guarantees that the superblock is valid for `'a`. `Self` is
        // transparent.
        unsafe { &*ptr.cast() }
    }

    /// Returns a raw pointer to the inner superblock.
    #[inline]
    pub fn as_ptr(&self) -> *mut bindings::super_block {
        self.0.get()
    }

    /// Returns the dentry of the root directory. [`None`] while the file system is being mounted.
    pub fn root(&self) -> Option<&Dentry> {
        // SAFETY: By the type invariant the superblock is valid.
        let root = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).s_root) };

        // SAFETY: The superblock holds a reference to its root until it is shut down.
        (!root.is_null()).then(|| unsafe { Dentry::from_raw(root) })
    }

    /// Returns the type of the file system, as in `include/uapi/linux/magic.h`.
    pub fn magic(&self) -> usize {
        // SAFETY: By the type invariant the superblock is valid. The field is set while the file
        // system is being mounted.
        unsafe { (*self.as_ptr()).s_magic }
    }

    /// Returns the flags `SB_I_*`.
    pub fn internal_flags(&self) -> usize {
        // SAFETY: By the type invariant the superblock is valid. The flags are written atomically.
        unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).s_iflags) }
    }

    /// Returns the name of the file system's type, as in `/proc/filesystems`.
    pub fn type_name(&self) -> &CStr {
        // SAFETY: By the type invariant the superblock is valid. It holds a reference to its type,
        // whose name is a constant C string.
        unsafe { CStr::from_char_ptr((*(*self.as_ptr()).s_type).name) }
    }

    /// Returns a copy of `s_id`: the name of the device, or of the type if there is no device, then
    /// a NUL.
    pub fn id(&self) -> [u8; Self::ID_LEN] {
        // SAFETY: By the type invariant the superblock is valid. A file system may write the name
        // concurrently, if it changes its device.
        unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).s_id) }
    }

    /// Returns the UUID. [`None`] if there is none, or if it does not have 16 bytes.
    pub fn uuid(&self) -> Option<[u8; 16]> {
        // SAFETY: By the type invariant the superblock is valid. The fields are set while the file
        // system is being mounted.
        let (len, uuid) = unsafe { ((*self.as_ptr()).s_uuid_len, (*self.as_ptr()).s_uuid.b) };

        match usize::from(len) {
            // Some file systems, such as btrfs, do not set the length.
            0 => (uuid != [0; 16]).then_some(uuid),
            len => (len == uuid.len()).then_some(uuid),
        }
    }

    /// Whether the file system has handlers of extended attributes.
    pub fn has_xattr_handlers(&self) -> bool {
        // SAFETY: By the type invariant the superblock is valid. The field is constant.
        !unsafe { (*self.as_ptr()).s_xattr }.is_null()
    }

    /// Whether the file system was mounted in the initial user namespace.
    pub fn in_init_user_ns(&self) -> bool {
        // SAFETY: By the type invariant the superblock is valid. The field is constant.
        let user_ns = unsafe { (*self.as_ptr()).s_user_ns };

        ptr::eq(user_ns, &raw const bindings::init_user_ns)
    }
}
