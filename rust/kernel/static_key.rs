// SPDX-License-Identifier: GPL-2.0

//! Switching static keys that C code defines.
//!
//! [`crate::jump_label`] has the branch; this is the other side.
//!
//! C header: [`include/linux/jump_label.h`](srctree/include/linux/jump_label.h)

use crate::{bindings, types::Opaque};

/// A static key, usable as a switch: on or off, without counting users.
///
/// # Invariants
///
/// The key is a valid `struct static_key_false` of static storage duration.
#[repr(transparent)]
pub struct StaticKeyFalse(Opaque<bindings::static_key_false>);

// SAFETY: The jump label code serialises all changes of a key.
unsafe impl Sync for StaticKeyFalse {}

impl StaticKeyFalse {
    /// Makes a reference to a key that C code defines.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a `struct static_key_false` that lives for ever.
    #[inline]
    pub const unsafe fn from_raw(ptr: *mut bindings::static_key_false) -> &'static Self {
        // SAFETY: By the safety requirements, and `Self` is transparent.
        unsafe { &*ptr.cast() }
    }

    fn key(&self) -> *mut bindings::static_key {
        // SAFETY: By the type invariant the pointer is valid; no reference is made.
        unsafe { &raw mut (*self.0.get()).key }
    }

    /// Switches the key on; does nothing if it is.
    ///
    /// Patches code: may sleep, unless the system is still booting.
    pub fn enable(&self) {
        // SAFETY: By the type invariant the key is valid.
        unsafe { bindings::static_key_enable(self.key()) };
    }

    /// Switches the key off; does nothing if it is.
    ///
    /// Patches code: may sleep, unless the system is still booting.
    pub fn disable(&self) {
        // SAFETY: By the type invariant the key is valid.
        unsafe { bindings::static_key_disable(self.key()) };
    }
}
