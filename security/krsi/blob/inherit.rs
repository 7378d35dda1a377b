// SPDX-License-Identifier: GPL-2.0

//! Slots that new credentials and new tasks take over from those that they come from.
//!
//! The framework zeroes blobs, so only slots that are copied need anything done, and what boot
//! programs label. These are callbacks of KRSI itself, in front of the programs of the same hooks,
//! and off while there is no such slot and no such program.

use super::{
    slots::{Inherit, Owner, Slot},
    typed::{Blob, Object},
    Class, ALIGN, MAX_SPACE,
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

/// Some of the words of a class's space: a bit for each.
struct Words([Atomic<u64>; WORDS / 64]);

impl Words {
    const fn new() -> Self {
        Self([const { Atomic::new(0) }; WORDS / 64])
    }

    /// Adds or removes a word. Callers are serialised.
    fn set(&self, word: usize, on: bool) {
        let (part, bit) = (&self.0[word / 64], 1 << (word % 64));
        let old = part.load(Relaxed);

        part.store(if on { old | bit } else { old & !bit }, Relaxed);
    }

    /// Adds or removes the words of a slot. Callers are serialised.
    fn set_slot(&self, slot: &Slot, on: bool) {
        let first = slot.offset / ALIGN;

        for word in first..first + slot.size.div_ceil(ALIGN) {
            self.set(word as usize, on);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|part| part.load(Relaxed) == 0)
    }

    /// The words' numbers, in ascending order.
    fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
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

/// The words that new credentials and tasks have of others.
static CRED: Words = Words::new();
static TASK: Words = Words::new();

/// The words of credentials that boot programs initialise.
static BOOT_CRED: Words = Words::new();

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
fn class(class: Class) -> Option<(&'static Words, &'static [lsm::Hook])> {
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
    if slot.class == Class::cred && slot.owner == Owner::Boot {
        BOOT_CRED.set_slot(slot, true);
    }
}

/// Copies a slot no more. May sleep.
pub(super) fn remove(slot: &Slot) {
    set(slot, false);
    refresh(slot.class);
}

fn set(slot: &Slot, copied: bool) {
    if let Some((words, _)) = class(slot.class).filter(|_| slot.inherit == Inherit::Copy) {
        words.set_slot(slot, copied);
    }
}

/// Switches the callbacks of a class on or off, after what they have to do has changed. May sleep.
pub(crate) fn refresh(which: Class) {
    if let Some((words, hooks)) = class(which) {
        switch(hooks, !words.is_empty() || boot::hooked(which));
    }
}

/// Copies words of an object to another, each as a whole: others may be writing to `from`.
///
/// # Safety
///
/// Both must be valid.
unsafe fn copy<O: Object>(copied: &Words, from: *const O, to: *const O) {
    let all = Blob::<O, Atomic<u64>>::all();

    // SAFETY: By the safety requirements, they are there as long as this runs.
    if let (Some(from), Some(to)) = unsafe { (all.of(from), all.of(to)) } {
        for (from, to) in copied.numbers().filter_map(|i| from.get(i).zip(to.get(i))) {
            to.store(from.load(Relaxed), Relaxed);
        }
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
        copy(&CRED, old, new);
        boot::made(Class::cred, new.cast(), (*new).security, Some(old as u64));
    };
}

/// Makes credentials as if no boot program had seen them.
///
/// # Safety
///
/// `cred` must be valid, and nobody else may have it.
unsafe fn renew(cred: *const bindings::cred) {
    let all = Blob::<bindings::cred, Atomic<u64>>::all();

    // SAFETY: By the safety requirements.
    let (words, state) = unsafe { (all.of(cred), super::state(Class::cred, (*cred).security)) };
    if let (Some(words), Some(state)) = (words, state) {
        for word in BOOT_CRED.numbers().filter_map(|i| words.get(i)) {
            word.store(0, Relaxed);
        }
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
        renew(new);
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
        copy(&TASK, current, task);
        boot::made(Class::task, task.cast(), (*task).security, Some(flags));
    };
    0
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_inherit)]
mod tests {
    use super::{super::typed::tests::Fake, *};

    #[test]
    fn words_are_kept_apart() {
        let words = Words::new();
        assert!(words.is_empty());
        for word in [0, 1, 63, 64, WORDS - 1] {
            words.set(word, true);
        }
        assert!(words.numbers().eq([0, 1, 63, 64, WORDS - 1]));
        words.set(63, false);
        words.set(63, false);
        words.set(0, false);
        assert!(words.numbers().eq([1, 64, WORDS - 1]));
    }

    #[test]
    fn only_words_of_slots_are_copied() -> Result {
        let copied = Words::new();
        let (from, to) = (Fake::new(|i| 100 + i)?, Fake::new(|_| 0)?);
        let none = Fake::none();

        // The second, if there is one, and one that is not reserved.
        copied.set(1, true);
        copied.set(WORDS - 1, true);
        // SAFETY: They are valid.
        unsafe {
            copy(&copied, &from, &to);
            copy(&copied, &none, &to);
            copy(&copied, &from, &none);
        }
        for (i, word) in to.words().enumerate() {
            assert_eq!(word, if i == 1 { 101 } else { 0 });
        }
        Ok(())
    }
}
