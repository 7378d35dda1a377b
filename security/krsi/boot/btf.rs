// SPDX-License-Identifier: GPL-2.0

//! Adapts the compiler's type information to the kernel.
//!
//! Compilers leave the sizes of sections to the linker or loader, and describe extern functions.
//! The kernel rejects both. Boot programs need neither, so both are replaced by types that the
//! kernel accepts, as libbpf does in user space. Pure.

/// Kinds of types.
const INT: u32 = 1;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
const DECL_TAG: u32 = 17;
const ENUM64: u32 = 19;
const LAST: u32 = ENUM64;

/// The linkage of an extern function.
const EXTERN: u32 = 2;

fn word(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

fn set(data: &mut [u8], at: usize, word: u32) -> Option<()> {
    data.get_mut(at..at.checked_add(4)?)?
        .copy_from_slice(&word.to_ne_bytes());
    Some(())
}

/// The number of bytes after the three words of a type.
fn rest(kind: u32, count: usize) -> Option<usize> {
    match kind {
        0 => None,
        INT | VAR | DECL_TAG => Some(4),
        ARRAY => Some(12),
        STRUCT | UNION | DATASEC | ENUM64 => count.checked_mul(12),
        ENUM | FUNC_PROTO => count.checked_mul(8),
        1..=LAST => Some(0),
        // Unknown.
        _ => None,
    }
}

/// Adapts the contents of a section `.BTF`. [`None`] if it is malformed; some of it may be changed
/// then.
pub(super) fn adapt(data: &mut [u8]) -> Option<()> {
    let start = (word(data, 4)?.checked_add(word(data, 8)?)?) as usize;
    let end = start.checked_add(word(data, 12)? as usize)?;
    // The name of a variable: the kernel demands that enumerators have an identifier.
    let mut name = None;

    // One pass to find a name, which may come after the sections, and one for the changes.
    for change in [false, true] {
        let mut at = start;
        while at < end {
            let info = word(data, at.checked_add(4)?)?;
            let (kind, count) = ((info >> 24) & 0x7f, info & 0xff_ffff);
            match kind {
                VAR if name.is_none() => name = Some(word(data, at)?),
                // Records of an enumeration have the same size.
                DATASEC if change => {
                    set(data, at, 0)?;
                    set(data, at.checked_add(4)?, ENUM64 << 24 | count)?;
                    set(data, at.checked_add(8)?, 8)?;
                    for i in 0..count as usize {
                        let record = at.checked_add(12)?.checked_add(i.checked_mul(12)?)?;
                        set(data, record, name?)?;
                    }
                }
                FUNC if change && count == EXTERN => {
                    set(data, at.checked_add(4)?, TYPEDEF << 24)?;
                }
                _ => {}
            }
            at = at
                .checked_add(12)?
                .checked_add(rest(kind, count as usize)?)?;
        }
        if at != end {
            return None;
        }
    }
    Some(())
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_boot_btf)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(words: [u32; N]) -> [[u8; 4]; N] {
        words.map(u32::to_ne_bytes)
    }

    #[test]
    fn sections_and_externs_are_replaced() {
        let mut data = bytes([
            // The header: magic and version, size, place of types, place of strings.
            0x0001_eb9f,
            24,
            0,
            68,
            68,
            8,
            // An integer.
            1,
            INT << 24,
            4,
            32,
            // A variable.
            3,
            VAR << 24,
            1,
            0,
            // A section with one.
            5,
            DATASEC << 24 | 1,
            0,
            2,
            0,
            4,
            // An extern function.
            7,
            FUNC << 24 | EXTERN,
            1,
        ]);
        let data = data.as_flattened_mut();

        assert!(adapt(data).is_some());
        let at = |i: usize| word(data, 24 + 4 * i);
        assert_eq!(at(1), Some(INT << 24));
        assert_eq!(at(5), Some(VAR << 24));
        assert_eq!(
            (at(8), at(9), at(10)),
            (Some(0), Some(ENUM64 << 24 | 1), Some(8))
        );
        assert_eq!(at(11), Some(3));
        assert_eq!(
            (at(14), at(15), at(16)),
            (Some(7), Some(TYPEDEF << 24), Some(1))
        );
    }

    #[test]
    fn malformed_types_are_rejected() {
        assert!(adapt(&mut []).is_none());
        assert!(adapt(&mut [0xff; 64]).is_none());
        let mut cut = bytes([0x0001_eb9f, 24, 0, 16, 16, 0, 1, STRUCT << 24 | 9, 8, 0]);
        assert!(adapt(cut.as_flattened_mut()).is_none());
        // An integer with a reserved bit set, and unknown kinds.
        for kind in [INT | 0x20, INT | 0x40, LAST + 1, 0] {
            let mut unknown = bytes([0x0001_eb9f, 24, 0, 16, 16, 0, 1, kind << 24, 4, 32]);
            assert!(adapt(unknown.as_flattened_mut()).is_none());
        }
    }
}
