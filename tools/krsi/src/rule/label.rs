// SPDX-License-Identifier: GPL-2.0

//! Labels: numbers that objects of the kernel have in a slot of their blob, see
//! Documentation/security/krsi-blobs.rst.

use super::{ast, error::Missing};
use crate::kernel::securityfs::{self, Blobs};
use std::fmt;

/// A class of objects that hooks of rules know one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The subjective credentials of the current task.
    Cred,
    /// The current task.
    Task,
    /// What the operation is about.
    Inode,
    File,
    Sock,
}

const CLASSES: &[(Class, &str)] = &[
    (Class::Cred, "cred"),
    (Class::Task, "task"),
    (Class::Inode, "inode"),
    (Class::File, "file"),
    (Class::Sock, "sock"),
];

/// The classes of blobs whose objects no hook of a rule knows, or not such that a program may ask
/// for their blob.
const OTHERS: &[&str] = &[
    "backing_file",
    "superblock",
    "ipc",
    "msg_msg",
    "key",
    "bdev",
    "perf_event",
    "tun_dev",
    "ib",
    "bpf_map",
    "bpf_prog",
    "bpf_token",
];

impl Class {
    pub fn name(self) -> &'static str {
        let found = CLASSES.iter().find(|(class, _)| *class == self);
        found.map_or("", |(_, name)| *name)
    }

    fn find(name: &str) -> Option<Self> {
        let found = CLASSES.iter().find(|(_, known)| *known == name);
        found.map(|(class, _)| *class)
    }
}

/// A slot as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    /// 0 is none.
    pub number: u32,
    pub size: u32,
    /// Whether it lasts in extended attributes. It is out of reach where these were not read.
    pub kept: bool,
}

impl Slot {
    /// One that nobody could ask about: its size is whatever a rule says.
    pub const UNKNOWN: Self = Self {
        number: 0,
        size: 0,
        kept: false,
    };

    /// The slot among those of the kernel.
    pub fn find(blobs: &Blobs, class: Class, name: &str) -> Result<Self, Missing> {
        let class = class.name();
        let live = |slot: &&securityfs::Slot| slot.state == "live";
        let named = || blobs.slots.iter().filter(|slot| slot.name == name);
        let own = || named().filter(|slot| slot.class == class);
        if let Some(slot) = own().find(live) {
            return Ok(Self {
                number: slot.slot,
                size: slot.size,
                kept: slot.other.get("xattr").is_some_and(|kept| kept == "yes"),
            });
        }
        if let Some(slot) = own().next() {
            let message = match slot.state.as_str() {
                "failed" => format!("the boot program of the slot {name} was refused"),
                state => format!("the slot {name} of {class} is {state}"),
            };
            return Err(Missing::new(message, "a slot that is live: see krsi blobs"));
        }
        if let Some(slot) = named().find(live) {
            let other = &slot.class;
            let message = format!("the slot {name} is of {other}, not of {class}");
            return Err(Missing::new(message, format!("label[{other}.{name}]")));
        }
        let slots = blobs.slots.iter().filter(live);
        let mut names: Vec<String> = slots
            .filter(|slot| slot.class == class)
            .map(|slot| format!("label[{class}.{}]", slot.name))
            .collect();
        names.sort();
        let expected = if names.is_empty() {
            format!("one that was claimed: krsi blobs claim {class} {name} 8")
        } else {
            format!("one of {}", names.join(", "))
        };
        let message = format!("{class} has no slot {name}");
        Err(Missing::new(message, expected))
    }
}

/// The name of a slot: 1 to 31 bytes, with zeroes behind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name([u8; Name::MAX]);

impl Name {
    pub const MAX: usize = 31;

    fn new(name: &str) -> Self {
        let mut bytes = [0; Self::MAX];
        let length = name.len().min(Self::MAX);
        bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
        Self(bytes)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.0.iter().position(|byte| *byte == 0);
        let bytes = &self.0[..length.unwrap_or(Self::MAX)];
        f.write_str(&String::from_utf8_lossy(bytes))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    pub class: Class,
    pub name: Name,
    pub slot: Slot,
    /// Offset and width in bytes, if a part of the slot is meant.
    part: Option<(u32, u32)>,
}

impl Label {
    /// What is written, if there is such a slot: `find` says.
    pub fn new(
        written: &ast::Label,
        find: impl Fn(Class, &str) -> Result<Slot, Missing>,
    ) -> Result<Self, Missing> {
        let name = &written.class;
        let Some(class) = Class::find(name) else {
            let names: Vec<_> = CLASSES.iter().map(|(_, name)| *name).collect();
            let message = if OTHERS.contains(&name.as_str()) {
                format!("rules are about no object of the class {name}")
            } else {
                format!("there is no class {name}")
            };
            return Err(Missing::new(
                message,
                format!("one of {}", names.join(", ")),
            ));
        };
        let slot = find(class, &written.slot)?;
        let label = Self {
            class,
            name: Name::new(&written.slot),
            slot,
            part: written.part,
        };
        let size = slot.size;
        let fits = match label.part {
            _ if slot == Slot::UNKNOWN => true,
            Some((offset, width)) => u64::from(offset) + u64::from(width) <= u64::from(size),
            None => [1, 2, 4, 8].contains(&size),
        };
        if !fits {
            let (class, name) = (&written.class, &written.slot);
            let part = format!("label[{class}.{name}:OFFSET,WIDTH]");
            return Err(Missing::new(
                format!("the slot {name} of {class} has {size} bytes"),
                match label.part {
                    Some(_) => format!("a part that is in it: {part}"),
                    None => format!("a number of 1, 2, 4 or 8 of them: {part}"),
                },
            ));
        }
        Ok(label)
    }

    /// Where it is in the slot.
    pub fn offset(&self) -> u32 {
        self.part.map_or(0, |(offset, _)| offset)
    }

    /// How many bytes it has: 1, 2, 4 or 8.
    pub fn width(&self) -> u32 {
        match self.part {
            Some((_, width)) => width,
            None if self.slot == Slot::UNKNOWN => 8,
            None => self.slot.size,
        }
    }

    /// The largest number that it can be.
    pub fn largest(&self) -> u64 {
        u64::MAX >> (64 - 8 * self.width())
    }

    /// As events call it.
    pub fn key(&self) -> String {
        let (class, name) = (self.class.name(), self.name);
        match self.part {
            Some((offset, width)) => format!("{class}.{name}:{offset},{width}"),
            None => format!("{class}.{name}"),
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "label[{}]", self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOBS: &str = "\
class=inode reserved=64 free=0 boot=8
slot=17 class=inode name=origin offset=0 size=8 align=8 inherit=reset owner=runtime state=released
slot=18 class=inode name=origin offset=8 size=4 align=8 inherit=reset owner=runtime state=live
slot=19 class=inode name=kept offset=16 size=24 align=8 inherit=reset \
owner=runtime state=live xattr=yes
slot=20 class=task name=state offset=0 size=8 align=8 inherit=reset owner=boot state=failed
slot=21 class=cred name=taint offset=0 size=8 align=8 inherit=copy owner=boot state=live
slot=22 class=cred name=old offset=8 size=8 align=8 inherit=copy owner=runtime state=released
";

    fn label(class: &str, slot: &str, part: Option<(u32, u32)>) -> Result<Label, Missing> {
        let blobs = securityfs::blobs(BLOBS).unwrap();
        let written = ast::Label {
            class: class.into(),
            slot: slot.into(),
            part,
        };
        Label::new(&written, |class, name| Slot::find(&blobs, class, name))
    }

    fn missing(class: &str, slot: &str, part: Option<(u32, u32)>) -> (String, String) {
        let missing = label(class, slot, part).unwrap_err();
        (missing.message, missing.expected)
    }

    #[test]
    fn slots_that_are_there() {
        // The live one, not its predecessor.
        let found = label("inode", "origin", None).unwrap();
        assert_eq!(
            (found.slot.number, found.offset(), found.width()),
            (18, 0, 4)
        );
        assert_eq!(found.largest(), 0xffff_ffff);
        assert_eq!(found.to_string(), "label[inode.origin]");
        assert!(!found.slot.kept);

        let found = label("inode", "kept", Some((16, 8))).unwrap();
        assert_eq!(
            (found.slot.size, found.offset(), found.width()),
            (24, 16, 8)
        );
        assert_eq!(found.largest(), u64::MAX);
        assert_eq!(found.to_string(), "label[inode.kept:16,8]");
        assert!(found.slot.kept);
        assert_eq!(label("inode", "kept", Some((3, 1))).unwrap().largest(), 255);
    }

    #[test]
    fn slots_that_are_not() {
        let of = |class, slot| missing(class, slot, None);
        let pair = |one: &str, other: &str| (one.to_string(), other.to_string());
        assert_eq!(
            of("inode", "taint"),
            pair(
                "the slot taint is of cred, not of inode",
                "label[cred.taint]"
            )
        );
        assert_eq!(
            of("inode", "nothing"),
            pair(
                "inode has no slot nothing",
                "one of label[inode.kept], label[inode.origin]"
            )
        );
        assert_eq!(
            of("sock", "x"),
            pair(
                "sock has no slot x",
                "one that was claimed: krsi blobs claim sock x 8"
            )
        );
        assert_eq!(of("cred", "old").0, "the slot old of cred is released");
        assert_eq!(
            of("task", "state").0,
            "the boot program of the slot state was refused"
        );
        let classes = "one of cred, task, inode, file, sock";
        assert_eq!(
            of("superblock", "x"),
            pair("rules are about no object of the class superblock", classes)
        );
        assert_eq!(of("dentry", "x"), pair("there is no class dentry", classes));
    }

    #[test]
    fn parts_are_in_their_slot() {
        let (message, expected) = missing("inode", "kept", None);
        assert_eq!(message, "the slot kept of inode has 24 bytes");
        assert!(
            expected.ends_with("label[inode.kept:OFFSET,WIDTH]"),
            "{expected}"
        );
        for part in [(24, 1), (20, 8), (u32::MAX, 8)] {
            let (message, _) = missing("inode", "kept", Some(part));
            assert_eq!(message, "the slot kept of inode has 24 bytes", "{part:?}");
        }
    }

    #[test]
    fn nothing_is_said_of_what_nobody_knows() {
        let written = ast::Label {
            class: "inode".into(),
            slot: "x".into(),
            part: None,
        };
        let label = Label::new(&written, |_, _| Ok(Slot::UNKNOWN)).unwrap();
        assert_eq!((label.width(), label.largest()), (8, u64::MAX));
    }

    #[test]
    fn names_have_31_bytes() {
        let name = "a".repeat(Name::MAX);
        assert_eq!(Name::new(&name).to_string(), name);
        assert_eq!(Name::new("b.c-d_1").to_string(), "b.c-d_1");
    }
}
