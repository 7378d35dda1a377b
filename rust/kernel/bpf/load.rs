// SPDX-License-Identifier: GPL-2.0

//! Loading BPF programs from within the kernel.
//!
//! The equivalent of bpf(2) for programs that are part of the kernel image. The verifier's log can
//! only be written to user memory, so it is lost.
//!
//! C header: [`include/uapi/linux/bpf.h`](srctree/include/uapi/linux/bpf.h)

use super::Prog;
use crate::{bindings, error::to_result, prelude::*};
use core::{mem::size_of, ptr::NonNull};

/// A file descriptor of the current task, closed when this is dropped.
///
/// # Invariants
///
/// The descriptor is open until this is dropped.
struct Fd(u32);

impl Fd {
    fn from_result(result: c_int) -> Result<Self> {
        to_result(result)?;
        // INVARIANT: The system call has just opened it.
        Ok(Self(result as u32))
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the descriptor is open.
        unsafe { bindings::close_fd(self.0) };
    }
}

/// Executes a command of bpf(2). May sleep.
///
/// # Safety
///
/// The addresses in `attr` must be of kernel memory that the command may access as it does.
unsafe fn call(command: bindings::bpf_cmd, attr: &mut bindings::bpf_attr) -> Result<Fd> {
    let size = size_of::<bindings::bpf_attr>() as u32;
    // SAFETY: `attr` has that size. The caller guarantees that its addresses are valid.
    Fd::from_result(unsafe { bindings::kern_sys_bpf(command as c_int, attr, size) })
}

/// Type information that programs refer to.
pub struct Btf(Fd);

impl Btf {
    /// Loads the contents of a section `.BTF`. May sleep.
    pub fn load(data: &[u8]) -> Result<Self> {
        let mut attr = bindings::bpf_attr::default();
        // SAFETY: All members are integers.
        let load = unsafe { &mut attr.__bindgen_anon_7 };

        load.btf = data.as_ptr() as u64;
        load.btf_size = data.len().try_into()?;
        // SAFETY: The command reads `data`.
        Ok(Self(unsafe {
            call(bindings::bpf_cmd_BPF_BTF_LOAD, &mut attr)
        }?))
    }
}

/// A program that implements a member of a kernel structure of functions.
pub struct StructOps<'a> {
    /// The name that user space sees. Truncated if it is too long.
    pub name: &'a [u8],
    /// The id of the structure in the kernel's BTF.
    pub structure: u32,
    /// The place of the member in the structure.
    pub member: u32,
    /// The instructions.
    pub insns: &'a [bindings::bpf_insn],
    /// The types that the relocations refer to.
    pub btf: &'a Btf,
    /// Relocations of accesses to kernel types, records of `core_relo_size` bytes.
    pub core_relos: &'a [u8],
    /// See `core_relos`.
    pub core_relo_size: u32,
}

impl StructOps<'_> {
    /// Loads and verifies a program, which may sleep and whose license is compatible with the GPL.
    ///
    /// May sleep.
    ///
    /// # Errors
    ///
    /// Those of bpf(2): `EACCES` or `EINVAL` if the verifier rejects the program.
    pub fn load(&self) -> Result<OwnedProg> {
        let mut attr = bindings::bpf_attr::default();
        // SAFETY: All members are integers.
        let load = unsafe { &mut attr.__bindgen_anon_3 };

        load.prog_type = bindings::bpf_prog_type_BPF_PROG_TYPE_STRUCT_OPS;
        load.insn_cnt = self.insns.len().try_into()?;
        load.insns = self.insns.as_ptr() as u64;
        load.license = c"GPL".as_char_ptr() as u64;
        load.prog_flags = bindings::BPF_F_SLEEPABLE;
        for (to, from) in load.prog_name.iter_mut().take(15).zip(self.name) {
            *to = *from as c_char;
        }
        load.expected_attach_type = self.member;
        load.attach_btf_id = self.structure;
        load.prog_btf_fd = self.btf.0 .0;
        if self.core_relo_size != 0 && !self.core_relos.is_empty() {
            let count = self.core_relos.len() / self.core_relo_size as usize;
            load.core_relo_cnt = count.try_into()?;
            load.core_relos = self.core_relos.as_ptr() as u64;
            load.core_relo_rec_size = self.core_relo_size;
        }
        // SAFETY: The command reads the instructions, the license and the relocations, whose
        // lengths are in `attr`.
        let fd = unsafe { call(bindings::bpf_cmd_BPF_PROG_LOAD, &mut attr) }?;
        // SAFETY: An FFI call; the descriptor is open, and returns a reference or an error.
        let prog = crate::error::from_err_ptr(unsafe { bindings::bpf_prog_get(fd.0) })?;
        // INVARIANT: A reference was just taken.
        Ok(OwnedProg(NonNull::new(prog).ok_or(EINVAL)?))
    }
}

/// A reference to a program.
///
/// # Invariants
///
/// The value owns a reference to the program.
pub struct OwnedProg(NonNull<bindings::bpf_prog>);

impl OwnedProg {
    /// The program.
    pub fn prog(&self) -> &Prog {
        // SAFETY: By the type invariant the program is alive.
        unsafe { Prog::from_raw(self.0.as_ptr()) }
    }

    /// The number of instructions that the verifier processed.
    pub fn verified_insns(&self) -> u32 {
        // SAFETY: By the type invariant the program is alive, and so is `aux`.
        unsafe { (*(*self.0.as_ptr()).aux).verified_insns }
    }

    /// Leaks the reference, so that the program is never freed.
    pub fn leak(self) -> &'static Prog {
        let prog = self.0.as_ptr();
        core::mem::forget(self);
        // SAFETY: The reference is never dropped.
        unsafe { Prog::from_raw(prog) }
    }
}

impl Drop for OwnedProg {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the value owns a reference, which it gives up.
        unsafe { bindings::bpf_prog_put(self.0.as_ptr()) };
    }
}
