// SPDX-License-Identifier: GPL-2.0

//! Programs that are part of the kernel image and initialise blobs.
//!
//! - [`elf`]: what an ELF object is
//! - [`object`]: what a boot program's object has
//! - [`check`]: what boot programs may do
//! - [`embedded`]: the objects in the image
//!
//! The first three are part of the host program `krsi-boot-check` too. See
//! `Documentation/security/krsi-boot.rst`.

mod check;
mod elf;
mod embedded;
mod object;
