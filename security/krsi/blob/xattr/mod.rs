// SPDX-License-Identifier: GPL-2.0

//! Slots of inodes that are stored in an extended attribute, `security.krsi.NAME`.
//!
//! In front of such a slot is a state word: programs can access the slot once the content of the
//! attribute is known. A new inode has no attribute; the file system creates it together with the
//! inode, from the content of the slot. For any other inode, the attribute is read when the inode
//! is bound to its first dentry, before a task can find it there. If that fails, the slot is
//! inaccessible. After an error that may be temporary, opening the inode tries again.
//!
//! Without an attribute, a boot program's slot has the content that the program gives it.
//! Therefore, the object is initialised before the attribute is read, and the attribute is unknown
//! until then.
//!
//! - [`slots`]: which slots have an attribute
//! - [`label`]: such a slot in an inode
//! - [`trust`]: the file systems whose attributes are trusted
//! - [`named`]: those that the admin names
//! - [`hooks`]: when attributes are read and written, and who may change them
//! - [`kfuncs`]: reading and writing on request of a program

mod hooks;
mod kfuncs;
mod label;
mod named;
mod slots;
mod trust;

pub(super) use hooks::{add, refresh, remove};
pub(crate) use hooks::{collect, HOOKS};
pub(crate) use named::{command as trust_command, show as show_trust};
