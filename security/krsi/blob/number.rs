// SPDX-License-Identifier: GPL-2.0

//! Numbers of slots.
//!
//! Pure. A number is an index into a table of [`MAX`] entries and a random nonce, so that programs
//! of an earlier boot, or with the number of a released slot, find nothing.

use super::class::Class;

/// Limit on the number of slots until reboot.
pub(super) const MAX: usize = 256;

/// The part of a number that is the index.
const INDEX: u32 = MAX as u32 - 1;

/// Makes the number of the slot at `index`. [`None`] if that is not less than [`MAX`].
///
/// No number is 0, the value that programs have by default.
pub(super) fn number(index: usize, nonce: u32) -> Option<u32> {
    if index >= MAX {
        return None;
    }
    let nonce = nonce & !INDEX;
    let nonce = if nonce == 0 { INDEX + 1 } else { nonce };
    Some(nonce | index as u32)
}

/// The index in a number, less than [`MAX`].
#[inline(always)]
pub(super) const fn index(number: u32) -> usize {
    (number & INDEX) as usize
}

/// Packs number, class and size of a slot into a word that is never 0.
///
/// The class replaces the index, which the place in the table implies.
#[inline(always)]
pub(super) const fn key(number: u32, class: u32, size: u32) -> u64 {
    ((size as u64) << 32) | ((number & !INDEX) | (class + 1)) as u64
}

const _: () = assert!(Class::ALL.len() <= INDEX as usize);

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_number)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_never_zero() {
        assert_eq!(number(0, 0), Some(256));
        assert_eq!(number(0, 255), Some(256));
        assert_eq!(number(255, u32::MAX), Some(u32::MAX));
        assert_eq!(number(3, 0x1234_5678), Some(0x1234_5603));
        assert_eq!(number(256, 1), None);
    }

    #[test]
    fn keys_tell_slots_apart() {
        let cred = Class::cred as u32;
        let is = key(0x1234_5603, cred, 8);

        assert!(is != key(0x1234_5703, cred, 8));
        assert!(is != key(0x1234_5603, cred + 1, 8));
        assert!(is != key(0x1234_5603, cred, 16));
        assert!(is != key(0x1234_5603, cred, 8 | 1 << 31));
        assert!(is != key(0, cred, 8));
        // An entry without a slot has the key 0.
        assert!(key(0, 0, 0) != 0);
    }
}
