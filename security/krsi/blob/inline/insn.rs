// SPDX-License-Identifier: GPL-2.0

//! Instructions, as the verifier has them.

use kernel::bindings;

/// The most instructions that can replace a call.
pub(super) const MAX: usize = bindings::INSN_BUF_SIZE as usize;

/// R0, in which calls leave a value.
pub(super) const R0: u8 = 0;

/// Makes an instruction.
pub(super) fn insn(code: u32, dst: u8, src: u8, off: i16, imm: i32) -> bindings::bpf_insn {
    bindings::bpf_insn {
        code: code as u8,
        _bitfield_align_1: [],
        _bitfield_1: bindings::bpf_insn::new_bitfield_1(dst, src),
        off,
        imm,
    }
}

/// `dst = *(size *)(src + off)`
pub(super) fn load(size: u32, dst: u8, src: u8, off: i16) -> bindings::bpf_insn {
    insn(
        bindings::BPF_LDX | bindings::BPF_MEM | size,
        dst,
        src,
        off,
        0,
    )
}

/// `dst = imm`, zero-extended from 32 bits.
pub(super) fn set(dst: u8, imm: u32) -> bindings::bpf_insn {
    let code = bindings::BPF_ALU | bindings::BPF_MOV | bindings::BPF_K;
    insn(code, dst, 0, 0, imm as i32)
}

/// Jumps by `off` instructions. Does nothing if that is 0.
pub(super) fn jump(off: i16) -> bindings::bpf_insn {
    insn(bindings::BPF_JMP | bindings::BPF_JA, 0, 0, off, 0)
}

/// Jumps if `dst` compares with `imm` as `op` says, with 32 or, as [`bindings::BPF_JMP`], 64 bits.
pub(super) fn jump_if(width: u32, op: u32, dst: u8, imm: u32, off: i16) -> bindings::bpf_insn {
    insn(width | op | bindings::BPF_K, dst, 0, off, imm as i32)
}
