// SPDX-License-Identifier: GPL-2.0

//! Rules by chance, and events that they are about. Both take their values from the same few, so
//! that rules match.

use super::chance::Chance;
use crate::rule::{
    ast::Op,
    error::Missing,
    eval::{Event, Numbers, Paths},
    field::{self, Kind},
    hook::{self, Access, Decided, Hook},
    label::{Class, Slot},
    lower::{System, REFUSED},
    syscalls::SYSCALLS,
};
use std::net::IpAddr;

/// A machine that every machine is.
pub struct Place;

const CGROUPS: &[(&str, u64)] = &[
    ("/", 1),
    ("/a", 1 << 40),
    ("/a/b", (1 << 40) + 1),
    ("/c", 5),
];

impl System for Place {
    fn user(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }

    fn group(&self, name: &str) -> Option<u32> {
        (name == "wheel").then_some(2)
    }

    fn cgroup(&self, path: &str) -> Option<(u8, u64)> {
        let (path, id) = CGROUPS.iter().find(|(known, _)| *known == path)?;
        let depth = path.split('/').filter(|part| !part.is_empty()).count();
        Some((depth as u8, *id))
    }

    fn container(&self, name: &str) -> Result<String, Missing> {
        Err(Missing::new(
            format!("there is no container {name}"),
            "another",
        ))
    }

    fn slot(&self, _: Class, name: &str) -> Result<Slot, Missing> {
        Err(Missing::new(format!("there is no slot {name}"), "another"))
    }

    fn resolve(&self, path: &str) -> String {
        // A symbolic link.
        match path.strip_prefix("/link") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("/a{rest}"),
            _ => path.into(),
        }
    }
}

const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    3,
    7,
    1000,
    1001,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
];

fn number(chance: &mut Chance) -> u64 {
    match chance.below(8) {
        0 => chance.number() & 0xffff_ffff,
        1..4 => chance.below(300) as u64,
        _ => *chance.of(NUMBERS),
    }
}

/// A text of about so many bytes as a class of keys or a limit has.
fn long(chance: &mut Chance, first: &str) -> String {
    let around = *chance.of(&[16, 63, 64, 250, 252, 256, 3990, 4095]) as usize;
    let length = (around + chance.below(4))
        .saturating_sub(2)
        .max(first.len());
    format!("{first}{}", "x".repeat(length - first.len()))
}

fn path(chance: &mut Chance) -> String {
    const PATHS: &[&str] = &[
        "/", "/a", "/a/b", "/a/b/c", "/ab", "/c", "/link/b", "/link", "/a/./b//", "/ä ö",
    ];
    match chance.below(10) {
        0 => long(chance, "/a/"),
        1..4 => format!("/a/{}", chance.below(100)),
        _ => chance.pick(PATHS).into(),
    }
}

fn text(chance: &mut Chance) -> String {
    match chance.below(10) {
        0 => long(chance, ""),
        1..4 => chance.below(100).to_string(),
        _ => chance
            .pick(&["a", "b", "--bad", "x y", "ü", "=", "'", "\\", "#"])
            .into(),
    }
}

fn address(chance: &mut Chance) -> String {
    chance
        .pick(&[
            "10.0.0.1",
            "10.0.0.2",
            "127.0.0.1",
            "::1",
            "2001:db8::1",
            "2001:db8:1::1",
            "::ffff:10.0.0.1",
        ])
        .into()
}

/// What may stand on the right of a field, and seldom what may not.
fn value(chance: &mut Chance, name: &str, kind: Kind) -> String {
    if chance.one_in(200) {
        return text(chance);
    }
    match kind {
        Kind::Number => match chance.below(8) {
            0 => format!("{:#x}", number(chance)),
            1 => format!("-{}", chance.below(300)),
            _ => number(chance).to_string(),
        },
        Kind::Id => match chance.below(10) {
            0 => "unset".into(),
            1 if name.ends_with("uid") => "root".into(),
            1 if name.ends_with("gid") => "wheel".into(),
            _ => number(chance).to_string(),
        },
        Kind::Exit => chance.pick(&["-13", "0", "-EACCES", "EPERM"]).into(),
        Kind::Truth => chance.pick(&["0", "1", "yes", "no"]).into(),
        Kind::Arch => chance.pick(&["b64", "b32", "x86_64", "i686"]).into(),
        Kind::Permissions => chance
            .pick(&["r", "w", "x", "a", "rw", "wa", "rwxa"])
            .into(),
        Kind::Path if name == "cgroup" => chance.of(CGROUPS).0.into(),
        Kind::Path => path(chance),
        Kind::FileType => chance
            .pick(&[
                "file",
                "dir",
                "socket",
                "link",
                "character",
                "block",
                "fifo",
            ])
            .into(),
        Kind::NumberOrName => chance.pick(&["1300", "AVC", "tracefs"]).into(),
        Kind::Text if name == "comm" && !chance.one_in(20) => chance.below(20).to_string(),
        Kind::Text => text(chance),
        Kind::Address => match chance.below(4) {
            0 => format!("10.0.0.0/{}", chance.below(33)),
            1 => format!("2001:db8::/{}", chance.below(129)),
            _ => address(chance),
        },
        Kind::Port => {
            let limit = *chance.of(&[300, 300, 300, 65_536]);
            chance.below(limit).to_string()
        }
        // Whatever other kinds there are: a number is close to most.
        #[allow(unreachable_patterns)]
        _ => number(chance).to_string(),
    }
}

/// A word as it has to be written.
fn quoted(chance: &mut Chance, word: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !"'\"\\#".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !chance.one_in(50) {
        return word.into();
    }
    let mut escaped = String::new();
    for c in word.chars() {
        if !plain(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    match chance.below(2) {
        0 if !word.contains('\'') => format!("'{word}'"),
        _ => escaped,
    }
}

/// Whether a hook knows a field.
fn knows(hook: &Hook, name: &str) -> bool {
    match name {
        "path" | "dir" => !hook.names.is_empty(),
        "perm" => hook.access != Access::None,
        "inode" | "devmajor" | "devminor" | "obj_uid" | "obj_gid" | "filetype" => {
            hook.node.is_some()
        }
        "exe" | "pexe" => hook.paths,
        "raddr" | "rport" => hook.remote.is_some(),
        "argv" => hook.name == "bprm_check_security",
        name => !REFUSED.iter().any(|(refused, ..)| *refused == name) && name != "arch",
    }
}

/// System calls that hooks decide, and those hooks.
fn decided(chance: &mut Chance) -> (Vec<&'static str>, Vec<&'static Hook>) {
    const OFTEN: &[&str] = &[
        "openat", "execve", "connect", "rename", "read", "sendto", "link",
    ];
    loop {
        let (name, ..) = SYSCALLS[chance.below(SYSCALLS.len())];
        let name = if chance.one_in(2) {
            *chance.of(OFTEN)
        } else {
            name
        };
        if let Decided::By(hooks) = hook::deciding(name) {
            let hooks: Vec<_> = hooks.into_iter().map(|(hook, _)| hook).collect();
            // Some more of the same kind.
            let others = SYSCALLS.iter().map(|row| row.0).filter(|other| {
                let by = match hook::deciding(other) {
                    Decided::By(by) => by,
                    _ => return false,
                };
                by.iter()
                    .all(|(hook, _)| hooks.iter().any(|known| known.name == hook.name))
            });
            let others: Vec<_> = others.collect();
            let mut names = vec![name];
            while chance.one_in(3) {
                names.push(*chance.of(&others));
            }
            return (names, hooks);
        }
    }
}

fn op(chance: &mut Chance, ops: field::Ops) -> &'static str {
    const OPS: &[(&str, Op)] = &[
        ("=", Op::Equal),
        ("!=", Op::NotEqual),
        ("<", Op::Less),
        ("<=", Op::LessOrEqual),
        (">", Op::Greater),
        (">=", Op::GreaterOrEqual),
        ("&", Op::AnyBit),
        ("&=", Op::AllBits),
    ];
    if chance.one_in(2) {
        return "=";
    }
    let good: Vec<_> = OPS.iter().filter(|(_, op)| ops.allow(*op)).collect();
    if chance.one_in(200) {
        return chance.of(OPS).0;
    }
    chance.of(&good).0
}

/// A condition on a field that the hooks know.
fn condition(chance: &mut Chance, hooks: &[&Hook], calls: bool) -> Option<String> {
    if chance.one_in(12) {
        let fields: Vec<_> = field::FIELDS.iter().map(|field| field.name).collect();
        let one = *chance.of(&fields);
        let with = field::comparable(one);
        if with.is_empty() {
            return None;
        }
        let other = *chance.of(with);
        let known = |name| hooks.iter().all(|hook| knows(hook, name));
        if one == other || !known(one) || !known(other) {
            return None;
        }
        return Some(format!("-C {one}{}{other}", chance.pick(&["=", "!="])));
    }
    let of_exec = hooks.iter().all(|hook| hook.name == "bprm_check_security");
    let (name, kind, ops) = if of_exec && !hooks.is_empty() && chance.one_in(3) {
        let name = match chance.below(2) {
            0 => format!("argv[{}]", chance.below(6)),
            _ => format!("env[{}]", chance.pick(&["A", "BC", "D_E", "ü"])),
        };
        (name, Kind::Text, field::Ops::Equality)
    } else {
        let facts = chance.of(field::FIELDS);
        // The machine has no addresses of other families.
        if facts.name == "saddr_fam" {
            return None;
        }
        let known = hooks.iter().all(|hook| knows(hook, facts.name));
        let argument = ["a0", "a1", "a2", "a3"].contains(&facts.name);
        if (!known || facts.name == "key" || (argument && !calls)) && !chance.one_in(100) {
            return None;
        }
        (facts.name.to_string(), facts.kind, facts.ops)
    };
    let op = op(chance, ops);
    let op = if name == "perm" { "=" } else { op };
    let value = value(chance, &name, kind);
    Some(format!(
        "-F {}",
        quoted(chance, &format!("{name}{op}{value}"))
    ))
}

fn action(chance: &mut Chance) -> String {
    const ERRNOS: &[&str] = &["EACCES", "ENOENT", "EBUSY", "EHWPOISON", "ENOSYS"];
    let action = match chance.below(6) {
        0 => "always".into(),
        1 | 2 => "never".into(),
        3 => "kill".into(),
        4 => "deny".into(),
        _ => format!("deny={}", chance.pick(ERRNOS)),
    };
    match chance.below(20) {
        0 => format!("exit,{action}"),
        _ => format!("{action},exit"),
    }
}

/// One rule, which mostly is good.
pub fn rule(chance: &mut Chance) -> String {
    let letter = if chance.one_in(10) { "-A" } else { "-a" };
    let mut words = Vec::new();
    if chance.one_in(10) {
        let path = path(chance);
        words.push(format!("-w {}", quoted(chance, &path)));
        if !chance.one_in(3) {
            words.push(format!(
                "-p {}",
                chance.pick(&["r", "w", "wa", "x", "rwxa"])
            ));
        }
    } else {
        words.push(format!("{letter} {}", action(chance)));
        if chance.one_in(4) {
            words.push(format!(
                "-F arch{}",
                chance.pick(&["=b64", "=b32", "!=b32"])
            ));
        }
        let (calls, hooks) = if chance.one_in(8) {
            (Vec::new(), Vec::new())
        } else {
            decided(chance)
        };
        if !calls.is_empty() {
            words.push(format!("-S {}", calls.join(",")));
        }
        let count = if chance.one_in(100) {
            60
        } else {
            chance.below(5)
        };
        words.extend((0..count).filter_map(|_| condition(chance, &hooks, !calls.is_empty())));
    }
    if chance.one_in(4) {
        let key = text(chance);
        words.push(format!("-k {}", quoted(chance, &key)));
    }
    words.join(" ")
}

/// Rules that differ in one or two values only, of which programs make searches and lookups.
fn many(chance: &mut Chance) -> String {
    const FORMS: &[&str] = &[
        "-S openat -F uid=#",
        "-S openat -F path=/a/# -F uid=%",
        "-S openat -F path=/a/b -F exe=/a/#",
        "-S openat -F dir=/a/# -F exe!=/a/%",
        "-S rename -F path=/a/# -F gid=%",
        "-S rename -F dir=/a/# -F exe=/a/%",
        "-S execve -F path=/a/b -F argv=#",
        "-S execve -F path=/a/# -F argv=%",
        "-S execve -F argv[1]=# -F env[A]=%",
        "-S execve -F argv=# -F exe=/a/%",
        "-S read -F inode=# -F devminor=%",
        "-S connect -F raddr=10.0.0.# -F rport=%",
        "-S sendto -F raddr=10.0.0.0/8 -F rport=#",
        "-S sendto -F rport=# -F rport<%",
        "-S socket -F a0=# -F a1=%",
        "-S connect,openat -F pid=# -F uid>=%",
    ];
    let forms: Vec<_> = (0..1 + chance.below(3))
        .map(|_| *chance.of(FORMS))
        .collect();
    let most = *chance.of(&[4, 40, 300]);
    let count = 1 + chance.below(most);
    let rules = (0..count).map(|number| {
        let form = chance.of(&forms).to_string();
        // Some more than once.
        let first = if chance.one_in(4) {
            chance.below(100)
        } else {
            number % 256
        };
        let form = form.replace('#', &first.to_string());
        let form = form.replace('%', &chance.below(300).to_string());
        format!("-a {} {form}", action(chance))
    });
    let rules: Vec<_> = rules.collect();
    rules.join("\n")
}

/// Rules for a policy.
pub fn policy(chance: &mut Chance) -> String {
    let mut lines = Vec::new();
    if chance.one_in(2) {
        lines.push(many(chance));
    }
    if lines.is_empty() || chance.one_in(2) {
        let most = *chance.of(&[1, 3, 10, 40]);
        let count = 1 + chance.below(most);
        lines.extend((0..count).map(|_| rule(chance)));
    }
    if chance.one_in(30) {
        let again = lines[chance.below(lines.len())].replacen("-a", "-d", 1);
        lines.push(again);
    }
    lines.join("\n")
}

/// An event at the hook, which says all that rules may ask.
pub fn event(chance: &mut Chance, hook: &'static Hook) -> Event {
    let compat = chance.one_in(3);
    // Of this kind of programs; that hooks are asked by others, too, is what rules are about.
    let syscall = loop {
        let (calls, _) = decided(chance);
        let row = SYSCALLS.iter().find(|row| row.0 == calls[0]);
        if row.is_some_and(|row| if compat { row.2 } else { row.1 }.is_some()) {
            break calls[0];
        }
    };
    // As the kernel has it, which tells none that are longer.
    let path = |chance: &mut Chance| {
        let path = path(chance).replace("/./", "/").replace("//", "");
        let mut path = Place.resolve(&path);
        path.truncate(4095);
        path
    };
    let texts = |chance: &mut Chance, most| -> Vec<String> {
        (0..chance.below(most)).map(|_| text(chance)).collect()
    };
    let paths = match chance.below(10) {
        0 => 0,
        _ => hook.names.len(),
    };
    let numbers = Numbers::all(|name| match name {
        "devmajor" => number(chance) % (1 << 12),
        "devminor" => number(chance) % (1 << 20),
        "rport" => number(chance) % (1 << 16),
        "filetype" => *chance.of(&[0o100_000, 0o040_000, 0o140_000, 0o020_000]),
        _ => number(chance),
    });
    let env = ["A", "BC", "D_E", "ü"].into_iter().filter_map(|name| {
        let value = text(chance);
        chance.one_in(2).then(|| (name.to_string(), value))
    });
    let env = env.collect();
    let raddr: IpAddr = match chance.below(3) {
        0 => IpAddr::from([10, 0, 0, chance.below(256) as u8]),
        _ => address(chance).parse().expect("it is an address"),
    };
    // What other fields there are is not said.
    #[allow(clippy::needless_update)]
    Event {
        hook: Some(hook.name.into()),
        syscall: Some(syscall.into()),
        arch: Some(if compat { "b32" } else { "b64" }.into()),
        path: Some(Paths::Several((0..paths).map(|_| path(chance)).collect())),
        perm: Some(chance.pick(&["", "r", "w", "rw"]).into()),
        exe: Some(path(chance)),
        pexe: Some(path(chance)),
        comm: Some(chance.below(20).to_string()),
        argv: Some(texts(chance, 6)),
        env: Some(env),
        cgroup: Some(
            chance
                .pick(&["/", "/a", "/a/b", "/a/b/new", "/c", "/c/d"])
                .into(),
        ),
        raddr: Some(raddr),
        detail: Some(match chance.below(3) {
            0 => chance.below(40) as u64,
            1 => 0o100_644,
            _ => *chance.of(&[2, 7, 16, 21, 25]),
        }),
        numbers,
        ..Event::default()
    }
}
