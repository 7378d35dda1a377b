// SPDX-License-Identifier: GPL-2.0

//! Inheritance of slots by new credentials and tasks.
//!
//! The framework zeroes blobs, so only slots that are copied, or that boot programs initialise,
//! need work. Callbacks of KRSI do it, which run before the programs of the same hooks. They are
//! disabled while no slot and no boot program needs them.

use super::{
    claim::{Inherit, Owner},
    class::Class,
    init,
    limits::ALIGN,
    points::{self, Origin},
    space,
    table::Slot,
    typed::{AnyObject, Blob, Object},
};
use kernel::{
    bindings,
    cred::Credential,
    lsm::{self, lsm_hook},
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
    task::Task,
};

/// The number of words of [`ALIGN`] bytes in the largest space.
const WORDS: usize = (space::MAX_SPACE / ALIGN) as usize;

/// A set of words of a class's space.
struct Bitmap([Atomic<u64>; WORDS / 64]);

impl Bitmap {
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

    /// The numbers of the words, in ascending order.
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

/// The words that new credentials and tasks copy.
static CRED: Bitmap = Bitmap::new();
static TASK: Bitmap = Bitmap::new();

/// The words of credentials that boot programs initialise.
static BOOT_CRED: Bitmap = Bitmap::new();

/// The callbacks, those of credentials first. None of these hooks has a callback of the
/// capabilities, so the framework has a slot left for each.
#[link_section = ".data..ro_after_init"]
pub(crate) static HOOKS: [lsm::Hook; 3] = [
    lsm_hook!(cred_prepare, cred_prepare),
    lsm_hook!(cred_transfer, cred_transfer),
    lsm_hook!(task_alloc, task_alloc),
];

/// The words that a class copies, and the callbacks that copy them.
fn copied(class: Class) -> Option<(&'static Bitmap, &'static [lsm::Hook])> {
    match class {
        Class::cred => Some((&CRED, &HOOKS[..2])),
        Class::task => Some((&TASK, &HOOKS[2..])),
        _ => None,
    }
}

/// Starts copying a slot if its claim requires it. May sleep.
///
/// Callers of this, of [`mark`] and of [`remove`] are serialised.
pub(super) fn add(slot: &Slot) {
    mark(slot);
    refresh(slot.class);
}

/// Like [`add`], but takes effect at the next [`refresh`], for several slots at once.
pub(super) fn mark(slot: &Slot) {
    set(slot, true);
    if slot.class == Class::cred && slot.owner == Owner::Boot {
        BOOT_CRED.set_slot(slot, true);
    }
}

/// Stops copying a slot. May sleep.
pub(super) fn remove(slot: &Slot) {
    set(slot, false);
    refresh(slot.class);
}

fn set(slot: &Slot, on: bool) {
    if let Some((words, _)) = copied(slot.class).filter(|_| slot.inherit == Inherit::Copy) {
        words.set_slot(slot, on);
    }
}

/// Enables or disables the callbacks of a class, as slots and programs need them. May sleep once
/// the system has booted.
pub(super) fn refresh(class: Class) {
    if let Some((words, hooks)) = copied(class) {
        let on = !words.is_empty() || points::wants(class);

        hooks.iter().for_each(|hook| hook.set_active(on));
    }
}

/// Copies words of an object to another. Each word is copied atomically, since programs may be
/// writing to `from`.
fn copy<O: Object>(copied: &Bitmap, from: &O, to: &O) {
    let all = Blob::<O, Atomic<u64>>::all();

    if let (Some(from), Some(to)) = (all.of(from), all.of(to)) {
        for (from, to) in copied.numbers().filter_map(|i| from.get(i).zip(to.get(i))) {
            to.store(from.load(Relaxed), Relaxed);
        }
    }
}

/// Initialises new credentials, which inherit from `old`.
fn inherit(new: &Credential, old: &Credential) {
    init::ensure(AnyObject::of(old));
    copy(&CRED, old, new);
    init::init_new(AnyObject::of(new), Origin::Cred(old));
}

/// Undoes the initialisation of credentials by boot programs.
fn reset(cred: &Credential) {
    let all = Blob::<Credential, Atomic<u64>>::all();

    if let (Some(words), Some(state)) = (all.of(cred), AnyObject::of(cred).state()) {
        for word in BOOT_CRED.numbers().filter_map(|i| words.get(i)) {
            word.store(0, Relaxed);
        }
        state.store(0, Relaxed);
    }
}

/// # Safety
///
/// Only the LSM framework may call this.
unsafe extern "C" fn cred_prepare(
    new: *mut bindings::cred,
    old: *const bindings::cred,
    _: bindings::gfp_t,
) -> c_int {
    // SAFETY: The framework passes credentials that are alive. Only this task has the new ones.
    let (new, old) = unsafe { (Credential::from_ptr(new), Credential::from_ptr(old)) };

    inherit(new, old);
    0
}

/// Blank credentials become those of a task. If a program of `cred_alloc_blank` accessed them, they
/// were initialised without an origin.
///
/// # Safety
///
/// Only the LSM framework may call this.
unsafe extern "C" fn cred_transfer(new: *mut bindings::cred, old: *const bindings::cred) {
    // SAFETY: The framework passes credentials that are alive. Only this task has the new ones.
    let (new, old) = unsafe { (Credential::from_ptr(new), Credential::from_ptr(old)) };

    reset(new);
    inherit(new, old);
}

/// # Safety
///
/// Only the LSM framework may call this.
unsafe extern "C" fn task_alloc(task: *mut bindings::task_struct, flags: u64) -> c_int {
    // SAFETY: The framework passes a task that only the current task has. Both are alive.
    let (task, parent) = unsafe { (&*task.cast::<Task>(), &*Task::current_raw().cast::<Task>()) };

    init::ensure(AnyObject::of(parent));
    copy(&TASK, parent, task);
    init::init_new(AnyObject::of(task), Origin::Task(flags));
    0
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_inherit)]
mod tests {
    use super::{super::typed::tests::Fake, *};

    #[test]
    fn bits_are_independent() {
        let bits = Bitmap::new();
        assert!(bits.is_empty());
        for bit in [0, 1, 63, 64, WORDS - 1] {
            bits.set(bit, true);
        }
        assert!(bits.numbers().eq([0, 1, 63, 64, WORDS - 1]));
        bits.set(63, false);
        bits.set(63, false);
        bits.set(0, false);
        assert!(bits.numbers().eq([1, 64, WORDS - 1]));
    }

    #[test]
    fn only_words_of_slots_are_copied() -> Result {
        let copied = Bitmap::new();
        let (from, to) = (Fake::new(|i| 100 + i)?, Fake::new(|_| 0)?);
        let none = Fake::none();

        // The second word, if it is reserved, and one that is not.
        copied.set(1, true);
        copied.set(WORDS - 1, true);
        copy(&copied, &from, &to);
        copy(&copied, &none, &to);
        copy(&copied, &from, &none);
        for (i, word) in to.words().enumerate() {
            assert_eq!(word, if i == 1 { 101 } else { 0 });
        }
        Ok(())
    }
}
