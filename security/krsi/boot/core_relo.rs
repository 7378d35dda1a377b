// SPDX-License-Identifier: GPL-2.0

//! Type information of an object, and its CO-RE relocations.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::elf::{bytes, string, u16_at, u32_at};

/// The type information of an object.
#[derive(Clone, Copy)]
pub(crate) struct Btf<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) strings: &'a [u8],
}

/// The first two bytes of type information.
pub(crate) const BTF_MAGIC: u16 = 0xeb9f;

impl<'a> Btf<'a> {
    /// Parses the section `.BTF`. [`None`] if it is malformed.
    pub(crate) fn parse(data: &'a [u8]) -> Option<Self> {
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

/// Size of a `struct bpf_core_relo`.
pub(crate) const CORE_RELO: u32 = 16;

/// The largest kind of relocation.
pub(crate) const CORE_RELO_LAST: u32 = 12;

/// CO-RE relocations of all sections, from `.BTF.ext`.
#[derive(Clone, Copy)]
pub(crate) struct CoreRelos<'a>(&'a [u8]);

impl<'a> CoreRelos<'a> {
    /// No relocations.
    pub(crate) const NONE: Self = Self(&[]);

    /// Parses the section `.BTF.ext`. [`None`] if it is malformed.
    pub(crate) fn parse(ext: &'a [u8]) -> Option<Self> {
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

    /// Returns the offset of the name in the strings, and the records, of each section. Ends with
    /// [`None`] if the rest is malformed.
    pub(crate) fn sections(self) -> impl Iterator<Item = Option<(usize, &'a [u8])>> {
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

    /// The records of a section, by its name.
    pub(crate) fn of(self, btf: &Btf<'a>, section: &[u8]) -> &'a [u8] {
        self.sections()
            .flatten()
            .find(|(name, _)| string(btf.strings, *name) == Some(section))
            .map_or(&[], |(_, records)| records)
    }
}
