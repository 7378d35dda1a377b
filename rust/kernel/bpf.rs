// SPDX-License-Identifier: GPL-2.0

//! BPF programs, the nodes that attach them, and the context that they run in.
//!
//! C header: [`include/linux/bpf.h`](srctree/include/linux/bpf.h)

use crate::{
    bindings,
    preempt::{might_fault, MigrateGuard},
    prelude::*,
    sync::rcu_tasks_trace,
    types::{NotThreadSafe, Opaque},
};
use core::{cell::UnsafeCell, mem::MaybeUninit, ptr::NonNull};

#[cfg(CONFIG_BPF_SYSCALL)]
use crate::sync::aref::AlwaysRefCounted;

// What it needs of C is declared for KRSI only.
#[cfg(CONFIG_SECURITY_KRSI)]
pub mod load;
pub mod map;

/// What a program is compiled to. The second argument is for the interpreter.
pub type Function = bindings::bpf_func_t;

/// A loaded and verified BPF program.
///
/// # Invariants
///
/// The program has passed the verifier, or is one that the kernel made.
#[repr(transparent)]
pub struct Prog(Opaque<bindings::bpf_prog>);

// SAFETY: Programs belong to no task: any may read them and drop the last reference.
unsafe impl Send for Prog {}
// SAFETY: What the methods read does not change after the load.
unsafe impl Sync for Prog {}

// SAFETY: All programs are counted, those that the kernel made too.
#[cfg(CONFIG_BPF_SYSCALL)]
unsafe impl AlwaysRefCounted for Prog {
    fn inc_ref(&self) {
        // SAFETY: The program is valid, hence has a reference.
        unsafe { bindings::bpf_prog_inc(self.as_ptr()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up a reference, so that there is one.
        unsafe { bindings::bpf_prog_put(obj.as_ptr().cast()) };
    }
}

impl Prog {
    /// Makes a reference to a program.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a program that lives for `'a`.
    #[inline(always)]
    pub unsafe fn from_raw<'a>(ptr: *const bindings::bpf_prog) -> &'a Self {
        // SAFETY: The caller passes a program that lives for `'a`; `Self` is transparent.
        unsafe { &*ptr.cast() }
    }

    /// The C view.
    #[inline(always)]
    pub fn as_ptr(&self) -> *mut bindings::bpf_prog {
        self.0.get()
    }

    /// Whether the program may sleep, which decides what it has to run under.
    #[inline(always)]
    pub fn sleepable(&self) -> bool {
        // SAFETY: The program is valid; the flag does not change after the load.
        unsafe { (*self.as_ptr()).sleepable() != 0 }
    }

    /// The program's id, 0 if it has none: the kernel's own programs do not.
    pub fn id(&self) -> u32 {
        // SAFETY: The program is valid, and so is its `aux`.
        unsafe { (*(*self.as_ptr()).aux).id }
    }

    /// The name that the program was loaded with; may be empty.
    pub fn name(&self) -> &CStr {
        // SAFETY: The program is valid, and so is its `aux`, whose name is a C string.
        unsafe { CStr::from_char_ptr((&raw const (*(*self.as_ptr()).aux).name).cast()) }
    }

    /// The hash of the program's instructions, as `bpftool` shows it.
    pub fn tag(&self) -> [u8; 8] {
        // SAFETY: The program is valid; the tag does not change after the load.
        unsafe { (&raw const (*self.as_ptr()).__bindgen_anon_1.tag).read() }
    }

    /// Whether the program was compiled, so that its code ignores the second argument.
    ///
    /// The kernel's own programs are not: they find themselves by that argument.
    pub fn compiled(&self) -> bool {
        // SAFETY: The program is valid; the flag does not change after the load.
        unsafe { (*self.as_ptr()).jited() != 0 }
    }

    /// The program's machine code.
    pub fn func(&self) -> Function {
        // SAFETY: The program is valid; the pointer does not change after the load.
        unsafe { (*self.as_ptr()).bpf_func }
    }

    /// Runs the program and returns its verdict. Counts the run if statistics are enabled.
    ///
    /// # Safety
    ///
    /// `ctx` must be laid out as the verifier was told for this program, the caller must be in the
    /// read-side critical section that keeps the program alive, with migration disabled, and with a
    /// [`RunCtx`] set if the program can ask for its cookie.
    #[inline(always)]
    pub unsafe fn run(&self, ctx: *const u64) -> i32 {
        // SAFETY: The caller is in the program's critical section, with its context.
        unsafe { bindings::bpf_prog_run(self.as_ptr(), ctx.cast()) as i32 }
    }
}

/// An attachment of a program, as the BPF core sees it: a node of a BPF link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TrampNode(NonNull<bindings::bpf_tramp_node>);

impl TrampNode {
    /// Wraps a node.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a node of a link with a program, and stay valid while the value, or a
    /// copy, is used.
    pub unsafe fn from_raw(ptr: *mut bindings::bpf_tramp_node) -> Result<Self> {
        Ok(Self(NonNull::new(ptr).ok_or(EINVAL)?))
    }

    /// The C view.
    pub fn as_ptr(&self) -> *mut bindings::bpf_tramp_node {
        self.0.as_ptr()
    }

    /// The program that the node attaches.
    pub fn prog(&self) -> *mut bindings::bpf_prog {
        // SAFETY: By the requirements of `from_raw`.
        unsafe { (*(*self.as_ptr()).link).prog }
    }

    /// The cookie that the program gets from `bpf_get_attach_cookie()`.
    pub fn cookie(&self) -> u64 {
        // SAFETY: By the requirements of `from_raw`.
        unsafe { (*self.as_ptr()).cookie }
    }
}

/// The run context of a trampoline's programs: where their cookies come from.
///
/// # Invariants
///
/// Once entered, `current->bpf_ctx` points to the C structure until the guard is dropped, and the
/// value does not move: [`RunCtx::enter`] borrows it.
#[repr(transparent)]
pub struct RunCtx(UnsafeCell<MaybeUninit<bindings::bpf_tramp_run_ctx>>);

/// Evidence that a [`RunCtx`] is the current task's.
pub struct RunCtxGuard<'a> {
    ctx: &'a RunCtx,
    old: *mut bindings::bpf_run_ctx,
    _not_send: NotThreadSafe,
}

impl RunCtx {
    /// Makes a run context with cookie 0.
    #[inline(always)]
    pub fn new() -> Self {
        let ctx = Self(UnsafeCell::new(MaybeUninit::uninit()));
        // The rest is for the JIT's trampolines, and a store less is a store less.
        // SAFETY: The field is in the value, which nobody else has.
        unsafe { (&raw mut (*ctx.ptr()).bpf_cookie).write(0) };
        ctx
    }

    #[inline(always)]
    fn ptr(&self) -> *mut bindings::bpf_tramp_run_ctx {
        self.0.get().cast()
    }

    /// Makes this the current task's run context until the guard is dropped.
    ///
    /// # Safety
    ///
    /// The guard must be dropped, in the reverse order of other guards of this type.
    #[inline(always)]
    pub unsafe fn enter(&self) -> RunCtxGuard<'_> {
        // SAFETY: `run_ctx` is the first, empty field of the C structure, which the guard's borrow
        // keeps in place.
        let old = unsafe { bindings::bpf_set_run_ctx(self.ptr().cast()) };
        RunCtxGuard {
            ctx: self,
            old,
            _not_send: NotThreadSafe,
        }
    }
}

impl Default for RunCtx {
    fn default() -> Self {
        Self::new()
    }
}

impl RunCtxGuard<'_> {
    /// Sets the cookie of the program that runs next.
    #[inline(always)]
    pub fn set_cookie(&self, cookie: u64) {
        // SAFETY: Only the current task accesses its run context.
        unsafe { (&raw mut (*self.ctx.ptr()).bpf_cookie).write(cookie) };
    }
}

impl Drop for RunCtxGuard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: `old` is what was current before `enter`.
        unsafe { bindings::bpf_reset_run_ctx(self.old) };
    }
}

/// What BPF programs that do not sleep run under: RCU, on one CPU.
///
/// The same as C's `rcu_read_lock_dont_migrate()`, without function calls.
///
/// # Invariants
///
/// The current task is in an RCU read-side critical section of its own for each instance.
pub struct AtomicGuard {
    _migrate: MigrateGuard,
}

impl AtomicGuard {
    /// Enters. Any context.
    #[inline(always)]
    pub fn new() -> Self {
        let _migrate = MigrateGuard::new();
        // SAFETY: An FFI call with no additional requirements.
        unsafe { bindings::inline_rcu_read_lock() };
        // INVARIANT: The critical section was just entered.
        Self { _migrate }
    }

    /// Leaves the guard of a caller, runs `f`, and enters it again.
    ///
    /// # Safety
    ///
    /// A caller must have an [`AtomicGuard`], and nothing that was found under it may be used
    /// after.
    pub unsafe fn suspend<T>(f: impl FnOnce() -> T) -> T {
        // SAFETY: The caller has a guard, whose `new` this pairs with.
        unsafe {
            bindings::inline_rcu_read_unlock();
            bindings::inline_migrate_enable();
        }
        let result = f();
        core::mem::forget(Self::new());
        result
    }
}

impl Drop for AtomicGuard {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the type invariant the task is in a critical section. The migration guard is
        // dropped after.
        unsafe { bindings::inline_rcu_read_unlock() };
    }
}

/// What BPF programs that sleep run under: RCU Tasks Trace, on one CPU.
///
/// The same as C's `__bpf_prog_enter_sleepable()`. Guards nest, in one another and in or around
/// [`AtomicGuard`]s, but while there is an [`AtomicGuard`] the task may not sleep: a program that
/// does not sleep, among some that do, gets RCU for its own run only.
///
/// The fields are dropped in their order.
///
/// # Invariants
///
/// The current task is in a read-side critical section of RCU Tasks Trace of its own for each
/// instance, and does not leave its CPU.
pub struct SleepableGuard {
    _migrate: MigrateGuard,
    _trace: rcu_tasks_trace::Guard,
}

impl SleepableGuard {
    /// Enters. The caller must be able to take a page fault; debugging kernels check that, whatever
    /// the programs do, and other kernels have no code for it.
    #[inline(always)]
    pub fn new() -> Self {
        let _trace = rcu_tasks_trace::Guard::new();
        let _migrate = MigrateGuard::new();
        might_fault();
        // INVARIANT: The critical section was just entered, and migration disabled.
        Self { _migrate, _trace }
    }
}

impl Default for SleepableGuard {
    fn default() -> Self {
        Self::new()
    }
}

impl Default for AtomicGuard {
    fn default() -> Self {
        Self::new()
    }
}

#[macros::kunit_tests(rust_bpf_guards)]
mod tests {
    use super::*;

    /// How often the current task has disabled migration, and entered RCU Tasks Trace.
    fn depth() -> (u32, i32) {
        // SAFETY: Only the current task changes these, and it is alive.
        unsafe {
            let task = bindings::get_current();
            (
                (*task).migration_disabled.into(),
                (*task).trc_reader_nesting,
            )
        }
    }

    #[test]
    fn sleepable_guards_nest() {
        let (migrate, trace) = depth();
        let outer = SleepableGuard::new();
        let inner = SleepableGuard::new();
        assert_eq!(depth(), (migrate + 2, trace + 2));
        // In any order: a guard is a count.
        drop(outer);
        assert_eq!(depth(), (migrate + 1, trace + 1));
        might_fault();
        drop(inner);
        assert_eq!(depth(), (migrate, trace));
    }

    #[test]
    fn atomic_among_sleepable() {
        let (migrate, trace) = depth();
        let sleepable = SleepableGuard::new();
        let atomic = AtomicGuard::new();
        assert_eq!(depth(), (migrate + 2, trace + 1));
        drop(atomic);
        // The task may sleep again, in the section that it is in.
        might_fault();
        assert_eq!(depth(), (migrate + 1, trace + 1));
        drop(sleepable);
        assert_eq!(depth(), (migrate, trace));
    }

    #[test]
    fn sleepable_in_suspended_atomic() {
        let (migrate, trace) = depth();
        let atomic = AtomicGuard::new();
        let run = || {
            let _guard = SleepableGuard::new();
            assert_eq!(depth(), (migrate + 1, trace + 1));
        };
        // SAFETY: `atomic` is a guard, and nothing was found under it.
        unsafe { AtomicGuard::suspend(run) };
        assert_eq!(depth(), (migrate + 1, trace));
        drop(atomic);
        assert_eq!(depth(), (migrate, trace));
    }
}
