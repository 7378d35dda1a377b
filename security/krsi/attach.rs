// SPDX-License-Identifier: GPL-2.0

//! Attaching and detaching programs, for the BPF core.
//!
//! The BPF core still manages links: pinning, info, cookies and detaching on close. KRSI replaces
//! the generated trampoline.

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

/// Publishes `new` as the list of a hook and retires the old one.
fn publish(hook: usize, new: Option<RcuTraceBox<Programs>>, protected: &mut Protected) {
    STATE[hook].replace(new, &mut protected.lists);
    switch(hook, protected);
}

/// Updates the targets of a hook, and enables the hook if it has programs or is traced.
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

/// Chooses the targets of a hook's two trampolines, and which of them, or the stub, the framework
/// calls.
///
/// Each trampoline works with every target that it is ever given: targets for only one of them are
/// set in its static call only. So the order of the changes does not matter, and a task may be at
/// any point of a call during a change.
#[cfg(CONFIG_HAVE_STATIC_CALL)]
fn retarget(hook: usize, protected: &mut Protected) {
    let Protected { lists, chains, .. } = protected;
    let facts = &hook_table::FACTS[hook];
    let traced = STATE[hook].traced(lists);
    let callable = STATE[hook]
        .programs(lists)
        .filter(|list| !traced && list.callable());

    // The first is for programs that do not sleep, the second for one that does.
    let mut targets: (Option<Target>, Option<Target>) = (None, None);
    let mut chained = false;
    match callable {
        Some(only) if only.len() == 1 && only.sleepable() => targets.1 = only.function(0),
        Some(only) if only.len() == 1 => targets.0 = only.function(0),
        // A chain stops at the first verdict other than 0, but void hooks run all programs.
        Some(several) if !facts.void => {
            targets.0 = chain(hook, several, chains);
            chained = targets.0.is_some();
        }
        _ => {}
    }
    if !chained {
        chains.release(hook);
    }

    // SAFETY: The lock serialises changes. The code of a program is freed after a grace period that
    // begins when it is detached, and trampolines call it in a critical section of that kind.
    // Chains are never freed. The trampolines and the stub are those of the hook.
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

/// Makes a chain of programs for a hook. Returns [`None`] if too few chains are free.
#[cfg(CONFIG_HAVE_STATIC_CALL)]
fn chain(hook: usize, list: &Programs, chains: &mut Chains) -> Option<Target> {
    let code = |index| list.function(index);

    if let Some(chain) = chains.place(hook, list.len(), code) {
        return chain;
    }
    // The hook may own the chains that it needs: release them, and try again.
    chains.release(hook);
    // SAFETY: The lock serialises changes; `krsi_run_list` is never freed.
    unsafe { hook_table::FACTS[hook].target.update(krsi_run_list) };
    chains.settle();
    chains.place(hook, list.len(), code).flatten()
}

/// Finds the hook of a stub. Returns `Ok(None)` if mainline's trampoline handles the program.
///
/// # Errors
///
/// - `ENOENT`: the function is not a stub
/// - `EOPNOTSUPP`: no active LSM runs BPF programs
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
            // SAFETY: The node's link holds a reference to the program.
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
/// May sleep. The caller holds the lock of the stub's trampoline.
///
/// Returns 0, `KRSI_NOT_MINE` if mainline's bpf LSM is active instead of KRSI, or an error:
///
/// - `-EOPNOTSUPP`: neither is active, so the program would not be enforced, or no program may run
///   at the hook
/// - `-EBUSY`: the program is already attached to the hook
/// - `-ENOENT`: `func` is not a stub
/// - `-ENOMEM`
///
/// # Safety
///
/// `node` must point to a node of a link with an LSM program. It must stay valid until it is passed
/// to [`krsi_unlink_prog`].
#[export]
pub(crate) unsafe extern "C" fn krsi_link_prog(
    node: *mut bindings::bpf_tramp_node,
    func: *const c_void,
) -> c_int {
    // SAFETY: The caller passes a node of a link with a program, which stays valid until it is
    // detached.
    unsafe { TrampNode::from_raw(node) }
        .and_then(|node| link(node, func))
        .unwrap_or_else(|e| e.to_errno())
}

/// Detaches a program that [`krsi_link_prog`] attached: hook calls that begin later do not run it.
///
/// May sleep. Allocates nothing and cannot fail. Calls in progress may still run the program, which
/// the BPF core or the hook's old list keep alive until they end.
///
/// Returns 0, or `KRSI_NOT_MINE` if [`krsi_link_prog`] did.
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

/// Finds a program by its machine code, as the BPF core does to find its cgroup shims.
///
/// May sleep. Returns the program's node, or null.
///
/// # Safety
///
/// The caller must hold the lock of the stub's trampoline, which protects the node.
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

/// Returns the number of attached programs, and the number of hooks with programs.
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

    /// Calls a test with the chains. The lock is initialised only if KRSI is active.
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
