// SPDX-License-Identifier: GPL-2.0

//! An assembler for BPF: instructions with labels, and with maps and kernel functions by name,
//! which are only known when the program is loaded.

use crate::kernel::insn::Insn;
use libbpf_rs::libbpf_sys as sys;
use std::collections::BTreeSet;

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
    /// The same, but if it is too far the jump is made of more instructions.
    Either(Label),
    /// 32 bits of `imm`.
    Far(Label),
}

impl Fix {
    fn label(self) -> Label {
        let (Self::Near(label) | Self::Either(label) | Self::Far(label)) = self;
        label
    }
}

/// How far a jump of 16 bits goes here. The kernel puts several instructions in the place of some,
/// such as of a lookup, and refuses the program with ENOMEM if a jump no longer reaches then: where
/// it has to hide constants, each instruction becomes up to three.
const REACH: i64 = (i16::MAX / 4) as i64;

/// How many instructions the kernel takes: BPF_COMPLEXITY_LIMIT_INSNS.
const INSNS_MAX: usize = 1_000_000;

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
    conditions: usize,
}

const ZERO: R = R(0);

fn is_near(distance: i64) -> bool {
    distance.abs() <= REACH
}

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
        let of = |(_, fix): &(usize, Fix)| fix.label() == label;
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

    fn condition(&mut self, fix: Fix, code: u32, dst: R, src: R, imm: i32) {
        self.conditions += 1;
        self.fixes.push((self.insns.len(), fix));
        self.push(sys::BPF_JMP | code, dst, src, 0, imm);
    }

    /// How many conditions there are so far.
    pub fn conditions(&self) -> usize {
        self.conditions
    }

    /// To the label, wherever it is, if `dst` compares so with `imm`, whose sign is extended.
    pub fn jump_if(&mut self, cond: If, dst: R, imm: i32, to: Label) {
        self.condition(Fix::Either(to), cond.code() | sys::BPF_K, dst, ZERO, imm);
    }

    pub fn jump_if_reg(&mut self, cond: If, dst: R, src: R, to: Label) {
        self.condition(Fix::Either(to), cond.code() | sys::BPF_X, dst, src, 0);
    }

    /// As [`Self::jump_if`], to a label that is near: no more than [`REACH`] instructions.
    pub fn near_if(&mut self, cond: If, dst: R, imm: i32, to: Label) {
        self.condition(Fix::Near(to), cond.code() | sys::BPF_K, dst, ZERO, imm);
    }

    pub fn near_if_reg(&mut self, cond: If, dst: R, src: R, to: Label) {
        self.condition(Fix::Near(to), cond.code() | sys::BPF_X, dst, src, 0);
    }

    /// Goes on here, unless this loop took too long: then to the label.
    pub fn may_goto(&mut self, to: Label) {
        self.condition(Fix::Either(to), sys::BPF_JCOND, ZERO, ZERO, 0);
    }

    pub fn exit(&mut self) {
        self.push(sys::BPF_JMP | sys::BPF_EXIT, ZERO, ZERO, 0, 0);
    }

    /// The program, or `None` if it is larger than the kernel takes, or a near label is not near.
    pub fn finish(mut self) -> Option<Code> {
        self.stretch();
        for (at, fix) in std::mem::take(&mut self.fixes) {
            let distance = self.distance(at, fix.label());
            match fix {
                Fix::Near(_) | Fix::Either(_) => {
                    let near = i16::try_from(distance).ok().filter(|_| is_near(distance));
                    self.insns[at].set_off(near?);
                }
                Fix::Far(_) => self.insns[at].set_imm(i32::try_from(distance).ok()?),
            }
        }
        (self.insns.len() <= INSNS_MAX).then_some(Code {
            insns: self.insns,
            symbols: self.symbols,
        })
    }

    fn target(&self, label: Label) -> usize {
        self.labels[label.0].expect("each label is placed")
    }

    /// How far the label is for a jump.
    fn distance(&self, at: usize, label: Label) -> i64 {
        self.target(label) as i64 - at as i64 - 1
    }

    /// Makes jumps of three instructions of those that do not reach their label: the condition
    /// goes to a jump of 32 bits, which is jumped over otherwise.
    fn stretch(&mut self) {
        let mut long = BTreeSet::new();
        // Each that grows puts labels farther away from others.
        let places = loop {
            let mut place = 0;
            let places: Vec<usize> = (0..=self.insns.len())
                .map(|at| {
                    let this = place;
                    place += if long.contains(&at) { 3 } else { 1 };
                    this
                })
                .collect();
            let known = long.len();
            for (at, fix) in &self.fixes {
                if let Fix::Either(label) = fix {
                    let distance = places[self.target(*label)] as i64 - places[*at] as i64 - 1;
                    if !is_near(distance) {
                        long.insert(*at);
                    }
                }
            }
            if long.len() == known {
                break places;
            }
        };
        if long.is_empty() {
            return;
        }
        for place in self.labels.iter_mut().flatten() {
            *place = places[*place];
        }
        for (at, _) in &mut self.symbols {
            *at = places[*at];
        }
        let mut fixes = Vec::with_capacity(self.fixes.len());
        for (at, fix) in self.fixes.drain(..) {
            fixes.push(match fix {
                Fix::Either(label) if long.contains(&at) => (places[at] + 2, Fix::Far(label)),
                fix => (places[at], fix),
            });
        }
        self.fixes = fixes;
        for (at, mut insn) in (0..).zip(std::mem::take(&mut self.insns)) {
            let grows = long.contains(&at);
            if grows {
                insn.set_off(1);
            }
            self.insns.push(insn);
            if grows {
                self.push(sys::BPF_JMP | sys::BPF_JA, ZERO, ZERO, 1, 0);
                self.push(sys::BPF_JMP32 | sys::BPF_JA, ZERO, ZERO, 0, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_grow_where_the_label_is_far() {
        let reach = REACH as i32;
        for (distance, far) in [(reach, false), (reach + 1, true)] {
            let mut asm = Asm::default();
            let end = asm.label();
            asm.jump_if(If::Equal, R(1), 7, end);
            (0..distance - 2).for_each(|_| asm.set(R(0), 1));
            asm.map(R(1), "rules");
            asm.place(end);
            asm.exit();
            let code = asm.finish().unwrap();
            let parts: Vec<_> = code.insns.iter().map(Insn::parts).collect();
            let map = code.symbols[0].0;
            assert_eq!(parts[map].0, 0x18);
            assert_eq!(parts[map + 2].0, 0x95);
            if far {
                // if r1 == 7 goto +1; goto +1; gotol
                assert_eq!(parts[0], (0x15, 0x01, 1, 7));
                assert_eq!(parts[1], (0x05, 0x00, 1, 0));
                assert_eq!(parts[2], (0x06, 0x00, 0, distance));
            } else {
                assert_eq!(parts[0], (0x15, 0x01, distance as i16, 7));
            }
        }
    }

    /// Jumps back, and jumps that are far only because others grow.
    #[test]
    fn jumps_grow_because_of_others() {
        let mut asm = Asm::default();
        let (start, end) = (asm.label(), asm.label());
        asm.place(start);
        // From here just within reach: what makes the next one grow takes this one too far.
        asm.jump_if_reg(If::Less, R(1), R(2), end);
        asm.jump_if(If::Less, R(1), 3, start);
        let beyond = asm.label();
        asm.jump_if(If::Greater, R(1), 3, beyond);
        (0..REACH - 2).for_each(|_| asm.set(R(0), 1));
        asm.place(end);
        (0..10).for_each(|_| asm.set(R(0), 2));
        asm.jump_if(If::Equal, R(1), 4, start);
        asm.place(beyond);
        asm.exit();
        let code = asm.finish().unwrap();
        let parts: Vec<_> = code.insns.iter().map(Insn::parts).collect();
        let goes = |at: usize| {
            let (code, _, off, imm) = parts[at];
            let distance = if code == 0x06 { imm } else { off.into() };
            parts[(at as i32 + 1 + distance) as usize]
        };
        // The second one stays: it is near.
        assert_eq!(parts[3], (0xa5, 0x01, -4, 3));
        assert_eq!((parts[2].0, goes(2)), (0x06, (0xb7, 0, 0, 2)));
        assert_eq!((parts[6].0, goes(6)), (0x06, (0x95, 0, 0, 0)));
        let last = parts.len() - 2;
        assert_eq!((parts[last].0, goes(last)), (0x06, parts[0]));
        assert_eq!(parts[last - 2], (0x15, 0x01, 1, 4));
    }

    #[test]
    fn what_is_too_large_is_told() {
        let of_size = |size| {
            let mut asm = Asm::default();
            (0..size).for_each(|_| asm.exit());
            asm.finish().is_some()
        };
        assert!(of_size(INSNS_MAX));
        assert!(!of_size(INSNS_MAX + 1));
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
        (0..=REACH).for_each(|_| asm.set(R(0), 0));
        asm.place(end);
        asm.exit();
        assert!(asm.finish().is_none());
    }
}
