// SPDX-License-Identifier: GPL-2.0

//! A hook: what is known of it when the kernel is built, and which programs it has.

use crate::{frame::Frame, lock::Lists, programs::Programs};
use core::ptr;
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
    sync::rcu_tasks_trace::RcuTraceBox,
};

/// How many hooks this configuration has.
pub(crate) const COUNT: usize = bindings::krsi_hook_KRSI_HOOK_COUNT as usize;

/// What is known of a hook when the kernel is built.
pub(crate) trait Hook {
    /// The hook's place in the tables.
    const INDEX: usize;
    /// The verdict that lets the framework ask the next LSM. 0 for void hooks.
    const DEFAULT: i32;
    /// Whether the hook returns nothing, so that every program runs and none decides.
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

/// What a call of a hook has to do.
pub(crate) enum Current<'a> {
    /// Nothing: no programs are attached.
    Nothing,
    /// Call the hook's stub, whose image runs the programs.
    Stub,
    /// Run these programs.
    List(&'a Programs),
}

/// The programs of a hook.
///
/// All that decides what a call does is one pointer, which the call reads once. So each call sees
/// one state of the hook, whatever is attached, detached or traced while it sleeps or is preempted.
pub(crate) struct State {
    /// What calls do: a list, null, or [`STUB`].
    current: Atomic<*mut Programs>,
    /// The list of all programs attached to the hook, or null; `current` too unless that is
    /// [`STUB`].
    all: Atomic<*mut Programs>,
}

/// Stands for [`Current::Stub`]: an address that no list has.
const STUB: *mut Programs = ptr::without_provenance_mut(1);

/// The state of each hook.
///
/// Written by the holder of [`crate::lock`], read by trampolines at any time.
pub(crate) static STATE: [State; COUNT] = [const { State::new() }; COUNT];

impl State {
    const fn new() -> Self {
        Self {
            current: Atomic::new(ptr::null_mut()),
            all: Atomic::new(ptr::null_mut()),
        }
    }

    /// What a call has to do.
    ///
    /// # Safety
    ///
    /// For `'a` the caller must be in a critical section of RCU or of RCU Tasks Trace. It must not
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
        // SAFETY: Neither null nor the stub, hence a published list, which is retired after it was
        // replaced: the critical section keeps it.
        Current::List(unsafe { &*list })
    }

    /// What a call has to do that came through the image of the hook's stub: never
    /// [`Current::Stub`].
    ///
    /// # Safety
    ///
    /// As for [`Self::current`].
    #[inline(always)]
    pub(crate) unsafe fn traced_current<'a>(&self) -> Current<'a> {
        // SAFETY: Null or a published list, which is retired after it was replaced: the critical
        // section keeps it.
        match unsafe { self.all.load(Acquire).as_ref() } {
            Some(list) => Current::List(list),
            None => Current::Nothing,
        }
    }

    /// The programs attached to the hook, traced or not.
    pub(crate) fn programs<'a>(&self, _: &'a Lists) -> Option<&'a Programs> {
        // SAFETY: Null or a published list. Nobody retires it during `'a`, by the invariant of
        // `Lists`. The links of all its programs are there: they detach them first, under the lock.
        unsafe { self.all.load(Relaxed).as_ref() }
    }

    /// Whether calls go to the hook's stub.
    pub(crate) fn traced(&self, _: &Lists) -> bool {
        self.current.load(Relaxed) == STUB
    }

    /// Makes calls go to the hook's stub, or run the programs themselves.
    pub(crate) fn set_traced(&self, traced: bool, _: &mut Lists) {
        let list = if traced { STUB } else { self.all.load(Relaxed) };

        self.current.store(list, Release);
    }

    /// Replaces the hook's list and retires the old one.
    pub(crate) fn replace(&self, new: Option<RcuTraceBox<Programs>>, lists: &mut Lists) {
        let new = new.map_or(ptr::null_mut(), RcuTraceBox::publish);
        let old = self.all.load(Relaxed);

        self.all.store(new, Release);
        if !self.traced(lists) {
            self.current.store(new, Release);
        }
        if !old.is_null() {
            // SAFETY: The list was published when it became the hook's, and neither pointer has it
            // any more, so that it is retired here only and no new reader finds it.
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
