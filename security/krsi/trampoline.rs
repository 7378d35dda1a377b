// SPDX-License-Identifier: GPL-2.0

//! From a hook's call to a verdict.
//!
//! Each hook has a trampoline of its own, instantiated for the types of its arguments. It lays the
//! arguments out as a BPF context and hands over to [`run`], which all hooks share: the newest
//! program first, until one returns other than 0, whose verdict is the hook's. If none does, the
//! verdict is the hook's default, which is not 0 for every hook.

use crate::{
    hooks::{self, Hook, State},
    programs::Programs,
};
use core::mem::{size_of, MaybeUninit};
use kernel::{
    bindings,
    bpf::{AtomicGuard, Prog, RunCtx},
    ffi::{c_int, c_uint},
    preempt::{might_fault, MigrateGuard},
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic},
        rcu, rcu_tasks_trace,
    },
};

/// The most words of arguments that any hook has; checked when the trampolines are instantiated.
const MAX_WORDS: usize = 6;

/// The context of BPF programs, as the verifier knows it.
///
/// The words of the arguments, then one for the return value of the program before, which is 0 or
/// no other program would run. In front, at index -1, the number of argument words.
#[repr(C)]
struct Frame {
    count: u64,
    words: [MaybeUninit<u64>; MAX_WORDS + 1],
}

impl Frame {
    #[inline(always)]
    fn new(count: usize) -> Self {
        let mut words = [MaybeUninit::uninit(); MAX_WORDS + 1];
        words[count].write(0);
        Self {
            count: count as u64,
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
        unsafe { self.words.as_mut_ptr().add(at).cast::<T>().write_unaligned(arg) };
        next
    }

    #[inline(always)]
    fn ctx(&self) -> *const u64 {
        // Derived from the whole, since programs look in front of the words too.
        // SAFETY: `words` comes right after `count`.
        unsafe { (&raw const *self).cast::<u64>().add(1) }
    }
}

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

/// A function type that hooks have: it knows its trampoline for each hook.
pub(crate) trait Callback<H: Hook>: Sized {
    /// The trampoline.
    const CALLBACK: Self;
}

/// The trampoline of a hook, with the type that the framework's table asks for.
pub(crate) const fn callback<H: Hook, F: Callback<H> + Copy>() -> F {
    F::CALLBACK
}

/// Implements [`Callback`] for functions with the given number of arguments.
macro_rules! trampoline {
    ($name:ident: $($arg:ident $ty:ident),*) => {
        /// # Safety
        ///
        /// To be called by the LSM framework only.
        unsafe extern "C" fn $name<H: Hook, R: Verdict, $($ty: Copy),*>($($arg: $ty),*) -> R {
            const {
                let words: usize = 0 $(+ words_of::<$ty>())*;
                assert!(words <= MAX_WORDS);
            }
            let state = &hooks::STATE[H::INDEX];
            #[allow(unused_mut)] // The hooks without arguments put none.
            let mut frame = Frame::new(const { 0 $(+ words_of::<$ty>())* });
            let at = 0;
            $(let at = frame.put(at, $arg);)*
            let _ = at;

            // SAFETY: The frame has the hook's arguments, as the verifier was told.
            match unsafe { run_direct(state, H::INDEX as c_uint, frame.ctx(), H::VOID) } {
                Outcome::Verdict(verdict) => R::from_verdict(verdict),
                Outcome::Default => R::from_verdict(H::DEFAULT),
                Outcome::Stub => {
                    // SAFETY: Stub and hook come from the same line of `lsm_hook_defs.h`, hence
                    // have the same type.
                    let stub: unsafe extern "C" fn($($ty),*) -> R =
                        unsafe { core::mem::transmute(H::STUB) };
                    // SAFETY: The arguments are those of the hook.
                    unsafe { stub($($arg),*) }
                }
            }
        }

        impl<H: Hook, R: Verdict, $($ty: Copy),*> Callback<H>
            for unsafe extern "C" fn($($ty),*) -> R
        {
            const CALLBACK: Self = $name::<H, R, $($ty),*>;
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

/// How a call of a hook ended.
enum Outcome {
    /// A program decided.
    Verdict(i32),
    /// No program decided.
    Default,
    /// The hook's stub has to be called: it is traced, and its image runs the programs.
    Stub,
}

/// A list that was found under a guard.
///
/// # Safety
///
/// For `'a` the caller must be in a critical section of RCU or of RCU Tasks Trace.
#[inline(always)]
unsafe fn load<'a>(list: &Atomic<*mut Programs>) -> Option<&'a Programs> {
    // SAFETY: Lists are retired after they were replaced, so that the critical section keeps this.
    unsafe { list.load(Acquire).as_ref() }
}

/// Runs the programs that the trampoline runs itself.
///
/// # Safety
///
/// `ctx` must be the context of the hook's programs.
unsafe fn run_direct(state: &State, hook: c_uint, ctx: *const u64, void: bool) -> Outcome {
    // SAFETY: By the safety requirements.
    match unsafe { run(&state.direct, hook, ctx, void) } {
        Some(outcome) => outcome,
        None if state.traced.load(Acquire) != 0 => Outcome::Stub,
        // Tracing may have ended since `direct` was null: look again.
        // SAFETY: By the safety requirements.
        None => unsafe { run(&state.direct, hook, ctx, void) }.unwrap_or(Outcome::Default),
    }
}

/// Runs the programs of a list, under the guard that they need. [`None`] if there is no list.
///
/// # Safety
///
/// `ctx` must be the context of the hook's programs.
#[inline(always)]
unsafe fn run(
    list: &Atomic<*mut Programs>,
    hook: c_uint,
    ctx: *const u64,
    void: bool,
) -> Option<Outcome> {
    let guard = AtomicGuard::new();
    // SAFETY: The guard is held until the end.
    let programs = unsafe { load(list) }?;
    if programs.sleepable {
        // Nothing of this list may be used after the guard.
        drop(guard);
        // SAFETY: By the safety requirements; a hook with such a program is one that may sleep.
        return unsafe { run_sleepable(list, hook, ctx, void) };
    }

    // SAFETY: An FFI call; `hook` is a hook's number.
    unsafe { bindings::krsi_count_call(hook) };
    let run_ctx = RunCtx::new();
    // SAFETY: The guard is dropped at the end.
    let run_ctx = unsafe { run_ctx.enter() };
    for attachment in programs.iter() {
        // SAFETY: The guard is held until the end.
        let Some(prog) = (unsafe { attachment.prog() }) else {
            continue;
        };
        run_ctx.set_cookie(attachment.cookie);
        // SAFETY: By the safety requirements; the guards are held.
        if let Some(verdict) = unsafe { run_one(prog, hook, ctx, void, guard.migrate()) } {
            return Some(Outcome::Verdict(verdict));
        }
    }
    Some(Outcome::Default)
}

/// As [`run`], for a list with programs that sleep.
///
/// # Safety
///
/// As for [`run`], and the caller must be able to sleep.
#[inline(never)]
unsafe fn run_sleepable(
    list: &Atomic<*mut Programs>,
    hook: c_uint,
    ctx: *const u64,
    void: bool,
) -> Option<Outcome> {
    let _trace = rcu_tasks_trace::Guard::new();
    let migrate = MigrateGuard::new();
    might_fault();
    // The list may have been replaced in between, by any other.
    // SAFETY: `_trace` is held until the end.
    let programs = unsafe { load(list) }?;

    // SAFETY: An FFI call; `hook` is a hook's number.
    unsafe { bindings::krsi_count_call(hook) };
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
        if let Some(verdict) = unsafe { run_one(prog, hook, ctx, void, &migrate) } {
            return Some(Outcome::Verdict(verdict));
        }
    }
    Some(Outcome::Default)
}

/// Runs a program and returns its verdict if that ends the walk.
///
/// # Safety
///
/// As for [`Prog::run`].
#[inline(always)]
unsafe fn run_one(
    prog: &Prog,
    hook: c_uint,
    ctx: *const u64,
    void: bool,
    migrate: &MigrateGuard,
) -> Option<i32> {
    // SAFETY: By the safety requirements.
    let verdict = unsafe { prog.run(ctx, migrate) };
    if void || verdict == 0 {
        return None;
    }
    // SAFETY: An FFI call; `hook` is a hook's number.
    unsafe { bindings::krsi_count_denial(hook) };
    Some(verdict)
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
    let void = hooks::FACTS[hook as usize].void;
    // SAFETY: By the safety requirements.
    match unsafe { run(&hooks::STATE[hook as usize].all, hook, ctx, void) } {
        Some(Outcome::Verdict(verdict)) => verdict,
        _ => 0,
    }
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[macros::kunit_tests(krsi_frame)]
mod tests {
    use super::*;

    /// Reads the word at `index` of a context, as a program would.
    fn word(frame: &Frame, index: isize) -> u64 {
        // SAFETY: The tests read words that they or `Frame::new` wrote.
        unsafe { frame.ctx().offset(index).read() }
    }

    #[test]
    fn count_is_in_front_and_return_value_behind() {
        let mut frame = Frame::new(2);
        let at = frame.put(0, 11u64);
        frame.put(at, 22u64);
        assert_eq!(word(&frame, -1), 2);
        assert_eq!(word(&frame, 0), 11);
        assert_eq!(word(&frame, 1), 22);
        assert_eq!(word(&frame, 2), 0);
    }

    #[test]
    fn narrow_arguments_leave_no_garbage() {
        let mut frame = Frame::new(4);
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
        let mut frame = Frame::new(4);
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
        let frame = Frame::new(0);
        assert_eq!(word(&frame, -1), 0);
        assert_eq!(word(&frame, 0), 0);
    }

    #[test]
    fn nothing_attached_is_no_verdict() {
        let state = State::new();
        let frame = Frame::new(0);
        // SAFETY: No program runs.
        let outcome = unsafe { run_direct(&state, 0, frame.ctx(), false) };
        assert!(matches!(outcome, Outcome::Default));
    }

    #[test]
    fn traced_hook_calls_its_stub() {
        let state = State::new();
        state.traced.store(1, kernel::sync::atomic::Relaxed);
        let frame = Frame::new(0);
        // SAFETY: No program runs.
        let outcome = unsafe { run_direct(&state, 0, frame.ctx(), false) };
        assert!(matches!(outcome, Outcome::Stub));
    }
}
