// SPDX-License-Identifier: GPL-2.0

//! From a hook's call to a verdict.
//!
//! Each hook has a trampoline of its own, instantiated for the types of its arguments. It lays the
//! arguments out as a BPF context and makes a static call: of the hook's program, if it has one and
//! that needs no more, or else of [`krsi_run_list`], which all hooks share and which runs the
//! newest program first, until one returns other than 0, whose verdict is the hook's. If none does,
//! the verdict is the hook's default, which is not 0 for every hook.

use crate::{
    hooks::{self, Hook, State},
    programs::{List, Programs},
};
use core::mem::{offset_of, size_of, MaybeUninit};
use kernel::{
    bindings,
    bpf::{AtomicGuard, RunCtx, SleepableGuard},
    ffi::{c_int, c_uint, c_void},
    prelude::*,
    sync::{atomic::Acquire, rcu},
};

/// The most words of arguments that any hook has; checked when the trampolines are instantiated.
const MAX_WORDS: usize = 6;

/// What a trampoline lays out for BPF programs: their context, as the verifier knows it, and in
/// front of it the run context of a hook's only program, or of a chain.
///
/// The context has the words of the arguments, then one for the return value of the program before,
/// which is 0 or no other program would run. In front, at index -1, is the number of argument
/// words, of which programs are told the lower byte; above it, for [`krsi_run_list`], the number of
/// the hook.
#[repr(C)]
pub(crate) struct Frame {
    run_ctx: RunCtx,
    meta: u64,
    words: [MaybeUninit<u64>; MAX_WORDS + 1],
}

// Chains, given a frame, have to know where the context is.
const _: () = assert!(offset_of!(Frame, words) == bindings::KRSI_FRAME_CTX as usize);

impl Frame {
    /// In front of the context: a constant, which takes no register.
    const fn meta(hook: usize, count: usize) -> u64 {
        assert!(count <= 0xff && hook < 1 << 15);
        (hook << 16 | count) as u64
    }

    /// The hook that a context was made for.
    ///
    /// # Safety
    ///
    /// `ctx` must be the context of a frame.
    unsafe fn hook_of(ctx: *const u64) -> usize {
        // SAFETY: By the safety requirements, `meta` comes right before the context.
        unsafe { (*ctx.sub(1) >> 16) as usize }
    }

    /// A frame for `count` words of arguments of a hook.
    #[inline(always)]
    fn new(hook: usize, count: usize) -> Self {
        let mut words = [MaybeUninit::uninit(); MAX_WORDS + 1];
        words[count].write(0);
        Self {
            run_ctx: RunCtx::new(),
            meta: Self::meta(hook, count),
            words,
        }
    }

    /// Puts an argument at word `at` and returns where the next one goes.
    #[inline(always)]
    fn put<T: Copy>(&mut self, at: usize, arg: T) -> usize {
        let next = at + words_of::<T>();
        // A sum of bytes that BPF programs can load as a whole: no part is left undefined.
        self.words[next - 1].write(0);
        // SAFETY: `words_of` words from `at` hold a `T`; `next` is at most `MAX_WORDS`, which the
        // caller checks when it is compiled.
        unsafe {
            self.words
                .as_mut_ptr()
                .add(at)
                .cast::<T>()
                .write_unaligned(arg)
        };
        next
    }

    /// Reads back what was put at word `at`, and says where the next argument is.
    #[inline(always)]
    fn take<T: Copy>(&self, at: usize) -> (T, usize) {
        // SAFETY: A `T` was put there; programs cannot write to their context.
        let arg = unsafe { self.words.as_ptr().add(at).cast::<T>().read_unaligned() };
        (arg, at + words_of::<T>())
    }

    #[inline(always)]
    pub(crate) fn ctx(&self) -> *const u64 {
        // Derived from the whole, since programs look in front of the words too.
        // SAFETY: `words` is in there.
        unsafe { (&raw const *self).byte_add(offset_of!(Frame, words)).cast() }
    }
}

/// Says that the code after it is not what usually runs.
#[cold]
#[inline(always)]
fn unlikely() {}

/// How many words an argument takes: one, or two for the few structures passed by value.
const fn words_of<T>() -> usize {
    size_of::<T>().div_ceil(8)
}

/// What a hook returns.
pub(crate) trait Verdict {
    /// Makes it from what a program returned, or the default.
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

/// What a trampoline's target runs under.
///
/// # Safety
///
/// The guard must keep what [`Section::call`] calls, and all that it needs, until it is dropped.
pub(crate) unsafe trait Section {
    /// Dropped when the target has returned.
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

/// For hooks in general: RCU. A list with programs that sleep leaves it.
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
        // SAFETY: By the safety requirements.
        let target = || unsafe { H::call_target(frame) };
        // SAFETY: As above.
        unsafe { call_target(target, krsi_run_list, frame) }
    }
}

/// For hooks whose only program sleeps: RCU Tasks Trace.
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
        // SAFETY: By the safety requirements.
        let target = || unsafe { H::call_sleepable_target(frame) };
        // SAFETY: As above.
        unsafe { call_target(target, krsi_run_sleepable_list, frame) }
    }
}

/// A function type that hooks have: it knows its trampolines for each hook.
pub(crate) trait Callback<H: Hook, S: Section>: Sized {
    /// The trampoline.
    const CALLBACK: Self;
}

/// The trampoline of a hook, with the type that the framework's table asks for.
pub(crate) const fn callback<H: Hook, F: Callback<H, Atomic> + Copy>() -> F {
    F::CALLBACK
}

/// The trampoline of a hook whose only program sleeps.
pub(crate) const fn sleepable_callback<H: Hook, F: Callback<H, Sleepable> + Copy>() -> F {
    F::CALLBACK
}

/// Implements [`Callback`] for functions with the given number of arguments.
macro_rules! trampoline {
    ($name:ident: $($arg:ident $ty:ident),*) => {
        /// # Safety
        ///
        /// To be called by the LSM framework only.
        unsafe extern "C" fn $name<H: Hook, S: Section, R: Verdict, $($ty: Copy),*>(
            $($arg: $ty),*
        ) -> R {
            const {
                let words: usize = 0 $(+ words_of::<$ty>())*;
                assert!(words <= MAX_WORDS);
            }
            #[allow(unused_mut)] // The hooks without arguments put none.
            let mut frame = Frame::new(H::INDEX, const { 0 $(+ words_of::<$ty>())* });
            let at = 0;
            $(let at = frame.put(at, $arg);)*
            let _ = at;

            let guard = S::enter();
            // SAFETY: An FFI call with a hook's number.
            unsafe { bindings::krsi_count_call(H::INDEX as c_uint) };
            // SAFETY: The frame has the hook's arguments, as the verifier was told.
            let verdict = unsafe { S::call::<H>(&frame) };
            drop(guard);

            if verdict == 0 {
                return R::from_verdict(H::DEFAULT);
            }
            unlikely();
            if verdict == STUB {
                // The shim in the stub's image counts the call, if there are programs.
                // SAFETY: An FFI call with a hook's number.
                unsafe { bindings::krsi_uncount_call(H::INDEX as c_uint) };
                let stub: unsafe extern "C" fn($($ty),*) -> R =
                    // SAFETY: Stub and hook come from the same line of `lsm_hook_defs.h`, hence
                    // have the same type.
                    unsafe { core::mem::transmute(H::STUB) };
                let at = 0;
                // From the frame, lest the arguments are kept in registers that are in the way of
                // every call.
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

/// What a trampoline calls under its guard: the code of a program or of a chain, [`krsi_run_list`]
/// or [`krsi_run_sleepable_list`].
///
/// Has the second argument because programs have it for the interpreter; it is not set.
///
/// Returns the verdict, or [`STUB`].
pub(crate) type Target =
    unsafe extern "C" fn(ctx: *const c_void, unset: *const bindings::bpf_insn) -> c_uint;

/// Stands for a verdict: the hook's stub has to be called, its image runs the programs.
///
/// No program of a hook that returns something can return this; the verifier sees to that. One of
/// a hook that returns nothing can, and makes the trampoline call a function that does nothing.
const STUB: i32 = i32::MIN;

/// Calls `target`, or `list`, which is slower and counts, if statistics are enabled.
///
/// # Safety
///
/// `frame` must have the context of the hook's programs. The caller must have the guard that both
/// functions need.
#[inline(always)]
unsafe fn call_target(target: impl FnOnce() -> c_uint, list: Target, frame: &Frame) -> i32 {
    if stats_enabled() {
        // SAFETY: By the safety requirements.
        return unsafe { list(frame.ctx().cast(), core::ptr::null()) as i32 };
    }
    // A program could ask for its cookie; those that have one are not called from here.
    // SAFETY: The guard is dropped at the end.
    let _run_ctx = unsafe { frame.run_ctx.enter() };
    target() as i32
}

/// Whether the runs of programs have to be counted and timed.
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

/// A list that was found under a guard.
///
/// # Safety
///
/// For `'a` the caller must be in a critical section of RCU or of RCU Tasks Trace.
#[inline(always)]
unsafe fn load<'a>(list: &List) -> Option<&'a Programs> {
    // SAFETY: Lists are retired after they were replaced, so that the critical section keeps this.
    unsafe { list.load(Acquire).as_ref() }
}

/// Runs the list of a hook, for [`Atomic`] trampolines.
///
/// Returns a verdict, or [`STUB`].
///
/// # Safety
///
/// `ctx` must be the context of a [`Frame`] for the hook's programs. The caller must have
/// an [`AtomicGuard`] and nothing else that forbids to sleep where the hook's programs may.
#[export]
#[inline(never)] // Most trampolines never call it, and each has a call.
pub(crate) unsafe extern "C" fn krsi_run_list(
    ctx: *const c_void,
    _: *const bindings::bpf_insn,
) -> c_uint {
    // SAFETY: By the safety requirements.
    let hook = unsafe { Frame::hook_of(ctx.cast()) };
    let (state, void) = (&hooks::STATE[hook], hooks::FACTS[hook].void);
    // SAFETY: By the safety requirements.
    direct_or_stub(state, || unsafe { run(&state.direct, ctx.cast(), void) }) as c_uint
}

/// Runs the list of a hook, for [`Sleepable`] trampolines.
///
/// Returns a verdict, or [`STUB`].
///
/// # Safety
///
/// As for [`krsi_run_list`], with a [`SleepableGuard`].
#[export]
#[inline(never)] // Most trampolines never call it, and each has a call.
pub(crate) unsafe extern "C" fn krsi_run_sleepable_list(
    ctx: *const c_void,
    _: *const bindings::bpf_insn,
) -> c_uint {
    // SAFETY: By the safety requirements.
    let hook = unsafe { Frame::hook_of(ctx.cast()) };
    let (state, void) = (&hooks::STATE[hook], hooks::FACTS[hook].void);
    // SAFETY: By the safety requirements.
    direct_or_stub(state, || unsafe {
        run_sleepable(&state.direct, ctx.cast(), void)
    }) as c_uint
}

/// Runs the programs that the trampoline runs itself, with `run`, or says that there are none: it
/// is the stub then, if the hook is traced.
#[inline(always)]
fn direct_or_stub(state: &State, run: impl Fn() -> Option<i32>) -> i32 {
    match run() {
        Some(verdict) => verdict,
        None if state.traced.load(Acquire) != 0 => STUB,
        // Tracing may have ended since `direct` was null: look again.
        None => run().unwrap_or(0),
    }
}

/// Runs the programs of a list. [`None`] if there is no list.
///
/// # Safety
///
/// As for [`krsi_run_list`].
#[inline(always)]
unsafe fn run(list: &List, ctx: *const u64, void: bool) -> Option<i32> {
    // SAFETY: The caller's guard is held until the end.
    let programs = unsafe { load(list) }?;
    if programs.sleepable {
        let run = || {
            let _guard = SleepableGuard::new();
            // SAFETY: By the safety requirements, with the guard.
            unsafe { run_sleepable(list, ctx, void) }
        };
        // SAFETY: The caller has a guard, and what was found under it is not used any more.
        return unsafe { AtomicGuard::suspend(run) };
    }

    let run_ctx = RunCtx::new();
    // SAFETY: The guard is dropped at the end.
    let run_ctx = unsafe { run_ctx.enter() };
    for attachment in programs.iter() {
        // SAFETY: The caller's guard is held until the end.
        let Some(prog) = (unsafe { attachment.prog() }) else {
            continue;
        };
        run_ctx.set_cookie(attachment.cookie);
        // SAFETY: By the safety requirements; the caller's guard disables migration.
        let verdict = unsafe { prog.run(ctx) };
        if verdict != 0 && !void {
            return Some(verdict);
        }
    }
    Some(0)
}

/// As [`run`], where programs may sleep.
///
/// # Safety
///
/// As for [`krsi_run_sleepable_list`].
#[inline(never)]
unsafe fn run_sleepable(list: &List, ctx: *const u64, void: bool) -> Option<i32> {
    // The list may be any: it can have been replaced since somebody chose to come here.
    // SAFETY: The caller's guard is held until the end.
    let programs = unsafe { load(list) }?;

    let run_ctx = RunCtx::new();
    // SAFETY: The guard is dropped at the end.
    let run_ctx = unsafe { run_ctx.enter() };
    for attachment in programs.iter() {
        // Before the program is loaded: a detached program that does not sleep is freed after a
        // grace period of RCU alone.
        let _rcu = (!attachment.sleepable).then(rcu::read_lock);
        // SAFETY: The guard that the program needs is held until it returns.
        let Some(prog) = (unsafe { attachment.prog() }) else {
            continue;
        };
        run_ctx.set_cookie(attachment.cookie);
        // SAFETY: By the safety requirements; the guards are held.
        let verdict = unsafe { prog.run(ctx) };
        if verdict != 0 && !void {
            return Some(verdict);
        }
    }
    Some(0)
}

/// Runs all programs of a hook from the image of its stub; see [`crate::trace`].
///
/// Returns what the shim returns as a program: a verdict, or 0 to go on.
///
/// # Safety
///
/// `ctx` must be the context of the hook's programs, `hook` a hook's number.
#[export]
pub(crate) unsafe extern "C" fn krsi_run(ctx: *const u64, hook: c_uint) -> c_int {
    let facts = &hooks::FACTS[hook as usize];
    let guard = AtomicGuard::new();
    // SAFETY: An FFI call; `hook` is a hook's number.
    unsafe { bindings::krsi_count_call(hook) };
    // SAFETY: By the safety requirements.
    let verdict = unsafe { run(&hooks::STATE[hook as usize].all, ctx, facts.void) }.unwrap_or(0);
    drop(guard);
    if verdict != 0 {
        // SAFETY: An FFI call; `hook` is a hook's number.
        unsafe { bindings::krsi_count_denial(hook) };
    }
    verdict
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_frame)]
mod tests {
    use super::*;

    /// Reads the word at `index` of a context, as a program would.
    fn word(frame: &Frame, index: isize) -> u64 {
        // SAFETY: The tests read words that they or `Frame::new` wrote.
        unsafe { frame.ctx().offset(index).read() }
    }

    #[test]
    fn count_is_in_front_and_return_value_behind() {
        let mut frame = Frame::new(0, 2);
        let at = frame.put(0, 11u64);
        frame.put(at, 22u64);
        assert_eq!(word(&frame, -1), 2);
        assert_eq!(word(&frame, 0), 11);
        assert_eq!(word(&frame, 1), 22);
        assert_eq!(word(&frame, 2), 0);
    }

    #[test]
    fn the_hook_is_beyond_what_programs_are_told() {
        let frame = Frame::new(hooks::COUNT - 1, MAX_WORDS);
        assert_eq!(word(&frame, -1) & 0xff, MAX_WORDS as u64);
        // SAFETY: The context is the frame's.
        assert_eq!(unsafe { Frame::hook_of(frame.ctx()) }, hooks::COUNT - 1);
    }

    #[test]
    fn narrow_arguments_leave_no_garbage() {
        let mut frame = Frame::new(0, 4);
        let at = frame.put(0, -1i32);
        let at = frame.put(at, true);
        let at = frame.put(at, 0xffffu16);
        frame.put(at, 0u8);
        assert_eq!(word(&frame, 0), 0xffff_ffff);
        assert_eq!(word(&frame, 1), 1);
        assert_eq!(word(&frame, 2), 0xffff);
        assert_eq!(word(&frame, 3), 0);
    }

    #[test]
    fn sixteen_bytes_take_two_words() {
        let mut frame = Frame::new(0, 4);
        let at = frame.put(0, 1u64);
        let at = frame.put(at, (0x1111_2222_3333_4444u64, true));
        assert_eq!(at, 3);
        frame.put(at, 5u64);
        assert_eq!(word(&frame, 0), 1);
        assert_eq!(word(&frame, 1), 0x1111_2222_3333_4444);
        assert_eq!(word(&frame, 2) & 0xff, 1);
        assert_eq!(word(&frame, 3), 5);
        assert_eq!(word(&frame, 4), 0);
    }

    #[test]
    fn hooks_without_arguments_have_a_context() {
        let frame = Frame::new(0, 0);
        assert_eq!(word(&frame, -1), 0);
        assert_eq!(word(&frame, 0), 0);
    }

    #[test]
    fn nothing_attached_is_no_verdict() {
        let state = State::new();
        let frame = Frame::new(0, 0);
        let _guard = AtomicGuard::new();
        // SAFETY: No program runs.
        let run = || unsafe { run(&state.direct, frame.ctx(), false) };
        assert_eq!(direct_or_stub(&state, run), 0);
    }

    #[test]
    fn traced_hook_calls_its_stub() {
        let state = State::new();
        state.traced.store(1, kernel::sync::atomic::Relaxed);
        let frame = Frame::new(0, 0);
        let _guard = SleepableGuard::new();
        // SAFETY: No program runs.
        let run = || unsafe { run_sleepable(&state.direct, frame.ctx(), false) };
        assert_eq!(direct_or_stub(&state, run), STUB);
    }
}
