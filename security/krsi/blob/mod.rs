// SPDX-License-Identifier: GPL-2.0

//! Blobs: storage for programs in kernel objects, and the life cycle of these objects.
//!
//! The framework allocates one blob per object and gives each LSM the part that it asked for at
//! boot. KRSI's part is divided into *slots*, which are claimed by name while the system runs and
//! which programs access by number. See `Documentation/security/krsi-blobs.rst`.
//!
//! Slots:
//!
//! - [`class`]: the classes of objects; [`limits`]: limits of slots
//! - [`space`]: the bytes of each class that are reserved at boot
//! - [`claim`], [`table`]: requests for slots, and which slot has which bytes
//! - [`parse`]: boot parameters, and lines written to the file `blobs`
//! - [`control`]: claims and releases
//!
//! From an object to bytes:
//!
//! - [`number`], [`index`]: from a slot's number to its place
//! - [`lookup`]: from an object and a number to bytes
//! - [`inline`]: the same without a call
//! - [`missing`]: the hooks at which an object can be without a blob
//! - [`typed`]: typed access for KRSI itself
//!
//! The life cycle of objects:
//!
//! - [`state`]: the state word of an object
//! - [`point`], [`points`]: where boot programs run, and which
//! - [`init`]: initialisation by boot programs
//! - [`alloc`]: the hooks at which objects are created
//! - [`inherit`]: slots that new credentials and tasks inherit
//! - [`xattr`]: slots of inodes that are stored in extended attributes
//! - [`hooks`]: which of these callbacks are enabled

mod alloc;
pub(crate) mod claim;
pub(crate) mod class;
mod control;
mod hooks;
mod index;
mod inherit;
mod init;
mod inline;
pub(crate) mod limits;
mod lookup;
mod missing;
mod number;
mod parse;
pub(crate) mod point;
pub(crate) mod points;
mod space;
mod state;
mod table;
mod typed;
pub(crate) mod xattr;

pub(crate) use {
    alloc::HOOKS as ALLOC_HOOKS,
    control::{claim_boot, command, fail_boot, publish_boot, show},
    hooks::refresh,
    inherit::HOOKS as INHERIT_HOOKS,
    space::{has_boot_slots, reserve_boot, SIZES},
    xattr::{show_trust, trust_command, HOOKS as XATTR_HOOKS},
};

/// Initialises blobs. Called once, by KRSI's initialiser, after the callbacks were registered.
pub(crate) fn init() {
    space::init();
    control::init();
    hooks::refresh(|| {});
}
