// SPDX-License-Identifier: GPL-2.0

//! Reading and writing attributes at the request of a program: the kfuncs of
//! `kernel/bpf/krsi_blob.c`.

use super::label::Label;
use kernel::{
    bindings,
    dcache::Dentry,
    error::from_result,
    fs::{Inode, NamedInode},
    prelude::*,
};

/// Writes a slot to its attribute. May sleep.
///
/// # Safety
///
/// `dentry` must be valid and a dentry of `inode`, whose `i_rwsem` the caller holds for writing.
#[export]
pub(crate) unsafe extern "C" fn krsi_xattr_save(
    dentry: *mut bindings::dentry,
    inode: *mut bindings::inode,
    slot: u32,
) -> c_int {
    // SAFETY: The caller guarantees that both are valid, belong together, and are locked.
    let locked = unsafe {
        NamedInode::new(Inode::from_raw(inode), Dentry::from_raw(dentry)).assume_locked()
    };

    from_result(|| {
        Label::find(locked.inode(), slot)?.save(locked)?;
        Ok(0)
    })
}

/// Reads the attribute of a slot. May sleep.
///
/// # Safety
///
/// `dentry` must be valid and a dentry of `inode`.
#[export]
pub(crate) unsafe extern "C" fn krsi_xattr_restore(
    dentry: *mut bindings::dentry,
    inode: *mut bindings::inode,
    slot: u32,
) -> c_int {
    // SAFETY: The caller guarantees that both are valid and belong together.
    let named = unsafe { NamedInode::new(Inode::from_raw(inode), Dentry::from_raw(dentry)) };

    from_result(|| {
        Label::find(named.inode(), slot)?.restore(named)?;
        Ok(0)
    })
}
