// SPDX-License-Identifier: GPL-2.0

//! Requests for slots.
//!
//! Pure: [`super::table`] grants them.

use super::{
    class::Class,
    limits::{in_name, is_trust_slot, ALIGN, MAX_RESERVED, NAME_MAX, TRUST_SLOT_SIZE},
};
use kernel::prelude::*;

/// Name of a slot.
///
/// # Invariants
///
/// 1 to [`NAME_MAX`] bytes for which [`in_name`] is true, then zeroes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name([u8; NAME_MAX + 1]);

impl Name {
    /// Returns [`None`] if `text` is not a valid name.
    pub(crate) fn new(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > NAME_MAX || !text.iter().all(|&c| in_name(c)) {
            return None;
        }
        let mut name = [0; NAME_MAX + 1];
        name[..text.len()].copy_from_slice(text);
        // INVARIANT: Length and bytes were checked above.
        Some(Self(name))
    }

    /// The name, without the zeroes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.split(|&c| c == 0).next().unwrap_or(&[])
    }
}

/// The content of a slot in a new object that is created from another one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inherit {
    /// The content of the other object's slot.
    Copy,
    /// Zeroes.
    Reset,
}

impl Inherit {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Reset => "reset",
        }
    }

    pub(super) fn by_name(name: &[u8]) -> Option<Self> {
        [Self::Copy, Self::Reset]
            .into_iter()
            .find(|rule| rule.name().as_bytes() == name)
    }
}

/// The owner of a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// User space, which claims and releases slots through the file `blobs`.
    Runtime,
    /// Boot programs, which are never unloaded.
    Boot,
}

impl Owner {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Boot => "boot",
        }
    }
}

/// A request for a slot.
///
/// # Invariants
///
/// `size` is 1 to [`MAX_RESERVED`], `align` a power of 2 up to [`ALIGN`]. Only slots of
/// credentials and tasks have [`Inherit::Copy`], only slots of inodes have `xattr`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(super) class: Class,
    pub(super) name: Name,
    pub(super) size: u32,
    pub(super) align: u32,
    pub(super) inherit: Inherit,
    /// Whether the slot is stored in an extended attribute.
    pub(super) xattr: bool,
}

impl Claim {
    /// Makes a claim, with defaults for `align` and `inherit`.
    ///
    /// # Errors
    ///
    /// `EINVAL`: the size is not 1 to [`MAX_RESERVED`], the alignment is not a power of 2 up to
    /// [`ALIGN`], `inherit` is given for a class whose objects are not created from others, or the
    /// slot `xattr_trust` of superblocks has another size than [`TRUST_SLOT_SIZE`].
    pub(crate) fn new(
        class: Class,
        name: Name,
        size: u32,
        align: Option<u32>,
        inherit: Option<Inherit>,
    ) -> Result<Self> {
        let align = align.unwrap_or(ALIGN);
        let inherit = match (class, inherit) {
            (Class::cred, rule) => rule.unwrap_or(Inherit::Copy),
            (Class::task, rule) => rule.unwrap_or(Inherit::Reset),
            (_, None) => Inherit::Reset,
            (_, Some(_)) => return Err(EINVAL),
        };

        if is_trust_slot(class, name.as_bytes()) && size != TRUST_SLOT_SIZE {
            return Err(EINVAL);
        }
        if size == 0 || size > MAX_RESERVED || !align.is_power_of_two() || align > ALIGN {
            return Err(EINVAL);
        }
        // INVARIANT: Just checked.
        Ok(Self {
            class,
            name,
            size,
            align,
            inherit,
            xattr: false,
        })
    }

    /// Asks for an extended attribute that stores the slot.
    ///
    /// # Errors
    ///
    /// `EINVAL`: the class is not that of inodes.
    pub(crate) fn with_xattr(self) -> Result<Self> {
        if self.class != Class::inode {
            return Err(EINVAL);
        }
        // INVARIANT: The class was just checked.
        Ok(Self {
            xattr: true,
            ..self
        })
    }

    /// The class of the objects.
    pub(crate) const fn class(&self) -> Class {
        self.class
    }
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_claim)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_documented() {
        let longest = b"abcdefghijklmnopqrstuvwxyz01234";
        let bytes = |text| Name::new(text).map(|name| name.as_bytes() == text);

        assert_eq!(bytes(b"a"), Some(true));
        assert_eq!(bytes(b"x.y-z_0"), Some(true));
        assert_eq!(bytes(longest), Some(true));
        assert!(Name::new(b"abcdefghijklmnopqrstuvwxyz012345").is_none());
        assert!(Name::new(b"").is_none());
        assert!(Name::new(b"a\0b").is_none());
    }

    #[test]
    fn trust_slot_has_one_size() -> Result {
        let new = |class, text, size| -> Result<bool> {
            let name = Name::new(text).ok_or(EINVAL)?;
            Ok(Claim::new(class, name, size, None, None).is_ok())
        };

        assert!(new(Class::superblock, b"xattr_trust", 8)?);
        assert!(!new(Class::superblock, b"xattr_trust", 4)?);
        assert!(!new(Class::superblock, b"xattr_trust", 16)?);
        assert!(new(Class::superblock, b"xattr_trus", 4)?);
        assert!(new(Class::inode, b"xattr_trust", 4)?);
        Ok(())
    }
}
