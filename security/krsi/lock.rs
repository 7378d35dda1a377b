// SPDX-License-Identifier: GPL-2.0

//! The lock that serialises all changes of all hooks, and what it protects.
//!
//! Functions that need the lock take the part of [`Protected`] that they are about, which only the
//! holder of the lock can lend.

#[cfg(CONFIG_HAVE_STATIC_CALL)]
use crate::chain::Chains;
use crate::programs::Spares;
use kernel::{bindings, prelude::*, sync::GlobalGuard};

kernel::sync::global_lock! {
    /// Serialises all changes of all hooks.
    ///
    /// Taken under the lock of a trampoline, and over the locks of the jump label code.
    // SAFETY: Initialised by `init` before first use.
    pub(crate) unsafe(uninit) static LOCK: Mutex<Protected> = Protected::new();
}

/// What the lock protects, besides the targets of static calls.
pub(crate) struct Protected {
    /// The lists of all hooks.
    pub(crate) lists: Lists,
    /// Memory for shorter lists, for each hook.
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
/// The only value is the one that the lock protects. A list is replaced and retired by functions
/// that borrow it mutably, so that no list goes away during a shared borrow.
pub(crate) struct Lists(());

/// Initialises the lock.
///
/// # Safety
///
/// To be called once, at boot, before [`lock`].
#[link_section = ".init.text"]
pub(crate) unsafe fn init() {
    // SAFETY: The caller calls this once.
    unsafe { LOCK.init() };
}

/// Takes the lock. May sleep. KRSI must be active.
pub(crate) fn lock() -> GlobalGuard<LOCK> {
    LOCK.lock()
}
