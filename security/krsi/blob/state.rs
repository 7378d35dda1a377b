// SPDX-License-Identifier: GPL-2.0

//! The state word of an object: whether boot programs have initialised it.
//!
//! Objects of classes in which boot programs have slots have a state word in their blob, which the
//! framework zeroes. It changes from 0 to [`BUSY`] to [`READY`], once. The CPU that changes it from
//! 0 runs the programs, with interrupts disabled. Other CPUs wait. The wait is bounded because the
//! verifier bounds the programs. A CPU that is initialising an object never waits for another
//! object, which prevents deadlock. Instead, access to that object fails.

use kernel::{
    bindings,
    preempt::{self, IrqGuard},
    processor::cpu_relax,
    sync::atomic::{Acquire, Atomic, Release},
};

/// A CPU is initialising the object.
const BUSY: u32 = 1;

/// The object is initialised. Also the state of a slot whose extended attribute is known.
pub(super) const READY: u32 = 0x6b72_7369;

const _: () = assert!(READY != 0 && READY != BUSY && READY <= i32::MAX as u32);

/// Whether the object is initialised. Any context.
#[inline(always)]
pub(super) fn ready(state: &Atomic<u32>) -> bool {
    state.load(Acquire) == READY
}

/// The decision of a CPU that accesses an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    /// Initialise it. It is [`BUSY`] now.
    Claimed,
    /// It is initialised, or this CPU is initialising it.
    Accessible,
    /// Wait for another CPU.
    Wait,
    /// It cannot be accessed.
    Unavailable,
}

/// The objects that a CPU is initialising.
///
/// # Invariants
///
/// `depth` is at most `KRSI_BOOT_DEPTH`.
struct Nesting<'a>(&'a mut bindings::krsi_boot_cpu);

impl Nesting<'_> {
    /// Decides what to do with an object. Claims it if the decision is [`Turn::Claimed`].
    fn turn(&mut self, state: &Atomic<u32>) -> Turn {
        let depth = self.0.depth as usize;
        let innermost = depth.checked_sub(1).and_then(|i| self.0.states.get(i));

        if innermost.is_some_and(|&inner| core::ptr::eq(inner.cast(), state)) {
            return Turn::Accessible;
        }
        let Some(next) = self.0.states.get_mut(depth) else {
            return if ready(state) {
                Turn::Accessible
            } else {
                Turn::Unavailable
            };
        };
        match state.cmpxchg(0, BUSY, Acquire) {
            Ok(_) => {
                *next = (&raw const *state).cast();
                // INVARIANT: The array has an entry at the old depth, which is less than
                // `KRSI_BOOT_DEPTH`.
                self.0.depth += 1;
                Turn::Claimed
            }
            Err(READY) => Turn::Accessible,
            Err(_) if depth == 0 => Turn::Wait,
            Err(_) => Turn::Unavailable,
        }
    }

    /// Marks the innermost object as initialised.
    fn done(&mut self, state: &Atomic<u32>) {
        self.0.depth = self.0.depth.saturating_sub(1);
        state.store(READY, Release);
    }
}

const _: () = assert!(bindings::KRSI_BOOT_DEPTH == 3); // As documented.

/// Calls `f` with the objects that this CPU is initialising.
fn with_nesting<R>(_irqs: &IrqGuard, f: impl FnOnce(&mut Nesting<'_>) -> R) -> R {
    // SAFETY: Interrupts are disabled, so the task does not leave the CPU and no interrupt accesses
    // the variable. NMIs never access it: see `initialise`. `f` is one of two methods of `Nesting`,
    // which run no programs, so this function is not reentered.
    f(&mut Nesting(unsafe {
        &mut *bindings::krsi_this_boot_cpu()
    }))
}

/// Initialises an object with `run`, unless it is initialised. Returns whether it can be accessed.
///
/// It cannot if another CPU is initialising it while this CPU is initialising another object, if
/// the nesting is too deep, or in an NMI. `run` is called with interrupts disabled. Any context.
pub(super) fn initialise(state: &Atomic<u32>, run: impl FnOnce()) -> bool {
    // Disabling interrupts does not block NMIs.
    if ready(state) || preempt::in_nmi() {
        return ready(state);
    }
    loop {
        let irqs = IrqGuard::new();
        match with_nesting(&irqs, |nesting| nesting.turn(state)) {
            Turn::Claimed => {
                run();
                with_nesting(&irqs, |nesting| nesting.done(state));
                return true;
            }
            Turn::Accessible => return true,
            Turn::Unavailable => return false,
            Turn::Wait => {}
        }
        drop(irqs);
        cpu_relax();
    }
}

/// Marks an object as ready without running programs. Returns false if it is ready, or if a CPU is
/// initialising it. Any context.
pub(super) fn skip(state: &Atomic<u32>) -> bool {
    state.cmpxchg(0, READY, Acquire).is_ok()
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_state)]
mod tests {
    use super::*;
    use kernel::sync::atomic::Relaxed;

    const DEPTH: usize = bindings::KRSI_BOOT_DEPTH as usize;

    fn cpu() -> bindings::krsi_boot_cpu {
        bindings::krsi_boot_cpu {
            depth: 0,
            states: [core::ptr::null(); DEPTH],
        }
    }

    #[test]
    fn objects_are_initialised_once() {
        let state = Atomic::new(0);
        let mut runs = 0;

        assert!(!ready(&state));
        assert!(initialise(&state, || runs += 1));
        assert!(ready(&state));
        assert!(initialise(&state, || runs += 1));
        assert_eq!(runs, 1);
    }

    #[test]
    fn skipped_objects_are_not_initialised() {
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
    fn nesting_is_limited() {
        let states = [const { Atomic::new(0) }; DEPTH + 1];
        let [a, b, c, d] = &states;
        let mut unavailable = false;

        assert!(initialise(a, || assert!(initialise(b, || {
            // An outer object is not ready.
            assert!(!initialise(a, || assert!(false)));
            assert!(initialise(c, || {
                unavailable = !initialise(d, || assert!(false));
            }));
        }))));
        assert!(unavailable);
        assert!(ready(a) && ready(b) && ready(c) && !ready(d));
        assert!(initialise(d, || {}));
    }

    #[test]
    fn only_idle_cpus_wait() {
        let (mut one, mut other) = (cpu(), cpu());
        let (x, y) = (Atomic::new(0), Atomic::new(0));

        assert_eq!(Nesting(&mut one).turn(&x), Turn::Claimed);
        assert_eq!(Nesting(&mut one).turn(&x), Turn::Accessible);
        assert_eq!(Nesting(&mut other).turn(&x), Turn::Wait);
        assert_eq!(Nesting(&mut other).turn(&y), Turn::Claimed);
        // A CPU that is initialising an object does not wait.
        assert_eq!(Nesting(&mut other).turn(&x), Turn::Unavailable);
        assert_eq!(Nesting(&mut one).turn(&y), Turn::Unavailable);
        Nesting(&mut one).done(&x);
        assert_eq!(Nesting(&mut other).turn(&x), Turn::Accessible);
        assert_eq!((one.depth, other.depth), (0, 1));
        Nesting(&mut other).done(&y);
        assert_eq!(x.load(Relaxed), READY);
        assert_eq!(y.load(Relaxed), READY);
    }
}
