// SPDX-License-Identifier: GPL-2.0

//! References on what is around a task, found under RCU.
//!
//! C headers: [`include/linux/sched.h`](srctree/include/linux/sched.h),
//! [`include/linux/cred.h`](srctree/include/linux/cred.h)

use crate::{bindings, cred::Credential, sync::aref::ARef, sync::rcu, task::Task};
use core::ptr::{self, NonNull};

/// A reference on a task as BPF programs have it.
///
/// It counts in `rcu_users`, unlike an [`ARef<Task>`], and keeps the task in reach of RCU.
///
/// # Invariants
///
/// Owns a reference.
pub struct RcuTask(NonNull<bindings::task_struct>);

impl RcuTask {
    /// Takes a reference, unless the last one is gone.
    pub fn new(task: &Task) -> Option<Self> {
        let ptr = NonNull::new(task.as_ptr())?;
        // SAFETY: The task is valid, be it by a reference or by RCU.
        let got = unsafe { bindings::refcount_inc_not_zero(&raw mut (*ptr.as_ptr()).rcu_users) };
        // INVARIANT: The reference was just taken.
        got.then_some(Self(ptr))
    }

    /// Gives the reference away.
    pub fn into_raw(self) -> *mut bindings::task_struct {
        core::mem::ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for RcuTask {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::put_task_struct_rcu_user(self.0.as_ptr()) };
    }
}

/// Whether the pointers from a task to its relatives can be followed in this RCU section.
///
/// They are copies of its parent's while the task is made, and are not kept up to date once it was
/// reaped. In between the task is the one that its pid stands for.
fn has_relatives(task: &Task, _rcu: &rcu::Guard) -> bool {
    // SAFETY: The task is valid; the pointer changes as a whole.
    let pid = unsafe { ptr::read_volatile(&raw const (*task.as_ptr()).thread_pid) };
    // SAFETY: Null, which is no task's, or a pid; pids are freed by RCU.
    let of_pid = unsafe { bindings::pid_task(pid, bindings::pid_type_PIDTYPE_PID) };

    of_pid == task.as_ptr()
}

/// The process that will be told of the task's end: that of its `getppid()`.
///
/// [`None`] if the task is not there yet, or any more.
pub fn real_parent(task: &Task) -> Option<RcuTask> {
    let guard = rcu::read_lock();
    if !has_relatives(task, &guard) {
        return None;
    }
    // SAFETY: In an RCU section. The parent was not released when the section began, or it is one
    // of later, so that the section keeps it.
    let parent: &Task = unsafe {
        bindings::task_real_parent_rcu(task.as_ptr())
            .cast::<Task>()
            .as_ref()
    }?;
    RcuTask::new(parent)
}

/// The thread that the task's process is known by: its pid is the process's.
///
/// [`None`] if the task is not there yet, or any more.
pub fn group_leader(task: &Task) -> Option<RcuTask> {
    let guard = rcu::read_lock();
    if !has_relatives(task, &guard) {
        return None;
    }
    // SAFETY: The task is valid; the pointer changes as a whole. A leader is released after the
    // other threads, so that the section keeps it.
    let leader: &Task = unsafe {
        ptr::read_volatile(&raw const (*task.as_ptr()).group_leader)
            .cast::<Task>()
            .as_ref()
    }?;
    RcuTask::new(leader)
}

/// The objective credentials of a task: those that others see when they act on it.
pub fn real_cred(task: &Task) -> Option<ARef<Credential>> {
    let _guard = rcu::read_lock();
    loop {
        // SAFETY: In an RCU section.
        let cred = unsafe { bindings::task_real_cred_rcu(task.as_ptr()) };
        if cred.is_null() {
            return None;
        }
        // SAFETY: The RCU section keeps the memory.
        let cred = unsafe { bindings::get_cred_rcu(cred) };
        // Null: the task changed them and let go of these. There are others now.
        if let Some(cred) = NonNull::new(cred.cast_mut()) {
            // SAFETY: The reference was just taken. `Credential` is transparent.
            return Some(unsafe { ARef::from_raw(cred.cast()) });
        }
    }
}
