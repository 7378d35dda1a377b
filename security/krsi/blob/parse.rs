// SPDX-License-Identifier: GPL-2.0

//! The boot parameter `krsi.blob=`, and lines written to the file `blobs`.
//!
//! Pure. Constant functions parse the sizes, so an error in those of the configuration fails the
//! build.

use super::{
    claim::{Claim, Inherit, Name},
    class::{Class, COUNT},
    limits::{ALIGN, MAX_RESERVED},
};
use kernel::{bindings, prelude::*};

/// Bytes for each class.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// In the order of [`Class::ALL`]; multiples of [`ALIGN`], at most [`MAX_RESERVED`].
    pub(super) bytes: [u32; COUNT],
    /// The classes that were named, one bit for each.
    pub(super) named: u32,
}

/// Error in an item of a list of sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SizeError {
    Malformed,
    Unknown,
    Duplicate,
    Unaligned,
    TooBig,
}

impl SizeError {
    /// The message for the kernel log.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Malformed => "not of the form CLASS:BYTES",
            Self::Unknown => "unknown class",
            Self::Duplicate => "duplicate class",
            Self::Unaligned => "not a multiple of 8",
            Self::TooBig => "more than 1024 bytes",
        }
    }
}

// The messages contain these values.
const _: () = assert!(ALIGN == 8 && MAX_RESERVED == 1024);

impl Sizes {
    /// Nothing reserved.
    const NONE: Self = Self {
        bytes: [0; COUNT],
        named: 0,
    };

    /// The sizes of the configuration.
    pub(super) const DEFAULT: Self = {
        let text: &[u8] = bindings::CONFIG_SECURITY_KRSI_BLOB;
        // A C string.
        let (mut rest, _) = text.split_at(text.len() - 1);
        let mut sizes = Self::NONE;
        while !rest.is_empty() {
            let (item, after) = split(rest, b',');
            match sizes.take(item) {
                Ok(()) => {}
                Err(SizeError::Malformed) => panic!("CONFIG_SECURITY_KRSI_BLOB is malformed"),
                Err(SizeError::Unknown) => panic!("CONFIG_SECURITY_KRSI_BLOB: unknown class"),
                Err(SizeError::Duplicate) => panic!("CONFIG_SECURITY_KRSI_BLOB: duplicate class"),
                Err(SizeError::Unaligned) => panic!("CONFIG_SECURITY_KRSI_BLOB: no multiple of 8"),
                Err(SizeError::TooBig) => panic!("CONFIG_SECURITY_KRSI_BLOB: more than 1024 bytes"),
            }
            rest = match after {
                Some(after) => after,
                None => &[],
            };
        }
        // Boot parameters may name every class.
        sizes.named = 0;
        sizes
    };

    /// Applies a list. Calls `ignored` for each item with an error.
    pub(super) fn apply(&mut self, text: &[u8], mut ignored: impl FnMut(&[u8], SizeError)) {
        if text.is_empty() {
            return;
        }
        for item in text.split(|&c| c == b',') {
            if let Err(error) = self.take(item) {
                ignored(item, error);
            }
        }
    }

    /// Applies one item. Changes nothing on error.
    const fn take(&mut self, item: &[u8]) -> core::result::Result<(), SizeError> {
        let (name, Some(number)) = split(item, b':') else {
            return Err(SizeError::Malformed);
        };
        let Some(bytes) = decimal(number) else {
            return Err(SizeError::Malformed);
        };
        let Some(class) = class(name) else {
            return Err(SizeError::Unknown);
        };
        let bit = 1 << class as u32;

        if self.named & bit != 0 {
            return Err(SizeError::Duplicate);
        }
        if bytes > MAX_RESERVED {
            return Err(SizeError::TooBig);
        }
        if bytes % ALIGN != 0 {
            return Err(SizeError::Unaligned);
        }
        self.named |= bit;
        self.bytes[class as usize] = bytes;
        Ok(())
    }
}

/// Splits `text` at the first `separator`, if any.
const fn split(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    let mut i = 0;
    while i < text.len() {
        if text[i] == separator {
            let (before, after) = text.split_at(i);
            return (before, Some(after.split_at(1).1));
        }
        i += 1;
    }
    (text, None)
}

/// Parses a decimal number of 1 to 9 digits.
pub(super) const fn decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    let mut number = 0;
    let mut i = 0;
    while i < text.len() {
        if !text[i].is_ascii_digit() {
            return None;
        }
        number = number * 10 + (text[i] - b'0') as u32;
        i += 1;
    }
    Some(number)
}

/// Returns the class of a name.
const fn class(name: &[u8]) -> Option<Class> {
    let mut i = 0;
    while i < COUNT {
        if equal(Class::ALL[i].name().as_bytes(), name) {
            return Some(Class::ALL[i]);
        }
        i += 1;
    }
    None
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// A line that was written to the file `blobs`.
#[derive(PartialEq, Eq)]
pub(super) enum Command {
    /// `claim CLASS NAME SIZE [ALIGN] [inherit=copy|reset] [xattr=yes]`
    Claim(Claim),
    /// `release CLASS NAME`
    Release { class: Class, name: Name },
}

impl Command {
    /// Parses a line, with or without a newline at its end.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: not a command, or a value is out of range
    /// - `ENODEV`: unknown class
    pub(super) fn parse(line: &[u8]) -> Result<Self> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let mut words = line.split(|&c| c == b' ').filter(|word| !word.is_empty());
        let verb = words.next().ok_or(EINVAL)?;
        let mut target = || {
            let class = words.next().ok_or(EINVAL)?;
            let name = words.next().and_then(Name::new).ok_or(EINVAL)?;
            Ok::<_, Error>((self::class(class).ok_or(ENODEV)?, name))
        };

        match verb {
            b"claim" => {
                let (class, name) = target()?;
                let size = words.next().and_then(decimal).ok_or(EINVAL)?;
                let mut align = None;
                let mut inherit = None;
                let mut xattr = false;
                for word in words {
                    if xattr {
                        return Err(EINVAL);
                    }
                    if word == b"xattr=yes" {
                        xattr = true;
                        continue;
                    }
                    match word.strip_prefix(b"inherit=") {
                        Some(rule) if inherit.is_none() => {
                            inherit = Some(Inherit::by_name(rule).ok_or(EINVAL)?);
                        }
                        // In the order of the syntax.
                        None if align.is_none() && inherit.is_none() => {
                            align = Some(decimal(word).ok_or(EINVAL)?);
                        }
                        _ => return Err(EINVAL),
                    }
                }
                let claim = Claim::new(class, name, size, align, inherit)?;
                Ok(Self::Claim(if xattr { claim.with_xattr()? } else { claim }))
            }
            b"release" => {
                let (class, name) = target()?;
                if words.next().is_some() {
                    return Err(EINVAL);
                }
                Ok(Self::Release { class, name })
            }
            _ => Err(EINVAL),
        }
    }
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_parse)]
mod tests {
    use super::*;

    /// The sizes of cred, task and inode, and the last error.
    fn apply(sizes: &mut Sizes, text: &[u8]) -> (u32, u32, u32, Option<SizeError>) {
        let mut last = None;
        sizes.apply(text, |_, error| last = Some(error));
        (
            sizes.bytes[Class::cred as usize],
            sizes.bytes[Class::task as usize],
            sizes.bytes[Class::inode as usize],
            last,
        )
    }

    #[test]
    fn sizes_are_parsed() {
        let mut sizes = Sizes::NONE;
        assert_eq!(apply(&mut sizes, b""), (0, 0, 0, None));
        assert_eq!(apply(&mut sizes, b"inode:64,task:8"), (0, 8, 64, None));
        // A second boot parameter.
        assert_eq!(apply(&mut sizes, b"cred:1024"), (1024, 8, 64, None));
    }

    #[test]
    fn invalid_items_are_ignored() {
        let cases: [(&[u8], SizeError); 19] = [
            (b",", SizeError::Malformed),
            (b"task", SizeError::Malformed),
            (b"task:", SizeError::Malformed),
            (b"task:8:8", SizeError::Malformed),
            (b"task:-8", SizeError::Malformed),
            (b"task:+8", SizeError::Malformed),
            (b"task: 8", SizeError::Malformed),
            (b"task:0x8", SizeError::Malformed),
            (b"task:8k", SizeError::Malformed),
            (b"task:4294967304", SizeError::Malformed),
            (b":8", SizeError::Unknown),
            (b"Task:8", SizeError::Unknown),
            (b" task:8", SizeError::Unknown),
            (b"tasks:8", SizeError::Unknown),
            (b"xattr_count:8", SizeError::Unknown),
            (b"inode:8", SizeError::Duplicate),
            (b"task:12", SizeError::Unaligned),
            (b"task:1032", SizeError::TooBig),
            (b"task:1025", SizeError::TooBig),
        ];

        for (item, error) in cases {
            let mut sizes = Sizes::NONE;
            assert_eq!(apply(&mut sizes, b"inode:64"), (0, 0, 64, None));
            assert_eq!(apply(&mut sizes, item), (0, 0, 64, Some(error)));
            // The other items apply.
            assert_eq!(apply(&mut sizes, b"cred:16,task:24"), (16, 24, 64, None));
        }
    }

    #[test]
    fn one_error_does_not_affect_other_items() {
        let mut sizes = Sizes::NONE;
        let result = apply(&mut sizes, b"cred:16,nothing:8,task:24");
        assert_eq!(result, (16, 24, 0, Some(SizeError::Unknown)));
    }

    #[test]
    fn zero_overrides_a_default() {
        let mut sizes = Sizes::NONE;
        sizes.bytes[Class::task as usize] = 32;
        assert_eq!(apply(&mut sizes, b"task:0"), (0, 0, 0, None));
    }

    #[test]
    fn commands_are_parsed() {
        let name = Name::new(b"a.b-c_9");
        assert!(name.is_some());
        let Some(name) = name else { return };
        let claim = |class, size, align, inherit| {
            Claim::new(class, name, size, align, inherit).map(Command::Claim)
        };

        for (line, command) in [
            (
                &b"claim inode a.b-c_9 16"[..],
                claim(Class::inode, 16, None, None),
            ),
            (
                b"claim inode a.b-c_9 16\n",
                claim(Class::inode, 16, None, None),
            ),
            (
                b" claim  inode a.b-c_9 16 4 ",
                claim(Class::inode, 16, Some(4), None),
            ),
            (
                b"claim cred a.b-c_9 16 8 inherit=reset",
                claim(Class::cred, 16, Some(8), Some(Inherit::Reset)),
            ),
            (
                b"claim task a.b-c_9 16 inherit=copy",
                claim(Class::task, 16, None, Some(Inherit::Copy)),
            ),
            (
                b"claim inode a.b-c_9 16 4 xattr=yes",
                claim(Class::inode, 16, Some(4), None)
                    .and_then(|command| match command {
                        Command::Claim(claim) => claim.with_xattr(),
                        _ => Err(EINVAL),
                    })
                    .map(Command::Claim),
            ),
            (
                b"release msg_msg a.b-c_9\n",
                Ok(Command::Release {
                    class: Class::msg_msg,
                    name,
                }),
            ),
        ] {
            assert!(command.is_ok());
            assert!(Command::parse(line) == command);
        }
    }

    #[test]
    fn other_lines_are_rejected() {
        let lines: [(&[u8], Error); 32] = [
            (b"", EINVAL),
            (b"\n", EINVAL),
            (b"claim", EINVAL),
            (b"claim inode", EINVAL),
            (b"claim inode a", EINVAL),
            (b"claim inode a 0", EINVAL),
            (b"claim inode a 1025", EINVAL),
            (b"claim inode a -8", EINVAL),
            (b"claim inode a 99999999999", EINVAL),
            (b"claim inode a 8 3", EINVAL),
            (b"claim inode a 8 0", EINVAL),
            (b"claim inode a 8 16", EINVAL),
            (b"claim inode a 8 8 8", EINVAL),
            (b"claim inode a 8 inherit=copy", EINVAL),
            (b"claim cred a 8 inherit=", EINVAL),
            (b"claim cred a 8 inherit=copy inherit=copy", EINVAL),
            (b"claim cred a 8 inherit=copy 8", EINVAL),
            (b"claim cred a 8 xattr=yes", EINVAL),
            (b"claim inode a 8 xattr=no", EINVAL),
            (b"claim inode a 8 xattr=yes 8", EINVAL),
            (b"claim inode a 8 xattr=yes xattr=yes", EINVAL),
            (b"claim inode A 8", EINVAL),
            (b"claim inode a/b 8", EINVAL),
            (b"claim inode a\tb 8", EINVAL),
            (b"claim inode a 8\n\n", EINVAL),
            (b"claim inode a 8\nclaim inode b 8", EINVAL),
            (b"claim inode aaaaaaaaaabbbbbbbbbbccccccccccdd 8", EINVAL),
            (b"Claim inode a 8", EINVAL),
            (b"release inode", EINVAL),
            (b"release inode a 8", EINVAL),
            (b"claim inodes a 8", ENODEV),
            (b"release inodes a", ENODEV),
        ];

        for (line, error) in lines {
            assert_eq!(Command::parse(line).err(), Some(error));
        }
    }
}
