// SPDX-License-Identifier: GPL-2.0

//! Access to the arguments and the environment of a program that is about to run.
//!
//! Implements the kfuncs in `kernel/bpf/krsi_exec.c`. The kernel has already copied the strings
//! from user space, and no other task can change them.
//!
//! Another task can have changed the strings while the kernel copied them, so NULs may be missing
//! or additional. Therefore, the strings are delimited as `execve()` does it for the program, by
//! walking from the first. A policy sees the same strings as the program.
//!
//! - [`strings`]: the sequence of strings
//! - [`scan`]: searching bytes that come in chunks
//! - [`output`]: memory of programs
//! - [`dump`]: sends all strings to user space

mod dump;
mod output;
mod scan;
mod strings;

use crate::text::Text;
use dump::{dump, Events, Ring};
use kernel::{bindings, binprm::Binprm, bpf::map::Map, page::PAGE_SIZE, prelude::*};
use output::Output;
use strings::{Cursor, Strings};

pub(crate) use dump::dumps_lost;

/// Length of the longest string that `execve()` accepts, without its NUL: see `MAX_ARG_STRLEN`.
const STRING_MAX: usize = PAGE_SIZE * 32 - 1;

/// See `krsi_bprm_read()`.
///
/// # Safety
///
/// - `bprm` must be the argument of the hook that the current task is in, which must come before
///   `bprm_committing_creds`.
/// - `size` bytes at `dst` must be memory that a BPF program may write.
#[export]
pub(crate) unsafe extern "C" fn krsi_exec_read(
    bprm: *const bindings::linux_binprm,
    off: u64,
    dst: *mut c_void,
    size: u32,
) -> i64 {
    // SAFETY: The caller passes the hook's argument, and memory of that size.
    let (bprm, mut dst) = unsafe { (Binprm::from_raw(bprm), Output::new(dst, size)) };

    let result = Strings::new(bprm).and_then(|mut strings| strings.read(off, &mut dst));
    dst.finish(result)
}

/// See `krsi_bprm_arg()`.
///
/// # Safety
///
/// As for [`krsi_exec_read`].
#[export]
pub(crate) unsafe extern "C" fn krsi_exec_arg(
    bprm: *const bindings::linux_binprm,
    index: u32,
    dst: *mut c_void,
    size: u32,
) -> i64 {
    // SAFETY: The caller passes the hook's argument, and memory of that size.
    let (bprm, mut dst) = unsafe { (Binprm::from_raw(bprm), Output::new(dst, size)) };

    let result = Strings::new(bprm).and_then(|mut strings| strings.arg(index, &mut dst));
    dst.finish(result)
}

/// See `krsi_bprm_next_arg()`.
///
/// # Safety
///
/// As for [`krsi_exec_read`], and `cursor` must be memory that a BPF program may write.
#[export]
pub(crate) unsafe extern "C" fn krsi_exec_next_arg(
    bprm: *const bindings::linux_binprm,
    cursor: *mut bindings::krsi_arg_cursor,
    dst: *mut c_void,
    size: u32,
) -> i64 {
    // SAFETY: The caller passes the hook's argument, and memory of that size.
    let (bprm, mut dst) = unsafe { (Binprm::from_raw(bprm), Output::new(dst, size)) };
    // SAFETY: The caller passes memory of the program, which may be unaligned. It is read once,
    // because other programs may write to a cursor in a map concurrently.
    let old = Cursor::from_raw(unsafe { cursor.read_unaligned() });

    let result = Strings::new(bprm).and_then(|mut strings| strings.next_arg(old, &mut dst));
    dst.finish(result.map(|(len, next)| {
        // SAFETY: The caller passes memory that the program may write, which may be unaligned.
        unsafe { cursor.write_unaligned(next.into_raw()) };
        len
    }))
}

/// See `krsi_bprm_find_arg()`.
///
/// # Safety
///
/// As for [`krsi_exec_read`] without `dst`. `size` bytes at `text` must be readable; other CPUs may
/// write them.
#[export]
pub(crate) unsafe extern "C" fn krsi_exec_find_arg(
    bprm: *const bindings::linux_binprm,
    from: u32,
    text: *const c_char,
    size: u32,
    flags: u64,
) -> i64 {
    // SAFETY: The caller passes the hook's argument, and readable memory of that size.
    let (bprm, text) = unsafe { (Binprm::from_raw(bprm), Text::from_raw(text, size)) };

    text.ok_or(EINVAL)
        .and_then(|text| find_arg(bprm, from, text, flags))
        .map_or_else(|e| e.to_errno().into(), |index| index as i64)
}

fn find_arg(bprm: &Binprm, from: u32, text: Text<'_>, flags: u64) -> Result<u64> {
    const PREFIX: u64 = bindings::krsi_arg_flags_KRSI_ARG_PREFIX as u64;

    if flags & !PREFIX != 0 {
        return Err(EINVAL);
    }
    let mut strings = Strings::new(bprm)?;
    let len = text.len(STRING_MAX + 1);
    if len > STRING_MAX {
        // No argument is that long.
        return Err(ENOENT);
    }
    // A copy, which does not change while it is compared.
    let mut copy = KVec::from_elem(0, len, GFP_KERNEL)?;
    let text = text.copy(&mut copy);

    strings.find_arg(from, text, flags & PREFIX != 0)
}

/// See `krsi_bprm_env()`.
///
/// # Safety
///
/// As for [`krsi_exec_read`], and `name` must be a C string that does not change.
#[export]
pub(crate) unsafe extern "C" fn krsi_exec_env(
    bprm: *const bindings::linux_binprm,
    name: *const c_char,
    dst: *mut c_void,
    size: u32,
) -> i64 {
    // SAFETY: The caller passes the hook's argument, and memory of that size.
    let (bprm, mut dst) = unsafe { (Binprm::from_raw(bprm), Output::new(dst, size)) };
    // SAFETY: The caller passes a C string.
    let name = unsafe { CStr::from_char_ptr(name) }.to_bytes();
    let result = Strings::new(bprm).and_then(|mut strings| strings.env(name, &mut dst));
    dst.finish(result)
}

/// See `krsi_bprm_dump()`.
///
/// # Safety
///
/// As for [`krsi_exec_read`] without `dst`. `map` must be a map that the program holds a reference
/// to.
#[export]
pub(crate) unsafe extern "C" fn krsi_exec_dump(
    bprm: *const bindings::linux_binprm,
    map: *mut bindings::bpf_map,
    flags: u64,
) -> i64 {
    // SAFETY: The caller passes the hook's argument, and a map that lives during the call.
    let (bprm, map) = unsafe { (Binprm::from_raw(bprm), Map::from_raw(map)) };

    let result = if let Some(ring) = map.ring_buffer() {
        Ring::new(ring, flags).and_then(|mut ring| dump(bprm, &mut ring))
    } else if let Some(events) = map.perf_events() {
        Events::new(events, flags).and_then(|mut events| dump(bprm, &mut events))
    } else {
        Err(EINVAL)
    };
    result.map_or_else(|e| e.to_errno().into(), |id| id as i64)
}
