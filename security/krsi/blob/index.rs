// SPDX-License-Identifier: GPL-2.0

//! Index from the number of a slot to its place in the blobs of its class.
//!
//! An entry has one key word that combines number, class and size. The lookup fails if a program
//! states another class or size, or a number of a released slot or of an earlier boot.

use super::{
    claim::Owner,
    class::Class,
    limits::XATTR_STATE,
    number::{index, key, MAX},
    space, state,
    table::Slot,
};
use kernel::{
    prelude::*,
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
};

/// The published part of a slot.
struct Entry {
    /// [`key`] of the slot. 0 before it is published and after it is withdrawn.
    key: Atomic<u64>,
    /// Offset of the slot's first byte in a blob, and flags. Written once, before `key`.
    offset: Atomic<u32>,
}

/// Flag of a slot that boot programs initialise: programs test the object's state word first.
const GUARDED: u32 = 1 << 31;

/// Flag of a slot with an extended attribute, whose state word precedes it.
const XATTR: u32 = 1 << 30;

const FLAGS: u32 = GUARDED | XATTR;

static ENTRIES: [Entry; MAX] = [const {
    Entry {
        key: Atomic::new(0),
        offset: Atomic::new(0),
    }
}; MAX];

/// Offset and flags of a slot that a program has found.
#[derive(Clone, Copy)]
pub(super) struct Found(u32);

impl Found {
    /// Offset of the slot's first byte in a blob.
    #[inline(always)]
    pub(super) const fn offset(self) -> usize {
        (self.0 & !FLAGS) as usize
    }

    /// Whether boot programs initialise the slot.
    #[inline(always)]
    pub(super) const fn is_guarded(self) -> bool {
        self.0 & GUARDED != 0
    }

    /// Whether the slot has its own state word, [`XATTR_STATE`] bytes before it.
    #[inline(always)]
    pub(super) const fn has_xattr(self) -> bool {
        self.0 & XATTR != 0
    }
}

/// Publishes a slot to programs. Called once per slot.
pub(super) fn publish(slot: &Slot) {
    let entry = &ENTRIES[index(slot.number)];
    let xattr = if slot.xattr { XATTR } else { 0 };
    let guarded = match slot.owner {
        Owner::Boot => GUARDED,
        Owner::Runtime => 0,
    };

    entry.offset.store(
        (space::base(slot.class) + slot.offset) | xattr | guarded,
        Relaxed,
    );
    entry
        .key
        .store(key(slot.number, slot.class as u32, slot.size), Release);
}

/// Hides a slot from programs. A program that has found it may still access its bytes, which are
/// never reused.
pub(super) fn withdraw(slot: &Slot) {
    ENTRIES[index(slot.number)].key.store(0, Relaxed);
}

/// Finds a slot by the class, number and size that a program states. Any context.
#[inline(always)]
pub(super) fn find(class: c_uint, number: u32, size: u32) -> Option<Found> {
    let entry = &ENTRIES[index(number)];

    (entry.key.load(Acquire) == key(number, class, size)).then(|| Found(entry.offset.load(Relaxed)))
}

/// Place of a slot in the blobs of its class.
pub(super) struct Place {
    /// Offset of the slot's first byte.
    pub(super) offset: u32,
    /// The word that guards the slot. [`None`] if the slot is always accessible.
    pub(super) ready: Option<Ready>,
}

/// A word in a blob, and the value that makes a slot accessible.
pub(super) struct Ready {
    /// Offset of the word in bytes, at most [`i16::MAX`].
    pub(super) offset: u32,
    pub(super) value: u32,
}

/// Returns the place of a slot. [`None`] if [`find`] does not find it.
///
/// The place is valid until reboot, even if the slot is released: its bytes are never reused.
pub(super) fn place(class: c_uint, number: u32, size: u32) -> Option<Place> {
    let found = find(class, number, size)?;
    let offset = found.offset() as u32;
    let ready = if found.has_xattr() {
        // The attribute is read after boot programs have initialised the object.
        Some(Ready {
            offset: offset - XATTR_STATE,
            value: state::READY,
        })
    } else if found.is_guarded() {
        Some(Ready {
            offset: space::state_offset(*Class::ALL.get(class as usize)?),
            value: state::READY,
        })
    } else {
        None
    };
    Some(Place { offset, ready })
}
