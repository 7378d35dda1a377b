// SPDX-License-Identifier: GPL-2.0

//! The file systems that the admin trusts: `krsi.xattr_trust=` and the file `xattr_trust`.

use kernel::{
    fmt,
    fs::SuperBlock,
    prelude::*,
    seq_file::{seq_print, SeqFile},
    str::BStr,
    sync::SetOnce,
};

/// Limit on the entries.
const MAX_NAMED: usize = 32;

/// The longest name of a device or type, in bytes.
const NAME_MAX: usize = SuperBlock::ID_LEN - 1;

/// Name of a device or type.
///
/// # Invariants
///
/// 1 to [`NAME_MAX`] printable characters, then zeroes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FsName([u8; NAME_MAX + 1]);

impl FsName {
    /// Returns [`None`] if `text` is not a valid name.
    fn new(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > NAME_MAX || !text.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut name = [0; NAME_MAX + 1];
        name[..text.len()].copy_from_slice(text);
        // INVARIANT: Length and bytes were checked above.
        Some(Self(name))
    }

    /// The name, without the zeroes.
    fn as_bytes(&self) -> &[u8] {
        until_nul(&self.0)
    }
}

/// The bytes before the first NUL, or all if there is none.
fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&c| c == 0).next().unwrap_or(&[])
}

/// An entry of the list: which file systems it names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Named {
    /// All file systems.
    All,
    /// The file systems of a type.
    Type(FsName),
    /// The file system on a device.
    Dev(FsName),
    /// The file systems with a UUID.
    Uuid([u8; 16]),
}

/// Properties of a file system that entries are compared with.
struct Facts<'a> {
    fs_type: &'a [u8],
    dev: &'a [u8],
    uuid: Option<[u8; 16]>,
}

impl Named {
    /// Parses `all`, `type=TYPE`, `dev=DEVICE` or `uuid=UUID`.
    fn parse(text: &[u8]) -> Option<Self> {
        if text == b"all" {
            return Some(Self::All);
        }
        let at = text.iter().position(|&c| c == b'=')?;
        let value = &text[at + 1..];
        match &text[..at] {
            b"type" => FsName::new(value).map(Self::Type),
            b"dev" => FsName::new(value).map(Self::Dev),
            b"uuid" => parse_uuid(value).map(Self::Uuid),
            _ => None,
        }
    }

    /// Whether the entry names a file system.
    fn matches(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Type(name) => name.as_bytes() == facts.fs_type,
            Self::Dev(name) => name.as_bytes() == facts.dev,
            Self::Uuid(uuid) => Some(*uuid) == facts.uuid,
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_fmt(fmt!("all")),
            Self::Type(name) => f.write_fmt(fmt!("type={}", BStr::from_bytes(name.as_bytes()))),
            Self::Dev(name) => f.write_fmt(fmt!("dev={}", BStr::from_bytes(name.as_bytes()))),
            Self::Uuid(uuid) => {
                f.write_fmt(fmt!("uuid="))?;
                for (i, byte) in uuid.iter().enumerate() {
                    let dash = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
                    f.write_fmt(fmt!("{dash}{byte:02x}"))?;
                }
                Ok(())
            }
        }
    }
}

/// Parses a UUID in the form that blkid(8) shows.
fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let mut uuid = [0; 16];
    let mut digits = 0;

    if text.len() != 36 {
        return None;
    }
    for (i, &c) in text.iter().enumerate() {
        if matches!(i, 8 | 13 | 18 | 23) {
            if c != b'-' {
                return None;
            }
            continue;
        }
        let digit = char::from(c).to_digit(16)? as u8;
        uuid[digits / 2] |= digit << (4 * (1 - digits % 2));
        digits += 1;
    }
    Some(uuid)
}

/// The entries, oldest first. Entries are never removed, so readers need no lock.
static LIST: [SetOnce<Named>; MAX_NAMED] = [const { SetOnce::new() }; MAX_NAMED];

/// Adds an entry, unless the list has it. The line may end with a newline.
///
/// # Errors
///
/// - `EINVAL`: not a valid entry
/// - `ENOSPC`: there are [`MAX_NAMED`] entries
pub(crate) fn command(line: &[u8]) -> Result {
    let named = Named::parse(line.strip_suffix(b"\n").unwrap_or(line)).ok_or(EINVAL)?;

    for place in &LIST {
        // If another task populates the place first, its entry may be the same.
        if place.populate(named) || place.as_ref() == Some(&named) {
            return Ok(());
        }
    }
    Err(ENOSPC)
}

/// Writes the file `xattr_trust`.
pub(crate) fn show(m: &SeqFile) {
    for named in LIST.iter().filter_map(|place| place.as_ref()) {
        seq_print!(m, "{named}\n");
    }
}

/// Whether an entry names a file system.
pub(super) fn is_named(sb: &SuperBlock) -> bool {
    let id = sb.id();
    let facts = Facts {
        fs_type: sb.type_name().to_bytes(),
        dev: until_nul(&id),
        uuid: sb.uuid(),
    };

    LIST.iter()
        .filter_map(|place| place.as_ref())
        .any(|named| named.matches(&facts))
}

/// Handles a boot parameter `krsi.xattr_trust=`, which may occur several times.
///
/// Logs and ignores invalid items.
///
/// # Safety
///
/// `text` must be a C string.
#[export]
pub(crate) unsafe extern "C" fn krsi_xattr_trust_setup(text: *const c_char) {
    // SAFETY: The caller passes a C string.
    let text = unsafe { CStr::from_char_ptr(text) }.to_bytes();

    for item in text.split(|&c| c == b',').filter(|item| !item.is_empty()) {
        if let Err(e) = command(item) {
            let reason = if e == ENOSPC {
                "more than 32 entries"
            } else {
                "not all, type=, dev= or uuid="
            };
            pr_warn!(
                "krsi.xattr_trust: ignoring \"{}\": {}\n",
                BStr::from_bytes(&item[..item.len().min(64)]),
                reason
            );
        }
    }
}

// The message contains this value.
const _: () = assert!(MAX_NAMED == 32);

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_xattr_named)]
mod tests {
    use super::*;

    const UUID: &[u8] = b"uuid=01234567-89ab-cdef-0123-456789ABCDEF";

    #[test]
    fn entries_match_what_they_name() {
        let facts = Facts {
            fs_type: b"ext4",
            dev: b"sda1",
            uuid: Some([
                0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab,
                0xcd, 0xef,
            ]),
        };
        let matches = |text: &[u8]| Named::parse(text).map(|named| named.matches(&facts));

        for text in [&b"all"[..], b"type=ext4", b"dev=sda1", UUID] {
            assert_eq!(matches(text), Some(true));
        }
        for text in [
            &b"type=ext"[..],
            b"type=ext44",
            b"dev=sda",
            b"dev=ext4",
            b"uuid=01234567-89ab-cdef-0123-456789abcdee",
        ] {
            assert_eq!(matches(text), Some(false));
        }
    }

    #[test]
    fn malformed_entries_are_rejected() {
        for text in [
            &b""[..],
            b"none",
            b"all=",
            b"type",
            b"type=",
            b"type=a b",
            b"type=12345678901234567890123456789012",
            b"Type=ext4",
            b"dev=",
            b"uuid=",
            b"uuid=0123456789abcdef0123456789abcdef",
            b"uuid=01234567-89ab-cdef-0123-456789abcdeg",
            b"uuid=01234567-89ab-cdef-0123-456789abcdef0",
            b"uuid=0123456-789ab-cdef-0123-456789abcdef",
        ] {
            assert!(Named::parse(text).is_none());
        }
    }

    #[test]
    fn missing_uuid_matches_no_entry() {
        let facts = Facts {
            fs_type: b"tmpfs",
            dev: b"tmpfs",
            uuid: None,
        };

        assert!(!Named::Uuid([0; 16]).matches(&facts));
    }
}
