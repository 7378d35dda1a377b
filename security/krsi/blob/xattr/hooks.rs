// SPDX-License-Identifier: GPL-2.0

//! The LSM hooks at which extended attributes are read and written.
//!
//! These are callbacks of KRSI itself, which run before the programs of the same hooks. Slots that
//! programs of `inode_init_security` write to are stored after these programs. All callbacks but
//! those that protect the attributes are disabled while no slot and no boot program needs them.

use super::{
    super::{
        claim::Owner,
        init,
        point::Point,
        points::{has_programs, Origin},
        space,
        table::Slot,
        typed::AnyObject,
    },
    label::{restore_all, Label},
    slots::{self, live, PREFIX},
    trust,
};
use kernel::{
    bindings,
    dcache::Dentry,
    error::from_result,
    fs::{Inode, NamedInode, SuperBlock},
    lsm::{self, lsm_hook, NewXattrs},
    prelude::*,
};

/// The number of callbacks that are always enabled, since they protect the attributes.
const ALWAYS: usize = 3;

/// The callbacks. The first [`ALWAYS`] of them are always enabled. None of these hooks has a
/// callback of the capabilities, so the framework has a slot left for each.
#[link_section = ".data..ro_after_init"]
pub(crate) static HOOKS: [lsm::Hook; 8] = [
    lsm_hook!(inode_setxattr, inode_setxattr),
    lsm_hook!(inode_removexattr, inode_removexattr),
    lsm_hook!(inode_copy_up_xattr, inode_copy_up_xattr),
    lsm_hook!(inode_init_security, inode_init_security),
    lsm_hook!(d_instantiate, d_instantiate),
    lsm_hook!(sb_set_mnt_opts, sb_set_mnt_opts),
    lsm_hook!(sb_kern_mount, sb_kern_mount),
    lsm_hook!(file_open, file_open),
];

/// Enables the callbacks that are needed, and disables the others. May sleep once the system has
/// booted.
pub(in super::super) fn refresh() {
    let any = live().next().is_some();

    HOOKS[ALWAYS].set_active(any || has_programs(Point::inode_create));
    HOOKS[ALWAYS + 1].set_active(any || has_programs(Point::inode_instantiate));
    HOOKS[ALWAYS + 2..]
        .iter()
        .for_each(|hook| hook.set_active(any));
}

/// Starts storing a slot in an attribute, or using it for decisions on trust, if its claim requires
/// it. Called before programs can find the slot.
///
/// May sleep. Callers of this and of [`remove`] are serialised.
pub(in super::super) fn add(slot: &Slot) {
    trust::add(slot);
    if !slot.xattr {
        return;
    }
    slots::add(slot);
    // The callbacks initialise objects too: for boot programs, they are enabled after all slots
    // are published.
    if slot.owner != Owner::Boot {
        refresh();
    }
}

/// Stops storing or using a slot. Attributes on disk are not removed. May sleep.
pub(in super::super) fn remove(slot: &Slot) {
    trust::remove(slot);
    slots::remove(slot);
    refresh();
}

/// Whether the current task may change an attribute.
fn may_change(name: &CStr) -> c_int {
    // SAFETY: An FFI call with no additional requirements.
    let capable = || unsafe { bindings::capable(bindings::CAP_MAC_ADMIN as c_int) };

    if name.to_bytes().starts_with(PREFIX) && !capable() {
        return EPERM.to_errno();
    }
    0
}

/// # Safety
///
/// Only the LSM framework may call this.
unsafe extern "C" fn inode_setxattr(
    _: *mut bindings::mnt_idmap,
    _: *mut bindings::dentry,
    name: *const c_char,
    _: *const c_void,
    _: usize,
    _: c_int,
) -> c_int {
    // SAFETY: The framework passes a C string.
    may_change(unsafe { CStr::from_char_ptr(name) })
}

/// # Safety
///
/// Only the LSM framework may call this.
unsafe extern "C" fn inode_removexattr(
    _: *mut bindings::mnt_idmap,
    _: *mut bindings::dentry,
    name: *const c_char,
) -> c_int {
    // SAFETY: The framework passes a C string.
    may_change(unsafe { CStr::from_char_ptr(name) })
}

/// Drops attributes from a copy-up, so that the copy has no label:
///
/// - from an untrusted layer, since the copy's file system may be trusted
/// - if the task that mounted the overlay may not write them, since the copy-up would fail
///
/// # Safety
///
/// Only the LSM framework may call this.
unsafe extern "C" fn inode_copy_up_xattr(src: *mut bindings::dentry, name: *const c_char) -> c_int {
    // SAFETY: The framework passes a dentry of the layer, whose superblock is alive, and a C
    // string.
    let (sb, name) = unsafe {
        (
            SuperBlock::from_raw((*src).d_sb),
            CStr::from_char_ptr(name).to_bytes(),
        )
    };
    // The credentials are those of the task that mounted the overlay. A denial is not audited,
    // since the copy-up succeeds.
    // SAFETY: The user namespace is static.
    let capable = || unsafe {
        bindings::ns_capable_noaudit(
            &raw mut bindings::init_user_ns,
            bindings::CAP_MAC_ADMIN as c_int,
        )
    };

    if name.starts_with(PREFIX) && !(trust::is_trusted(sb) && capable()) {
        return ECANCELED.to_errno();
    }
    EOPNOTSUPP.to_errno()
}

/// Makes the slots of a new inode accessible, and stores them in attributes.
///
/// # Safety
///
/// Only the LSM framework may call this.
unsafe extern "C" fn inode_init_security(
    inode: *mut bindings::inode,
    dir: *mut bindings::inode,
    _: *const bindings::qstr,
    xattrs: *mut bindings::xattr,
    count: *mut c_int,
) -> c_int {
    // SAFETY: The framework passes an inode, and a directory or null. Both are alive.
    let (new, dir) = unsafe {
        (
            Inode::from_raw(inode),
            (!dir.is_null()).then(|| Inode::from_raw(dir)),
        )
    };

    // The inode may have been allocated before the callback for that was enabled.
    init::init_new(AnyObject::of(new), Origin::None);
    for label in live().filter_map(|slot| Label::new(slot, new)) {
        // A slot that is not accessible in this context is read in `d_instantiate`.
        let _ = label.publish(None);
    }
    init::inode_create(new, dir);
    // SAFETY: These are the framework's arguments.
    from_result(|| unsafe { collect(inode, xattrs, count).map(|()| 0) })
}

/// Stores the slots of a new inode in the attributes that the file system creates with it. Replaces
/// those that were stored before.
///
/// # Safety
///
/// The arguments must be those of the hook `inode_init_security`.
pub(crate) unsafe fn collect(
    inode: *mut bindings::inode,
    xattrs: *mut bindings::xattr,
    count: *mut c_int,
) -> Result {
    // SAFETY: The framework passes an inode that is alive.
    let inode = unsafe { Inode::from_raw(inode) };
    // SAFETY: The caller passes the framework's arguments. KRSI sets each attribute once, and has
    // asked for as many as there can be slots.
    let Some(mut xattrs) = (unsafe { NewXattrs::from_raw(xattrs, count, space::max_xattrs()) })
    else {
        return Ok(());
    };

    for slot in live() {
        let Some(label) = Label::new(slot, inode).filter(Label::trusted) else {
            break;
        };
        if !label.is_ready() {
            continue;
        }
        let value = label.read()?;
        if xattrs.has(slot.suffix()) || value.iter().any(|&byte| byte != 0) {
            xattrs.set(slot.suffix(), value)?;
        }
    }
    Ok(())
}

/// # Safety
///
/// Only the LSM framework may call this.
unsafe extern "C" fn d_instantiate(dentry: *mut bindings::dentry, inode: *mut bindings::inode) {
    if inode.is_null() {
        return;
    }
    // SAFETY: The framework passes a dentry that is about to become the inode's. Both are alive.
    let named = unsafe { NamedInode::new(Inode::from_raw(inode), Dentry::from_raw(dentry)) };
    let inode = named.inode();

    // While a file system is being mounted, not every one can read attributes of its root.
    if inode.superblock().root().is_some() {
        restore_all(named, true);
    }
    // Programs find the content of the attributes.
    init::inode_instantiate(inode);
}

/// The inode of a file system's root, with its dentry. [`None`] while the file system is being
/// mounted.
///
/// # Safety
///
/// The superblock must be one that the framework passes to a hook, so that it is not shut down for
/// `'a`.
unsafe fn root(sb: &SuperBlock) -> Option<NamedInode<'_>> {
    let root = sb.root()?;

    // SAFETY: The root is positive and belongs to its inode until the superblock is shut down.
    unsafe { Some(NamedInode::new(root.inode()?, root)) }
}

/// Reads the attributes of the root of a file system, which is mounted and not visible yet.
///
/// Programs of this hook may decide that the file system is trusted. Until they have run, an
/// untrusted root is left to [`sb_kern_mount`] and [`file_open`].
///
/// # Safety
///
/// Only the LSM framework may call this.
unsafe extern "C" fn sb_set_mnt_opts(
    sb: *mut bindings::super_block,
    _: *mut c_void,
    _: c_ulong,
    _: *mut c_ulong,
) -> c_int {
    // SAFETY: The framework passes a superblock that is alive.
    let sb = unsafe { SuperBlock::from_raw(sb) };

    if trust::is_trusted(sb) {
        // SAFETY: The superblock is the framework's.
        if let Some(named) = unsafe { root(sb) } {
            restore_all(named, true);
        }
    }
    0
}

/// Reads the attributes of the root of a file system after the programs of `sb_set_mnt_opts`.
/// Logs that the file system is not trusted.
///
/// # Safety
///
/// Only the LSM framework may call this.
unsafe extern "C" fn sb_kern_mount(sb: *const bindings::super_block) -> c_int {
    // SAFETY: The framework passes a superblock that is alive.
    let sb = unsafe { SuperBlock::from_raw(sb) };

    // SAFETY: The superblock is the framework's.
    if let Some(named) = unsafe { root(sb) } {
        trust::report(sb);
        restore_all(named, true);
    }
    0
}

/// Reads attributes that are unknown: the inode may be older than the slot, or an error was
/// temporary.
///
/// # Safety
///
/// Only the LSM framework may call this.
unsafe extern "C" fn file_open(file: *mut bindings::file) -> c_int {
    // SAFETY: The framework passes a file that is being opened, with a dentry of its inode.
    let named = unsafe {
        NamedInode::new(
            Inode::from_raw((*file).f_inode),
            Dentry::from_raw((*file).__bindgen_anon_1.f_path.dentry),
        )
    };

    // The framework does not call the other hooks for private inodes.
    if !named.inode().is_private() {
        restore_all(named, false);
    }
    0
}
