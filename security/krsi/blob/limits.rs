// SPDX-License-Identifier: GPL-2.0

//! Limits of slots, for the kernel and for the program that checks boot objects.

use super::class::Class;

/// Alignment of every slot, and of the sizes that can be reserved, in bytes.
pub(crate) const ALIGN: u32 = 8;

/// Limit on the bytes that can be reserved in a class, and on the size of a slot.
pub(crate) const MAX_RESERVED: u32 = 1024;

/// Limit on the number of slots with an extended attribute. The same limit applies separately to
/// boot programs.
pub(crate) const MAX_XATTRS: u32 = 16;

/// Size of the state that precedes a slot with an extended attribute. A multiple of [`ALIGN`], so
/// that the slot stays aligned.
pub(crate) const XATTR_STATE: u32 = ALIGN;

/// The slot of superblocks in which a policy decides whether labels are read from attributes.
pub(crate) const TRUST_SLOT: &[u8] = b"xattr_trust";

/// The only valid size of [`TRUST_SLOT`], in bytes.
pub(crate) const TRUST_SLOT_SIZE: u32 = 8;

/// Whether this is [`TRUST_SLOT`].
pub(crate) fn is_trust_slot(class: Class, name: &[u8]) -> bool {
    class == Class::superblock && name == TRUST_SLOT
}

/// The longest name of a slot, in bytes.
pub(crate) const NAME_MAX: usize = 31;

/// Whether a slot's name may contain the byte.
pub(crate) const fn in_name(c: u8) -> bool {
    matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-')
}
