// SPDX-License-Identifier: GPL-2.0

//! Slots of inodes that are stored in an extended attribute, `security.krsi.NAME`.
//!
//! A state word precedes such a slot: programs can access the slot once the content of the
//! attribute is known. A new inode has no attribute. The file system creates it together with the
//! inode, from the content of the slot. For any other inode, the attribute is read when the inode
//! is bound to its first dentry, before a task can find it there. If that fails, the slot is
//! inaccessible. After an error that may be temporary, opening the inode tries again.
//!
//! Without an attribute, a boot program's slot has the content that the program writes. Therefore,
//! the object is initialised before the attribute is read.
//!
//! - [`slots`]: which slots have an attribute
//! - [`label`]: such a slot in an inode
//! - [`trust`]: the file systems whose attributes are trusted
//! - [`named`]: the list of file systems that the admin trusts
//! - [`hooks`]: LSM hooks that read, write and protect attributes
//! - [`kfuncs`]: reading and writing attributes at the request of a program

mod hooks;
mod kfuncs;
mod label;
mod named;
mod slots;
mod trust;

pub(super) use hooks::{add, refresh, remove};
pub(crate) use hooks::{collect, HOOKS};
pub(crate) use named::{command as trust_command, show as show_trust};
