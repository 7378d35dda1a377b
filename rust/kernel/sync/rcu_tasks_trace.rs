// SPDX-License-Identifier: GPL-2.0

//! RCU Tasks Trace: read-side critical sections that may sleep.
//!
//! What BPF programs that sleep run under. Its grace period implies one of ordinary RCU, so that
//! memory retired here is safe from both kinds of readers.
//!
//! C header: [`include/linux/rcupdate_trace.h`](srctree/include/linux/rcupdate_trace.h)

use crate::{alloc::Flags, bindings, prelude::*, types::NotThreadSafe};
use core::ops::Deref;

/// Evidence that the current task is in an RCU Tasks Trace read-side critical section.
///
/// Guards nest. The task may sleep, page faults included, but has to leave some day: whoever
/// retires memory waits for it.
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

/// A box whose content readers may still use after the owner gave it up.
///
/// Dropping it is immediate and is for values that no reader has ever seen. [`retire`] is for the
/// others: the value is dropped after a grace period of RCU Tasks Trace, which implies one of RCU.
///
/// [`retire`]: Self::retire
pub struct RcuTraceBox<T>(KBox<Retirable<T>>);

/// A value with the room that its retirement needs, so that retiring cannot fail.
#[repr(C)]
struct Retirable<T> {
    /// Used once the value is retired. First, so that a pointer to it is one to the whole.
    head: bindings::callback_head,
    value: T,
}

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

    /// Gives up ownership for a pointer that readers can be given.
    ///
    /// [`from_raw`](Self::from_raw) takes it back.
    pub fn into_raw(self) -> *mut T {
        let raw = KBox::into_raw(self.0);
        // SAFETY: `raw` came from a box and is valid.
        unsafe { &raw mut (*raw).value }
    }

    /// Takes back the ownership of a pointer from [`into_raw`](Self::into_raw).
    ///
    /// # Safety
    ///
    /// `ptr` must come from [`into_raw`](Self::into_raw) and must be taken back once only. If
    /// readers can have it, the box must not be dropped but [retired](Self::retire), and only when
    /// no new reader can find it.
    pub unsafe fn from_raw(ptr: *mut T) -> Self {
        let offset = core::mem::offset_of!(Retirable<T>, value);
        // SAFETY: By the safety requirements `ptr` points to the field of a boxed `Retirable`.
        Self(unsafe { KBox::from_raw(ptr.byte_sub(offset).cast()) })
    }

    /// Drops the value once every reader of now, sleeping or not, has left its critical section.
    ///
    /// Any context; does not wait. The value is dropped in softirq context and must not sleep then.
    pub fn retire(self) {
        let raw = KBox::into_raw(self.0);

        // SAFETY: `raw` is valid until `reclaim` is called, which is once; `head` is its first
        // field and used for nothing else.
        unsafe { bindings::call_rcu_tasks_trace(raw.cast(), Some(Self::reclaim)) };
    }

    /// The end of a grace period.
    ///
    /// # Safety
    ///
    /// To be called by RCU only, with the head that [`retire`](Self::retire) gave it.
    unsafe extern "C" fn reclaim(head: *mut bindings::callback_head) {
        // SAFETY: `head` is the first field of the `Retirable` that `retire` took from its box, and
        // the grace period is over: nobody else has a pointer to it.
        drop(unsafe { KBox::from_raw(head.cast::<Retirable<T>>()) });
    }
}

impl<T> Deref for RcuTraceBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
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
    fn raw_round_trip() -> Result {
        let boxed = RcuTraceBox::new(42u64, GFP_KERNEL)?;
        let raw = boxed.into_raw();
        // SAFETY: `raw` was just made and no reader has it.
        let boxed = unsafe { RcuTraceBox::from_raw(raw) };
        assert_eq!(*boxed, 42);
        Ok(())
    }

    #[test]
    fn retired_value_outlives_readers_and_no_more() -> Result {
        let value = Arc::new(7, GFP_KERNEL)?;
        let boxed = RcuTraceBox::new(value.clone(), GFP_KERNEL)?;
        let reader = Guard::new();
        boxed.retire();
        // The box still has its reference: the reader holds the grace period up.
        assert!(Arc::into_unique_or_drop(value.clone()).is_none());
        drop(reader);
        barrier();
        assert!(Arc::into_unique_or_drop(value).is_some());
        Ok(())
    }
}
