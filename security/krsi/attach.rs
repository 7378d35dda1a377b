// SPDX-License-Identifier: GPL-2.0

//! How the BPF core attaches and detaches programs.
//!
//! The BPF core's links stay what they are: pinning, info, cookies and detaching on close are its
//! work. KRSI takes the place of the generated trampoline underneath.

#[cfg(CONFIG_HAVE_STATIC_CALL)]
use crate::trampoline::{krsi_run_list, krsi_run_sleepable_list};
use crate::{
    hooks::{self, State},
    lsm,
    programs::{self, Change, Programs},
};
use kernel::{
    bindings,
    bpf::{Prog, TrampNode},
    prelude::*,
    sync::atomic::{Relaxed, Release},
};

kernel::sync::global_lock! {
    /// Serialises all changes of all hooks.
    ///
    /// Taken under the lock of a trampoline, and over the locks of the jump label code.
    // SAFETY: Initialised by `init` before first use.
    pub(crate) unsafe(uninit) static LOCK: Mutex<Protected> = Protected::new();
}

/// What the lock protects, besides [`hooks::STATE`] and the targets of static calls.
#[cfg(CONFIG_HAVE_STATIC_CALL)]
pub(crate) type Protected = crate::chain::Chains;
/// As above, where there is nothing else.
#[cfg(not(CONFIG_HAVE_STATIC_CALL))]
pub(crate) struct Protected;
#[cfg(not(CONFIG_HAVE_STATIC_CALL))]
impl Protected {
    const fn new() -> Self {
        Self
    }
}

/// To be called once, at boot, before anything else of this module.
#[link_section = ".init.text"]
pub(crate) fn init() {
    // SAFETY: Called once.
    unsafe { LOCK.init() };
}

/// Proof that the lock is held.
pub(crate) type Guard = kernel::sync::GlobalGuard<LOCK>;

/// The programs of a hook, traced or not.
///
/// The reference borrows the guard: a list is replaced and retired by whoever has it mutably.
pub(crate) fn programs<'a>(state: &State, _: &'a Guard) -> Option<&'a Programs> {
    // SAFETY: Lists are retired under the lock, by functions that borrow the guard mutably, which
    // nobody can during `'a`.
    unsafe { state.all.load(Relaxed).as_ref() }
}

/// Makes `new` the list of a hook and retires the old one.
fn publish(hook: usize, change: Change, guard: &mut Guard) {
    let state = &hooks::STATE[hook];
    let old = state.all.load(Relaxed);
    let new = change.publish();

    state.all.store(new, Release);
    if state.traced.load(Relaxed) == 0 {
        state.direct.store(new, Release);
    }
    switch(hook, guard);
    // SAFETY: `old` is no longer in the table; the new list has no detached programs.
    unsafe { programs::retire(old) };
}

/// Points the calls of a hook to where they have to go now, or nowhere.
pub(crate) fn switch(hook: usize, guard: &mut Guard) {
    let state = &hooks::STATE[hook];
    let traced = state.traced.load(Relaxed) != 0;
    let on = traced || programs(state, guard).is_some();

    #[cfg(CONFIG_HAVE_STATIC_CALL)]
    retarget(hook, traced, guard);
    if let Some(key) = hooks::key(hook) {
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
fn retarget(hook: usize, traced: bool, guard: &mut Guard) {
    let facts = &hooks::FACTS[hook];
    let list = programs(&hooks::STATE[hook], guard).filter(|_| !traced);
    let sleepable = list.is_some_and(|list| list.sleepable);
    // SAFETY: The lock is held.
    let functions = list.and_then(|list| unsafe { list.functions() });
    let functions = functions.as_deref().unwrap_or(&[]);

    // The first is of a program, or of programs, that do not sleep, the second of one that does.
    let (target, sleepable_target) = match functions {
        [] => (None, None),
        [only] if sleepable => (None, *only),
        [only] => (*only, None),
        // A chain ends with the first program that decides.
        _ if facts.void => (None, None),
        several => (chain(hook, several, guard), None),
    };
    if functions.len() < 2 || target.is_none() {
        guard.release(hook);
    }

    // SAFETY: Changes are serialised by the lock. The code of a program stays until a grace period
    // of its kind has passed after it was detached, which is after this, and trampolines call it
    // in such a section; chains stay. The trampolines and the stub are the hook's own.
    unsafe {
        facts.target.update(target.unwrap_or(krsi_run_list));
        facts
            .sleepable_target
            .update(sleepable_target.unwrap_or(krsi_run_sleepable_list));
        hooks::HOOKS[hook].redirect(if traced {
            facts.stub
        } else if sleepable_target.is_some() {
            facts.sleepable_trampoline
        } else {
            facts.trampoline
        });
    }
    guard.settle();
}

/// Makes a chain of programs for a hook, if there is one to be had.
#[cfg(CONFIG_HAVE_STATIC_CALL)]
fn chain(
    hook: usize,
    functions: &[kernel::bpf::Function],
    guard: &mut Guard,
) -> kernel::bpf::Function {
    if let Some(chain) = guard.place(hook, functions) {
        return chain;
    }
    // The hook itself may have what it needs: give that up first.
    guard.release(hook);
    // SAFETY: Changes are serialised by the lock; this function stays.
    unsafe { hooks::FACTS[hook].target.update(krsi_run_list) };
    guard.settle();
    guard.place(hook, functions).flatten()
}

/// Finds the hook of a stub, or says why KRSI does not take a program there.
///
/// `Ok(None)` leaves it to mainline's trampoline.
fn hook_of(func: *const c_void) -> Result<Option<usize>> {
    if lsm::active() {
        return hooks::by_stub(func).map(Some).ok_or(ENOENT);
    }
    if lsm::programs_enforced() {
        return Ok(None);
    }
    Err(EOPNOTSUPP)
}

fn link(node: TrampNode, func: *const c_void) -> Result<c_int> {
    let hook = match hook_of(func) {
        Ok(Some(hook)) => hook,
        Ok(None) => return Ok(bindings::KRSI_NOT_MINE as c_int),
        Err(e) => {
            // SAFETY: The node's link holds a reference on the program.
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
    if hooks::closed(hook) {
        return Err(EOPNOTSUPP);
    }
    let mut guard = LOCK.lock();
    let old = programs(&hooks::STATE[hook], &guard);
    let linked = old.is_some_and(|old| {
        // SAFETY: The lock is held.
        unsafe { old.find(|prog| prog.as_ptr() == node.prog()) }.is_some()
    });

    if linked {
        return Err(EBUSY);
    }
    // SAFETY: The lock is held until the change is published.
    let change = unsafe { Change::attach(old, node) }?;
    publish(hook, change, &mut guard);
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
    // SAFETY: By the safety requirements.
    unsafe { TrampNode::from_raw(node) }
        .and_then(|node| link(node, func))
        .unwrap_or_else(|e| e.to_errno())
}

/// Detaches what [`krsi_link_prog`] attached: no call of the hook starts the program any more.
///
/// May sleep. Cannot fail: without memory for the shorter list the longer one stays, with a hole.
/// Calls that are running the program go on; it is the BPF core that waits for them before it frees
/// the program. Returns 0, or `KRSI_NOT_MINE` as [`krsi_link_prog`] did.
///
/// # Safety
///
/// As for [`krsi_link_prog`], with a node that it attached.
#[export]
pub(crate) unsafe extern "C" fn krsi_unlink_prog(
    node: *mut bindings::bpf_tramp_node,
    func: *const c_void,
) -> c_int {
    let Ok(Some(hook)) = hook_of(func) else {
        return bindings::KRSI_NOT_MINE as c_int;
    };
    let mut guard = LOCK.lock();
    let Some(old) = programs(&hooks::STATE[hook], &guard) else {
        return 0;
    };

    let attachment = old.iter().find(|attachment| attachment.node() == node);
    // SAFETY: The lock is held until the change is published.
    match attachment.map(|attachment| unsafe { Change::detach(old, attachment) }) {
        Some(Ok(change)) => publish(hook, change, &mut guard),
        // The old list passes over the program, but a static call may still have it.
        Some(Err(_)) => switch(hook, &mut guard),
        None => {}
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
    let guard = LOCK.lock();

    programs(&hooks::STATE[hook], &guard)
        // SAFETY: The lock is held.
        .and_then(|list| unsafe {
            list.find(|prog| prog.func().map(|f| f as usize) == bpf_func.map(|f| f as usize))
        })
        .map_or(core::ptr::null_mut(), |attachment| attachment.node())
}

/// How many programs are attached, and to how many hooks.
pub(crate) fn totals(guard: &Guard) -> (usize, usize) {
    hooks::STATE.iter().fold((0, 0), |(progs, hooks), state| {
        let n = programs(state, guard).map_or(0, |list| {
            list.iter()
                // SAFETY: The lock is held.
                .filter(|a| unsafe { a.prog() }.is_some())
                .count()
        });
        (progs + n, hooks + usize::from(n > 0))
    })
}
