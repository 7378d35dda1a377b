// SPDX-License-Identifier: GPL-2.0

//! Searches strings that come in chunks, word by word.

use crate::text::{nul_of, ONES, WORD};

/// Returns the index of the first NUL.
pub(super) fn find_nul(bytes: &[u8]) -> Option<usize> {
    let words = bytes.chunks_exact(WORD);
    let rest = words.remainder();

    for (i, bytes) in words.enumerate() {
        if let Some(nul) = nul_of(u64::from_le_bytes(word(bytes))) {
            return Some(i * WORD + nul);
        }
    }
    let nul = rest.iter().position(|byte| *byte == 0)?;
    Some(bytes.len() - rest.len() + nul)
}

/// The bytes of a word.
#[inline(always)]
fn word(bytes: &[u8]) -> [u8; WORD] {
    let mut word = [0; WORD];
    word.copy_from_slice(bytes);
    word
}

/// Skips a number of strings that come in chunks. The field is the number of strings left.
pub(super) struct Skip(pub(super) u64);

impl Skip {
    /// Skips strings in `chunk`. Returns the number of bytes that were used.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> usize {
        let mut used = 0;
        while self.0 > 0 {
            let Some(nul) = find_nul(&chunk[used..]) else {
                return chunk.len();
            };
            used += nul + 1;
            self.0 -= 1;
        }
        used
    }
}

/// Searches for a variable in an environment that comes in chunks.
pub(super) struct Search<'a> {
    name: &'a [u8],
    /// The number of strings left, including the current one.
    pub(super) left: u64,
    /// The number of bytes of the name that match so far. [`None`] if the current string differs.
    matched: Option<usize>,
}

impl<'a> Search<'a> {
    pub(super) fn new(name: &'a [u8], count: u64) -> Self {
        Self {
            name,
            left: count,
            matched: Some(0),
        }
    }

    /// Searches `chunk` up to the beginning of a value or the end of the last string. Returns the
    /// number of bytes that were used, and whether a value begins there.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> (usize, bool) {
        let mut used = 0;
        while self.left > 0 && used < chunk.len() {
            match self.matched {
                Some(matched) if matched == self.name.len() => {
                    self.matched = None;
                    if chunk[used] == b'=' {
                        return (used + 1, true);
                    }
                }
                Some(matched) if chunk[used] == self.name[matched] => {
                    self.matched = Some(matched + 1);
                    used += 1;
                }
                Some(_) => self.matched = None,
                None => {
                    let Some(nul) = find_nul(&chunk[used..]) else {
                        return (chunk.len(), false);
                    };
                    used += nul + 1;
                    self.left -= 1;
                    self.matched = Some(0);
                }
            }
        }
        (used, false)
    }
}

/// Whether slices of the same length are equal. Compares words, since most slices are short.
#[inline(always)]
fn equal(a: &[u8], b: &[u8]) -> bool {
    let load = |bytes: &[u8]| u64::from_ne_bytes(word(bytes));
    let Some(last) = a.len().checked_sub(WORD) else {
        return a.iter().zip(b).all(|(a, b)| a == b);
    };
    let mut words = a.chunks_exact(WORD).zip(b.chunks_exact(WORD));

    // The last word overlaps the one before it.
    words.all(|(a, b)| load(a) == load(b)) && load(&a[last..]) == load(&b[last..])
}

/// Searches for a string among strings that come in chunks.
pub(super) struct Find<'a> {
    text: &'a [u8],
    /// Whether a string that begins with the text also matches.
    prefix: bool,
    /// The number of strings left, including the current one.
    pub(super) left: u64,
    /// The number of bytes of the text that match so far. [`None`] if the current string differs.
    matched: Option<usize>,
}

impl<'a> Find<'a> {
    /// Searches `count` strings for `text`, which must not contain a NUL.
    pub(super) fn new(text: &'a [u8], prefix: bool, count: u64) -> Self {
        Self {
            text,
            prefix,
            left: count,
            matched: Some(0),
        }
    }

    /// Searches `chunk`. Returns the number of bytes that were used, and whether the current string
    /// matches. Must not be called again after a match.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> (usize, bool) {
        let mut used = 0;

        while self.left > 0 {
            let bytes = &chunk[used..];
            if let Some(matched) = self.matched {
                let rest = &self.text[matched..];
                let len = rest.len().min(bytes.len());
                if !equal(&rest[..len], &bytes[..len]) {
                    self.matched = None;
                } else if len < rest.len() {
                    self.matched = Some(matched + len);
                    return (chunk.len(), false);
                } else if self.prefix || bytes.get(len) == Some(&0) {
                    return (used + len, true);
                } else if len == bytes.len() {
                    self.matched = Some(self.text.len());
                    return (chunk.len(), false);
                } else {
                    self.matched = None;
                }
            }
            let Some(nul) = find_nul(bytes) else {
                return (chunk.len(), false);
            };
            used += nul + 1;
            self.left -= 1;
            self.matched = Some(0);
        }
        (used, false)
    }
}

/// A word at any address.
#[derive(Clone, Copy)]
#[repr(C, packed)]
struct Unaligned(u64);

/// Reads a word of the arguments once, like `READ_ONCE()`. Another task can change them, if it has
/// mapped their page, and the compiler would read them to copy and again to look for NULs.
#[inline(always)]
fn read_once(src: &[u8]) -> u64 {
    let Some(word) = src.first_chunk::<WORD>() else {
        return 0;
    };
    // SAFETY: The reference is to as many bytes. The type needs no alignment.
    unsafe { word.as_ptr().cast::<Unaligned>().read_volatile() }.0
}

/// Copies `src` to `dst`, which has the same length, and returns the number of NULs. Reads each
/// byte once.
pub(super) fn copy_counting(dst: &mut [u8], src: &[u8]) -> u64 {
    let mut to = dst.chunks_exact_mut(BLOCK);
    let mut from = src.chunks_exact(BLOCK);
    let mut nuls = 0u64;
    // A NUL is likely to be followed by more: strings are either long or short.
    let mut dense = false;

    for (to, from) in Iterator::zip(&mut to, &mut from) {
        // The compiler unrolls loops over arrays, whose length it knows.
        let Ok(to): Result<&mut [u8; BLOCK], _> = to.try_into() else {
            continue;
        };
        let Ok(from): Result<&[u8; BLOCK], _> = from.try_into() else {
            continue;
        };
        if dense || copy_block(to, from) {
            let found = copy_counting_words(to, from);
            dense = found != 0;
            nuls = nuls.wrapping_add(found);
        }
    }
    let (to, from) = (to.into_remainder(), from.remainder());
    let words = from.len() - from.len() % WORD;
    nuls = nuls.wrapping_add(copy_counting_words(to, &from[..words]));
    for (to, byte) in to.iter_mut().zip(from).skip(words) {
        // SAFETY: The reference is valid.
        let byte = unsafe { core::ptr::from_ref(byte).read_volatile() };
        *to = byte;
        nuls = nuls.wrapping_add(u64::from(byte == 0));
    }
    nuls
}

/// The number of bytes that are copied between two tests for NULs.
const BLOCK: usize = 32 * WORD;

/// Copies words. Returns false if they contain no NUL, and true if they may contain one.
#[inline(always)]
fn copy_block(dst: &mut [u8; BLOCK], src: &[u8; BLOCK]) -> bool {
    let mut tops = 0;
    for (to, from) in dst.chunks_exact_mut(WORD).zip(src.chunks_exact(WORD)) {
        let word = read_once(from);
        to.copy_from_slice(&word.to_ne_bytes());
        // Subtracting 1 from each byte sets the top bit of a byte that is 0, and of few others.
        tops |= word.wrapping_sub(ONES);
    }
    tops & (ONES << 7) != 0
}

/// Copies words, at most [`BLOCK`] bytes. Returns the number of NULs.
#[inline(always)]
fn copy_counting_words(dst: &mut [u8], src: &[u8]) -> u64 {
    const LOW: u64 = ONES * 0x7f;
    // A word with every second byte 255, and one with every second byte 1.
    const EVEN: u64 = u64::MAX / 0xffff * 0xff;
    const PAIRS: u64 = u64::MAX / 0xffff;
    // The compiler unrolls the loop over a group completely.
    const GROUP: usize = 8 * WORD;

    // Each byte counts the bytes at its position in the words that are not NUL.
    let mut others = 0u64;
    let mut copy = |to: &mut [u8], from: &[u8]| {
        let word = read_once(from);
        to.copy_from_slice(&word.to_ne_bytes());
        let top = (word & LOW).wrapping_add(LOW) | word;
        others = others.wrapping_add((top >> 7) & ONES);
    };
    let mut to = dst.chunks_exact_mut(GROUP);
    let mut from = src.chunks_exact(GROUP);
    for (to, from) in Iterator::zip(&mut to, &mut from) {
        for (to, from) in to.chunks_exact_mut(WORD).zip(from.chunks_exact(WORD)) {
            copy(to, from);
        }
    }
    let (to, from) = (to.into_remainder(), from.remainder());
    for (to, from) in to.chunks_exact_mut(WORD).zip(from.chunks_exact(WORD)) {
        copy(to, from);
    }
    let pairs = (others & EVEN).wrapping_add((others >> 8) & EVEN);
    (src.len() as u64).wrapping_sub(pairs.wrapping_mul(PAIRS) >> (u64::BITS - 16))
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_exec)]
mod tests {
    use super::*;

    /// All ways to split `bytes` in two.
    fn cuts(bytes: &[u8]) -> impl Iterator<Item = [&[u8]; 2]> {
        (0..=bytes.len()).map(|at| [&bytes[..at], &bytes[at..]])
    }

    #[test]
    fn a_nul_is_found_anywhere() {
        let mut bytes = [b'x'; 40];
        assert_eq!(find_nul(&bytes), None);
        assert_eq!(find_nul(&[]), None);
        for at in (0..bytes.len()).rev() {
            bytes[at] = 0;
            for from in 0..=at {
                assert_eq!(find_nul(&bytes[from..]), Some(at - from));
            }
        }
    }

    /// Returns the offset at which `count` strings end. [`None`] if they do not end.
    fn skipped(chunks: [&[u8]; 2], count: u64) -> Option<usize> {
        let mut skip = Skip(count);
        let mut used = 0;
        for chunk in chunks {
            used += skip.feed(chunk);
        }
        (skip.0 == 0).then_some(used)
    }

    #[test]
    fn strings_are_passed_over() {
        for chunks in cuts(b"one\0\0three\0\0\0rest") {
            let ends = [0, 4, 5, 11, 12, 13];
            for (count, end) in ends.iter().enumerate() {
                assert_eq!(skipped(chunks, count as u64), Some(*end));
            }
            assert_eq!(skipped(chunks, 6), None);
            assert_eq!(skipped(chunks, u64::MAX), None);
        }
    }

    /// Returns the offsets at which values of `name` begin in `chunks`.
    fn values(chunks: [&[u8]; 2], name: &[u8], count: u64) -> [Option<usize>; 3] {
        let mut search = Search::new(name, count);
        let mut found = [None; 3];
        let mut next = 0;
        let mut base = 0;
        for chunk in chunks {
            let mut used = 0;
            while used < chunk.len() && search.left > 0 {
                let (n, value) = search.feed(&chunk[used..]);
                used += n;
                if value {
                    found[next] = Some(base + used);
                    next += 1;
                }
            }
            base += chunk.len();
        }
        found
    }

    #[test]
    fn variables_are_found_by_their_whole_name() {
        let env = b"PATHS=no\0PAT=no\0XPATH=no\0\0PATH\0=PATH=no\0PATH=yes\0PATH=\0A=PATH=no\0";
        for chunks in cuts(env) {
            assert_eq!(values(chunks, b"PATH", 9), [Some(45), Some(54), None]);
            // The strings end before the bytes do.
            assert_eq!(values(chunks, b"PATH", 7), [Some(45), None, None]);
            assert_eq!(values(chunks, b"PATH", 6), [None; 3]);
            assert_eq!(values(chunks, b"PATH", 0), [None; 3]);
            assert_eq!(values(chunks, b"PAT", 9), [Some(13), None, None]);
            assert_eq!(values(chunks, b"NONE", 9), [None; 3]);
        }
    }

    #[test]
    fn a_difference_is_found_anywhere() {
        let a = [b'x'; 40];
        for len in 0..=a.len() {
            assert!(equal(&a[..len], &a[..len]));
            for at in 0..len {
                let mut b = a;
                b[at] = b'y';
                assert!(!equal(&a[..len], &b[..len]));
            }
        }
    }

    /// Returns the number of the first string that matches, among `count` strings in `chunks`.
    fn found(chunks: [&[u8]; 2], text: &[u8], prefix: bool, count: u64) -> Option<u64> {
        let mut find = Find::new(text, prefix, count);
        for chunk in chunks {
            let mut used = 0;
            while used < chunk.len() && find.left > 0 {
                let (n, found) = find.feed(&chunk[used..]);
                if found {
                    return Some(count - find.left);
                }
                used += n;
            }
        }
        None
    }

    #[test]
    fn strings_are_found() {
        let strings = b"-a\0-abc\0\0-ab\0-a\0long-string-of-letters\0beyond\0";
        for chunks in cuts(strings) {
            let whole = |text, count| found(chunks, text, false, count);
            assert_eq!(whole(b"-a", 6), Some(0));
            assert_eq!(whole(b"-abc", 6), Some(1));
            assert_eq!(whole(b"", 6), Some(2));
            assert_eq!(whole(b"-ab", 6), Some(3));
            assert_eq!(whole(b"-", 6), None);
            assert_eq!(whole(b"-abcd", 6), None);
            assert_eq!(whole(b"long-string-of-letters", 6), Some(5));
            assert_eq!(whole(b"long-string-of-letter", 6), None);
            // The strings end before the bytes do.
            assert_eq!(whole(b"beyond", 6), None);
            assert_eq!(whole(b"beyond", 7), Some(6));
            assert_eq!(whole(b"long-string-of-letters", 5), None);
            assert_eq!(whole(b"-a", 0), None);

            let begins = |text, count| found(chunks, text, true, count);
            assert_eq!(begins(b"", 6), Some(0));
            assert_eq!(begins(b"-ab", 6), Some(1));
            assert_eq!(begins(b"long", 6), Some(5));
            assert_eq!(begins(b"long", 5), None);
            assert_eq!(begins(b"bc", 6), None);
        }
    }

    #[test]
    fn copies_are_whole_and_counts_are_right() {
        let mut src = [b'x'; 600];
        for (i, byte) in src.iter_mut().enumerate() {
            // Includes bytes that differ from NUL in one bit. The middle contains no NUL.
            if !(200..520).contains(&i) {
                *byte = [0, 1, 0x80, 0, b'a', 0x7f, 0xff][i % 7];
            }
        }
        for from in [0, 1, 2, 3, 4, 5, 6, 7, 8, 200, 203] {
            for len in 0..=src.len() - from {
                let part = &src[from..from + len];
                let mut dst = [0xaau8; 601];
                let nuls = copy_counting(&mut dst[..len], part);
                assert_eq!(nuls, part.iter().filter(|byte| **byte == 0).count() as u64);
                assert!(dst[..len] == *part && dst[len..].iter().all(|byte| *byte == 0xaa));
            }
        }
    }

    #[test]
    fn no_nul_is_overlooked() {
        let mut dst = [0; BLOCK];
        for byte in [1, 0x7f, 0x80, 0x81, 0xff] {
            let nuls = copy_counting(&mut dst, &[byte; BLOCK]);
            assert_eq!(nuls, 0);
            for at in 0..BLOCK {
                let mut src = [byte; BLOCK];
                src[at] = 0;
                assert!(copy_block(&mut dst, &src));
                assert!(src == dst);
                assert_eq!(copy_counting(&mut dst, &src), 1);
            }
        }
        assert!(!copy_block(&mut dst, &[b'x'; BLOCK]));
        let all = copy_counting(&mut dst, &[0; BLOCK]);
        assert_eq!(all, BLOCK as u64);
    }
}
