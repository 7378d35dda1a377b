// SPDX-License-Identifier: GPL-2.0

//! Rules by chance, and events that they are about. Both take their values from the same few, so
//! that rules match.

use super::{chance::Chance, yielding};
use crate::rule::{
    ast::Op,
    error::Missing,
    eval::{Event, Numbers, Paths},
    field::{self, Kind},
    hook::{self, Access, Address, Decided, Hook, Node},
    label::{Class, Label, Slot},
    lower::{System, HOST, REFUSED},
    syscalls::SYSCALLS,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// A machine that every machine is.
pub struct Place;

const CGROUPS: &[(&str, u64)] = &[
    ("/", 1),
    ("/a", 1 << 40),
    ("/a/b", (1 << 40) + 1),
    ("/c", 5),
];

/// Containers and the paths of their cgroups; one has just ended.
const CONTAINERS: &[(&str, &str)] = &[("outer", "/a"), ("inner", "/a/b"), ("ended", "/ended")];

/// Slots that each class has, and their sizes.
const SLOTS: &[(&str, u32)] = &[
    ("one", 1),
    ("two", 2),
    ("four", 4),
    ("eight", 8),
    ("sixteen", 16),
    ("wide", 24),
];
/// One of inodes, which lasts in an extended attribute.
const KEPT: (&str, u32) = ("kept", 8);

const CLASSES: &[Class] = &[
    Class::Cred,
    Class::Task,
    Class::Inode,
    Class::File,
    Class::Sock,
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
        let found = CONTAINERS.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, path)| (*path).into())
            .ok_or_else(|| Missing::new(format!("there is no container {name}"), "another"))
    }

    fn slot(&self, class: Class, name: &str) -> Result<Slot, Missing> {
        let kept = (class, name) == (Class::Inode, KEPT.0);
        let mut slots = SLOTS.iter().chain(kept.then_some(&KEPT));
        let at = slots.position(|(known, _)| *known == name);
        let at = at.ok_or_else(|| Missing::new(format!("there is no slot {name}"), "another"))?;
        // No two classes share one, and some have the highest bit.
        let number = 1 + at as u32 + 0x1800_0000 * (class as u32 + 1);
        Ok(Slot {
            number,
            size: SLOTS.get(at).unwrap_or(&KEPT).1,
            kept,
        })
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

/// None, AF_UNIX, those of the internet, and others.
const FAMILIES: &[u16] = &[0, 1, 2, 10, 16, 40];

/// A label of an object that the hooks have, and its largest value; seldom one that there is not.
fn label(chance: &mut Chance, hooks: &[&Hook]) -> (String, u64) {
    let had = CLASSES.iter().filter(|class| match (hooks, class) {
        // Which hooks these will be other tests say.
        ([], Class::File | Class::Sock) => false,
        (hooks, class) => hooks.iter().all(|hook| hook.has(**class)),
    });
    let had: Vec<_> = had.collect();
    let class = *chance.of(&had);
    let (slot, size) = match class {
        Class::Inode if chance.one_in(3) => KEPT,
        _ => *chance.of(SLOTS),
    };
    let whole = [1, 2, 4, 8].contains(&size) && !chance.one_in(3);
    let (part, width) = if whole {
        (String::new(), size)
    } else {
        let widths: Vec<_> = [1, 2, 4, 8].into_iter().filter(|w| *w <= size).collect();
        let width = *chance.of(&widths);
        let offset = width * chance.below((size / width) as usize) as u32;
        (format!(":{offset},{width}"), width)
    };
    let (mut class, mut slot, mut part) = (class.name(), slot, part);
    match chance.below(600) {
        0 => class = chance.pick(&["superblock", "dentry", "sock", "file"]),
        1 => slot = chance.pick(&["kept", "none"]),
        2 => part = chance.pick(&["", ":16,8", ":3,2", ":4294967288,8"]).into(),
        _ => {}
    }
    let largest = u64::MAX >> (64 - 8 * width);
    (format!("label[{class}.{slot}{part}]"), largest)
}

/// A value of a label.
fn labelled(chance: &mut Chance, largest: u64) -> String {
    let value = match chance.below(8) {
        0 => chance.number() & largest,
        1 => largest,
        // Its sign, if it had one.
        2 => largest / 2 + 1,
        _ => (chance.below(300) as u64).min(largest),
    };
    match chance.below(4) {
        0 => format!("{value:#x}"),
        _ => value.to_string(),
    }
}

/// What may stand on the right of a field, and seldom what may not.
fn value(chance: &mut Chance, name: &str, kind: Kind) -> String {
    if chance.one_in(200) {
        return text(chance);
    }
    match kind {
        Kind::Number if name == "saddr_fam" && !chance.one_in(8) => chance.of(FAMILIES).to_string(),
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
        Kind::FileType => chance.of(field::FILE_TYPES).0.into(),
        Kind::NumberOrName => chance.pick(&["1300", "AVC", "tracefs"]).into(),
        Kind::Text if name == "comm" && !chance.one_in(20) => chance.below(20).to_string(),
        Kind::Text if name == "container" => match chance.below(40) {
            0 => chance.pick(&["ended", "elsewhere", ""]).into(),
            _ => chance.pick(&["outer", "inner", HOST]).into(),
        },
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
        "saddr_fam" => hook.address().is_some(),
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
    if ops == field::Ops::Text && chance.one_in(3) || chance.one_in(400) {
        return chance.pick(&["^=", "^=", "!^="]);
    }
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
    if chance.one_in(5) {
        let (label, largest) = label(chance, hooks);
        let op = op(chance, field::Ops::All);
        let value = labelled(chance, largest);
        return Some(format!(
            "-F {}",
            quoted(chance, &format!("{label}{op}{value}"))
        ));
    }
    let of_exec = hooks.iter().all(|hook| hook.name == "bprm_check_security");
    let (name, kind, ops) = if of_exec && !hooks.is_empty() && chance.one_in(3) {
        let name = match chance.below(2) {
            0 => format!("argv[{}]", chance.below(6)),
            _ => format!("env[{}]", chance.pick(&["A", "BC", "D_E", "ü"])),
        };
        (name, Kind::Text, field::Ops::Text)
    } else {
        let facts = chance.of(field::FIELDS);
        let known = hooks.iter().all(|hook| knows(hook, facts.name));
        let argument = ["a0", "a1", "a2", "a3"].contains(&facts.name);
        if (!known || facts.name == "key" || (argument && !calls)) && !chance.one_in(100) {
            return None;
        }
        (facts.name.to_string(), facts.kind, facts.ops)
    };
    let op = op(chance, ops);
    let op = if name == "perm" { "=" } else { op };
    let mut value = value(chance, &name, kind);
    if op.ends_with("^=") {
        let ends: Vec<_> = value.char_indices().map(|(end, _)| end).skip(1).collect();
        if !ends.is_empty() && !chance.one_in(4) {
            value.truncate(*chance.of(&ends));
        }
    }
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
        _ => format!(
            "deny{}={}",
            if chance.below(4) == 0 { "?" } else { "" },
            chance.pick(ERRNOS)
        ),
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
        "-S openat -F label[cred.two]=# -F uid>=%",
        "-S openat -F label[inode.wide:16,1]=# -F label[file.eight]!=%",
        "-S openat -F path=/a/# -F label[inode.kept]!=0",
        "-S execve -F dir=/a/# -F label[inode.kept:0,1]<9",
        "-S openat -F dir=/a/% -F label[inode.kept]=#",
        "-S execve -F label[inode.kept:0,1]=# -F argv=%",
        "-S rename -F path=/a/% -F label[inode.kept]!=#",
        "-S mkdir,openat -F label[inode.eight]=# -F label[task.four]=%",
        "-S sendto -F label[sock.sixteen:8,2]=# -F rport>=%",
        "-S connect,bind -F saddr_fam=# -F label[sock.four]<%",
        "-S openat -F container=outer -F label[task.eight]=#",
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
    if chance.one_in(4) {
        return yielding::policy(chance, action);
    }
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

/// The address of a call, as the kernel has it.
#[derive(Debug, PartialEq, Eq)]
pub enum Sockaddr {
    /// Bytes and their number, which may be less than there are.
    There(Vec<u8>, u64),
    Absent,
    /// It cannot be read.
    OutOfReach,
}

/// What an event does not say, or not so that a machine could do without it.
#[derive(Debug)]
pub struct Unsaid {
    /// What is in slots; those that are out of reach have nothing.
    pub slots: BTreeMap<(Class, u32), Option<Vec<u8>>>,
    /// Classes whose object is not there.
    pub absent: Vec<Class>,
    pub sockaddr: Sockaddr,
    /// The family of the socket.
    pub family: u16,
    /// Of several ways in which something may be so, which one it is.
    pub way: usize,
}

impl Unsaid {
    pub fn is_absent(&self, class: Class) -> bool {
        self.absent.contains(&class)
    }

    pub fn is_out_of_reach(&self, label: &Label) -> bool {
        let slot = self.slots.get(&(label.class, label.slot.number));
        slot.is_some_and(Option::is_none) && !self.is_absent(label.class)
    }
}

/// What a slot has.
fn bytes(chance: &mut Chance, size: u32) -> Vec<u8> {
    let bytes = (0..size.div_ceil(8)).flat_map(|_| match chance.below(8) {
        0 => chance.number().to_le_bytes(),
        1 => [0xff; 8],
        2 => (1_u64 << 63).to_le_bytes(),
        3 => [0; 8],
        _ => (chance.below(300) as u64).to_le_bytes(),
    });
    let mut bytes: Vec<_> = bytes.collect();
    bytes.truncate(size as usize);
    bytes
}

/// An address at the hook, with what events say of it: the address and the family.
fn sockaddr(chance: &mut Chance, hook: &Hook, unsaid: &mut Unsaid, port: u16, event: &mut Event) {
    const INET: u16 = 2;
    const INET6: u16 = 10;
    let Some(place) = hook.address() else {
        return;
    };
    let message = matches!(place, Address::Message(_));
    let raddr: IpAddr = match chance.below(3) {
        0 => IpAddr::from([10, 0, 0, chance.below(256) as u8]),
        _ => address(chance).parse().expect("it is an address"),
    };
    let (own, whole, octets) = match raddr {
        IpAddr::V4(address) => (INET, 16, address.octets().to_vec()),
        // Behind the flow.
        IpAddr::V6(address) => (INET6, 24, [&[0; 4][..], &address.octets()].concat()),
    };
    unsaid.family = *chance.of(FAMILIES);
    let (family, length, there) = match chance.below(12) {
        0 => {
            unsaid.sockaddr = Sockaddr::OutOfReach;
            return;
        }
        1 => {
            unsaid.sockaddr = Sockaddr::Absent;
            return;
        }
        2 => (own, chance.below(2), false),
        3 => (own, 2 + chance.below(whole - 2), false),
        4 => {
            let other =
                |family: &&u16| ![INET, INET6].contains(family) && (!message || **family != 0);
            let others: Vec<_> = FAMILIES.iter().filter(other).collect();
            (**chance.of(&others), 2 + chance.below(127), false)
        }
        5 | 6 if message => {
            // It is of the family of the socket, if that is none of the internet then IPv4.
            if own == INET6 {
                unsaid.family = INET6;
                unsaid.absent.retain(|class| *class != Class::Sock);
            } else if unsaid.family == INET6 {
                unsaid.family = INET;
            }
            (0, whole + chance.below(129 - whole), true)
        }
        _ => (own, whole + chance.below(129 - whole), true),
    };
    let mut bytes = family.to_le_bytes().to_vec();
    bytes.extend(port.to_be_bytes());
    bytes.extend(octets);
    bytes.resize(128, 0);
    unsaid.sockaddr = Sockaddr::There(bytes, length as u64);
    event.numbers.saddr_fam = (length >= 2).then_some(family.into());
    if there {
        event.raddr = Some(raddr);
        event.numbers.rport = Some(port.into());
    }
}

/// Gives the event the labels that rules ask for.
fn label_event(
    chance: &mut Chance,
    hook: &Hook,
    labels: &BTreeSet<Label>,
    unsaid: &mut Unsaid,
    event: &mut Event,
) {
    // That an address is absent, and that a label is out of reach, would look the same.
    let absent = event.raddr.is_none() && unsaid.sockaddr != Sockaddr::OutOfReach;
    let unread = !(absent && hook.address().is_some()) && chance.one_in(3);
    for label in labels {
        let key = (label.class, label.slot.number);
        unsaid.slots.entry(key).or_insert_with(|| {
            let often = if label.slot.kept { 2 } else { 8 };
            let bytes = bytes(chance, label.slot.size);
            let there = !(unread && chance.one_in(often));
            there.then_some(bytes)
        });
        let value = match &unsaid.slots[&key] {
            _ if unsaid.is_absent(label.class) => None,
            None => continue,
            Some(bytes) => {
                let from = label.offset() as usize;
                let mut word = [0; 8];
                let part = &bytes[from..from + label.width() as usize];
                word[..part.len()].copy_from_slice(part);
                Some(u64::from_le_bytes(word))
            }
        };
        let said = event.label.get_or_insert_default();
        said.insert(label.key(), value);
    }
}

/// What is not there when the hook is asked.
fn absent(chance: &mut Chance, hook: &Hook) -> Vec<Class> {
    if !chance.one_in(6) {
        return Vec::new();
    }
    match hook.node {
        Some(Node::Bprm(_)) if chance.one_in(2) => vec![Class::Inode, Class::File],
        Some(_) => vec![Class::Inode],
        None if hook.socket.is_some() => vec![Class::Sock],
        None => Vec::new(),
    }
}

/// An event at the hook, which says all that rules may ask and that there is.
pub fn event(
    chance: &mut Chance,
    hook: &'static Hook,
    labels: &BTreeSet<Label>,
) -> (Event, Unsaid) {
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
    let mut unsaid = Unsaid {
        slots: BTreeMap::new(),
        absent: absent(chance, hook),
        sockaddr: Sockaddr::Absent,
        family: 0,
        way: chance.below(6),
    };
    const OF_NODE: &[&str] = &[
        "inode", "devmajor", "devminor", "obj_uid", "obj_gid", "filetype",
    ];
    let mut numbers = Numbers::all(|name| match name {
        name if OF_NODE.contains(&name) && unsaid.is_absent(Class::Inode) => 0,
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
    let port = numbers.rport.take().expect("there are all numbers") as u16;
    numbers.saddr_fam = None;
    let mut event = Event {
        hook: Some(hook.name.into()),
        syscall: Some(syscall.into()),
        arch: Some(if compat { "b32" } else { "b64" }.into()),
        path: Some(Paths::Several((0..paths).map(|_| path(chance)).collect())),
        perm: Some(chance.pick(&["", "r", "w", "rw"]).into()),
        exe: Some(path(chance)),
        pexe: Some(path(chance)),
        untrusted: ["path", "exe", "pexe"]
            .into_iter()
            .filter(|_| chance.one_in(2))
            .map(String::from)
            .collect(),
        comm: Some(chance.below(20).to_string()),
        argv: Some(texts(chance, 6)),
        env: Some(env),
        cgroup: Some(
            chance
                .pick(&["/", "/a", "/a/b", "/a/b/new", "/c", "/c/d"])
                .into(),
        ),
        container: Some(
            chance
                .pick(&[HOST, HOST, "outer", "inner", "elsewhere"])
                .into(),
        ),
        detail: Some(match chance.below(3) {
            0 => chance.below(40) as u64,
            1 => 0o100_644,
            _ => *chance.of(&[2, 7, 16, 21, 25]),
        }),
        numbers,
        ..Event::default()
    };
    sockaddr(chance, hook, &mut unsaid, port, &mut event);
    label_event(chance, hook, labels, &mut unsaid, &mut event);
    (event, unsaid)
}
