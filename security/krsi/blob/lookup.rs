// SPDX-License-Identifier: GPL-2.0

//! The bytes of a slot in an object, for the kfuncs of programs.

use super::{class::Class, index, init, limits::XATTR_STATE, space, state, typed::AnyObject};
use kernel::{
    prelude::*,
    sync::atomic::{Acquire, Atomic},
};

/// Initialises an object that is not ready. Out of line, so that the fast path needs no stack.
///
/// # Safety
///
/// As for [`AnyObject::new`].
#[cold]
#[inline(never)]
unsafe fn first_access(class: Class, object: *mut c_void, blob: *mut c_void) -> bool {
    // SAFETY: The caller passes an object that is alive, with its class and its blob.
    init::ensure(unsafe { AnyObject::new(class, object, blob) })
}

/// Finds the bytes of a slot in an object.
///
/// `class` is the object's class, `blob` its blob or null. `number` and `size` come from a program.
///
/// Returns null if no such slot exists, if the object has no blob, if boot programs cannot
/// initialise the slot in this context, or if the content of the object's extended attribute is
/// unknown. Any context.
///
/// # Safety
///
/// - `class` must be an `enum krsi_blob_class`.
/// - `object` must be alive and of that class.
/// - `blob` must be null or the blob that the framework has allocated for `object`.
#[export]
pub(crate) unsafe extern "C" fn krsi_blob_at(
    class: c_uint,
    object: *mut c_void,
    blob: *mut c_void,
    number: u32,
    size: u32,
) -> *mut c_char {
    let Some(slot) = index::find(class, number, size) else {
        return core::ptr::null_mut();
    };
    if blob.is_null() {
        return core::ptr::null_mut();
    }
    let mut initialising = false;
    if slot.is_guarded() {
        let class = Class::ALL[class as usize];
        // SAFETY: Only classes with slots of boot programs have guarded slots, and their objects
        // have a state word. The caller guarantees that `blob` is of this class.
        let word = unsafe { space::state(class, blob) };
        if !state::ready(word) {
            // SAFETY: The caller guarantees that `object` is alive, of this class, and has `blob`.
            if !unsafe { first_access(class, object, blob) } {
                return core::ptr::null_mut();
            }
            // Still not ready: the caller is the boot program that initialises the object, before
            // its attribute is read.
            initialising = !state::ready(word);
        }
    }
    // SAFETY: The key matches, so the slot belongs to this class and is within KRSI's part of the
    // blobs of its objects.
    let bytes = unsafe { blob.byte_add(slot.offset()) };
    if slot.has_xattr() && !initialising {
        // SAFETY: A slot with an attribute has an aligned state word before it, which is accessed
        // atomically only.
        let word = unsafe { Atomic::<u32>::from_ptr(bytes.byte_sub(XATTR_STATE as usize).cast()) };
        if word.load(Acquire) != state::READY {
            return core::ptr::null_mut();
        }
    }
    bytes.cast()
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_lookup)]
mod tests {
    use super::*;

    #[test]
    fn unknown_numbers_find_nothing() {
        let mut blob = [0u64; 4];
        let blob = blob.as_mut_ptr().cast::<c_void>();
        let object = core::ptr::null_mut();

        for number in 0..1024 {
            for size in [0, 8, u32::MAX] {
                // SAFETY: No slot has this number, so neither `object` nor `blob` is accessed.
                assert!(unsafe { krsi_blob_at(0, object, blob, number, size) }.is_null());
            }
        }
    }
}
