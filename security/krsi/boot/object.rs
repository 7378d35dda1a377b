// SPDX-License-Identifier: GPL-2.0

//! The object of boot programs: programs, slots and types.
//!
//! Parsing an object finds all errors, so iterating over its parts cannot fail later.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{
    check,
    core_relo::{Btf, CoreRelos, CORE_RELO, CORE_RELO_LAST},
    elf::{
        string, u32_at, Elf, Section, Symbols, SHT_PROGBITS, SHT_REL, SHT_STRTAB, SHT_SYMTAB,
        STT_FUNC,
    },
    error::{Error, Place, Reason},
    insn::INSN,
    program::Program,
    slot::{Slot, Totals, MAX_SLOTS, SLOT, SLOTS},
};
use crate::blob::point::Point;

/// An object of boot programs that has passed all checks.
#[derive(Clone, Copy)]
pub(crate) struct Object<'a> {
    elf: Elf<'a>,
    symbols: Symbols<'a>,
    btf: Btf<'a>,
    core_relos: CoreRelos<'a>,
    /// The slots, and the number of their section. 0: the object has no slots.
    slots: (&'a [u8], usize),
}

impl<'a> Object<'a> {
    /// Parses and checks an object. Any context.
    pub(crate) fn parse(data: &'a [u8]) -> Result<Self, Error<'a>> {
        let nowhere = |reason| Error::new(&[], reason);
        let elf = Elf::parse(data).map_err(|bad| nowhere(Reason::Elf(bad)))?;
        let mut license = None;
        let mut symbols = None;
        let mut btf = None;
        let mut core_relos = None;
        let mut slots = None;
        let mut points = 0u32;

        for section in elf.sections() {
            let error = |reason| Error::new(section.name, reason);
            let twice = error(Reason::Text("duplicate section"));
            let malformed = error(Reason::Text("malformed"));

            match (section.kind, section.name) {
                (SHT_STRTAB, b".strtab" | b".shstrtab") => {}
                (SHT_REL, name) if name.starts_with(b".rel") => {
                    Self::check_rels(&elf, &section)?;
                }
                (SHT_SYMTAB, b".symtab") => {
                    let table = Symbols::new(&elf, &section).ok_or(malformed)?;
                    if symbols.replace(table).is_some() {
                        return Err(twice);
                    }
                }
                (SHT_PROGBITS, b"license") => {
                    if license.replace(section.data).is_some() {
                        return Err(twice);
                    }
                    if !string(section.data, 0).is_some_and(check::license_allowed) {
                        return Err(error(Reason::Text("not compatible with the GPL")));
                    }
                }
                (SHT_PROGBITS, b".BTF") => {
                    let parsed = Btf::parse(section.data).ok_or(malformed)?;
                    if btf.replace(parsed).is_some() {
                        return Err(twice);
                    }
                }
                (SHT_PROGBITS, b".BTF.ext") => {
                    let parsed = CoreRelos::parse(section.data).ok_or(malformed)?;
                    if core_relos.replace(parsed).is_some() {
                        return Err(twice);
                    }
                }
                (SHT_PROGBITS, SLOTS) => {
                    if slots.replace((section.data, section.index)).is_some() {
                        return Err(twice);
                    }
                }
                _ => {
                    let point = check::section(section.name, section.size == 0).map_err(error)?;
                    // [`Self::program`] would silently ignore another type.
                    if point.is_some() && section.kind != SHT_PROGBITS {
                        return Err(error(Reason::Number(
                            "a program is in a section of type PROGBITS, not",
                            section.kind,
                        )));
                    }
                    let bit = point.map_or(0, |point| 1u32 << (point as u32 & 31));
                    if points & bit != 0 {
                        return Err(twice);
                    }
                    points |= bit;
                }
            }
        }
        if points == 0 {
            return Err(nowhere(Reason::Text("there is no program in it")));
        }
        if license.is_none() {
            return Err(nowhere(Reason::Text("there is no section license")));
        }
        let none = nowhere(Reason::Text("there is no section .BTF: compile it with -g"));
        let object = Self {
            elf,
            symbols: symbols.ok_or(nowhere(Reason::Text("there is no symbol table")))?,
            btf: btf.ok_or(none)?,
            core_relos: core_relos.unwrap_or(CoreRelos::NONE),
            slots: slots.unwrap_or((&[], 0)),
        };

        object.check_slots()?;
        object.check_core_relos()?;
        for section in elf.sections() {
            if let Some(program) = object.program(&section) {
                check::program(&program, &section)?;
            }
        }
        Ok(object)
    }

    /// Rejects relocations of sections that must have none, and a second set for a section.
    fn check_rels(elf: &Elf<'a>, rels: &Section<'a>) -> Result<(), Error<'a>> {
        let malformed = Error::new(rels.name, Reason::Text("malformed"));
        let target = elf.section(rels.info).ok_or(malformed)?;
        let others = elf
            .sections()
            .filter(|other| other.kind == SHT_REL && other.info == rels.info);

        if matches!(target.name, SLOTS | b"license") || others.count() > 1 {
            return Err(malformed);
        }
        Ok(())
    }

    fn check_slots(&self) -> Result<(), Error<'a>> {
        let mut totals = Totals::NONE;
        let (records, _) = self.slots;
        let error = |reason| Error::new(SLOTS, reason);

        if records.len().checked_rem(SLOT) != Some(0) {
            return Err(error(Reason::Text("a part of a slot")));
        }
        if records.len().checked_div(SLOT) > Some(MAX_SLOTS) {
            return Err(error(Reason::Text("more than 32 slots")));
        }
        for (index, record) in records.chunks_exact(SLOT).enumerate() {
            let slot = Slot::parse(record, index)?;
            let error = |reason| Error {
                section: SLOTS,
                place: Place::Slot(index, slot.name),
                reason,
            };

            if self
                .slots()
                .take(index)
                .any(|other| (other.class, other.name) == (slot.class, slot.name))
            {
                return Err(error(Reason::Text("the class has a slot of this name")));
            }
            totals
                .add(slot.class, slot.size, slot.flags)
                .map_err(error)?;
        }
        Ok(())
    }

    fn check_core_relos(&self) -> Result<(), Error<'a>> {
        let error = |reason| Error::new(b".BTF.ext", reason);
        let malformed = error(Reason::Text("malformed"));

        for (i, section) in self.core_relos.sections().enumerate() {
            let (name, records) = section.ok_or(malformed)?;
            let name = string(self.btf.strings, name).ok_or(malformed)?;
            let target = self
                .programs()
                .find(|program| program.section == name)
                .ok_or(error(Reason::Name("no program in section", name)))?;
            let before = self.core_relos.sections().take(i).flatten();

            if before
                .filter_map(|(other, _)| string(self.btf.strings, other))
                .any(|other| other == name)
            {
                return Err(malformed);
            }
            for record in records.chunks_exact(usize::try_from(CORE_RELO).unwrap_or(usize::MAX)) {
                let field = |at| u32_at(record, at);
                let offset = field(0).and_then(|offset| usize::try_from(offset).ok());
                let access = field(8).and_then(|at| usize::try_from(at).ok());

                if !offset
                    .is_some_and(|at| at.checked_rem(INSN) == Some(0) && at < target.insns.len())
                    || field(4) == Some(0)
                    || access.and_then(|at| string(self.btf.strings, at)).is_none()
                    || field(12) > Some(CORE_RELO_LAST)
                {
                    return Err(malformed);
                }
            }
        }
        Ok(())
    }

    /// Returns the program in a section, if it has one.
    fn program(&self, section: &Section<'a>) -> Option<Program<'a>> {
        if section.kind != SHT_PROGBITS {
            return None;
        }
        let point = section.name.strip_prefix(b"krsi.blob/")?;
        let rels = self
            .elf
            .sections()
            .find(|rels| rels.kind == SHT_REL && rels.info == section.index);
        let function = self
            .symbols
            .iter()
            .find(|symbol| symbol.kind == STT_FUNC && symbol.section == section.index);

        Some(Program {
            name: function.map_or(&[], |function| function.name),
            section: section.name,
            point: Point::by_name(point)?,
            insns: section.data,
            rels: rels.map_or(&[], |rels| rels.data),
            symbols: self.symbols,
            slots: self.slots,
            core_relos: self.core_relos.of(&self.btf, section.name),
        })
    }

    /// The programs, in the order of their sections.
    pub(crate) fn programs(&self) -> impl Iterator<Item = Program<'a>> {
        let object = *self;
        self.elf
            .sections()
            .filter_map(move |section| object.program(&section))
    }

    /// The slots, in the order of `.krsi.slots`.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot<'a>> {
        let (records, _) = self.slots;
        records
            .chunks_exact(SLOT)
            .enumerate()
            .map_while(|(index, record)| Slot::parse(record, index).ok())
    }

    /// The type information, to which [`Program::core_relos`] refers.
    pub(crate) fn btf(&self) -> &'a [u8] {
        self.btf.data
    }
}
