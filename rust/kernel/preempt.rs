// SPDX-License-Identifier: GPL-2.0

//! Staying on one CPU, and saying that one may sleep.
//!
//! C header: [`include/linux/preempt.h`](srctree/include/linux/preempt.h)

use crate::{bindings, types::NotThreadSafe};

/// Keeps the current task on its CPU, preemptible, while it exists.
///
/// Guards nest.
///
/// # Invariants
///
/// `migrate_disable()` was called by the current task once for each instance.
pub struct MigrateGuard(NotThreadSafe);

impl MigrateGuard {
    /// Disables migration. Any context.
    #[inline(always)]
    pub fn new() -> Self {
        // SAFETY: An FFI call with no additional requirements.
        unsafe { bindings::inline_migrate_disable() };
        // INVARIANT: `migrate_disable()` was just called.
        Self(NotThreadSafe)
    }
}

impl Default for MigrateGuard {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for MigrateGuard {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the type invariant, this pairs with a call to `migrate_disable()`.
        unsafe { bindings::inline_migrate_enable() };
    }
}

/// Annotates a place where a page fault may be taken, hence one that may sleep.
#[track_caller]
#[inline(always)]
pub fn might_fault() {
    // SAFETY: An FFI call with no additional requirements.
    unsafe { bindings::might_fault() };
}
