// SPDX-License-Identifier: GPL-2.0

//! Enables the callbacks that slots and boot programs need.

use super::{alloc, class::Class, inherit, xattr};

/// Enables the callbacks that are needed, and disables the others. `between` is called between some
/// of these steps, for tests.
///
/// Called at boot after the callbacks were registered, and when the boot programs are in the table.
/// May sleep once the system has booted.
pub(crate) fn refresh(between: impl Fn()) {
    // `d_instantiate` comes first: an inode for which the allocation hook was called does not count
    // as old, so without that call the programs of `inode_instantiate` would never run for it.
    xattr::refresh();
    between();
    alloc::refresh();
    between();
    inherit::refresh(Class::cred);
    between();
    inherit::refresh(Class::task);
}
