// SPDX-License-Identifier: GPL-2.0

//! What is in the object of boot programs: the programs, their slots, and their types.
//!
//! An object is parsed once, and whatever can be wrong with it is found then. What is iterated over
//! afterwards is known to be there.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{
    check::{self, Insn, Point, Totals, CALL, INSN, LD_IMM64, PSEUDO_CALL},
    elf::{
        bytes, rels, string, u16_at, u32_at, Bad, Elf, Rel, Section, Symbols, SHT_PROGBITS,
        SHT_REL, SHT_STRTAB, SHT_SYMTAB, STT_FUNC,
    },
};
use core::fmt;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why<'a> {
    /// It is not an object at all.
    Elf(Bad),
    /// A reason that needs nothing else to be understood.
    Text(&'static str),
    /// A reason, and the name that it is about.
    Name(&'static str, &'a [u8]),
    /// A reason, and the number that it is about.
    Number(&'static str, u32),
    /// A helper of this number is called.
    Helper(u32),
    /// A kfunc of this name is called.
    Kfunc(&'a [u8]),
}

/// Where in a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// In the section as a whole.
    Section,
    /// In the instruction of a number.
    Insn(usize),
    /// In the slot of a number and, if it has one, of a name.
    Slot(usize, &'a [u8]),
}

/// Why an object is refused, and where in it the reason is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Error<'a> {
    /// Name of the section; empty if it is not one section's.
    pub(crate) section: &'a [u8],
    pub(crate) place: Place<'a>,
    pub(crate) why: Why<'a>,
}

impl<'a> Error<'a> {
    fn new(section: &'a [u8], why: Why<'a>) -> Self {
        Self {
            section,
            place: Place::Section,
            why,
        }
    }
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Elf(Bad::Text(text)) | Self::Text(text) => f.write_str(text),
            Self::Elf(Bad::Machine(machine)) => {
                write!(f, "not a BPF object: it is for ELF machine {machine}")
            }
            Self::Name(text, name) => write!(f, "{text} \"{}\"", name.escape_ascii()),
            Self::Number(text, number) => write!(f, "{text} {number}"),
            Self::Helper(id) => {
                let (name, why) = check::helper_refused(id);
                write!(f, "calls helper {id}")?;
                match name {
                    Some(name) => write!(f, " (bpf_{name}): {why}"),
                    None => write!(f, ": {why}"),
                }
            }
            Self::Kfunc(name) => write!(
                f,
                "calls kfunc {}: boot programs may not call it",
                name.escape_ascii()
            ),
        }
    }
}

impl fmt::Display for Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.section.is_empty() {
            write!(f, "section {}: ", self.section.escape_ascii())?;
        }
        match self.place {
            Place::Section => {}
            Place::Insn(i) => write!(f, "instruction {i}: ")?,
            Place::Slot(i, []) => write!(f, "slot {i}: ")?,
            Place::Slot(_, name) => write!(f, "slot {}: ", name.escape_ascii())?,
        }
        self.why.fmt(f)
    }
}

/// Name of the section that has slots.
const SLOTS: &[u8] = b".krsi.slots";

/// Size of a slot's record: a name of 32 bytes and four numbers.
pub(crate) const SLOT: usize = 48;

/// A slot that the object wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot<'a> {
    /// 1 to 31 bytes.
    pub(crate) name: &'a [u8],
    /// A number of `enum krsi_blob_class`.
    pub(crate) class: u32,
    /// In bytes, 1 to 1024.
    pub(crate) size: u32,
    /// 1, 2, 4 or 8.
    pub(crate) align: u32,
    /// [`check::SLOT_COPY`], [`check::SLOT_RESET`], [`check::SLOT_KEEP`] or 0: what is usual for
    /// the class.
    pub(crate) flags: u32,
}

impl<'a> Slot<'a> {
    fn parse(record: &'a [u8], index: usize) -> Result<Self, Error<'a>> {
        let name = bytes(record, 0, 32).and_then(|name| string(name, 0));
        let error = |why| Error {
            section: SLOTS,
            place: Place::Slot(index, name.unwrap_or(&[])),
            why,
        };
        let number = |at| u32_at(record, at).ok_or(error(Why::Text("a part of a slot")));
        let (class, size, align, flags) = (number(32)?, number(36)?, number(40)?, number(44)?);

        check::slot(name, class, size, align, flags).map_err(error)?;
        Ok(Self {
            name: name.unwrap_or(&[]),
            class,
            size,
            align,
            flags,
        })
    }
}

/// An instruction that needs something of the kernel that loads the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reloc<'a> {
    /// A load of 64 bits that is to be of a slot's number.
    Slot {
        /// Number of the instruction.
        insn: usize,
        /// Place of the slot among [`Object::slots`].
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

/// Kinds of relocations: of a load of 64 bits, and of a call.
pub(crate) const R_BPF_64_64: u32 = 1;
pub(crate) const R_BPF_64_32: u32 = 10;

/// A program.
#[derive(Clone, Copy)]
pub(crate) struct Program<'a> {
    /// Of the C function.
    pub(crate) name: &'a [u8],
    /// Name of its section.
    pub(crate) section: &'a [u8],
    /// Where it runs.
    pub(crate) point: Point,
    /// Its instructions, 8 bytes each.
    pub(crate) insns: &'a [u8],
    /// Relocations of its section.
    rels: &'a [u8],
    symbols: Symbols<'a>,
    /// The object's slots, and the number of their section.
    slots: (&'a [u8], usize),
    core_relos: &'a [u8],
}

impl<'a> Program<'a> {
    /// An error of the whole program.
    pub(crate) fn error(&self, why: Why<'a>) -> Error<'a> {
        Error::new(self.section, why)
    }

    /// CO-RE relocations: contiguous records of `struct bpf_core_relo`, whose `insn_off` is in
    /// bytes from the program's start. The strings and types that they name are in [`Object::btf`].
    pub(crate) fn core_relos(&self) -> &'a [u8] {
        self.core_relos
    }

    /// Size of a record of [`Self::core_relos`] in bytes.
    pub(crate) fn core_relo_size(&self) -> u32 {
        CORE_RELO
    }

    /// What has to be filled in, in ascending order of instructions, at most one for each.
    pub(crate) fn relocs(&self) -> impl Iterator<Item = Reloc<'a>> {
        let program = *self;
        rels(self.rels).map_while(move |rel| program.reloc(rel).ok())
    }

    /// What a relocation says.
    fn reloc(&self, rel: Rel) -> Result<Reloc<'a>, Error<'a>> {
        let at = rel.offset;
        let insn = at.checked_div(INSN).unwrap_or(0);
        let error = |why| Error {
            section: self.section,
            place: Place::Insn(insn),
            why,
        };
        let bad = error(Why::Text("a relocation that does not fit"));
        let code = Insn::at(self.insns, at).ok_or(bad)?;
        let symbol = self.symbols.get(rel.symbol).ok_or(bad)?;

        if at.checked_rem(INSN) != Some(0) {
            return Err(bad);
        }
        match (rel.kind, code.code) {
            (R_BPF_64_64, LD_IMM64) => {
                let (slots, section) = self.slots;
                if symbol.section == 0 {
                    return Err(error(Why::Name("unknown symbol", symbol.name)));
                }
                if symbol.section != section {
                    return Err(error(Why::Name(
                        "addresses are of slots only, neither of variables nor of functions:",
                        symbol.name,
                    )));
                }
                // What is in the instruction is added to the symbol.
                let offset = usize::try_from(code.imm)
                    .ok()
                    .and_then(|imm| symbol.value.checked_add(imm))
                    .filter(|offset| *offset < slots.len())
                    .filter(|offset| offset.checked_rem(SLOT) == Some(0))
                    .and_then(|offset| offset.checked_div(SLOT));
                match offset {
                    Some(index) => Ok(Reloc::Slot { insn, index }),
                    None => Err(error(Why::Text("not the address of a slot"))),
                }
            }
            (R_BPF_64_32, CALL) if code.src == PSEUDO_CALL => {
                if symbol.section != 0 {
                    return Err(error(Why::Name(
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

    /// Checks the program, which is one function, and its relocations.
    fn check(&self, section: &Section<'a>) -> Result<(), Error<'a>> {
        let mut functions = self
            .symbols
            .iter()
            .filter(|symbol| symbol.kind == STT_FUNC && symbol.section == section.index);

        match (functions.next(), functions.next()) {
            (Some(only), None) if only.value == 0 && only.size == self.insns.len() => {}
            _ => {
                return Err(self.error(Why::Text(
                    "a boot program is one function, alone in its section",
                )))
            }
        }

        let mut next = 0;
        for rel in rels(self.rels) {
            let insn = self.reloc(rel)?.insn();
            if insn < next {
                return Err(self.error(Why::Text("relocations that are not in order")));
            }
            next = insn.saturating_add(1);
        }
        check::program(self)
    }
}

/// Strings of type information.
#[derive(Clone, Copy)]
struct Btf<'a> {
    data: &'a [u8],
    strings: &'a [u8],
}

pub(crate) const BTF_MAGIC: u16 = 0xeb9f;

impl<'a> Btf<'a> {
    fn parse(data: &'a [u8]) -> Option<Self> {
        let at = |at| usize::try_from(u32_at(data, at)?).ok();
        let start = at(4)?;

        if u16_at(data, 0)? != BTF_MAGIC || data.get(2) != Some(&1) || start < 24 {
            return None;
        }
        bytes(data, start.checked_add(at(8)?)?, at(12)?)?;
        let strings = bytes(data, start.checked_add(at(16)?)?, at(20)?)?;
        (strings.first() == Some(&0) && strings.last() == Some(&0))
            .then_some(Self { data, strings })
    }
}

/// Size of a `struct bpf_core_relo`, and the last kind that there is.
const CORE_RELO: u32 = 16;
const CORE_RELO_LAST: u32 = 12;

/// CO-RE relocations of all sections, from `.BTF.ext`.
#[derive(Clone, Copy)]
struct CoreRelos<'a>(&'a [u8]);

impl<'a> CoreRelos<'a> {
    /// None.
    const NONE: Self = Self(&[]);

    fn parse(ext: &'a [u8]) -> Option<Self> {
        let at = |at| usize::try_from(u32_at(ext, at)?).ok();
        let start = at(4)?;

        if u16_at(ext, 0)? != BTF_MAGIC || ext.get(2) != Some(&1) || start < 24 {
            return None;
        }
        if start < 32 {
            return Some(Self::NONE);
        }
        let relos = bytes(ext, start.checked_add(at(24)?)?, at(28)?)?;
        if relos.is_empty() {
            return Some(Self::NONE);
        }
        (u32_at(relos, 0)? == CORE_RELO).then_some(Self(relos.get(4..)?))
    }

    /// Name of a section, as an offset into the strings, and its records. Ends with [`None`] if
    /// what follows is not another section.
    fn sections(self) -> impl Iterator<Item = Option<(usize, &'a [u8])>> {
        let mut rest = self.0;

        core::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let next = || {
                let name = usize::try_from(u32_at(rest, 0)?).ok()?;
                let count = usize::try_from(u32_at(rest, 4)?).ok()?;
                let size = count.checked_mul(usize::try_from(CORE_RELO).ok()?)?;
                let records = bytes(rest, 8, size)?;
                Some((name, records, rest.get(size.checked_add(8)?..)?))
            };
            let section = next();
            rest = section.map_or(&[], |(_, _, after)| after);
            Some(section.map(|(name, records, _)| (name, records)))
        })
    }

    /// The records of a section.
    fn of(self, btf: &Btf<'a>, section: &[u8]) -> &'a [u8] {
        self.sections()
            .flatten()
            .find(|(name, _)| string(btf.strings, *name) == Some(section))
            .map_or(&[], |(_, records)| records)
    }
}

/// An object of boot programs, in which nothing is wrong.
#[derive(Clone, Copy)]
pub(crate) struct Object<'a> {
    elf: Elf<'a>,
    symbols: Symbols<'a>,
    btf: Btf<'a>,
    core_relos: CoreRelos<'a>,
    /// The slots, and the number of their section; 0: there are none.
    slots: (&'a [u8], usize),
}

impl<'a> Object<'a> {
    /// Reads an object and checks all of it. Any context.
    pub(crate) fn parse(data: &'a [u8]) -> Result<Self, Error<'a>> {
        let nowhere = |why| Error::new(&[], why);
        let elf = Elf::parse(data).map_err(|bad| nowhere(Why::Elf(bad)))?;
        let mut license = None;
        let mut symbols = None;
        let mut btf = None;
        let mut core_relos = None;
        let mut slots = None;
        let mut points = 0u32;

        for section in elf.sections() {
            let error = |why| Error::new(section.name, why);
            let twice = error(Why::Text("there are two such sections"));
            let malformed = error(Why::Text("malformed"));

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
                        return Err(error(Why::Text("not compatible with the GPL")));
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
                    // [`Self::program`] takes no other: it would be left out without a word.
                    if point.is_some() && section.kind != SHT_PROGBITS {
                        return Err(error(Why::Number(
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
            return Err(nowhere(Why::Text("there is no program in it")));
        }
        if license.is_none() {
            return Err(nowhere(Why::Text("there is no section license")));
        }
        let none = nowhere(Why::Text("there is no section .BTF: compile it with -g"));
        let object = Self {
            elf,
            symbols: symbols.ok_or(nowhere(Why::Text("there are no symbols")))?,
            btf: btf.ok_or(none)?,
            core_relos: core_relos.unwrap_or(CoreRelos::NONE),
            slots: slots.unwrap_or((&[], 0)),
        };

        object.check_slots()?;
        object.check_core_relos()?;
        for section in elf.sections() {
            if let Some(program) = object.program(&section) {
                program.check(&section)?;
            }
        }
        Ok(object)
    }

    /// Refuses relocations of what takes none, and a second set of relocations.
    fn check_rels(elf: &Elf<'a>, rels: &Section<'a>) -> Result<(), Error<'a>> {
        let malformed = Error::new(rels.name, Why::Text("malformed"));
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
        let error = |why| Error::new(SLOTS, why);

        if records.len().checked_rem(SLOT) != Some(0) {
            return Err(error(Why::Text("a part of a slot")));
        }
        if records.len().checked_div(SLOT) > Some(check::MAX_SLOTS) {
            return Err(error(Why::Text("more than 32 slots")));
        }
        for (index, record) in records.chunks_exact(SLOT).enumerate() {
            let slot = Slot::parse(record, index)?;
            let error = |why| Error {
                section: SLOTS,
                place: Place::Slot(index, slot.name),
                why,
            };

            if self
                .slots()
                .take(index)
                .any(|other| (other.class, other.name) == (slot.class, slot.name))
            {
                return Err(error(Why::Text("the class has a slot of this name")));
            }
            totals
                .add(slot.class, slot.size, slot.flags)
                .map_err(error)?;
        }
        Ok(())
    }

    fn check_core_relos(&self) -> Result<(), Error<'a>> {
        let error = |why| Error::new(b".BTF.ext", why);
        let malformed = error(Why::Text("malformed"));

        for (i, section) in self.core_relos.sections().enumerate() {
            let (name, records) = section.ok_or(malformed)?;
            let name = string(self.btf.strings, name).ok_or(malformed)?;
            let target = self
                .programs()
                .find(|program| program.section == name)
                .ok_or(error(Why::Name("relocations of another section:", name)))?;
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

    /// The program that a section is, if it is one.
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

    /// The type information, of which [`Program::core_relos`] speaks.
    pub(crate) fn btf(&self) -> &'a [u8] {
        self.btf.data
    }
}
