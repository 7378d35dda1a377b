// SPDX-License-Identifier: GPL-2.0

//! RCU Tasks Trace: read-side critical sections that may sleep.
//!
//! Sleepable BPF programs run in such sections. A grace period of RCU Tasks Trace implies one of
//! RCU, so memory that is retired here is safe from both kinds of readers.
//!
//! C header: [`include/linux/rcupdate_trace.h`](srctree/include/linux/rcupdate_trace.h)

use crate::{alloc::Flags, bindings, prelude::*, types::NotThreadSafe};
use core::ops::{Deref, DerefMut};

/// Proof that the current task is in an RCU Tasks Trace read-side critical section.
///
/// Guards nest. The task may sleep, also in a page fault. Retired memory is not freed before the
/// task leaves the section.
///
/// # Invariants
///
/// `rcu_read_lock_trace()` was called by the current task once for each instance.
pub struct Guard(NotThreadSafe);

impl Guard {
    /// Enters a read-side critical section. Any context.
    #[inline(always)]
    pub fn new() -> Self {
        // SAFETY: An FFI call with no additional requirements.
        unsafe { bindings::rcu_read_lock_trace() };
        // INVARIANT: `rcu_read_lock_trace()` was just called.
        Self(NotThreadSafe)
    }
}

impl Default for Guard {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Guard {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the type invariant, this pairs with a call to `rcu_read_lock_trace()`.
        unsafe { bindings::rcu_read_unlock_trace() };
    }
}

/// A box whose content can be published to readers, and is then freed after a grace period.
///
/// Before [`publish`], the box is exclusively owned, and dropping it frees it immediately.
/// Afterwards, [`retire`] drops the value after a grace period of RCU Tasks Trace, which implies
/// one of RCU.
///
/// [`publish`]: Self::publish
/// [`retire`]: Self::retire
pub struct RcuTraceBox<T>(KBox<Retirable<T>>);

/// A value with an RCU head, so that retiring it cannot fail.
#[repr(C)]
struct Retirable<T> {
    /// Used once the value is retired. The first field, so that a pointer to it can be cast to a
    /// pointer to the structure.
    head: bindings::callback_head,
    value: T,
}

// SAFETY: `head` is not accessed before the value is retired, and then by RCU alone.
unsafe impl<T: Send> Send for Retirable<T> {}
// SAFETY: `head` is not accessed before the value is retired, and then by RCU alone.
unsafe impl<T: Sync> Sync for Retirable<T> {}

impl<T: Send + 'static> RcuTraceBox<T> {
    /// Allocates a box for `value`.
    pub fn new(value: T, flags: Flags) -> Result<Self> {
        Ok(Self(KBox::new(
            Retirable {
                head: bindings::callback_head::default(),
                value,
            },
            flags,
        )?))
    }

    /// Converts the box into a pointer that can be published to readers.
    ///
    /// The value lives until the pointer is [retired](Self::retire).
    pub fn publish(self) -> *mut T {
        let raw = KBox::into_raw(self.0);
        // SAFETY: `raw` came from a box and is valid.
        unsafe { &raw mut (*raw).value }
    }

    /// Drops a published value after every reader that may have found it, sleeping or not, has left
    /// its critical section.
    ///
    /// Any context. Does not wait. The value is dropped with softirqs disabled, so its destructor
    /// must not sleep.
    ///
    /// # Safety
    ///
    /// `ptr` must come from [`publish`](Self::publish), be retired only once, and not be reachable
    /// for new readers.
    pub unsafe fn retire(ptr: *mut T) {
        let offset = core::mem::offset_of!(Retirable<T>, value);
        // SAFETY: `ptr` points to the field of a boxed `Retirable`. It is valid until `reclaim` is
        // called, which happens once. `head` is its first field and not used otherwise.
        unsafe { bindings::call_rcu_tasks_trace(ptr.byte_sub(offset).cast(), Some(Self::reclaim)) };
    }

    /// Frees a retired value at the end of a grace period.
    ///
    /// # Safety
    ///
    /// Only RCU may call this, with the head that [`retire`](Self::retire) has passed.
    unsafe extern "C" fn reclaim(head: *mut bindings::callback_head) {
        // SAFETY: `head` is the first field of the `Retirable` that `publish` took from its box,
        // and the grace period is over: all readers have dropped their pointers to it.
        drop(unsafe { KBox::from_raw(head.cast::<Retirable<T>>()) });
    }
}

impl<T> Deref for RcuTraceBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> DerefMut for RcuTraceBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0.value
    }
}

/// Waits for the callbacks of all retired boxes. Sleeps.
pub fn barrier() {
    // SAFETY: Safe to be called from process context.
    unsafe { bindings::rcu_barrier_tasks_trace() };
}

#[macros::kunit_tests(rust_rcu_tasks_trace)]
mod tests {
    use super::*;
    use crate::sync::Arc;

    #[test]
    fn guards_nest() {
        let outer = Guard::new();
        let inner = Guard::new();
        drop(outer);
        drop(inner);
    }

    #[test]
    fn unpublished_box_is_dropped_at_once() -> Result {
        let value = Arc::new(7, GFP_KERNEL)?;
        let _reader = Guard::new();
        drop(RcuTraceBox::new(value.clone(), GFP_KERNEL)?);
        assert!(Arc::into_unique_or_drop(value).is_some());
        Ok(())
    }

    #[test]
    fn retired_value_outlives_readers_and_no_more() -> Result {
        let value = Arc::new(7, GFP_KERNEL)?;
        let published = RcuTraceBox::new(value.clone(), GFP_KERNEL)?.publish();
        let reader = Guard::new();
        // SAFETY: The pointer was just published and is known to this test only.
        unsafe { RcuTraceBox::retire(published) };
        // The box still owns its reference: the reader delays the grace period.
        assert!(Arc::into_unique_or_drop(value.clone()).is_none());
        drop(reader);
        barrier();
        assert!(Arc::into_unique_or_drop(value).is_some());
        Ok(())
    }
}
