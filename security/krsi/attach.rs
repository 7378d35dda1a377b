// SPDX-License-Identifier: GPL-2.0

//! How the BPF core attaches and detaches programs.
//!
//! The BPF core's links stay what they are: pinning, info, cookies and detaching on close are its
//! work. KRSI replaces the generated trampoline.

#[cfg(CONFIG_HAVE_STATIC_CALL)]
use crate::trampoline::{krsi_run_list, krsi_run_sleepable_list};
use crate::{
    active::{active, programs_enforced},
    hook::STATE,
    hook_table,
    lock::{lock, Lists, Protected},
    programs::Programs,
};
#[cfg(CONFIG_HAVE_STATIC_CALL)]
use crate::{chain::Chains, trampoline::Target};
use kernel::{
    bindings,
    bpf::{Prog, TrampNode},
    prelude::*,
    sync::rcu_tasks_trace::RcuTraceBox,
};

/// Makes `new` the list of a hook and retires the old one.
fn publish(hook: usize, new: Option<RcuTraceBox<Programs>>, protected: &mut Protected) {
    STATE[hook].replace(new, &mut protected.lists);
    switch(hook, protected);
}

/// Points the calls of a hook to where they have to go now, or nowhere.
pub(crate) fn switch(hook: usize, protected: &mut Protected) {
    let (state, lists) = (&STATE[hook], &protected.lists);
    let on = state.traced(lists) || state.programs(lists).is_some();

    #[cfg(CONFIG_HAVE_STATIC_CALL)]
    retarget(hook, protected);
    if let Some(key) = hook_table::key(hook) {
        if on {
            key.enable();
        } else {
            key.disable();
        }
    }
}

/// Chooses what the trampolines of a hook call, and which of the two the framework does, or the
/// stub.
///
/// Each trampoline does right with any target that this gives it at any time: what only one of them
/// may call is in the static call of that one. So the order of the changes does not matter, and a
/// task may be anywhere in between.
#[cfg(CONFIG_HAVE_STATIC_CALL)]
fn retarget(hook: usize, protected: &mut Protected) {
    let Protected { lists, chains, .. } = protected;
    let facts = &hook_table::FACTS[hook];
    let traced = STATE[hook].traced(lists);
    let callable = STATE[hook]
        .programs(lists)
        .filter(|list| !traced && list.callable());

    // The first is of a program, or of programs, that do not sleep, the second of one that does.
    let mut targets: (Option<Target>, Option<Target>) = (None, None);
    let mut chained = false;
    match callable {
        Some(only) if only.len() == 1 && only.sleepable() => targets.1 = only.function(0),
        Some(only) if only.len() == 1 => targets.0 = only.function(0),
        // A chain ends with the first program that decides.
        Some(several) if !facts.void => {
            targets.0 = chain(hook, several, chains);
            chained = targets.0.is_some();
        }
        _ => {}
    }
    if !chained {
        chains.release(hook);
    }

    // SAFETY: Changes are serialised by the lock. The code of a program stays until a grace period
    // of its kind has passed after it was detached, which is after this, and trampolines call it
    // in such a section; chains stay. The trampolines and the stub are the hook's own.
    unsafe {
        facts.target.update(targets.0.unwrap_or(krsi_run_list));
        facts
            .sleepable_target
            .update(targets.1.unwrap_or(krsi_run_sleepable_list));
        hook_table::HOOKS[hook].redirect(if traced {
            facts.stub
        } else if targets.1.is_some() {
            facts.sleepable_trampoline
        } else {
            facts.trampoline
        });
    }
    chains.settle();
}

/// Makes a chain of programs for a hook, if there is one to be had.
#[cfg(CONFIG_HAVE_STATIC_CALL)]
fn chain(hook: usize, list: &Programs, chains: &mut Chains) -> Option<Target> {
    let code = |index| list.function(index);

    if let Some(chain) = chains.place(hook, list.len(), code) {
        return chain;
    }
    // The hook itself may have what it needs: give that up first.
    chains.release(hook);
    // SAFETY: Changes are serialised by the lock; this function stays.
    unsafe { hook_table::FACTS[hook].target.update(krsi_run_list) };
    chains.settle();
    chains.place(hook, list.len(), code).flatten()
}

/// Finds the hook of a stub, or says why KRSI does not take a program there.
///
/// `Ok(None)` leaves it to mainline's trampoline.
fn hook_of(func: *const c_void) -> Result<Option<usize>> {
    if active() {
        return hook_table::by_stub(func).map(Some).ok_or(ENOENT);
    }
    if programs_enforced() {
        return Ok(None);
    }
    Err(EOPNOTSUPP)
}

fn link(node: TrampNode, func: *const c_void) -> Result<c_int> {
    let hook = match hook_of(func) {
        Ok(Some(hook)) => hook,
        Ok(None) => return Ok(bindings::KRSI_NOT_MINE as c_int),
        Err(e) => {
            // SAFETY: The node's link has a reference on the program.
            let prog = unsafe { Prog::from_raw(node.prog()) };
            const WHY: &str =
                "no active LSM runs BPF programs; name krsi or bpf in the boot option lsm=";
            if prog.id() == 0 {
                pr_warn!("not attaching a program to a cgroup: {WHY}\n");
            } else {
                pr_warn!(
                    "not attaching program {} ({}): {WHY}\n",
                    prog.id(),
                    prog.name()
                );
            }
            return Err(e);
        }
    };
    if hook_table::closed(hook) {
        return Err(EOPNOTSUPP);
    }
    let mut guard = lock();
    let old = STATE[hook].programs(&guard.lists);

    if old.is_some_and(|old| old.iter().any(|a| a.prog().as_ptr() == node.prog())) {
        return Err(EBUSY);
    }
    let (new, spare) = Programs::attach(old, node)?;
    guard.spares[hook].push(spare);
    publish(hook, Some(new), &mut guard);
    Ok(0)
}

/// Attaches an LSM program to the hook whose stub is at `func`.
///
/// May sleep. The caller holds the lock of the stub's trampoline. Returns 0, or
/// `KRSI_NOT_MINE` if mainline's bpf LSM is the one that is active, or
/// - `-EOPNOTSUPP`: neither is active, so that the program would not be enforced, or no program may
///   run at the hook
/// - `-EBUSY`: the program is attached to the hook already
/// - `-ENOMEM`
///
/// # Safety
///
/// `node` must point to a node of a link with an LSM program, which stays until it is passed to
/// [`krsi_unlink_prog`].
#[export]
pub(crate) unsafe extern "C" fn krsi_link_prog(
    node: *mut bindings::bpf_tramp_node,
    func: *const c_void,
) -> c_int {
    // SAFETY: The caller passes a node of a link with a program, which stays.
    unsafe { TrampNode::from_raw(node) }
        .and_then(|node| link(node, func))
        .unwrap_or_else(|e| e.to_errno())
}

/// Detaches what [`krsi_link_prog`] attached: no call that begins after this runs the program.
///
/// May sleep. Allocates nothing and cannot fail. Calls that began before may still run the program;
/// the BPF core or the hook's old list keep it until they end. Returns 0, or `KRSI_NOT_MINE` as
/// [`krsi_link_prog`] did.
///
/// # Safety
///
/// `node` must be a node that [`krsi_link_prog`] attached.
#[export]
pub(crate) unsafe extern "C" fn krsi_unlink_prog(
    node: *mut bindings::bpf_tramp_node,
    func: *const c_void,
) -> c_int {
    let Ok(Some(hook)) = hook_of(func) else {
        return bindings::KRSI_NOT_MINE as c_int;
    };
    let mut guard = lock();
    let attached = STATE[hook]
        .programs(&guard.lists)
        .is_some_and(|old| old.iter().any(|attachment| attachment.node() == node));

    if attached {
        let spare = guard.spares[hook].pop();
        let old = STATE[hook].programs(&guard.lists);
        let new = old.and_then(|old| old.detach(node, spare));

        publish(hook, new, &mut guard);
    }
    0
}

/// Finds a program by its machine code: how the BPF core recognises its cgroup shims.
///
/// May sleep. The caller holds the lock of the stub's trampoline, which keeps the node. Returns
/// the node, or null.
///
/// # Safety
///
/// To be called under that lock only.
#[export]
pub(crate) unsafe extern "C" fn krsi_find_prog(
    bpf_func: bindings::bpf_func_t,
    func: *const c_void,
) -> *mut bindings::bpf_tramp_node {
    let Ok(Some(hook)) = hook_of(func) else {
        return core::ptr::null_mut();
    };
    let guard = lock();
    let code = bpf_func.map(|f| f as usize);

    STATE[hook]
        .programs(&guard.lists)
        .and_then(|list| {
            list.iter()
                .find(|a| a.prog().func().map(|f| f as usize) == code)
        })
        .map_or(core::ptr::null_mut(), |attachment| attachment.node())
}

/// How many programs are attached, and to how many hooks.
pub(crate) fn totals(lists: &Lists) -> (usize, usize) {
    STATE.iter().fold((0, 0), |(progs, hooks), state| {
        let n = state.programs(lists).map_or(0, Programs::len);
        (progs + n, hooks + usize::from(n > 0))
    })
}

#[cfg(all(CONFIG_SECURITY_KRSI_KUNIT_TEST, CONFIG_HAVE_STATIC_CALL))]
#[kernel::macros::kunit_tests(krsi_chain)]
mod tests {
    use super::*;
    use crate::chain::tests as chain;

    /// Lends the chains to a test. There is a lock only if KRSI is active.
    fn with_chains(test: impl FnOnce(&mut Chains) -> Result) -> Result {
        if active() {
            test(&mut lock().chains)
        } else {
            test(&mut Chains::new())
        }
    }

    #[test]
    fn chains_are_sorted_by_length() -> Result {
        chain::chains_are_sorted_by_length()
    }

    #[test]
    fn any_number_of_programs_has_its_chains() -> Result {
        with_chains(chain::any_number_of_programs_has_its_chains)
    }

    #[test]
    fn a_newer_program_changes_the_first_chain_only() -> Result {
        with_chains(chain::a_newer_program_changes_the_first_chain_only)
    }

    #[test]
    fn chains_are_free_again_after_a_grace_period() -> Result {
        with_chains(chain::chains_are_free_again_after_a_grace_period)
    }
}
