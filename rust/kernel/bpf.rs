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

// The C functions that it needs are declared for KRSI only.
#[cfg(CONFIG_SECURITY_KRSI)]
pub mod load;
pub mod map;

/// Machine code of a program. The second argument is for the interpreter.
pub type Function = bindings::bpf_func_t;

/// A loaded and verified BPF program.
///
/// # Invariants
///
/// The program has passed the verifier, or was created by the kernel.
#[repr(transparent)]
pub struct Prog(Opaque<bindings::bpf_prog>);

// SAFETY: Programs are not bound to a task: any task may read them and drop the last reference.
unsafe impl Send for Prog {}
// SAFETY: The fields that the methods read do not change after the load.
unsafe impl Sync for Prog {}

#[cfg(CONFIG_BPF_SYSCALL)]
// SAFETY: All programs are reference-counted, including those that the kernel creates.
unsafe impl AlwaysRefCounted for Prog {
    fn inc_ref(&self) {
        // SAFETY: The program is valid, so its reference count is not 0.
        unsafe { bindings::bpf_prog_inc(self.as_ptr()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up a reference that it owns.
        unsafe { bindings::bpf_prog_put(obj.as_ptr().cast()) };
    }
}

impl Prog {
    /// Creates a reference to a program.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a program that lives for `'a`.
    #[inline(always)]
    pub unsafe fn from_raw<'a>(ptr: *const bindings::bpf_prog) -> &'a Self {
        // SAFETY: The caller passes a program that lives for `'a`; `Self` is transparent.
        unsafe { &*ptr.cast() }
    }

    /// Returns a pointer to the C structure.
    #[inline(always)]
    pub fn as_ptr(&self) -> *mut bindings::bpf_prog {
        self.0.get()
    }

    /// Whether the program may sleep. Such a program runs under a [`SleepableGuard`].
    #[inline(always)]
    pub fn sleepable(&self) -> bool {
        // SAFETY: The program is valid; the flag does not change after the load.
        unsafe { (*self.as_ptr()).sleepable() != 0 }
    }

    /// Returns the program's id. 0 for programs that the kernel creates.
    pub fn id(&self) -> u32 {
        // SAFETY: The program is valid, and so is its `aux`.
        unsafe { (*(*self.as_ptr()).aux).id }
    }

    /// Returns the name that the program was loaded with. May be empty.
    pub fn name(&self) -> &CStr {
        // SAFETY: The program is valid, and so is its `aux`, whose name is a C string.
        unsafe { CStr::from_char_ptr((&raw const (*(*self.as_ptr()).aux).name).cast()) }
    }

    /// Returns the hash of the program's instructions, as `bpftool` shows it.
    pub fn tag(&self) -> [u8; 8] {
        // SAFETY: The program is valid; the tag does not change after the load.
        unsafe { (&raw const (*self.as_ptr()).__bindgen_anon_1.tag).read() }
    }

    /// Whether the program was compiled, so that its code ignores the second argument.
    ///
    /// False for programs that the kernel creates: they use that argument to find themselves.
    pub fn compiled(&self) -> bool {
        // SAFETY: The program is valid; the flag does not change after the load.
        unsafe { (*self.as_ptr()).jited() != 0 }
    }

    /// Returns the program's machine code.
    pub fn func(&self) -> Function {
        // SAFETY: The program is valid; the pointer does not change after the load.
        unsafe { (*self.as_ptr()).bpf_func }
    }

    /// Runs the program and returns its verdict. Counts the run if statistics are enabled.
    ///
    /// # Safety
    ///
    /// - `ctx` must have the layout for which the verifier has checked the program.
    /// - The caller must be in the read-side critical section that keeps the program alive, with
    ///   migration disabled.
    /// - A [`RunCtx`] must be set if the program can ask for its cookie.
    #[inline(always)]
    pub unsafe fn run(&self, ctx: *const u64) -> i32 {
        // SAFETY: The caller passes the program's context, and is in a critical section that keeps
        // the program alive.
        unsafe { bindings::bpf_prog_run(self.as_ptr(), ctx.cast()) as i32 }
    }
}

/// An attachment of a program in the BPF core: a node of a BPF link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TrampNode(NonNull<bindings::bpf_tramp_node>);

impl TrampNode {
    /// Wraps a node.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a node of a link with a program. It must stay valid while the value or a
    /// copy of it is used.
    pub unsafe fn from_raw(ptr: *mut bindings::bpf_tramp_node) -> Result<Self> {
        Ok(Self(NonNull::new(ptr).ok_or(EINVAL)?))
    }

    /// Returns a pointer to the C structure.
    pub fn as_ptr(&self) -> *mut bindings::bpf_tramp_node {
        self.0.as_ptr()
    }

    /// Returns the program that the node attaches.
    pub fn prog(&self) -> *mut bindings::bpf_prog {
        // SAFETY: The caller of `from_raw` guarantees that the node and its link are valid.
        unsafe { (*(*self.as_ptr()).link).prog }
    }

    /// Returns the cookie that the program gets from `bpf_get_attach_cookie()`.
    pub fn cookie(&self) -> u64 {
        // SAFETY: The caller of `from_raw` guarantees that the node is valid.
        unsafe { (*self.as_ptr()).cookie }
    }
}

/// The run context of a trampoline's programs, which contains their cookies.
///
/// # Invariants
///
/// Once entered, `current->bpf_ctx` points to the C structure until the guard is dropped, and the
/// value does not move: [`RunCtx::enter`] borrows it.
#[repr(transparent)]
pub struct RunCtx(UnsafeCell<MaybeUninit<bindings::bpf_tramp_run_ctx>>);

/// Proof that a [`RunCtx`] is the run context of the current task.
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
        // The other fields are only used by the JIT's trampolines, so they stay uninitialised.
        // SAFETY: The field is in the value, which is not shared yet.
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
    /// The guard must be dropped. Guards must be dropped in the reverse order of their creation.
    #[inline(always)]
    pub unsafe fn enter(&self) -> RunCtxGuard<'_> {
        // SAFETY: `run_ctx` is the first field of the C structure and has no size. The guard
        // borrows the value, so it does not move.
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
        // SAFETY: `old` is the run context that `enter` replaced.
        unsafe { bindings::bpf_reset_run_ctx(self.old) };
    }
}

/// The guard for BPF programs that do not sleep: an RCU read-side critical section with migration
/// disabled.
///
/// Like C's `rcu_read_lock_dont_migrate()`, without function calls.
///
/// # Invariants
///
/// The current task has entered an RCU read-side critical section once for each instance.
pub struct AtomicGuard {
    _migrate: MigrateGuard,
}

impl AtomicGuard {
    /// Enters the critical section. Any context.
    #[inline(always)]
    pub fn new() -> Self {
        let _migrate = MigrateGuard::new();
        // SAFETY: An FFI call with no additional requirements.
        unsafe { bindings::inline_rcu_read_lock() };
        // INVARIANT: The critical section was just entered.
        Self { _migrate }
    }

    /// Leaves the critical section of a caller's guard, runs `f`, and enters it again.
    ///
    /// # Safety
    ///
    /// A caller must have an [`AtomicGuard`]. Pointers that were read under it must not be used
    /// afterwards.
    pub unsafe fn suspend<T>(f: impl FnOnce() -> T) -> T {
        // SAFETY: The caller has a guard, so this pairs with its `new`.
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
        // dropped afterwards.
        unsafe { bindings::inline_rcu_read_unlock() };
    }
}

/// The guard for BPF programs that may sleep: a read-side critical section of RCU Tasks Trace with
/// migration disabled.
///
/// Like C's `__bpf_prog_enter_sleepable()`. Guards nest, also with [`AtomicGuard`]s. While an
/// [`AtomicGuard`] exists the task must not sleep, so in a list with sleepable programs, the others
/// are in an RCU section only while they run.
///
/// The fields are dropped in their order.
///
/// # Invariants
///
/// The current task has entered a read-side critical section of RCU Tasks Trace, and disabled
/// migration, once for each instance.
pub struct SleepableGuard {
    _migrate: MigrateGuard,
    _trace: rcu_tasks_trace::Guard,
}

impl SleepableGuard {
    /// Enters the critical section.
    ///
    /// The caller must be able to take a page fault. Only debug kernels check this.
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

    /// Returns how often the current task has disabled migration and entered RCU Tasks Trace.
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
        // Guards can be dropped in any order: each is a count.
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
        // The task may sleep again: it is only in a section of RCU Tasks Trace.
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
        // SAFETY: `atomic` is a guard, and no pointer was read under it.
        unsafe { AtomicGuard::suspend(run) };
        assert_eq!(depth(), (migrate + 1, trace));
        drop(atomic);
        assert_eq!(depth(), (migrate, trace));
    }
}
