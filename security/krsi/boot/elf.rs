// SPDX-License-Identifier: GPL-2.0

//! Parser of ELF objects: 64 bits, little-endian, relocatable, for BPF.
//!
//! Compiled into the kernel and into a program of its build, which cannot use crates. Uses `core`
//! only, allocates nothing, and cannot panic: it accesses all bytes through [`slice::get`].

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

/// Returns `len` bytes at `at`. [`None`] if they are not within `data`.
pub(crate) fn bytes(data: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    data.get(at..at.checked_add(len)?)
}

/// Returns the 16 bits at `at`.
pub(crate) fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes(data, at, 2)?.try_into().ok()?))
}

/// Returns the 32 bits at `at`.
pub(crate) fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes(data, at, 4)?.try_into().ok()?))
}

/// Returns the 64 bits at `at`, a size or an offset.
pub(crate) fn u64_at(data: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(bytes(data, at, 8)?.try_into().ok()?)).ok()
}

/// Returns the string at `at`, without the NUL.
pub(crate) fn string(table: &[u8], at: usize) -> Option<&[u8]> {
    let rest = table.get(at..)?;
    rest.get(..rest.iter().position(|&c| c == 0)?)
}

/// The reason why an ELF object is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// A constant message.
    Text(&'static str),
    /// The object is for another machine, of this number.
    Machine(u16),
}

const TRUNCATED: Bad = Bad::Text("a truncated ELF object: a part lies beyond the end");

/// Section types.
pub(crate) const SHT_PROGBITS: u32 = 1;
pub(crate) const SHT_SYMTAB: u32 = 2;
pub(crate) const SHT_STRTAB: u32 = 3;
pub(crate) const SHT_NOBITS: u32 = 8;
pub(crate) const SHT_REL: u32 = 9;

/// Machine number of BPF.
pub(crate) const EM_BPF: u16 = 247;

/// Sizes of the records of an object.
pub(crate) const SECTION: usize = 64;
pub(crate) const SYMBOL: usize = 24;
pub(crate) const REL: usize = 16;

/// A section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section<'a> {
    /// Index in the table of sections.
    pub(crate) index: usize,
    pub(crate) name: &'a [u8],
    pub(crate) kind: u32,
    /// For a symbol table, the section with its strings.
    pub(crate) link: usize,
    /// For relocations, the section that they apply to.
    pub(crate) info: usize,
    /// Size in bytes.
    pub(crate) size: usize,
    /// The contents. Empty if the file has none.
    pub(crate) data: &'a [u8],
}

/// A symbol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol<'a> {
    pub(crate) name: &'a [u8],
    /// Type of the symbol.
    pub(crate) kind: u8,
    /// The section that defines it. 0: undefined.
    pub(crate) section: usize,
    pub(crate) value: usize,
    pub(crate) size: usize,
}

/// The type of functions.
pub(crate) const STT_FUNC: u8 = 2;

/// A relocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rel {
    /// Offset in the section, in bytes.
    pub(crate) offset: usize,
    pub(crate) kind: u32,
    /// Index in the symbol table.
    pub(crate) symbol: usize,
}

/// An object whose sections are all within the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elf<'a> {
    data: &'a [u8],
    /// The table of sections.
    headers: &'a [u8],
    /// Names of the sections.
    names: &'a [u8],
}

impl<'a> Elf<'a> {
    /// Parses the header and the table of sections.
    pub(crate) fn parse(data: &'a [u8]) -> Result<Self, Bad> {
        if data.get(..4) != Some(b"\x7fELF") {
            return Err(Bad::Text("not an ELF object"));
        }
        if data.get(4) != Some(&2) {
            return Err(Bad::Text("not an ELF object of 64 bits"));
        }
        if data.get(5) != Some(&1) {
            return Err(Bad::Text(
                "not little-endian: compile it with --target=bpfel",
            ));
        }
        let half = |at| u16_at(data, at).ok_or(TRUNCATED);
        match half(18)? {
            EM_BPF => {}
            machine => return Err(Bad::Machine(machine)),
        }
        if half(16)? != 1 {
            return Err(Bad::Text("not a relocatable object: link nothing"));
        }
        let at = u64_at(data, 40).ok_or(TRUNCATED)?;
        if usize::from(half(58)?) != SECTION {
            return Err(Bad::Text(
                "a malformed ELF object: a section of another size",
            ));
        }
        let count = usize::from(half(60)?);
        let size = count.checked_mul(SECTION).ok_or(TRUNCATED)?;
        let mut elf = Self {
            data,
            headers: bytes(data, at, size).ok_or(TRUNCATED)?,
            names: &[],
        };

        elf.names = elf.header(half(62)?.into()).ok_or(TRUNCATED)?.data;
        for index in 0..count {
            elf.section(index).ok_or(TRUNCATED)?;
        }
        Ok(elf)
    }

    /// The section at an index, without its name.
    fn header(&self, index: usize) -> Option<Section<'a>> {
        let header = bytes(self.headers, index.checked_mul(SECTION)?, SECTION)?;
        let kind = u32_at(header, 4)?;
        let size = u64_at(header, 32)?;

        Some(Section {
            index,
            name: &[],
            kind,
            link: u32_at(header, 40)?.try_into().ok()?,
            info: u32_at(header, 44)?.try_into().ok()?,
            size,
            data: match kind {
                0 | SHT_NOBITS => &[],
                _ => bytes(self.data, u64_at(header, 24)?, size)?,
            },
        })
    }

    /// The section at an index.
    pub(crate) fn section(&self, index: usize) -> Option<Section<'a>> {
        let name = u32_at(self.headers, index.checked_mul(SECTION)?)?;

        Some(Section {
            name: string(self.names, name.try_into().ok()?)?,
            ..self.header(index)?
        })
    }

    /// All sections, in the order of their indices.
    pub(crate) fn sections(self) -> impl Iterator<Item = Section<'a>> {
        (0..).map_while(move |index| self.section(index))
    }
}

/// The symbol table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbols<'a> {
    table: &'a [u8],
    strings: &'a [u8],
}

impl<'a> Symbols<'a> {
    /// Makes the table of a section of type [`SHT_SYMTAB`].
    pub(crate) fn new(elf: &Elf<'a>, section: &Section<'a>) -> Option<Self> {
        let symbols = Self {
            table: section.data,
            strings: elf.section(section.link)?.data,
        };

        if section.data.len().checked_rem(SYMBOL)? != 0 {
            return None;
        }
        let count = section.data.len().checked_div(SYMBOL)?;
        (0..count)
            .all(|i| symbols.get(i).is_some())
            .then_some(symbols)
    }

    /// The symbol at an index.
    pub(crate) fn get(&self, index: usize) -> Option<Symbol<'a>> {
        let symbol = bytes(self.table, index.checked_mul(SYMBOL)?, SYMBOL)?;

        Some(Symbol {
            name: string(self.strings, u32_at(symbol, 0)?.try_into().ok()?)?,
            kind: symbol.get(4)? & 15,
            section: u16_at(symbol, 6)?.into(),
            value: u64_at(symbol, 8)?,
            size: u64_at(symbol, 16)?,
        })
    }

    /// All symbols, in the order of their indices.
    pub(crate) fn iter(self) -> impl Iterator<Item = Symbol<'a>> {
        (0..).map_while(move |index| self.get(index))
    }
}

/// The relocations of a section of type [`SHT_REL`].
pub(crate) fn rels(data: &[u8]) -> impl Iterator<Item = Rel> + '_ {
    data.chunks_exact(REL).map_while(|rel| {
        Some(Rel {
            offset: u64_at(rel, 0)?,
            kind: u32_at(rel, 8)?,
            symbol: u32_at(rel, 12)?.try_into().ok()?,
        })
    })
}
