// SPDX-License-Identifier: GPL-2.0

//! Chains: a hook's programs, each called directly, without a loop over a list.
//!
//! A chain is a C function with many static calls (see `kernel/bpf/krsi_chain.c`). The programs are
//! in its last slots, newest first, and `start` says where they begin. There is a fixed number of
//! chains; a hook that gets none, or that does not fit, runs its list as before.
//!
//! Only slots in front of `start` are ever changed while trampolines can be in a chain: a newer
//! program is written to the slot in front, then `start` moves. Any other change takes another
//! chain, and the old one is free again after a grace period.

use kernel::{bindings, bpf::Function, ffi::c_uint, static_call::StaticCall};

const CHAINS: usize = bindings::KRSI_CHAINS as usize;
const SLOTS: usize = bindings::KRSI_CHAIN_SLOTS as usize;

/// Who has a chain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Nobody. It can be taken once the grace period has passed that was current then.
    Nobody(Option<usize>),
    /// A hook, by its number.
    Hook(usize),
    /// A hook whose target is being changed: trampolines can still come.
    Leaving,
}

/// The owner of each chain. Part of what `attach::LOCK` protects.
pub(crate) struct Chains {
    owners: [Owner; CHAINS],
}

impl Chains {
    /// All chains are free.
    pub(crate) const fn new() -> Self {
        Self {
            owners: [Owner::Nobody(None); CHAINS],
        }
    }

    /// Puts programs of a hook into a chain and returns the function that runs them.
    ///
    /// `functions` is the code of the hook's programs, newest first. What is in the hook's chain
    /// already is reused when only newer programs have come. [`None`] if there is no chain to be
    /// had, or not one of that length.
    ///
    /// The hook's target has to be changed, to what this returns or to something else, and
    /// [`settle`](Self::settle) be called then, before the lock is released.
    pub(crate) fn place(&mut self, hook: usize, functions: &[Function]) -> Option<Function> {
        let start = SLOTS.checked_sub(functions.len())?;

        if let Some(chain) = self.of(hook) {
            let old = Chain(chain).start();
            if start + 1 == old && Chain(chain).holds(&functions[1..]) {
                Chain(chain).set(start, functions[0]);
                Chain(chain).set_start(start);
                return Some(Chain(chain).function());
            }
            if start == old && Chain(chain).holds(functions) {
                return Some(Chain(chain).function());
            }
        }
        let chain = self.free()?;
        self.release(hook);
        for (slot, function) in (start..SLOTS).zip(functions) {
            Chain(chain).set(slot, *function);
        }
        Chain(chain).set_start(start);
        self.owners[chain] = Owner::Hook(hook);
        Some(Chain(chain).function())
    }

    /// Gives up a hook's chain, if it has one.
    ///
    /// The hook's target has to be changed, and [`settle`](Self::settle) be called then, before the
    /// lock is released.
    pub(crate) fn release(&mut self, hook: usize) {
        if let Some(chain) = self.of(hook) {
            self.owners[chain] = Owner::Leaving;
        }
    }

    /// The targets of all hooks are what they have to be: from now on no trampoline enters a chain
    /// that was given up, and a grace period waits for those that are in it.
    pub(crate) fn settle(&mut self) {
        for owner in self
            .owners
            .iter_mut()
            .filter(|owner| **owner == Owner::Leaving)
        {
            // SAFETY: An FFI call without requirements.
            let cookie = unsafe { bindings::start_poll_synchronize_rcu() };
            *owner = Owner::Nobody(Some(cookie));
        }
    }

    fn of(&self, hook: usize) -> Option<usize> {
        self.owners
            .iter()
            .position(|&owner| owner == Owner::Hook(hook))
    }

    fn free(&self) -> Option<usize> {
        self.owners.iter().position(|owner| match owner {
            Owner::Hook(_) | Owner::Leaving => false,
            Owner::Nobody(None) => true,
            // SAFETY: The cookie came from `start_poll_synchronize_rcu()`.
            Owner::Nobody(Some(cookie)) => unsafe { bindings::poll_state_synchronize_rcu(*cookie) },
        })
    }
}

/// One of the chains, by its number, which is in range.
struct Chain(usize);

impl Chain {
    fn raw(&self) -> *mut bindings::krsi_chain {
        // SAFETY: The number is in range.
        unsafe {
            (&raw mut bindings::krsi_chains)
                .cast::<bindings::krsi_chain>()
                .add(self.0)
        }
    }

    fn function(&self) -> Function {
        // SAFETY: Set when the kernel was built.
        unsafe { (*self.raw()).run }
    }

    fn start(&self) -> usize {
        // SAFETY: Written under the lock, which the owner of `Chains` has.
        unsafe { (*self.raw()).start as usize }
    }

    /// Moves the start. Trampolines that read it afterwards call from there.
    fn set_start(&self, start: usize) {
        // SAFETY: The field is valid; readers use `READ_ONCE()`. Changing code, which happened
        // before this, synchronises with every CPU.
        unsafe { (&raw mut (*self.raw()).start).write_volatile(start as c_uint) };
    }

    fn slot(&self, slot: usize) -> StaticCall<Function> {
        // SAFETY: There are `SLOTS` slots, each with the key and the trampoline of a static call.
        unsafe {
            let slot = &*(*self.raw()).slots.add(slot);
            StaticCall::new(slot.key, slot.tramp.cast_const().cast())
        }
    }

    fn set(&self, slot: usize, function: Function) {
        // SAFETY: No trampoline calls the slot: it is in front of the start, or nobody has the
        // chain. A program's code stays until a grace period has passed after its list was
        // replaced, and by then the hook's target is another.
        unsafe { self.slot(slot).update(function) };
    }

    /// Whether the last slots have these functions.
    fn holds(&self, functions: &[Function]) -> bool {
        functions
            .iter()
            .rev()
            .enumerate()
            .all(|(i, function)| self.slot(SLOTS - 1 - i).calls(*function))
    }
}
