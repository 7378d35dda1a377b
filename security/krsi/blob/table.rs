// SPDX-License-Identifier: GPL-2.0

//! The table of slots: which bytes of a class's blobs belong to which slot.
//!
//! Pure: [`super::index`] is the part that programs see.
//!
//! Bytes and numbers are never reused. Objects can live until reboot, so they still hold the values
//! of a released slot, which must not become values of a later slot.

use super::{
    claim::{Claim, Inherit, Name, Owner},
    class::{Class, COUNT},
    limits::{ALIGN, XATTR_STATE},
    number::number,
};
use kernel::prelude::*;

/// A slot, live or released.
pub(super) struct Slot {
    /// The number by which programs access the slot: see [`number`].
    pub(super) number: u32,
    pub(super) class: Class,
    pub(super) name: Name,
    /// Offset of the first byte in the class's space, a multiple of [`ALIGN`].
    pub(super) offset: u32,
    /// Size as claimed, in bytes. The slot occupies the next multiple of [`ALIGN`].
    pub(super) size: u32,
    pub(super) align: u32,
    pub(super) inherit: Inherit,
    /// Whether an extended attribute stores the slot, whose [`XATTR_STATE`] bytes of state are
    /// before `offset`.
    pub(super) xattr: bool,
    pub(super) owner: Owner,
    /// False once the slot is released.
    pub(super) live: bool,
    /// Whether loading the boot programs that initialise the slot has failed. No program can
    /// access it.
    pub(super) failed: bool,
}

impl Slot {
    /// Whether the slot satisfies a claim. For a slot of boot programs, user space states the size
    /// only.
    fn satisfies(&self, claim: &Claim, owner: Owner) -> bool {
        match (self.owner, owner) {
            (Owner::Boot, Owner::Runtime) => self.size == claim.size,
            _ => {
                (self.size, self.align, self.inherit, self.xattr, self.owner)
                    == (claim.size, claim.align, claim.inherit, claim.xattr, owner)
            }
        }
    }

    /// The value of `state=` in the file `blobs`.
    pub(super) const fn state(&self) -> &'static str {
        match (self.live, self.failed) {
            (false, _) => "released",
            (true, true) => "failed",
            (true, false) => "live",
        }
    }
}

/// All slots since boot, released ones included.
pub(super) struct Table {
    slots: KVec<Slot>,
    /// Bytes in each class that were given to slots.
    used: [u32; COUNT],
}

impl Table {
    /// Makes an empty table.
    pub(super) const fn new() -> Self {
        Self {
            slots: KVec::new(),
            used: [0; COUNT],
        }
    }

    /// The slots, in the order in which they were claimed.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// The reserved bytes of a class that were never given to a slot.
    pub(super) fn free(&self, class: Class, reserved: u32) -> u32 {
        reserved.saturating_sub(self.used[class as usize])
    }

    fn find(&self, class: Class, name: Name) -> Option<usize> {
        self.slots
            .iter()
            .position(|slot| slot.live && slot.class == class && slot.name == name)
    }

    /// Grants a claim. Returns the slot, and whether it is new.
    ///
    /// `nonce` is random. `xattrs` is the limit on slots with an extended attribute.
    ///
    /// May sleep.
    ///
    /// # Errors
    ///
    /// - `ENXIO`: nothing is reserved in the class, or no extended attributes
    /// - `EEXIST`: a slot of that name does not satisfy the claim
    /// - `ENOSPC`: too few bytes, numbers or attributes are left
    /// - `ENOMEM`
    pub(super) fn claim(
        &mut self,
        claim: &Claim,
        owner: Owner,
        reserved: &[u32; COUNT],
        xattrs: u32,
        nonce: u32,
    ) -> Result<(&Slot, bool)> {
        let class = claim.class as usize;
        let state = if claim.xattr { XATTR_STATE } else { 0 };

        if let Some(i) = self.find(claim.class, claim.name) {
            let slot = &self.slots[i];
            return if slot.satisfies(claim, owner) {
                Ok((slot, false))
            } else {
                Err(EEXIST)
            };
        }
        if reserved[class] == 0 || claim.xattr && xattrs == 0 {
            return Err(ENXIO);
        }
        if claim.size + state > self.free(claim.class, reserved[class]) {
            return Err(ENOSPC);
        }
        if claim.xattr && self.slots.iter().filter(|slot| slot.xattr).count() >= xattrs as usize {
            return Err(ENOSPC);
        }
        let index = self.slots.len();
        let number = number(index, nonce).ok_or(ENOSPC)?;
        self.slots.push(
            Slot {
                number,
                class: claim.class,
                name: claim.name,
                offset: self.used[class] + state,
                size: claim.size,
                align: claim.align,
                inherit: claim.inherit,
                xattr: claim.xattr,
                owner,
                live: true,
                failed: false,
            },
            GFP_KERNEL,
        )?;
        self.used[class] += state + claim.size.next_multiple_of(ALIGN);
        Ok((&self.slots[index], true))
    }

    /// Marks the slot of a number as failed.
    pub(super) fn fail(&mut self, number: u32) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.number == number) {
            slot.failed = true;
        }
    }

    /// Releases a slot. Its bytes and its number are not reused.
    ///
    /// # Errors
    ///
    /// - `ENOENT`: no slot has that name
    /// - `EPERM`: the slot is a boot program's
    pub(super) fn release(&mut self, class: Class, name: Name) -> Result<&Slot> {
        let i = self.find(class, name).ok_or(ENOENT)?;

        if self.slots[i].owner == Owner::Boot {
            return Err(EPERM);
        }
        self.slots[i].live = false;
        Ok(&self.slots[i])
    }
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_slots)]
mod tests {
    use super::{
        super::{limits::MAX_RESERVED, number::MAX},
        *,
    };

    const RESERVED: [u32; COUNT] = {
        let mut reserved = [0; COUNT];
        reserved[Class::inode as usize] = 32;
        reserved[Class::cred as usize] = MAX_RESERVED;
        reserved[Class::task as usize] = MAX_RESERVED;
        reserved[Class::file as usize] = MAX_RESERVED;
        reserved
    };

    fn name(text: &[u8]) -> Name {
        match Name::new(text) {
            Some(name) => name,
            None => panic!("not a name"),
        }
    }

    /// Offset and number of the slot, and whether it is new.
    fn claim(table: &mut Table, class: Class, text: &[u8], size: u32) -> Result<(u32, u32, bool)> {
        let claim = Claim::new(class, name(text), size, None, None)?;
        let (slot, new) = table.claim(&claim, Owner::Runtime, &RESERVED, 2, 0x1234_5678)?;
        assert!(slot.live && slot.size == size);
        Ok((slot.offset, slot.number, new))
    }

    #[test]
    fn slots_follow_each_other() -> Result {
        let mut table = Table::new();
        let (a, number_a, new_a) = claim(&mut table, Class::inode, b"a", 1)?;
        let (b, number_b, new_b) = claim(&mut table, Class::inode, b"b", 16)?;
        // The same name in another class is another slot.
        let (c, number_c, _) = claim(&mut table, Class::cred, b"a", 8)?;

        assert!(new_a && new_b);
        assert_eq!((a, b, c), (0, 8, 0));
        assert!(number_a != number_b && number_b != number_c && number_a != number_c);
        assert_eq!(table.free(Class::inode, 32), 8);
        assert_eq!(table.free(Class::task, 0), 0);
        Ok(())
    }

    #[test]
    fn claims_are_idempotent() -> Result {
        let mut table = Table::new();
        let (offset, number, _) = claim(&mut table, Class::inode, b"a", 8)?;

        assert_eq!(
            claim(&mut table, Class::inode, b"a", 8),
            Ok((offset, number, false))
        );
        assert_eq!(
            claim(&mut table, Class::inode, b"a", 16).err(),
            Some(EEXIST)
        );
        let aligned = Claim::new(Class::inode, name(b"a"), 8, Some(4), None)?;
        assert_eq!(
            table.claim(&aligned, Owner::Runtime, &RESERVED, 2, 1).err(),
            Some(EEXIST)
        );
        let (_, _, new) = claim(&mut table, Class::cred, b"a", 8)?;
        assert!(new);
        let reset = Claim::new(Class::cred, name(b"a"), 8, None, Some(Inherit::Reset))?;
        assert_eq!(
            table.claim(&reset, Owner::Runtime, &RESERVED, 2, 1).err(),
            Some(EEXIST)
        );
        assert_eq!(table.free(Class::inode, 32), 24);
        Ok(())
    }

    #[test]
    fn unavailable_slots_are_rejected() -> Result {
        let mut table = Table::new();
        assert_eq!(claim(&mut table, Class::key, b"a", 8).err(), Some(ENXIO));
        assert_eq!(
            claim(&mut table, Class::inode, b"a", 33).err(),
            Some(ENOSPC)
        );
        claim(&mut table, Class::inode, b"a", 25)?;
        assert_eq!(claim(&mut table, Class::inode, b"b", 1).err(), Some(ENOSPC));
        assert_eq!(table.release(Class::inode, name(b"b")).err(), Some(ENOENT));
        assert_eq!(table.release(Class::cred, name(b"a")).err(), Some(ENOENT));
        Ok(())
    }

    #[test]
    fn nothing_is_used_twice() -> Result {
        let mut table = Table::new();
        let (offset, number, _) = claim(&mut table, Class::inode, b"a", 16)?;
        assert!(!table.release(Class::inode, name(b"a"))?.live);
        assert_eq!(table.release(Class::inode, name(b"a")).err(), Some(ENOENT));

        let (again, fresh, new) = claim(&mut table, Class::inode, b"a", 16)?;
        assert!(new && again == offset + 16 && fresh != number);
        table.release(Class::inode, name(b"a"))?;
        assert_eq!(claim(&mut table, Class::inode, b"a", 8).err(), Some(ENOSPC));
        assert_eq!(table.iter().filter(|slot| slot.live).count(), 0);
        Ok(())
    }

    #[test]
    fn xattr_slots_have_a_state_before_them() -> Result {
        let mut table = Table::new();
        let with_xattr = |text| Claim::new(Class::inode, name(text), 4, None, None)?.with_xattr();
        let mut claim_xattr = |text, max| -> Result<(u32, bool)> {
            let (slot, new) = table.claim(&with_xattr(text)?, Owner::Runtime, &RESERVED, max, 1)?;
            assert!(slot.xattr);
            Ok((slot.offset, new))
        };

        assert_eq!(claim_xattr(b"a", 0).err(), Some(ENXIO));
        assert_eq!(claim_xattr(b"a", 1), Ok((XATTR_STATE, true)));
        assert_eq!(claim_xattr(b"a", 1), Ok((XATTR_STATE, false)));
        assert_eq!(claim_xattr(b"b", 1).err(), Some(ENOSPC));
        table.release(Class::inode, name(b"a"))?;
        let mut claim_xattr = |text, max| -> Result<(u32, bool)> {
            let (slot, new) = table.claim(&with_xattr(text)?, Owner::Runtime, &RESERVED, max, 1)?;
            Ok((slot.offset, new))
        };
        // Attributes are not reused, like bytes.
        assert_eq!(claim_xattr(b"a", 1).err(), Some(ENOSPC));
        assert_eq!(claim_xattr(b"b", 2), Ok((3 * XATTR_STATE, true)));
        assert_eq!(claim_xattr(b"c", 3).err(), Some(ENOSPC));
        assert_eq!(claim(&mut table, Class::inode, b"b", 4).err(), Some(EEXIST));
        let cred = Claim::new(Class::cred, name(b"a"), 4, None, None)?;
        assert_eq!(cred.with_xattr().err(), Some(EINVAL));
        Ok(())
    }

    #[test]
    fn boot_slots_stay() -> Result {
        let mut table = Table::new();
        let copy = Claim::new(Class::task, name(b"a"), 8, Some(4), Some(Inherit::Copy))?;
        let (slot, new) = table.claim(&copy, Owner::Boot, &RESERVED, 0, 1)?;
        let number = slot.number;

        assert!(new);
        // User space gets the number, whichever inheritance it requests.
        assert_eq!(
            claim(&mut table, Class::task, b"a", 8),
            Ok((0, number, false))
        );
        assert_eq!(claim(&mut table, Class::task, b"a", 4).err(), Some(EEXIST));
        assert_eq!(table.release(Class::task, name(b"a")).err(), Some(EPERM));
        table.fail(number);
        assert!(table.iter().all(|slot| slot.state() == "failed"));
        // Two objects of the image cannot have slots of one name that differ.
        let reset = Claim::new(Class::task, name(b"a"), 8, Some(4), None)?;
        assert_eq!(
            table.claim(&reset, Owner::Boot, &RESERVED, 0, 1).err(),
            Some(EEXIST)
        );
        Ok(())
    }

    #[test]
    fn numbers_run_out() -> Result {
        let mut table = Table::new();
        let classes = [Class::cred, Class::task, Class::file];
        for i in 0..MAX {
            let text = [b'a' + (i / 26) as u8, b'a' + (i % 26) as u8];
            claim(&mut table, classes[i % 3], &text, 8)?;
        }
        assert_eq!(
            claim(&mut table, Class::inode, b"more", 8).err(),
            Some(ENOSPC)
        );
        Ok(())
    }
}
