// SPDX-License-Identifier: GPL-2.0

//! Directory entries, and the paths that lead to them.
//!
//! C header: [`include/linux/dcache.h`](srctree/include/linux/dcache.h)

use crate::{
    bindings,
    fs::{File, Inode},
    prelude::*,
    sync::rcu,
    types::Opaque,
};
use core::ptr;

/// A directory entry.
///
/// # Invariants
///
/// The C structure is valid for as long as the reference: it is pinned, or its memory is protected
/// by an RCU read-side critical section.
#[repr(transparent)]
pub struct Dentry(Opaque<bindings::dentry>);

impl Dentry {
    /// Creates a reference to a directory entry.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a directory entry whose memory stays valid for `'a`.
    pub unsafe fn from_raw<'a>(ptr: *const bindings::dentry) -> &'a Self {
        // SAFETY: The caller passes a valid object that lives for `'a`; `Self` is transparent.
        unsafe { &*ptr.cast() }
    }

    /// Returns a pointer to the C structure.
    pub fn as_ptr(&self) -> *mut bindings::dentry {
        self.0.get()
    }

    /// Whether the dentry is freed after an RCU grace period.
    ///
    /// False for pipes, sockets and other dentries that no path leads to.
    pub fn rcu_freed(&self) -> bool {
        // SAFETY: By the type invariant the dentry is valid. The flag does not change after the
        // allocation.
        let flags = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).d_flags) };
        flags & bindings::dentry_flags_DCACHE_NORCU == 0
    }

    /// The inode of the entry. [`None`] if it is negative.
    ///
    /// # Safety
    ///
    /// For the lifetime of the reference, the entry must not become negative: the caller has a
    /// reference to the entry or a lock that keeps its inode.
    pub unsafe fn inode(&self) -> Option<&Inode> {
        // SAFETY: By the type invariant the dentry is valid.
        let inode = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).d_inode) };

        // SAFETY: The caller guarantees that the entry stays positive, and so keeps its inode.
        (!inode.is_null()).then(|| unsafe { Inode::from_raw(inode) })
    }

    /// Returns the parent directory. [`None`] at the root of a filesystem.
    ///
    /// A concurrent rename may change the parent at any time.
    pub fn parent<'a>(&self, _rcu: &'a rcu::Guard) -> Option<&'a Dentry> {
        // SAFETY: By the type invariant the dentry is valid. The pointer is never null, and is
        // written atomically.
        let parent = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).d_parent) };
        if parent == self.as_ptr() {
            return None;
        }
        // SAFETY: A dentry holds a reference to its parent, and this one did so during the critical
        // section. Directories are freed after an RCU grace period, so the parent is valid until
        // the end of the section.
        Some(unsafe { Dentry::from_raw(parent) })
    }

    /// Whether the name was removed from its directory while the dentry is still in use.
    ///
    /// False for negative dentries. Also true for dentries that a filesystem has dropped because
    /// they may be stale.
    pub fn is_deleted(&self) -> bool {
        // SAFETY: By the type invariant the dentry is valid.
        unsafe { bindings::d_unlinked(self.as_ptr()) && bindings::d_is_positive(self.as_ptr()) }
    }
}

/// Memory that a path is written to, of at least one byte.
///
/// This is a raw slice, because BPF programs on other CPUs may write to it concurrently. No
/// decision depends on bytes that are read back from it.
pub type Buffer = ptr::NonNull<[u8]>;

/// A dentry and a mount of its filesystem.
///
/// # Invariants
///
/// Both pointers are null, or both are references that stay valid for as long as this.
#[repr(transparent)]
pub struct Path(Opaque<bindings::path>);

/// The reason why a file has no path from a root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoPath {
    /// The path does not fit in the buffer.
    TooLong,
    /// The file is on a mount, but not below the root.
    Outside,
    /// The mount is in no mount namespace: it was unmounted, or is not attached yet.
    Detached,
    /// The mount is internal to the kernel: it never is in a mount namespace.
    Internal,
    /// The current task is exiting and no longer has a root.
    NoRoot,
}

/// The users who can have created a mount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MountOwner {
    /// None: the mount is internal to the kernel.
    Kernel,
    /// Privileged tasks of the initial user namespace only.
    Root,
    /// Any user: in a user namespace, or with FUSE.
    AnyUser,
    /// Unknown: the mount is in no mount namespace.
    None,
}

impl Path {
    /// Creates a reference to a path.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a path whose members are both null or both valid references for `'a`.
    pub unsafe fn from_raw<'a>(ptr: *const bindings::path) -> &'a Self {
        // SAFETY: The caller passes a valid object that lives for `'a`; `Self` is transparent.
        unsafe { &*ptr.cast() }
    }

    /// Returns the path by which a file was opened.
    ///
    /// If a stacking filesystem opened the file in a lower one, this is the path in the upper
    /// filesystem.
    pub fn of_file(file: &File) -> &Path {
        // SAFETY: The file is valid, and holds references to its path until it is freed.
        unsafe { Path::from_raw(bindings::file_user_path(file.as_ptr())) }
    }

    /// Calls `f` with the path of another dentry on the same mount.
    ///
    /// Returns [`None`] if the dentry is on another filesystem.
    pub fn with_dentry<T>(&self, dentry: &Dentry, f: impl FnOnce(&Path) -> T) -> Option<T> {
        let path = bindings::path {
            // SAFETY: By the type invariant the path is valid.
            mnt: unsafe { (*self.0.get()).mnt },
            dentry: dentry.as_ptr(),
        };
        // SAFETY: By the type invariants mount and dentry are valid. Neither changes its
        // filesystem.
        if path.mnt.is_null() || unsafe { (*path.mnt).mnt_sb != (*path.dentry).d_sb } {
            return None;
        }
        // SAFETY: Both are valid for as long as the two references.
        Some(f(unsafe { Path::from_raw(&path) }))
    }

    /// Returns the dentry. [`None`] if this is the path of a file that was not opened yet.
    pub fn dentry(&self) -> Option<&Dentry> {
        // SAFETY: By the type invariant the pointer is null or valid.
        unsafe { (*self.0.get()).dentry.as_ref() }
            // SAFETY: By the type invariant the dentry is valid for as long as `self`.
            .map(|dentry| unsafe { Dentry::from_raw(dentry) })
    }

    /// Whether the file is in no directory tree: pipes, sockets, anonymous inodes and files, and
    /// files that were not opened yet.
    ///
    /// `/proc/pid/fd` shows a generated name for them, which is not a path unless it is mounted.
    pub fn is_pseudo(&self) -> bool {
        let (Some(dentry), mnt) = (
            self.dentry().map(Dentry::as_ptr),
            // SAFETY: By the type invariant the path is valid.
            unsafe { (*self.0.get()).mnt },
        ) else {
            return true;
        };
        // SAFETY: By the type invariants dentry and mount are valid. For a dentry with a generated
        // name, none of the fields changes while it is in use.
        unsafe {
            let op = (*dentry).d_op;
            let mounted = (*dentry).d_parent == dentry && (*mnt).mnt_root == dentry;
            !op.is_null() && (*op).d_dname.is_some() && !mounted
        }
    }

    /// Returns the users who can have created the mount. [`MountOwner::None`] for a file that was
    /// not opened yet.
    ///
    /// An attached mount stays in its mount namespace until it is unmounted.
    pub fn mount_owner(&self) -> MountOwner {
        // SAFETY: By the type invariant the path is valid.
        let mnt = unsafe { (*self.0.get()).mnt };
        if mnt.is_null() {
            return MountOwner::None;
        }
        let guard = rcu::read_lock();
        // SAFETY: The mount is valid by the type invariant, and this is an RCU section.
        let owner = unsafe { bindings::mnt_owner_rcu(mnt) };
        drop(guard);
        if owner.is_null() {
            return MountOwner::None;
        }
        if crate::error::from_err_ptr(owner.cast_mut()).is_err() {
            return MountOwner::Kernel;
        }
        // SAFETY: A valid mount holds a reference to its superblock.
        let by_root = unsafe { bindings::sb_made_by_root((*mnt).mnt_sb) };
        if by_root && ptr::eq(owner, &raw const bindings::init_user_ns) {
            MountOwner::Root
        } else {
            MountOwner::AnyUser
        }
    }

    /// Writes the path from the root of the mount's namespace to the end of `buffer`.
    ///
    /// Returns the offset of the path in the buffer. The path ends with a NUL at the buffer's end.
    /// It is consistent: concurrent renames and mounts take effect before or after the call.
    ///
    /// Takes `rename_lock` and `mount_lock`. The caller must not hold them, or any lock that is
    /// taken under them or in interrupts.
    pub fn absolute(&self, buffer: Buffer) -> Result<usize, NoPath> {
        let (start, len) = ends(buffer);
        // SAFETY: By the type invariant the path is valid, and the buffer is writable.
        let string = unsafe { bindings::d_absolute_path(self.0.get(), start, len) };
        match crate::error::from_err_ptr(string) {
            Ok(string) => Ok(string as usize - start as usize),
            Err(e) if e == ENAMETOOLONG => Err(NoPath::TooLong),
            Err(_) => Err(self.unreachable()),
        }
    }

    /// Like [`absolute`](Self::absolute), but from the root of the current task.
    pub fn below_task_root(&self, buffer: Buffer) -> Result<usize, NoPath> {
        let (start, len) = ends(buffer);
        let mut root = bindings::path::default();
        let guard = rcu::read_lock();
        // SAFETY: This is an RCU section, which keeps dentry and mount of the root alive.
        if !unsafe { bindings::current_root_rcu(&mut root) } {
            return Err(NoPath::NoRoot);
        }
        // SAFETY: By the type invariant the path is valid, and the buffer is writable. The function
        // compares the root and does not dereference it.
        let string = unsafe { bindings::__d_path(self.0.get(), &root, start, len) };
        drop(guard);
        if string.is_null() {
            // The path is not below the task's root: find out why.
            return Err(self.absolute(buffer).err().unwrap_or(NoPath::Outside));
        }
        match crate::error::from_err_ptr(string) {
            Ok(string) => Ok(string as usize - start as usize),
            Err(_) => Err(NoPath::TooLong),
        }
    }

    /// Returns the reason why the file is not below the root of a mount namespace.
    fn unreachable(&self) -> NoPath {
        if self.mount_owner() == MountOwner::Kernel {
            return NoPath::Internal;
        }
        // SAFETY: By the type invariant dentry and mount are valid.
        let moved_away = unsafe {
            let path = *self.0.get();
            !bindings::is_subdir(path.dentry, (*path.mnt).mnt_root)
        };
        if moved_away {
            // A rename moved it out of the directory that is mounted.
            NoPath::Outside
        } else {
            NoPath::Detached
        }
    }
}

/// Converts a buffer to a pointer and a length for C.
fn ends(buffer: Buffer) -> (*mut c_char, c_int) {
    let len = buffer.len().min(c_int::MAX as usize);
    (buffer.as_ptr().cast(), len as c_int)
}

/// Writes the path of the program that the current task executes, as `/proc/pid/exe` shows it.
///
/// Returns [`None`] for a kernel thread, or if the path does not fit. Must not be called in an
/// interrupt. Takes `rename_lock` and `mount_lock`, like [`Path::absolute`].
pub fn current_exe(buffer: &mut [u8]) -> Option<&[u8]> {
    // SAFETY: The current task keeps its `mm` while it is in this function.
    let mm = unsafe { (*bindings::get_current()).mm };
    if mm.is_null() {
        return None;
    }
    // SAFETY: The current task keeps its `mm`. The reference to the file is dropped below.
    let file = unsafe { bindings::get_mm_exe_file(mm) };
    if file.is_null() {
        return None;
    }
    let (start, len) = ends(ptr::NonNull::from(&mut *buffer));
    // SAFETY: The file holds references to its path; the buffer is writable.
    let string = unsafe {
        let string = bindings::d_path(&raw const (*file).__bindgen_anon_1.f_path, start, len);
        bindings::fput(file);
        string
    };
    let from = crate::error::from_err_ptr(string).ok()? as usize - start as usize;
    buffer.get(from..)?.split_last().map(|(_, path)| path)
}
