// SPDX-License-Identifier: GPL-2.0

//! Pointers that programs can read but not use: the bodies of the kfuncs that give them usable
//! ones.
//!
//! The shims are in `kernel/bpf/krsi_refs.c`. What they are for, and what the verifier makes of
//! their results, is in `Documentation/bpf/krsi-kfuncs-refs.rst`.

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

/// Hooks of files that have no path and no inode yet, or any more, where the verifier thinks that
/// they have.
///
/// At `file_alloc_security` both are those of another file, which may be freed: see
/// [`hook_table::closed`]. So they are at `file_free_security` if an LSM has refused the file at the
/// former.
const UNFINISHED: &[&str] = &[
    "backing_file_alloc",
    "backing_file_free",
    "file_alloc_security",
    "file_free_security",
];

/// Hooks of files whose `f_mode` may be that of another file, as [`UNFINISHED`] says.
const NO_MODE: &[&str] = &["file_alloc_security", "file_free_security"];

/// Whether programs of a hook may ask for what files and directories lead to.
///
/// They can be tail-called from no hook where that may be gone. May sleep.
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

/// Whether `f_mode` of the files of a hook is their own. Any context.
///
/// # Safety
///
/// `hook` must be a hook's number.
#[export]
pub(crate) unsafe extern "C" fn krsi_file_mode_known(hook: c_uint) -> bool {
    !NO_MODE.contains(&hook_table::FACTS[hook as usize].name)
}

/// Whether the files of a hook may have no path and no inode yet, or any more. Any context.
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

/// Takes a reference on the real parent of a task.
///
/// Any context. Returns null if the task is being made or was reaped, or its parent is.
///
/// # Safety
///
/// `p` must point to a task that is valid, by a reference or by RCU.
#[export]
pub(crate) unsafe extern "C" fn krsi_get_real_parent(
    p: *mut bindings::task_struct,
) -> *mut bindings::task_struct {
    // SAFETY: The caller passes a task that stays during the call.
    rcu_refs::real_parent(unsafe { task(p) }).map_or(null_mut(), RcuTask::into_raw)
}

/// Takes a reference on the leader of a task's thread group.
///
/// Any context. Returns null if the task is being made or was reaped.
///
/// # Safety
///
/// As for [`krsi_get_real_parent`].
#[export]
pub(crate) unsafe extern "C" fn krsi_get_group_leader(
    p: *mut bindings::task_struct,
) -> *mut bindings::task_struct {
    // SAFETY: The caller passes a task that stays during the call.
    rcu_refs::group_leader(unsafe { task(p) }).map_or(null_mut(), RcuTask::into_raw)
}

/// Takes a reference on the objective credentials of a task.
///
/// Any context. Returns null if the task has none any more.
///
/// # Safety
///
/// As for [`krsi_get_real_parent`].
#[export]
pub(crate) unsafe extern "C" fn krsi_get_task_cred(
    p: *mut bindings::task_struct,
) -> *const bindings::cred {
    // SAFETY: The caller passes a task that stays during the call.
    rcu_refs::real_cred(unsafe { task(p) })
        .map_or(null(), |cred| ARef::into_raw(cred).as_ptr().cast())
}

/// Gives a reference on credentials back.
///
/// Any context: what was the last reference is freed after a grace period, from elsewhere.
///
/// # Safety
///
/// `cred` must be a reference that [`krsi_get_task_cred`] returned.
#[export]
pub(crate) unsafe extern "C" fn krsi_put_cred(cred: *const bindings::cred) {
    if let Some(cred) = NonNull::new(cred.cast_mut()) {
        // SAFETY: The caller gives the reference up; `Credential` is transparent.
        drop(unsafe { ARef::<Credential>::from_raw(cred.cast()) });
    }
}

/// A directory entry that RCU alone keeps.
fn unpinned(dentry: Option<&Dentry>) -> *const bindings::krsi_dentry {
    dentry.map_or(null(), |dentry| dentry.as_ptr().cast())
}

/// Finds the directory that an entry is in.
///
/// Returns null at the root of a filesystem, and for what is in no directory.
///
/// # Safety
///
/// To be called in an RCU read-side critical section, which keeps the result. `dentry` must be
/// pinned, or have been found in that section by this function or by [`krsi_find_dentry`].
#[export]
pub(crate) unsafe extern "C" fn krsi_find_parent(
    dentry: *const bindings::dentry,
) -> *const bindings::krsi_dentry {
    let guard = rcu::read_lock();
    // SAFETY: The caller's critical section keeps the entry.
    unpinned(unsafe { Dentry::from_raw(dentry) }.parent(&guard))
}

/// Finds the directory entry of a path.
///
/// Returns null for pipes, sockets and the like, whose entries RCU does not keep, and where no file
/// was opened yet.
///
/// # Safety
///
/// To be called in an RCU read-side critical section, which keeps the result. `path` must be
/// pinned.
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
/// To be called in an RCU read-side critical section, which keeps the result. `inode` must be
/// pinned or have been found in that section.
#[export]
pub(crate) unsafe extern "C" fn krsi_find_sb(
    inode: *const bindings::inode,
) -> *const bindings::super_block {
    // SAFETY: The caller keeps the inode; the field does not change after the allocation.
    // Superblocks are freed after a grace period that begins when their last inode is gone.
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
