// SPDX-License-Identifier: GPL-2.0

//! Texts in the memory of programs, which other CPUs may write at the same time.

use core::ptr::NonNull;

/// Bytes that are looked at together.
pub(crate) const WORD: usize = size_of::<u64>();
/// A word of which each byte is 1.
pub(crate) const ONES: u64 = u64::MAX / 0xff;

/// The first byte that is 0 in a word that was read as little-endian.
#[inline(always)]
pub(crate) fn nul_of(word: u64) -> Option<usize> {
    // The lowest bit that is set is in the first byte that is 0.
    let nuls = word.wrapping_sub(ONES) & !word & (ONES << 7);

    (nuls != 0).then(|| nuls.trailing_zeros() as usize / 8)
}

/// The length of a text that ends with a NUL, with `from`, or after `max` bytes.
///
/// Looks at `max` bytes at most, by words.
///
/// # Safety
///
/// `from` must be readable, though other CPUs may write there.
pub(crate) unsafe fn len(from: NonNull<[u8]>, max: usize) -> usize {
    let start = from.as_ptr().cast::<u8>();
    let len = from.len().min(max);
    let is_nul = |i: usize| {
        // SAFETY: `i` is less than `len`, and the caller says that `from` is readable.
        unsafe { start.add(i).read_volatile() == 0 }
    };
    let aligned = start.align_offset(WORD).min(len);
    let tail = len - (len - aligned) % WORD;

    if let Some(nul) = (0..aligned).find(|i| is_nul(*i)) {
        return nul;
    }
    for i in (aligned..tail).step_by(WORD) {
        // SAFETY: The word is aligned and ends at `tail` at the latest, which is in `from`.
        let word = unsafe { start.add(i).cast::<u64>().read_volatile() };
        if let Some(nul) = nul_of(u64::from_le(word)) {
            return i + nul;
        }
    }
    (tail..len).find(|i| is_nul(*i)).unwrap_or(len)
}

/// Copies a text up to its NUL, so that it does not change after it was looked at.
///
/// # Safety
///
/// `from` must be readable, though other CPUs may write there.
pub(crate) unsafe fn copy(to: &mut [u8], from: NonNull<[u8]>) -> &[u8] {
    let start = from.as_ptr().cast::<u8>();
    // SAFETY: The caller says that it is readable.
    let len = unsafe { len(from, to.len()) };

    for (i, byte) in to[..len].iter_mut().enumerate() {
        // SAFETY: `i` is less than the length of `from`.
        *byte = unsafe { start.add(i).read_volatile() };
    }
    // A text that another CPU cut short meanwhile ends there.
    let end = to[..len].iter().position(|byte| *byte == 0);
    &to[..end.unwrap_or(len)]
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_text)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_anywhere() {
        let mut bytes = [b'x'; 40];
        let at = |bytes: &[u8], max| {
            // SAFETY: A slice is readable.
            unsafe { len(NonNull::from(bytes), max) }
        };
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
        // What differs from NUL in one bit is none.
        assert_eq!(at(&[1, 0x80, 0x81, 0x7f, 0xff, 1, 1, 0x80, 0x80, 0], 99), 9);
    }

    #[test]
    fn texts_are_copied_to_their_end() {
        let mut to = [0xaa; 4];
        let mut check = |from: &[u8], kept: &[u8]| {
            // SAFETY: A slice is readable.
            assert!(unsafe { copy(&mut to, NonNull::from(from)) } == kept);
        };
        check(b"", b"");
        check(b"\0", b"");
        check(b"ab\0c", b"ab");
        check(b"abcd", b"abcd");
        check(b"abcde\0", b"abcd");
    }
}
