// SPDX-License-Identifier: GPL-2.0

//! From an object's blob and a slot's number to the slot's bytes.
//!
//! A slot's number is its place in a table of [`MAX`] entries and a nonce. The entry has one word
//! that says all that a program must know of the slot: number, class and size. Whoever has the
//! number of another class's slot, of a slot of another size, of one that was released or of
//! another boot finds another word there.

use super::{
    slots::{Owner, Slot},
    xattr, Class, SPACES, STATE,
};
use crate::boot;
use kernel::{
    prelude::*,
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
};

/// How many slots there can be until the system boots anew.
pub(super) const MAX: usize = 256;

/// The part of a number that is the place in the table.
const INDEX: u32 = MAX as u32 - 1;

/// The number of the slot at `index`; [`None`] if that is too many.
///
/// No number is 0, which is what programs have that were not given one.
pub(super) fn number(index: usize, nonce: u32) -> Option<u32> {
    if index >= MAX {
        return None;
    }
    let nonce = nonce & !INDEX;
    let nonce = if nonce == 0 { INDEX + 1 } else { nonce };
    Some(nonce | index as u32)
}

/// What programs can find of a slot.
struct Entry {
    /// [`key`] of the slot, or 0: there is none, or it was released. Set once, and cleared once.
    key: Atomic<u64>,
    /// Of the slot's first byte in an object's blob, and flags. Written before `key`, and only
    /// then.
    offset: Atomic<u32>,
}

/// A flag of a slot that boot programs initialise: the object's state tells whether they have.
const GUARDED: u32 = 1 << 31;

/// A flag of a slot that has a state of its own in front: see [`xattr`].
const KEPT: u32 = 1 << 30;

const FLAGS: u32 = GUARDED | KEPT;

static ENTRIES: [Entry; MAX] = [const {
    Entry {
        key: Atomic::new(0),
        offset: Atomic::new(0),
    }
}; MAX];

/// Number, class and size of a slot, in a word. Never 0.
///
/// The class takes the place of the number's index, which the place in the table tells.
#[inline(always)]
const fn key(number: u32, class: u32, size: u32) -> u64 {
    ((size as u64) << 32) | ((number & !INDEX) | (class + 1)) as u64
}

const _: () = assert!(Class::ALL.len() <= INDEX as usize);

/// Lets programs find a slot. To be called once for a slot.
pub(super) fn publish(slot: &Slot) {
    let entry = &ENTRIES[(slot.number & INDEX) as usize];
    let base = SPACES[slot.class as usize].base.load(Relaxed);
    let kept = if slot.xattr { KEPT } else { 0 };
    let guarded = match slot.owner {
        Owner::Boot => GUARDED,
        Owner::Runtime => 0,
    };

    entry
        .offset
        .store((base + slot.offset) | kept | guarded, Relaxed);
    entry
        .key
        .store(key(slot.number, slot.class as u32, slot.size), Release);
}

/// Lets no program find a slot any more. Those that have found it go on, with bytes that nobody
/// else gets.
pub(super) fn withdraw(slot: &Slot) {
    ENTRIES[(slot.number & INDEX) as usize]
        .key
        .store(0, Relaxed);
}

/// Where a slot is in the blobs of its class.
pub(super) struct Place {
    /// Of the slot's first byte in an object's blob.
    pub(super) offset: u32,
    /// What tells that the object's slot can be accessed; [`None`]: it always can.
    pub(super) ready: Option<Ready>,
}

/// A word in an object's blob, and its value once a slot can be accessed there.
pub(super) struct Ready {
    /// Of the word, in bytes; at most [`i16::MAX`].
    pub(super) offset: u32,
    pub(super) value: u32,
}

/// Finds out where a slot is, of which a program says class, number and size.
///
/// It is there as long as the system runs, even if it is released: its bytes become nobody else's.
pub(super) fn place(class: c_uint, number: u32, size: u32) -> Option<Place> {
    let entry = &ENTRIES[(number & INDEX) as usize];

    if entry.key.load(Acquire) != key(number, class, size) {
        return None;
    }
    let offset = entry.offset.load(Relaxed);
    let ready = match offset & FLAGS {
        0 => None,
        GUARDED => Some(Ready {
            offset: SPACES[class as usize].base.load(Relaxed) - STATE,
            value: boot::READY,
        }),
        // Of an object that is not initialised the attribute is not known either.
        _ => Some(Ready {
            offset: (offset & !FLAGS) - xattr::STATE_SIZE,
            value: xattr::READY,
        }),
    };
    Some(Place {
        offset: offset & !FLAGS,
        ready,
    })
}

/// The state word of an object whose class has slots of boot programs.
///
/// # Safety
///
/// `blob` must be the blob of an object of the class, with the length that the framework gives
/// blobs of that class, and there for `'a`.
#[inline(always)]
pub(super) unsafe fn state<'a>(class: Class, blob: *mut c_void) -> &'a Atomic<u32> {
    let base = SPACES[class as usize].base.load(Relaxed);
    // SAFETY: The word is in front of the slots, aligned as they are, and only accessed here.
    unsafe { Atomic::from_ptr(blob.byte_add((base - STATE) as usize).cast()) }
}

/// Finds the bytes that an object has for a slot.
///
/// `class` is the object's, `blob` what the framework allocated for it, or null; `number` and
/// `size` are what a program says. Returns null if there is no such slot, or no blob, or if the
/// slot is a boot program's and cannot be initialised here, or if what the object's extended
/// attribute has is not known. Any context.
///
/// # Safety
///
/// `class` must be a `enum krsi_blob_class`, and `blob` null or the blob of `object`, which is
/// alive and of that class, with the length that the framework gives blobs of that class.
#[export]
pub(crate) unsafe extern "C" fn krsi_blob_at(
    class: c_uint,
    object: *mut c_void,
    blob: *mut c_void,
    number: u32,
    size: u32,
) -> *mut c_char {
    let entry = &ENTRIES[(number & INDEX) as usize];

    if entry.key.load(Acquire) != key(number, class, size) || blob.is_null() {
        return core::ptr::null_mut();
    }
    let offset = entry.offset.load(Relaxed);
    let mut initialising = false;
    if offset & GUARDED != 0 {
        let class = Class::ALL[class as usize];
        // SAFETY: The class has slots of boot programs, or this were none. The rest by the safety
        // requirements.
        let state = unsafe { state(class, blob) };
        if !boot::ready(state) {
            // SAFETY: By the safety requirements.
            if !unsafe { boot::first_access(class, object, state) } {
                return core::ptr::null_mut();
            }
            // It is still not: this is the program that initialises it, before anybody asks for
            // the attribute.
            initialising = !boot::ready(state);
        }
    }
    // SAFETY: The slot is in the part of the blob that the framework gave KRSI for this class,
    // by its key and the safety requirements.
    let slot = unsafe { blob.byte_add((offset & !FLAGS) as usize) };
    if offset & KEPT != 0 && !initialising {
        // SAFETY: The state in front of the slot, which is aligned.
        let state =
            unsafe { Atomic::<u32>::from_ptr(slot.byte_sub(xattr::STATE_SIZE as usize).cast()) };
        if state.load(Acquire) != xattr::READY {
            return core::ptr::null_mut();
        }
    }
    slot.cast()
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_access)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_never_zero() {
        assert_eq!(number(0, 0), Some(256));
        assert_eq!(number(0, 255), Some(256));
        assert_eq!(number(255, u32::MAX), Some(u32::MAX));
        assert_eq!(number(3, 0x1234_5678), Some(0x1234_5603));
        assert_eq!(number(256, 1), None);
    }

    #[test]
    fn keys_tell_slots_apart() {
        let cred = Class::cred as u32;
        let is = key(0x1234_5603, cred, 8);
        assert!(is != key(0x1234_5703, cred, 8));
        assert!(is != key(0x1234_5603, cred + 1, 8));
        assert!(is != key(0x1234_5603, cred, 16));
        assert!(is != key(0x1234_5603, cred, 8 | 1 << 31));
        assert!(is != key(0, cred, 8));
        // What is in the table where there is no slot is nobody's.
        assert!(key(0, 0, 0) != 0);
    }

    #[test]
    fn unknown_numbers_find_nothing() {
        let mut blob = [0u64; 4];
        let blob = blob.as_mut_ptr().cast::<c_void>();
        let object = core::ptr::null_mut();

        for number in 0..1024 {
            for size in [0, 8, u32::MAX] {
                // SAFETY: There is no slot of this number, so nothing is computed from `blob`.
                assert!(unsafe { krsi_blob_at(0, object, blob, number, size) }.is_null());
            }
        }
    }
}
