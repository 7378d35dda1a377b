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

/// Says in which field objects have their blob.
macro_rules! object {
    ($class:ident: $type:ident.$field:ident) => {
        // SAFETY: That is where it is.
        unsafe impl Object for bindings::$type {
            const CLASS: Class = Class::$class;

            unsafe fn blob(object: *const Self) -> *mut c_void {
                // SAFETY: By the safety requirements.
                unsafe { (*object).$field }
            }
        }
    };
}

object!(cred: cred.security);
object!(inode: inode.i_security);
object!(task: task_struct.security);

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

    /// All values that are reserved. To be called after KRSI was started.
    #[inline]
    pub(super) fn all() -> Self {
        const { assert!(align_of::<T>() as u32 <= ALIGN) };
        let space = &SPACES[O::CLASS as usize];

        // INVARIANT: As in `new`; what is reserved begins aligned.
        Self {
            offset: space.base.load(Relaxed) as usize,
            count: space.reserved.load(Relaxed) as usize / size_of::<T>(),
            _types: PhantomData,
        }
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
pub(super) mod tests {
    use super::*;

    /// Any object, with what tasks have, or nothing.
    pub(in super::super) struct Fake(Option<KVec<u64>>);

    impl Fake {
        /// Gives the words of slots values by their numbers.
        pub(in super::super) fn new(value: impl Fn(u64) -> u64) -> Result<Self> {
            let (before, count) = Self::layout();
            let mut blob = KVec::with_capacity(before + count, GFP_KERNEL)?;

            for i in 0..before + count {
                let value = i.checked_sub(before).map_or(u64::MAX, |i| value(i as u64));
                blob.push(value, GFP_KERNEL)?;
            }
            Ok(Self(Some(blob)))
        }

        pub(in super::super) fn none() -> Self {
            Self(None)
        }

        /// The words of slots.
        pub(in super::super) fn words(&self) -> impl Iterator<Item = u64> + '_ {
            let blob = self.0.as_deref().unwrap_or_default();

            blob.iter().skip(Self::layout().0).copied()
        }

        /// How many words there are before those of slots, and how many of these.
        fn layout() -> (usize, usize) {
            let space = &SPACES[Self::CLASS as usize];

            (
                space.base.load(Relaxed) as usize / 8,
                space.reserved.load(Relaxed) as usize / 8,
            )
        }
    }

    // SAFETY: There is an array that is as large, or none.
    unsafe impl Object for Fake {
        const CLASS: Class = Class::task;

        unsafe fn blob(object: *const Self) -> *mut c_void {
            // SAFETY: By the safety requirements.
            match unsafe { &(*object).0 } {
                Some(blob) => blob.as_ptr().cast_mut().cast(),
                None => core::ptr::null_mut(),
            }
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
        let object = Fake::new(|i| i)?;
        let count = object.words().count();
        let all = Blob::<Fake, Atomic<u64>>::all();
        let new = Blob::<Fake, Atomic<u64>>::new(0, count).ok_or(EINVAL)?;

        for values in [&all, &new] {
            // SAFETY: The object is valid.
            let words = unsafe { values.of(&object) }.ok_or(EINVAL)?;
            assert!(words
                .iter()
                .map(|word| word.load(Relaxed))
                .eq(object.words()));
            // SAFETY: As above.
            assert!(unsafe { values.of(&Fake::none()) }.is_none());
        }
        Ok(())
    }
}
