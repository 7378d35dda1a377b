// SPDX-License-Identifier: GPL-2.0

//! Hooks whose `bpf_lsm_*()` stubs other BPF programs trace.
//!
//! fentry, fexit and fmod_ret programs attach to the stub, which KRSI does not call otherwise.
//! While there are any, the framework calls the stub instead of the trampoline, or the trampoline
//! does, and the image that the BPF core generated for it runs, through a shim, KRSI's programs
//! too: tracers see every call, and fexit its verdict.
//!
//! No call may slip through between the two ways. Going to the stub, the image is there first.
//! Coming back, `direct` is set before `traced` is cleared; a trampoline that found `direct` null
//! looks again when it finds `traced` cleared; and the image stays until no task can be on its way
//! to it.

use crate::{attach, hooks, lsm};
use kernel::{
    ffi::{c_int, c_uint, c_void},
    prelude::*,
    sync::atomic::{Relaxed, Release},
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
    if !lsm::active() {
        return -1;
    }
    hooks::by_stub(func).map_or(-1, |hook| hook as c_int)
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
    let guard = attach::LOCK.lock();

    attach::programs(&hooks::STATE[hook as usize], &guard).is_some()
}

/// Makes a hook call its stub. Does nothing if it does.
///
/// May sleep.
///
/// # Safety
///
/// `hook` must be a hook's number. The caller must hold the lock of the stub's trampoline, whose
/// image must run the shim.
#[export]
pub(crate) unsafe extern "C" fn krsi_trace_begin(hook: c_uint) {
    let mut guard = attach::LOCK.lock();
    let state = &hooks::STATE[hook as usize];

    state.traced.store(1, Release);
    state.direct.store(core::ptr::null_mut(), Release);
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
    let mut guard = attach::LOCK.lock();
    let state = &hooks::STATE[hook as usize];
    let all = state.all.load(Relaxed);

    state.direct.store(all, Release);
    state.traced.store(0, Release);
    attach::switch(hook as usize, &mut guard);
    !all.is_null()
}
