// SPDX-License-Identifier: GPL-2.0

//! The frame of a trampoline, with the context of BPF programs.

use core::{
    cell::Cell,
    marker::PhantomData,
    mem::{offset_of, size_of, MaybeUninit},
};
use kernel::{bindings, bpf::RunCtx};

/// Limit on the argument words of a hook. Checked when the trampolines are instantiated.
pub(crate) const MAX_WORDS: usize = 6;

/// The context of BPF programs, in the verifier's layout, preceded by the run context of a hook's
/// only program or of a chain.
///
/// The context contains the argument words, then one word for the return value of the previous
/// program, which is always 0: otherwise no other program would run. The word at index -1 contains
/// the number of argument words in its lower byte, which programs can read. KRSI uses the rest of
/// that word: see [`Context`].
#[repr(C)]
pub(crate) struct Frame {
    run_ctx: RunCtx,
    /// The word before the context. [`Context::request_stub`] writes to it through the pointer that
    /// targets get.
    meta: Cell<u64>,
    words: [MaybeUninit<u64>; MAX_WORDS + 1],
}

// Chains find the context at a fixed offset of the frame.
const _: () = assert!(offset_of!(Frame, words) == bindings::KRSI_FRAME_CTX as usize);

/// The context of a [`Frame`].
///
/// # Invariants
///
/// `ptr` points to the words of a frame that lives for `'a`; only the current task accesses it.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    ptr: *const u64,
    /// The word before the others, without [`Self::STUB`].
    meta: u64,
    _frame: PhantomData<&'a Frame>,
}

impl Context<'_> {
    /// The hook returns nothing.
    const VOID: u64 = 1 << 8;
    /// The target asks the trampoline to call the hook's stub.
    const STUB: u64 = 1 << 9;
    const HOOK_SHIFT: u32 = 16;

    /// Packs the word before the context. Fits in an immediate operand, so it needs no register.
    const fn meta(hook: usize, void: bool, count: usize) -> u64 {
        assert!(count <= 0xff && hook < 1 << 15);
        (hook << Self::HOOK_SHIFT) as u64 | if void { Self::VOID } else { 0 } | count as u64
    }

    /// Makes a value from the pointer that targets get.
    ///
    /// # Safety
    ///
    /// `ptr` must be the context of a frame of the current task, which must outlive the value.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(ptr: *const u64) -> Self {
        // INVARIANT: The caller passes the context of a frame of the current task.
        Self {
            ptr,
            // SAFETY: The word before a context is in the same frame.
            meta: unsafe { *ptr.sub(1) },
            _frame: PhantomData,
        }
    }

    /// Returns the pointer that programs get.
    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *const u64 {
        self.ptr
    }

    /// Returns the number of the hook.
    #[inline(always)]
    pub(crate) fn hook(self) -> usize {
        (self.meta >> Self::HOOK_SHIFT) as usize
    }

    /// Whether the hook returns nothing.
    #[inline(always)]
    pub(crate) fn void(self) -> bool {
        self.meta & Self::VOID != 0
    }

    /// Requests the trampoline to call the hook's stub.
    ///
    /// A return value cannot express this, because an extension program may return any value.
    pub(crate) fn request_stub(self) {
        // SAFETY: The word is in the frame of the context, in a `Cell`, and only the current task
        // accesses the frame.
        unsafe { self.ptr.cast_mut().sub(1).write(self.meta | Self::STUB) };
    }
}

impl Frame {
    /// Makes a frame for `count` argument words of a hook.
    #[inline(always)]
    pub(crate) fn new(hook: usize, void: bool, count: usize) -> Self {
        let mut words = [MaybeUninit::uninit(); MAX_WORDS + 1];
        words[count].write(0);
        Self {
            run_ctx: RunCtx::new(),
            meta: Cell::new(Context::meta(hook, void, count)),
            words,
        }
    }

    /// Puts an argument at word `at` and returns the word of the next one.
    #[inline(always)]
    pub(crate) fn put<T: Copy>(&mut self, at: usize, arg: T) -> usize {
        let next = at + words_of::<T>();
        // BPF programs can load whole words, so no byte may be uninitialised.
        self.words[next - 1].write(0);
        // SAFETY: `words_of` words from `at` hold a `T`. `next` is at most `MAX_WORDS`, which the
        // caller checks at compile time.
        unsafe {
            let word = self.words.as_mut_ptr().add(at).byte_add(offset::<T>());
            word.cast::<T>().write_unaligned(arg);
        }
        next
    }

    /// Reads the argument at word `at`. Also returns the word of the next one.
    #[inline(always)]
    pub(crate) fn take<T: Copy>(&self, at: usize) -> (T, usize) {
        let next = at + words_of::<T>();
        // SAFETY: `put` has written a `T` there, and programs cannot write to their context.
        let arg = unsafe {
            let word = self.words.as_ptr().add(at).byte_add(offset::<T>());
            word.cast::<T>().read_unaligned()
        };
        (arg, next)
    }

    /// Returns the context of the frame's programs.
    #[inline(always)]
    pub(crate) fn ctx(&self) -> *const u64 {
        // Derived from the whole frame, since programs also read the word before the context.
        (&raw const *self)
            .wrapping_byte_add(offset_of!(Frame, words))
            .cast()
    }

    /// Returns the run context of the hook's only program, or of a chain.
    #[inline(always)]
    pub(crate) fn run_ctx(&self) -> &RunCtx {
        &self.run_ctx
    }

    /// Whether the target asked for the hook's stub.
    #[inline(always)]
    pub(crate) fn stub_requested(&self) -> bool {
        self.meta.get() & Context::STUB != 0
    }
}

/// Returns the number of words of an argument: one, or two for the few structures passed by value.
pub(crate) const fn words_of<T>() -> usize {
    size_of::<T>().div_ceil(8)
}

/// Returns the offset of an argument in its first word, in bytes.
const fn offset<T>() -> usize {
    offset_of_size(size_of::<T>(), cfg!(target_endian = "big"))
}

/// Returns the offset of an argument of `size` bytes in its first word, in bytes.
///
/// A program loads a narrow argument as a word, like a register. The value is in the low-order
/// bytes, which are the last ones on big-endian machines. Larger arguments have their layout in
/// memory.
const fn offset_of_size(size: usize, big_endian: bool) -> usize {
    if big_endian && size < 8 {
        8 - size
    } else {
        0
    }
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_frame)]
mod tests {
    use super::*;

    /// The largest number of a hook.
    const LAST: usize = (1 << 15) - 1;

    fn context(frame: &Frame) -> Context<'_> {
        // SAFETY: The context is the frame's, which the test owns.
        unsafe { Context::from_raw(frame.ctx()) }
    }

    /// Reads the word at `index` of a context, as a program would.
    fn word(frame: &Frame, index: isize) -> u64 {
        // SAFETY: The tests read words that they or `Frame::new` wrote.
        unsafe { frame.ctx().offset(index).read() }
    }

    #[test]
    fn count_is_before_and_return_value_after_the_arguments() {
        let mut frame = Frame::new(0, false, 2);
        let at = frame.put(0, 11u64);
        frame.put(at, 22u64);
        assert_eq!(word(&frame, -1), 2);
        assert_eq!(word(&frame, 0), 11);
        assert_eq!(word(&frame, 1), 22);
        assert_eq!(word(&frame, 2), 0);
    }

    #[test]
    fn the_hook_is_beyond_what_programs_are_told() {
        for void in [false, true] {
            let frame = Frame::new(LAST, void, MAX_WORDS);
            let context = context(&frame);

            assert_eq!(word(&frame, -1) & 0xff, MAX_WORDS as u64);
            assert_eq!(context.hook(), LAST);
            assert_eq!(context.void(), void);
        }
    }

    #[test]
    fn the_stub_can_be_requested() {
        let frame = Frame::new(LAST, true, 3);

        assert!(!frame.stub_requested());
        context(&frame).request_stub();
        assert!(frame.stub_requested());
        assert_eq!(word(&frame, -1) & 0xff, 3);
    }

    #[test]
    fn narrow_arguments_leave_no_garbage() {
        let mut frame = Frame::new(0, false, 4);
        let at = frame.put(0, -1i32);
        let at = frame.put(at, true);
        let at = frame.put(at, 0xffffu16);
        frame.put(at, 0u8);
        assert_eq!(word(&frame, 0), 0xffff_ffff);
        assert_eq!(word(&frame, 1), 1);
        assert_eq!(word(&frame, 2), 0xffff);
        assert_eq!(word(&frame, 3), 0);
        assert_eq!(frame.take::<i32>(0), (-1, 1));
        assert_eq!(frame.take::<bool>(1), (true, 2));
    }

    /// Returns the word that a program loads if `value`, of `SIZE` bytes, was put into it.
    fn loaded<const SIZE: usize>(value: [u8; SIZE], big_endian: bool) -> u64 {
        let mut word = [0; 8];
        let at = offset_of_size(SIZE, big_endian);

        word[at..at + SIZE].copy_from_slice(&value);
        if big_endian {
            u64::from_be_bytes(word)
        } else {
            u64::from_le_bytes(word)
        }
    }

    #[test]
    fn narrow_arguments_are_zero_extended_on_every_machine() {
        assert_eq!(loaded(0x1234_5678u32.to_be_bytes(), true), 0x1234_5678);
        assert_eq!(loaded(0x1234_5678u32.to_le_bytes(), false), 0x1234_5678);
        assert_eq!(loaded(0xfffeu16.to_be_bytes(), true), 0xfffe);
        assert_eq!(loaded(1u8.to_be_bytes(), true), 1);
        assert_eq!(loaded(u64::MAX.to_be_bytes(), true), u64::MAX);
        assert_eq!(offset_of_size(16, true), 0);
    }

    #[test]
    fn sixteen_bytes_take_two_words() {
        let mut frame = Frame::new(0, false, 4);
        let at = frame.put(0, 1u64);
        let at = frame.put(at, (0x1111_2222_3333_4444u64, true));
        assert_eq!(at, 3);
        frame.put(at, 5u64);
        assert_eq!(word(&frame, 0), 1);
        assert_eq!(word(&frame, 1), 0x1111_2222_3333_4444);
        assert_eq!(
            frame.take::<(u64, bool)>(1),
            ((0x1111_2222_3333_4444, true), 3)
        );
        assert_eq!(word(&frame, 3), 5);
        assert_eq!(word(&frame, 4), 0);
    }

    #[test]
    fn hooks_without_arguments_have_a_context() {
        let frame = Frame::new(0, false, 0);
        assert_eq!(word(&frame, -1), 0);
        assert_eq!(word(&frame, 0), 0);
    }
}
