// SPDX-License-Identifier: GPL-2.0

//! The list of programs of a hook: never changed once readers can see it, replaced as a whole.
//!
//! Readers hold what keeps both lists and programs alive: RCU, or RCU Tasks Trace if they sleep.
//! A reader of a sleeping kind can stay in an old list while programs are detached, and a program
//! that does not sleep is freed after a grace period of RCU alone, which that reader does not hold
//! up. So a list holds [`Attachment`]s, which live as long as any list that names them, and each
//! forgets its program when it is detached.

use kernel::{
    bindings,
    bpf::{Function, Prog, TrampNode},
    prelude::*,
    sync::{
        atomic::{Acquire, Atomic, Release},
        rcu_tasks_trace::RcuTraceBox,
    },
};

/// Where readers find a list; null if there is none.
pub(crate) type List = Atomic<*mut Programs>;

/// One attachment of one program.
pub(crate) struct Attachment {
    /// The program, or null once it is detached.
    ///
    /// Whoever loads it may use the program in the critical section it was loaded in: of RCU, or of
    /// RCU Tasks Trace for a program that sleeps. The BPF core frees it only after both the store
    /// of null and a grace period of that kind.
    prog: Atomic<*mut bindings::bpf_prog>,
    /// What the BPF core knows the attachment by. Not dereferenced.
    node: *mut bindings::bpf_tramp_node,
    /// See [`TrampNode::cookie`].
    pub(crate) cookie: u64,
    /// Whether the program may sleep. A copy: the program may be gone when it is asked for.
    pub(crate) sleepable: bool,
}

// SAFETY: `node` is only compared; the rest is atomic or never changes.
unsafe impl Send for Attachment {}
// SAFETY: As above.
unsafe impl Sync for Attachment {}

impl Attachment {
    /// Attaches the program of `node`, which is alive until [`detach`](Self::detach).
    pub(crate) fn new(node: TrampNode) -> Self {
        // SAFETY: The node's link holds a reference on the program.
        let prog = unsafe { Prog::from_raw(node.prog()) };
        Self {
            prog: Atomic::new(prog.as_ptr()),
            node: node.as_ptr(),
            cookie: node.cookie(),
            sleepable: prog.sleepable(),
        }
    }

    /// The program, if it is still attached.
    ///
    /// # Safety
    ///
    /// For `'a` the caller must be in a critical section of RCU, or of RCU Tasks Trace if
    /// `sleepable`, or hold the lock of [`crate::attach`].
    #[inline(always)]
    pub(crate) unsafe fn prog<'a>(&self) -> Option<&'a Prog> {
        let prog = self.prog.load(Acquire);
        if prog.is_null() {
            return None;
        }
        // SAFETY: By the safety requirements and what the field guarantees.
        Some(unsafe { Prog::from_raw(prog) })
    }

    /// Lets no reader start the program any more.
    fn detach(&self) {
        self.prog.store(core::ptr::null_mut(), Release);
    }
}

/// The programs of a hook, in the order in which they run: newest first.
///
/// # Invariants
///
/// Each pointer came from [`RcuTraceBox::into_raw`] and is retired by [`retire`] only together with
/// the last list that has it, or after.
#[derive(Default)]
pub(crate) struct Programs {
    entries: KVec<*mut Attachment>,
    /// Whether any of the programs may sleep.
    pub(crate) sleepable: bool,
}

// SAFETY: The pointers are to values that are `Send` and `Sync`.
unsafe impl Send for Programs {}
// SAFETY: As above.
unsafe impl Sync for Programs {}

impl Programs {
    /// The attachments, detached ones included.
    #[inline(always)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Attachment> + '_ {
        // SAFETY: By the type invariant the attachments live as long as the list.
        self.entries.iter().map(|&entry| unsafe { &*entry })
    }

    /// The attachment of the program that `select` chooses.
    ///
    /// # Safety
    ///
    /// The caller must hold the lock of [`crate::attach`].
    pub(crate) unsafe fn find(&self, select: impl Fn(&Prog) -> bool) -> Option<&Attachment> {
        self.iter().find(|attachment| {
            // SAFETY: The caller holds the lock.
            unsafe { attachment.prog() }.is_some_and(&select)
        })
    }

    /// The code of the programs, newest first, if calling them is all that there is to do for this
    /// list: all are compiled, none has a cookie, and either none or the only one sleeps.
    ///
    /// # Safety
    ///
    /// The caller must hold the lock of [`crate::attach`].
    pub(crate) unsafe fn functions(&self) -> Option<KVec<Function>> {
        let mut functions = KVec::with_capacity(self.entries.len(), GFP_KERNEL).ok()?;

        for attachment in self.iter() {
            // SAFETY: The caller holds the lock.
            let Some(prog) = (unsafe { attachment.prog() }) else {
                continue;
            };
            if attachment.cookie != 0 || !prog.compiled() {
                return None;
            }
            functions.push_within_capacity(prog.func()).ok()?;
        }
        (!self.sleepable || functions.len() == 1).then_some(functions)
    }

    /// A list with `first` before those of `old` that are still attached.
    ///
    /// # Safety
    ///
    /// The caller must hold the lock of [`crate::attach`] and must publish the list before it
    /// retires `old`.
    unsafe fn with(first: Option<*mut Attachment>, old: Option<&Programs>) -> Result<Self> {
        let rest = old.map_or(&[][..], |old| &old.entries);
        let mut new = Self {
            entries: KVec::with_capacity(rest.len() + 1, GFP_KERNEL)?,
            sleepable: false,
        };
        for &entry in Iterator::chain(first.iter(), rest) {
            // SAFETY: By the type invariant the attachment lives; the caller holds the lock.
            let (live, sleepable) = unsafe { ((*entry).prog().is_some(), (*entry).sleepable) };
            if live {
                new.entries
                    .push_within_capacity(entry)
                    .map_err(|_| ENOMEM)?;
                new.sleepable |= sleepable;
            }
        }
        Ok(new)
    }
}

impl Attachment {
    /// The node, to report to the BPF core.
    pub(crate) fn node(&self) -> *mut bindings::bpf_tramp_node {
        self.node
    }
}

/// A change of a hook's list: prepared first, so that publishing cannot fail.
///
/// Dropping it without [`Change::publish`] leaves everything as it was.
pub(crate) struct Change {
    new: Option<RcuTraceBox<Programs>>,
    added: Option<RcuTraceBox<Attachment>>,
}

impl Change {
    /// Prepares to attach the program of `node` before the programs of `old`.
    ///
    /// # Safety
    ///
    /// The caller must hold the lock of [`crate::attach`] until the change is published.
    pub(crate) unsafe fn attach(old: Option<&Programs>, node: TrampNode) -> Result<Self> {
        let added = RcuTraceBox::new(Attachment::new(node), GFP_KERNEL)?;
        let first = (&raw const *added).cast_mut();
        // SAFETY: By the safety requirements; publishing puts the list before retiring `old`.
        let list = unsafe { Programs::with(Some(first), old) }?;
        Ok(Self {
            new: Some(RcuTraceBox::new(list, GFP_KERNEL)?),
            added: Some(added),
        })
    }

    /// Detaches `attachment`, which is of `old`: no reader starts its program from now on.
    ///
    /// Fails only when there is no memory for the shorter list. The old one may stay then: it
    /// passes over detached programs, and the next change drops them.
    ///
    /// # Safety
    ///
    /// As for [`Self::attach`].
    pub(crate) unsafe fn detach(old: &Programs, attachment: &Attachment) -> Result<Self> {
        attachment.detach();
        // SAFETY: By the safety requirements; publishing puts the list before retiring `old`.
        let list = unsafe { Programs::with(None, Some(old)) }?;
        let new = if list.entries.is_empty() {
            None
        } else {
            Some(RcuTraceBox::new(list, GFP_KERNEL)?)
        };
        Ok(Self { new, added: None })
    }

    /// The new list, null if it is empty. It is the hook's to own now, and so are its attachments.
    pub(crate) fn publish(self) -> *mut Programs {
        if let Some(added) = self.added {
            added.into_raw();
        }
        self.new.map_or(core::ptr::null_mut(), |new| new.into_raw())
    }
}

/// Retires a list that was replaced, with those of its attachments that are detached.
///
/// # Safety
///
/// `old` must be null or come from [`Change::publish`], and no new reader can find it. The list
/// that replaced it has none of the detached attachments.
pub(crate) unsafe fn retire(old: *mut Programs) {
    if old.is_null() {
        return;
    }
    // SAFETY: By the safety requirements, and it is retired, not dropped.
    let old = unsafe { RcuTraceBox::from_raw(old) };
    for &entry in &old.entries {
        // SAFETY: By the type invariant the attachment lives; nobody else retires it, since no
        // other current list has it.
        unsafe {
            if (*entry).prog.load(Acquire).is_null() {
                // Readers of older lists that have it too are waited for as well: they started
                // before.
                RcuTraceBox::from_raw(entry).retire();
            }
        }
    }
    old.retire();
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_programs)]
mod tests {
    use super::*;
    use kernel::{error::from_err_ptr, sync::rcu};

    /// A program that the kernel made, with the link and node to attach it by.
    struct Fake {
        prog: *mut bindings::bpf_prog,
        link: KBox<bindings::bpf_link>,
        node: KBox<bindings::bpf_tramp_node>,
    }

    impl Fake {
        fn new(cookie: u64) -> Result<Self> {
            // SAFETY: FFI call without requirements; a null pointer becomes an error.
            let prog = from_err_ptr(unsafe { bindings::bpf_prog_alloc(1, 0) })?;
            if prog.is_null() {
                return Err(ENOMEM);
            }
            let mut link = KBox::new(bindings::bpf_link::default(), GFP_KERNEL)?;
            link.prog = prog;
            let mut node = KBox::new(bindings::bpf_tramp_node::default(), GFP_KERNEL)?;
            node.link = &raw mut *link;
            node.cookie = cookie;
            Ok(Self { prog, link, node })
        }

        /// As if it had been compiled.
        fn compiled(self) -> Self {
            // SAFETY: The program is the fake's own.
            unsafe { (*self.prog).set_jited(1) };
            self
        }

        fn node(&mut self) -> Result<TrampNode> {
            assert!(!self.link.prog.is_null());
            // SAFETY: The node has a link with a program, all owned by the fake.
            unsafe { TrampNode::from_raw(&raw mut *self.node) }
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            rcu::synchronize_rcu();
            // SAFETY: Nobody uses the program: readers are gone. There is no compiled code to free.
            unsafe {
                (*self.prog).set_jited(0);
                bindings::bpf_prog_free(self.prog);
            }
        }
    }

    /// The cookies of the programs that would run, in order.
    fn cookies(list: *mut Programs) -> Result<KVec<u64>> {
        let mut cookies = KVec::new();
        // SAFETY: The tests own the list.
        for attachment in unsafe { list.as_ref() }.iter().flat_map(|list| list.iter()) {
            // SAFETY: Nobody detaches meanwhile.
            if unsafe { attachment.prog() }.is_some() {
                cookies.push(attachment.cookie, GFP_KERNEL)?;
            }
        }
        Ok(cookies)
    }

    /// Makes the list with one more program, and retires the old one.
    fn attach(old: *mut Programs, fake: &mut Fake) -> Result<*mut Programs> {
        // SAFETY: The tests own the list, and nobody changes it at the same time.
        unsafe {
            let new = Change::attach(old.as_ref(), fake.node()?)?.publish();
            retire(old);
            Ok(new)
        }
    }

    /// Makes the list without the program that has `cookie`, and retires the old one.
    fn detach(old: *mut Programs, cookie: u64) -> Result<*mut Programs> {
        // SAFETY: The tests own the list, and nobody changes it at the same time.
        unsafe {
            let list = old.as_ref().ok_or(ENOENT)?;
            let attachment = list.iter().find(|a| a.cookie == cookie).ok_or(ENOENT)?;
            let new = Change::detach(list, attachment)?.publish();
            retire(old);
            Ok(new)
        }
    }

    #[test]
    fn newest_runs_first() -> Result {
        let (mut a, mut b, mut c) = (Fake::new(1)?, Fake::new(2)?, Fake::new(3)?);
        let list = attach(core::ptr::null_mut(), &mut a)?;
        let list = attach(list, &mut b)?;
        let list = attach(list, &mut c)?;
        assert_eq!(cookies(list)?.as_slice(), &[3, 2, 1]);
        let list = detach(list, 2)?;
        assert_eq!(cookies(list)?.as_slice(), &[3, 1]);
        let list = detach(list, 3)?;
        let list = detach(list, 1)?;
        assert!(list.is_null());
        Ok(())
    }

    #[test]
    fn a_reader_of_an_old_list_does_not_start_a_detached_program() -> Result {
        let (mut a, mut b) = (Fake::new(1)?, Fake::new(2)?);
        let list = attach(core::ptr::null_mut(), &mut a)?;
        let list = attach(list, &mut b)?;
        // A reader that sleeps keeps the list that it found.
        let reader = kernel::sync::rcu_tasks_trace::Guard::new();
        let seen = list;
        let list = detach(list, 1)?;
        assert_eq!(cookies(seen)?.as_slice(), &[2]);
        assert_eq!(cookies(list)?.as_slice(), &[2]);
        drop(reader);
        assert!(detach(list, 2)?.is_null());
        Ok(())
    }

    /// How many programs could be called without looking at the list, if they could.
    fn callable(list: *mut Programs) -> Option<usize> {
        // SAFETY: The tests own the list, and nobody changes it at the same time.
        unsafe { list.as_ref()?.functions().map(|functions| functions.len()) }
    }

    #[test]
    fn only_plain_programs_are_called_without_the_list() -> Result {
        let mut a = Fake::new(0)?.compiled();
        let mut b = Fake::new(0)?.compiled();
        let (mut cookie, mut interpreted) = (Fake::new(7)?.compiled(), Fake::new(0)?);
        let list = attach(core::ptr::null_mut(), &mut a)?;
        assert_eq!(callable(list), Some(1));
        let list = attach(list, &mut b)?;
        assert_eq!(callable(list), Some(2));
        let list = attach(list, &mut cookie)?;
        assert_eq!(callable(list), None);
        let list = detach(list, 7)?;
        assert_eq!(callable(list), Some(2));
        let list = attach(list, &mut interpreted)?;
        assert_eq!(callable(list), None);
        let list = detach(list, 0)?;
        // The program that there was no memory to leave out is not called either.
        // SAFETY: The test owns the list.
        if let Some(oldest) = unsafe { list.as_ref() }.and_then(|list| list.iter().last()) {
            oldest.detach();
        }
        assert_eq!(callable(list), Some(1));
        assert!(detach(list, 0)?.is_null());
        Ok(())
    }

    #[test]
    fn without_memory_for_a_shorter_list_the_hole_is_passed_over() -> Result {
        let (mut a, mut b, mut c) = (Fake::new(1)?, Fake::new(2)?, Fake::new(3)?);
        let list = attach(core::ptr::null_mut(), &mut a)?;
        let list = attach(list, &mut b)?;
        // What `Change::detach` does first, and all that it does when there is no memory.
        // SAFETY: The test owns the list.
        if let Some(oldest) = unsafe { list.as_ref() }.and_then(|list| list.iter().last()) {
            oldest.detach();
        }
        assert_eq!(cookies(list)?.as_slice(), &[2]);
        let list = attach(list, &mut c)?;
        assert_eq!(cookies(list)?.as_slice(), &[3, 2]);
        // SAFETY: The test owns the list.
        let entries = unsafe { list.as_ref() }.map_or(0, |list| list.iter().count());
        assert_eq!(entries, 2);
        let list = detach(list, 3)?;
        assert!(detach(list, 2)?.is_null());
        Ok(())
    }
}
