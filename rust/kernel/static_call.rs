// SPDX-License-Identifier: GPL-2.0

//! Changing the targets of static calls that C code defines.
//!
//! Rust code makes a static call by calling the function `__SCT__NAME` from the bindings. objtool
//! finds the call and turns it into one that is patched in place.
//!
//! C header: [`include/linux/static_call.h`](srctree/include/linux/static_call.h)

use crate::bindings;
use core::{ffi::c_void, marker::PhantomData};

/// A static call of functions of type `F`.
///
/// # Invariants
///
/// `key` and `trampoline` are those of one static call, and are never freed.
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
        // INVARIANT: The caller passes the key and the trampoline of one static call.
        Self {
            key,
            trampoline: trampoline.cast_mut().cast(),
            _function: PhantomData,
        }
    }

    /// Returns the address for direct calls: after the landing pad, which is for indirect calls.
    fn entry(function: F) -> *mut c_void {
        // SAFETY: `F` is a function pointer, which has the size of a pointer and points to code.
        unsafe { bindings::skip_landing_pad(core::mem::transmute_copy(&function)) }
    }

    /// Whether `function` is the target. The caller must serialise this with changes.
    pub fn calls(&self, function: F) -> bool {
        // SAFETY: By the type invariant the key is valid.
        unsafe { (*self.key).func == Self::entry(function) }
    }

    /// Makes `function` the target. When this returns, every CPU calls it.
    ///
    /// May sleep. Does nothing if `function` is the target already. The caller must serialise
    /// changes of one static call.
    ///
    /// # Safety
    ///
    /// `function` must stay callable until the target was changed again and every call of it has
    /// returned.
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
