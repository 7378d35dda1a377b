// SPDX-License-Identifier: GPL-2.0

//! BPF instructions, for programs that are made here rather than compiled.

use libbpf_rs::libbpf_sys::{
    bpf_insn, BPF_ADD, BPF_ALU64, BPF_AND, BPF_B, BPF_CALL, BPF_DW, BPF_EXIT, BPF_IMM, BPF_JEQ,
    BPF_JMP, BPF_JNE, BPF_K, BPF_LD, BPF_LDX, BPF_MEM, BPF_MOV, BPF_STX, BPF_W, BPF_X,
};

/// A register.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reg {
    R0,
    R1,
    R2,
    R3,
    R4,
    R6 = 6,
    R7,
    /// The frame pointer: a program's stack is below it.
    R10 = 10,
}

/// The size of a load or store.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Size {
    Byte = BPF_B,
    Word = BPF_W,
    Double = BPF_DW,
}

/// An instruction, laid out as the kernel's `struct bpf_insn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Insn {
    code: u8,
    /// Destination in the low half, source in the high one.
    regs: u8,
    off: i16,
    imm: i32,
}

impl Insn {
    pub fn new(code: u8, regs: u8, off: i16, imm: i32) -> Self {
        Self {
            code,
            regs,
            off,
            imm,
        }
    }

    pub fn set_off(&mut self, off: i16) {
        self.off = off;
    }

    pub fn set_imm(&mut self, imm: i32) {
        self.imm = imm;
    }

    /// Code, registers, offset and number.
    #[cfg(test)]
    pub fn parts(&self) -> (u8, u8, i16, i32) {
        (self.code, self.regs, self.off, self.imm)
    }
}

const _: () = assert!(size_of::<Insn>() == size_of::<bpf_insn>());
const _: () = assert!(align_of::<Insn>() >= align_of::<bpf_insn>());
const _: () = assert!(cfg!(target_endian = "little"));

/// A program under construction. Jumps go to the end of it, where [`Program::label`] says.
#[derive(Default)]
pub struct Program {
    insns: Vec<Insn>,
    /// Jumps whose target is not known yet.
    open: Vec<usize>,
}

impl Program {
    fn push(mut self, code: u32, dst: Reg, src: Reg, off: i16, imm: i32) -> Self {
        self.insns.push(Insn {
            // Codes are bytes by definition.
            code: code as u8,
            regs: dst as u8 | ((src as u8) << 4),
            off,
            imm,
        });
        self
    }

    /// `dst = imm`
    pub fn set(self, dst: Reg, imm: i32) -> Self {
        self.push(BPF_ALU64 | BPF_MOV | BPF_K, dst, Reg::R0, 0, imm)
    }

    /// `dst = imm`, of 64 bits: two instructions.
    pub fn set64(self, dst: Reg, imm: u64) -> Self {
        self.push(BPF_LD | BPF_DW | BPF_IMM, dst, Reg::R0, 0, imm as i32)
            .push(0, Reg::R0, Reg::R0, 0, (imm >> 32) as i32)
    }

    /// `dst = src`
    pub fn copy(self, dst: Reg, src: Reg) -> Self {
        self.push(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
    }

    /// `dst += imm`
    pub fn add(self, dst: Reg, imm: i32) -> Self {
        self.push(BPF_ALU64 | BPF_ADD | BPF_K, dst, Reg::R0, 0, imm)
    }

    /// `dst &= imm`
    pub fn and(self, dst: Reg, imm: i32) -> Self {
        self.push(BPF_ALU64 | BPF_AND | BPF_K, dst, Reg::R0, 0, imm)
    }

    /// `dst = *(size *)(src + off)`
    pub fn load(self, size: Size, dst: Reg, src: Reg, off: i16) -> Self {
        self.push(BPF_LDX | BPF_MEM | size as u32, dst, src, off, 0)
    }

    /// `*(size *)(dst + off) = src`
    pub fn store(self, size: Size, dst: Reg, off: i16, src: Reg) -> Self {
        self.push(BPF_STX | BPF_MEM | size as u32, dst, src, off, 0)
    }

    /// Calls the helper function of this number.
    pub fn call(self, helper: u32) -> Self {
        self.push(BPF_JMP | BPF_CALL, Reg::R0, Reg::R0, 0, helper as i32)
    }

    /// Goes to the label if `dst == imm`.
    pub fn jump_if(mut self, dst: Reg, imm: i32) -> Self {
        self.open.push(self.insns.len());
        self.push(BPF_JMP | BPF_JEQ | BPF_K, dst, Reg::R0, 0, imm)
    }

    /// Goes to the label if `dst != imm`.
    pub fn jump_unless(mut self, dst: Reg, imm: i32) -> Self {
        self.open.push(self.insns.len());
        self.push(BPF_JMP | BPF_JNE | BPF_K, dst, Reg::R0, 0, imm)
    }

    /// The label: what jumps so far go to is what follows.
    pub fn label(mut self) -> Self {
        for jump in self.open.drain(..) {
            let distance = self.insns.len() - jump - 1;
            self.insns[jump].off = i16::try_from(distance).expect("programs here are short");
        }
        self
    }

    /// Ends the program with `r0` as its verdict.
    pub fn exit(self) -> Self {
        self.push(BPF_JMP | BPF_EXIT, Reg::R0, Reg::R0, 0, 0)
    }

    pub fn finish(self) -> Vec<Insn> {
        assert!(self.open.is_empty(), "a jump goes nowhere");
        self.insns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that `struct bpf_insn` has for an instruction.
    fn bytes(insn: &Insn) -> (u8, u8, i16, i32) {
        (insn.code, insn.regs, insn.off, insn.imm)
    }

    #[test]
    fn encoding() {
        let program = Program::default()
            .set(Reg::R0, -1)
            .set64(Reg::R2, 0x1_0000_0002)
            .copy(Reg::R3, Reg::R10)
            .add(Reg::R3, -8)
            .load(Size::Word, Reg::R1, Reg::R10, -8)
            .store(Size::Double, Reg::R10, -16, Reg::R7)
            .call(120)
            .exit()
            .finish();
        let expected = [
            (0xb7, 0x00, 0, -1),
            (0x18, 0x02, 0, 2),
            (0x00, 0x00, 0, 1),
            (0xbf, 0xa3, 0, 0),
            (0x07, 0x03, 0, -8),
            (0x61, 0xa1, -8, 0),
            (0x7b, 0x7a, -16, 0),
            (0x85, 0x00, 0, 120),
            (0x95, 0x00, 0, 0),
        ];
        assert!(program.iter().map(bytes).eq(expected));
    }

    #[test]
    fn jumps_go_to_the_label() {
        let program = Program::default()
            .jump_if(Reg::R0, 1)
            .jump_unless(Reg::R1, 2)
            .set(Reg::R0, 3)
            .label()
            .exit()
            .finish();
        assert_eq!(bytes(&program[0]), (0x15, 0x00, 2, 1));
        assert_eq!(bytes(&program[1]), (0x55, 0x01, 1, 2));
    }
}
