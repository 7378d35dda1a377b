// SPDX-License-Identifier: GPL-2.0

//! A slot with an extended attribute, in an inode.

use super::{
    super::{init, state::READY, typed::AnyObject},
    slots::{live, XattrSlot},
    trust::is_trusted,
};
use kernel::{
    bindings,
    fs::{Inode, LockedInode, NamedInode},
    prelude::*,
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
};

/// The state of a slot whose attribute was not read: the framework's zero.
const UNKNOWN: u32 = 0;

/// The state of a slot whose attribute is not a valid label.
const FAILED: u32 = 1;

/// A slot of an inode.
pub(super) struct Label<'a> {
    slot: &'static XattrSlot,
    inode: &'a Inode,
    state: &'a Atomic<u32>,
    words: &'a [Atomic<u64>],
}

impl<'a> Label<'a> {
    /// Returns [`None`] if the inode has no blob.
    pub(super) fn new(slot: &'static XattrSlot, inode: &'a Inode) -> Option<Self> {
        Some(Self {
            slot,
            inode,
            state: slot.state.of(inode)?.first()?,
            words: slot.words.of(inode)?,
        })
    }

    /// The slot with an attribute that has this number, in an inode.
    ///
    /// # Errors
    ///
    /// `EINVAL`: no such slot, or the inode has no blob.
    pub(super) fn find(inode: &'a Inode, number: u32) -> Result<Self> {
        live()
            .find(|slot| slot.number == number)
            .and_then(|slot| Self::new(slot, inode))
            .ok_or(EINVAL)
    }

    /// Whether programs can access the slot.
    pub(super) fn is_ready(&self) -> bool {
        self.state.load(Acquire) == READY
    }

    /// Copies the slot's bytes, word by word: programs may be writing to them.
    pub(super) fn read(&self) -> Result<KVec<u8>> {
        // File systems may call this within a transaction.
        let mut bytes = KVec::with_capacity(size_of_val(self.words), GFP_NOFS)?;

        for word in self.words {
            bytes.extend_from_slice(&word.load(Relaxed).to_ne_bytes(), GFP_NOFS)?;
        }
        bytes.truncate(self.slot.size);
        Ok(bytes)
    }

    /// Writes to the slot before programs can access it.
    fn write(&self, value: &[u8]) {
        for (word, bytes) in self.words.iter().zip(value.chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(whole), Relaxed);
        }
    }

    /// Changes the state unless the slot is ready. Calls `before` first.
    fn set_state(&self, state: u32, before: impl FnOnce()) {
        let _lock = self.inode.lock();

        if self.state.load(Relaxed) != READY {
            before();
            self.state.store(state, Release);
        }
    }

    /// Makes the slot accessible, with `value` or its present content.
    ///
    /// # Errors
    ///
    /// `EAGAIN`: the slot is a boot program's, and cannot be initialised in this context.
    pub(super) fn publish(&self, value: Option<&[u8]>) -> Result {
        if self.slot.boot && !init::ensure(AnyObject::of(self.inode)) {
            return Err(EAGAIN);
        }
        self.set_state(READY, || {
            if let Some(value) = value {
                self.write(value);
            }
        });
        Ok(())
    }

    /// Marks the slot as failed, unless it is ready.
    fn fail(&self) {
        self.set_state(FAILED, || {});
    }

    /// Whether attributes of the file system are trusted.
    pub(super) fn trusted(&self) -> bool {
        is_trusted(self.inode.superblock())
    }

    /// Reads the attribute. [`None`] if the inode has none. May sleep.
    ///
    /// # Errors
    ///
    /// - `EPERM`: attributes of the file system are not trusted
    /// - `EINVAL`: the attribute does not have the slot's size
    /// - others of the file system, which may be temporary
    fn stored(&self, named: NamedInode<'_>) -> Result<Option<KVec<u8>>> {
        if !self.inode.has_xattrs() {
            return Ok(None);
        }
        if !self.trusted() {
            return Err(EPERM);
        }
        // One more byte shows that the attribute is too long.
        let mut buffer = KVec::from_elem(0, self.slot.size + 1, GFP_NOFS)?;

        match named.xattr(self.slot.attribute(), &mut buffer) {
            Ok(len) if len == self.slot.size => {
                buffer.truncate(len);
                Ok(Some(buffer))
            }
            Ok(_) => Err(EINVAL),
            Err(e) if e == ENODATA || e == EOPNOTSUPP => Ok(None),
            Err(e) if e == ERANGE => Err(EINVAL),
            Err(e) => Err(e),
        }
    }

    /// Reads the attribute into the slot, unless the slot is ready. May sleep.
    ///
    /// `named` is the same inode. Errors are those of [`Self::stored`] and [`Self::publish`].
    pub(super) fn restore(&self, named: NamedInode<'_>) -> Result {
        if self.is_ready() {
            return Ok(());
        }
        match self.stored(named) {
            Ok(value) => self.publish(value.as_deref()),
            Err(e) => {
                if e == EPERM || e == EINVAL {
                    self.fail();
                }
                // Do not log each file of an untrusted file system: containers have many.
                if e != EPERM {
                    self.warn(e);
                }
                Err(e)
            }
        }
    }

    /// Logs that the attribute cannot be read.
    fn warn(&self, error: Error) {
        // SAFETY: The inode is valid, and the name a C string.
        unsafe {
            bindings::krsi_warn_xattr(
                self.inode.as_ptr(),
                self.slot.attribute().as_char_ptr(),
                error.to_errno(),
            )
        };
    }

    /// Writes the attribute, or removes it if the slot is all zeroes. May sleep.
    ///
    /// `locked` is the same inode.
    ///
    /// # Errors
    ///
    /// - `ENODATA`: the slot is not accessible
    /// - `EPERM`: attributes of the file system are not trusted
    /// - others of the file system
    pub(super) fn save(&self, locked: LockedInode<'_>) -> Result {
        let name = self.slot.attribute();

        if !self.is_ready() {
            return Err(ENODATA);
        }
        if !self.trusted() {
            return Err(EPERM);
        }
        let value = self.read()?;
        if value.iter().any(|&byte| byte != 0) {
            return locked.set_xattr(name, &value);
        }
        match locked.remove_xattr(name) {
            Err(e) if e == ENODATA => Ok(()),
            result => result,
        }
    }
}

/// Reads the attributes of an inode, for slots that are not ready. May sleep.
///
/// `retry`: also for slots whose attribute was not a valid label. Errors are logged, and leave the
/// slot inaccessible.
pub(super) fn restore_all(named: NamedInode<'_>, retry: bool) {
    for slot in live() {
        let Some(label) = Label::new(slot, named.inode()) else {
            return;
        };
        if retry || label.state.load(Relaxed) == UNKNOWN {
            let _ = label.restore(named);
        }
    }
}
