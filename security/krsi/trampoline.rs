// SPDX-License-Identifier: GPL-2.0

//! Running the programs of a hook.
//!
//! Each hook has its own trampoline, instantiated for the types of its arguments. It stores the
//! arguments in a BPF context and makes a static call. The target is the hook's program or a chain,
//! if they can be called directly, otherwise [`krsi_run_list`], which all hooks share.
//!
//! The newest program runs first. The first return value other than 0 is the hook's verdict. If all
//! programs return 0, the verdict is the hook's default, which is not 0 for some hooks.

use crate::{
    frame::{words_of, Context, Frame, MAX_WORDS},
    hook::{Current, Hook, STATE},
    programs::Programs,
};
use kernel::{
    bindings,
    bpf::{AtomicGuard, RunCtx, SleepableGuard},
    ffi::{c_int, c_uint, c_void},
    prelude::*,
    sync::rcu,
};

/// Marks the path as cold.
#[cold]
#[inline(always)]
fn unlikely() {}

/// The return type of a hook.
pub(crate) trait Verdict {
    /// Converts a program's return value, or the default.
    fn from_verdict(verdict: i32) -> Self;
}

impl Verdict for c_int {
    #[inline(always)]
    fn from_verdict(verdict: i32) -> Self {
        verdict
    }
}

impl Verdict for () {
    #[inline(always)]
    fn from_verdict(_: i32) {}
}

/// The critical section in which a trampoline calls its target.
///
/// # Safety
///
/// Until it is dropped, the guard must keep the functions that [`Section::call`] calls, and the
/// data that they use, alive.
pub(crate) unsafe trait Section {
    /// The guard, dropped when the target has returned.
    type Guard;

    /// Enters the section.
    fn enter() -> Self::Guard;

    /// Calls the target of a hook for this section.
    ///
    /// # Safety
    ///
    /// `frame` must have the context of the hook's programs, and the caller must have the guard.
    unsafe fn call<H: Hook>(frame: &Frame) -> i32;
}

/// RCU, for hooks in general. Lists with sleepable programs leave the section.
pub(crate) struct Atomic;

// SAFETY: Targets are programs that do not sleep, chains of them, and `krsi_run_list`.
unsafe impl Section for Atomic {
    type Guard = AtomicGuard;

    #[inline(always)]
    fn enter() -> AtomicGuard {
        AtomicGuard::new()
    }

    #[inline(always)]
    unsafe fn call<H: Hook>(frame: &Frame) -> i32 {
        // SAFETY: The caller passes the hook's frame, and has an `AtomicGuard`.
        unsafe { call_target(|| H::call_target(frame), krsi_run_list, frame) }
    }
}

/// RCU Tasks Trace, for hooks whose only program is sleepable.
pub(crate) struct Sleepable;

// SAFETY: Targets are programs that sleep, and `krsi_run_sleepable_list`.
unsafe impl Section for Sleepable {
    type Guard = SleepableGuard;

    #[inline(always)]
    fn enter() -> SleepableGuard {
        SleepableGuard::new()
    }

    #[inline(always)]
    unsafe fn call<H: Hook>(frame: &Frame) -> i32 {
        let list = krsi_run_sleepable_list;
        // SAFETY: The caller passes the hook's frame, and has a `SleepableGuard`.
        unsafe { call_target(|| H::call_sleepable_target(frame), list, frame) }
    }
}

/// A function type of hooks, which provides the trampolines of each hook.
pub(crate) trait Callback<H: Hook, S: Section>: Sized {
    /// The trampoline.
    const CALLBACK: Self;
}

/// Returns the trampoline of a hook, with the type of the framework's table.
pub(crate) const fn callback<H: Hook, F: Callback<H, Atomic> + Copy>() -> F {
    F::CALLBACK
}

/// Returns the trampoline of a hook whose only program is sleepable.
pub(crate) const fn sleepable_callback<H: Hook, F: Callback<H, Sleepable> + Copy>() -> F {
    F::CALLBACK
}

/// Implements [`Callback`] for functions with the given number of arguments.
macro_rules! trampoline {
    ($name:ident: $($arg:ident $ty:ident),*) => {
        /// # Safety
        ///
        /// Only the LSM framework may call this.
        unsafe extern "C" fn $name<H: Hook, S: Section, R: Verdict, $($ty: Copy),*>(
            $($arg: $ty),*
        ) -> R {
            const {
                let words: usize = 0 $(+ words_of::<$ty>())*;
                assert!(words <= MAX_WORDS);
            }
            #[allow(unused_mut)] // Hooks without arguments put none.
            let mut frame =
                Frame::new(H::INDEX, H::VOID, const { 0 $(+ words_of::<$ty>())* });
            let at = 0;
            $(let at = frame.put(at, $arg);)*
            let _ = at;

            let guard = S::enter();
            // SAFETY: An FFI call with a hook's number.
            unsafe { bindings::krsi_count_call(H::INDEX as c_uint) };
            // SAFETY: The frame contains the hook's arguments, in the verifier's layout.
            let verdict = unsafe { S::call::<H>(&frame) };
            drop(guard);

            if verdict == 0 {
                return R::from_verdict(H::DEFAULT);
            }
            unlikely();
            if verdict == STUB && frame.stub_requested() {
                // The shim in the stub's image counts the call if programs are attached.
                // SAFETY: An FFI call with a hook's number.
                unsafe { bindings::krsi_uncount_call(H::INDEX as c_uint) };
                let stub: unsafe extern "C" fn($($ty),*) -> R =
                    // SAFETY: Stub and hook come from the same line of `lsm_hook_defs.h`, so they
                    // have the same type.
                    unsafe { core::mem::transmute(H::STUB) };
                let at = 0;
                // Reload the arguments from the frame, so that they occupy no registers during
                // ordinary calls.
                $(let ($arg, at) = frame.take::<$ty>(at);)*
                let _ = at;
                // SAFETY: The arguments are those of the hook.
                return unsafe { stub($($arg),*) };
            }
            if !H::VOID {
                // SAFETY: An FFI call with a hook's number.
                unsafe { bindings::krsi_count_denial(H::INDEX as c_uint) };
            }
            R::from_verdict(verdict)
        }

        impl<H: Hook, S: Section, R: Verdict, $($ty: Copy),*> Callback<H, S>
            for unsafe extern "C" fn($($ty),*) -> R
        {
            const CALLBACK: Self = $name::<H, S, R, $($ty),*>;
        }
    };
}

trampoline!(trampoline0:);
trampoline!(trampoline1: a A);
trampoline!(trampoline2: a A, b B);
trampoline!(trampoline3: a A, b B, c C);
trampoline!(trampoline4: a A, b B, c C, d D);
trampoline!(trampoline5: a A, b B, c C, d D, e E);
trampoline!(trampoline6: a A, b B, c C, d D, e E, f F);

/// The target of a trampoline's static call: the code of a program or of a chain, [`krsi_run_list`]
/// or [`krsi_run_sleepable_list`].
///
/// The second argument exists because the interpreter needs it. It is not set.
///
/// Returns the verdict, or [`STUB`].
pub(crate) type Target =
    unsafe extern "C" fn(ctx: *const c_void, unset: *const bindings::bpf_insn) -> c_uint;

/// Returned instead of a verdict if the trampoline must call the hook's stub, whose image runs the
/// programs.
///
/// Programs of void hooks, and extension programs, which replace a function of another program, can
/// return the same value. The frame distinguishes the two cases: see [`Context::request_stub`].
const STUB: i32 = i32::MIN;

/// Calls `target`. If statistics are enabled, calls `list` instead, which counts and times the runs
/// of programs.
///
/// # Safety
///
/// `frame` must have the context of the hook's programs. The caller must have the guard that both
/// functions need.
#[inline(always)]
unsafe fn call_target(target: impl FnOnce() -> c_uint, list: Target, frame: &Frame) -> i32 {
    if stats_enabled() {
        // SAFETY: The caller passes the frame of the hook's programs, and has the guard.
        return unsafe { list(frame.ctx().cast(), core::ptr::null()) as i32 };
    }
    // Programs can ask for their cookie. Those with a cookie other than 0 are not called directly.
    // SAFETY: The guard is dropped at the end.
    let _run_ctx = unsafe { frame.run_ctx().enter() };
    target() as i32
}

/// Whether runs of programs are counted and timed.
#[inline(always)]
fn stats_enabled() -> bool {
    #[cfg(CONFIG_JUMP_LABEL)]
    {
        // SAFETY: The key is a real one that C defines, and the assembly only jumps.
        unsafe {
            kernel::jump_label::arch_static_branch! {
                bindings::bpf_stats_enabled_key, bindings::static_key_false, key, false
            }
        }
    }
    #[cfg(not(CONFIG_JUMP_LABEL))]
    {
        true
    }
}

/// Runs the programs of a hook, for [`Atomic`] trampolines.
///
/// Returns a verdict, or [`STUB`].
///
/// # Safety
///
/// `ctx` must be the context of a [`Frame`] for the hook's programs. The caller must have an
/// [`AtomicGuard`]. If the hook is sleepable, it must be able to sleep without that guard.
#[export]
#[inline(never)] // All trampolines contain a call, and most never execute it.
pub(crate) unsafe extern "C" fn krsi_run_list(
    ctx: *const c_void,
    _: *const bindings::bpf_insn,
) -> c_uint {
    // SAFETY: `ctx` is the context of a frame of the current task.
    let ctx = unsafe { Context::from_raw(ctx.cast()) };
    // SAFETY: `run` only uses the list while the caller's guard is held, or under the guard that it
    // takes itself.
    let current = || unsafe { STATE[ctx.hook()].current() };
    // SAFETY: `ctx` has the hook's arguments; the caller has the guard.
    let verdict = unsafe { run(current, ctx.as_ptr(), ctx.void()) };

    verdict.unwrap_or_else(|| stub(ctx)) as c_uint
}

/// Runs the programs of a hook, for [`Sleepable`] trampolines.
///
/// Returns a verdict, or [`STUB`].
///
/// # Safety
///
/// `ctx` must be the context of a [`Frame`] for the hook's programs. The caller must have a
/// [`SleepableGuard`].
#[export]
#[inline(never)] // All trampolines contain a call, and most never execute it.
pub(crate) unsafe extern "C" fn krsi_run_sleepable_list(
    ctx: *const c_void,
    _: *const bindings::bpf_insn,
) -> c_uint {
    // SAFETY: `ctx` is the context of a frame of the current task.
    let ctx = unsafe { Context::from_raw(ctx.cast()) };
    // SAFETY: `run_sleepable` only uses the list while the caller's guard is held.
    let current = || unsafe { STATE[ctx.hook()].current() };
    // SAFETY: `ctx` has the hook's arguments; the caller has the guard.
    let verdict = unsafe { run_sleepable(current, ctx.as_ptr(), ctx.void()) };

    verdict.unwrap_or_else(|| stub(ctx)) as c_uint
}

/// Requests the trampoline to call the stub.
#[cold]
fn stub(ctx: Context<'_>) -> i32 {
    ctx.request_stub();
    STUB
}

/// Executes the current action of a hook. Returns [`None`] if that is to call the stub.
///
/// # Safety
///
/// `ctx` must be the context of the hook's programs. The caller must have an [`AtomicGuard`]. If
/// the hook is sleepable, it must be able to sleep without that guard.
#[inline(always)]
pub(crate) unsafe fn run<'a>(
    current: impl Fn() -> Current<'a>,
    ctx: *const u64,
    void: bool,
) -> Option<i32> {
    match current() {
        Current::List(programs) if !programs.sleepable() => {
            // SAFETY: The caller's guard is of the kind that the list needs.
            Some(unsafe { run_atomic(programs, ctx, void) })
        }
        Current::List(_) => {
            let run = || {
                let _guard = SleepableGuard::new();
                // SAFETY: `ctx` has the hook's arguments; the guard is held.
                unsafe { run_sleepable(current, ctx, void) }
            };
            // SAFETY: The caller has a guard, and the list that was found under it is not used
            // afterwards.
            unsafe { AtomicGuard::suspend(run) }
        }
        Current::Nothing => Some(0),
        Current::Stub => None,
    }
}

/// Like [`run`], for callers that can sleep.
///
/// # Safety
///
/// `ctx` must be the context of the hook's programs. The caller must have a [`SleepableGuard`].
#[inline(always)]
unsafe fn run_sleepable<'a>(
    current: impl Fn() -> Current<'a>,
    ctx: *const u64,
    void: bool,
) -> Option<i32> {
    let mut found = current();

    if matches!(&found, Current::List(programs) if !programs.sleepable()) {
        // The list may have been replaced since the trampoline was chosen. A list without sleepable
        // programs needs RCU, so read the pointer again in an RCU section.
        let _rcu = rcu::read_lock();
        found = current();
        match found {
            Current::List(programs) if !programs.sleepable() => {
                // SAFETY: The RCU section is of the kind that the list needs; the caller's guard
                // disables migration.
                return Some(unsafe { run_atomic(programs, ctx, void) });
            }
            _ => {}
        }
    }
    match found {
        // SAFETY: The caller's guard is of the kind that the list needs.
        Current::List(programs) => Some(unsafe { run_each(programs, ctx, void) }),
        Current::Nothing => Some(0),
        Current::Stub => None,
    }
}

/// Runs a list without sleepable programs.
///
/// # Safety
///
/// `ctx` must be the context of the programs. The caller must be in an RCU read-side critical
/// section, in which it found the list, with migration disabled.
#[inline(always)]
unsafe fn run_atomic(programs: &Programs, ctx: *const u64, void: bool) -> i32 {
    let run_ctx = RunCtx::new();
    // SAFETY: The guard is dropped at the end.
    let run_ctx = unsafe { run_ctx.enter() };
    for attachment in programs.iter() {
        run_ctx.set_cookie(attachment.cookie);
        // SAFETY: `ctx` has the hook's arguments; the caller disables migration and is in the
        // critical section that keeps the programs.
        let verdict = unsafe { attachment.prog().run(ctx) };
        if verdict != 0 && !void {
            return verdict;
        }
    }
    0
}

/// Runs a list with sleepable programs.
///
/// # Safety
///
/// `ctx` must be the context of the programs. The caller must have a [`SleepableGuard`], under
/// which it found the list.
#[inline(never)]
unsafe fn run_each(programs: &Programs, ctx: *const u64, void: bool) -> i32 {
    let run_ctx = RunCtx::new();
    // SAFETY: The guard is dropped at the end.
    let run_ctx = unsafe { run_ctx.enter() };
    for attachment in programs.iter() {
        let prog = attachment.prog();
        // The verifier allows programs that do not sleep to rely on RCU.
        let _rcu = (!prog.sleepable()).then(rcu::read_lock);
        run_ctx.set_cookie(attachment.cookie);
        // SAFETY: `ctx` has the hook's arguments; the caller's guard disables migration and keeps
        // the programs.
        let verdict = unsafe { prog.run(ctx) };
        if verdict != 0 && !void {
            return verdict;
        }
    }
    0
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_trampoline)]
mod tests {
    use super::*;

    #[test]
    fn nothing_attached_is_no_verdict() {
        let frame = Frame::new(0, false, 0);
        let guard = AtomicGuard::new();
        // SAFETY: No program runs.
        let verdict = unsafe { run(|| Current::Nothing, frame.ctx(), false) };
        assert_eq!(verdict, Some(0));
        drop(guard);
        let _guard = SleepableGuard::new();
        // SAFETY: No program runs.
        let verdict = unsafe { run_sleepable(|| Current::Nothing, frame.ctx(), false) };
        assert_eq!(verdict, Some(0));
    }

    #[test]
    fn traced_hook_calls_its_stub() {
        let frame = Frame::new(0, false, 0);
        let guard = AtomicGuard::new();
        // SAFETY: No program runs.
        assert_eq!(unsafe { run(|| Current::Stub, frame.ctx(), false) }, None);
        drop(guard);
        let _guard = SleepableGuard::new();
        // SAFETY: No program runs.
        let verdict = unsafe { run_sleepable(|| Current::Stub, frame.ctx(), false) };
        assert_eq!(verdict, None);
    }

    #[test]
    fn only_a_request_calls_the_stub() {
        let frame = Frame::new(0, false, 0);
        // SAFETY: The context is the frame's.
        let context = unsafe { Context::from_raw(frame.ctx()) };

        assert_eq!(stub(context), STUB);
        assert!(frame.stub_requested());
    }
}
