// SPDX-License-Identifier: GPL-2.0

//! Whether an object is initialised, and who does it.
//!
//! Each object of a class that boot programs have slots in has a state word in its blob, which the
//! framework zeroes. It goes from 0 to [`BUSY`] to [`READY`], once. Whoever takes it from 0 runs
//! the programs, with interrupts disabled; others wait, which is not long: the verifier has seen to
//! that the programs end. What waits must not be waited for, so a CPU that is initialising an
//! object does not wait for another one, and goes without.

use core::ptr::NonNull;
use kernel::{
    bindings,
    sync::atomic::{Acquire, Atomic, Release},
    types::NotThreadSafe,
};

/// Somebody is initialising the object.
const BUSY: u32 = 1;

/// The object is initialised.
pub(crate) const READY: u32 = 0x6b72_7369;

const _: () = assert!(READY != 0 && READY != BUSY && READY <= i32::MAX as u32);

/// How many objects a CPU can be initialising: one within the other.
const DEPTH: usize = bindings::KRSI_BOOT_DEPTH as usize;

/// Whether the object is initialised. Any context.
#[inline(always)]
pub(crate) fn ready(state: &Atomic<u32>) -> bool {
    state.load(Acquire) == READY
}

/// What there is to do for a CPU that finds an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    /// Initialise it. It is [`BUSY`] now.
    Mine,
    /// Nothing: it is initialised, or it is what the CPU is initialising.
    Nothing,
    /// Wait for another CPU.
    Wait,
    /// Go without.
    Refused,
}

/// The objects that a CPU is initialising.
///
/// # Invariants
///
/// `depth` is at most [`DEPTH`].
struct Nesting<'a>(&'a mut bindings::krsi_boot_cpu);

impl Nesting<'_> {
    /// Decides what to do with an object. Takes it if that is [`Turn::Mine`].
    fn turn(&mut self, state: &Atomic<u32>) -> Turn {
        let depth = self.0.depth as usize;
        let innermost = depth.checked_sub(1).and_then(|i| self.0.states.get(i));

        if innermost.is_some_and(|&inner| core::ptr::eq(inner.cast(), state)) {
            return Turn::Nothing;
        }
        let Some(next) = self.0.states.get_mut(depth) else {
            return if ready(state) {
                Turn::Nothing
            } else {
                Turn::Refused
            };
        };
        match state.cmpxchg(0, BUSY, Acquire) {
            Ok(_) => {
                *next = (&raw const *state).cast();
                // INVARIANT: There is an entry of the old number, hence it is less than `DEPTH`.
                self.0.depth += 1;
                Turn::Mine
            }
            Err(READY) => Turn::Nothing,
            Err(_) if depth == 0 => Turn::Wait,
            Err(_) => Turn::Refused,
        }
    }

    /// The innermost object is done.
    fn done(&mut self, state: &Atomic<u32>) {
        self.0.depth = self.0.depth.saturating_sub(1);
        state.store(READY, Release);
    }
}

const _: () = assert!(DEPTH == 3); // The documentation says so.

/// Keeps interrupts off.
///
/// # Invariants
///
/// Interrupts were disabled when the value was made, and are until it is dropped.
struct IrqsOff {
    flags: usize,
    _not_send: NotThreadSafe,
}

impl IrqsOff {
    fn new() -> Self {
        // INVARIANT: They are disabled now.
        Self {
            // SAFETY: An FFI call; paired in `drop`.
            flags: unsafe { bindings::krsi_irq_save() },
            _not_send: NotThreadSafe,
        }
    }

    /// What this CPU is at.
    fn cpu(&self) -> NonNull<bindings::krsi_boot_cpu> {
        // SAFETY: By the type invariant the task does not leave the CPU; the address of a variable
        // is not null.
        unsafe { NonNull::new_unchecked(bindings::krsi_this_boot_cpu()) }
    }
}

impl Drop for IrqsOff {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, this pairs with the call in `new`.
        unsafe { bindings::krsi_irq_restore(self.flags) };
    }
}

/// Runs `run` to initialise an object, unless it is; says whether it can be accessed now.
///
/// It cannot if another CPU is at it while this one is initialising something else, if that goes
/// too deep, or in an NMI. `run` is called with interrupts disabled. Any context.
pub(super) fn initialise(state: &Atomic<u32>, run: impl FnOnce()) -> bool {
    // SAFETY: An FFI call. Only NMIs can come in between what is done with interrupts disabled.
    if ready(state) || unsafe { bindings::krsi_in_nmi() } {
        return ready(state);
    }
    loop {
        let irqs = IrqsOff::new();
        let cpu = irqs.cpu();
        // SAFETY: Interrupts are disabled, and nobody else on this CPU has a reference: those that
        // `turn` and `done` take end before `run` is called and after it has returned.
        match unsafe { Nesting(&mut *cpu.as_ptr()).turn(state) } {
            Turn::Mine => {
                run();
                // SAFETY: As above.
                unsafe { Nesting(&mut *cpu.as_ptr()).done(state) };
                return true;
            }
            Turn::Nothing => return true,
            Turn::Refused => return false,
            Turn::Wait => {}
        }
        drop(irqs);
        // SAFETY: An FFI call.
        unsafe { bindings::cpu_relax() };
    }
}

/// Has nobody initialise `state` any more, unless somebody has or is at it; says whether that is
/// so. Any context.
pub(super) fn skip(state: &Atomic<u32>) -> bool {
    state.cmpxchg(0, READY, Acquire).is_ok()
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_boot_state)]
mod tests {
    use super::*;
    use kernel::sync::atomic::Relaxed;

    fn cpu() -> bindings::krsi_boot_cpu {
        bindings::krsi_boot_cpu {
            depth: 0,
            states: [core::ptr::null(); DEPTH],
        }
    }

    #[test]
    fn once_and_for_all() {
        let state = Atomic::new(0);
        let mut runs = 0;

        assert!(!ready(&state));
        assert!(initialise(&state, || runs += 1));
        assert!(ready(&state));
        assert!(initialise(&state, || runs += 1));
        assert_eq!(runs, 1);
    }

    #[test]
    fn what_is_skipped_never_runs() {
        let state = Atomic::new(0);

        assert!(skip(&state));
        assert!(!skip(&state));
        assert!(initialise(&state, || assert!(false)));
    }

    #[test]
    fn own_object_is_accessible_while_busy() {
        let state = Atomic::new(0);
        let mut inner = false;

        assert!(initialise(&state, || {
            assert!(!ready(&state));
            inner = initialise(&state, || assert!(false));
        }));
        assert!(inner && ready(&state));
    }

    #[test]
    fn nesting_has_an_end() {
        let states = [const { Atomic::new(0) }; DEPTH + 1];
        let [a, b, c, d] = &states;
        let mut refused = false;

        assert!(initialise(a, || assert!(initialise(b, || {
            // An object further out is not finished.
            assert!(!initialise(a, || assert!(false)));
            assert!(initialise(c, || {
                refused = !initialise(d, || assert!(false));
            }));
        }))));
        assert!(refused);
        assert!(ready(a) && ready(b) && ready(c) && !ready(d));
        assert!(initialise(d, || {}));
    }

    #[test]
    fn others_wait_or_go_without() {
        let (mut one, mut other) = (cpu(), cpu());
        let (x, y) = (Atomic::new(0), Atomic::new(0));

        assert_eq!(Nesting(&mut one).turn(&x), Turn::Mine);
        assert_eq!(Nesting(&mut one).turn(&x), Turn::Nothing);
        assert_eq!(Nesting(&mut other).turn(&x), Turn::Wait);
        assert_eq!(Nesting(&mut other).turn(&y), Turn::Mine);
        // Neither waits for the other.
        assert_eq!(Nesting(&mut other).turn(&x), Turn::Refused);
        assert_eq!(Nesting(&mut one).turn(&y), Turn::Refused);
        Nesting(&mut one).done(&x);
        assert_eq!(Nesting(&mut other).turn(&x), Turn::Nothing);
        assert_eq!((one.depth, other.depth), (0, 1));
        Nesting(&mut other).done(&y);
        assert_eq!(x.load(Relaxed), READY);
        assert_eq!(y.load(Relaxed), READY);
    }
}
