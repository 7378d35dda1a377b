// SPDX-License-Identifier: GPL-2.0

//! Changing the targets of static calls that C code defines.
//!
//! Calling one from Rust is calling the function `__SCT__NAME` that bindgen sees; objtool finds the
//! call and makes it one that is patched in place.
//!
//! C header: [`include/linux/static_call.h`](srctree/include/linux/static_call.h)

use crate::bindings;
use core::{ffi::c_void, marker::PhantomData};

/// A static call of functions of type `F`.
///
/// # Invariants
///
/// `key` and `trampoline` are those of one static call, and live for ever.
pub struct StaticCall<F> {
    key: *mut bindings::static_call_key,
    trampoline: *mut c_void,
    _function: PhantomData<F>,
}

// SAFETY: The static call code serialises all changes.
unsafe impl<F> Sync for StaticCall<F> {}

impl<F: Copy> StaticCall<F> {
    /// Wraps a static call.
    ///
    /// # Safety
    ///
    /// The pointers must be to the key, `__SCK__NAME`, and the trampoline, `__SCT__NAME`, of one
    /// static call of functions of type `F`, an `extern "C"` function pointer.
    pub const unsafe fn new(key: *mut bindings::static_call_key, trampoline: *const ()) -> Self {
        const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
        // INVARIANT: By the safety requirements.
        Self {
            key,
            trampoline: trampoline.cast_mut().cast(),
            _function: PhantomData,
        }
    }

    /// Where to call a function: after its landing pad, which is for indirect calls.
    fn entry(function: F) -> *mut c_void {
        // SAFETY: `F` is a function pointer, which has the size of an ordinary one, to code.
        unsafe { bindings::skip_landing_pad(core::mem::transmute_copy(&function)) }
    }

    /// Whether `function` is the target. The caller must serialise this with changes.
    pub fn calls(&self, function: F) -> bool {
        // SAFETY: By the type invariant the key is valid.
        unsafe { (*self.key).func == Self::entry(function) }
    }

    /// Makes `function` the target. When this returns, every CPU calls it.
    ///
    /// May sleep. A change to what is the target already is not a change, and cheap. Changes of one
    /// static call must be serialised by the caller.
    ///
    /// # Safety
    ///
    /// `function` must stay callable until the target has been changed again and every task that
    /// can be calling it has been waited for.
    pub unsafe fn update(&self, function: F) {
        let entry = Self::entry(function);

        // SAFETY: By the type invariant the pointers are of one static call; the caller serialises
        // changes.
        unsafe {
            if (*self.key).func != entry {
                bindings::__static_call_update(self.key, self.trampoline, entry);
            }
        }
    }
}
