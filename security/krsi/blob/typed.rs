// SPDX-License-Identifier: GPL-2.0

//! Typed access to blobs, for KRSI itself.
//!
//! A [`Blob`] is the place of values in the objects of a class. The compiler checks class and type.
//! [`Blob::new`] checks once that the values are within the reserved bytes.

use super::{class::Class, limits::ALIGN, space};
use core::marker::PhantomData;
use kernel::{
    cred::Credential,
    fs::{Inode, SuperBlock},
    prelude::*,
    sync::atomic::Atomic,
    task::Task,
};

/// A kernel object that has a blob.
///
/// # Safety
///
/// `blob` must return null, or the blob of class `CLASS` that the framework has allocated for this
/// object. The blob must live as long as the object.
pub(super) unsafe trait Object {
    const CLASS: Class;

    /// Returns the object's blob.
    fn blob(&self) -> *mut c_void;
}

// SAFETY: `security` is the blob, and is freed with the credentials.
unsafe impl Object for Credential {
    const CLASS: Class = Class::cred;

    #[inline]
    fn blob(&self) -> *mut c_void {
        // SAFETY: By the invariant of `Credential`, the C structure is valid.
        unsafe { (*self.as_ptr()).security }
    }
}

// SAFETY: `i_security` is the blob. RCU frees it after the last reference is gone.
unsafe impl Object for Inode {
    const CLASS: Class = Class::inode;

    #[inline]
    fn blob(&self) -> *mut c_void {
        self.security()
    }
}

// SAFETY: `s_security` is the blob, and is freed with the superblock.
unsafe impl Object for SuperBlock {
    const CLASS: Class = Class::superblock;

    #[inline]
    fn blob(&self) -> *mut c_void {
        // SAFETY: By the invariant of `SuperBlock`, the C structure is valid.
        unsafe { (*self.as_ptr()).s_security }
    }
}

// SAFETY: `security` is the blob, and is freed with the task.
unsafe impl Object for Task {
    const CLASS: Class = Class::task;

    #[inline]
    fn blob(&self) -> *mut c_void {
        // SAFETY: By the invariant of `Task`, the C structure is valid.
        unsafe { (*self.as_ptr()).security }
    }
}

/// An object of a class that is known at run time, with its blob.
///
/// # Invariants
///
/// `object` is alive for `'a` and of `class`. `blob` is null or its blob.
#[derive(Clone, Copy)]
pub(super) struct AnyObject<'a> {
    class: Class,
    object: *mut c_void,
    blob: *mut c_void,
    _lifetime: PhantomData<&'a c_void>,
}

impl<'a> AnyObject<'a> {
    /// Makes a value from C's pointers.
    ///
    /// # Safety
    ///
    /// `object` must be of `class` and alive for `'a`. `blob` must be null, or the blob that the
    /// framework has allocated for it.
    #[inline]
    pub(super) unsafe fn new(class: Class, object: *mut c_void, blob: *mut c_void) -> Self {
        // INVARIANT: The caller guarantees that class, object and blob belong together.
        Self {
            class,
            object,
            blob,
            _lifetime: PhantomData,
        }
    }

    /// Makes a value from a typed object.
    #[inline]
    pub(super) fn of<O: Object>(object: &'a O) -> Self {
        // SAFETY: The reference is valid for `'a`. Implementations of `Object` guarantee that class
        // and blob are the object's.
        unsafe {
            Self::new(
                O::CLASS,
                core::ptr::from_ref(object).cast_mut().cast(),
                object.blob(),
            )
        }
    }

    /// The class of the object.
    #[inline]
    pub(super) fn class(&self) -> Class {
        self.class
    }

    /// The word of a program's context that is the object.
    #[inline]
    pub(super) fn arg(&self) -> u64 {
        self.object as u64
    }

    /// The state word of the object. [`None`] if it has none.
    #[inline]
    pub(super) fn state(&self) -> Option<&'a Atomic<u32>> {
        if self.blob.is_null() || !space::has_boot_slots(self.class) {
            return None;
        }
        // SAFETY: Boot programs have slots in the class. By the type invariant, this is the blob
        // of an object of the class that is alive for `'a`.
        Some(unsafe { space::state(self.class, self.blob) })
    }

    /// The state word for the programs of `inode_instantiate`. [`None`] if the object has none.
    #[inline]
    pub(super) fn instantiated(&self) -> Option<&'a Atomic<u32>> {
        if self.class != Class::inode {
            return None;
        }
        let first = self.state()?;

        // SAFETY: The state of an inode is two words. This is the second.
        Some(unsafe { Atomic::from_ptr(first.as_ptr().add(1)) })
    }
}

/// The type of values in a blob.
///
/// # Safety
///
/// Every sequence of bytes must be a valid value. Programs may write to the value concurrently.
pub(super) unsafe trait Value {}

// SAFETY: All values of an integer are valid, and it is accessed atomically.
unsafe impl Value for Atomic<u32> {}

// SAFETY: All values of an integer are valid, and it is accessed atomically.
unsafe impl Value for Atomic<u64> {}

/// The place of `count` values of type `T` in the blobs of objects of type `O`.
///
/// # Invariants
///
/// `offset` is a multiple of the alignment of `T`. The values are within KRSI's part of the blobs
/// that objects of this class have.
pub(super) struct Blob<O, T> {
    offset: usize,
    count: usize,
    _types: PhantomData<fn(*const O) -> T>,
}

impl<O: Object, T: Value> Blob<O, T> {
    /// Makes the place of `count` values at `offset` in the class's slots.
    ///
    /// Returns [`None`] if they are not aligned, or not all within the reserved bytes. Called after
    /// KRSI was initialised.
    pub(super) fn new(offset: u32, count: usize) -> Option<Self> {
        let first = offset as usize;
        let end = size_of::<T>().checked_mul(count)?.checked_add(first)?;

        if first % align_of::<T>() != 0 || end > space::reserved(O::CLASS) as usize {
            return None;
        }
        // INVARIANT: The reserved bytes begin at `base`, which is aligned like slots, and end after
        // the values.
        Some(Self {
            offset: space::base(O::CLASS) as usize + first,
            count,
            _types: PhantomData,
        })
    }

    /// Makes the place of all values that fit in the reserved bytes. Called after KRSI was
    /// initialised.
    #[inline]
    pub(super) fn all() -> Self {
        const { assert!(align_of::<T>() as u32 <= ALIGN) };

        // INVARIANT: The reserved bytes begin at `base`, which is aligned like slots.
        Self {
            offset: space::base(O::CLASS) as usize,
            count: space::reserved(O::CLASS) as usize / size_of::<T>(),
            _types: PhantomData,
        }
    }

    /// The values of an object. [`None`] if it has no blob.
    #[inline]
    pub(super) fn of<'a>(&self, object: &'a O) -> Option<&'a [T]> {
        let blob = object.blob();

        if blob.is_null() {
            return None;
        }
        // SAFETY: Implementations of `Object` guarantee that the blob is one of this class and
        // lives as long as the object. By the type invariant, the values are aligned and within it.
        // Implementations of `Value` guarantee that all bytes are valid and may change.
        Some(unsafe {
            core::slice::from_raw_parts(blob.byte_add(self.offset).cast::<T>(), self.count)
        })
    }
}

// Slots are aligned for every type of values.
const _: () = assert!(align_of::<Atomic<u64>>() as u32 <= ALIGN);

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_typed)]
pub(super) mod tests {
    use super::*;
    use kernel::sync::atomic::Relaxed;

    /// An object of class `task`, with a blob or without.
    pub(in super::super) struct Fake(Option<KVec<u64>>);

    impl Fake {
        /// Makes an object with a blob, whose words of slots have the values of a function of
        /// their number.
        pub(in super::super) fn new(value: impl Fn(u64) -> u64) -> Result<Self> {
            let (before, count) = Self::layout();
            let mut blob = KVec::with_capacity(before + count, GFP_KERNEL)?;

            for i in 0..before + count {
                let value = i.checked_sub(before).map_or(u64::MAX, |i| value(i as u64));
                blob.push(value, GFP_KERNEL)?;
            }
            Ok(Self(Some(blob)))
        }

        /// Makes an object without a blob.
        pub(in super::super) fn none() -> Self {
            Self(None)
        }

        /// The words of slots.
        pub(in super::super) fn words(&self) -> impl Iterator<Item = u64> + '_ {
            let blob = self.0.as_deref().unwrap_or_default();

            blob.iter().skip(Self::layout().0).copied()
        }

        /// The number of words before the slots, and that of the slots' words.
        fn layout() -> (usize, usize) {
            (
                space::base(Self::CLASS) as usize / 8,
                space::reserved(Self::CLASS) as usize / 8,
            )
        }
    }

    // SAFETY: The blob is as long as that of a task, and owned by the object.
    unsafe impl Object for Fake {
        const CLASS: Class = Class::task;

        fn blob(&self) -> *mut c_void {
            match &self.0 {
                Some(blob) => blob.as_ptr().cast_mut().cast(),
                None => core::ptr::null_mut(),
            }
        }
    }

    #[test]
    fn places_are_within_what_is_reserved() {
        let reserved = space::reserved(Class::task);
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
            let words = values.of(&object).ok_or(EINVAL)?;
            assert!(words
                .iter()
                .map(|word| word.load(Relaxed))
                .eq(object.words()));
            assert!(values.of(&Fake::none()).is_none());
        }
        Ok(())
    }
}
