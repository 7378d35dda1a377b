// SPDX-License-Identifier: GPL-2.0

//! What rules say. Names are auditctl's; what KRSI adds is marked so.

use super::error::Span;
use serde::Serialize;

/// A line of a rules file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "statement")]
pub enum Statement {
    /// `-a`, `-A`, `-d`
    Rule {
        change: Change,
        #[serde(flatten)]
        rule: Rule,
    },
    /// `-w`, `-W`
    Watch {
        change: Change,
        #[serde(flatten)]
        watch: Watch,
    },
    /// `-D`
    DeleteAll { key: Option<String> },
    /// `-l`
    List { key: Option<String> },
    /// An option that is about the audit subsystem, such as `-b 8192`.
    Setting {
        option: String,
        value: Option<String>,
    },
}

/// What is done with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Append,
    Prepend,
    Delete,
}

/// `-w path -p permissions -k key`
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Watch {
    pub path: String,
    /// All of them if there was no `-p`.
    pub permissions: Permissions,
    pub keys: Vec<String>,
    #[serde(skip)]
    pub places: Places,
}

/// `-a action,list …`. A rule matches if all of its conditions do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    pub action: Action,
    pub list: List,
    /// Names or numbers; none means all.
    pub syscalls: Vec<String>,
    pub conditions: Vec<Condition>,
    pub keys: Vec<String>,
    #[serde(skip)]
    pub places: Places,
}

/// Where the parts of a rule were on its line. Rules are equal wherever they are.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The action and list, or the path of a watch.
    pub head: Span,
    /// Of each system call, but for `all`.
    pub syscalls: Vec<Span>,
    pub conditions: Vec<Span>,
}

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Places {}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Always,
    Never,
    /// KRSI's: the call fails with this errno.
    Deny(String),
    /// KRSI's: a record says that `Deny` would have decided, and the call goes on.
    Try(String),
    /// KRSI's: the process is killed.
    Kill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum List {
    Task,
    Exit,
    User,
    Exclude,
    Filesystem,
    IoUring,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Condition {
    /// `-F field op value`
    Test { field: Field, op: Op, value: Value },
    /// `-C field op field`
    Compare { field: Field, op: Op, with: Field },
}

impl Condition {
    /// `-F field=value`
    pub fn equal(field: &'static str, value: Value) -> Self {
        Self::Test {
            field: Field::Named(field),
            op: Op::Equal,
            value,
        }
    }
}

/// A field by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Field {
    Named(&'static str),
    /// KRSI's `argv[N]`.
    Argument {
        argv: u32,
    },
    /// KRSI's `env[NAME]`.
    Environment {
        env: String,
    },
    /// KRSI's `label[CLASS.SLOT]`.
    Label {
        label: Label,
    },
}

/// What objects of a class have in a slot of their blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    pub class: String,
    pub slot: String,
    /// Offset and width of the part that is meant, if it is not all of the slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<(u32, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Op {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    LessOrEqual,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// One of the bits is set.
    #[serde(rename = "&")]
    AnyBit,
    /// All of the bits are set.
    #[serde(rename = "&=")]
    AllBits,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    Number(i64),
    /// Of a field that has up to 64 bits.
    Unsigned(u64),
    /// An id that was never set: `unset`, -1, 4294967295.
    Unset,
    /// A name that stands for a number: a user, an errno, a machine.
    Name(String),
    Text(String),
    /// What a text begins with.
    Prefix(String),
    Permissions(Permissions),
}

/// Kinds of access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Permissions {
    pub read: bool,
    pub write: bool,
    pub execute: bool,
    pub attributes: bool,
}
