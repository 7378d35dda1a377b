// SPDX-License-Identifier: GPL-2.0

//! Trusted pointers for programs, where the verifier does not trust those that a program reads.
//!
//! Implements the kfuncs in `kernel/bpf/krsi_refs.c`. For their purpose, and the verifier's view of
//! their results, see `Documentation/bpf/krsi-kfuncs-refs.rst`.

use crate::hook_table;
use core::ptr::{null, null_mut, NonNull};
use kernel::{
    bindings,
    cred::Credential,
    dcache::{Dentry, Path},
    ffi::c_uint,
    prelude::*,
    rcu_refs::{self, RcuTask},
    sync::{aref::ARef, rcu},
    task::Task,
};

/// Hooks whose files may have no path and no inode, although the verifier assumes that they do.
///
/// At `file_alloc_security`, both are those of another file and may be freed: see
/// [`hook_table::closed`]. The same is true at `file_free_security` if an LSM has rejected the file
/// at the former.
const UNFINISHED: &[&str] = &[
    "backing_file_alloc",
    "backing_file_free",
    "file_alloc_security",
    "file_free_security",
];

/// Hooks whose files may have the `f_mode` of another file: see [`UNFINISHED`].
const NO_MODE: &[&str] = &["file_alloc_security", "file_free_security"];

/// Whether programs of a hook may call kfuncs that follow pointers of files and directories.
///
/// True if no program of an [`UNFINISHED`] hook can tail-call them. May sleep.
///
/// # Safety
///
/// `hook` must be a hook's number.
#[export]
pub(crate) unsafe extern "C" fn krsi_find_allowed(hook: c_uint) -> bool {
    hook_table::tail_callers(hook as usize).is_some_and(|mut hooks| {
        hooks.all(|hook| !UNFINISHED.contains(&hook_table::FACTS[hook].name))
    })
}

/// Whether `f_mode` of a hook's files is initialised. Any context.
///
/// # Safety
///
/// `hook` must be a hook's number.
#[export]
pub(crate) unsafe extern "C" fn krsi_file_mode_known(hook: c_uint) -> bool {
    !NO_MODE.contains(&hook_table::FACTS[hook as usize].name)
}

/// Whether a hook's files may have no path and no inode. Any context.
///
/// # Safety
///
/// `hook` must be a hook's number.
#[export]
pub(crate) unsafe extern "C" fn krsi_file_unfinished(hook: c_uint) -> bool {
    UNFINISHED.contains(&hook_table::FACTS[hook as usize].name)
}

/// # Safety
///
/// `task` must point to a task that is valid for `'a`, by a reference or by RCU.
unsafe fn task<'a>(task: *mut bindings::task_struct) -> &'a Task {
    // SAFETY: The caller passes a task that is valid for `'a`; `Task` is transparent.
    unsafe { &*task.cast() }
}

/// Takes a reference to the real parent of a task.
///
/// Any context. Returns null if the task is being created or was reaped, or its parent was.
///
/// # Safety
///
/// `p` must point to a task that is valid, by a reference or by RCU.
#[export]
pub(crate) unsafe extern "C" fn krsi_get_real_parent(
    p: *mut bindings::task_struct,
) -> *mut bindings::task_struct {
    // SAFETY: The caller passes a task that is valid during the call.
    rcu_refs::real_parent(unsafe { task(p) }).map_or(null_mut(), RcuTask::into_raw)
}

/// Takes a reference to the leader of a task's thread group.
///
/// Any context. Returns null if the task is being created or was reaped.
///
/// # Safety
///
/// As for [`krsi_get_real_parent`].
#[export]
pub(crate) unsafe extern "C" fn krsi_get_group_leader(
    p: *mut bindings::task_struct,
) -> *mut bindings::task_struct {
    // SAFETY: The caller passes a task that is valid during the call.
    rcu_refs::group_leader(unsafe { task(p) }).map_or(null_mut(), RcuTask::into_raw)
}

/// Takes a reference to the objective credentials of a task.
///
/// Any context. Returns null if the task no longer has any.
///
/// # Safety
///
/// As for [`krsi_get_real_parent`].
#[export]
pub(crate) unsafe extern "C" fn krsi_get_task_cred(
    p: *mut bindings::task_struct,
) -> *const bindings::cred {
    // SAFETY: The caller passes a task that is valid during the call.
    rcu_refs::real_cred(unsafe { task(p) })
        .map_or(null(), |cred| ARef::into_raw(cred).as_ptr().cast())
}

/// Drops a reference to credentials.
///
/// Any context: after the last reference is dropped, RCU frees the credentials.
///
/// # Safety
///
/// `cred` must be a reference that [`krsi_get_task_cred`] returned.
#[export]
pub(crate) unsafe extern "C" fn krsi_put_cred(cred: *const bindings::cred) {
    if let Some(cred) = NonNull::new(cred.cast_mut()) {
        // SAFETY: The caller gives up its reference. `Credential` is transparent.
        drop(unsafe { ARef::<Credential>::from_raw(cred.cast()) });
    }
}

/// Converts a dentry to one that is only protected by RCU.
fn unpinned(dentry: Option<&Dentry>) -> *const bindings::krsi_dentry {
    dentry.map_or(null(), |dentry| dentry.as_ptr().cast())
}

/// Finds the parent of a dentry.
///
/// Returns null at the root of a filesystem, and for files that are in no directory.
///
/// # Safety
///
/// The caller must be in an RCU read-side critical section, which keeps the result alive. `dentry`
/// must be pinned, or have been found in that section by this function or by [`krsi_find_dentry`].
#[export]
pub(crate) unsafe extern "C" fn krsi_find_parent(
    dentry: *const bindings::dentry,
) -> *const bindings::krsi_dentry {
    let guard = rcu::read_lock();
    // SAFETY: The caller's critical section, or a reference, keeps the dentry alive.
    unpinned(unsafe { Dentry::from_raw(dentry) }.parent(&guard))
}

/// Finds the dentry of a path.
///
/// Returns null for pipes, sockets and other files whose dentries are not freed by RCU, and for
/// files that were not opened yet.
///
/// # Safety
///
/// The caller must be in an RCU read-side critical section, which keeps the result alive. `path`
/// must be pinned.
#[export]
pub(crate) unsafe extern "C" fn krsi_find_dentry(
    path: *const bindings::path,
) -> *const bindings::krsi_dentry {
    // SAFETY: The caller passes a pinned path.
    let path = unsafe { Path::from_raw(path) };
    unpinned(path.dentry().filter(|dentry| dentry.rcu_freed()))
}

/// Finds the superblock of an inode.
///
/// # Safety
///
/// The caller must be in an RCU read-side critical section, which keeps the result alive. `inode`
/// must be pinned or have been found in that section.
#[export]
pub(crate) unsafe extern "C" fn krsi_find_sb(
    inode: *const bindings::inode,
) -> *const bindings::super_block {
    // The hook inode_init_security_anon() has no context inode if the caller does not copy one.
    if inode.is_null() {
        return core::ptr::null();
    }
    // SAFETY: The caller keeps the inode alive. The field does not change after the allocation.
    // Superblocks are freed after a grace period that begins when their last inode was freed.
    unsafe { (*inode).i_sb }
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_refs)]
mod tests {
    use super::*;

    fn hook(name: &str) -> Option<c_uint> {
        let hook = hook_table::FACTS
            .iter()
            .position(|facts| facts.name == name)?;
        Some(hook as c_uint)
    }

    #[test]
    fn files_that_are_not_finished_lead_nowhere() {
        for name in UNFINISHED {
            // None of them depends on the configuration.
            // SAFETY: A hook's number.
            assert!(hook(name).is_some_and(|hook| unsafe {
                krsi_file_unfinished(hook) && !krsi_find_allowed(hook)
            }));
        }
        for name in ["file_open", "file_ioctl", "inode_unlink"] {
            // SAFETY: A hook's number.
            assert!(hook(name).is_some_and(|hook| unsafe {
                !krsi_file_unfinished(hook) && krsi_find_allowed(hook)
            }));
        }
    }

    #[test]
    fn modes_of_other_files_are_not_looked_at() {
        let known = |name| {
            // SAFETY: A hook's number.
            hook(name).map(|hook| unsafe { krsi_file_mode_known(hook) })
        };

        assert_eq!(known("file_alloc_security"), Some(false));
        assert_eq!(known("file_free_security"), Some(false));
        for name in ["backing_file_alloc", "backing_file_free", "file_open"] {
            assert_eq!(known(name), Some(true));
        }
    }
}
