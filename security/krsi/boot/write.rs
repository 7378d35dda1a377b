// SPDX-License-Identifier: GPL-2.0

//! Rewrites objects with only those parts that the kernel needs.
//!
//! Compilers add debug information such as paths and source lines. It would be most of an object,
//! and images would differ between machines. Compilers also describe sections and undefined
//! functions in a way that the kernel rejects, since they expect loaders to complete it.

use crate::{
    core_relo::BTF_MAGIC,
    elf::{
        string, u16_at, u32_at, EM_BPF, REL, SECTION, SHT_PROGBITS, SHT_REL, SHT_STRTAB,
        SHT_SYMTAB, STT_FUNC, SYMBOL,
    },
    insn::{INSN, LD_IMM64},
    object::Object,
    program::{Reloc, R_BPF_64_32, R_BPF_64_64},
    slot::SLOT,
};
use std::collections::HashMap;

/// Size of the ELF header.
const HEADER: usize = 64;

/// A table of NUL-terminated strings.
struct Strings {
    bytes: Vec<u8>,
    known: HashMap<Vec<u8>, u32>,
}

impl Strings {
    fn new() -> Self {
        Self {
            bytes: vec![0],
            known: HashMap::from([(vec![], 0)]),
        }
    }

    /// Returns the offset of a string, which is added if it is new.
    fn add(&mut self, text: &[u8]) -> u32 {
        if let Some(at) = self.known.get(text) {
            return *at;
        }
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(text);
        self.bytes.push(0);
        self.known.insert(text.to_vec(), at);
        at
    }
}

fn put(out: &mut Vec<u8>, numbers: &[u32]) {
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// Kinds of types.
const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;
const DECL_TAG: u32 = 17;
const LAST: u32 = 19;
const ENUM64: u32 = LAST;

/// Writes the types of an object, in their order, with names in `strings`.
///
/// CO-RE relocations refer to types only. Functions, variables, sections and tags become pointers
/// to void, so that the numbers of types do not change.
fn types(btf: &[u8], old: &[u8], strings: &mut Strings) -> Option<Vec<u8>> {
    let start = u32_at(btf, 4)?.checked_add(u32_at(btf, 8)?)? as usize;
    let mut rest = btf.get(start..start.checked_add(u32_at(btf, 12)? as usize)?)?;
    let mut out = Vec::new();

    while !rest.is_empty() {
        let (name, info, size) = (u32_at(rest, 0)?, u32_at(rest, 4)?, u32_at(rest, 8)?);
        let (kind, count) = ((info >> 24) & 0x7f, (info & 0xff_ffff) as usize);
        // The number and the size of records that follow, and whether each begins with a name.
        let (records, record, named) = match kind {
            INT | VAR | DECL_TAG => (1, 4, false),
            ARRAY => (1, 12, false),
            STRUCT | UNION | ENUM64 => (count, 12, true),
            DATASEC => (count, 12, false),
            ENUM | FUNC_PROTO => (count, 8, true),
            0 => return None,
            _ if kind > LAST => return None,
            _ => (0, 4, false),
        };
        let all = rest.get(12..)?.get(..records.checked_mul(record)?)?;
        rest = &rest[12 + all.len()..];

        if matches!(kind, FUNC | VAR | DATASEC | DECL_TAG) {
            put(&mut out, &[0, PTR << 24, 0]);
            continue;
        }
        let mut add = |name: u32| Some(strings.add(string(old, name as usize)?));
        put(&mut out, &[add(name)?, info, size]);
        for record in all.chunks_exact(record) {
            if named {
                put(&mut out, &[add(u32_at(record, 0)?)?]);
                out.extend_from_slice(&record[4..]);
            } else {
                out.extend_from_slice(record);
            }
        }
    }
    Some(out)
}

/// The sections, symbols and strings written so far.
struct Writer {
    out: Vec<u8>,
    headers: Vec<u8>,
    symbols: Vec<u8>,
    strings: Strings,
    count: u32,
}

impl Writer {
    /// Adds a section and returns its number.
    fn section(&mut self, name: &[u8], kind: u32, link: u32, info: u32, data: &[u8]) -> u32 {
        let (align, size) = match kind {
            SHT_SYMTAB => (8u64, SYMBOL),
            SHT_REL => (8, REL),
            SHT_PROGBITS => (8, 0),
            _ => (1, 0),
        };

        self.out.resize(self.out.len().next_multiple_of(8), 0);
        put(&mut self.headers, &[self.strings.add(name), kind]);
        for field in [0, 0, self.out.len() as u64, data.len() as u64] {
            self.headers.extend_from_slice(&field.to_le_bytes());
        }
        put(&mut self.headers, &[link, info]);
        for field in [align, size as u64] {
            self.headers.extend_from_slice(&field.to_le_bytes());
        }
        self.out.extend_from_slice(data);
        self.count += 1;
        self.count - 1
    }

    /// Adds a global symbol and returns its number.
    fn symbol(&mut self, name: &[u8], kind: u8, section: u32, size: usize) -> u32 {
        let number = self.symbols.len() / SYMBOL;

        put(&mut self.symbols, &[self.strings.add(name)]);
        self.symbols.extend_from_slice(&[(1 << 4) | kind, 0]);
        self.symbols
            .extend_from_slice(&(section as u16).to_le_bytes());
        self.symbols.extend_from_slice(&0u64.to_le_bytes());
        self.symbols.extend_from_slice(&(size as u64).to_le_bytes());
        number as u32
    }
}

/// Rewrites an object. [`None`]: its type information is malformed.
pub(crate) fn write(object: &Object<'_>) -> Option<Vec<u8>> {
    let btf = object.btf();
    let at = u32_at(btf, 4)?.checked_add(u32_at(btf, 16)?)? as usize;
    let old = btf.get(at..at.checked_add(u32_at(btf, 20)? as usize)?)?;
    debug_assert_eq!(u16_at(btf, 0), Some(BTF_MAGIC));

    let mut names = Strings::new();
    let types = types(btf, old, &mut names)?;
    let mut relos = Vec::new();
    let mut writer = Writer {
        out: vec![0; HEADER],
        headers: vec![0; SECTION],
        symbols: vec![0; SYMBOL],
        strings: Strings::new(),
        count: 1,
    };

    writer.section(b"license", SHT_PROGBITS, 0, 0, b"GPL\0");
    let mut slots = Vec::new();
    for slot in object.slots() {
        let mut name = slot.name.to_vec();
        name.resize(SLOT - 16, 0);
        slots.extend_from_slice(&name);
        put(
            &mut slots,
            &[slot.class as u32, slot.size, slot.align, slot.flags],
        );
    }
    let mut slots_symbol = 0;
    if !slots.is_empty() {
        let section = writer.section(b".krsi.slots", SHT_PROGBITS, 0, 0, &slots);
        slots_symbol = writer.symbol(b"slots", 1, section, slots.len());
    }

    let mut kfuncs = HashMap::new();
    let mut rels = Vec::new();
    for program in object.programs() {
        let mut insns = program.insns.to_vec();
        let mut of_program = Vec::new();

        for reloc in program.relocs() {
            let at = reloc.insn() * INSN;
            let (kind, symbol) = match reloc {
                Reloc::Slot { index, .. } => {
                    debug_assert_eq!(insns[at], LD_IMM64);
                    insns[at + 4..at + 8].copy_from_slice(&((index * SLOT) as u32).to_le_bytes());
                    (R_BPF_64_64, slots_symbol)
                }
                Reloc::Kfunc { name, .. } => (
                    R_BPF_64_32,
                    *kfuncs
                        .entry(name)
                        .or_insert_with(|| writer.symbol(name, 0, 0, 0)),
                ),
            };
            of_program.extend_from_slice(&(at as u64).to_le_bytes());
            put(&mut of_program, &[kind, symbol]);
        }
        let section = writer.section(program.section, SHT_PROGBITS, 0, 0, &insns);
        writer.symbol(program.name, STT_FUNC, section, insns.len());
        rels.push((program.section, section, of_program));

        let records = program.core_relos();
        let size = program.core_relo_size() as usize;
        if !records.is_empty() {
            let name = names.add(program.section);
            put(&mut relos, &[name, (records.len() / size) as u32]);
        }
        for record in records.chunks_exact(size) {
            let access = names.add(string(old, u32_at(record, 8)? as usize)?);
            put(
                &mut relos,
                &[
                    u32_at(record, 0)?,
                    u32_at(record, 4)?,
                    access,
                    u32_at(record, 12)?,
                ],
            );
        }
    }

    let mut data = Vec::new();
    let (types_len, names_len) = (types.len() as u32, names.bytes.len() as u32);
    put(
        &mut data,
        &[
            BTF_MAGIC as u32 | (1 << 16),
            24,
            0,
            types_len,
            types_len,
            names_len,
        ],
    );
    data.extend_from_slice(&types);
    data.extend_from_slice(&names.bytes);
    writer.section(b".BTF", SHT_PROGBITS, 0, 0, &data);
    if !relos.is_empty() {
        let mut ext = Vec::new();
        let len = relos.len() as u32 + 4;
        put(
            &mut ext,
            &[BTF_MAGIC as u32 | (1 << 16), 32, 0, 0, 0, 0, 0, len, 16],
        );
        ext.extend_from_slice(&relos);
        writer.section(b".BTF.ext", SHT_PROGBITS, 0, 0, &ext);
    }

    // The tables of symbols and strings are the last two sections, after the relocations.
    rels.retain(|(_, _, rels)| !rels.is_empty());
    let symtab = writer.count + rels.len() as u32;
    for (name, section, rels) in rels {
        let name = [b".rel", name].concat();
        writer.section(&name, SHT_REL, symtab, section, &rels);
    }
    let symbols = std::mem::take(&mut writer.symbols);
    writer.section(b".symtab", SHT_SYMTAB, symtab + 1, 1, &symbols);
    writer.strings.add(b".strtab");
    let strings = writer.strings.bytes.clone();
    let strtab = writer.section(b".strtab", SHT_STRTAB, 0, 0, &strings);

    let mut out = writer.out;
    out.resize(out.len().next_multiple_of(8), 0);
    let headers = out.len() as u64;
    out.extend_from_slice(&writer.headers);
    out[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    out[16] = 1;
    out[18..20].copy_from_slice(&EM_BPF.to_le_bytes());
    out[20] = 1;
    out[40..48].copy_from_slice(&headers.to_le_bytes());
    out[52] = HEADER as u8;
    out[58] = SECTION as u8;
    out[60..62].copy_from_slice(&(writer.count as u16).to_le_bytes());
    out[62..64].copy_from_slice(&(strtab as u16).to_le_bytes());
    Some(out)
}

/// Whether two objects are equal for the kernel, apart from their types.
pub(crate) fn same(a: &Object<'_>, b: &Object<'_>) -> bool {
    // The instructions of the new object contain the offsets of slots.
    let blank = |insns: &[u8], relocs: &mut dyn Iterator<Item = Reloc<'_>>| {
        let mut insns = insns.to_vec();
        for reloc in relocs {
            let at = reloc.insn() * INSN + 4;
            insns[at..at + 4].fill(0);
        }
        insns
    };

    a.slots().eq(b.slots())
        && a.programs().count() == b.programs().count()
        && a.programs().zip(b.programs()).all(|(a, b)| {
            (a.name, a.section, a.point) == (b.name, b.section, b.point)
                && a.relocs().eq(b.relocs())
                && blank(a.insns, &mut a.relocs()) == blank(b.insns, &mut b.relocs())
                && a.core_relos().len() == b.core_relos().len()
        })
}
