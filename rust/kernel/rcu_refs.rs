// SPDX-License-Identifier: GPL-2.0

//! References to the relatives and the credentials of a task, found under RCU.
//!
//! C headers: [`include/linux/sched.h`](srctree/include/linux/sched.h),
//! [`include/linux/cred.h`](srctree/include/linux/cred.h)

use crate::{bindings, cred::Credential, sync::aref::ARef, sync::rcu, task::Task};
use core::ptr::{self, NonNull};

/// A reference to a task of the kind that BPF programs hold.
///
/// Unlike an [`ARef<Task>`], it counts in `rcu_users`. Readers under RCU can find the task while it
/// exists.
///
/// # Invariants
///
/// The value owns a reference in `rcu_users` of the task.
pub struct RcuTask(NonNull<bindings::task_struct>);

impl RcuTask {
    /// Takes a reference. Returns [`None`] if the last one was dropped.
    pub fn new(task: &Task) -> Option<Self> {
        let ptr = NonNull::new(task.as_ptr())?;
        // SAFETY: The task is valid, by a reference or by RCU.
        let got = unsafe { bindings::refcount_inc_not_zero(&raw mut (*ptr.as_ptr()).rcu_users) };
        // INVARIANT: The reference was just taken. Without one no value is constructed, since its
        // destructor would release a reference.
        got.then(|| Self(ptr))
    }

    /// Converts to a raw pointer, which owns the reference.
    pub fn into_raw(self) -> *mut bindings::task_struct {
        core::mem::ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for RcuTask {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the value owns a reference, which it gives up.
        unsafe { bindings::put_task_struct_rcu_user(self.0.as_ptr()) };
    }
}

/// Whether the pointers from a task to its relatives can be followed in this RCU section.
///
/// While the task is being created, they are copies of its parent's. After it was reaped, they are
/// stale. Between the two, the task's pid refers to the task.
fn has_relatives(task: &Task, _rcu: &rcu::Guard) -> bool {
    // SAFETY: The task is valid; the pointer is written atomically.
    let pid = unsafe { ptr::read_volatile(&raw const (*task.as_ptr()).thread_pid) };
    // SAFETY: `pid` is null, for which the function returns null, or a pid. Pids are freed by RCU.
    let of_pid = unsafe { bindings::pid_task(pid, bindings::pid_type_PIDTYPE_PID) };

    of_pid == task.as_ptr()
}

/// Returns the real parent of a task: the process that is notified when it exits, as in
/// `getppid()`.
///
/// Returns [`None`] if the task is still being created or was reaped, and for the parent of PIDs 1
/// and 2: the boot CPU's idle task, which has no references in `rcu_users`.
pub fn real_parent(task: &Task) -> Option<RcuTask> {
    let guard = rcu::read_lock();
    if !has_relatives(task, &guard) {
        return None;
    }
    // SAFETY: This is an RCU section. The parent was not released before the section began, so the
    // section keeps it alive.
    let parent: &Task = unsafe {
        bindings::task_real_parent_rcu(task.as_ptr())
            .cast::<Task>()
            .as_ref()
    }?;
    RcuTask::new(parent)
}

/// Returns the leader of a task's thread group, whose pid is that of the process.
///
/// Returns [`None`] if the task is still being created or was reaped.
pub fn group_leader(task: &Task) -> Option<RcuTask> {
    let guard = rcu::read_lock();
    if !has_relatives(task, &guard) {
        return None;
    }
    // SAFETY: The task is valid; the pointer is written atomically. A leader is released after the
    // other threads, so the section keeps it alive.
    let leader: &Task = unsafe {
        ptr::read_volatile(&raw const (*task.as_ptr()).group_leader)
            .cast::<Task>()
            .as_ref()
    }?;
    RcuTask::new(leader)
}

/// Returns the objective credentials of a task, which apply when another task acts upon it.
pub fn real_cred(task: &Task) -> Option<ARef<Credential>> {
    let _guard = rcu::read_lock();
    loop {
        // SAFETY: The task is valid, and this is an RCU section.
        let cred = unsafe { bindings::task_real_cred_rcu(task.as_ptr()) };
        if cred.is_null() {
            return None;
        }
        // SAFETY: The RCU section keeps the memory of the credentials.
        let cred = unsafe { bindings::get_cred_rcu(cred) };
        // Null: the task has replaced and released these credentials. Try again with the new ones.
        if let Some(cred) = NonNull::new(cred.cast_mut()) {
            // SAFETY: The reference was just taken. `Credential` is transparent.
            return Some(unsafe { ARef::from_raw(cred.cast()) });
        }
    }
}
