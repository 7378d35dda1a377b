// SPDX-License-Identifier: GPL-2.0

//! Rules with everything resolved: which hooks they are about, and what each test compares. What
//! `lower` makes, `eval` runs, `plan` arranges and `emit` compiles.

use super::{hook::Hook, label::Label};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
    ops::Bound,
};

pub use super::ast::Op;

/// A number that an event has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attr {
    // Of the current task.
    Pid,
    Ppid,
    Auid,
    Session,
    Personality,
    /// 1 for the system calls of 32-bit programs.
    Compat,
    Uid,
    Euid,
    Suid,
    Fsuid,
    Gid,
    Egid,
    Sgid,
    Fsgid,
    /// The id of the cgroup at this depth.
    Cgroup(u8),
    /// The same, of a rule that names the container which this depth may be.
    Container(u8),
    /// 1 for tasks that are in no container.
    Host,
    /// The number of the system call, [`Test::IN_COMPAT`] with it for 32-bit programs.
    Syscall,
    Argument(u8),
    // Of the object.
    Inode,
    DevMajor,
    DevMinor,
    ObjUid,
    ObjGid,
    FileType,
    /// Of an object, or of the task, by its class.
    Label(Label),
    // Of the call of the hook.
    Access,
    RemotePort,
    /// The family of an address that is connected, sent or bound to.
    Family,
    Detail,
}

/// A text that an event may have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Text {
    /// Any of the paths of the object.
    Path,
    Exe,
    ParentExe,
    Comm,
    Argument(u32),
    AnyArgument,
    Environment(String),
}

impl Text {
    /// Whether it is a path, which may be on a mount that an unprivileged user made.
    pub fn is_path(&self) -> bool {
        matches!(self, Self::Path | Self::Exe | Self::ParentExe)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum How {
    Exactly,
    /// It, or beneath it.
    Beneath,
    /// The text begins with it.
    Prefix,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Test {
    Number {
        attr: Attr,
        op: Op,
        value: u64,
    },
    /// `attr & mask != value`
    NotMasked {
        attr: Attr,
        mask: u64,
        value: u64,
    },
    /// `attr` is one of these.
    OneOf {
        attr: Attr,
        values: Vec<u64>,
    },
    Compare {
        attr: Attr,
        with: Attr,
        equal: bool,
    },
    /// What is not there neither equals nor differs.
    Text {
        text: Text,
        how: How,
        /// One of these.
        values: Vec<String>,
        equal: bool,
    },
    /// IPv4 is ::ffff:0:0/96.
    Address {
        network: Ipv6Addr,
        bits: u8,
        equal: bool,
    },
}

impl Test {
    pub const IN_COMPAT: u64 = 1 << 32;
    /// What a worker of io_uring has in place of a system call.
    pub const NO_SYSCALL: u64 = u64::MAX;

    /// One of these system calls, by their numbers in 64-bit and in 32-bit programs.
    pub fn syscalls(numbers: &[(Option<u16>, Option<u16>)]) -> Self {
        let values = numbers.iter().flat_map(|(native, compat)| {
            let compat = compat.map(|number| u64::from(number) | Self::IN_COMPAT);
            native.map(u64::from).into_iter().chain(compat)
        });
        Self::OneOf {
            attr: Attr::Syscall,
            values: values.collect(),
        }
    }

    /// The same, or a worker of io_uring.
    pub fn syscalls_or_worker(numbers: &[(Option<u16>, Option<u16>)]) -> Self {
        let mut test = Self::syscalls(numbers);
        if let Self::OneOf { values, .. } = &mut test {
            values.push(Self::NO_SYSCALL);
        }
        test
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Always,
    Never,
    /// With this errno.
    Deny(u16),
    /// As `Deny`, and denies nothing.
    Try(u16),
    Kill,
}

const EPERM: u16 = 1;

/// How much an action does about a call. Of two rules, the stricter one has the greater value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strictness {
    Allows,
    Records,
    Tries,
    Denies,
}

impl Action {
    pub fn strictness(self) -> Strictness {
        match self {
            Self::Never => Strictness::Allows,
            Self::Always => Strictness::Records,
            Self::Try(_) => Strictness::Tries,
            Self::Deny(_) | Self::Kill => Strictness::Denies,
        }
    }

    /// The errno of the verdict, 0 if it allows.
    pub fn errno(self) -> u16 {
        match self {
            Self::Always | Self::Never | Self::Try(_) => 0,
            Self::Deny(errno) => errno,
            Self::Kill => EPERM,
        }
    }

    /// The same without denying.
    pub fn on_trial(self) -> Self {
        match self {
            Self::Deny(errno) => Self::Try(errno),
            Self::Kill => Self::Try(EPERM),
            other => other,
        }
    }
}

/// A rule on one of its hooks. All tests have to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub hook: &'static Hook,
    pub tests: Vec<Test>,
}

impl Case {
    /// Whether it tests a path that an unprivileged user can choose by making a mount.
    pub fn tests_path(&self) -> bool {
        self.tests
            .iter()
            .any(|test| matches!(test, Test::Text { text, .. } if text.is_path()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub file: String,
    pub line: usize,
    /// As it was written.
    pub text: String,
    pub action: Action,
    pub keys: Vec<String>,
    pub cases: Vec<Case>,
}

impl Rule {
    /// The ids of the cgroups that are tested.
    pub fn cgroups(&self) -> Vec<u64> {
        let tests = self.cases.iter().flat_map(|case| &case.tests);
        let ids = tests.filter_map(|test| match test {
            Test::Number {
                attr: Attr::Cgroup(_) | Attr::Container(_),
                value,
                ..
            } => Some(*value),
            _ => None,
        });
        let ids: BTreeSet<u64> = ids.collect();
        ids.into_iter().collect()
    }
}

/// The rules of a hook that yield to stricter ones.
///
/// In user namespaces, unprivileged users can mount any file at any path. If a path that a rule
/// tests is on such a mount, and the rule does not deny, the search goes on after it. Of the
/// rules that match, up to the first that does not yield, the strictest decides, and of equally
/// strict ones the first. So users evade neither a later rule that is stricter, nor a rule that
/// yields and is stricter than the one that ends the search.
pub struct Yielding {
    /// The last rule of each strictness.
    last: BTreeMap<Strictness, usize>,
}

impl Yielding {
    /// Of rules on the hook.
    pub fn new(policy: &Policy, hook: &Hook) -> Self {
        let on_hook = |rule: &Rule| rule.cases.iter().any(|case| case.hook.name == hook.name);
        let rules = policy.rules.iter().enumerate();
        let last = rules
            .filter(|(_, rule)| on_hook(rule))
            .map(|(index, rule)| (rule.action.strictness(), index));
        Self {
            last: last.collect(),
        }
    }

    /// Whether the rule with this index yields in this case if a path is on such a mount. Without
    /// a stricter rule after it, the search can end there as well.
    pub fn contains(&self, index: usize, action: Action, case: &Case) -> bool {
        let stricter = (Bound::Excluded(action.strictness()), Bound::Unbounded);
        case.tests_path() && self.last.range(stricter).any(|(_, last)| *last > index)
    }
}

/// What is in force at once: the first rule that matches decides, but for [`Yielding`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub rules: Vec<Rule>,
}

impl Policy {
    /// The hooks that rules are about, in the order of the table.
    pub fn hooks(&self) -> Vec<&'static Hook> {
        let used = |hook: &&Hook| {
            let mut cases = self.rules.iter().flat_map(|rule| &rule.cases);
            cases.any(|case| case.hook.name == hook.name)
        };
        super::hook::HOOKS.iter().filter(used).collect()
    }
}
