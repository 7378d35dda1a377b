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
/// The C structure is valid for as long as the reference: it is pinned, or an RCU read-side
/// critical section keeps its memory.
#[repr(transparent)]
pub struct Dentry(Opaque<bindings::dentry>);

impl Dentry {
    /// Makes a reference to a directory entry.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a directory entry whose memory stays valid for `'a`.
    pub unsafe fn from_raw<'a>(ptr: *const bindings::dentry) -> &'a Self {
        // SAFETY: The caller passes a valid object that lives for `'a`; `Self` is transparent.
        unsafe { &*ptr.cast() }
    }

    /// The C view.
    pub fn as_ptr(&self) -> *mut bindings::dentry {
        self.0.get()
    }

    /// Whether the memory of the entry stays until a grace period after the last reference is gone.
    ///
    /// That of pipes, sockets and the like, which no path leads to, does not.
    pub fn rcu_freed(&self) -> bool {
        // SAFETY: By the type invariant. The flag does not change after the allocation.
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
        // SAFETY: By the type invariant.
        let inode = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).d_inode) };

        // SAFETY: The caller guarantees that the entry stays positive, and so keeps its inode.
        (!inode.is_null()).then(|| unsafe { Inode::from_raw(inode) })
    }

    /// The directory that the entry is in, or [`None`] at the root of a filesystem.
    ///
    /// A rename may give the entry another parent at once.
    pub fn parent<'a>(&self, _rcu: &'a rcu::Guard) -> Option<&'a Dentry> {
        // SAFETY: By the type invariant. The pointer is never null, and changes as a whole.
        let parent = unsafe { ptr::read_volatile(&raw const (*self.as_ptr()).d_parent) };
        if parent == self.as_ptr() {
            return None;
        }
        // SAFETY: An entry has a reference on its parent for as long as it is in there, and some
        // time of that is in this critical section: the parent is freed after the section at the
        // earliest, being a directory, hence freed by RCU.
        Some(unsafe { Dentry::from_raw(parent) })
    }

    /// Whether the name was removed from its directory while the entry is still in use.
    ///
    /// False for a name that nothing has yet. Filesystems that drop entries which they have doubts
    /// about make this true for those too.
    pub fn is_deleted(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::d_unlinked(self.as_ptr()) && bindings::d_is_positive(self.as_ptr()) }
    }
}

/// Memory that a path is written to, of at least one byte.
///
/// A raw slice: others may write there at the same time, and get what they asked for. Nothing that
/// is read back from there decides anything.
pub type Buffer = ptr::NonNull<[u8]>;

/// A directory entry, and the mount that it is seen through.
///
/// # Invariants
///
/// Both pointers are null, or both are references that stay valid for as long as this.
#[repr(transparent)]
pub struct Path(Opaque<bindings::path>);

/// Why there is no path from a root to a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoPath {
    /// It does not fit.
    TooLong,
    /// The place is on a mount, but not below the root.
    Outside,
    /// The mount is in no mount namespace: it was unmounted, or is not attached yet.
    Detached,
    /// The kernel keeps the mount to itself: it never is in a mount namespace.
    Internal,
    /// The current task has no root any more: it is exiting.
    NoRoot,
}

/// Who can have made a mount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MountOwner {
    /// The kernel, which keeps it to itself.
    Kernel,
    /// Privileged tasks of the initial user namespace only.
    Root,
    /// Any user: in a user namespace of its own, or by way of FUSE.
    AnyUser,
    /// It is in no mount namespace.
    None,
}

impl Path {
    /// Makes a reference to a path.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a path whose members are both null or both valid references for `'a`.
    pub unsafe fn from_raw<'a>(ptr: *const bindings::path) -> &'a Self {
        // SAFETY: The caller passes a valid object that lives for `'a`; `Self` is transparent.
        unsafe { &*ptr.cast() }
    }

    /// The path by which a file was opened.
    ///
    /// For a file that a stacking filesystem opened in a lower one, it is the path in the upper.
    pub fn of_file(file: &File) -> &Path {
        // SAFETY: The file is valid, and has its path for as long as it is.
        unsafe { Path::from_raw(bindings::file_user_path(file.as_ptr())) }
    }

    /// Calls `f` with the path of another entry seen through the same mount.
    ///
    /// [`None`] if the entry is of another filesystem.
    pub fn with_dentry<T>(&self, dentry: &Dentry, f: impl FnOnce(&Path) -> T) -> Option<T> {
        let path = bindings::path {
            // SAFETY: By the type invariant.
            mnt: unsafe { (*self.0.get()).mnt },
            dentry: dentry.as_ptr(),
        };
        // SAFETY: By the type invariants; a mount's filesystem does not change, nor an entry's.
        if path.mnt.is_null() || unsafe { (*path.mnt).mnt_sb != (*path.dentry).d_sb } {
            return None;
        }
        // SAFETY: Both are valid for as long as the two references.
        Some(f(unsafe { Path::from_raw(&path) }))
    }

    /// The directory entry, unless the file that the path is of was not opened yet.
    pub fn dentry(&self) -> Option<&Dentry> {
        // SAFETY: By the type invariant.
        unsafe { (*self.0.get()).dentry.as_ref() }
            // SAFETY: By the type invariant.
            .map(|dentry| unsafe { Dentry::from_raw(dentry) })
    }

    /// Whether this is on no tree: pipes, sockets, anonymous inodes and files, and unopened files.
    ///
    /// What is shown of them in `/proc/pid/fd` is made up and not a path, unless it is mounted.
    pub fn is_pseudo(&self) -> bool {
        let (Some(dentry), mnt) = (
            self.dentry().map(Dentry::as_ptr),
            // SAFETY: By the type invariant.
            unsafe { (*self.0.get()).mnt },
        ) else {
            return true;
        };
        // SAFETY: By the type invariants; none of the fields changes after an entry whose name is
        // made up is in use.
        unsafe {
            let op = (*dentry).d_op;
            let mounted = (*dentry).d_parent == dentry && (*mnt).mnt_root == dentry;
            !op.is_null() && (*op).d_dname.is_some() && !mounted
        }
    }

    /// Who can have made the mount. It is [`MountOwner::None`] for a file that was not opened yet.
    ///
    /// A mount that was attached stays in its mount namespace until it is unmounted.
    pub fn mount_owner(&self) -> MountOwner {
        // SAFETY: By the type invariant.
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
        // SAFETY: A mount has its superblock for as long as it is valid.
        let by_root = unsafe { bindings::sb_made_by_root((*mnt).mnt_sb) };
        if by_root && ptr::eq(owner, &raw const bindings::init_user_ns) {
            MountOwner::Root
        } else {
            MountOwner::AnyUser
        }
    }

    /// Writes the path from the root of the mount's namespace to the end of `buffer`.
    ///
    /// Returns where in the buffer it begins; it ends with a NUL at the buffer's end. Renames and
    /// mounts that happen meanwhile come before or after: the path is one that there was at one
    /// time during the call. Takes `rename_lock` and `mount_lock`; the caller must have neither,
    /// nor anything that is taken under them or by interrupts.
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

    /// As [`absolute`](Self::absolute), from the root of the current task.
    pub fn below_task_root(&self, buffer: Buffer) -> Result<usize, NoPath> {
        let (start, len) = ends(buffer);
        let mut root = bindings::path::default();
        let guard = rcu::read_lock();
        // SAFETY: In an RCU section, which keeps what the root points to.
        if !unsafe { bindings::current_root_rcu(&mut root) } {
            return Err(NoPath::NoRoot);
        }
        // SAFETY: As in `absolute`. The root is compared with, and not followed.
        let string = unsafe { bindings::__d_path(self.0.get(), &root, start, len) };
        drop(guard);
        if string.is_null() {
            // To say which it is.
            return Err(self.absolute(buffer).err().unwrap_or(NoPath::Outside));
        }
        match crate::error::from_err_ptr(string) {
            Ok(string) => Ok(string as usize - start as usize),
            Err(_) => Err(NoPath::TooLong),
        }
    }

    /// Why the root of a mount namespace is not above this.
    fn unreachable(&self) -> NoPath {
        if self.mount_owner() == MountOwner::Kernel {
            return NoPath::Internal;
        }
        // SAFETY: By the type invariant.
        let moved_away = unsafe {
            let path = *self.0.get();
            !bindings::is_subdir(path.dentry, (*path.mnt).mnt_root)
        };
        if moved_away {
            // Out of the directory that the mount shows.
            NoPath::Outside
        } else {
            NoPath::Detached
        }
    }
}

/// A buffer as C wants it.
fn ends(buffer: Buffer) -> (*mut c_char, c_int) {
    let len = buffer.len().min(c_int::MAX as usize);
    (buffer.as_ptr().cast(), len as c_int)
}

/// Writes the path of the program that the current task executes, as `/proc/pid/exe` shows it.
///
/// [`None`] for a kernel thread, and if it does not fit. For a task, not in an interrupt. Takes
/// `rename_lock` and `mount_lock`, as [`Path::absolute`].
pub fn current_exe(buffer: &mut [u8]) -> Option<&[u8]> {
    // SAFETY: The current task keeps its memory while it is in this function.
    let mm = unsafe { (*bindings::get_current()).mm };
    if mm.is_null() {
        return None;
    }
    // SAFETY: The current task keeps its memory. The reference is dropped below.
    let file = unsafe { bindings::get_mm_exe_file(mm) };
    if file.is_null() {
        return None;
    }
    let (start, len) = ends(ptr::NonNull::from(&mut *buffer));
    // SAFETY: The file keeps its path; the buffer is writable.
    let string = unsafe {
        let string = bindings::d_path(&raw const (*file).__bindgen_anon_1.f_path, start, len);
        bindings::fput(file);
        string
    };
    let from = crate::error::from_err_ptr(string).ok()? as usize - start as usize;
    buffer.get(from..)?.split_last().map(|(_, path)| path)
}
