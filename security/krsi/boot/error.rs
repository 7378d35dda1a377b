// SPDX-License-Identifier: GPL-2.0

//! Errors in the objects of boot programs.

use super::{elf::Bad, helpers::helper_refused};
use core::fmt;

/// The reason why an object is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason<'a> {
    /// Not a valid ELF object.
    Elf(Bad),
    /// A constant message.
    Text(&'static str),
    /// A message, and the name that it is about.
    Name(&'static str, &'a [u8]),
    /// A message, and the number that it is about.
    Number(&'static str, u32),
    /// The program calls a helper that is not allowed.
    Helper(u32),
    /// The program calls a kfunc that is not allowed.
    Kfunc(&'a [u8]),
}

/// A place in a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// The whole section.
    Section,
    /// An instruction, by its number.
    Insn(usize),
    /// A slot, by its number and, if it has one, its name.
    Slot(usize, &'a [u8]),
}

/// An error in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Error<'a> {
    /// Name of the section. Empty if the error is not one of a section.
    pub(crate) section: &'a [u8],
    pub(crate) place: Place<'a>,
    pub(crate) reason: Reason<'a>,
}

impl<'a> Error<'a> {
    /// An error of a whole section.
    pub(crate) fn new(section: &'a [u8], reason: Reason<'a>) -> Self {
        Self {
            section,
            place: Place::Section,
            reason,
        }
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Elf(Bad::Text(text)) | Self::Text(text) => f.write_str(text),
            Self::Elf(Bad::Machine(machine)) => {
                write!(f, "not a BPF object: it is for ELF machine {machine}")
            }
            Self::Name(text, name) => write!(f, "{text} \"{}\"", name.escape_ascii()),
            Self::Number(text, number) => write!(f, "{text} {number}"),
            Self::Helper(id) => {
                let (name, reason) = helper_refused(id);
                write!(f, "calls helper {id}")?;
                match name {
                    Some(name) => write!(f, " (bpf_{name}): {reason}"),
                    None => write!(f, ": {reason}"),
                }
            }
            Self::Kfunc(name) => write!(
                f,
                "calls kfunc {}: boot programs may not call it",
                name.escape_ascii()
            ),
        }
    }
}

impl fmt::Display for Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.section.is_empty() {
            write!(f, "section {}: ", self.section.escape_ascii())?;
        }
        match self.place {
            Place::Section => {}
            Place::Insn(i) => write!(f, "instruction {i}: ")?,
            Place::Slot(i, []) => write!(f, "slot {i}: ")?,
            Place::Slot(_, name) => write!(f, "slot {}: ", name.escape_ascii())?,
        }
        self.reason.fmt(f)
    }
}
