// SPDX-License-Identifier: GPL-2.0

//! The bytes of each class that KRSI requests from the framework, and their offsets.
//!
//! All variables are written at boot, while there is one CPU, and are constant afterwards.

use super::{
    class::{Class, COUNT},
    limits::{ALIGN, MAX_RESERVED, MAX_XATTRS},
    parse::{decimal, Sizes},
};
use kernel::{
    bindings,
    lsm::BlobSizes,
    prelude::*,
    str::BStr,
    sync::atomic::{Atomic, Relaxed},
};

/// Limit on the bytes of a class's slots: [`MAX_RESERVED`], and as many for boot programs.
pub(super) const MAX_SPACE: u32 = 2 * MAX_RESERVED;

/// Size of the state before the slots, in classes in which boot programs have slots. It is two
/// words of 4 bytes: whether the object is initialised, and whether the programs of
/// `inode_instantiate` have run for an inode.
const STATE: u32 = ALIGN;

/// Size of the inode storage pointer of BPF programs, which precedes the state in an inode's blob.
const STORAGE: u32 = size_of::<bindings::bpf_storage_blob>() as u32;
const _: () = assert!(STORAGE % ALIGN == 0);

/// Sizes for the framework, which replaces them by offsets.
#[link_section = ".data..ro_after_init"]
pub(crate) static SIZES: BlobSizes =
    BlobSizes::new(request(&Sizes::DEFAULT, &[0; COUNT], XATTRS_DEFAULT));

/// The space of a class.
struct Space {
    /// Bytes for slots in each object. If 0, the class has no slots and `base` is meaningless.
    reserved: Atomic<u32>,
    /// The part of `reserved` for boot programs. If not 0, state words precede the slots.
    boot: Atomic<u32>,
    /// Offset of the first slot in a blob. Set by [`init`].
    base: Atomic<u32>,
}

/// The space of each class.
static SPACES: [Space; COUNT] = {
    let mut spaces = [const {
        Space {
            reserved: Atomic::new(0),
            boot: Atomic::new(0),
            base: Atomic::new(0),
        }
    }; COUNT];
    let mut i = 0;
    while i < COUNT {
        spaces[i].reserved = Atomic::new(Sizes::DEFAULT.bytes[i]);
        i += 1;
    }
    spaces
};

/// The classes that boot parameters have named, one bit for each.
static NAMED: Atomic<u32> = Atomic::new(0);

/// Not 0: boot programs label new files. The framework calls `inode_init_security` only for LSMs
/// that have asked for an extended attribute.
static BOOT_CREATES: Atomic<u32> = Atomic::new(0);

/// Limit on slots with an extended attribute that user space claims.
static XATTRS: Atomic<u32> = Atomic::new(XATTRS_DEFAULT);

/// Number of extended attributes for slots of boot programs.
static BOOT_XATTRS: Atomic<u32> = Atomic::new(0);

/// The default of [`XATTRS`].
const XATTRS_DEFAULT: u32 = bindings::CONFIG_SECURITY_KRSI_XATTRS;
#[allow(clippy::absurd_extreme_comparisons)] // The default is configured.
const _: () = assert!(XATTRS_DEFAULT <= MAX_XATTRS);

/// The request for these sizes, `boot` bytes for boot programs, and extended attributes.
const fn request(sizes: &Sizes, boot: &[u32; COUNT], xattrs: u32) -> bindings::lsm_blob_sizes {
    let mut request = pin_init::zeroed::<bindings::lsm_blob_sizes>();
    let mut i = 0;
    while i < COUNT {
        let class = Class::ALL[i];
        *class.size_mut(&mut request) = header(class, boot[i]) + sizes.bytes[i] + boot[i];
        i += 1;
    }
    request.lbs_xattr_count = xattrs;
    request
}

/// Updates the request to the framework. Called with one CPU, before [`init`].
fn ask() {
    let sizes = Sizes {
        bytes: Class::ALL.map(spare),
        named: 0,
    };
    let boot = Class::ALL.map(boot_bytes);
    let xattrs = max_xattrs().max(BOOT_CREATES.load(Relaxed));
    // SAFETY: There is one CPU, and the framework has not read the sizes yet.
    unsafe { *SIZES.as_ptr() = request(&sizes, &boot, xattrs) };
}

/// Size of KRSI's own bytes before a class's slots, if boot programs have `boot` bytes.
const fn header(class: Class, boot: u32) -> u32 {
    let storage = match class {
        Class::inode => STORAGE,
        _ => 0,
    };
    let state = if boot == 0 { 0 } else { STATE };

    storage + state
}

/// Bytes for slots of a class.
#[inline]
pub(super) fn reserved(class: Class) -> u32 {
    SPACES[class as usize].reserved.load(Relaxed)
}

/// Bytes for slots of boot programs in a class.
#[inline]
pub(super) fn boot_bytes(class: Class) -> u32 {
    SPACES[class as usize].boot.load(Relaxed)
}

/// Bytes of a class that are not for boot programs.
pub(super) fn spare(class: Class) -> u32 {
    reserved(class) - boot_bytes(class)
}

/// Offset of a class's first slot in a blob. Called after [`init`].
#[inline]
pub(super) fn base(class: Class) -> u32 {
    SPACES[class as usize].base.load(Relaxed)
}

/// Offset of the state words in blobs of a class in which boot programs have slots.
#[inline]
pub(super) fn state_offset(class: Class) -> u32 {
    base(class) - STATE
}

/// Whether boot programs have slots in the class, so that its objects have state words.
#[inline]
pub(crate) fn has_boot_slots(class: Class) -> bool {
    boot_bytes(class) != 0
}

/// The state word of an object.
///
/// # Safety
///
/// Boot programs must have slots in the class. `blob` must be the blob that the framework has
/// allocated for an object of the class, valid for `'a`.
#[inline(always)]
pub(super) unsafe fn state<'a>(class: Class, blob: *mut c_void) -> &'a Atomic<u32> {
    // SAFETY: The caller guarantees that boot programs have slots in the class, so state words
    // precede the slots in `blob`. They are aligned like slots and only accessed atomically.
    unsafe { Atomic::from_ptr(blob.byte_add(state_offset(class) as usize).cast()) }
}

/// Limit on slots with an extended attribute that user space claims.
pub(super) fn xattrs() -> u32 {
    XATTRS.load(Relaxed)
}

/// Limit on all slots with an extended attribute. The framework has memory for as many.
pub(super) fn max_xattrs() -> u32 {
    xattrs() + BOOT_XATTRS.load(Relaxed)
}

/// Handles a boot parameter `krsi.blob=`, which may occur several times.
///
/// Logs and ignores invalid items. Called at boot, before the framework reads the sizes.
///
/// # Safety
///
/// `text` must be a C string. There must be one CPU, before [`init`].
#[export]
pub(crate) unsafe extern "C" fn krsi_blob_setup(text: *const c_char) {
    // SAFETY: The caller passes a C string.
    let text = unsafe { CStr::from_char_ptr(text) }.to_bytes();
    let mut sizes = Sizes {
        bytes: Class::ALL.map(reserved),
        named: NAMED.load(Relaxed),
    };

    sizes.apply(text, |item, reason| {
        pr_warn!(
            "krsi.blob: ignoring \"{}\": {}\n",
            BStr::from_bytes(&item[..item.len().min(64)]),
            reason.text()
        )
    });
    NAMED.store(sizes.named, Relaxed);
    for (space, bytes) in SPACES.iter().zip(sizes.bytes) {
        space.reserved.store(bytes, Relaxed);
    }
    ask();
}

/// Handles the boot parameter `krsi.xattrs=`. Logs and ignores an invalid value.
///
/// # Safety
///
/// `text` must be a C string. There must be one CPU, before [`init`].
#[export]
pub(crate) unsafe extern "C" fn krsi_xattr_setup(text: *const c_char) {
    // SAFETY: The caller passes a C string.
    let text = unsafe { CStr::from_char_ptr(text) }.to_bytes();

    match decimal(text).filter(|&count| count <= MAX_XATTRS) {
        Some(count) => XATTRS.store(count, Relaxed),
        None => pr_warn!(
            "krsi.xattrs: ignoring \"{}\": not a number up to {}\n",
            BStr::from_bytes(&text[..text.len().min(64)]),
            MAX_XATTRS
        ),
    }
    ask();
}

/// Reserves bytes for slots of boot programs: multiples of [`ALIGN`], at most [`MAX_RESERVED`].
///
/// `creates` tells whether some programs label new files. `xattrs` is the number of slots with an
/// extended attribute, at most [`MAX_XATTRS`].
///
/// Called once, between the boot parameters and the framework's reading of the sizes.
pub(crate) fn reserve_boot(boot: &[u32; COUNT], creates: bool, xattrs: u32) {
    for (space, &bytes) in SPACES.iter().zip(boot) {
        space
            .reserved
            .store(space.reserved.load(Relaxed) + bytes, Relaxed);
        space.boot.store(bytes, Relaxed);
    }
    BOOT_CREATES.store(creates.into(), Relaxed);
    BOOT_XATTRS.store(xattrs, Relaxed);
    ask();
}

/// Reads the offsets from the framework. Called once, by KRSI's initialiser.
pub(super) fn init() {
    // SAFETY: There is one CPU. The framework has replaced the sizes by offsets and is done.
    let mut offsets = unsafe { *SIZES.as_ptr() };

    for (class, space) in Class::ALL.into_iter().zip(&SPACES) {
        let base = *class.size_mut(&mut offsets) + header(class, boot_bytes(class));
        space.base.store(base, Relaxed);
    }
    // `bpf_inode()` finds the inode storage of BPF programs at this offset.
    // SAFETY: There is one CPU and no program, so nothing reads the offset concurrently.
    unsafe { bindings::bpf_lsm_blob_sizes.lbs_inode = offsets.lbs_inode };
}
