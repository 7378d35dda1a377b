// SPDX-License-Identifier: GPL-2.0

//! The context of the current CPU: migration, interrupts, sleeping.
//!
//! C headers: [`include/linux/preempt.h`](srctree/include/linux/preempt.h),
//! [`include/linux/irqflags.h`](srctree/include/linux/irqflags.h)

use crate::{bindings, types::NotThreadSafe};

/// Keeps the current task on its CPU, preemptible, while it exists.
///
/// Guards nest.
///
/// # Invariants
///
/// `migrate_disable()` was called by the current task once for each instance.
pub struct MigrateGuard(NotThreadSafe);

impl MigrateGuard {
    /// Disables migration. Any context.
    #[inline(always)]
    pub fn new() -> Self {
        // SAFETY: An FFI call with no additional requirements.
        unsafe { bindings::inline_migrate_disable() };
        // INVARIANT: `migrate_disable()` was just called.
        Self(NotThreadSafe)
    }
}

impl Default for MigrateGuard {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for MigrateGuard {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the type invariant, this pairs with a call to `migrate_disable()`.
        unsafe { bindings::inline_migrate_enable() };
    }
}

/// Keeps interrupts disabled on the current CPU while it exists.
///
/// Guards nest, and must be dropped in the reverse order. Unlike
/// [`LocalInterruptDisabled`](crate::interrupt::LocalInterruptDisabled), disables interrupts on
/// every kernel.
///
/// # Invariants
///
/// Interrupts are disabled until the guard is dropped. `flags` is the return value of
/// `local_irq_save()`.
pub struct IrqGuard {
    flags: usize,
    _not_send: NotThreadSafe,
}

impl IrqGuard {
    /// Disables interrupts. Any context.
    #[inline]
    pub fn new() -> Self {
        // INVARIANT: `local_irq_save()` disables interrupts.
        Self {
            // SAFETY: An FFI call with no additional requirements.
            flags: unsafe { bindings::local_irq_save() },
            _not_send: NotThreadSafe,
        }
    }
}

impl Default for IrqGuard {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for IrqGuard {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant, this pairs with a call to `local_irq_save()`.
        unsafe { bindings::local_irq_restore(self.flags) };
    }
}

/// Whether the CPU runs a task, as opposed to an interrupt, an NMI or a softirq.
#[inline]
pub fn in_task() -> bool {
    // SAFETY: An FFI call with no additional requirements.
    unsafe { bindings::in_task() }
}

/// Whether the CPU handles an NMI.
#[inline]
pub fn in_nmi() -> bool {
    // SAFETY: An FFI call with no additional requirements.
    unsafe { bindings::in_nmi() }
}

/// Whether the current context may take a `spinlock_t` that no interrupt handler takes.
///
/// On `PREEMPT_RT`, such a lock sleeps, so preemption and interrupts must be enabled. Does not know
/// about NMIs on other kernels.
#[inline]
pub fn may_take_spinlock() -> bool {
    // SAFETY: An FFI call with no additional requirements.
    !cfg!(CONFIG_PREEMPT_RT) || unsafe { bindings::preemptible() }
}

/// Annotates code that may take a page fault, and therefore may sleep.
#[track_caller]
#[inline(always)]
pub fn might_fault() {
    // SAFETY: An FFI call with no additional requirements.
    unsafe { bindings::might_fault() };
}
