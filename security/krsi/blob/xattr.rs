// SPDX-License-Identifier: GPL-2.0

//! Slots of inodes that last: they are kept in an extended attribute, `security.krsi.NAME`.
//!
//! In front of the bytes of such a slot is a word that says whether they can be accessed: not
//! before it is known what the attribute has. An inode that is made begins with no attribute, and
//! what the slot has then is made an attribute by the file system, together with the inode. Of
//! any other inode the attribute is read when the inode is first bound to a directory entry, before
//! anybody can find it there. If that fails the slot stays out of reach; what may be otherwise the
//! next time is tried again when the inode is opened.
//!
//! A boot program's slot has what the program has made of it if there is no attribute. So the
//! object is initialised before the attribute is looked at, and the attribute is not known before
//! the object is initialised.
//!
//! These are callbacks of KRSI itself, in front of the programs of the same hooks; what programs of
//! `inode_init_security` write is put into the attribute behind them. All but those that protect
//! the attributes are off while there is no such slot.

use super::{
    inherit,
    slots::{Name, Owner, Slot},
    typed::Blob,
    Class, ALIGN, MAX_RESERVED,
};
use crate::boot;
use kernel::{
    bindings, lsm,
    prelude::*,
    str::BStr,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        SetOnce,
    },
};

/// The most slots that can be kept from one boot to the next, and as many again for boot programs.
pub(crate) const MAX: u32 = 16;

/// What is in front of a slot that is kept: its state, and as much as keeps the slot aligned.
pub(crate) const STATE_SIZE: u32 = ALIGN;

/// The state of an object's slot that can be accessed.
pub(super) const READY: u32 = 0x6b72_7369;

/// The state of a slot of which nobody knows what its attribute has: the framework's zero.
const UNKNOWN: u32 = 0;

/// The state of a slot whose attribute cannot be taken for a label.
const FAILED: u32 = 1;

/// The file systems that unprivileged users can mount and that are in the kernel's memory.
const IN_MEMORY: [u32; 5] = [
    bindings::TMPFS_MAGIC,
    bindings::SYSFS_MAGIC,
    bindings::CGROUP_SUPER_MAGIC,
    bindings::CGROUP2_SUPER_MAGIC,
    bindings::BPF_FS_MAGIC,
];

/// What the attributes' names begin with, and where the part begins that file systems add to
/// `security.`.
const PREFIX: &[u8] = b"security.krsi.";
const SUFFIX: usize = b"security.".len();

/// A slot that is kept.
struct Kept {
    /// The attribute's name, a C string.
    attribute: [u8; PREFIX.len() + Name::MAX + 1],
    number: u32,
    /// Where inodes have the state.
    state: Blob<bindings::inode, Atomic<u32>>,
    /// Where they have the slot, with the bytes up to the next whole word.
    words: Blob<bindings::inode, Atomic<u64>>,
    /// Of the slot, in bytes; at most [`MAX_RESERVED`].
    size: usize,
    /// Whether it is a boot program's.
    boot: bool,
}

/// A place for a slot that is kept, used once.
struct Place {
    kept: SetOnce<Kept>,
    /// 1 from when the slot can be found until it is released.
    live: Atomic<u32>,
}

static PLACES: [Place; 2 * MAX as usize] = [const {
    Place {
        kept: SetOnce::new(),
        live: Atomic::new(0),
    }
}; 2 * MAX as usize];

/// How many of them can be used while the system runs.
static RESERVED: Atomic<u32> = Atomic::new(DEFAULT);

/// How many of them are for boot programs.
static BOOT: Atomic<u32> = Atomic::new(0);

/// What [`RESERVED`] is without a boot parameter.
pub(super) const DEFAULT: u32 = bindings::CONFIG_SECURITY_KRSI_XATTRS;
const _: () = assert!(MAX.checked_sub(DEFAULT).is_some());

/// The callbacks. The first two are always on.
///
/// The capabilities have none of these hooks, so one of the framework's slots is left over for
/// each of them.
#[link_section = ".data..ro_after_init"]
pub(crate) static HOOKS: [lsm::Hook; 6] = [
    // SAFETY: The row and the callback are of the same hook.
    unsafe {
        lsm::Hook::new(
            (&raw mut bindings::static_calls_table.inode_setxattr).cast(),
            bindings::security_list_options {
                inode_setxattr: Some(inode_setxattr),
            },
        )
    },
    // SAFETY: As above.
    unsafe {
        lsm::Hook::new(
            (&raw mut bindings::static_calls_table.inode_removexattr).cast(),
            bindings::security_list_options {
                inode_removexattr: Some(inode_removexattr),
            },
        )
    },
    // SAFETY: As above.
    unsafe {
        lsm::Hook::new(
            (&raw mut bindings::static_calls_table.inode_init_security).cast(),
            bindings::security_list_options {
                inode_init_security: Some(inode_init_security),
            },
        )
    },
    // SAFETY: As above.
    unsafe {
        lsm::Hook::new(
            (&raw mut bindings::static_calls_table.d_instantiate).cast(),
            bindings::security_list_options {
                d_instantiate: Some(d_instantiate),
            },
        )
    },
    // SAFETY: As above.
    unsafe {
        lsm::Hook::new(
            (&raw mut bindings::static_calls_table.sb_set_mnt_opts).cast(),
            bindings::security_list_options {
                sb_set_mnt_opts: Some(sb_set_mnt_opts),
            },
        )
    },
    // SAFETY: As above.
    unsafe {
        lsm::Hook::new(
            (&raw mut bindings::static_calls_table.file_open).cast(),
            bindings::security_list_options {
                file_open: Some(file_open),
            },
        )
    },
];

/// Switches the callbacks on that have something to do, and the others off. May sleep once the
/// system has booted.
pub(crate) fn refresh() {
    let kept = live().next().is_some();

    inherit::switch(&HOOKS[2..3], kept || boot::wants_inode_create());
    inherit::switch(&HOOKS[3..4], kept || boot::wants_inode_instantiate());
    inherit::switch(&HOOKS[4..], kept);
}

/// How many slots can be kept, from one boot to the next, besides those of boot programs.
pub(super) fn reserved() -> u32 {
    RESERVED.load(Relaxed)
}

/// How many slots can be kept in all: as many attributes has the framework space for.
pub(super) fn places() -> u32 {
    reserved() + BOOT.load(Relaxed)
}

/// Sets how many slots can be kept; false if that is too many. To be called at boot only.
fn reserve(count: u32) -> bool {
    if count > MAX {
        return false;
    }
    RESERVED.store(count, Relaxed);
    true
}

/// Sets how many slots of boot programs are kept, at most [`MAX`]. To be called at boot only.
pub(super) fn reserve_boot(count: u32) {
    BOOT.store(count, Relaxed);
}

/// Keeps a slot from now on, if its claim says so; to be called before programs can find it.
///
/// May sleep. Callers of this and of [`remove`] are serialised.
pub(super) fn add(slot: &Slot) {
    if !slot.xattr {
        return;
    }
    let mut places = PLACES.iter().take(places() as usize);
    let Some(place) = places.find(|place| place.kept.as_ref().is_none()) else {
        // There are no more of them than can be claimed.
        return;
    };
    let name = slot.name.as_bytes();
    let mut attribute = [0; PREFIX.len() + Name::MAX + 1];
    attribute[..PREFIX.len()].copy_from_slice(PREFIX);
    attribute[PREFIX.len()..][..name.len()].copy_from_slice(name);
    let (Some(state), Some(words)) = (
        Blob::new(slot.offset - STATE_SIZE, 1),
        Blob::new(slot.offset, slot.size.div_ceil(ALIGN) as usize),
    ) else {
        // Slots are within what is reserved.
        return;
    };

    place.kept.populate(Kept {
        attribute,
        number: slot.number,
        state,
        words,
        size: slot.size as usize,
        boot: slot.owner == Owner::Boot,
    });
    place.live.store(1, Release);
    // For boot programs the callbacks wait until all of their slots can be found, as those that run
    // the programs do: they initialise objects, too.
    if slot.owner != Owner::Boot {
        refresh();
    }
}

/// Keeps a slot no more. What attributes have stays there.
pub(super) fn remove(slot: &Slot) {
    for place in &PLACES {
        if place
            .kept
            .as_ref()
            .is_some_and(|kept| kept.number == slot.number)
        {
            place.live.store(0, Relaxed);
        }
    }
    refresh();
}

/// The slots that are kept.
fn live() -> impl Iterator<Item = &'static Kept> {
    PLACES
        .iter()
        .filter(|place| place.live.load(Acquire) != 0)
        .filter_map(|place| place.kept.as_ref())
}

/// Memory from `kmalloc()`, got with no way back to file systems.
struct Buffer(*mut c_void, usize);

impl Buffer {
    /// Zeroes. May sleep.
    fn new(len: usize) -> Result<Self> {
        // SAFETY: An FFI call.
        let memory = unsafe { bindings::krsi_zalloc_nofs(len) };
        if memory.is_null() {
            return Err(ENOMEM);
        }
        Ok(Self(memory, len))
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: The buffer's, which are initialised and nobody else's.
        unsafe { core::slice::from_raw_parts(self.0.cast(), self.1) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: As above.
        unsafe { core::slice::from_raw_parts_mut(self.0.cast(), self.1) }
    }

    fn is_zero(&self) -> bool {
        self.bytes().iter().all(|&byte| byte == 0)
    }

    /// Gives the memory to somebody who frees it with `kfree()`.
    fn into_raw(self) -> *mut c_void {
        let memory = self.0;
        core::mem::forget(self);
        memory
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: From `kmalloc()`, and nobody else's.
        unsafe { bindings::kfree(self.0) };
    }
}

/// A slot of an inode.
///
/// # Invariants
///
/// `inode` is valid for `'a`.
struct Label<'a> {
    kept: &'static Kept,
    inode: *mut bindings::inode,
    state: &'a Atomic<u32>,
    words: &'a [Atomic<u64>],
}

impl<'a> Label<'a> {
    /// [`None`] without a blob.
    ///
    /// # Safety
    ///
    /// `inode` must be valid for `'a`.
    unsafe fn new(kept: &'static Kept, inode: *mut bindings::inode) -> Option<Self> {
        // SAFETY: By the safety requirements; an inode's blob stays as long as the inode.
        let (state, words) = unsafe { (kept.state.of(inode)?, kept.words.of(inode)?) };

        // INVARIANT: By the safety requirements.
        Some(Self {
            kept,
            inode,
            state: state.first()?,
            words,
        })
    }

    /// The slot's bytes, by words: programs write to them meanwhile.
    fn read(&self) -> Result<Buffer> {
        let mut buffer = Buffer::new(size_of_val(self.words))?;

        for (bytes, word) in buffer.bytes_mut().chunks_exact_mut(8).zip(self.words) {
            bytes.copy_from_slice(&word.load(Relaxed).to_ne_bytes());
        }
        // Behind the slot's end there is nothing.
        buffer.1 = self.kept.size;
        Ok(buffer)
    }

    /// Writes to the slot, which no program accesses meanwhile.
    fn write(&self, value: &[u8]) {
        for (word, bytes) in self.words.iter().zip(value.chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(whole), Relaxed);
        }
    }

    /// Gives the slot another state, unless it can be accessed; does `first` in front of that.
    fn settle(&self, state: u32, first: impl FnOnce()) {
        // SAFETY: By the type invariant.
        let lock = unsafe { &raw mut (*self.inode).i_lock };

        // SAFETY: The lock of a valid inode, which the caller does not hold.
        unsafe { bindings::spin_lock(lock) };
        if self.state.load(Relaxed) != READY {
            first();
            self.state.store(state, Release);
        }
        // SAFETY: Just locked.
        unsafe { bindings::spin_unlock(lock) };
    }

    /// Makes the slot accessible, with `value` or else what it has, if it is not yet.
    ///
    /// `EAGAIN`: a boot program's, which cannot be initialised here.
    fn publish(&self, value: Option<&[u8]>) -> Result {
        let inode = self.inode;

        if self.kept.boot {
            // SAFETY: By the type invariant.
            let made = unsafe { boot::initialise(Class::inode, inode.cast(), (*inode).i_security) };
            if !made {
                return Err(EAGAIN);
            }
        }
        self.settle(READY, || {
            if let Some(value) = value {
                self.write(value);
            }
        });
        Ok(())
    }

    /// Gives the slot up, if it was not read meanwhile.
    fn fail(&self) {
        self.settle(FAILED, || {});
    }

    /// Whether nobody but the system says what this file system's attributes have.
    ///
    /// FUSE has them from whoever serves it. What was mounted in a user namespace may have them
    /// from there, as an overlay does, unless it is in the kernel's memory: to write them there
    /// takes the system's capabilities.
    fn trusted(&self) -> bool {
        // SAFETY: By the type invariant; a superblock stays as long as its inodes.
        let (flags, magic, user_ns) = unsafe {
            let sb = (*self.inode).i_sb;
            ((*sb).s_iflags, (*sb).s_magic, (*sb).s_user_ns)
        };

        if flags as u32 & bindings::SB_I_IMA_UNVERIFIABLE_SIGNATURE != 0 {
            return false;
        }
        core::ptr::eq(user_ns, &raw const bindings::init_user_ns)
            || u32::try_from(magic).is_ok_and(|magic| IN_MEMORY.contains(&magic))
    }

    /// What the attribute has: [`None`] if there is none. May sleep.
    ///
    /// `EPERM`: that is not the system's to say. `EINVAL`: it has not the slot's size. Whatever
    /// else the file system returns may be otherwise the next time.
    ///
    /// # Safety
    ///
    /// `dentry` must be valid, and one that file systems take for the inode's.
    unsafe fn stored(&self, dentry: *mut bindings::dentry) -> Result<Option<Buffer>> {
        // SAFETY: By the type invariant.
        let any = unsafe { u32::from((*self.inode).i_opflags) } & bindings::IOP_XATTR != 0;
        if !any {
            return Ok(None);
        }
        if !self.trusted() {
            return Err(EPERM);
        }
        // One byte more than there may be.
        let buffer = Buffer::new(self.kept.size + 1)?;
        // SAFETY: By the safety requirements and the type invariant; the name is a C string.
        let len = unsafe {
            bindings::__vfs_getxattr(
                dentry,
                self.inode,
                self.kept.attribute.as_ptr().cast(),
                buffer.0,
                buffer.1,
            )
        };

        if len == -(bindings::ENODATA as isize) || len == -(bindings::EOPNOTSUPP as isize) {
            return Ok(None);
        }
        if len == -(bindings::ERANGE as isize) || len >= 0 && len as usize != self.kept.size {
            return Err(EINVAL);
        }
        if len < 0 {
            return Err(Error::from_errno(len as c_int));
        }
        Ok(Some(Buffer(buffer.into_raw(), self.kept.size)))
    }

    /// Reads the attribute, if the slot is not ready. May sleep.
    ///
    /// # Safety
    ///
    /// As [`Self::stored`].
    unsafe fn restore(&self, dentry: *mut bindings::dentry) -> Result {
        if self.state.load(Acquire) == READY {
            return Ok(());
        }
        // SAFETY: By the safety requirements.
        match unsafe { self.stored(dentry) } {
            Ok(value) => self.publish(value.as_ref().map(|value| value.bytes())),
            // Not worth a line for each file of a container.
            Err(e) if e == EPERM => {
                self.fail();
                Err(e)
            }
            Err(e) => {
                if e == EINVAL {
                    self.fail();
                }
                // SAFETY: The inode is valid, and the name a C string.
                unsafe {
                    bindings::krsi_warn_xattr(
                        self.inode,
                        self.kept.attribute.as_ptr().cast(),
                        e.to_errno(),
                    )
                };
                Err(e)
            }
        }
    }

    /// Writes the attribute, or removes it if the slot has zeroes. May sleep.
    ///
    /// # Safety
    ///
    /// `dentry` must be valid and the inode's, which is locked.
    unsafe fn save(&self, dentry: *mut bindings::dentry) -> Result {
        let name = self.kept.attribute.as_ptr().cast();

        if self.state.load(Acquire) != READY {
            return Err(ENODATA);
        }
        if !self.trusted() {
            return Err(EPERM);
        }
        let value = self.read()?;
        let idmap = &raw mut bindings::nop_mnt_idmap;
        let ret = if value.is_zero() {
            // SAFETY: By the safety requirements.
            match unsafe { bindings::__vfs_removexattr(idmap, dentry, name) } {
                e if e == -(bindings::ENODATA as c_int) => 0,
                ret => ret,
            }
        } else {
            // SAFETY: By the safety requirements and the type invariant.
            unsafe {
                bindings::__vfs_setxattr(idmap, dentry, self.inode, name, value.0, value.1, 0)
            }
        };
        kernel::error::to_result(ret)
    }
}

/// Reads the attributes of an inode, for slots that are not ready. May sleep.
///
/// `given_up`: also for those that cannot be taken for labels. What cannot be read is logged, and
/// the slot stays out of reach.
///
/// # Safety
///
/// Both must be valid, and `dentry` one that file systems take for the inode's.
unsafe fn restore_all(dentry: *mut bindings::dentry, inode: *mut bindings::inode, given_up: bool) {
    for kept in live() {
        // SAFETY: By the safety requirements.
        let Some(label) = (unsafe { Label::new(kept, inode) }) else {
            return;
        };
        if given_up || label.state.load(Relaxed) == UNKNOWN {
            // SAFETY: As above. Programs find out themselves.
            let _ = unsafe { label.restore(dentry) };
        }
    }
}

/// Whether the current task may change an attribute of this name.
///
/// # Safety
///
/// `name` must be a C string.
unsafe fn may_change(name: *const c_char) -> c_int {
    // SAFETY: By the safety requirements.
    let name = unsafe { CStr::from_char_ptr(name) }.to_bytes();

    // SAFETY: An FFI call.
    if name.starts_with(PREFIX) && !unsafe { bindings::capable(bindings::CAP_MAC_ADMIN as c_int) } {
        return EPERM.to_errno();
    }
    0
}

/// # Safety
///
/// To be called by the LSM framework only.
unsafe extern "C" fn inode_setxattr(
    _: *mut bindings::mnt_idmap,
    _: *mut bindings::dentry,
    name: *const c_char,
    _: *const c_void,
    _: usize,
    _: c_int,
) -> c_int {
    // SAFETY: By the safety requirements.
    unsafe { may_change(name) }
}

/// # Safety
///
/// To be called by the LSM framework only.
unsafe extern "C" fn inode_removexattr(
    _: *mut bindings::mnt_idmap,
    _: *mut bindings::dentry,
    name: *const c_char,
) -> c_int {
    // SAFETY: By the safety requirements.
    unsafe { may_change(name) }
}

/// Of a new inode the slots are ready, and what they have goes to the file system.
///
/// # Safety
///
/// To be called by the LSM framework only.
unsafe extern "C" fn inode_init_security(
    inode: *mut bindings::inode,
    dir: *mut bindings::inode,
    _: *const bindings::qstr,
    xattrs: *mut bindings::xattr,
    count: *mut c_int,
) -> c_int {
    // It may be older than the callback for that; it is new all the same.
    // SAFETY: By the safety requirements.
    unsafe { boot::made(Class::inode, inode.cast(), (*inode).i_security, None) };
    for kept in live() {
        // SAFETY: By the safety requirements.
        if let Some(label) = unsafe { Label::new(kept, inode) } {
            // What is not accessible here is read when the inode is bound to its entry.
            let _ = label.publish(None);
        }
    }
    // SAFETY: By the safety requirements.
    unsafe { boot::inode_create(inode, dir) };
    // SAFETY: By the safety requirements.
    kernel::error::from_result(|| unsafe { collect(inode, xattrs, count).map(|()| 0) })
}

/// Puts what the slots of a new inode have into the attributes that the file system makes with it,
/// also if it was put there before.
///
/// # Safety
///
/// All must be what the framework passes to the hook `inode_init_security`.
pub(crate) unsafe fn collect(
    inode: *mut bindings::inode,
    xattrs: *mut bindings::xattr,
    count: *mut c_int,
) -> Result {
    if xattrs.is_null() {
        // The file system takes no attributes now.
        return Ok(());
    }
    for kept in live() {
        // SAFETY: By the safety requirements; nobody else finds the inode.
        let Some(label) = (unsafe { Label::new(kept, inode) }) else {
            break;
        };
        if !label.trusted() {
            break;
        }
        if label.state.load(Acquire) != READY {
            continue;
        }
        let name = kept.attribute[SUFFIX..].as_ptr().cast();
        let value = label.read()?;
        // SAFETY: By the safety requirements; the first of them are filled in.
        let filled = unsafe { core::slice::from_raw_parts_mut(xattrs, *count as usize) };

        if let Some(xattr) = filled.iter_mut().find(|xattr| xattr.name == name) {
            // INVARIANT: A buffer of ours.
            drop(Buffer(xattr.value, xattr.value_len));
            xattr.value = value.into_raw();
        } else if !value.is_zero() {
            // SAFETY: The framework has an array with space for as many attributes as KRSI has
            // asked for, besides those of others; there are no more places. It frees the values.
            unsafe {
                let xattr = &mut *xattrs.add(*count as usize);
                *count += 1;
                xattr.name = name;
                xattr.value_len = value.1;
                xattr.value = value.into_raw();
            }
        }
    }
    Ok(())
}

/// # Safety
///
/// To be called by the LSM framework only.
unsafe extern "C" fn d_instantiate(dentry: *mut bindings::dentry, inode: *mut bindings::inode) {
    if inode.is_null() {
        return;
    }
    // The root of a file system that is being mounted: not every one can be asked already.
    // SAFETY: By the safety requirements.
    if unsafe { !(*(*inode).i_sb).s_root.is_null() } {
        // SAFETY: By the safety requirements. The entry is about to become the inode's.
        unsafe { restore_all(dentry, inode, true) };
    }
    // Behind that: programs find what the attributes have.
    // SAFETY: By the safety requirements.
    unsafe { boot::inode_instantiate(inode) };
}

/// The file system is mounted, and nobody has found its root yet.
///
/// # Safety
///
/// To be called by the LSM framework only.
unsafe extern "C" fn sb_set_mnt_opts(
    sb: *mut bindings::super_block,
    _: *mut c_void,
    _: c_ulong,
    _: *mut c_ulong,
) -> c_int {
    // SAFETY: By the safety requirements; the root stays as long as the superblock.
    unsafe {
        let root = (*sb).s_root;
        if !root.is_null() {
            restore_all(root, (*root).d_inode, true);
        }
    }
    0
}

/// What is not known yet can be now: the inode is older than the slot, or reading has failed for a
/// reason that may be gone.
///
/// # Safety
///
/// To be called by the LSM framework only.
unsafe extern "C" fn file_open(file: *mut bindings::file) -> c_int {
    // SAFETY: By the safety requirements; a file that is opened has an entry and an inode.
    unsafe {
        let inode = (*file).f_inode;
        // Of those that are private to the kernel nothing is kept: see the other hooks.
        if (*inode).i_flags & bindings::S_PRIVATE == 0 {
            restore_all((*file).__bindgen_anon_1.f_path.dentry, inode, false);
        }
    }
    0
}

/// The slot of an inode that is kept, by its number.
///
/// `EINVAL`: there is none of that number.
///
/// # Safety
///
/// `inode` must be valid for `'a`.
unsafe fn find<'a>(inode: *mut bindings::inode, number: u32) -> Result<Label<'a>> {
    live()
        .find(|kept| kept.number == number)
        // SAFETY: By the safety requirements.
        .and_then(|kept| unsafe { Label::new(kept, inode) })
        .ok_or(EINVAL)
}

/// Saves a slot: see the kfunc in kernel/bpf/krsi_blob.c. May sleep.
///
/// # Safety
///
/// `dentry` must be valid and `inode` its inode, which is locked.
#[export]
pub(crate) unsafe extern "C" fn krsi_xattr_save(
    dentry: *mut bindings::dentry,
    inode: *mut bindings::inode,
    slot: u32,
) -> c_int {
    // SAFETY: By the safety requirements.
    kernel::error::from_result(|| unsafe { find(inode, slot)?.save(dentry).map(|()| 0) })
}

/// Restores a slot: see the kfunc in kernel/bpf/krsi_blob.c. May sleep.
///
/// # Safety
///
/// `dentry` must be valid and `inode` its inode.
#[export]
pub(crate) unsafe extern "C" fn krsi_xattr_restore(
    dentry: *mut bindings::dentry,
    inode: *mut bindings::inode,
    slot: u32,
) -> c_int {
    // SAFETY: By the safety requirements.
    kernel::error::from_result(|| unsafe { find(inode, slot)?.restore(dentry).map(|()| 0) })
}

/// Takes the value of the boot parameter `krsi.xattrs=`. What makes no sense is logged and passed
/// over.
///
/// # Safety
///
/// `text` must be a C string. To be called with one CPU, before [`super::init`].
#[export]
pub(crate) unsafe extern "C" fn krsi_xattr_setup(text: *const c_char) {
    // SAFETY: By the safety requirements.
    let text = unsafe { CStr::from_char_ptr(text) }.to_bytes();

    if !super::parse::decimal(text).is_some_and(reserve) {
        pr_warn!(
            "krsi.xattrs: ignoring \"{}\": not a number up to {}\n",
            BStr::from_bytes(&text[..text.len().min(64)]),
            MAX
        );
    }
    super::ask();
}

// The size is at most what the framework's and file systems' lengths can be.
const _: () = assert!(MAX_RESERVED <= bindings::XATTR_SIZE_MAX);
