// SPDX-License-Identifier: GPL-2.0

//! Registration and initialisation of the security module.

use crate::{active, blob, boot, hook, hook_table, lock, securityfs};
use kernel::{
    bindings,
    lsm::{define_lsm, LsmId},
    prelude::*,
};

static ID: LsmId = LsmId::new(c"krsi", bindings::LSM_ID_KRSI as u64);

define_lsm!(KRSI {
    id: ID.as_ptr(),
    flags: bindings::LSM_FLAG_BPF,
    blobs: blob::SIZES.as_ptr(),
    init: Some(init),
    initcall_fs: Some(init_securityfs),
    initcall_late: Some(load_boot_programs),
});

/// Initialises KRSI. Called by the framework at boot, with one CPU and no other task.
// In `.init.text` because `security_add_hooks()` is.
#[link_section = ".init.text"]
extern "C" fn init() -> c_int {
    // SAFETY: This is called once, before another task exists.
    unsafe { lock::init() };
    // SAFETY: The tables are added once, by the module's initialiser, which is in `.init.text`.
    unsafe {
        // These come before the programs, which find the slots that were inherited, labelled by
        // boot programs, or read from attributes.
        kernel::lsm::add_hooks(&blob::INHERIT_HOOKS, &ID);
        kernel::lsm::add_hooks(&blob::ALLOC_HOOKS, &ID);
        kernel::lsm::add_hooks(&blob::XATTR_HOOKS, &ID);
        kernel::lsm::add_hooks(&hook_table::HOOKS, &ID);
        kernel::lsm::add_hooks(&hook_table::STORAGE_HOOKS, &ID);
    }
    for hook in &hook_table::HOOKS {
        // The framework has enabled all hooks. Hooks without programs are disabled.
        if let Some(key) = hook.active_key() {
            key.disable();
        }
    }
    blob::init();
    boot::init();
    // SAFETY: This is called once, with one CPU and one task.
    unsafe { active::activate() };
    pr_info!(
        "LSM support for eBPF active in place of bpf, {} hooks\n",
        hook::COUNT
    );
    0
}

/// Creates the files in securityfs. After an error, KRSI works without them.
extern "C" fn init_securityfs() -> c_int {
    match securityfs::init() {
        Ok(()) => 0,
        Err(e) => e.to_errno(),
    }
}

/// Loads the boot programs, after the kfuncs are registered and before user space exists. Programs
/// cannot be verified earlier.
extern "C" fn load_boot_programs() -> c_int {
    boot::load();
    0
}
