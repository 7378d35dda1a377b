// SPDX-License-Identifier: GPL-2.0

//! Access to slots without a call.
//!
//! In most programs the verifier knows that the number and the size of a slot are constants. All
//! that the kfunc would find out is then known when the program is loaded, except for the object.
//! The verifier replaces such a call by instructions that load the blob from the object and add the
//! slot's offset. The program's own test for NULL is removed with the call: the instructions jump
//! to its target if there are no bytes.
//!
//! - [`emit`]: the instructions that replace the call
//! - [`insn`]: instructions in general
//! - [`dce`]: which instructions were for the call alone
//!
//! Pure, except for the two pointers that the verifier passes.

mod dce;
mod emit;
mod insn;

use super::{class::Class, index, missing};
use emit::Code;
use insn::{jump, MAX};
use kernel::{bindings, prelude::*};

/// Replaces a call, and removes the instructions that were for the call alone.
///
/// `buf` has `len` instructions, after which the object is in the register `call.object`. Returns
/// the number of instructions in `buf`, or 0 if the call stays. May sleep.
///
/// # Safety
///
/// - `call` must be valid, and not accessed by others during the call.
/// - `call.path` must lead from an object of its class to the blob, and mark every pointer that can
///   be NULL, except for the blob.
/// - `call.insns` must be the `call.len` instructions of the program, not accessed by others during
///   the call. The one at `call.index` is the call.
/// - `buf` must have space for `INSN_BUF_SIZE` instructions.
#[export]
pub(crate) unsafe extern "C" fn krsi_blob_replace(
    call: *mut bindings::krsi_blob_call,
    buf: *mut bindings::bpf_insn,
    len: c_uint,
) -> c_int {
    // SAFETY: The caller passes a valid `call` that only it has, with a valid path.
    let (call, mut path) = unsafe { (&mut *call, *(*call).path) };
    let Some(place) = index::place(path.class, call.slot, call.size) else {
        return 0;
    };
    let hook = usize::try_from(call.hook).ok();
    if missing::possible(Class::ALL[path.class as usize], hook) {
        path.null |= 1 << path.len;
    }
    // Other architectures need a load with acquire semantics for the word.
    if place.ready.is_some() && !cfg!(CONFIG_X86) {
        return 0;
    }
    // SAFETY: The caller passes the program's `len` instructions and space for `INSN_BUF_SIZE`, and
    // nothing else accesses them during the call.
    let (insns, buf) = unsafe {
        (
            core::slice::from_raw_parts_mut(call.insns, call.len as usize),
            core::slice::from_raw_parts_mut(buf, MAX),
        )
    };
    let mut code = Code::new(buf, len as usize);
    let at = call.index as usize;
    let test = dce::test_after(insns, at);
    let Some((before, [insn, after @ ..])) = insns.split_at_mut_checked(at) else {
        return 0;
    };

    emit::access(&mut code, &path, &place, call, *insn, test);
    if code.len() > MAX {
        return 0;
    }
    call.first = dce::drop_unread(before, 0b11 << call.reg) as u32;
    if test.is_some() {
        after[0] = jump(0);
    }
    code.len() as c_int
}
