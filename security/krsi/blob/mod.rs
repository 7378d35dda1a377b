// SPDX-License-Identifier: GPL-2.0

//! Blobs: bytes that KRSI has in kernel objects, from the objects' first moment.
//!
//! The framework allocates one blob for each object and gives each LSM the part that it asked for
//! at boot. KRSI's part is divided into *slots*, which are claimed by name while the system runs
//! and which programs access by number. See `Documentation/security/krsi-blobs.rst`.
//!
//! - [`parse`]: what the boot parameter and the file `blobs` say
//! - [`slots`]: the table of slots
//! - [`access`]: from an object and a slot's number to bytes
//! - [`typed`]: what KRSI itself accesses there
//! - [`inline`]: the same without a call
//! - [`missing`]: at which hooks an object can be without a blob
//! - [`inherit`]: slots that new credentials and tasks take over
//! - [`xattr`]: slots of inodes that last

mod access;
mod inherit;
mod inline;
mod missing;
mod parse;
mod slots;
mod typed;
mod xattr;

use kernel::{
    bindings, fmt,
    lsm::BlobSizes,
    prelude::*,
    seq_file::{seq_print, SeqFile},
    str::BStr,
    sync::atomic::{Atomic, Relaxed},
};
use parse::{Command, Sizes};
use slots::{Owner, Slot, Table};

/// Defines [`Class`] from the fields of `struct lsm_blob_sizes`.
macro_rules! classes {
    ($($name:ident: $field:ident,)*) => {
        /// The kinds of objects that have a blob.
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Class {
            $(
                #[doc = concat!("`", stringify!($field), "`.")]
                $name,
            )*
        }

        impl Class {
            /// All classes, in the order of their numbers.
            pub(crate) const ALL: [Self; COUNT] = [$(Self::$name),*];

            /// The name, as users know it.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The class's size, which the framework turns into an offset.
            const fn field(self, sizes: &mut bindings::lsm_blob_sizes) -> &mut c_uint {
                match self {
                    $(Self::$name => &mut sizes.$field,)*
                }
            }
        }

        // C has the same numbers.
        kernel::macros::paste! {
            $(const _: () = assert!(
                Class::$name as c_uint == bindings::[<krsi_blob_class_KRSI_BLOB_ $name>] as c_uint
            );)*
        }
    };
}

/// How many classes there are.
pub(crate) const COUNT: usize = bindings::krsi_blob_class_KRSI_BLOB_COUNT as usize;

// All fields but the number of extended attributes are sizes of blobs: no class is missing.
const _: () = assert!(COUNT + 1 == size_of::<bindings::lsm_blob_sizes>() / size_of::<c_uint>());

classes! {
    cred: lbs_cred,
    task: lbs_task,
    file: lbs_file,
    backing_file: lbs_backing_file,
    inode: lbs_inode,
    superblock: lbs_superblock,
    sock: lbs_sock,
    ipc: lbs_ipc,
    msg_msg: lbs_msg_msg,
    key: lbs_key,
    bdev: lbs_bdev,
    perf_event: lbs_perf_event,
    tun_dev: lbs_tun_dev,
    ib: lbs_ib,
    bpf_map: lbs_bpf_map,
    bpf_prog: lbs_bpf_prog,
    bpf_token: lbs_bpf_token,
}

/// The alignment of every slot, and of the sizes that can be reserved.
pub(crate) const ALIGN: u32 = 8;

/// The most that can be reserved in a class, in bytes.
pub(crate) const MAX_RESERVED: u32 = 1024;

/// The most bytes that a class's slots can have together: what is reserved, and as many again for
/// boot programs.
pub(crate) const MAX_SPACE: u32 = 2 * MAX_RESERVED;

/// What is in front of the slots of a class that boot programs have slots in: a word of 4 bytes
/// that says whether they are initialised, and one that says of inodes whether they were when the
/// inode got its first name.
pub(crate) const STATE: u32 = ALIGN;

/// What else is in KRSI's part of an inode's blob, in front: where the bpf LSM has the storage that
/// BPF programs allocate.
const STORAGE: u32 = size_of::<bindings::bpf_storage_blob>() as u32;
const _: () = assert!(STORAGE % ALIGN == 0);

/// What the framework is asked for, and then where it put that.
#[link_section = ".data..ro_after_init"]
pub(crate) static SIZES: BlobSizes =
    BlobSizes::new(request(&Sizes::DEFAULT, &[0; COUNT], xattr::DEFAULT));

/// How much is reserved, and where.
struct Space {
    /// Bytes for slots in each object. 0: the class has none, and `base` means nothing.
    reserved: Atomic<u32>,
    /// How many of them boot programs asked for. Not 0: there is a state word in front of them.
    boot: Atomic<u32>,
    /// Offset of the first of them in the object's blob. Known once the framework has started KRSI.
    base: Atomic<u32>,
}

/// The space in each class. Written at boot, when there is one CPU.
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

/// The classes that boot parameters have named: a bit for each. Written as [`SPACES`].
static NAMED: Atomic<u32> = Atomic::new(0);

/// Not 0: boot programs label new files, which the framework says to nobody who has no attribute.
/// Written as [`SPACES`].
static BOOT_CREATES: Atomic<u32> = Atomic::new(0);

/// What to ask the framework for to have these sizes, `boot` bytes for boot programs, and extended
/// attributes.
const fn request(sizes: &Sizes, boot: &[u32; COUNT], xattrs: u32) -> bindings::lsm_blob_sizes {
    // SAFETY: All fields are integers.
    let mut request = unsafe { core::mem::zeroed::<bindings::lsm_blob_sizes>() };
    let mut i = 0;
    while i < COUNT {
        let class = Class::ALL[i];
        *class.field(&mut request) = before(class, boot[i]) + sizes.bytes[i] + boot[i];
        i += 1;
    }
    request.lbs_xattr_count = xattrs;
    request
}

/// Asks the framework for what is reserved. To be called with one CPU, before [`init`].
fn ask() {
    let sizes = Sizes {
        bytes: Class::ALL.map(spare),
        named: 0,
    };
    let boot = core::array::from_fn(|i| SPACES[i].boot.load(Relaxed));
    let xattrs = xattr::places().max(BOOT_CREATES.load(Relaxed));
    // SAFETY: There is one CPU, and the framework has not come to this yet.
    unsafe { *SIZES.as_ptr() = request(&sizes, &boot, xattrs) };
}

/// The bytes in front of a class's slots that are KRSI's own, if boot programs have `boot` bytes.
const fn before(class: Class, boot: u32) -> u32 {
    let storage = match class {
        Class::inode => STORAGE,
        _ => 0,
    };
    let state = if boot == 0 { 0 } else { STATE };

    storage + state
}

fn reserved() -> [u32; COUNT] {
    core::array::from_fn(|i| SPACES[i].reserved.load(Relaxed))
}

/// What is reserved in a class and not for boot programs, in bytes.
fn spare(class: Class) -> u32 {
    let space = &SPACES[class as usize];
    space.reserved.load(Relaxed) - space.boot.load(Relaxed)
}

/// Takes the value of a boot parameter `krsi.blob=`, of which there may be several.
///
/// What is wrong in it is logged and passed over. Called at boot, before the framework asks.
///
/// # Safety
///
/// `text` must be a C string. To be called with one CPU, before [`init`].
#[export]
pub(crate) unsafe extern "C" fn krsi_blob_setup(text: *const c_char) {
    // SAFETY: By the safety requirements.
    let text = unsafe { CStr::from_char_ptr(text) }.to_bytes();
    let mut sizes = Sizes {
        bytes: reserved(),
        named: NAMED.load(Relaxed),
    };

    sizes.apply(text, |item, why| {
        pr_warn!(
            "krsi.blob: ignoring \"{}\": {}\n",
            BStr::from_bytes(&item[..item.len().min(64)]),
            why.reason()
        )
    });
    NAMED.store(sizes.named, Relaxed);
    for (space, bytes) in SPACES.iter().zip(sizes.bytes) {
        space.reserved.store(bytes, Relaxed);
    }
    ask();
}

/// Adds bytes for the slots of boot programs to what is reserved: multiples of [`ALIGN`], at most
/// [`MAX_RESERVED`]. To be called once, after the boot parameters were read and before the
/// framework asks. `creates`: whether some of them label new files. `kept`: how many of the slots
/// are kept in extended attributes, at most [`MAX_KEPT`].
pub(crate) fn reserve_boot(boot: &[u32; COUNT], creates: bool, kept: u32) {
    for (space, &bytes) in SPACES.iter().zip(boot) {
        space
            .reserved
            .store(space.reserved.load(Relaxed) + bytes, Relaxed);
        space.boot.store(bytes, Relaxed);
    }
    BOOT_CREATES.store(creates.into(), Relaxed);
    xattr::reserve_boot(kept);
    ask();
}

/// Whether boot programs have slots in the class, so that its objects have a state word.
#[inline]
pub(crate) fn has_boot_slots(class: Class) -> bool {
    SPACES[class as usize].boot.load(Relaxed) != 0
}

/// The state word of an object. [`None`] if it has none.
///
/// # Safety
///
/// `blob` must be null or the blob of an object of the class, and there for `'a`. KRSI must have
/// been started.
pub(crate) unsafe fn state<'a>(class: Class, blob: *mut c_void) -> Option<&'a Atomic<u32>> {
    if blob.is_null() || !has_boot_slots(class) {
        return None;
    }
    // SAFETY: By the safety requirements.
    Some(unsafe { access::state(class, blob) })
}

/// The other state word of an inode. [`None`] if it has none.
///
/// # Safety
///
/// As [`state`].
pub(crate) unsafe fn instantiated<'a>(blob: *mut c_void) -> Option<&'a Atomic<u32>> {
    // SAFETY: By the safety requirements. There are two words: see [`STATE`].
    unsafe { state(Class::inode, blob).map(|first| Atomic::from_ptr(first.as_ptr().add(1))) }
}

/// Learns where the framework put the blobs. Called once, by KRSI's initialiser.
pub(crate) fn init() {
    // SAFETY: There is one CPU; the framework is done with the sizes, which are offsets now.
    let mut offsets = unsafe { *SIZES.as_ptr() };

    for (class, space) in Class::ALL.into_iter().zip(&SPACES) {
        let boot = space.boot.load(Relaxed);
        space
            .base
            .store(*class.field(&mut offsets) + before(class, boot), Relaxed);
    }
    // `bpf_inode()` looks for the inode storage of BPF programs here.
    // SAFETY: There is one CPU, and no program.
    unsafe { bindings::bpf_lsm_blob_sizes.lbs_inode = offsets.lbs_inode };
    // SAFETY: Called once.
    unsafe { TABLE.init() };
    inherit::init();
    xattr::refresh();
}

pub(crate) use inherit::{refresh, HOOKS};
pub(crate) use xattr::{
    collect, refresh as refresh_xattrs, HOOKS as XATTR_HOOKS, MAX as MAX_KEPT,
    STATE_SIZE as KEPT_STATE,
};

/// What a boot program's object says of a slot.
pub(crate) struct BootSlot<'a> {
    pub(crate) class: Class,
    pub(crate) name: &'a [u8],
    /// In bytes.
    pub(crate) size: u32,
    pub(crate) align: u32,
    /// Whether new objects get what the one has that they come from, if that is asked for.
    pub(crate) copy: Option<bool>,
    /// Whether it is kept in an extended attribute.
    pub(crate) kept: bool,
}

/// Claims a slot for a boot program, and returns its number. No program can access it until
/// [`publish_boot`]. May sleep.
///
/// Errors as for [`command`]; `EEXIST` too if another object of the image has it.
pub(crate) fn claim_boot(slot: &BootSlot<'_>) -> Result<u32> {
    let name = slots::Name::new(slot.name).ok_or(EINVAL)?;
    let rule = slot.copy.map(|copy| match copy {
        true => slots::Inherit::Copy,
        false => slots::Inherit::Reset,
    });
    let mut claim = slots::Claim::new(slot.class, name, slot.size, Some(slot.align), rule)?;
    if slot.kept {
        claim = claim.kept()?;
    }
    // SAFETY: An FFI call.
    let nonce = unsafe { bindings::get_random_u32() };
    let mut table = TABLE.lock();
    let (slot, new) = table.claim(&claim, Owner::Boot, &reserved(), xattr::places(), nonce)?;

    if new {
        Ok(slot.number)
    } else {
        Err(EEXIST)
    }
}

/// Lets programs access slots of boot programs. To be called once, before there is a boot program
/// that runs: it would find no slot, and leave an object without its label for good. May sleep.
///
/// Slots that are copied are so from the next [`refresh`] on.
pub(crate) fn publish_boot(numbers: &[u32]) {
    let table = TABLE.lock();

    for slot in table.iter().filter(|slot| numbers.contains(&slot.number)) {
        inherit::mark(slot);
        xattr::add(slot);
        access::publish(slot);
    }
}

/// Says that a slot of boot programs can never be accessed. May sleep.
pub(crate) fn fail_boot(number: u32) {
    TABLE.lock().fail(number);
}

kernel::sync::global_lock! {
    /// The slots. Taken over the locks of the jump label code.
    // SAFETY: Initialised by `init` before first use.
    unsafe(uninit) static TABLE: Mutex<Table> = Table::new();
}

/// Does what a line says that is written to the file `blobs`. May sleep.
///
/// Whoever calls this has checked that the writer may.
///
/// - `EINVAL`: not a command, or a value that is out of range
/// - `ENODEV`: there is no such class
/// - `ENXIO`: nothing is reserved in the class, or no extended attributes
/// - `ENOSPC`: too little is left, of bytes, numbers or extended attributes
/// - `EEXIST`: there is a slot of that name that is not the same
/// - `ENOENT`: there is no slot of that name to be released
/// - `EPERM`: the slot to be released is a boot program's
/// - `ENOMEM`
pub(crate) fn command(line: &[u8]) -> Result {
    let command = Command::parse(line)?;
    let mut table = TABLE.lock();

    match command {
        Command::Claim(claim) => {
            // SAFETY: An FFI call.
            let nonce = unsafe { bindings::get_random_u32() };
            let (slot, new) = table
                .claim(&claim, Owner::Runtime, &reserved(), xattr::places(), nonce)
                .map_err(|e| match e {
                    // What is reserved is for boot programs only.
                    e if e == ENOSPC
                        && (spare(claim.class()) == 0
                            || claim.is_kept() && xattr::reserved() == 0) =>
                    {
                        ENXIO
                    }
                    e => e,
                })?;
            if new {
                // New objects inherit the slot before there is anything to be inherited.
                inherit::add(slot);
                xattr::add(slot);
                access::publish(slot);
            }
        }
        Command::Release { class, name } => {
            let slot = table.release(class, name)?;
            access::withdraw(slot);
            inherit::remove(slot);
            xattr::remove(slot);
        }
    }
    Ok(())
}

/// Writes the file `blobs`. May sleep.
pub(crate) fn show(m: &SeqFile) {
    let table = TABLE.lock();

    for class in Class::ALL {
        let space = &SPACES[class as usize];
        let (reserved, boot) = (spare(class), space.boot.load(Relaxed));
        let free = table.free(class, reserved + boot).min(reserved);
        seq_print!(
            m,
            "class={} reserved={reserved} free={free} boot={boot}\n",
            class.name()
        );
    }
    for slot in table.iter() {
        seq_print!(m, "{slot}\n");
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "slot={} class={} name={} offset={} size={} align={} inherit={} owner={} state={}{}",
            self.number,
            self.class.name(),
            BStr::from_bytes(self.name.as_bytes()),
            self.offset,
            self.size,
            self.align,
            self.inherit.name(),
            self.owner.name(),
            self.state(),
            if self.xattr { " xattr=yes" } else { "" },
        ))
    }
}
