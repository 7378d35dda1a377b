// SPDX-License-Identifier: GPL-2.0

//! Paths for programs: whole ones, or an error that says why there is none.
//!
//! The shims are in `kernel/bpf/krsi_path.c`; what the errors mean to a policy is in
//! `Documentation/bpf/krsi-kfuncs-refs.rst`.

use crate::hook_table;
use core::ptr::NonNull;
use kernel::{
    bindings,
    dcache::{Buffer, Dentry, MountOwner, NoPath, Path},
    ffi::{c_char, c_uint},
    fs::File,
    prelude::*,
};

/// Hooks that cannot sleep, but where paths are safe.
///
/// A path takes `rename_lock` and `mount_lock` if it has to. A hook may be here if each of its
/// callers is in process context and has no spinlock, as all callers of hooks that can sleep are.
/// Those that are no hooks of this configuration are ignored.
const REVIEWED: &[&str] = &[
    // System calls on a file, which wait for locks of the file or its inode.
    "file_permission",
    // Under mmap_lock, which is a semaphore.
    "file_mprotect",
    "mmap_backing_file",
    // Path walks: under RCU alone at most.
    "inode_follow_link",
    "inode_permission",
    // System calls, before what they wait for: vfs_listxattr(), dquot_quota_on().
    "inode_listxattr",
    "quota_on",
    // A descriptor in a message, before the target is locked.
    "binder_transfer_file",
];

fn reviewed(hook: usize) -> bool {
    // SAFETY: An FFI call with a hook's number.
    let sleepable = unsafe { bindings::krsi_hook_sleepable(hook as c_uint) };

    sleepable || REVIEWED.contains(&hook_table::FACTS[hook].name)
}

/// Whether programs of a hook may ask for paths.
///
/// It has to be safe at all hooks whose programs could tail-call them.
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

/// What a program asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Wanted {
    /// From the root of the current task, rather than that of the mount namespace.
    task_root: bool,
    /// Where the file was, if it was deleted.
    deleted: bool,
    /// An error if an unprivileged user can have made the mount.
    trusted_mount: bool,
}

impl Wanted {
    fn parse(flags: u64) -> Result<Self> {
        const TASK_ROOT: u64 = bindings::krsi_path_flags_KRSI_PATH_TASK_ROOT as u64;
        const DELETED: u64 = bindings::krsi_path_flags_KRSI_PATH_DELETED as u64;

        const TRUSTED_MOUNT: u64 = bindings::krsi_path_flags_KRSI_PATH_TRUSTED_MOUNT as u64;

        // Any user can have a root of its own in a user namespace.
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

/// The memory of a program that a path goes to.
///
/// # Invariants
///
/// It can be written to, is of at least one byte, and only the program cares what is in it.
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

    /// Moves what is from `start` to `end` to the front, and makes the rest zeroes, so that the
    /// whole can be compared or be the key of a map. Returns how much was moved.
    fn keep(&self, start: usize, end: usize) -> usize {
        let base = self.0.as_ptr().cast::<u8>();
        let end = end.min(self.0.len());
        let len = end.saturating_sub(start);
        // SAFETY: Both ranges are in the buffer, by the invariant and the above.
        unsafe {
            core::ptr::copy(base.add(end - len), base, len);
            core::ptr::write_bytes(base.add(len), 0, self.0.len() - len);
        }
        len
    }

    /// Leaves nothing, which is the empty string.
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
    // After: a mount that had a path was attached, and never gets into another namespace.
    if wanted.trusted_mount {
        match path.mount_owner() {
            MountOwner::Root => (),
            MountOwner::AnyUser => return Err(EPERM),
            MountOwner::Kernel => return Err(EOPNOTSUPP),
            MountOwner::None => return Err(ESTALE),
        }
    }
    // After: a name that is there now was there before.
    if !wanted.deleted && path.dentry().is_some_and(Dentry::is_deleted) {
        return Err(ENOENT);
    }
    Ok(dst.keep(start, dst.0.len().min(i32::MAX as usize)))
}

/// Answers a program: `dst` has a whole path, or is empty.
fn answer(dst: Result<Dst>, flags: u64, write: impl FnOnce(&Dst, Wanted) -> Result<usize>) -> i64 {
    let dst = match dst {
        Ok(dst) => dst,
        Err(e) => return e.to_errno().into(),
    };
    match Wanted::parse(flags).and_then(|wanted| write(&dst, wanted)) {
        Ok(len) => len as i64,
        Err(e) => {
            dst.clear();
            e.to_errno().into()
        }
    }
}

/// Writes the path of a file or directory to `dst`, with a NUL.
///
/// Process context without spinlocks; does not sleep. Returns the length with the NUL, or an
/// error: see krsi_path() in `kernel/bpf/krsi_path.c`.
///
/// # Safety
///
/// `path` must be valid, `dst` of `len` writable bytes.
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

/// As [`krsi_write_path`], of `dentry` on the mount of `dir`.
///
/// `-EINVAL` too if it is of another filesystem. A name that nothing has yet is not deleted.
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
    // SAFETY: The caller passes a valid path, a pinned entry and writable memory.
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

/// As [`krsi_write_path`], of the path by which a file was opened.
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
    // SAFETY: The caller passes a valid file, whose position is not touched, and writable memory.
    let (file, dst) = unsafe { (File::from_raw_file(file), Dst::new(dst, len)) };
    let path = Path::of_file(file);

    answer(dst, flags, |dst, wanted| write(path, dst, wanted))
}

/// As [`krsi_write_path`], of the file that is being executed.
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
        // SAFETY: The tests use it while they have the bytes.
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
        // One who is told the path from a root that users choose is told nothing of mounts.
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
        // The path is that of another file.
        assert_eq!(allowed("file_alloc_security"), Some(false));
        // Under the lock of the signal's owner, and with interrupts disabled.
        assert_eq!(allowed("file_set_fowner"), Some(false));
        assert_eq!(allowed("file_send_sigiotask"), Some(false));
        assert_eq!(allowed("task_kill"), Some(false));
        assert_eq!(allowed("capable"), Some(false));
        // It can sleep, but one that runs in softirqs has its type.
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
