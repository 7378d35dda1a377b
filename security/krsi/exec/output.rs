// SPDX-License-Identifier: GPL-2.0

//! Memory of BPF programs that strings are written to.

use kernel::prelude::*;

/// Memory of a BPF program that a kfunc fills.
///
/// # Invariants
///
/// `size` bytes at `ptr` can be written. If the memory is in a map, other CPUs may write them too.
pub(super) struct Output {
    ptr: *mut u8,
    pub(super) size: usize,
}

impl Output {
    /// # Safety
    ///
    /// `size` bytes at `ptr` must be memory that a BPF program may write.
    pub(super) unsafe fn new(ptr: *mut c_void, size: u32) -> Self {
        // INVARIANT: The caller passes writable memory.
        Self {
            ptr: ptr.cast(),
            size: size as usize,
        }
    }

    /// Writes `bytes` at `offset`, truncated to the memory.
    pub(super) fn put(&mut self, offset: usize, bytes: &[u8]) {
        if offset < self.size {
            let len = bytes.len().min(self.size - offset);
            // SAFETY: `offset + len` is within the memory, which is writable by the type invariant.
            // It does not overlap the pages of the new program.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.ptr.add(offset), len) };
        }
    }

    /// Terminates a string of `len` bytes, or truncates it to the memory.
    pub(super) fn terminate(&mut self, len: usize) {
        if self.size > 0 {
            self.put(len.min(self.size - 1), &[0]);
        }
    }

    /// Returns the value for the program. Zeroes the memory on error, so that a program cannot
    /// mistake a part for the whole.
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
