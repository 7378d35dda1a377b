// SPDX-License-Identifier: GPL-2.0

//! Texts in the memory of programs, to which other CPUs may write concurrently.

use core::{marker::PhantomData, ptr::NonNull};
use kernel::ffi::c_char;

/// The number of bytes that are tested at once.
pub(crate) const WORD: usize = size_of::<u64>();
/// A word with each byte 1.
pub(crate) const ONES: u64 = u64::MAX / 0xff;

/// Returns the index of the first byte that is 0, in a word that was read as little-endian.
#[inline(always)]
pub(crate) fn nul_of(word: u64) -> Option<usize> {
    // The lowest set bit is in the first byte that is 0.
    let nuls = word.wrapping_sub(ONES) & !word & (ONES << 7);

    (nuls != 0).then(|| nuls.trailing_zeros() as usize / 8)
}

/// A text that ends at a NUL, or at the end of its memory.
///
/// # Invariants
///
/// The memory can be read for `'a`. Other CPUs may write to it.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    memory: NonNull<[u8]>,
    _memory: PhantomData<&'a [u8]>,
}

impl<'a> Text<'a> {
    /// Makes a value from the memory of a program. Returns [`None`] if `ptr` is null.
    ///
    /// # Safety
    ///
    /// `size` bytes at `ptr` must be readable for `'a`. Other CPUs may write to them.
    pub(crate) unsafe fn from_raw(ptr: *const c_char, size: u32) -> Option<Self> {
        let ptr = NonNull::new(ptr.cast_mut().cast())?;

        // INVARIANT: The caller passes readable memory.
        Some(Self {
            memory: NonNull::slice_from_raw_parts(ptr, size as usize),
            _memory: PhantomData,
        })
    }

    /// Reads one byte, once.
    fn byte(self, i: usize) -> u8 {
        assert!(i < self.memory.len());
        // SAFETY: By the type invariant, the byte can be read.
        unsafe { self.memory.cast::<u8>().add(i).read_volatile() }
    }

    /// Returns the length of the text, or `max` if that is less.
    ///
    /// Reads at most `max` bytes, word by word.
    pub(crate) fn len(self, max: usize) -> usize {
        let start = self.memory.as_ptr().cast::<u8>();
        let len = self.memory.len().min(max);
        let aligned = start.align_offset(WORD).min(len);
        let tail = len - (len - aligned) % WORD;
        let is_nul = |i: &usize| self.byte(*i) == 0;

        if let Some(nul) = (0..aligned).find(is_nul) {
            return nul;
        }
        for i in (aligned..tail).step_by(WORD) {
            // SAFETY: The word is aligned, and ends at or before `tail`, which is within the
            // memory. By the type invariant, the memory can be read.
            let word = unsafe { start.add(i).cast::<u64>().read_volatile() };
            if let Some(nul) = nul_of(u64::from_le(word)) {
                return i + nul;
            }
        }
        (tail..len).find(is_nul).unwrap_or(len)
    }

    /// Copies the text, truncated to the size of `to`. Unlike the text, the copy does not change.
    pub(crate) fn copy(self, to: &mut [u8]) -> &[u8] {
        let len = self.len(to.len());

        for (i, byte) in to[..len].iter_mut().enumerate() {
            *byte = self.byte(i);
        }
        // Another CPU may have shortened the text during the copy.
        let end = to[..len].iter().position(|byte| *byte == 0);
        &to[..end.unwrap_or(len)]
    }
}

impl<'a> From<&'a [u8]> for Text<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        // INVARIANT: A slice can be read.
        Self {
            memory: NonNull::from(bytes),
            _memory: PhantomData,
        }
    }
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_text)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_anywhere() {
        let mut bytes = [b'x'; 40];
        let at = |bytes: &[u8], max| Text::from(bytes).len(max);
        for end in (0..=40).rev() {
            if end < 40 {
                bytes[end] = 0;
            }
            for from in 0..=end {
                assert_eq!(at(&bytes[from..], usize::MAX), end - from);
                for max in 0..40 {
                    assert_eq!(at(&bytes[from..], max), max.min(end - from));
                }
            }
        }
        // Bytes that differ from NUL in one bit are not found.
        assert_eq!(at(&[1, 0x80, 0x81, 0x7f, 0xff, 1, 1, 0x80, 0x80, 0], 99), 9);
    }

    #[test]
    fn texts_are_copied_to_their_end() {
        let mut to = [0xaa; 4];
        let mut check = |from: &[u8], kept: &[u8]| {
            assert!(Text::from(from).copy(&mut to) == kept);
        };
        check(b"", b"");
        check(b"\0", b"");
        check(b"ab\0c", b"ab");
        check(b"abcd", b"abcd");
        check(b"abcde\0", b"abcd");
    }
}
