// SPDX-License-Identifier: GPL-2.0

//! The programs of a hook: immutable lists, which are replaced as a whole.
//!
//! A call runs all programs of the list that it finds, including those that are detached during the
//! call. If it skipped them, a call that sleeps could miss both a program that denies and the
//! program that replaces it.

use core::ptr::NonNull;
#[cfg(CONFIG_HAVE_STATIC_CALL)]
use kernel::bpf::Function;
use kernel::{
    bindings,
    bpf::{Prog, TrampNode},
    prelude::*,
    sync::{aref::ARef, rcu_tasks_trace::RcuTraceBox, Arc, SetOnce},
};

/// One attachment of one program.
pub(crate) struct Attachment {
    prog: NonNull<bindings::bpf_prog>,
    /// A reference to the program, if the attachment has been in a list that needs one.
    held: SetOnce<ARef<Prog>>,
    /// The BPF core's node of the attachment. Never dereferenced.
    node: *mut bindings::bpf_tramp_node,
    /// See [`TrampNode::cookie`].
    pub(crate) cookie: u64,
}

// SAFETY: `prog` points to a `Prog`, which is `Send`. `node` is only compared.
unsafe impl Send for Attachment {}
// SAFETY: `prog` points to a `Prog`, which is `Sync`. `node` is only compared.
unsafe impl Sync for Attachment {}

/// The programs of a hook, in the order in which they run: newest first.
///
/// # Invariants
///
/// A reader of a published list holds the lock, or is in a critical section of RCU, or of RCU Tasks
/// Trace if [`sleepable`](Self::sleepable) is true. Each program of the list lives until the end of
/// such a section. After a program was detached, the BPF core waits for a grace period before it
/// frees the program: one of RCU Tasks Trace if the program may sleep, otherwise one of RCU. If
/// some programs of a list may sleep, the list holds references to the others.
pub(crate) struct Programs {
    attached: KVec<Arc<Attachment>>,
    sleepable: bool,
    /// The next list of the [`Spares`], if this is one of them.
    next: Option<RcuTraceBox<Programs>>,
}

/// Preallocated lists for a hook, so that detaching programs cannot fail.
///
/// # Invariants
///
/// For a hook with `n` programs there are `n - 1` lists. The first has capacity for `n - 1`
/// programs, the next for one fewer, and so on.
pub(crate) struct Spares(Option<RcuTraceBox<Programs>>);

impl Attachment {
    /// Makes an attachment of the program of `node`, whose link holds a reference to it until it is
    /// detached.
    fn new(node: TrampNode) -> Result<Self> {
        Ok(Self {
            prog: NonNull::new(node.prog()).ok_or(EINVAL)?,
            held: SetOnce::new(),
            node: node.as_ptr(),
            cookie: node.cookie(),
        })
    }

    /// Returns the program.
    #[inline(always)]
    pub(crate) fn prog(&self) -> &Prog {
        // SAFETY: Attachments are borrowed from lists. By the invariant of `Programs`, the program
        // lives as long as the list is borrowed.
        unsafe { Prog::from_raw(self.prog.as_ptr()) }
    }

    /// Returns the BPF core's node.
    pub(crate) fn node(&self) -> *mut bindings::bpf_tramp_node {
        self.node
    }

    /// Takes a reference to the program, until the last list with the attachment is freed.
    fn hold(&self) {
        if self.held.as_ref().is_none() {
            self.held.populate(self.prog().into());
        }
    }
}

impl Programs {
    /// Allocates an empty list with capacity for `count` programs.
    fn with_room(count: usize) -> Result<RcuTraceBox<Self>> {
        let list = Self {
            attached: KVec::with_capacity(count, GFP_KERNEL)?,
            sleepable: false,
            next: None,
        };

        RcuTraceBox::new(list, GFP_KERNEL)
    }

    /// Adds attachments to an empty list, which must have capacity for them.
    fn fill<'a>(&mut self, attachments: impl Iterator<Item = &'a Arc<Attachment>>) {
        for attachment in attachments {
            let pushed = self.attached.push_within_capacity(attachment.clone());

            debug_assert!(pushed.is_ok());
            self.sleepable |= attachment.prog().sleepable();
        }
        if self.sleepable {
            // A reader that sleeps does not delay RCU grace periods, after which the BPF core frees
            // programs that do not sleep.
            for attachment in self.attached.iter().filter(|a| !a.prog().sleepable()) {
                attachment.hold();
            }
        }
    }

    /// Makes a list with the program of `node` before those of `old`. Also returns a spare list,
    /// for detaching a program, unless the program is the only one.
    pub(crate) fn attach(
        old: Option<&Programs>,
        node: TrampNode,
    ) -> Result<(RcuTraceBox<Self>, Option<RcuTraceBox<Self>>)> {
        let rest = old.map_or(&[][..], |old| &old.attached);
        let mut new = Self::with_room(rest.len() + 1)?;
        let spare = match rest.len() {
            0 => None,
            count => Some(Self::with_room(count)?),
        };
        let added = Arc::new(Attachment::new(node)?, GFP_KERNEL)?;

        new.fill(Iterator::chain([&added].into_iter(), rest));
        Ok((new, spare))
    }

    /// Makes a list without the attachment of a node, in the first of the hook's [`Spares`].
    /// Returns [`None`] if the list would be empty.
    pub(crate) fn detach(
        &self,
        node: *mut bindings::bpf_tramp_node,
        spare: Option<RcuTraceBox<Self>>,
    ) -> Option<RcuTraceBox<Self>> {
        debug_assert!(spare.is_some() || self.attached.len() == 1);
        let mut new = spare?;

        new.fill(self.attached.iter().filter(|a| a.node != node));
        Some(new)
    }

    /// Whether any of the programs may sleep. Then readers need RCU Tasks Trace instead of RCU.
    #[inline(always)]
    pub(crate) fn sleepable(&self) -> bool {
        self.sleepable
    }

    /// Returns the attachments, in the order in which they run.
    #[inline(always)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Attachment> + '_ {
        self.attached.iter().map(|attachment| &**attachment)
    }

    /// Returns the number of programs.
    pub(crate) fn len(&self) -> usize {
        self.attached.len()
    }

    /// Whether the programs can be called directly, without the list: all are compiled, none has a
    /// cookie, and none may sleep unless it is the only one.
    #[cfg(CONFIG_HAVE_STATIC_CALL)]
    pub(crate) fn callable(&self) -> bool {
        (!self.sleepable || self.len() == 1)
            && self.iter().all(|a| a.cookie == 0 && a.prog().compiled())
    }

    /// Returns the code of a program.
    #[cfg(CONFIG_HAVE_STATIC_CALL)]
    pub(crate) fn function(&self, index: usize) -> Function {
        self.attached[index].prog().func()
    }
}

impl Spares {
    /// Makes the empty set, for a hook without programs.
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Adds a list from [`Programs::attach`].
    pub(crate) fn push(&mut self, spare: Option<RcuTraceBox<Programs>>) {
        if let Some(mut spare) = spare {
            spare.next = self.0.take();
            self.0 = Some(spare);
        }
    }

    /// Removes the first list, for [`Programs::detach`].
    pub(crate) fn pop(&mut self) -> Option<RcuTraceBox<Programs>> {
        let mut spare = self.0.take()?;

        self.0 = spare.next.take();
        Some(spare)
    }
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_programs)]
mod tests {
    use super::*;
    use kernel::{error::from_err_ptr, sync::rcu, sync::rcu_tasks_trace};

    /// A program that the kernel created, with a link and a node to attach it.
    struct Fake {
        prog: *mut bindings::bpf_prog,
        link: KBox<bindings::bpf_link>,
        node: KBox<bindings::bpf_tramp_node>,
    }

    impl Fake {
        fn new(cookie: u64) -> Result<Self> {
            // SAFETY: An FFI call with no additional requirements.
            let prog = from_err_ptr(unsafe { bindings::bpf_prog_alloc(1, 0) })?;
            if prog.is_null() {
                return Err(ENOMEM);
            }
            // SAFETY: The program was just created, with no reference yet.
            unsafe { bindings::bpf_prog_inc(prog) };
            let mut link = KBox::new(bindings::bpf_link::default(), GFP_KERNEL)?;
            link.prog = prog;
            let mut node = KBox::new(bindings::bpf_tramp_node::default(), GFP_KERNEL)?;
            node.link = &raw mut *link;
            node.cookie = cookie;
            Ok(Self { prog, link, node })
        }

        /// Marks the program as compiled.
        fn compiled(self) -> Self {
            // SAFETY: The program is owned by the fake, and not attached yet.
            unsafe { (*self.prog).set_jited(1) };
            self
        }

        fn sleepable(self) -> Self {
            // SAFETY: The program is owned by the fake, and not attached yet.
            unsafe { (*self.prog).set_sleepable(1) };
            self
        }

        fn node(&mut self) -> Result<TrampNode> {
            assert!(!self.link.prog.is_null());
            // SAFETY: The node has a link with a program, all owned by the fake.
            unsafe { TrampNode::from_raw(&raw mut *self.node) }
        }

        /// Returns the number of references to the program.
        fn references(&self) -> i64 {
            // SAFETY: The program is valid, and so is its `aux`.
            unsafe { core::ptr::read_volatile(&raw const (*(*self.prog).aux).refcnt.counter) }
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            rcu::synchronize_rcu();
            // SAFETY: All readers have finished, so the program does not run, and it has no
            // compiled code to free. Retired lists own their references.
            unsafe {
                (*self.prog).set_jited(0);
                bindings::bpf_prog_put(self.prog);
            }
        }
    }

    /// A hook's list and spares, as the lock protects them.
    struct Owner {
        list: *mut Programs,
        spares: Spares,
    }

    impl Owner {
        fn new() -> Self {
            Self {
                list: core::ptr::null_mut(),
                spares: Spares::new(),
            }
        }

        fn list(&self) -> Option<&Programs> {
            // SAFETY: The test owns the list; the fakes outlive it.
            unsafe { self.list.as_ref() }
        }

        fn replace(&mut self, new: Option<RcuTraceBox<Programs>>) {
            let old = self.list;

            self.list = new.map_or(core::ptr::null_mut(), RcuTraceBox::publish);
            if !old.is_null() {
                // SAFETY: The list was published, and was just replaced.
                unsafe { RcuTraceBox::retire(old) };
            }
        }

        fn attach(&mut self, fake: &mut Fake) -> Result {
            let (new, spare) = Programs::attach(self.list(), fake.node()?)?;
            self.spares.push(spare);
            self.replace(Some(new));
            Ok(())
        }

        fn detach(&mut self, fake: &mut Fake) {
            let spare = self.spares.pop();
            let new = self
                .list()
                .and_then(|list| list.detach(&raw mut *fake.node, spare));
            self.replace(new);
        }

        /// Returns the number of spares, and checks their capacities.
        fn spares(&self) -> usize {
            let mut left = self.list().map_or(0, |list| list.len());
            let mut count = 0;
            let mut next = &self.spares.0;
            while let Some(spare) = next {
                left -= 1;
                assert!(spare.attached.is_empty());
                assert!(spare.attached.capacity() >= left);
                count += 1;
                next = &spare.next;
            }
            count
        }
    }

    /// The cookies of the programs that would run, in order.
    fn cookies(list: Option<&Programs>) -> Result<KVec<u64>> {
        let mut cookies = KVec::new();
        for attachment in list.iter().flat_map(|list| list.iter()) {
            cookies.push(attachment.cookie, GFP_KERNEL)?;
        }
        Ok(cookies)
    }

    #[test]
    fn newest_runs_first() -> Result {
        let (mut a, mut b, mut c) = (Fake::new(1)?, Fake::new(2)?, Fake::new(3)?);
        let mut owner = Owner::new();
        owner.attach(&mut a)?;
        owner.attach(&mut b)?;
        owner.attach(&mut c)?;
        assert_eq!(cookies(owner.list())?.as_slice(), &[3, 2, 1]);
        owner.detach(&mut b);
        assert_eq!(cookies(owner.list())?.as_slice(), &[3, 1]);
        owner.detach(&mut c);
        owner.detach(&mut a);
        assert!(owner.list().is_none());
        Ok(())
    }

    #[test]
    fn a_published_list_does_not_change() -> Result {
        let (mut a, mut b, mut c) = (Fake::new(1)?, Fake::new(2)?, Fake::new(3)?);
        let mut owner = Owner::new();
        owner.attach(&mut a)?;
        owner.attach(&mut b)?;
        // The reader keeps the list that it found.
        let reader = rcu_tasks_trace::Guard::new();
        let seen = owner.list;
        owner.attach(&mut c)?;
        owner.detach(&mut a);
        // SAFETY: The reader keeps the list, the fakes their programs.
        assert_eq!(cookies(unsafe { seen.as_ref() })?.as_slice(), &[2, 1]);
        assert_eq!(cookies(owner.list())?.as_slice(), &[3, 2]);
        drop(reader);
        owner.detach(&mut b);
        owner.detach(&mut c);
        Ok(())
    }

    #[test]
    fn memory_to_detach_is_there_in_any_order() -> Result {
        for first in 0..4usize {
            let mut fakes = KVec::new();
            let mut owner = Owner::new();
            for cookie in 0..4 {
                fakes.push(Fake::new(cookie)?, GFP_KERNEL)?;
            }
            for fake in &mut fakes {
                owner.attach(fake)?;
            }
            assert_eq!(owner.spares(), 3);
            owner.detach(&mut fakes[first]);
            assert_eq!(owner.spares(), 2);
            owner.attach(&mut fakes[first])?;
            assert_eq!(owner.spares(), 3);
            for left in (0..4usize).rev() {
                owner.detach(&mut fakes[(first + left) % 4]);
                assert_eq!(owner.list().map_or(0, |list| list.len()), left);
                assert_eq!(owner.spares(), left.saturating_sub(1));
            }
        }
        Ok(())
    }

    #[test]
    fn readers_that_sleep_keep_programs_that_do_not() -> Result {
        let (mut atomic, mut other) = (Fake::new(1)?, Fake::new(2)?);
        let mut sleepable = Fake::new(3)?.sleepable();
        let mut owner = Owner::new();
        owner.attach(&mut atomic)?;
        assert_eq!(atomic.references(), 1);
        owner.attach(&mut sleepable)?;
        assert_eq!(atomic.references(), 2);
        // The BPF core waits for these readers itself.
        assert_eq!(sleepable.references(), 1);
        owner.attach(&mut other)?;
        assert_eq!(atomic.references(), 2);

        let reader = rcu_tasks_trace::Guard::new();
        owner.detach(&mut atomic);
        rcu::synchronize_rcu();
        assert_eq!(atomic.references(), 2);
        drop(reader);
        rcu_tasks_trace::barrier();
        assert_eq!(atomic.references(), 1);
        owner.detach(&mut sleepable);
        owner.detach(&mut other);
        Ok(())
    }

    /// Returns the number of programs, if they can be called without the list.
    #[cfg(CONFIG_HAVE_STATIC_CALL)]
    fn callable(owner: &Owner) -> Option<usize> {
        owner
            .list()
            .filter(|list| list.callable())
            .map(Programs::len)
    }

    #[cfg(CONFIG_HAVE_STATIC_CALL)]
    #[test]
    fn only_plain_programs_are_called_without_the_list() -> Result {
        let mut a = Fake::new(0)?.compiled();
        let mut b = Fake::new(0)?.compiled();
        let mut sleepable = Fake::new(0)?.compiled().sleepable();
        let (mut cookie, mut interpreted) = (Fake::new(7)?.compiled(), Fake::new(0)?);
        let mut owner = Owner::new();
        owner.attach(&mut a)?;
        assert_eq!(callable(&owner), Some(1));
        owner.attach(&mut b)?;
        assert_eq!(callable(&owner), Some(2));
        for other in [&mut cookie, &mut interpreted, &mut sleepable] {
            owner.attach(other)?;
            assert_eq!(callable(&owner), None);
            owner.detach(other);
            assert_eq!(callable(&owner), Some(2));
        }
        owner.detach(&mut a);
        owner.detach(&mut b);
        owner.attach(&mut sleepable)?;
        assert_eq!(callable(&owner), Some(1));
        owner.detach(&mut sleepable);
        Ok(())
    }

    #[cfg(CONFIG_HAVE_STATIC_CALL)]
    #[test]
    fn what_is_left_of_a_sleepable_list_needs_rcu() -> Result {
        let mut atomic = Fake::new(0)?.compiled();
        let mut sleepable = Fake::new(0)?.compiled().sleepable();
        let mut owner = Owner::new();
        owner.attach(&mut atomic)?;
        owner.attach(&mut sleepable)?;
        assert!(owner.list().is_some_and(|list| list.sleepable()));
        owner.detach(&mut sleepable);
        // Otherwise the remaining program would become a target of the sleepable trampoline.
        assert!(owner.list().is_some_and(|list| !list.sleepable()));
        assert_eq!(callable(&owner), Some(1));
        owner.detach(&mut atomic);
        Ok(())
    }
}
