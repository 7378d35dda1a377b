// SPDX-License-Identifier: GPL-2.0

//! Slots that new credentials and new tasks take over from those that they come from.
//!
//! The framework zeroes blobs, so only slots that are copied need anything done, and what boot
//! programs label. These are callbacks of KRSI itself, in front of the programs of the same hooks,
//! and off while there is no such slot and no such program.

use super::{
    slots::{Inherit, Slot},
    Class, ALIGN, MAX_SPACE, SPACES,
};
use crate::boot;
use kernel::{
    bindings, lsm,
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
    task::Task,
};

/// Words of [`ALIGN`] bytes that a space can have.
const WORDS: usize = (MAX_SPACE / ALIGN) as usize;

/// Which words of a class's space are copied: a bit for each.
struct Copied([Atomic<u64>; WORDS / 64]);

impl Copied {
    const fn new() -> Self {
        Self([const { Atomic::new(0) }; WORDS / 64])
    }

    /// Adds or removes a word. Callers are serialised.
    fn set(&self, word: usize, copied: bool) {
        let (part, bit) = (&self.0[word / 64], 1 << (word % 64));
        let old = part.load(Relaxed);

        part.store(if copied { old | bit } else { old & !bit }, Relaxed);
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|part| part.load(Relaxed) == 0)
    }

    /// The words, in ascending order.
    fn words(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(i, part)| {
            let mut bits = part.load(Relaxed);
            core::iter::from_fn(move || {
                if bits == 0 {
                    return None;
                }
                let bit = bits.trailing_zeros() as usize;
                bits &= bits - 1;
                Some(i * 64 + bit)
            })
        })
    }
}

static CRED: Copied = Copied::new();
static TASK: Copied = Copied::new();

/// The callbacks. Those of credentials are the first two.
///
/// The framework has as many slots for a hook as there are LSMs. One is left over for these,
/// because the capabilities have none of the three hooks.
#[link_section = ".data..ro_after_init"]
pub(crate) static HOOKS: [lsm::Hook; 3] = [
    // SAFETY: The row and the callback are of the same hook.
    unsafe {
        lsm::Hook::new(
            (&raw mut bindings::static_calls_table.cred_prepare).cast(),
            bindings::security_list_options {
                cred_prepare: Some(cred_prepare),
            },
        )
    },
    // SAFETY: As above.
    unsafe {
        lsm::Hook::new(
            (&raw mut bindings::static_calls_table.cred_transfer).cast(),
            bindings::security_list_options {
                cred_transfer: Some(cred_transfer),
            },
        )
    },
    // SAFETY: As above.
    unsafe {
        lsm::Hook::new(
            (&raw mut bindings::static_calls_table.task_alloc).cast(),
            bindings::security_list_options {
                task_alloc: Some(task_alloc),
            },
        )
    },
];

/// What a class copies, and the callbacks that do.
fn class(class: Class) -> Option<(&'static Copied, &'static [lsm::Hook])> {
    match class {
        Class::cred => Some((&CRED, &HOOKS[..2])),
        Class::task => Some((&TASK, &HOOKS[2..])),
        _ => None,
    }
}

/// Switches the callbacks off. To be called once, at boot, after they were registered.
pub(super) fn init() {
    switch(&HOOKS, false);
}

/// Switches callbacks on or off. May sleep once the system has booted.
pub(super) fn switch(hooks: &'static [lsm::Hook], on: bool) {
    for key in hooks.iter().filter_map(|hook| hook.active_key()) {
        if on {
            key.enable();
        } else {
            key.disable();
        }
    }
}

/// Copies a slot to new objects from now on, if that is its rule. May sleep.
///
/// Callers of this, of [`mark`] and of [`remove`] are serialised.
pub(super) fn add(slot: &Slot) {
    mark(slot);
    refresh(slot.class);
}

/// The same, once [`refresh`] is called, so that several slots are copied from the same moment on.
pub(super) fn mark(slot: &Slot) {
    set(slot, true);
}

/// Copies a slot no more. May sleep.
pub(super) fn remove(slot: &Slot) {
    set(slot, false);
    refresh(slot.class);
}

fn set(slot: &Slot, copied: bool) {
    let Some((words, _)) = class(slot.class).filter(|_| slot.inherit == Inherit::Copy) else {
        return;
    };
    let first = slot.offset / ALIGN;

    for word in first..first + slot.size.div_ceil(ALIGN) {
        words.set(word as usize, copied);
    }
}

/// Switches the callbacks of a class on or off, after what they have to do has changed. May sleep.
pub(crate) fn refresh(which: Class) {
    if let Some((words, hooks)) = class(which) {
        switch(hooks, !words.is_empty() || boot::hooked(which));
    }
}

/// Copies the words of one blob to another, each as a whole: others may be writing to `from`.
///
/// # Safety
///
/// Both must be blobs of objects of the class, or null.
unsafe fn copy(copied: &Copied, class: Class, from: *mut c_void, to: *mut c_void) {
    if from.is_null() || to.is_null() {
        return;
    }
    let base = SPACES[class as usize].base.load(Relaxed) as usize;

    for word in copied.words() {
        let at = base + word * ALIGN as usize;
        // SAFETY: The words are of slots, which are in the part of the blobs that is KRSI's. They
        // are aligned. Programs write to them as they like, as userspace does to shared memory.
        let (from, to) = unsafe {
            (
                Atomic::<u64>::from_ptr(from.byte_add(at).cast()),
                Atomic::<u64>::from_ptr(to.byte_add(at).cast()),
            )
        };
        to.store(from.load(Relaxed), Relaxed);
    }
}

/// Gives new credentials what they have of others.
///
/// # Safety
///
/// Both must be valid, with their blobs, and nobody else may have the new ones.
unsafe fn derive(new: *mut bindings::cred, old: *const bindings::cred) {
    // SAFETY: By the safety requirements.
    unsafe {
        boot::initialise(Class::cred, old.cast_mut().cast(), (*old).security);
        copy(&CRED, Class::cred, (*old).security, (*new).security);
        boot::made(Class::cred, new.cast(), (*new).security, Some(old as u64));
    };
}

/// Makes credentials as if no boot program had seen them.
///
/// # Safety
///
/// `blob` must be that of credentials which nobody else has, or null.
unsafe fn renew(blob: *mut c_void) {
    let space = &SPACES[Class::cred as usize];
    let (base, bytes) = (space.base.load(Relaxed), space.boot.load(Relaxed));

    // SAFETY: By the safety requirements.
    if let Some(state) = unsafe { super::state(Class::cred, blob) } {
        // SAFETY: The slots of boot programs are the first of the space, since they were claimed
        // before all others. Nobody else accesses them, by the safety requirements.
        unsafe {
            core::ptr::write_bytes(blob.byte_add(base as usize).cast::<u8>(), 0, bytes as usize)
        };
        state.store(0, Relaxed);
    }
}

/// # Safety
///
/// To be called by the LSM framework only.
unsafe extern "C" fn cred_prepare(
    new: *mut bindings::cred,
    old: *const bindings::cred,
    _: bindings::gfp_t,
) -> c_int {
    // SAFETY: The framework passes valid credentials. Nobody else has the new ones.
    unsafe { derive(new, old) };
    0
}

/// Credentials that were made blank. A program of `cred_alloc_blank` that accessed them had them
/// initialised as coming from none.
///
/// # Safety
///
/// To be called by the LSM framework only.
unsafe extern "C" fn cred_transfer(new: *mut bindings::cred, old: *const bindings::cred) {
    // SAFETY: As in `cred_prepare`.
    unsafe {
        renew((*new).security);
        derive(new, old);
    }
}

/// # Safety
///
/// To be called by the LSM framework only.
unsafe extern "C" fn task_alloc(task: *mut bindings::task_struct, flags: u64) -> c_int {
    let current = Task::current_raw();

    // SAFETY: The framework passes a valid task, which is made from the current one and which
    // nobody else has.
    unsafe {
        boot::initialise(Class::task, current.cast(), (*current).security);
        copy(&TASK, Class::task, (*current).security, (*task).security);
        boot::made(Class::task, task.cast(), (*task).security, Some(flags));
    };
    0
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_inherit)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_apart() {
        let copied = Copied::new();
        assert!(copied.is_empty());
        for word in [0, 1, 63, 64, WORDS - 1] {
            copied.set(word, true);
        }
        assert!(copied.words().eq([0, 1, 63, 64, WORDS - 1]));
        copied.set(63, false);
        copied.set(63, false);
        copied.set(0, false);
        assert!(copied.words().eq([1, 64, WORDS - 1]));
    }

    #[test]
    fn only_words_of_slots_are_copied() {
        let copied = Copied::new();
        copied.set(1, true);
        let base = SPACES[Class::task as usize].base.load(Relaxed) as usize;
        let mut from = [0u64; 8];
        let mut to = [0u64; 8];
        let first = base / 8;
        if first + 3 > from.len() {
            return;
        }
        for (i, word) in from.iter_mut().enumerate() {
            *word = 100 + i as u64;
        }
        // SAFETY: Arrays of words that the one copied is in, and null.
        unsafe {
            copy(
                &copied,
                Class::task,
                from.as_mut_ptr().cast(),
                to.as_mut_ptr().cast(),
            );
            copy(
                &copied,
                Class::task,
                core::ptr::null_mut(),
                to.as_mut_ptr().cast(),
            );
            copy(
                &copied,
                Class::task,
                from.as_mut_ptr().cast(),
                core::ptr::null_mut(),
            );
        }
        for (i, word) in to.iter().enumerate() {
            let expected = if i == first + 1 { 100 + i as u64 } else { 0 };
            assert_eq!(*word, expected);
        }
    }
}
