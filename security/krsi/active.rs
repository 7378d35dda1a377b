// SPDX-License-Identifier: GPL-2.0

//! Whether KRSI, or another LSM, runs BPF programs.

use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};

/// Whether KRSI is the LSM that runs BPF programs. Set at boot and never cleared.
static ACTIVE: Atomic<i32> = Atomic::new(0);

/// Whether KRSI is the LSM that runs BPF programs.
pub(crate) fn active() -> bool {
    ACTIVE.load(Relaxed) != 0
}

/// Whether KRSI is the LSM that runs BPF programs, for C. Any context, from boot on.
///
/// # Safety
///
/// None.
#[export]
pub(crate) unsafe extern "C" fn krsi_active() -> bool {
    active()
}

/// Whether any LSM runs BPF programs.
pub(crate) fn programs_enforced() -> bool {
    // SAFETY: Written at boot only, before any program can be attached.
    unsafe { bindings::bpf_lsm_initialized }
}

/// Makes KRSI the LSM that runs BPF programs.
///
/// # Safety
///
/// Must be called once, at boot, with one CPU and one task.
#[link_section = ".init.text"]
pub(crate) unsafe fn activate() {
    // SAFETY: There is one task, so no other task reads the variable concurrently.
    unsafe { bindings::bpf_lsm_initialized = true };
    ACTIVE.store(1, Relaxed);
}
