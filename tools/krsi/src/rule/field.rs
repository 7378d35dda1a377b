// SPDX-License-Identifier: GPL-2.0

//! The fields: what auditctl(8) documents and what KRSI adds.

use super::ast::Op;

/// What may stand on the right of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number of 32 bits, negative ones too, or 0x and 0 forms.
    Number,
    /// A number of up to 64 bits without a sign, or 0x and 0 forms.
    Unsigned,
    /// A user or group: a number, a name, `unset`.
    Id,
    /// What a call returned: a number, or an errno by name, -EACCES.
    Exit,
    /// 1 or 0.
    Truth,
    /// b64, b32 or the name of a machine.
    Arch,
    /// Some of r, w, x, a.
    Permissions,
    /// An absolute path.
    Path,
    /// file, dir and so on.
    FileType,
    /// A number, or a name: a message type, a file system.
    NumberOrName,
    Text,
    /// An IP address, with /BITS for a network.
    Address,
    /// 0 to 65535.
    Port,
}

impl Kind {
    /// For "expected …".
    pub fn form(self) -> &'static str {
        match self {
            Self::Number => "a number, such as 2, 0x1f or -1",
            Self::Unsigned => "a number of up to 64 bits without a sign, such as 2 or 0x1f",
            Self::Id => "a number, a name or 'unset'",
            Self::Exit => "a number or an errno, such as -13 or -EACCES",
            Self::Truth => "1 or 0",
            Self::Arch => "b64, b32 or the name of a machine, such as x86_64",
            Self::Permissions => "some of the letters r, w, x and a",
            Self::Path => "a path from the root, such as /etc/passwd",
            Self::FileType => "file, dir, socket, link, character, block or fifo",
            Self::NumberOrName => "a number or a name",
            Self::Text => "a text",
            Self::Address => "an IP address or network, such as 10.0.0.0/8 or 2001:db8::1",
            Self::Port => "a number from 0 to 65535",
        }
    }
}

/// The types of files, and what they are in a mode.
pub const FILE_TYPES: &[(&str, u64)] = &[
    ("file", 0o100_000),
    ("dir", 0o040_000),
    ("socket", 0o140_000),
    ("link", 0o120_000),
    ("character", 0o020_000),
    ("block", 0o060_000),
    ("fifo", 0o010_000),
];

/// Which operators a field has. The kernel's audit has the same groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ops {
    /// = and !=
    Equality,
    /// and ^= !^=
    Text,
    /// and < <= > >=
    Order,
    /// and & &=
    All,
}

impl Ops {
    pub fn allow(self, op: Op) -> bool {
        match op {
            Op::Equal | Op::NotEqual => true,
            Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => {
                matches!(self, Self::Order | Self::All)
            }
            Op::AnyBit | Op::AllBits => self == Self::All,
        }
    }

    pub fn form(self) -> &'static str {
        match self {
            Self::Equality => "= or !=",
            Self::Text => "=, !=, ^= or !^=",
            Self::Order => "=, !=, <, <=, > or >=",
            Self::All => "=, !=, <, <=, >, >=, & or &=",
        }
    }
}

/// A field.
#[derive(Debug, PartialEq, Eq)]
pub struct Facts {
    pub name: &'static str,
    pub kind: Kind,
    pub ops: Ops,
}

const fn field(name: &'static str, kind: Kind, ops: Ops) -> Facts {
    Facts { name, kind, ops }
}

/// All fields that are just a name.
pub const FIELDS: &[Facts] = &[
    // auditctl's.
    field("a0", Kind::Number, Ops::All),
    field("a1", Kind::Number, Ops::All),
    field("a2", Kind::Number, Ops::All),
    field("a3", Kind::Number, Ops::All),
    field("arch", Kind::Arch, Ops::Equality),
    field("auid", Kind::Id, Ops::Order),
    field("devmajor", Kind::Number, Ops::Order),
    field("devminor", Kind::Number, Ops::All),
    field("dir", Kind::Path, Ops::Equality),
    field("egid", Kind::Id, Ops::Order),
    field("euid", Kind::Id, Ops::Order),
    field("exe", Kind::Path, Ops::Text),
    field("exit", Kind::Exit, Ops::Order),
    field("filetype", Kind::FileType, Ops::Equality),
    field("fsgid", Kind::Id, Ops::Order),
    field("fstype", Kind::NumberOrName, Ops::Equality),
    field("fsuid", Kind::Id, Ops::Order),
    field("gid", Kind::Id, Ops::Order),
    field("inode", Kind::Number, Ops::Order),
    field("key", Kind::Text, Ops::Equality),
    // An old name of auid.
    field("loginuid", Kind::Id, Ops::Order),
    field("msgtype", Kind::NumberOrName, Ops::Order),
    field("obj_gid", Kind::Id, Ops::Order),
    field("obj_lev_high", Kind::Text, Ops::Order),
    field("obj_lev_low", Kind::Text, Ops::Order),
    field("obj_role", Kind::Text, Ops::Equality),
    field("obj_type", Kind::Text, Ops::Equality),
    field("obj_uid", Kind::Id, Ops::Order),
    field("obj_user", Kind::Text, Ops::Equality),
    field("path", Kind::Path, Ops::Text),
    field("perm", Kind::Permissions, Ops::Equality),
    field("pers", Kind::Number, Ops::All),
    field("pid", Kind::Number, Ops::Order),
    field("ppid", Kind::Number, Ops::Order),
    field("saddr_fam", Kind::Number, Ops::Order),
    field("sessionid", Kind::Id, Ops::Order),
    field("sgid", Kind::Id, Ops::Order),
    field("subj_clr", Kind::Text, Ops::Order),
    field("subj_role", Kind::Text, Ops::Equality),
    field("subj_sen", Kind::Text, Ops::Order),
    field("subj_type", Kind::Text, Ops::Equality),
    field("subj_user", Kind::Text, Ops::Equality),
    field("success", Kind::Truth, Ops::Equality),
    field("suid", Kind::Id, Ops::Order),
    field("uid", Kind::Id, Ops::Order),
    // KRSI's.
    field("argv", Kind::Text, Ops::Text),
    field("cgroup", Kind::Path, Ops::Equality),
    field("comm", Kind::Text, Ops::Text),
    field("container", Kind::Text, Ops::Equality),
    field("pexe", Kind::Path, Ops::Text),
    field("raddr", Kind::Address, Ops::Equality),
    field("rport", Kind::Port, Ops::Order),
];

/// The field of this name.
pub fn find(name: &str) -> Option<&'static Facts> {
    FIELDS.iter().find(|field| field.name == name)
}

/// Whose owners `-C` can compare: users with users, groups with groups.
const USERS: &[&str] = &["auid", "euid", "fsuid", "obj_uid", "suid", "uid"];
const GROUPS: &[&str] = &["egid", "fsgid", "gid", "obj_gid", "sgid"];

/// What `-C` can compare the field with; empty if nothing.
pub fn comparable(name: &str) -> &'static [&'static str] {
    let groups = [USERS, GROUPS];
    let group = groups.into_iter().find(|group| group.contains(&name));
    group.unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique() {
        let names: HashSet<_> = FIELDS.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), FIELDS.len());
    }

    #[test]
    fn what_can_be_compared_is_a_field() {
        for name in USERS.iter().chain(GROUPS) {
            assert_eq!(find(name).map(|field| field.kind), Some(Kind::Id), "{name}");
        }
        assert!(comparable("uid").contains(&"obj_uid"));
        assert!(!comparable("uid").contains(&"gid"));
        assert!(comparable("path").is_empty());
    }
}
