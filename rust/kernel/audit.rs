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

/// Type of records with a format of their own: `KERNEL_OTHER` in audit's tools.
pub const KERNEL_OTHER: u32 = bindings::AUDIT_KERNEL_OTHER;

/// Whether audit is enabled. `audit=0` and `auditctl -e 0` disable it.
pub fn enabled() -> bool {
    // SAFETY: `audit_enabled` is a static integer that is written atomically.
    unsafe { ptr::read_volatile(&raw const bindings::audit_enabled) != bindings::AUDIT_OFF }
}

/// Whether the current task delivers audit records. A record about such a task would recurse.
pub fn is_own_task() -> bool {
    // SAFETY: An FFI call with no additional requirements.
    unsafe { bindings::audit_is_own_task() }
}

/// The reason why a record was not started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoRecord {
    /// A rule of the `exclude` filter excludes the record.
    Excluded,
    /// The number of queued records has reached audit's backlog limit.
    Backlog,
    /// Out of memory, or audit has not started.
    Memory,
}

/// A record that is being written. Dropping it completes and sends it.
///
/// # Invariants
///
/// `buffer` is valid and owned by `self`.
pub struct Record {
    buffer: NonNull<bindings::audit_buffer>,
    _not_send: NotThreadSafe,
}

impl Record {
    /// Starts a record. If `of_syscall` is true, it belongs to the audit event of the current
    /// system call.
    ///
    /// Any context but NMI. In an interrupt, `of_syscall` must be false. Calls the hook
    /// `audit_rule_match` if audit rules refer to labels.
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
            // INVARIANT: `audit_log_start()` returned a new buffer, which the caller owns.
            Some(buffer) => Ok(Self {
                buffer,
                _not_send: NotThreadSafe,
            }),
            None => Err(Self::why_none(kind)),
        }
    }

    /// Determines the reason after `audit_log_start()` has failed.
    ///
    /// Returns [`NoRecord::Memory`] if the backlog was full but has room again.
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

    /// Appends text that comes from the kernel and needs no quoting.
    pub fn format(&self, args: fmt::Arguments<'_>) {
        // SAFETY: By the type invariant the buffer is valid; `%pA` takes a pointer to
        // `fmt::Arguments`.
        unsafe {
            bindings::audit_log_format(
                self.buffer.as_ptr(),
                c"%pA".as_char_ptr(),
                ptr::from_ref(&args).cast::<c_void>(),
            )
        };
    }

    /// Appends untrusted text: in quotes, or in hexadecimal if quotes would be ambiguous.
    pub fn untrusted(&self, text: &[u8]) {
        // SAFETY: By the type invariant the buffer is valid; the text has that length.
        unsafe {
            bindings::audit_log_n_untrustedstring(
                self.buffer.as_ptr(),
                text.as_ptr().cast(),
                text.len(),
            )
        };
    }

    /// Returns the number of bytes that [`untrusted`](Self::untrusted) would append.
    pub fn untrusted_len(text: &[u8]) -> usize {
        // SAFETY: The text has that length.
        if unsafe { bindings::audit_string_contains_control(text.as_ptr().cast(), text.len()) } {
            text.len() * 2
        } else {
            text.len() + 2
        }
    }

    /// Appends the identity of the current task: process, users, groups, session, `comm`.
    pub fn subject(&self) {
        // SAFETY: By the type invariant the buffer is valid.
        unsafe { bindings::audit_log_subject(self.buffer.as_ptr()) };
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the buffer is valid and owned, and it is not used again.
        unsafe { bindings::audit_log_end(self.buffer.as_ptr()) };
    }
}

/// Adds `key` to the record of the current system call, so that tools find the event by it.
///
/// Called after a [`Record`] of the system call, and never in an interrupt.
///
/// # Errors
///
/// - [`ENOENT`]: the system call has no record
/// - [`E2BIG`]: the record has too many keys
/// - [`ENOMEM`]
pub fn add_key(key: &CStr) -> Result {
    // SAFETY: The key is a C string.
    to_result(unsafe { bindings::audit_add_key(key.as_char_ptr()) })
}
