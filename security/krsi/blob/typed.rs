// SPDX-License-Identifier: GPL-2.0

//! What KRSI itself accesses in blobs, with types.
//!
//! A [`Blob`] says where the objects of a class have values of a type. Class and type are the
//! compiler's to check, and that the values are within what is reserved is checked once, when the
//! [`Blob`] is made.

use super::{Class, ALIGN, SPACES};
use core::marker::PhantomData;
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};

/// A kernel object that has a blob.
///
/// # Safety
///
/// `blob` must return what the framework has allocated for an object of the class, or null.
pub(super) unsafe trait Object {
    const CLASS: Class;

    /// The object's blob.
    ///
    /// # Safety
    ///
    /// `object` must be valid.
    unsafe fn blob(object: *const Self) -> *mut c_void;
}

// SAFETY: That is where it is.
unsafe impl Object for bindings::inode {
    const CLASS: Class = Class::inode;

    unsafe fn blob(object: *const Self) -> *mut c_void {
        // SAFETY: By the safety requirements.
        unsafe { (*object).i_security }
    }
}

/// What can be in a blob.
///
/// # Safety
///
/// All bytes must be a value, and others may write to them meanwhile, as programs do.
pub(super) unsafe trait Value {}

// SAFETY: An integer, and atomic.
unsafe impl Value for Atomic<u32> {}

// SAFETY: An integer, and atomic.
unsafe impl Value for Atomic<u64> {}

/// Where objects have values.
///
/// # Invariants
///
/// `offset` is that of `count` aligned values which are within KRSI's part of the blobs that
/// objects of this class have.
pub(super) struct Blob<O, T> {
    offset: usize,
    count: usize,
    _types: PhantomData<fn(*const O) -> T>,
}

impl<O: Object, T: Value> Blob<O, T> {
    /// `count` values from `offset` on, which is that in the class's slots.
    ///
    /// [`None`]: they are not aligned, or not all within what is reserved. To be called after KRSI
    /// was started.
    pub(super) fn new(offset: u32, count: usize) -> Option<Self> {
        let space = &SPACES[O::CLASS as usize];
        let (first, reserved) = (offset as usize, space.reserved.load(Relaxed) as usize);
        let end = size_of::<T>().checked_mul(count)?.checked_add(first)?;

        if first % align_of::<T>() != 0 || end > reserved {
            return None;
        }
        // INVARIANT: What is reserved begins at `base`, which is aligned as the framework's blobs
        // are, and ends behind these.
        Some(Self {
            offset: space.base.load(Relaxed) as usize + first,
            count,
            _types: PhantomData,
        })
    }

    /// The values of an object. [`None`]: it has no blob.
    ///
    /// # Safety
    ///
    /// `object` must be valid, and its blob there for `'a`.
    pub(super) unsafe fn of<'a>(&self, object: *const O) -> Option<&'a [T]> {
        // SAFETY: By the safety requirements.
        let blob = unsafe { O::blob(object) };

        if blob.is_null() {
            return None;
        }
        // SAFETY: By the type invariant, and the safety requirements of both traits.
        Some(unsafe {
            core::slice::from_raw_parts(blob.byte_add(self.offset).cast::<T>(), self.count)
        })
    }
}

// Offsets in slots are aligned for all of them.
const _: () = assert!(align_of::<Atomic<u64>>() as u32 <= ALIGN);

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_typed)]
mod tests {
    use super::*;

    /// Any object, with what tasks have.
    struct Fake(*mut c_void);

    // SAFETY: The tests have an array there that is as large.
    unsafe impl Object for Fake {
        const CLASS: Class = Class::task;

        unsafe fn blob(object: *const Self) -> *mut c_void {
            // SAFETY: By the safety requirements.
            unsafe { (*object).0 }
        }
    }

    #[test]
    fn places_are_within_what_is_reserved() {
        let reserved = SPACES[Class::task as usize].reserved.load(Relaxed);
        let new = |offset, count| Blob::<Fake, Atomic<u64>>::new(offset, count).is_some();

        assert!(new(0, 0) && new(reserved, 0) && new(0, reserved as usize / 8));
        assert!(!new(0, reserved as usize / 8 + 1));
        assert!(!new(reserved, 1) && !new(8, reserved as usize / 8));
        assert!(!new(u32::MAX & !7, 1) && !new(0, usize::MAX) && !new(8, usize::MAX / 8));
        for offset in 1..8 {
            assert!(!new(offset, 0));
            let half = Blob::<Fake, Atomic<u32>>::new(offset, 0);
            assert_eq!(half.is_some(), offset == 4 && reserved >= 4);
        }
    }

    #[test]
    fn values_are_where_the_slots_are() -> Result {
        let space = &SPACES[Class::task as usize];
        let base = space.base.load(Relaxed) as usize / 8;
        let count = space.reserved.load(Relaxed) as usize / 8;
        let mut memory = KVec::with_capacity(base + count, GFP_KERNEL)?;
        for i in 0..(base + count) as u64 {
            memory.push(i, GFP_KERNEL)?;
        }
        let object = Fake(memory.as_mut_ptr().cast());

        let all = Blob::<Fake, Atomic<u64>>::new(0, count).ok_or(EINVAL)?;
        // SAFETY: The array is there, and as large as a blob.
        let words = unsafe { all.of(&object) }.ok_or(EINVAL)?;
        assert_eq!(words.len(), count);
        for (i, word) in words.iter().enumerate() {
            assert_eq!(word.load(Relaxed), (base + i) as u64);
        }
        // SAFETY: As above, there is none.
        assert!(unsafe { all.of(&Fake(core::ptr::null_mut())) }.is_none());
        Ok(())
    }
}
