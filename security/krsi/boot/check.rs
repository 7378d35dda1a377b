// SPDX-License-Identifier: GPL-2.0

//! The text of a boot program: section, license, instructions.
//!
//! The build checks it, and the kernel checks it again before it loads a program. Properties of the
//! program's execution are left to the verifier.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{
    elf::{rels, Section, STT_FUNC},
    error::{Error, Place, Reason},
    helpers::{helper_allowed, kfunc_allowed, CALLBACKS, MAPS},
    insn::{Insn, CALL, CALL_REGISTER, INSN, JUMP_REGISTER, LD_IMM64, MAY_GOTO, PSEUDO_CALL},
    program::{Program, Reloc},
};
use crate::blob::{class::Class, point::Point};

/// Limit on the instructions of a program.
pub(crate) const MAX_INSNS: usize = 4096;

/// Returns the point of the program in a section of this name. [`None`] if the section is ignored.
pub(crate) fn section(name: &[u8], empty: bool) -> Result<Option<Point>, Reason<'_>> {
    const IGNORED: [&[u8]; 5] = [b".debug", b".comment", b".llvm", b".eh_frame", b".note"];
    const GLOBALS: [&[u8]; 6] = [
        b".data",
        b".rodata",
        b".bss",
        b".kconfig",
        b".addr_space",
        b".struct_ops",
    ];
    let starts = |with: &[&[u8]]| with.iter().any(|with| name.starts_with(with));

    if let Some(point) = name.strip_prefix(b"krsi.blob/") {
        if Class::ALL
            .into_iter()
            .any(|class| !class.is_visible() && class.name().as_bytes() == point)
        {
            return Err(Reason::Text("programs never see objects of this class"));
        }
        return Point::by_name(point)
            .map(Some)
            .ok_or(Reason::Name("there is no point", point));
    }
    if name.starts_with(b"krsi.blob.s/") {
        return Err(Reason::Text(
            "boot programs do not sleep: name it krsi.blob/",
        ));
    }
    if starts(&IGNORED) || empty {
        return Ok(None);
    }
    Err(Reason::Text(match name {
        b".text" => "calls to other functions are not allowed: make them __always_inline",
        b".maps" | b"maps" => MAPS,
        _ if starts(&GLOBALS) => "global variables are not allowed",
        _ => "unknown section: boot programs are in krsi.blob/POINT",
    }))
}

/// Whether the kernel considers a license compatible with the GPL.
pub(crate) fn license_allowed(license: &[u8]) -> bool {
    matches!(
        license,
        b"GPL"
            | b"GPL v2"
            | b"GPL and additional rights"
            | b"Dual BSD/GPL"
            | b"Dual MIT/GPL"
            | b"Dual MPL/GPL"
    )
}

/// Checks a program in its section: it is one function, its relocations are valid, and it does
/// nothing that boot programs may not do.
pub(crate) fn program<'a>(program: &Program<'a>, section: &Section<'a>) -> Result<(), Error<'a>> {
    let mut functions = program
        .symbols
        .iter()
        .filter(|symbol| symbol.kind == STT_FUNC && symbol.section == section.index);

    match (functions.next(), functions.next()) {
        (Some(only), None) if only.value == 0 && only.size == program.insns.len() => {}
        _ => {
            return Err(program.error(Reason::Text(
                "a boot program is one function, alone in its section",
            )))
        }
    }
    relocations(program)?;
    instructions(program)
}

/// Checks that relocations are valid, in ascending order, and at most one for each instruction.
fn relocations<'a>(program: &Program<'a>) -> Result<(), Error<'a>> {
    let mut next = 0;

    for rel in rels(program.rels) {
        let insn = program.reloc(rel)?.insn();
        if insn < next {
            return Err(program.error(Reason::Text("relocations are not in ascending order")));
        }
        next = insn.saturating_add(1);
    }
    Ok(())
}

/// Checks the instructions of a program.
fn instructions<'a>(program: &Program<'a>) -> Result<(), Error<'a>> {
    let count = program.insns.len().checked_div(INSN).unwrap_or(0);
    let whole = program.insns.len().checked_rem(INSN) == Some(0);
    let refuse = |insn, reason| {
        Err(Error {
            section: program.section,
            place: Place::Insn(insn),
            reason,
        })
    };

    if count == 0 || !whole {
        return Err(program.error(Reason::Text("no instructions, or a truncated one")));
    }
    if count > MAX_INSNS {
        return Err(program.error(Reason::Text("more than 4096 instructions")));
    }

    // `relocations` has checked that they are in ascending order.
    let mut relocs = program.relocs().peekable();
    let mut upper_half = false;

    for (i, bytes) in program.insns.chunks_exact(INSN).enumerate() {
        let Some(insn) = Insn::at(bytes, 0) else {
            return refuse(i, Reason::Text("truncated instruction"));
        };
        let reloc = relocs.next_if(|reloc| reloc.insn() == i);

        if upper_half {
            if (insn.code, insn.src, insn.dst, insn.off) != (0, 0, 0, [0, 0]) || reloc.is_some() {
                return refuse(i, Reason::Text("invalid second half of a load"));
            }
            upper_half = false;
            continue;
        }
        match insn.code {
            LD_IMM64 => {
                if insn.src != 0 {
                    return refuse(i, Reason::Text(MAPS));
                }
                upper_half = true;
            }
            // The other instructions of this class load from packets.
            code if code & 7 == 0 => {
                return refuse(i, Reason::Text("an instruction that is not allowed"));
            }
            CALL => match (insn.src, reloc) {
                (0, None) if helper_allowed(insn.imm) => {}
                (0, None) => return refuse(i, Reason::Helper(insn.imm)),
                (PSEUDO_CALL, Some(Reloc::Kfunc { name, .. })) => {
                    if !kfunc_allowed(name) {
                        return refuse(i, Reason::Kfunc(name));
                    }
                }
                (PSEUDO_CALL, _) => {
                    return refuse(
                        i,
                        Reason::Text("calls to other functions are not allowed: inline them"),
                    );
                }
                _ => return refuse(i, Reason::Text("unknown kind of call")),
            },
            CALL_REGISTER => return refuse(i, Reason::Text(CALLBACKS)),
            MAY_GOTO => return refuse(i, Reason::Text("may_goto is not allowed: bound the loop")),
            JUMP_REGISTER => return refuse(i, Reason::Text("jumps to variables are not allowed")),
            _ => {}
        }
        match reloc {
            None => {}
            Some(Reloc::Slot { .. }) if insn.code == LD_IMM64 => {}
            Some(Reloc::Kfunc { .. }) if insn.code == CALL && insn.src == PSEUDO_CALL => {}
            Some(_) => return refuse(i, Reason::Text("a relocation that does not fit")),
        }
    }
    if upper_half {
        return Err(program.error(Reason::Text("ends in the middle of a load")));
    }
    if relocs.next().is_some() {
        return Err(program.error(Reason::Text("a relocation beyond the end")));
    }
    Ok(())
}
