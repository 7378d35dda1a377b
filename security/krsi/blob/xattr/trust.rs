// SPDX-License-Identifier: GPL-2.0

//! The file systems whose extended attributes are trusted to be labels.
//!
//! On a disk from another system, its owner may have chosen the attributes. Therefore, only file
//! systems in memory are trusted by default. The admin can add others ([`named`]), and a policy
//! decides per superblock, in the slot `xattr_trust`. A file system whose attributes an
//! unprivileged user can choose is never trusted.

use super::{
    super::{
        claim::Owner,
        init,
        limits::{is_trust_slot, ALIGN, TRUST_SLOT_SIZE},
        table::Slot,
        typed::{AnyObject, Blob},
    },
    named,
};
use kernel::{
    bindings,
    fs::SuperBlock,
    prelude::*,
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
};

/// Values of the slot. With any other value, the admin decides.
const TRUST: u64 = bindings::krsi_xattr_trust_KRSI_XATTR_TRUST as u64;
const DISTRUST: u64 = bindings::krsi_xattr_trust_KRSI_XATTR_DISTRUST as u64;

/// In-memory file systems that unprivileged users can mount, and that of sockets. Writing their
/// attributes requires capabilities in the initial user namespace, or is not possible.
const IN_MEMORY: [u32; 6] = [
    bindings::TMPFS_MAGIC,
    bindings::SYSFS_MAGIC,
    bindings::CGROUP_SUPER_MAGIC,
    bindings::CGROUP2_SUPER_MAGIC,
    bindings::BPF_FS_MAGIC,
    bindings::SOCKFS_MAGIC,
];

/// The offset of the slot, with flags in its low bits. 0: no slot was claimed.
///
/// A stale value is harmless: bytes of slots are never reused.
static SLOT: Atomic<u32> = Atomic::new(0);

/// Flag of [`SLOT`]: the slot is claimed.
const CLAIMED: u32 = 1;

/// Flag of [`SLOT`]: boot programs own the slot.
const BOOT: u32 = 2;

const FLAGS: u32 = CLAIMED | BOOT;

// Offsets leave the bits of the flags free, and the slot is one word.
const _: () = assert!(FLAGS < ALIGN && TRUST_SLOT_SIZE as usize == size_of::<u64>());

/// Uses a slot for decisions if it is `xattr_trust`. Called before programs can find the slot.
///
/// Callers of this and of [`remove`] are serialised.
pub(super) fn add(slot: &Slot) {
    if is_trust_slot(slot.class, slot.name.as_bytes()) {
        let boot = match slot.owner {
            Owner::Boot => BOOT,
            Owner::Runtime => 0,
        };
        SLOT.store(slot.offset | CLAIMED | boot, Release);
    }
}

/// Leaves decisions to the admin if the slot was `xattr_trust`.
pub(super) fn remove(slot: &Slot) {
    if is_trust_slot(slot.class, slot.name.as_bytes()) {
        SLOT.store(0, Relaxed);
    }
}

/// The value of a superblock's slot. 0 if there is none.
fn policy(sb: &SuperBlock) -> u64 {
    let slot = SLOT.load(Acquire);

    if slot & CLAIMED == 0 {
        return 0;
    }
    if slot & BOOT != 0 && !init::ensure(AnyObject::of(sb)) {
        // The boot program cannot decide in this context: fail closed.
        return DISTRUST;
    }
    Blob::<SuperBlock, Atomic<u64>>::new(slot & !FLAGS, 1)
        .and_then(|word| Some(word.of(sb)?.first()?.load(Relaxed)))
        .unwrap_or(0)
}

/// Whether the file system is in memory, so that the kernel checks every write of its attributes.
fn is_in_memory(sb: &SuperBlock) -> bool {
    u32::try_from(sb.magic()).is_ok_and(|magic| IN_MEMORY.contains(&magic))
}

/// Whether an unprivileged user can choose the attributes: as a FUSE server, or as the owner of the
/// user namespace in which the file system was mounted.
fn is_unprivileged(sb: &SuperBlock) -> bool {
    sb.internal_flags() as u32 & bindings::SB_I_IMA_UNVERIFIABLE_SIGNATURE != 0
        || !sb.in_init_user_ns()
}

/// The decision, in the order that `Documentation/security/krsi-blobs.rst` describes.
fn decide(policy: u64, in_memory: bool, unprivileged: bool, named: impl FnOnce() -> bool) -> bool {
    match policy {
        DISTRUST => false,
        _ if in_memory => true,
        _ if unprivileged => false,
        TRUST => true,
        _ => named(),
    }
}

/// Whether the attributes of a file system are trusted.
pub(super) fn is_trusted(sb: &SuperBlock) -> bool {
    decide(policy(sb), is_in_memory(sb), is_unprivileged(sb), || {
        named::is_named(sb)
    })
}

/// Logs that a file system is not trusted, if the admin mounted it and it has attributes.
pub(super) fn report(sb: &SuperBlock) {
    if !is_unprivileged(sb) && sb.has_xattr_handlers() && !is_trusted(sb) {
        // SAFETY: The superblock is valid.
        unsafe { bindings::krsi_log_untrusted(sb.as_ptr()) };
    }
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_xattr_trust)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_as_documented() {
        // policy, in memory, unprivileged, named, decision
        let rows = [
            (0, false, false, false, false),
            (0, false, false, true, true),
            (0, false, true, true, false),
            (0, true, false, false, true),
            (0, true, true, false, true),
            (TRUST, false, false, false, true),
            (TRUST, false, true, true, false),
            (TRUST, true, true, false, true),
            (DISTRUST, false, false, true, false),
            (DISTRUST, true, false, true, false),
            (DISTRUST, true, true, true, false),
            (3, false, false, false, false),
            (3, false, false, true, true),
            (u64::MAX, false, true, true, false),
        ];

        for (policy, in_memory, unprivileged, named, decision) in rows {
            assert_eq!(decide(policy, in_memory, unprivileged, || named), decision);
        }
    }
}
