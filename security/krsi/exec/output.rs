// SPDX-License-Identifier: GPL-2.0

//! The memory of BPF programs that strings are written to.

use kernel::prelude::*;

/// Memory of a BPF program that a kfunc fills.
///
/// # Invariants
///
/// `size` bytes at `ptr` can be written. Others may write them too, if the memory is a map's.
pub(super) struct Output {
    ptr: *mut u8,
    pub(super) size: usize,
}

impl Output {
    /// # Safety
    ///
    /// `size` bytes at `ptr` must be a BPF program's to write.
    pub(super) unsafe fn new(ptr: *mut c_void, size: u32) -> Self {
        // INVARIANT: The caller passes writable memory.
        Self {
            ptr: ptr.cast(),
            size: size as usize,
        }
    }

    /// Writes what fits of `bytes` at `offset`.
    pub(super) fn put(&mut self, offset: usize, bytes: &[u8]) {
        if offset < self.size {
            let len = bytes.len().min(self.size - offset);
            // SAFETY: `offset + len` is in the memory, which is writable by the type invariant. No
            // page of the new program is in it.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.ptr.add(offset), len) };
        }
    }

    /// Ends a string that has `len` bytes, or as many as fit.
    pub(super) fn terminate(&mut self, len: usize) {
        if self.size > 0 {
            self.put(len.min(self.size - 1), &[0]);
        }
    }

    /// Returns the value for the program. Clears the memory after an error: a part must not pass for
    /// the whole.
    pub(super) fn finish(self, result: Result<usize>) -> i64 {
        match result {
            Ok(len) => len as i64,
            Err(e) => {
                // SAFETY: By the type invariant, `size` bytes can be written.
                unsafe { core::ptr::write_bytes(self.ptr, 0, self.size) };
                e.to_errno().into()
            }
        }
    }
}
