// SPDX-License-Identifier: GPL-2.0

//! The table of slots: who has which bytes of a class's blobs.
//!
//! Pure: what is published to programs is [`super::access`]'s.
//!
//! Neither bytes nor numbers are used twice. Objects can live as long as the system, and what a
//! released slot left in them must not be taken for what its successor put there.

use super::{access, xattr, Class, ALIGN, COUNT, MAX_RESERVED};
use kernel::prelude::*;

/// Name of a slot.
///
/// # Invariants
///
/// 1 to [`Name::MAX`] bytes, of `a-z`, `0-9`, `_`, `.` and `-`, and zeroes behind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Name([u8; Name::MAX + 1]);

impl Name {
    /// The longest name, in bytes.
    pub(super) const MAX: usize = 31;

    /// Makes a name of `text`, if it can be one.
    pub(super) fn new(text: &[u8]) -> Option<Self> {
        let fits = |c: &u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-');

        if text.is_empty() || text.len() > Self::MAX || !text.iter().all(fits) {
            return None;
        }
        let mut name = [0; Self::MAX + 1];
        name[..text.len()].copy_from_slice(text);
        // INVARIANT: Just checked.
        Some(Self(name))
    }

    /// The name, without what is behind it.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.split(|&c| c == 0).next().unwrap_or(&[])
    }
}

/// What a new object has in a slot, if it comes from another one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Inherit {
    /// What the other has.
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

/// Who has a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Whoever claimed it while the system ran; anybody who may can release it.
    Runtime,
    /// Boot programs, which are there as long as the system.
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

/// What is wanted of a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    class: Class,
    name: Name,
    size: u32,
    align: u32,
    inherit: Inherit,
    xattr: bool,
}

impl Claim {
    /// Makes a claim, with defaults for what is not given.
    ///
    /// `EINVAL`: the size is not 1 to [`MAX_RESERVED`], the alignment is not a power of 2 up to
    /// [`ALIGN`], or the class is one whose objects do not come from others and a rule is given.
    pub(super) fn new(
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

        if size == 0 || size > MAX_RESERVED || !align.is_power_of_two() || align > ALIGN {
            return Err(EINVAL);
        }
        Ok(Self {
            class,
            name,
            size,
            align,
            inherit,
            xattr: false,
        })
    }

    /// Has the slot kept in an extended attribute. `EINVAL`: not one of inodes.
    pub(super) fn kept(self) -> Result<Self> {
        if self.class != Class::inode {
            return Err(EINVAL);
        }
        Ok(Self {
            xattr: true,
            ..self
        })
    }

    /// Whether it is wanted for longer than the system runs.
    pub(super) const fn is_kept(&self) -> bool {
        self.xattr
    }

    /// Of whose objects a slot is wanted.
    pub(super) const fn class(&self) -> Class {
        self.class
    }
}

/// A slot, live or released.
pub(super) struct Slot {
    /// What programs know it by: see [`access`].
    pub(super) number: u32,
    pub(super) class: Class,
    pub(super) name: Name,
    /// Of its first byte in the class's space; a multiple of [`ALIGN`].
    pub(super) offset: u32,
    /// What was claimed, in bytes. The slot has them up to the next multiple of [`ALIGN`].
    pub(super) size: u32,
    pub(super) align: u32,
    pub(super) inherit: Inherit,
    /// Whether it is kept in an extended attribute, and has [`xattr::STATE_SIZE`] bytes in front.
    pub(super) xattr: bool,
    pub(super) owner: Owner,
    /// Whether it was not released.
    pub(super) live: bool,
    /// Whether the programs that would initialise it could not be loaded, so that no program can
    /// access it.
    pub(super) failed: bool,
}

impl Slot {
    /// Whether this is what is claimed. How a slot of boot programs is aligned, inherited and kept
    /// is theirs to say.
    fn is(&self, claim: &Claim, owner: Owner) -> bool {
        match (self.owner, owner) {
            (Owner::Boot, Owner::Runtime) => self.size == claim.size,
            _ => {
                (self.size, self.align, self.inherit, self.xattr, self.owner)
                    == (claim.size, claim.align, claim.inherit, claim.xattr, owner)
            }
        }
    }

    /// What users are told.
    pub(super) const fn state(&self) -> &'static str {
        match (self.live, self.failed) {
            (false, _) => "released",
            (true, true) => "failed",
            (true, false) => "live",
        }
    }
}

/// All slots that there ever were.
pub(super) struct Table {
    slots: KVec<Slot>,
    /// Bytes of each class that belong to a slot, or did.
    used: [u32; COUNT],
}

impl Table {
    /// No slots.
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

    /// The bytes of a class that nobody has had, of those that are reserved.
    pub(super) fn free(&self, class: Class, reserved: u32) -> u32 {
        reserved.saturating_sub(self.used[class as usize])
    }

    fn find(&self, class: Class, name: Name) -> Option<usize> {
        self.slots
            .iter()
            .position(|slot| slot.live && slot.class == class && slot.name == name)
    }

    /// Finds the slot that is claimed, or makes it; says which.
    ///
    /// `nonce` is random; `kept` is how many slots can be kept in extended attributes until the
    /// system boots anew. `ENXIO`: nothing is reserved in the class, or no attributes. `EEXIST`:
    /// there is a slot of that name that is not the same. `ENOSPC`: too little is left, of bytes,
    /// numbers or attributes. `ENOMEM`. May sleep.
    pub(super) fn claim(
        &mut self,
        claim: &Claim,
        owner: Owner,
        reserved: &[u32; COUNT],
        kept: u32,
        nonce: u32,
    ) -> Result<(&Slot, bool)> {
        let class = claim.class as usize;
        let state = if claim.xattr { xattr::STATE_SIZE } else { 0 };

        if let Some(i) = self.find(claim.class, claim.name) {
            let slot = &self.slots[i];
            return if slot.is(claim, owner) {
                Ok((slot, false))
            } else {
                Err(EEXIST)
            };
        }
        if reserved[class] == 0 || claim.xattr && kept == 0 {
            return Err(ENXIO);
        }
        if claim.size + state > self.free(claim.class, reserved[class]) {
            return Err(ENOSPC);
        }
        if claim.xattr && self.slots.iter().filter(|slot| slot.xattr).count() >= kept as usize {
            return Err(ENOSPC);
        }
        let index = self.slots.len();
        let number = access::number(index, nonce).ok_or(ENOSPC)?;
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

    /// Finds a slot by its number, and says that it cannot be used.
    pub(super) fn fail(&mut self, number: u32) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.number == number) {
            slot.failed = true;
        }
    }

    /// Takes a slot from its owner, for ever. `ENOENT`: there is none of that name. `EPERM`: it is
    /// a boot program's.
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
    use super::*;

    const RESERVED: [u32; COUNT] = {
        let mut reserved = [0; COUNT];
        reserved[Class::inode as usize] = 32;
        reserved[Class::cred as usize] = MAX_RESERVED;
        reserved[Class::task as usize] = MAX_RESERVED;
        reserved[Class::file as usize] = MAX_RESERVED;
        reserved
    };

    fn name(text: &[u8]) -> Name {
        Name::new(text).unwrap_or(Name([b'?'; Name::MAX + 1]))
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
    fn what_is_not_there_is_refused() -> Result {
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
    fn kept_slots_have_a_state_in_front() -> Result {
        let mut table = Table::new();
        let keep = |text| Claim::new(Class::inode, name(text), 4, None, None)?.kept();
        let mut claim_kept = |text, kept| -> Result<(u32, bool)> {
            let (slot, new) = table.claim(&keep(text)?, Owner::Runtime, &RESERVED, kept, 1)?;
            assert!(slot.xattr);
            Ok((slot.offset, new))
        };

        assert_eq!(claim_kept(b"a", 0).err(), Some(ENXIO));
        assert_eq!(claim_kept(b"a", 1), Ok((xattr::STATE_SIZE, true)));
        assert_eq!(claim_kept(b"a", 1), Ok((xattr::STATE_SIZE, false)));
        assert_eq!(claim_kept(b"b", 1).err(), Some(ENOSPC));
        table.release(Class::inode, name(b"a"))?;
        let mut claim_kept = |text, kept| -> Result<(u32, bool)> {
            let (slot, new) = table.claim(&keep(text)?, Owner::Runtime, &RESERVED, kept, 1)?;
            Ok((slot.offset, new))
        };
        // Places are used once, as bytes are.
        assert_eq!(claim_kept(b"a", 1).err(), Some(ENOSPC));
        assert_eq!(claim_kept(b"b", 2), Ok((3 * xattr::STATE_SIZE, true)));
        assert_eq!(claim_kept(b"c", 3).err(), Some(ENOSPC));
        assert_eq!(claim(&mut table, Class::inode, b"b", 4).err(), Some(EEXIST));
        let cred = Claim::new(Class::cred, name(b"a"), 4, None, None)?;
        assert_eq!(cred.kept().err(), Some(EINVAL));
        Ok(())
    }

    #[test]
    fn boot_slots_stay() -> Result {
        let mut table = Table::new();
        let copy = Claim::new(Class::task, name(b"a"), 8, Some(4), Some(Inherit::Copy))?;
        let (slot, new) = table.claim(&copy, Owner::Boot, &RESERVED, 0, 1)?;
        let number = slot.number;

        assert!(new);
        // Whoever wants to read it finds its number, whatever he thinks of inheritance.
        assert_eq!(
            claim(&mut table, Class::task, b"a", 8),
            Ok((0, number, false))
        );
        assert_eq!(claim(&mut table, Class::task, b"a", 4).err(), Some(EEXIST));
        assert_eq!(table.release(Class::task, name(b"a")).err(), Some(EPERM));
        table.fail(number);
        assert!(table.iter().all(|slot| slot.state() == "failed"));
        // No two objects of the image have the same slot, unless it is the same in all.
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
        for i in 0..access::MAX {
            let text = [b'a' + (i / 26) as u8, b'a' + (i % 26) as u8];
            claim(&mut table, classes[i % 3], &text, 8)?;
        }
        assert_eq!(
            claim(&mut table, Class::inode, b"more", 8).err(),
            Some(ENOSPC)
        );
        Ok(())
    }

    #[test]
    fn names_are_as_documented() {
        assert!(Name::new(b"a").is_some());
        assert!(Name::new(b"abcdefghijklmnopqrstuvwxyz01234").is_some());
        assert!(Name::new(b"abcdefghijklmnopqrstuvwxyz012345").is_none());
        assert!(Name::new(b"").is_none());
        assert!(Name::new(b"a\0b").is_none());
        assert_eq!(name(b"x.y-z_0").as_bytes(), b"x.y-z_0");
        let longest = b"abcdefghijklmnopqrstuvwxyz01234";
        assert_eq!(name(longest).as_bytes(), longest);
    }
}
