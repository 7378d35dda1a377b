// SPDX-License-Identifier: GPL-2.0

//! Enabling and disabling of static keys that C code defines.
//!
//! See [`crate::jump_label`] for branches.
//!
//! C header: [`include/linux/jump_label.h`](srctree/include/linux/jump_label.h)

use crate::{bindings, types::Opaque};

/// A static key that is enabled or disabled, without counting users.
///
/// # Invariants
///
/// The key is a valid `struct static_key_false` of static storage duration.
#[repr(transparent)]
pub struct StaticKeyFalse(Opaque<bindings::static_key_false>);

// SAFETY: The jump label code serialises all changes of a key.
unsafe impl Sync for StaticKeyFalse {}

impl StaticKeyFalse {
    /// Creates a reference to a key that C code defines.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a static `struct static_key_false`.
    #[inline]
    pub const unsafe fn from_raw(ptr: *mut bindings::static_key_false) -> &'static Self {
        // SAFETY: The caller guarantees that the key is static. `Self` is transparent.
        unsafe { &*ptr.cast() }
    }

    fn key(&self) -> *mut bindings::static_key {
        // SAFETY: By the type invariant the pointer is valid; no reference is made.
        unsafe { &raw mut (*self.0.get()).key }
    }

    /// Enables the key. Does nothing if it is enabled.
    ///
    /// Patches code: may sleep, unless the system is still booting.
    pub fn enable(&self) {
        // SAFETY: By the type invariant the key is valid.
        unsafe { bindings::static_key_enable(self.key()) };
    }

    /// Disables the key. Does nothing if it is disabled.
    ///
    /// Patches code: may sleep, unless the system is still booting.
    pub fn disable(&self) {
        // SAFETY: By the type invariant the key is valid.
        unsafe { bindings::static_key_disable(self.key()) };
    }
}
