// SPDX-License-Identifier: GPL-2.0

//! Hooks whose `bpf_lsm_*()` stubs are traced by other BPF programs.
//!
//! fentry, fexit and fmod_ret programs attach to the stub, which KRSI does not call by default.
//! While such programs are attached, the framework or the trampoline calls the stub. The stub's
//! image, which the BPF core generates, runs KRSI's programs through a shim. So tracers see every
//! call, and fexit programs see its verdict.
//!
//! No call may miss the programs while a hook changes between the two modes. A call reads one
//! pointer, which is a list or [`Current::Stub`](crate::hook::Current::Stub). When tracing begins,
//! the image exists before the pointer changes. When it ends, the image is kept until no task can
//! enter it.

use crate::{
    active::active,
    attach,
    hook::STATE,
    hook_table::{self, FACTS},
    lock::lock,
    trampoline,
};
use kernel::{
    bindings,
    bpf::AtomicGuard,
    ffi::{c_int, c_uint, c_void},
    prelude::*,
};

/// Returns the number of the hook whose stub is `func`. -1 if it is not a stub, or KRSI is not
/// active.
///
/// Any context.
///
/// # Safety
///
/// None.
#[export]
pub(crate) unsafe extern "C" fn krsi_hook_of(func: *const c_void) -> c_int {
    if !active() {
        return -1;
    }
    hook_table::by_stub(func).map_or(-1, |hook| hook as c_int)
}

/// Whether KRSI has programs attached to a hook.
///
/// May sleep.
///
/// # Safety
///
/// `hook` must be a hook's number.
#[export]
pub(crate) unsafe extern "C" fn krsi_has_progs(hook: c_uint) -> bool {
    let guard = lock();

    STATE[hook as usize].programs(&guard.lists).is_some()
}

/// Makes a hook call its stub. Does nothing if it already does.
///
/// May sleep.
///
/// # Safety
///
/// `hook` must be a hook's number. The caller must hold the lock of the stub's trampoline, whose
/// image must run the shim if programs are attached.
#[export]
pub(crate) unsafe extern "C" fn krsi_trace_begin(hook: c_uint) {
    let mut guard = lock();

    STATE[hook as usize].set_traced(true, &mut guard.lists);
    attach::switch(hook as usize, &mut guard);
}

/// Makes a hook run its programs directly again.
///
/// May sleep. Returns true if programs are attached.
///
/// # Safety
///
/// `hook` must be a hook's number. The caller must hold the lock of the stub's trampoline. If this
/// returns true, it must keep the image until a grace period of RCU Tasks has passed.
#[export]
pub(crate) unsafe extern "C" fn krsi_trace_end(hook: c_uint) -> bool {
    let mut guard = lock();
    let state = &STATE[hook as usize];

    state.set_traced(false, &mut guard.lists);
    attach::switch(hook as usize, &mut guard);
    state.programs(&guard.lists).is_some()
}

/// Runs all programs of a hook from the image of its stub.
///
/// Returns the return value of the shim: a verdict, or 0 to continue.
///
/// # Safety
///
/// `ctx` must be the context of the hook's programs, and `hook` must be a hook's number.
#[export]
pub(crate) unsafe extern "C" fn krsi_run(ctx: *const u64, hook: c_uint) -> c_int {
    let state = &STATE[hook as usize];
    let guard = AtomicGuard::new();
    // SAFETY: An FFI call; `hook` is a hook's number.
    unsafe { bindings::krsi_count_call(hook) };
    // SAFETY: `run` only uses the list while the guard is held, or under the guard that it takes
    // itself.
    let current = || unsafe { state.traced_current() };
    // SAFETY: `ctx` has the hook's arguments; the guard is held.
    let verdict = unsafe { trampoline::run(current, ctx, FACTS[hook as usize].void) };
    drop(guard);

    // `traced_current` never returns `Current::Stub`, so there is a verdict.
    let verdict = verdict.unwrap_or(0);
    if verdict != 0 {
        // SAFETY: An FFI call; `hook` is a hook's number.
        unsafe { bindings::krsi_count_denial(hook) };
    }
    verdict
}
