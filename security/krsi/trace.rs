// SPDX-License-Identifier: GPL-2.0

//! Hooks whose `bpf_lsm_*()` stubs other BPF programs trace.
//!
//! fentry, fexit and fmod_ret programs attach to the stub, which KRSI does not call otherwise.
//! While there are any, the framework calls the stub instead of the trampoline, or the trampoline
//! does, and the image that the BPF core generated for it runs, through a shim, KRSI's programs
//! too: tracers see every call, and fexit its verdict.
//!
//! No call may slip through between the two ways. A call finds both in one pointer: a list, or that
//! it has to go to the stub. Going to the stub, the image is there first. Coming back, the image
//! stays until no task can be on its way to it.

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

/// The number of the hook whose stub `func` is, or -1 if it is none, or KRSI is not active.
///
/// Any context.
///
/// # Safety
///
/// None needed; the declaration in C has no other way.
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

/// Makes a hook call its stub. Does nothing if it does.
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

/// Makes a hook run its programs itself again.
///
/// May sleep. Returns true if programs are attached.
///
/// # Safety
///
/// `hook` must be a hook's number. The caller must hold the lock of the stub's trampoline, and keep
/// the image, if this returns true, until a grace period of RCU Tasks has passed.
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
/// Returns what the shim returns as a program: a verdict, or 0 to go on.
///
/// # Safety
///
/// `ctx` must be the context of the hook's programs, `hook` a hook's number.
#[export]
pub(crate) unsafe extern "C" fn krsi_run(ctx: *const u64, hook: c_uint) -> c_int {
    let state = &STATE[hook as usize];
    let guard = AtomicGuard::new();
    // SAFETY: An FFI call; `hook` is a hook's number.
    unsafe { bindings::krsi_count_call(hook) };
    // SAFETY: Used as `run` does, under the guard.
    let current = || unsafe { state.traced_current() };
    // SAFETY: `ctx` has the hook's arguments; the guard is held.
    let verdict = unsafe { trampoline::run(current, ctx, FACTS[hook as usize].void) };
    drop(guard);

    // A call that came from the stub does not go there.
    let verdict = verdict.unwrap_or(0);
    if verdict != 0 {
        // SAFETY: An FFI call; `hook` is a hook's number.
        unsafe { bindings::krsi_count_denial(hook) };
    }
    verdict
}
