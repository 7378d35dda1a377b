// SPDX-License-Identifier: GPL-2.0

//! Records in the kernel's audit stream.
//!
//! C headers: [`include/linux/audit.h`](srctree/include/linux/audit.h),
//! [`include/linux/audit_key.h`](srctree/include/linux/audit_key.h)

use crate::{
    alloc::flags::{GFP_ATOMIC, __GFP_NOWARN},
    bindings,
    error::to_result,
    fmt,
    prelude::*,
    types::NotThreadSafe,
};
use core::ptr::{self, NonNull};

/// Type of records that modules outside of audit make up: `KERNEL_OTHER` in audit's tools.
pub const KERNEL_OTHER: u32 = bindings::AUDIT_KERNEL_OTHER;

/// Whether records are wanted at all: `audit=0` and `auditctl -e 0` are no.
pub fn enabled() -> bool {
    // SAFETY: An integer of audit's, which changes as a whole.
    unsafe { ptr::read_volatile(&raw const bindings::audit_enabled) != bindings::AUDIT_OFF }
}

/// Whether the current task carries records, so that one about it would beget the next.
pub fn is_own_task() -> bool {
    // SAFETY: An FFI call with no additional requirements.
    unsafe { bindings::audit_is_own_task() }
}

/// Why there is no record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoRecord {
    /// A rule of the filter `exclude` says so.
    Excluded,
    /// As many records as audit's backlog limit allows wait.
    Backlog,
    /// There is no memory, or audit has not started.
    Memory,
}

/// A record that is being written. It is complete, and sent, when it is dropped.
///
/// # Invariants
///
/// The buffer is valid and belongs to the value.
pub struct Record {
    buffer: NonNull<bindings::audit_buffer>,
    _not_send: NotThreadSafe,
}

impl Record {
    /// Starts a record, of the event that the current task's system call is if `of_syscall`.
    ///
    /// Any context but NMI; in an interrupt there is no system call. Asks LSMs if audit's rules
    /// name labels: see the hook `audit_rule_match`.
    pub fn start(kind: u32, of_syscall: bool) -> Result<Self, NoRecord> {
        let context = if of_syscall {
            // SAFETY: An FFI call with no additional requirements.
            unsafe { bindings::audit_context() }
        } else {
            ptr::null_mut()
        };
        let flags = GFP_ATOMIC | __GFP_NOWARN;
        // SAFETY: The context is the current task's, or null.
        let buffer = unsafe { bindings::audit_log_start(context, flags.as_raw(), kind as c_int) };
        match NonNull::new(buffer) {
            // INVARIANT: The buffer was just made for the caller.
            Some(buffer) => Ok(Self {
                buffer,
                _not_send: NotThreadSafe,
            }),
            None => Err(Self::why_none(kind)),
        }
    }

    /// Found out afterwards: a backlog that has room again by then looks like no memory.
    fn why_none(kind: u32) -> NoRecord {
        // SAFETY: FFI calls with no additional requirements.
        unsafe {
            if bindings::audit_is_excluded(kind as c_int) {
                NoRecord::Excluded
            } else if bindings::audit_backlog_full() {
                NoRecord::Backlog
            } else {
                NoRecord::Memory
            }
        }
    }

    /// Appends text that only the kernel has decided about.
    pub fn format(&self, args: fmt::Arguments<'_>) {
        // SAFETY: By the type invariant; `%pA` takes a pointer to `fmt::Arguments`.
        unsafe {
            bindings::audit_log_format(
                self.buffer.as_ptr(),
                c"%pA".as_char_ptr(),
                ptr::from_ref(&args).cast::<c_void>(),
            )
        };
    }

    /// Appends text of others: in quotes, or in hexadecimal if it could be taken for anything else.
    pub fn untrusted(&self, text: &[u8]) {
        // SAFETY: By the type invariant; the text has that length.
        unsafe {
            bindings::audit_log_n_untrustedstring(
                self.buffer.as_ptr(),
                text.as_ptr().cast(),
                text.len(),
            )
        };
    }

    /// How many bytes [`untrusted`](Self::untrusted) would append.
    pub fn untrusted_len(text: &[u8]) -> usize {
        // SAFETY: The text has that length.
        if unsafe { bindings::audit_string_contains_control(text.as_ptr().cast(), text.len()) } {
            text.len() * 2
        } else {
            text.len() + 2
        }
    }

    /// Appends who the current task is: process, users, groups, session, `comm`.
    pub fn subject(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::audit_log_subject(self.buffer.as_ptr()) };
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, and the buffer is not used again.
        unsafe { bindings::audit_log_end(self.buffer.as_ptr()) };
    }
}

/// Has the record of the current task's system call carry `key`, by which tools find the event.
///
/// After a [`Record`] of the system call. Not in an interrupt. [`ENOENT`] if the system call has no
/// record, [`E2BIG`] if it has many keys already, [`ENOMEM`].
pub fn add_key(key: &CStr) -> Result {
    // SAFETY: The key is a C string.
    to_result(unsafe { bindings::audit_add_key(key.as_char_ptr()) })
}
