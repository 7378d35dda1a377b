// SPDX-License-Identifier: GPL-2.0

//! A hook: its constants, and its programs.

use crate::{frame::Frame, lock::Lists, programs::Programs};
use core::ptr;
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
    sync::rcu_tasks_trace::RcuTraceBox,
};

/// The number of hooks in this configuration.
pub(crate) const COUNT: usize = bindings::krsi_hook_KRSI_HOOK_COUNT as usize;

/// The constants of a hook.
pub(crate) trait Hook {
    /// The hook's index in the tables.
    const INDEX: usize;
    /// The verdict after which the framework calls the next LSM. 0 for void hooks.
    const DEFAULT: i32;
    /// Whether the hook returns nothing. Then all programs run, and their return values are
    /// ignored.
    const VOID: bool;
    /// The hook's `bpf_lsm_*()` stub, a function of the same type as the hook.
    const STUB: *const ();

    /// Calls the target of the hook's trampoline; see [`crate::hook_table::Facts::target`].
    ///
    /// # Safety
    ///
    /// As for [`crate::trampoline::Target`], with the context in the frame.
    unsafe fn call_target(frame: &Frame) -> c_uint;

    /// Calls the target of the hook's trampoline for programs that sleep; see
    /// [`crate::hook_table::Facts::sleepable_target`].
    ///
    /// # Safety
    ///
    /// As for [`crate::trampoline::Target`], with the context in the frame.
    unsafe fn call_sleepable_target(frame: &Frame) -> c_uint;
}

/// The action of a hook's call.
pub(crate) enum Current<'a> {
    /// Do nothing: no programs are attached.
    Nothing,
    /// Call the hook's stub, whose image runs the programs.
    Stub,
    /// Run these programs.
    List(&'a Programs),
}

/// The programs of a hook.
///
/// A call reads one pointer, once, which determines its action. So each call sees a consistent
/// state of the hook, even if programs are attached or detached, or the hook is traced, while it
/// sleeps or is preempted.
pub(crate) struct State {
    /// The action of calls: a list, null, or [`STUB`].
    current: Atomic<*mut Programs>,
    /// The list of all programs that are attached to the hook, or null. Equal to `current`, unless
    /// that is [`STUB`].
    progs: Atomic<*mut Programs>,
}

/// Represents [`Current::Stub`]: an address that no list has.
const STUB: *mut Programs = ptr::without_provenance_mut(1);

/// The state of each hook.
///
/// Written by the holder of [`crate::lock`], read by trampolines at any time.
pub(crate) static STATE: [State; COUNT] = [const { State::new() }; COUNT];

impl State {
    const fn new() -> Self {
        Self {
            current: Atomic::new(ptr::null_mut()),
            progs: Atomic::new(ptr::null_mut()),
        }
    }

    /// Returns the action of a call.
    ///
    /// # Safety
    ///
    /// For `'a`, the caller must be in a critical section of RCU or of RCU Tasks Trace. It must not
    /// access programs of the list unless the section is of the kind that the list
    /// [needs](Programs::sleepable).
    #[inline(always)]
    pub(crate) unsafe fn current<'a>(&self) -> Current<'a> {
        let list = self.current.load(Acquire);

        if list.addr() <= STUB.addr() {
            return if list.is_null() {
                Current::Nothing
            } else {
                Current::Stub
            };
        }
        // SAFETY: The pointer is neither null nor `STUB`, so it is a published list. Lists are
        // retired after they were replaced, so the critical section keeps it alive.
        Current::List(unsafe { &*list })
    }

    /// Returns the action of a call from the image of the hook's stub. Never [`Current::Stub`].
    ///
    /// # Safety
    ///
    /// As for [`Self::current`].
    #[inline(always)]
    pub(crate) unsafe fn traced_current<'a>(&self) -> Current<'a> {
        // SAFETY: The pointer is null or a published list. Lists are retired after they were
        // replaced, so the critical section keeps it alive.
        match unsafe { self.progs.load(Acquire).as_ref() } {
            Some(list) => Current::List(list),
            None => Current::Nothing,
        }
    }

    /// Returns the programs that are attached to the hook, whether it is traced or not.
    pub(crate) fn programs<'a>(&self, _: &'a Lists) -> Option<&'a Programs> {
        // SAFETY: The pointer is null or a published list, which by the invariant of `Lists` is not
        // retired during `'a`. The links of its programs exist, since they detach the programs
        // under the lock before they are freed.
        unsafe { self.progs.load(Relaxed).as_ref() }
    }

    /// Whether calls go to the hook's stub.
    pub(crate) fn traced(&self, _: &Lists) -> bool {
        self.current.load(Relaxed) == STUB
    }

    /// Makes calls go to the hook's stub, or run the programs directly.
    pub(crate) fn set_traced(&self, traced: bool, _: &mut Lists) {
        let list = if traced {
            STUB
        } else {
            self.progs.load(Relaxed)
        };

        self.current.store(list, Release);
    }

    /// Replaces the hook's list and retires the old one.
    pub(crate) fn replace(&self, new: Option<RcuTraceBox<Programs>>, lists: &mut Lists) {
        let new = new.map_or(ptr::null_mut(), RcuTraceBox::publish);
        let old = self.progs.load(Relaxed);

        self.progs.store(new, Release);
        if !self.traced(lists) {
            self.current.store(new, Release);
        }
        if !old.is_null() {
            // SAFETY: The list was published when it was set. It was just removed from both
            // pointers, so it is retired only here, and no new reader finds it.
            unsafe { RcuTraceBox::retire(old) };
        }
    }
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_hook)]
mod tests {
    use super::*;
    use kernel::sync::rcu_tasks_trace::Guard;

    #[test]
    fn a_hook_has_no_programs_at_first() {
        let state = State::new();
        let _guard = Guard::new();
        // SAFETY: The guard is held.
        let (current, traced) = unsafe { (state.current(), state.traced_current()) };

        assert!(matches!(current, Current::Nothing));
        assert!(matches!(traced, Current::Nothing));
    }

    #[test]
    fn a_traced_hook_calls_its_stub() {
        let state = State::new();
        state.current.store(STUB, Relaxed);
        let _guard = Guard::new();
        // SAFETY: The guard is held.
        let (current, traced) = unsafe { (state.current(), state.traced_current()) };

        assert!(matches!(current, Current::Stub));
        assert!(matches!(traced, Current::Nothing));
    }
}
