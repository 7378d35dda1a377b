// SPDX-License-Identifier: GPL-2.0

//! The slots with an extended attribute.

use super::super::{
    claim::Owner,
    limits::{ALIGN, MAX_RESERVED, MAX_XATTRS, NAME_MAX, XATTR_STATE},
    space,
    table::Slot,
    typed::Blob,
};
use kernel::{
    bindings,
    fs::Inode,
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        SetOnce,
    },
};

/// The prefix of the attributes' names.
pub(super) const PREFIX: &[u8] = b"security.krsi.";

/// The length of the part that file systems add to the names of new attributes.
const SECURITY: usize = b"security.".len();

/// A slot with an extended attribute.
pub(super) struct XattrSlot {
    /// The attribute's name, NUL-terminated.
    attribute: [u8; PREFIX.len() + NAME_MAX + 1],
    pub(super) number: u32,
    /// Place of the state.
    pub(super) state: Blob<Inode, Atomic<u32>>,
    /// Place of the slot, up to the end of its last word.
    pub(super) words: Blob<Inode, Atomic<u64>>,
    /// Size of the slot in bytes, at most [`MAX_RESERVED`].
    pub(super) size: usize,
    /// Whether boot programs own the slot.
    pub(super) boot: bool,
}

// The VFS accepts values of this size.
const _: () = assert!(MAX_RESERVED <= bindings::XATTR_SIZE_MAX);

impl XattrSlot {
    /// Returns [`None`] if the slot is not within the reserved bytes.
    fn new(slot: &Slot) -> Option<Self> {
        let name = slot.name.as_bytes();
        let mut attribute = [0; PREFIX.len() + NAME_MAX + 1];

        attribute[..PREFIX.len()].copy_from_slice(PREFIX);
        attribute[PREFIX.len()..][..name.len()].copy_from_slice(name);
        Some(Self {
            attribute,
            number: slot.number,
            state: Blob::new(slot.offset.checked_sub(XATTR_STATE)?, 1)?,
            words: Blob::new(slot.offset, slot.size.div_ceil(ALIGN) as usize)?,
            size: slot.size as usize,
            boot: slot.owner == Owner::Boot,
        })
    }

    /// The attribute's name.
    pub(super) fn attribute(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.attribute).unwrap_or_default()
    }

    /// The attribute's name without the prefix `security.`.
    pub(super) fn suffix(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.attribute[SECURITY..]).unwrap_or_default()
    }
}

/// A place in the table, used once.
struct Place {
    slot: SetOnce<XattrSlot>,
    /// 1 until the slot is released.
    live: Atomic<u32>,
}

static PLACES: [Place; 2 * MAX_XATTRS as usize] = [const {
    Place {
        slot: SetOnce::new(),
        live: Atomic::new(0),
    }
}; 2 * MAX_XATTRS as usize];

/// Adds a slot, before programs can find it. Callers of this and of [`remove`] are serialised.
pub(super) fn add(slot: &Slot) {
    let mut places = PLACES.iter().take(space::max_xattrs() as usize);
    // The table of slots grants as many slots as there are places, within the reserved bytes.
    let (Some(place), Some(slot)) = (
        places.find(|place| place.slot.as_ref().is_none()),
        XattrSlot::new(slot),
    ) else {
        return;
    };

    place.slot.populate(slot);
    place.live.store(1, Release);
}

/// Removes a slot. Attributes on disk are not removed.
pub(super) fn remove(slot: &Slot) {
    for place in &PLACES {
        if place
            .slot
            .as_ref()
            .is_some_and(|other| other.number == slot.number)
        {
            place.live.store(0, Relaxed);
        }
    }
}

/// The slots that were not released.
pub(super) fn live() -> impl Iterator<Item = &'static XattrSlot> {
    PLACES
        .iter()
        .filter(|place| place.live.load(Acquire) != 0)
        .filter_map(|place| place.slot.as_ref())
}
