// SPDX-License-Identifier: GPL-2.0

//! The slots of boot programs, from the section `.krsi.slots`.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{
    elf::{bytes, string, u32_at},
    error::{Error, Place, Reason},
};
use crate::blob::{
    class::{Class, COUNT},
    limits::{
        in_name, is_trust_slot, ALIGN, MAX_RESERVED, MAX_XATTRS, TRUST_SLOT_SIZE, XATTR_STATE,
    },
};

/// Name of the section with the slots.
pub(crate) const SLOTS: &[u8] = b".krsi.slots";

/// Size of a slot's record: a name of 32 bytes and four numbers.
pub(crate) const SLOT: usize = 48;

/// Limit on the slots of an object.
pub(crate) const MAX_SLOTS: usize = 32;

/// Flags of slots of class cred and task: whether a new object copies the slot.
pub(crate) const SLOT_COPY: u32 = 1;
pub(crate) const SLOT_RESET: u32 = 2;

/// Flag of slots of class inode: an extended attribute stores the slot.
pub(crate) const SLOT_KEEP: u32 = 4;

/// A slot that an object claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot<'a> {
    /// 1 to 31 bytes.
    pub(crate) name: &'a [u8],
    pub(crate) class: Class,
    /// In bytes, 1 to 1024.
    pub(crate) size: u32,
    /// 1, 2, 4 or 8.
    pub(crate) align: u32,
    /// [`SLOT_COPY`], [`SLOT_RESET`], [`SLOT_KEEP`], or 0 for the default of the class.
    pub(crate) flags: u32,
}

impl<'a> Slot<'a> {
    /// Parses the record at a place in the section.
    pub(crate) fn parse(record: &'a [u8], index: usize) -> Result<Self, Error<'a>> {
        let name = bytes(record, 0, 32).and_then(|name| string(name, 0));
        let error = |reason| Error {
            section: SLOTS,
            place: Place::Slot(index, name.unwrap_or(&[])),
            reason,
        };
        let number = |at| u32_at(record, at).ok_or(error(Reason::Text("a part of a slot")));
        let (class, size, align, flags) = (number(32)?, number(36)?, number(40)?, number(44)?);

        Self::check(name, class, size, align, flags).map_err(error)
    }

    /// Checks the fields of a record.
    fn check(
        name: Option<&'a [u8]>,
        class: u32,
        size: u32,
        align: u32,
        flags: u32,
    ) -> Result<Self, Reason<'a>> {
        let name = name.ok_or(Reason::Text("the name is longer than 31 bytes"))?;

        if name.is_empty() {
            return Err(Reason::Text("the name is empty"));
        }
        if !name.iter().all(|&c| in_name(c)) {
            return Err(Reason::Name(
                "a name has a-z, 0-9, _, . and - only, not",
                name,
            ));
        }
        let Some(class) = Class::by_number(class) else {
            return Err(Reason::Number("there is no class of number", class));
        };
        if !class.is_visible() {
            return Err(Reason::Text("programs never see objects of this class"));
        }
        match (class, flags) {
            (_, 0)
            | (Class::cred | Class::task, SLOT_COPY | SLOT_RESET)
            | (Class::inode, SLOT_KEEP) => {}
            (_, SLOT_KEEP) => return Err(Reason::Text("only slots of class inode are kept")),
            (Class::cred | Class::task, _) => {
                return Err(Reason::Number("unknown flags", flags));
            }
            _ => {
                return Err(Reason::Text(
                    "only slots of class cred and task are inherited",
                ));
            }
        }
        if size == 0 || size > MAX_RESERVED {
            return Err(Reason::Number("a slot has 1 to 1024 bytes, not", size));
        }
        if is_trust_slot(class, name) && size != TRUST_SLOT_SIZE {
            return Err(Reason::Number(
                "the slot xattr_trust has 8 bytes, not",
                size,
            ));
        }
        if !align.is_power_of_two() || align > ALIGN {
            return Err(Reason::Number("an alignment is 1, 2, 4 or 8, not", align));
        }
        Ok(Self {
            name,
            class,
            size,
            align,
            flags,
        })
    }

    /// The bytes that the slot occupies in its class.
    fn occupied(size: u32, flags: u32) -> Option<u32> {
        let state = match flags {
            SLOT_KEEP => XATTR_STATE,
            _ => 0,
        };

        size.checked_next_multiple_of(ALIGN)?.checked_add(state)
    }
}

// The messages contain these values.
const _: () = assert!(MAX_RESERVED == 1024 && ALIGN == 8 && MAX_XATTRS == 16 && MAX_SLOTS == 32);
const _: () = assert!(TRUST_SLOT_SIZE == 8);

/// The sum of slots.
#[derive(Clone, Copy)]
pub(crate) struct Totals {
    /// Bytes of each class that the slots occupy.
    pub(crate) bytes: [u32; COUNT],
    /// Number of slots with an extended attribute.
    pub(crate) xattrs: u32,
}

impl Totals {
    /// No slots.
    pub(crate) const NONE: Self = Self {
        bytes: [0; COUNT],
        xattrs: 0,
    };

    /// Adds a slot. Changes nothing if a limit is exceeded.
    pub(crate) fn add(
        &mut self,
        class: Class,
        size: u32,
        flags: u32,
    ) -> Result<(), Reason<'static>> {
        const TOO_BIG: Reason<'_> =
            Reason::Text("the slots of its class have more than 1024 bytes");
        let total = self.bytes.get_mut(class as usize).ok_or(TOO_BIG)?;
        let xattrs = self
            .xattrs
            .checked_add(u32::from(flags == SLOT_KEEP))
            .filter(|xattrs| *xattrs <= MAX_XATTRS)
            .ok_or(Reason::Text("more than 16 slots are kept"))?;
        let sum = Slot::occupied(size, flags)
            .and_then(|size| total.checked_add(size))
            .filter(|sum| *sum <= MAX_RESERVED)
            .ok_or(TOO_BIG)?;

        *total = sum;
        self.xattrs = xattrs;
        Ok(())
    }
}
