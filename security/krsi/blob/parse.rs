// SPDX-License-Identifier: GPL-2.0

//! What the boot parameter says, and what is written to the file `blobs`.
//!
//! Pure. The sizes are read by constant functions: those that the configuration names are part of
//! what is built, and a mistake in them is an error then.

use super::{
    slots::{Claim, Inherit, Name},
    Class, ALIGN, COUNT, MAX_RESERVED,
};
use kernel::{bindings, prelude::*};

/// Bytes for each class.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// In the order of [`Class::ALL`]; multiples of [`ALIGN`], at most [`MAX_RESERVED`].
    pub(super) bytes: [u32; COUNT],
    /// The classes that were named already: a bit for each.
    pub(super) named: u32,
}

/// Why an item of a list of sizes is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    Malformed,
    Unknown,
    Duplicate,
    Unaligned,
    TooBig,
}

impl Refusal {
    /// For the log.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "not of the form CLASS:BYTES",
            Self::Unknown => "there is no such class",
            Self::Duplicate => "the class was named before",
            Self::Unaligned => "not a multiple of 8",
            Self::TooBig => "more than 1024 bytes",
        }
    }
}

// What `reason` says.
const _: () = assert!(ALIGN == 8 && MAX_RESERVED == 1024);

impl Sizes {
    /// Nothing reserved.
    const NONE: Self = Self {
        bytes: [0; COUNT],
        named: 0,
    };

    /// What the configuration says.
    pub(super) const DEFAULT: Self = {
        let text: &[u8] = bindings::CONFIG_SECURITY_KRSI_BLOB;
        // A C string.
        let (mut rest, _) = text.split_at(text.len() - 1);
        let mut sizes = Self::NONE;
        while !rest.is_empty() {
            let (item, after) = split(rest, b',');
            match sizes.take(item) {
                Ok(()) => {}
                Err(Refusal::Malformed) => panic!("CONFIG_SECURITY_KRSI_BLOB is malformed"),
                Err(Refusal::Unknown) => panic!("CONFIG_SECURITY_KRSI_BLOB: unknown class"),
                Err(Refusal::Duplicate) => panic!("CONFIG_SECURITY_KRSI_BLOB: duplicate class"),
                Err(Refusal::Unaligned) => panic!("CONFIG_SECURITY_KRSI_BLOB: no multiple of 8"),
                Err(Refusal::TooBig) => panic!("CONFIG_SECURITY_KRSI_BLOB: more than 1024 bytes"),
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

    /// Takes a list, and tells `refused` of each item that it passes over.
    pub(super) fn apply(&mut self, text: &[u8], mut refused: impl FnMut(&[u8], Refusal)) {
        if text.is_empty() {
            return;
        }
        for item in text.split(|&c| c == b',') {
            if let Err(why) = self.take(item) {
                refused(item, why);
            }
        }
    }

    /// Takes one item, or leaves everything as it is.
    const fn take(&mut self, item: &[u8]) -> core::result::Result<(), Refusal> {
        let (name, Some(number)) = split(item, b':') else {
            return Err(Refusal::Malformed);
        };
        let Some(bytes) = decimal(number) else {
            return Err(Refusal::Malformed);
        };
        let Some(class) = class(name) else {
            return Err(Refusal::Unknown);
        };
        let bit = 1 << class as u32;

        if self.named & bit != 0 {
            return Err(Refusal::Duplicate);
        }
        if bytes > MAX_RESERVED {
            return Err(Refusal::TooBig);
        }
        if bytes % ALIGN != 0 {
            return Err(Refusal::Unaligned);
        }
        self.named |= bit;
        self.bytes[class as usize] = bytes;
        Ok(())
    }
}

/// Splits at the first `separator`, if there is one.
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

/// Reads a decimal number of 1 to 9 digits and nothing else.
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

/// Finds a class by its name.
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
    /// Reads a line, without or with a newline at its end.
    ///
    /// `EINVAL`: it is not a command, or a value is out of range. `ENODEV`: there is no such class.
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
                Ok(Self::Claim(if xattr { claim.kept()? } else { claim }))
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

    /// The sizes of cred, task and inode, and the last refusal.
    fn apply(sizes: &mut Sizes, text: &[u8]) -> (u32, u32, u32, Option<Refusal>) {
        let mut last = None;
        sizes.apply(text, |_, why| last = Some(why));
        (
            sizes.bytes[Class::cred as usize],
            sizes.bytes[Class::task as usize],
            sizes.bytes[Class::inode as usize],
            last,
        )
    }

    #[test]
    fn sizes_are_taken() {
        let mut sizes = Sizes::NONE;
        assert_eq!(apply(&mut sizes, b""), (0, 0, 0, None));
        assert_eq!(apply(&mut sizes, b"inode:64,task:8"), (0, 8, 64, None));
        // Another parameter.
        assert_eq!(apply(&mut sizes, b"cred:1024"), (1024, 8, 64, None));
    }

    #[test]
    fn what_is_wrong_is_passed_over() {
        let cases: [(&[u8], Refusal); 19] = [
            (b",", Refusal::Malformed),
            (b"task", Refusal::Malformed),
            (b"task:", Refusal::Malformed),
            (b"task:8:8", Refusal::Malformed),
            (b"task:-8", Refusal::Malformed),
            (b"task:+8", Refusal::Malformed),
            (b"task: 8", Refusal::Malformed),
            (b"task:0x8", Refusal::Malformed),
            (b"task:8k", Refusal::Malformed),
            (b"task:4294967304", Refusal::Malformed),
            (b":8", Refusal::Unknown),
            (b"Task:8", Refusal::Unknown),
            (b" task:8", Refusal::Unknown),
            (b"tasks:8", Refusal::Unknown),
            (b"xattr_count:8", Refusal::Unknown),
            (b"inode:8", Refusal::Duplicate),
            (b"task:12", Refusal::Unaligned),
            (b"task:1032", Refusal::TooBig),
            (b"task:1025", Refusal::TooBig),
        ];

        for (item, why) in cases {
            let mut sizes = Sizes::NONE;
            assert_eq!(apply(&mut sizes, b"inode:64"), (0, 0, 64, None));
            assert_eq!(apply(&mut sizes, item), (0, 0, 64, Some(why)));
            // The rest is taken.
            assert_eq!(apply(&mut sizes, b"cred:16,task:24"), (16, 24, 64, None));
        }
    }

    #[test]
    fn one_mistake_does_not_spoil_the_list() {
        let mut sizes = Sizes::NONE;
        let result = apply(&mut sizes, b"cred:16,nothing:8,task:24");
        assert_eq!(result, (16, 24, 0, Some(Refusal::Unknown)));
    }

    #[test]
    fn zero_overrides_a_default() {
        let mut sizes = Sizes::NONE;
        sizes.bytes[Class::task as usize] = 32;
        assert_eq!(apply(&mut sizes, b"task:0"), (0, 0, 0, None));
    }

    #[test]
    fn commands_are_read() {
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
                        Command::Claim(claim) => claim.kept(),
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
    fn other_lines_are_refused() {
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
