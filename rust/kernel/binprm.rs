// SPDX-License-Identifier: GPL-2.0

//! Programs that are about to run.
//!
//! `execve(2)` copies the argument and environment strings into a new address space before it asks
//! the security modules. From then on they can be read, and no other task can change them.
//!
//! C header: [`include/linux/binfmts.h`](srctree/include/linux/binfmts.h)

use crate::{
    bindings,
    error::to_result,
    mm::MmWithUser,
    page::{PAGE_MASK, PAGE_SIZE},
    prelude::*,
    types::{NotThreadSafe, Opaque},
};
use core::{marker::PhantomData, ops::Deref};

/// A program that is about to run.
///
/// # Invariants
///
/// The current task executes the program, and only that task changes the structure. If `mm` is not
/// null, it is the new address space, which only the current task can access. It lives as long as
/// the structure.
#[repr(transparent)]
pub struct Binprm(Opaque<bindings::linux_binprm>);

impl Binprm {
    /// Creates a reference to a program that is about to run.
    ///
    /// # Safety
    ///
    /// `ptr` must be the argument of a security hook that is called for an exec of the current
    /// task. The hook must come before `bprm_committing_creds`, and `'a` must end with the hook.
    pub unsafe fn from_raw<'a>(ptr: *const bindings::linux_binprm) -> &'a Self {
        // SAFETY: The caller passes a valid object; `Self` is transparent. Until
        // `bprm_committing_creds`, `mm` is private, or null.
        unsafe { &*ptr.cast() }
    }

    /// Returns the number of arguments.
    pub fn argc(&self) -> u32 {
        // SAFETY: By the type invariant the structure is valid, and only this task changes it.
        // CAST: Never negative: see `bprm_stack_limits()`.
        unsafe { (*self.0.get()).argc as u32 }
    }

    /// Returns the number of environment strings, which follow the arguments.
    pub fn envc(&self) -> u32 {
        // SAFETY: By the type invariant the structure is valid, and only this task changes it.
        // CAST: Never negative: see `bprm_stack_limits()`.
        unsafe { (*self.0.get()).envc as u32 }
    }

    /// Whether user space only asks if the program could be executed: `AT_EXECVE_CHECK`.
    pub fn is_check(&self) -> bool {
        // SAFETY: By the type invariant the structure is valid, and only this task changes it.
        unsafe { (*self.0.get()).is_check() != 0 }
    }

    /// Returns the new program's stack. [`None`] if the program already uses it.
    pub fn stack(&self) -> Option<Stack<'_>> {
        let bprm = self.0.get();

        // SAFETY: By the type invariant the structure is valid, and so is `mm`. `vma` is the only
        // area of `mm`, which no other task can change.
        unsafe {
            if (*bprm).mm.is_null() || (*bprm).vma.is_null() {
                return None;
            }
            Some(Stack {
                mm: MmWithUser::from_raw((*bprm).mm),
                start: (*bprm).p,
                name: (*bprm).exec,
                end: (*(*bprm).vma).__bindgen_anon_1.__bindgen_anon_1.vm_end,
            })
        }
    }
}

/// The stack of a program that is about to run.
///
/// It starts with the argument strings, followed by the environment strings and the file name. Each
/// ends with a NUL.
///
/// # Invariants
///
/// Only the current task can access `mm`, in which `start..end` is mapped and filled.
pub struct Stack<'a> {
    mm: &'a MmWithUser,
    start: usize,
    name: usize,
    end: usize,
}

impl<'a> Stack<'a> {
    /// Returns the address of the first string.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Returns the address of the file name.
    pub fn name(&self) -> usize {
        self.name
    }

    /// Returns the address after the last byte of the stack.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Makes a reader of the stack.
    pub fn reader(&self) -> Reader<'a> {
        Reader {
            mm: self.mm,
            start: self.start,
            end: self.end,
            base: 0,
            count: 0,
            batch: 1,
            pages: [core::ptr::null_mut(); BATCH],
        }
    }
}

/// Limit on the pages that a [`Reader`] holds.
pub const BATCH: usize = 16;

/// Reads a [`Stack`]. Holds references to a few consecutive pages.
///
/// # Invariants
///
/// - The first `count` elements of `pages` are the pages that are mapped at `base`. The reader owns
///   a reference to each.
/// - Only the current task can access `mm`, in which `start..end` is mapped and filled.
pub struct Reader<'a> {
    mm: &'a MmWithUser,
    start: usize,
    end: usize,
    base: usize,
    count: usize,
    batch: usize,
    pages: [*mut bindings::page; BATCH],
}

impl Reader<'_> {
    /// Returns the bytes from `addr` to the end of its page. Empty outside of the stack.
    ///
    /// Sleeps, unless the page is held. Fails with [`EINTR`] if a fatal signal is pending.
    #[inline]
    pub fn at(&mut self, addr: usize) -> Result<Mapped<'_>> {
        if !(self.start..self.end).contains(&addr) {
            return Ok(Mapped::empty());
        }
        self.hold(addr, 1, 1)?;

        let offset = addr & !PAGE_MASK;
        let len = (PAGE_SIZE - offset).min(self.end - addr);
        let page = self.pages[(addr - self.base) / PAGE_SIZE];
        // SAFETY: By the type invariant the page is valid while it is held, which is as long as
        // `self` is borrowed. The bytes are in the page. By the type invariant no other task can
        // access them, so they do not change.
        Ok(unsafe { Mapped::new(page, offset, len) })
    }

    /// Takes references to the pages of `len` bytes at `addr`, so that [`Self::at`] does not sleep.
    ///
    /// The bytes must be on the stack, and on at most [`BATCH`] pages. `more` is the number of
    /// bytes that the caller will read, at least `len`: it is cheaper to get several pages at once.
    /// Sleeps. Fails like [`Self::at`].
    #[inline]
    pub fn hold(&mut self, addr: usize, len: usize, more: usize) -> Result {
        if len == 0 || self.holds(addr) && self.holds(addr + (len - 1)) {
            return Ok(());
        }
        self.fill(addr, more)?;
        // If pages were swapped out, one call may not get all of them.
        while !self.holds(addr + (len - 1)) {
            self.extend()?;
        }
        Ok(())
    }

    fn holds(&self, addr: usize) -> bool {
        addr >= self.base && (addr - self.base) / PAGE_SIZE < self.count
    }

    /// Holds the page of `addr` and some pages that follow, instead of the current ones.
    fn fill(&mut self, addr: usize, want: usize) -> Result {
        self.drop_pages();
        self.base = addr & PAGE_MASK;
        // The batch doubles with each call.
        let wanted = (addr - self.base)
            .saturating_add(want)
            .div_ceil(PAGE_SIZE)
            .max(self.batch);
        self.batch = (self.batch * 2).min(BATCH);
        self.get(wanted.min(BATCH))
    }

    /// Holds one more page.
    fn extend(&mut self) -> Result {
        if self.count == BATCH {
            return Err(EFAULT);
        }
        self.get(1)
    }

    /// Appends up to `wanted` pages, at least one, to those that are held.
    fn get(&mut self, wanted: usize) -> Result {
        let first = self.base + self.count * PAGE_SIZE;
        let left = self.end.saturating_sub(first).div_ceil(PAGE_SIZE);
        let places = &mut self.pages[self.count..];
        let wanted = wanted.min(left).min(places.len());
        if wanted == 0 {
            return Err(EFAULT);
        }

        let _guard = self.mm.mmap_read_lock();
        // SAFETY: The lock is held, and `places` has at least `wanted` elements. By the type
        // invariant the pages are mapped, so the stack does not grow.
        let got = unsafe {
            bindings::get_user_pages_remote(
                self.mm.as_raw(),
                first,
                wanted,
                0,
                places.as_mut_ptr(),
                core::ptr::null_mut(),
            )
        };
        to_result(got.min(0) as c_int)?;
        // INVARIANT: These are the next pages, and `get_user_pages_remote()` took a reference to
        // each.
        self.count += got as usize;
        if got == 0 {
            return Err(EFAULT);
        }
        Ok(())
    }

    fn drop_pages(&mut self) {
        for page in &self.pages[..self.count] {
            // SAFETY: By the type invariant the reader owns a reference to the page.
            unsafe { bindings::put_page(*page) };
        }
        // INVARIANT: All references were dropped.
        self.count = 0;
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.drop_pages();
    }
}

/// Bytes of a page that is mapped for the kernel.
///
/// # Invariants
///
/// `len` bytes at `ptr` can be read and do not change. Unless `len` is 0, they are in a page that
/// `kmap_local_page()` mapped.
pub struct Mapped<'a> {
    ptr: *const u8,
    len: usize,
    _page: PhantomData<&'a bindings::page>,
    _not_send: NotThreadSafe,
}

impl Mapped<'_> {
    fn empty() -> Self {
        Self {
            ptr: core::ptr::NonNull::dangling().as_ptr(),
            len: 0,
            _page: PhantomData,
            _not_send: NotThreadSafe,
        }
    }

    /// # Safety
    ///
    /// `page` must be valid for the lifetime. `offset` and `len` must be within it, and the bytes
    /// must not change. Mappings must be dropped in the reverse order of their creation.
    #[inline]
    unsafe fn new(page: *mut bindings::page, offset: usize, len: usize) -> Self {
        if len == 0 {
            return Self::empty();
        }
        // SAFETY: The page is valid, and the offset is in it.
        let ptr = unsafe { bindings::kmap_local_page(page).cast::<u8>().add(offset) };
        // INVARIANT: The page was just mapped, and the caller guarantees the rest.
        Self {
            ptr,
            len,
            _page: PhantomData,
            _not_send: NotThreadSafe,
        }
    }
}

impl Deref for Mapped<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: By the type invariant `len` bytes at `ptr` can be read and do not change.
        unsafe { core::slice::from_raw_parts(self.ptr, self.len) }
    }
}

impl Drop for Mapped<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.len != 0 {
            // SAFETY: By the type invariant `kmap_local_page()` mapped the page. A reader returns
            // one mapping at a time, so this is the most recent one.
            unsafe { bindings::kunmap_local(self.ptr.cast()) };
        }
    }
}
