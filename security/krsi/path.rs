// SPDX-License-Identifier: GPL-2.0

//! Paths for programs. The result is a whole path, or an error with the reason.
//!
//! Implements the kfuncs in `kernel/bpf/krsi_path.c`. For the meaning of errors to a policy, see
//! `Documentation/bpf/krsi-kfuncs-refs.rst`.

use crate::hook_table;
use core::ptr::NonNull;
use kernel::{
    bindings,
    dcache::{Buffer, Dentry, MountOwner, NoPath, Path},
    ffi::{c_char, c_uint},
    fs::File,
    preempt,
    prelude::*,
};

/// Hooks that cannot sleep, but where paths are safe.
///
/// Writing a path may take `rename_lock` and `mount_lock`. So all callers of a hook in this list
/// must be in process context and hold no spinlock, like callers of sleepable hooks. Hooks that
/// this configuration does not have are ignored.
const REVIEWED: &[&str] = &[
    // System calls on a file that sleep on locks of the file or its inode.
    "file_permission",
    // Called under mmap_lock, which is a semaphore.
    "file_mprotect",
    "mmap_backing_file",
    // Path walks, at most under RCU.
    "inode_follow_link",
    "inode_permission",
    // System calls that sleep later: in vfs_listxattr() and dquot_quota_on().
    "inode_listxattr",
    "quota_on",
    // Transfer of a descriptor, before the target is locked.
    "binder_transfer_file",
];

fn reviewed(hook: usize) -> bool {
    // SAFETY: An FFI call with a hook's number.
    let sleepable = unsafe { bindings::krsi_hook_sleepable(hook as c_uint) };

    sleepable || REVIEWED.contains(&hook_table::FACTS[hook].name)
}

/// Whether programs of a hook may call the kfuncs that write paths.
///
/// Paths must be safe at all hooks whose programs could tail-call those of the hook.
///
/// May sleep.
///
/// # Safety
///
/// `hook` must be a hook's number.
#[export]
pub(crate) unsafe extern "C" fn krsi_path_allowed(hook: c_uint) -> bool {
    hook_table::tail_callers(hook as usize).is_some_and(|mut hooks| hooks.all(reviewed))
}

/// The parsed `enum krsi_path_flags` of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Wanted {
    /// Start at the root of the current task instead of the root of the mount namespace.
    task_root: bool,
    /// Return the former path of a deleted file.
    deleted: bool,
    /// Fail if an unprivileged user can have created the mount.
    trusted_mount: bool,
}

impl Wanted {
    fn parse(flags: u64) -> Result<Self> {
        const TASK_ROOT: u64 = bindings::krsi_path_flags_KRSI_PATH_TASK_ROOT as u64;
        const DELETED: u64 = bindings::krsi_path_flags_KRSI_PATH_DELETED as u64;

        const TRUSTED_MOUNT: u64 = bindings::krsi_path_flags_KRSI_PATH_TRUSTED_MOUNT as u64;

        // In a user namespace, any user can choose the root of a task.
        let chosen = TASK_ROOT | TRUSTED_MOUNT;
        if flags & !(TASK_ROOT | DELETED | TRUSTED_MOUNT) != 0 || flags & chosen == chosen {
            return Err(EINVAL);
        }
        Ok(Self {
            task_root: flags & TASK_ROOT != 0,
            deleted: flags & DELETED != 0,
            trusted_mount: flags & TRUSTED_MOUNT != 0,
        })
    }
}

/// Memory of a program that a path is written to.
///
/// # Invariants
///
/// The memory can be written and has at least one byte. The kernel makes no decisions based on its
/// content.
struct Dst(Buffer);

impl Dst {
    /// # Safety
    ///
    /// If `len` is not 0, `len` bytes at `ptr` must stay writable while the value is used.
    unsafe fn new(ptr: *mut c_char, len: u32) -> Result<Self> {
        let ptr = NonNull::new(ptr.cast::<u8>()).ok_or(EINVAL)?;
        if len == 0 {
            return Err(EINVAL);
        }
        // INVARIANT: The caller passes writable memory, of at least one byte.
        Ok(Self(NonNull::slice_from_raw_parts(ptr, len as usize)))
    }

    /// Moves the bytes from `start` to `end` to the front and zeroes the rest, so that programs can
    /// compare the whole memory or use it as the key of a map. Returns the number of bytes moved.
    fn keep(&self, start: usize, end: usize) -> usize {
        let base = self.0.as_ptr().cast::<u8>();
        let end = end.min(self.0.len());
        let len = end.saturating_sub(start);
        // SAFETY: By the type invariant the buffer is writable. `len <= end` and `end` is at most
        // its length, so both ranges are within the buffer.
        unsafe {
            core::ptr::copy(base.add(end - len), base, len);
            core::ptr::write_bytes(base.add(len), 0, self.0.len() - len);
        }
        len
    }

    /// Zeroes the memory, which is the empty string.
    fn clear(&self) {
        self.keep(0, 0);
    }
}

fn error(why: NoPath) -> Error {
    match why {
        NoPath::TooLong => ENAMETOOLONG,
        NoPath::Outside => EXDEV,
        NoPath::Detached => ESTALE,
        NoPath::Internal => EOPNOTSUPP,
        NoPath::NoRoot => ESRCH,
    }
}

fn write(path: &Path, dst: &Dst, wanted: Wanted) -> Result<usize> {
    if path.is_pseudo() {
        return Err(EOPNOTSUPP);
    }
    let start = if wanted.task_root {
        path.below_task_root(dst.0)
    } else {
        path.absolute(dst.0)
    }
    .map_err(error)?;
    // Check after writing the path. A mount with a path was attached, and never moves to another
    // namespace.
    if wanted.trusted_mount {
        match path.mount_owner() {
            MountOwner::Root => (),
            MountOwner::AnyUser => return Err(EPERM),
            MountOwner::Kernel => return Err(EOPNOTSUPP),
            MountOwner::None => return Err(ESTALE),
        }
    }
    // Check after writing the path. A name that exists now also existed before.
    if !wanted.deleted && path.dentry().is_some_and(Dentry::is_deleted) {
        return Err(ENOENT);
    }
    Ok(dst.keep(start, dst.0.len().min(i32::MAX as usize)))
}

/// Returns the value for the program. `dst` contains a whole path, or is zeroed on error.
fn answer(dst: Result<Dst>, flags: u64, write: impl FnOnce(&Dst, Wanted) -> Result<usize>) -> i64 {
    let dst = match dst {
        Ok(dst) => dst,
        Err(e) => return e.to_errno().into(),
    };
    let written = match Wanted::parse(flags) {
        // The program has disabled preemption or interrupts.
        Ok(_) if !preempt::may_take_spinlock() => Err(EAGAIN),
        Ok(wanted) => write(&dst, wanted),
        Err(e) => Err(e),
    };
    match written {
        Ok(len) => len as i64,
        Err(e) => {
            dst.clear();
            e.to_errno().into()
        }
    }
}

/// Writes the path of a file or directory to `dst`, with a NUL.
///
/// Process context without spinlocks. Does not sleep. Returns the length including the NUL, or an
/// error: see `krsi_path()` in `kernel/bpf/krsi_path.c`.
///
/// # Safety
///
/// `path` must be valid. `len` bytes at `dst` must be writable.
#[export]
pub(crate) unsafe extern "C" fn krsi_write_path(
    path: *const bindings::path,
    dst: *mut c_char,
    len: u32,
    flags: u64,
) -> i64 {
    // SAFETY: The caller passes a valid path and writable memory.
    let (path, dst) = unsafe { (Path::from_raw(path), Dst::new(dst, len)) };

    answer(dst, flags, |dst, wanted| write(path, dst, wanted))
}

/// Like [`krsi_write_path`], for `dentry` on the mount of `dir`.
///
/// Also returns `-EINVAL` if the dentry is on another filesystem. A negative dentry does not count
/// as deleted.
///
/// # Safety
///
/// As for [`krsi_write_path`]; `dentry` must be pinned.
#[export]
pub(crate) unsafe extern "C" fn krsi_write_path_at(
    dir: *const bindings::path,
    dentry: *const bindings::dentry,
    dst: *mut c_char,
    len: u32,
    flags: u64,
) -> i64 {
    // SAFETY: The caller passes a valid path, a pinned dentry and writable memory.
    let (dir, dentry, dst) = unsafe {
        (
            Path::from_raw(dir),
            Dentry::from_raw(dentry),
            Dst::new(dst, len),
        )
    };
    let write = |dst: &Dst, wanted| {
        dir.with_dentry(dentry, |path| write(path, dst, wanted))
            .unwrap_or(Err(EINVAL))
    };

    answer(dst, flags, write)
}

/// Like [`krsi_write_path`], for the path by which a file was opened.
///
/// # Safety
///
/// As for [`krsi_write_path`], with a file.
#[export]
pub(crate) unsafe extern "C" fn krsi_write_file_path(
    file: *const bindings::file,
    dst: *mut c_char,
    len: u32,
    flags: u64,
) -> i64 {
    // SAFETY: The caller passes a valid file, whose position is not accessed, and writable memory.
    let (file, dst) = unsafe { (File::from_raw_file(file), Dst::new(dst, len)) };
    let path = Path::of_file(file);

    answer(dst, flags, |dst, wanted| write(path, dst, wanted))
}

/// Like [`krsi_write_path`], for the file that is being executed.
///
/// # Safety
///
/// As for [`krsi_write_path`], with a `linux_binprm` of a hook.
#[export]
pub(crate) unsafe extern "C" fn krsi_write_bprm_path(
    bprm: *const bindings::linux_binprm,
    dst: *mut c_char,
    len: u32,
    flags: u64,
) -> i64 {
    // SAFETY: The caller passes a `linux_binprm` of a hook, which has a file, and writable memory.
    unsafe { krsi_write_file_path((*bprm).file, dst, len, flags) }
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_path)]
mod tests {
    use super::*;

    fn dst(bytes: &mut [u8]) -> Result<Dst> {
        // SAFETY: The tests use the value while they own the bytes.
        unsafe { Dst::new(bytes.as_mut_ptr().cast(), bytes.len() as u32) }
    }

    #[test]
    fn every_unknown_flag_is_refused() {
        let root = u64::from(bindings::krsi_path_flags_KRSI_PATH_TASK_ROOT);
        let deleted = u64::from(bindings::krsi_path_flags_KRSI_PATH_DELETED);
        let mount = u64::from(bindings::krsi_path_flags_KRSI_PATH_TRUSTED_MOUNT);
        for bit in 0..u64::BITS {
            let flag = 1u64 << bit;
            let known = flag & (root | deleted | mount) != 0;
            assert_eq!(Wanted::parse(flag).is_ok(), known);
            assert_eq!(Wanted::parse(flag | deleted).is_ok(), known);
        }
        // A path from the task's root cannot be trusted, since users choose that root.
        assert!(Wanted::parse(root | mount).is_err());
        assert!(Wanted::parse(root | mount | deleted).is_err());
        let none = Wanted {
            task_root: false,
            deleted: false,
            trusted_mount: false,
        };
        assert!(Wanted::parse(0) == Ok(none));
    }

    #[test]
    fn path_moves_to_the_front_and_zeroes_follow() -> Result {
        let mut bytes = *b"garbage/a/b\0";
        assert_eq!(dst(&mut bytes)?.keep(7, 12), 5);
        assert_eq!(&bytes, b"/a/b\0\0\0\0\0\0\0\0");
        Ok(())
    }

    #[test]
    fn path_that_overlaps_its_place_or_fills_it() -> Result {
        let mut bytes = *b"x/abcdefg\0";
        assert_eq!(dst(&mut bytes)?.keep(1, 10), 9);
        assert_eq!(&bytes, b"/abcdefg\0\0");
        let mut bytes = *b"/abc\0";
        assert_eq!(dst(&mut bytes)?.keep(0, 5), 5);
        assert_eq!(&bytes, b"/abc\0");
        Ok(())
    }

    #[test]
    fn nothing_stays_after_an_error() -> Result {
        let mut bytes = *b"part/of/a/path";
        dst(&mut bytes)?.clear();
        assert_eq!(bytes, [0; 14]);
        Ok(())
    }

    #[test]
    fn no_buffer_is_refused() {
        assert!(dst(&mut []).is_err());
        // SAFETY: Nothing is written.
        assert!(unsafe { Dst::new(core::ptr::null_mut(), 1) }.is_err());
    }

    #[test]
    fn only_safe_hooks_are_allowed() {
        let allowed = |name| {
            hook_table::FACTS
                .iter()
                .position(|facts| facts.name == name)
                // SAFETY: A hook's number.
                .map(|hook| unsafe { krsi_path_allowed(hook as c_uint) })
        };
        assert_eq!(allowed("file_open"), Some(true));
        assert_eq!(allowed("bprm_check_security"), Some(true));
        assert_eq!(allowed("file_permission"), Some(true));
        // The path is still that of another file.
        assert_eq!(allowed("file_alloc_security"), Some(false));
        // Called under the lock of the signal's owner, and with interrupts disabled.
        assert_eq!(allowed("file_set_fowner"), Some(false));
        assert_eq!(allowed("file_send_sigiotask"), Some(false));
        assert_eq!(allowed("task_kill"), Some(false));
        assert_eq!(allowed("capable"), Some(false));
        // The hook can sleep, but another hook of the same type runs in softirqs.
        if let Some(allowed) = allowed("netlink_send") {
            assert!(!allowed);
        }
    }

    #[test]
    fn reviewed_hooks_are_not_known_to_sleep() {
        for name in REVIEWED {
            let hook = hook_table::FACTS
                .iter()
                .position(|facts| facts.name == *name);
            if let Some(hook) = hook {
                // SAFETY: An FFI call with a hook's number.
                assert!(!unsafe { bindings::krsi_hook_sleepable(hook as c_uint) });
            }
        }
    }
}
