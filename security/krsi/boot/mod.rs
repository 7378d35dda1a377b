// SPDX-License-Identifier: GPL-2.0

//! Boot programs: parts of the kernel image that label objects, from boot on.
//!
//! Before user space exists, KRSI checks and loads the programs of the objects in the image, like
//! user space loads others. [`crate::blob`] runs them when objects are created or accessed for the
//! first time. See `Documentation/security/krsi-boot.rst`.
//!
//! The format of objects, shared with the program that checks them when a kernel is built:
//!
//! - [`elf`], [`insn`]: ELF objects, BPF instructions
//! - [`error`]: errors in objects
//! - [`helpers`]: the helpers and kfuncs that boot programs may call
//! - [`slot`], [`program`], [`core_relo`]: the parts of an object
//! - [`check`]: checks of a program's text
//! - [`object`]: the object as a whole
//!
//! From objects to programs:
//!
//! - [`param`]: boot parameters
//! - [`embedded`]: the objects in the image
//! - [`btf`]: adapts type information to the kernel
//! - [`verify`]: loads one object
//! - [`load`]: loads all objects, in order
//! - [`report`]: the file `boot`

mod btf;
mod check;
mod core_relo;
mod elf;
mod embedded;
mod error;
mod helpers;
mod insn;
mod load;
mod object;
mod param;
mod program;
mod report;
mod slot;
mod verify;

pub(crate) use {
    load::load,
    report::{init, show},
};
