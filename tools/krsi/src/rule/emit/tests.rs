// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::{
    kernel::insn::Insn,
    rule::{
        error::Missing,
        label::Slot,
        lower::{lower, Source, System},
        parse,
        plan::plan,
    },
};

struct Nothing;

impl System for Nothing {
    fn user(&self, _: &str) -> Option<u32> {
        None
    }

    fn group(&self, _: &str) -> Option<u32> {
        None
    }

    fn cgroup(&self, path: &str) -> Option<(u8, u64)> {
        Some((path.len() as u8 % 5, 1 << 40))
    }

    fn container(&self, name: &str) -> Result<String, Missing> {
        Ok(format!("/{name}"))
    }

    fn slot(&self, _: Class, name: &str) -> Result<Slot, Missing> {
        Ok(Slot {
            number: 0xfedc_ba98,
            size: if name == "wide" { 24 } else { 8 },
            kept: name == "kept",
        })
    }

    fn resolve(&self, path: &str) -> String {
        path.into()
    }
}

fn compiled(text: &str, audit: bool) -> Option<Result<Programs, String>> {
    let lines = parse("rules", text).ok()?;
    let sources = lines.into_iter().map(|line| Source {
        file: "rules".into(),
        line,
    });
    let policy = lower(sources.collect(), &Nothing).ok()?.policy;
    let programs = emit(&policy, &plan(&policy), &Anywhere { audit });
    Some(programs.map_err(|failed| failed.why))
}

#[test]
fn a_program_for_each_hook() {
    let text = "-w /etc/x -p x -k a\n-a deny,exit -S execve -F env[A]=b\n-a kill,exit -S connect";
    let programs = compiled(text, true).unwrap().unwrap();
    let hooks: Vec<_> = programs
        .programs
        .iter()
        .map(|program| program.hook)
        .collect();
    assert_eq!(hooks, ["bprm_check_security", "socket_connect"]);
    // Only arguments need a program that sleeps.
    assert!(programs.programs[0].sleepable && !programs.programs[1].sleepable);
    assert_eq!(programs.names, b"A\0");
}

#[test]
fn records_are_written_where_the_kernel_can() {
    let calls = |audit| {
        let programs = compiled("-w /etc/x -p x", audit).unwrap().unwrap();
        let symbols = programs
            .programs
            .into_iter()
            .flat_map(|one| one.code.symbols);
        symbols
            .filter(|(_, symbol)| *symbol == super::super::asm::Symbol::Kfunc("krsi_audit_log"))
            .count()
    };
    assert!(calls(true) > 0);
    assert_eq!(calls(false), 0);
}

/// More rules of one form are more entries of a map, not more instructions.
#[test]
fn programs_do_not_grow_with_values() {
    let size = |count| {
        let rule = |number| format!("-a deny,exit -F path=/etc/file{number} -F perm=w\n");
        let text: String = (0..count).map(rule).collect();
        let programs = compiled(&text, true).unwrap().unwrap();
        let sizes = programs.programs.iter();
        sizes.map(|program| program.code.insns.len()).sum::<usize>()
    };
    assert_eq!(size(10), size(1000));
}

/// Users are told apart in as many steps as their number has bits.
#[test]
fn numbers_are_found_by_halves() {
    let rule = |number| format!("-a deny,exit -S openat -F uid={}\n", 2000 + 3 * number);
    let text: String = (0..1000).map(rule).collect();
    let programs = compiled(&text, false).unwrap().unwrap();
    let insns = &programs.programs[0].code.insns;
    let parts: Vec<_> = insns.iter().map(Insn::parts).collect();
    // ==, >=, !=
    const COMPARES: [u8; 3] = [0x15, 0x35, 0x55];
    let compared = |code: u8| COMPARES.contains(&code);
    // The first comparison with a user.
    let root = parts
        .iter()
        .position(|(code, _, _, imm)| *code == 0x35 && *imm >= 2000)
        .unwrap();
    for (user, expected) in [
        (2000, Some(0)),
        (2003, Some(1)),
        (3500, Some(500)),
        (4997, Some(999)),
        (2001, None),
        (0, None),
        (u64::from(u32::MAX), None),
    ] {
        let (mut at, mut steps) = (root, 0);
        let found = loop {
            let (code, regs, off, imm) = parts[at];
            let taken = match code {
                0x15 => user == imm as u64,
                0x35 => user >= imm as u64,
                0x55 => user != imm as u64,
                // *(u32 *)(r7 + 8) = rank of a rule
                0x62 if regs == 7 => break Some(imm >> LENIENCY_BITS),
                _ => break None,
            };
            steps += 1;
            at = (at as i64 + 1 + if taken { i64::from(off) } else { 0 }) as usize;
            if !compared(parts[at].0) {
                // if it is stretched or has come to its end
                while matches!(parts[at].0, 0x05 | 0x06) {
                    let (code, _, off, imm) = parts[at];
                    let distance = if code == 0x06 {
                        imm.into()
                    } else {
                        i64::from(off)
                    };
                    at = (at as i64 + 1 + distance) as usize;
                }
            }
        };
        assert_eq!(found, expected, "{user}");
        assert!(steps <= 11, "{user}: {steps}");
    }
}

/// Paths are asked for as before, unless a rule allows by them.
#[test]
fn mounts_are_looked_at_where_a_rule_allows_by_path() {
    let trusting = |text: &str| {
        let programs = compiled(text, true).unwrap().unwrap();
        let insns = programs.programs.iter().flat_map(|one| &one.code.insns);
        let flags = PATH_DELETED | PATH_TRUSTED_MOUNT;
        // rN = flags, with N the argument of the flags.
        insns
            .map(Insn::parts)
            .filter(|(code, regs, _, imm)| *code == 0xb7 && matches!(regs, 4 | 5) && *imm == flags)
            .count()
    };
    const DENY: &str = "-a deny,exit -S openat,rename -F uid=7\n";
    for text in [
        "-w /etc/x -p rwxa -k a",
        "-w /etc/x -p rwxa -k a\n-a always,exit -S connect -F exe=/x -F pexe=/y",
        "-a deny,exit -S openat,rename -F dir=/x -F exe=/y",
        "-a deny,exit -S openat,rename -F uid=7\n-a always,exit -S openat -F exe=/x",
    ] {
        assert_eq!(trusting(text), 0, "{text}");
    }
    // Each path with two sizes of memory, and each of a rename's.
    for (text, calls) in [
        ("-a never,exit -S openat -F exe=/x\n", 2),
        ("-a never,exit -S openat -F exe=/x -F dir=/d\n", 4),
        ("-a always,exit -S rename -F path=/x -F pexe=/y\n", 6),
    ] {
        assert_eq!(trusting(&format!("{text}{DENY}")), calls, "{text}");
    }
    assert_eq!(trusting("-a deny,exit -S openat -F exe!=/x -F dir=/d"), 2);
}
