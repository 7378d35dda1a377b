// SPDX-License-Identifier: GPL-2.0

//! A boot program in an object, and its relocations.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{
    core_relo::CORE_RELO,
    elf::{rels, Rel, Symbols},
    error::{Error, Place, Reason},
    insn::{Insn, CALL, INSN, LD_IMM64, PSEUDO_CALL},
    slot::SLOT,
};
use crate::blob::point::Point;

/// An instruction that the kernel completes when it loads the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reloc<'a> {
    /// A load of 64 bits, which becomes the number of a slot.
    Slot {
        /// Number of the instruction.
        insn: usize,
        /// Place of the slot among those of the object.
        index: usize,
    },
    /// A call of a kfunc.
    Kfunc {
        /// Number of the instruction.
        insn: usize,
        /// Name of the function.
        name: &'a [u8],
    },
}

impl Reloc<'_> {
    /// Number of the instruction.
    pub(crate) fn insn(&self) -> usize {
        match *self {
            Self::Slot { insn, .. } | Self::Kfunc { insn, .. } => insn,
        }
    }
}

/// Types of relocations: of a load of 64 bits, and of a call.
pub(crate) const R_BPF_64_64: u32 = 1;
pub(crate) const R_BPF_64_32: u32 = 10;

/// A program of an object.
#[derive(Clone, Copy)]
pub(crate) struct Program<'a> {
    /// Name of the C function.
    pub(crate) name: &'a [u8],
    /// Name of its section.
    pub(crate) section: &'a [u8],
    /// The point at which it runs.
    pub(crate) point: Point,
    /// Its instructions, 8 bytes each.
    pub(crate) insns: &'a [u8],
    /// Relocations of its section.
    pub(crate) rels: &'a [u8],
    pub(crate) symbols: Symbols<'a>,
    /// The object's slots, and the number of their section.
    pub(crate) slots: (&'a [u8], usize),
    pub(crate) core_relos: &'a [u8],
}

impl<'a> Program<'a> {
    /// Makes an error of the whole program.
    pub(crate) fn error(&self, reason: Reason<'a>) -> Error<'a> {
        Error::new(self.section, reason)
    }

    /// CO-RE relocations: contiguous records of `struct bpf_core_relo`, whose `insn_off` is in
    /// bytes from the program's start. They refer to the object's type information.
    pub(crate) fn core_relos(&self) -> &'a [u8] {
        self.core_relos
    }

    /// Size of a record of [`Self::core_relos`] in bytes.
    pub(crate) fn core_relo_size(&self) -> u32 {
        CORE_RELO
    }

    /// The relocations, in ascending order of instructions, at most one for each.
    pub(crate) fn relocs(&self) -> impl Iterator<Item = Reloc<'a>> {
        let program = *self;
        rels(self.rels).map_while(move |rel| program.reloc(rel).ok())
    }

    /// Decodes a relocation.
    pub(crate) fn reloc(&self, rel: Rel) -> Result<Reloc<'a>, Error<'a>> {
        let at = rel.offset;
        let insn = at.checked_div(INSN).unwrap_or(0);
        let error = |reason| Error {
            section: self.section,
            place: Place::Insn(insn),
            reason,
        };
        let bad = error(Reason::Text("a relocation that does not fit"));
        let code = Insn::at(self.insns, at).ok_or(bad)?;
        let symbol = self.symbols.get(rel.symbol).ok_or(bad)?;

        if at.checked_rem(INSN) != Some(0) {
            return Err(bad);
        }
        match (rel.kind, code.code) {
            (R_BPF_64_64, LD_IMM64) => {
                let (slots, section) = self.slots;
                if symbol.section == 0 {
                    return Err(error(Reason::Name("unknown symbol", symbol.name)));
                }
                if symbol.section != section {
                    return Err(error(Reason::Name(
                        "addresses are of slots only, neither of variables nor of functions:",
                        symbol.name,
                    )));
                }
                // The immediate value is added to the symbol.
                let offset = usize::try_from(code.imm)
                    .ok()
                    .and_then(|imm| symbol.value.checked_add(imm))
                    .filter(|offset| *offset < slots.len())
                    .filter(|offset| offset.checked_rem(SLOT) == Some(0))
                    .and_then(|offset| offset.checked_div(SLOT));
                match offset {
                    Some(index) => Ok(Reloc::Slot { insn, index }),
                    None => Err(error(Reason::Text("not the address of a slot"))),
                }
            }
            (R_BPF_64_32, CALL) if code.src == PSEUDO_CALL => {
                if symbol.section != 0 {
                    return Err(error(Reason::Name(
                        "calls to other functions are not allowed: make it __always_inline:",
                        symbol.name,
                    )));
                }
                Ok(Reloc::Kfunc {
                    insn,
                    name: symbol.name,
                })
            }
            _ => Err(bad),
        }
    }
}
