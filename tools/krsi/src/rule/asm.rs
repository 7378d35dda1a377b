// SPDX-License-Identifier: GPL-2.0

//! An assembler for BPF: instructions with labels, and with maps and kernel functions by name,
//! which are only known when the program is loaded.

use crate::kernel::insn::Insn;
use libbpf_rs::libbpf_sys as sys;

/// A register. R10 is the frame pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct R(pub u8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    U8,
    U16,
    U32,
    U64,
}

impl Size {
    fn code(self) -> u32 {
        match self {
            Self::U8 => sys::BPF_B,
            Self::U16 => sys::BPF_H,
            Self::U32 => sys::BPF_W,
            Self::U64 => sys::BPF_DW,
        }
    }
}

/// What a jump compares, without signs but where it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum If {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    AnyBit,
    LessSigned,
}

impl If {
    fn code(self) -> u32 {
        match self {
            Self::Equal => sys::BPF_JEQ,
            Self::NotEqual => sys::BPF_JNE,
            Self::Less => sys::BPF_JLT,
            Self::LessOrEqual => sys::BPF_JLE,
            Self::Greater => sys::BPF_JGT,
            Self::GreaterOrEqual => sys::BPF_JGE,
            Self::AnyBit => sys::BPF_JSET,
            Self::LessSigned => sys::BPF_JSLT,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(usize);

/// A place to fill in when the program is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// A map.
    Map(String),
    /// The value of a map with one entry, from this byte on.
    Value(String, u32),
    /// A kernel function.
    Kfunc(&'static str),
}

#[derive(Clone, Copy)]
enum Fix {
    /// 16 bits of `off`.
    Near(Label),
    /// 32 bits of `imm`.
    Far(Label),
}

/// The code of a program, complete but for symbols.
#[derive(Debug)]
pub struct Code {
    pub insns: Vec<Insn>,
    pub symbols: Vec<(usize, Symbol)>,
}

#[derive(Default)]
pub struct Asm {
    insns: Vec<Insn>,
    symbols: Vec<(usize, Symbol)>,
    labels: Vec<Option<usize>>,
    fixes: Vec<(usize, Fix)>,
}

const ZERO: R = R(0);

impl Asm {
    fn push(&mut self, code: u32, dst: R, src: R, off: i16, imm: i32) {
        self.insns
            .push(Insn::new(code as u8, dst.0 | (src.0 << 4), off, imm));
    }

    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label is here.
    pub fn place(&mut self, label: Label) {
        self.labels[label.0] = Some(self.insns.len());
    }

    pub fn mov(&mut self, dst: R, src: R) {
        self.push(sys::BPF_ALU64 | sys::BPF_MOV | sys::BPF_X, dst, src, 0, 0);
    }

    pub fn set(&mut self, dst: R, imm: i32) {
        self.push(
            sys::BPF_ALU64 | sys::BPF_MOV | sys::BPF_K,
            dst,
            ZERO,
            0,
            imm,
        );
    }

    pub fn set64(&mut self, dst: R, imm: u64) {
        if let Ok(small) = i32::try_from(imm) {
            return self.set(dst, small);
        }
        self.push(
            sys::BPF_LD | sys::BPF_DW | sys::BPF_IMM,
            dst,
            ZERO,
            0,
            imm as i32,
        );
        self.push(0, ZERO, ZERO, 0, (imm >> 32) as i32);
    }

    /// `dst = imm`, without a sign.
    pub fn set32(&mut self, dst: R, imm: u32) {
        self.push(
            sys::BPF_ALU | sys::BPF_MOV | sys::BPF_K,
            dst,
            ZERO,
            0,
            imm as i32,
        );
    }

    /// `dst = (u32)src`
    pub fn mov32(&mut self, dst: R, src: R) {
        self.push(sys::BPF_ALU | sys::BPF_MOV | sys::BPF_X, dst, src, 0, 0);
    }

    fn alu(&mut self, op: u32, dst: R, imm: i32) {
        self.push(sys::BPF_ALU64 | op | sys::BPF_K, dst, ZERO, 0, imm);
    }

    pub fn add(&mut self, dst: R, imm: i32) {
        self.alu(sys::BPF_ADD, dst, imm);
    }

    pub fn and(&mut self, dst: R, imm: i32) {
        self.alu(sys::BPF_AND, dst, imm);
    }

    pub fn shr(&mut self, dst: R, imm: i32) {
        self.alu(sys::BPF_RSH, dst, imm);
    }

    pub fn shl(&mut self, dst: R, imm: i32) {
        self.alu(sys::BPF_LSH, dst, imm);
    }

    pub fn or(&mut self, dst: R, src: R) {
        self.push(sys::BPF_ALU64 | sys::BPF_OR | sys::BPF_X, dst, src, 0, 0);
    }

    pub fn and_with(&mut self, dst: R, src: R) {
        self.push(sys::BPF_ALU64 | sys::BPF_AND | sys::BPF_X, dst, src, 0, 0);
    }

    pub fn sub(&mut self, dst: R, src: R) {
        self.push(sys::BPF_ALU64 | sys::BPF_SUB | sys::BPF_X, dst, src, 0, 0);
    }

    pub fn add_with(&mut self, dst: R, src: R) {
        self.push(sys::BPF_ALU64 | sys::BPF_ADD | sys::BPF_X, dst, src, 0, 0);
    }

    /// `dst = *(size *)(src + off)`
    pub fn load(&mut self, size: Size, dst: R, src: R, off: i16) {
        self.push(sys::BPF_LDX | sys::BPF_MEM | size.code(), dst, src, off, 0);
    }

    /// `*(size *)(dst + off) = src`
    pub fn store(&mut self, size: Size, dst: R, off: i16, src: R) {
        self.push(sys::BPF_STX | sys::BPF_MEM | size.code(), dst, src, off, 0);
    }

    /// `*(size *)(dst + off) = imm`
    pub fn store_imm(&mut self, size: Size, dst: R, off: i16, imm: i32) {
        self.push(
            sys::BPF_ST | sys::BPF_MEM | size.code(),
            dst,
            ZERO,
            off,
            imm,
        );
    }

    /// `*(u64 *)(dst + off) += src`, at once for all that do.
    pub fn count(&mut self, dst: R, off: i16, src: R) {
        self.push(
            sys::BPF_STX | sys::BPF_ATOMIC | sys::BPF_DW,
            dst,
            src,
            off,
            sys::BPF_ADD as i32,
        );
    }

    pub fn helper(&mut self, helper: u32) {
        self.push(sys::BPF_JMP | sys::BPF_CALL, ZERO, ZERO, 0, helper as i32);
    }

    pub fn kfunc(&mut self, name: &'static str) {
        self.symbols.push((self.insns.len(), Symbol::Kfunc(name)));
        let kfunc = R(sys::BPF_PSEUDO_KFUNC_CALL as u8);
        self.push(sys::BPF_JMP | sys::BPF_CALL, ZERO, kfunc, 0, -1);
    }

    /// Calls the function at the label.
    pub fn call(&mut self, label: Label) {
        self.fixes.push((self.insns.len(), Fix::Far(label)));
        let local = R(sys::BPF_PSEUDO_CALL as u8);
        self.push(sys::BPF_JMP | sys::BPF_CALL, ZERO, local, 0, 0);
    }

    /// Whether anything refers to the label.
    pub fn is_called(&self, label: Label) -> bool {
        let of = |(_, fix): &(usize, Fix)| match fix {
            Fix::Near(other) | Fix::Far(other) => *other == label,
        };
        self.fixes.iter().any(of)
    }

    pub fn map(&mut self, dst: R, name: &str) {
        self.symbols
            .push((self.insns.len(), Symbol::Map(name.into())));
        let kind = R(sys::BPF_PSEUDO_MAP_FD as u8);
        self.push(sys::BPF_LD | sys::BPF_DW | sys::BPF_IMM, dst, kind, 0, 0);
        self.push(0, ZERO, ZERO, 0, 0);
    }

    /// The address of what a map of one entry has.
    pub fn value(&mut self, dst: R, name: &str, offset: u32) {
        self.symbols
            .push((self.insns.len(), Symbol::Value(name.into(), offset)));
        let kind = R(sys::BPF_PSEUDO_MAP_VALUE as u8);
        self.push(sys::BPF_LD | sys::BPF_DW | sys::BPF_IMM, dst, kind, 0, 0);
        self.push(0, ZERO, ZERO, 0, 0);
    }

    pub fn jump(&mut self, to: Label) {
        self.fixes.push((self.insns.len(), Fix::Far(to)));
        self.push(sys::BPF_JMP32 | sys::BPF_JA, ZERO, ZERO, 0, 0);
    }

    /// To the label if `dst` compares so with `imm`, whose sign is extended. Both kinds of jumps
    /// reach any label: it is never far for the first instruction, and 32 bits for the second.
    pub fn jump_if(&mut self, cond: If, dst: R, imm: i32, to: Label) {
        let skip = self.skip(sys::BPF_JMP | cond.code() | sys::BPF_K, dst, ZERO, imm);
        self.jump(to);
        self.place(skip);
    }

    pub fn jump_if_reg(&mut self, cond: If, dst: R, src: R, to: Label) {
        let skip = self.skip(sys::BPF_JMP | cond.code() | sys::BPF_X, dst, src, 0);
        self.jump(to);
        self.place(skip);
    }

    /// As [`Self::jump_if`], to a label that is near: less than 32768 instructions.
    pub fn near_if(&mut self, cond: If, dst: R, imm: i32, to: Label) {
        self.fixes.push((self.insns.len(), Fix::Near(to)));
        self.push(sys::BPF_JMP | cond.code() | sys::BPF_K, dst, ZERO, 0, imm);
    }

    pub fn near_if_reg(&mut self, cond: If, dst: R, src: R, to: Label) {
        self.fixes.push((self.insns.len(), Fix::Near(to)));
        self.push(sys::BPF_JMP | cond.code() | sys::BPF_X, dst, src, 0, 0);
    }

    /// Jumps over what does not belong to the case: the condition goes to its own next but one.
    fn skip(&mut self, code: u32, dst: R, src: R, imm: i32) -> Label {
        let label = self.label();
        self.push(code, dst, src, 1, imm);
        self.fixes.push((self.insns.len(), Fix::Near(label)));
        self.push(sys::BPF_JMP | sys::BPF_JA, ZERO, ZERO, 0, 0);
        label
    }

    /// Goes on here, unless this loop took too long: then to the label.
    pub fn may_goto(&mut self, to: Label) {
        self.fixes.push((self.insns.len(), Fix::Near(to)));
        self.push(sys::BPF_JMP | sys::BPF_JCOND, ZERO, ZERO, 0, 0);
    }

    pub fn exit(&mut self) {
        self.push(sys::BPF_JMP | sys::BPF_EXIT, ZERO, ZERO, 0, 0);
    }

    /// The program, or `None` if a jump is farther than there are numbers for.
    pub fn finish(mut self) -> Option<Code> {
        for (at, fix) in std::mem::take(&mut self.fixes) {
            let (Fix::Near(label) | Fix::Far(label)) = fix;
            let target = self.labels[label.0].expect("each label is placed");
            let distance = target as i64 - at as i64 - 1;
            match fix {
                Fix::Near(_) => self.insns[at].set_off(i16::try_from(distance).ok()?),
                Fix::Far(_) => self.insns[at].set_imm(i32::try_from(distance).ok()?),
            }
        }
        Some(Code {
            insns: self.insns,
            symbols: self.symbols,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_jumps_go_over_the_near_one() {
        let mut asm = Asm::default();
        let end = asm.label();
        asm.jump_if(If::Equal, R(1), 7, end);
        asm.set(R(0), 1);
        asm.place(end);
        asm.exit();
        let code = asm.finish().unwrap();
        let parts: Vec<_> = code.insns.iter().map(Insn::parts).collect();
        // if r1 == 7 goto +1; goto +1; gotol +1; r0 = 1; exit
        assert_eq!(parts[0], (0x15, 0x01, 1, 7));
        assert_eq!(parts[1], (0x05, 0x00, 1, 0));
        assert_eq!(parts[2], (0x06, 0x00, 0, 1));
        assert_eq!(parts[4], (0x95, 0x00, 0, 0));
    }

    #[test]
    fn symbols_know_their_instruction() {
        let mut asm = Asm::default();
        asm.map(R(1), "rules");
        asm.kfunc("krsi_path");
        let code = asm.finish().unwrap();
        assert_eq!(
            code.symbols,
            [
                (0, Symbol::Map("rules".into())),
                (2, Symbol::Kfunc("krsi_path"))
            ]
        );
        assert_eq!(code.insns[2].parts(), (0x85, 0x20, 0, -1));
    }

    #[test]
    fn too_far_is_told() {
        let mut asm = Asm::default();
        let end = asm.label();
        asm.near_if(If::Equal, R(1), 0, end);
        (0..40_000).for_each(|_| asm.set(R(0), 0));
        asm.place(end);
        asm.exit();
        assert!(asm.finish().is_none());
    }
}
