// SPDX-License-Identifier: GPL-2.0

//! BPF instructions.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::elf::u32_at;

/// Size of an instruction in bytes.
pub(crate) const INSN: usize = 8;

/// An instruction.
#[derive(Clone, Copy)]
pub(crate) struct Insn {
    pub(crate) code: u8,
    /// Source register, or the kind of the constant in `imm`.
    pub(crate) src: u8,
    pub(crate) dst: u8,
    pub(crate) off: [u8; 2],
    pub(crate) imm: u32,
}

/// Loads 64 bits. The next instruction contains the upper 32.
pub(crate) const LD_IMM64: u8 = 0x18;
/// Calls a helper, a function or a kfunc, depending on `src`.
pub(crate) const CALL: u8 = 0x85;
pub(crate) const CALL_REGISTER: u8 = 0x8d;
pub(crate) const MAY_GOTO: u8 = 0xe5;
pub(crate) const JUMP_REGISTER: u8 = 0x0d;
/// `src` of a function call. Compilers use it for all calls except those of helpers.
pub(crate) const PSEUDO_CALL: u8 = 1;

impl Insn {
    /// Decodes the instruction at `at`.
    pub(crate) fn at(insns: &[u8], at: usize) -> Option<Self> {
        let &[code, regs, off0, off1, ..] = insns.get(at..)? else {
            return None;
        };
        Some(Self {
            code,
            src: regs >> 4,
            dst: regs & 15,
            off: [off0, off1],
            imm: u32_at(insns, at.checked_add(4)?)?,
        })
    }
}
