// SPDX-License-Identifier: GPL-2.0

//! The lock that serialises all changes of all hooks, and the data that it protects.
//!
//! Functions that need the lock borrow a part of [`Protected`], which proves that the caller holds
//! the lock.

#[cfg(CONFIG_HAVE_STATIC_CALL)]
use crate::chain::Chains;
use crate::programs::Spares;
use kernel::{bindings, prelude::*, sync::GlobalGuard};

kernel::sync::global_lock! {
    /// Serialises all changes of all hooks.
    ///
    /// Nests inside the lock of a trampoline. The locks of the jump label code nest inside it.
    // SAFETY: Initialised by `init` before first use.
    pub(crate) unsafe(uninit) static LOCK: Mutex<Protected> = Protected::new();
}

/// The data that the lock protects. It also protects the targets of static calls.
pub(crate) struct Protected {
    /// The lists of all hooks.
    pub(crate) lists: Lists,
    /// Preallocated lists for each hook, for detaching programs.
    pub(crate) spares: [Spares; bindings::krsi_hook_KRSI_HOOK_COUNT as usize],
    /// The chains of all hooks.
    #[cfg(CONFIG_HAVE_STATIC_CALL)]
    pub(crate) chains: Chains,
}

impl Protected {
    const fn new() -> Self {
        Self {
            lists: Lists(()),
            spares: [const { Spares::new() }; bindings::krsi_hook_KRSI_HOOK_COUNT as usize],
            #[cfg(CONFIG_HAVE_STATIC_CALL)]
            chains: Chains::new(),
        }
    }
}

/// Proof that the lock is held. The lists themselves are in [`crate::hook::STATE`].
///
/// # Invariants
///
/// The only value is the one that the lock protects. Functions that replace and retire a list
/// borrow the value mutably, so no list is retired during a shared borrow.
pub(crate) struct Lists(());

/// Initialises the lock.
///
/// # Safety
///
/// Must be called once, at boot, before [`lock`].
#[link_section = ".init.text"]
pub(crate) unsafe fn init() {
    // SAFETY: The caller calls this once.
    unsafe { LOCK.init() };
}

/// Takes the lock. May sleep. KRSI must be active.
pub(crate) fn lock() -> GlobalGuard<LOCK> {
    LOCK.lock()
}
