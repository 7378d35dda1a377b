// SPDX-License-Identifier: GPL-2.0

//! Chains: direct calls of a hook's programs, without a loop over a list.
//!
//! A chain is a C function with a sequence of static calls (see `kernel/bpf/krsi_chain.c`). Its
//! slots contain the programs, newest first. The last slot can contain another chain, for hooks
//! with more programs than the longest chain has slots. The number of chains is fixed. A hook that
//! gets no chain runs its list.
//!
//! A chain is never changed while a trampoline can be in it. If the programs of a hook change, it
//! takes another chain, and the old one is free after a grace period. Since the newest program
//! comes first, attaching a program replaces only the first chain of a hook.

use kernel::{
    bindings,
    bpf::Function,
    ffi::{c_uint, c_void},
    static_call::StaticCall,
};

const CHAINS: usize = bindings::KRSI_CHAINS as usize;
const MAX: usize = bindings::KRSI_CHAIN_MAX as usize;

/// The owner of a chain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// None. The chain can be reused after the grace period of this cookie, if any.
    Free(Option<usize>),
    /// A hook, by its number.
    Hook(usize),
    /// A hook whose target is being changed: trampolines can still enter the chain.
    Retiring,
}

/// The owner of each chain.
pub(crate) struct Chains {
    owners: [Owner; CHAINS],
    /// The number of chains that are owned by a hook or are [`Owner::Retiring`].
    held: usize,
}

impl Chains {
    /// Makes the table with all chains free.
    pub(crate) const fn new() -> Self {
        Self {
            owners: [Owner::Free(None); CHAINS],
            held: 0,
        }
    }

    /// Puts the programs of a hook into chains and returns the function that runs them.
    ///
    /// `code` returns the code of each of the hook's `count` programs, at least two, newest first.
    /// Releases the hook's previous chains, except those that it uses again. Returns [`None`] if
    /// too few chains are free.
    ///
    /// The caller must then change the hook's target, to the returned function or to another one,
    /// and call [`settle`](Self::settle) before it releases the lock. May sleep, for a grace period
    /// if all free chains were released recently.
    pub(crate) fn place(
        &mut self,
        hook: usize,
        count: usize,
        code: impl Fn(usize) -> Function,
    ) -> Option<Function> {
        let mut start = count.saturating_sub(MAX);

        self.release(hook);
        // From the end, so that each chain can call the next one.
        let mut next = self.part(hook, (start..count).map(&code), None)?;
        while start > 0 {
            let end = start;
            start = end.saturating_sub(MAX - 1);
            next = self.part(hook, (start..end).map(&code), Some(next))?;
        }
        Some(next)
    }

    /// Finds or makes a chain of these programs and, after them, of another chain.
    fn part(
        &mut self,
        hook: usize,
        functions: impl ExactSizeIterator<Item = Function> + Clone,
        next: Option<Function>,
    ) -> Option<Function> {
        let len = functions.len() + usize::from(next.is_some());
        let slots = || Iterator::chain(functions.clone(), next);
        let same = |&i: &usize| {
            self.owners[i] == Owner::Retiring && chain(i).len == len && chain(i).holds(slots())
        };

        if let Some(i) = (0..CHAINS).find(same) {
            // Only chains of this hook are retiring.
            self.owners[i] = Owner::Hook(hook);
            return Some(chain(i).run);
        }
        let i = self.free(len)?;
        // SAFETY: The chain is free. A program's code is freed after a grace period that begins
        // when its list is replaced, and by then the hook has another target. Chains are never
        // freed.
        unsafe { chain(i).fill(slots()) };
        self.owners[i] = Owner::Hook(hook);
        self.held += 1;
        Some(chain(i).run)
    }

    /// Releases a hook's chains, if it has any.
    ///
    /// The caller must then change the hook's target, and call [`settle`](Self::settle) before it
    /// releases the lock.
    pub(crate) fn release(&mut self, hook: usize) {
        if self.held == 0 {
            return;
        }
        for owner in &mut self.owners {
            if *owner == Owner::Hook(hook) {
                *owner = Owner::Retiring;
            }
        }
    }

    /// Marks released chains as free once a grace period has passed: trampolines may be in them.
    ///
    /// Called after the target of the hook was changed, so no trampoline can enter these chains.
    pub(crate) fn settle(&mut self) {
        if self.held == 0 {
            return;
        }
        for owner in &mut self.owners {
            if *owner == Owner::Retiring {
                self.held -= 1;
                // SAFETY: An FFI call with no additional requirements.
                let cookie = unsafe { bindings::start_poll_synchronize_rcu() };
                *owner = Owner::Free(Some(cookie));
            }
        }
    }

    /// Finds a free chain with at least `len` slots, and as few more as possible.
    fn free(&self, len: usize) -> Option<usize> {
        let mut waiting = None;

        for (i, owner) in self.owners.iter().enumerate() {
            if chain(i).len < len {
                continue;
            }
            match owner {
                Owner::Hook(_) | Owner::Retiring => {}
                Owner::Free(None) => return Some(i),
                Owner::Free(Some(cookie)) => {
                    // SAFETY: The cookie came from `start_poll_synchronize_rcu()`.
                    if unsafe { bindings::poll_state_synchronize_rcu(*cookie) } {
                        return Some(i);
                    }
                    waiting = waiting.or(Some((i, *cookie)));
                }
            }
        }
        let (i, cookie) = waiting?;
        // SAFETY: The cookie came from `start_poll_synchronize_rcu()`. Attaching may sleep.
        unsafe {
            if !bindings::poll_state_synchronize_rcu(cookie) {
                bindings::synchronize_rcu();
            }
        }
        Some(i)
    }
}

/// The target of an unused slot.
extern "C" fn empty(_ctx: *const c_void, _insn: *const bindings::bpf_insn) -> c_uint {
    0
}

/// Returns the chain of a number, which must be less than [`CHAINS`].
fn chain(number: usize) -> Chain {
    // SAFETY: The table has `CHAINS` constant entries.
    let raw = unsafe {
        let table = &raw const bindings::krsi_chains;
        &*table.cast::<bindings::krsi_chain>().add(number)
    };
    Chain {
        run: raw.run,
        len: raw.len as usize,
        slots: raw.slots,
    }
}

/// A chain: a function, and the static calls that it makes.
///
/// # Invariants
///
/// `slots` points to `len` slots, each with the key and the trampoline of a static call.
struct Chain {
    run: Function,
    len: usize,
    slots: *const bindings::krsi_chain_slot,
}

impl Chain {
    /// Whether the first slots contain these functions.
    fn holds(&self, functions: impl Iterator<Item = Function>) -> bool {
        self.slots()
            .zip(functions)
            .all(|(slot, function)| slot.calls(function))
    }

    /// Puts these functions into the first slots and empties the others.
    ///
    /// # Safety
    ///
    /// No trampoline may be in the chain. The functions must stay callable until no trampoline can
    /// be in it again.
    unsafe fn fill(&self, mut functions: impl Iterator<Item = Function>) {
        for slot in self.slots() {
            // SAFETY: The caller guarantees that no trampoline is in the chain, and that the
            // functions stay callable. `empty` is never freed.
            unsafe { slot.update(functions.next().unwrap_or(Some(empty))) };
        }
    }

    fn slots(&self) -> impl Iterator<Item = StaticCall<Function>> + '_ {
        (0..self.len).map(|slot| {
            // SAFETY: By the type invariant there are `len` slots, each with the key and the
            // trampoline of one static call.
            unsafe {
                let slot = &*self.slots.add(slot);
                StaticCall::new(slot.key, slot.tramp.cast_const().cast())
            }
        })
    }
}

/// The bodies of KUnit tests. Their callers hold the lock, because hooks may be using chains.
///
/// They return an error for a failed check, since only KUnit tests themselves can use assertions.
#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
pub(crate) mod tests {
    use super::*;
    use kernel::prelude::*;

    /// Numbers that no hook has.
    const HOOK: usize = usize::MAX;
    const OTHER: usize = usize::MAX - 1;

    macro_rules! check {
        ($condition:expr) => {
            if !$condition {
                pr_err!("chain.rs:{}: {}\n", line!(), stringify!($condition));
                return Err(EINVAL);
            }
        };
    }

    pub(crate) fn chains_are_sorted_by_length() -> Result {
        check!(chain(0).len == 2);
        check!(chain(CHAINS - 1).len == MAX);
        check!((1..CHAINS).all(|i| chain(i - 1).len <= chain(i).len));
        Ok(())
    }

    /// A program that decides.
    extern "C" fn seven(_: *const c_void, _: *const bindings::bpf_insn) -> c_uint {
        7
    }

    /// Programs that do nothing, followed by one that decides.
    fn ends_with_seven(count: usize) -> impl Fn(usize) -> Function {
        move |index| Some(if index == count - 1 { seven } else { empty })
    }

    fn run(function: Option<Function>) -> Option<c_uint> {
        // SAFETY: The functions of these tests use no context.
        Some(unsafe { function??(core::ptr::null(), core::ptr::null()) })
    }

    fn owned(chains: &Chains, by: Owner) -> usize {
        chains.owners.iter().filter(|&&owner| owner == by).count()
    }

    /// Calls a test with the chains, and releases those that it owns afterwards.
    fn borrow(chains: &mut Chains, test: impl FnOnce(&mut Chains) -> Result) -> Result {
        let held = chains.held;
        let result = test(chains);

        chains.release(HOOK);
        chains.settle();
        check!(chains.held == held);
        result
    }

    pub(crate) fn any_number_of_programs_has_its_chains(chains: &mut Chains) -> Result {
        for count in [2, 3, 15, 16, 17, 31, 32, 61] {
            let needed = 1 + (count - 2) / (MAX - 1);
            let long = chains.owners[CHAINS - 4..].iter();
            if long.filter(|owner| matches!(owner, Owner::Free(_))).count() < needed {
                // Hooks own the others.
                check!(chains.held > 0);
                continue;
            }
            borrow(chains, |chains| {
                check!(run(chains.place(HOOK, count, |_| Some(empty))) == Some(0));
                Ok(())
            })?;
            borrow(chains, |chains| {
                check!(run(chains.place(HOOK, count, ends_with_seven(count))) == Some(7));
                check!(owned(chains, Owner::Hook(HOOK)) == needed);
                Ok(())
            })?;
        }
        Ok(())
    }

    pub(crate) fn a_newer_program_changes_the_first_chain_only(chains: &mut Chains) -> Result {
        borrow(chains, |chains| {
            let count = MAX + 3;

            check!(run(chains.place(HOOK, count, ends_with_seven(count))) == Some(7));
            chains.settle();
            let before = chains.owners;
            let count = count + 1;
            check!(run(chains.place(HOOK, count, ends_with_seven(count))) == Some(7));
            check!(owned(chains, Owner::Retiring) == 1);
            let kept = Iterator::zip(before.iter(), &chains.owners)
                .filter(|(a, b)| **a == Owner::Hook(HOOK) && a == b);
            check!(kept.count() == 1);
            Ok(())
        })
    }

    pub(crate) fn chains_are_free_again_after_a_grace_period(chains: &mut Chains) -> Result {
        borrow(chains, |chains| {
            chains.place(HOOK, MAX, |_| Some(empty)).ok_or(EBUSY)?;
            let mut owners = chains.owners.iter();
            let mine = owners
                .position(|&owner| owner == Owner::Hook(HOOK))
                .ok_or(ENOENT)?;
            check!(chains.free(MAX) != Some(mine));
            chains.release(OTHER);
            check!(chains.owners[mine] == Owner::Hook(HOOK));
            chains.release(HOOK);
            check!(chains.free(MAX) != Some(mine));
            chains.settle();
            check!(owned(chains, Owner::Retiring) == 0);

            // Pretend that the others have owners.
            let before = chains.owners;
            for (i, owner) in chains.owners.iter_mut().enumerate() {
                if i != mine {
                    *owner = Owner::Hook(OTHER);
                }
            }
            // This waits for a grace period.
            let (found, none) = (chains.free(MAX), chains.free(MAX + 1));
            chains.owners = before;
            check!(found == Some(mine));
            check!(none.is_none());
            Ok(())
        })
    }
}
