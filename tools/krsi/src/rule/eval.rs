// SPDX-License-Identifier: GPL-2.0

//! What a policy decides about an event, rule by rule in their order: what the meaning of rules
//! is. Compiled programs have to give the same answers.

use super::{
    hook::{self, Access, Decided, Hook},
    lower::{undecided, System, HOST},
    policy::{Action, Attr, How, Op, Policy, Test, Text, Yielding},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A call of a hook. Fields are called as in rules; what is left out is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Event {
    /// Which hook is asked; or all that decide `syscall`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syscall: Option<String>,
    /// b64 or b32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The paths of the object, as the kernel has them; none for what has no path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Paths>,
    /// Some of r, w, x, a.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pexe: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// Variables that are not in `env` may be there all the same.
    #[serde(skip)]
    pub env_in_part: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<String>,
    /// A container by its name or id, or `host`. Where `cgroup` is said, too, that says in which
    /// containers it is, and this whether it counts as the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// By class and slot, as `inode.origin`; null is of an object that is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<BTreeMap<String, Option<u64>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raddr: Option<IpAddr>,
    /// Which of `path`, `exe` and `pexe` are on a mount that an unprivileged user may have made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untrusted: Vec<String>,
    /// A capability, a mode, or what kind of data is loaded: see the hook's table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<u64>,
    #[serde(flatten)]
    pub numbers: Numbers,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Paths {
    One(String),
    Several(Vec<String>),
}

impl Paths {
    pub fn list(&self) -> &[String] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Several(paths) => paths,
        }
    }
}

macro_rules! numbers {
    ($($name:ident: $attr:expr,)*) => {
        /// Fields that are numbers.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(default)]
        pub struct Numbers {
            $(#[serde(skip_serializing_if = "Option::is_none")]
            pub $name: Option<u64>,)*
        }

        impl Numbers {
            fn get(&self, attr: Attr) -> Option<(&'static str, Option<u64>)> {
                $(if attr == $attr {
                    return Some((stringify!($name), self.$name));
                })*
                None
            }

            /// An event that has all of them.
            #[cfg(test)]
            pub fn all(mut number: impl FnMut(&str) -> u64) -> Self {
                Self {
                    $($name: Some(number(stringify!($name))),)*
                }
            }
        }
    };
}

numbers! {
    pid: Attr::Pid,
    ppid: Attr::Ppid,
    auid: Attr::Auid,
    sessionid: Attr::Session,
    pers: Attr::Personality,
    uid: Attr::Uid,
    euid: Attr::Euid,
    suid: Attr::Suid,
    fsuid: Attr::Fsuid,
    gid: Attr::Gid,
    egid: Attr::Egid,
    sgid: Attr::Sgid,
    fsgid: Attr::Fsgid,
    a0: Attr::Argument(0),
    a1: Attr::Argument(1),
    a2: Attr::Argument(2),
    a3: Attr::Argument(3),
    inode: Attr::Inode,
    devmajor: Attr::DevMajor,
    devminor: Attr::DevMinor,
    obj_uid: Attr::ObjUid,
    obj_gid: Attr::ObjGid,
    rport: Attr::RemotePort,
    saddr_fam: Attr::Family,
    filetype: Attr::FileType,
}

/// What became of an event at a hook.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    pub hook: &'static str,
    /// The rule that decides, from 1; null if none does.
    pub rule: Option<usize>,
    /// 0, or the errno that the call fails with.
    pub errno: u16,
    /// Of each rule of this hook up to that one, why it does not match, or does.
    pub reasons: Vec<Reason>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    pub rule: usize,
    pub matches: bool,
    pub why: String,
}

enum Answer {
    Holds,
    Fails,
    /// The event does not say this.
    Lacks(String),
}

impl From<bool> for Answer {
    fn from(holds: bool) -> Self {
        if holds {
            Self::Holds
        } else {
            Self::Fails
        }
    }
}

impl Event {
    /// Whether a user may have chosen the text by making a mount.
    fn is_untrusted(&self, text: &Text) -> bool {
        let name = match text {
            Text::Path => "path",
            Text::Exe => "exe",
            Text::ParentExe => "pexe",
            _ => return false,
        };
        let nameless = matches!(&self.path, Some(paths) if paths.list().is_empty());
        let named = *text != Text::Path || !nameless;
        named && self.untrusted.iter().any(|untrusted| untrusted == name)
    }
}

/// The hooks that an event is about.
fn hooks(event: &Event) -> Result<Vec<&'static Hook>, String> {
    match (&event.hook, &event.syscall) {
        (Some(name), _) => hook::find(name)
            .map(|hook| vec![hook])
            .ok_or_else(|| format!("rules are not about a hook '{name}'")),
        (None, Some(name)) => match hook::deciding(name) {
            Decided::By(hooks) => {
                let mut found: Vec<&'static Hook> = Vec::new();
                for (hook, _) in hooks {
                    if !found.iter().any(|other| other.name == hook.name) {
                        found.push(hook);
                    }
                }
                Ok(found)
            }
            Decided::ByNone(hook, _) => Err(undecided(name, hook)),
            Decided::Unknown => Err(format!("there is no system call '{name}'")),
        },
        (None, None) => Err("the event says neither 'hook' nor 'syscall'".into()),
    }
}

/// What an event does not say, and a rule tests.
#[derive(Debug, PartialEq, Eq)]
pub struct Lacks {
    /// From 1.
    pub rule: usize,
    pub what: String,
}

impl fmt::Display for Lacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, what } = self;
        write!(f, "the event lacks '{what}', which rule {rule} tests")
    }
}

/// Decides an event at each of its hooks. Errors say what the event does not.
pub fn eval(policy: &Policy, event: &Event, system: &dyn System) -> Result<Vec<Decision>, String> {
    let mut refuse = |lacks: Lacks| Err(lacks.to_string());
    let hooks = hooks(event)?.into_iter();
    hooks
        .map(|hook| decide(policy, hook, event, system, &mut refuse))
        .collect()
}

/// Decides an event as if no rule matched that tests what the event does not say. Also returns
/// those of these rules that are reached.
pub fn eval_known(
    policy: &Policy,
    event: &Event,
    system: &dyn System,
) -> Result<(Vec<Decision>, Vec<Lacks>), String> {
    let mut unknown = Vec::new();
    let mut skip = |lacks| {
        unknown.push(lacks);
        Ok(())
    };
    let hooks = hooks(event)?.into_iter();
    let decisions: Result<_, String> = hooks
        .map(|hook| decide(policy, hook, event, system, &mut skip))
        .collect();
    Ok((decisions?, unknown))
}

/// Errors are those of `lacks`, which is called with rules that may match.
fn decide(
    policy: &Policy,
    hook: &'static Hook,
    event: &Event,
    system: &dyn System,
    lacks: &mut dyn FnMut(Lacks) -> Result<(), String>,
) -> Result<Decision, String> {
    let mut reasons = Vec::new();
    let yielding = Yielding::new(policy, hook);
    // The first of the strictest rules that match.
    let mut best: Option<(usize, Action)> = None;
    'rules: for (number, rule) in (1..).zip(&policy.rules) {
        let cases = rule.cases.iter().filter(|case| case.hook.name == hook.name);
        for case in cases {
            let mut unknown = None;
            let mut fails = None;
            for test in &case.tests {
                match answer(test, hook, event, system) {
                    Answer::Holds => {}
                    Answer::Fails => fails = fails.or(Some(test)),
                    Answer::Lacks(what) => unknown = unknown.or(Some(what)),
                }
            }
            match (fails, unknown) {
                (Some(test), _) => reasons.push(Reason {
                    rule: number,
                    matches: false,
                    why: format!("not {}", say(test)),
                }),
                (None, Some(what)) => lacks(Lacks { rule: number, what })?,
                (None, None) => {
                    let tests: Vec<String> = case.tests.iter().map(say).collect();
                    reasons.push(Reason {
                        rule: number,
                        matches: true,
                        why: if tests.is_empty() {
                            format!("all of {}", hook.name)
                        } else {
                            tests.join(", ")
                        },
                    });
                    let untrusted = case.tests.iter().any(
                        |test| matches!(test, Test::Text { text, .. } if event.is_untrusted(text)),
                    );
                    let stricter =
                        |(_, other): (usize, Action)| rule.action.strictness() > other.strictness();
                    if best.is_none_or(stricter) {
                        best = Some((number, rule.action));
                    }
                    if !(untrusted && yielding.contains(number - 1, rule.action, case)) {
                        break 'rules;
                    }
                }
            }
        }
    }
    Ok(Decision {
        hook: hook.name,
        rule: best.map(|(number, _)| number),
        errno: best.map_or(0, |(_, action)| action.errno()),
        reasons,
    })
}

/// A number of the event.
fn number(
    attr: Attr,
    hook: &Hook,
    event: &Event,
    system: &dyn System,
) -> Result<Option<u64>, String> {
    let missing = |name: &str| Err(name.to_string());
    match attr {
        Attr::Compat => match event.arch.as_deref() {
            Some("b64") => Ok(Some(0)),
            Some("b32") => Ok(Some(1)),
            _ => missing("arch"),
        },
        Attr::Cgroup(depth) => {
            let Some(path) = &event.cgroup else {
                return missing("cgroup");
            };
            Ok(Some(cgroup_at(path, depth, system)))
        }
        Attr::Container(depth) => {
            let path = match (&event.cgroup, &event.container) {
                // A container may share the host's namespaces, and is where it is all the same.
                (Some(path), _) => path.clone(),
                (None, Some(name)) if name == HOST => return Ok(Some(0)),
                // One that is not here is another than the rule's, which is.
                (None, Some(name)) => match system.container(name) {
                    Ok(path) => path,
                    Err(_) => return Ok(Some(0)),
                },
                (None, None) => return missing("container"),
            };
            Ok(Some(cgroup_at(&path, depth, system)))
        }
        Attr::Host => match &event.container {
            Some(name) => Ok(Some((name == HOST).into())),
            None => missing("container"),
        },
        Attr::Label(label) => {
            let labels = event.label.as_ref();
            let own = labels.and_then(|labels| labels.get(&label.key()));
            own.map_or_else(|| missing(&label.to_string()), |number| Ok(*number))
        }
        Attr::Syscall => {
            let (Some(name), Some(arch)) = (&event.syscall, &event.arch) else {
                return missing("syscall and arch");
            };
            let row = super::syscalls::SYSCALLS.iter().find(|row| row.0 == *name);
            let number = row.and_then(|row| match arch.as_str() {
                "b32" => row.2.map(|number| u64::from(number) | Test::IN_COMPAT),
                _ => row.1.map(u64::from),
            });
            number.map_or_else(|| missing("syscall"), |number| Ok(Some(number)))
        }
        Attr::Access => {
            if let Access::Fixed(bits) = hook.access {
                return Ok(Some(bits.into()));
            }
            let Some(perm) = event.perm.as_deref().or_else(|| implied(event)) else {
                return missing("perm");
            };
            let bit = |letter, bit| if perm.contains(letter) { bit } else { 0 };
            Ok(Some(u64::from(
                bit('r', hook::READ) | bit('w', hook::WRITE),
            )))
        }
        Attr::Detail => match event.detail {
            Some(detail) => Ok(Some(detail)),
            None => missing("detail"),
        },
        Attr::RemotePort if event.numbers.rport.is_none() && event.raddr.is_none() => {
            missing("rport")
        }
        Attr::RemotePort => Ok(event.numbers.rport),
        other => match event.numbers.get(other) {
            Some((_, Some(number))) => Ok(Some(number)),
            Some((name, None)) => missing(name),
            None => missing("?"),
        },
    }
}

/// The access that an event without `perm` has by its system call.
fn implied(event: &Event) -> Option<&'static str> {
    let access = hook::access_of(event.syscall.as_deref()?)?;
    Some(if access == hook::READ { "r" } else { "w" })
}

/// The id of the cgroup at a depth of a path; 0 if it has none.
fn cgroup_at(path: &str, depth: u8, system: &dyn System) -> u64 {
    let parts = path.split('/').filter(|part| !part.is_empty());
    let above: Vec<&str> = parts.take(depth.into()).collect();
    if above.len() < depth.into() {
        return 0;
    }
    let found = system.cgroup(&format!("/{}", above.join("/")));
    found.map_or(0, |(_, id)| id)
}

/// The texts that an event has for a test; none if what could have one has none.
fn texts<'a>(text: &Text, event: &'a Event) -> Result<Vec<&'a str>, String> {
    let one = |value: &'a Option<String>, name: &str| {
        value
            .as_deref()
            .map(|value| vec![value])
            .ok_or_else(|| name.to_string())
    };
    match text {
        Text::Path => match &event.path {
            Some(paths) => Ok(paths.list().iter().map(String::as_str).collect()),
            None => Err("path".into()),
        },
        Text::Exe => one(&event.exe, "exe"),
        Text::ParentExe => one(&event.pexe, "pexe"),
        Text::Comm => one(&event.comm, "comm"),
        Text::Argument(_) | Text::AnyArgument => {
            let Some(argv) = &event.argv else {
                return Err("argv".into());
            };
            let all = argv.iter().map(String::as_str);
            Ok(match text {
                Text::Argument(number) => all.skip(*number as usize).take(1).collect(),
                _ => all.collect(),
            })
        }
        Text::Environment(name) => match &event.env {
            Some(env) if event.env_in_part && !env.contains_key(name) => {
                Err(format!("env[{name}]"))
            }
            Some(env) => Ok(env.get(name).map(String::as_str).into_iter().collect()),
            None => Err("env".into()),
        },
    }
}

fn answer(test: &Test, hook: &Hook, event: &Event, system: &dyn System) -> Answer {
    let number = |attr| number(attr, hook, event, system);
    match test {
        Test::Number { attr, op, value } => match number(*attr) {
            Err(lacks) => Answer::Lacks(lacks),
            Ok(None) => Answer::Fails,
            Ok(Some(number)) => match op {
                Op::Equal => number == *value,
                Op::NotEqual => number != *value,
                Op::Less => number < *value,
                Op::LessOrEqual => number <= *value,
                Op::Greater => number > *value,
                Op::GreaterOrEqual => number >= *value,
                Op::AnyBit => number & value != 0,
                Op::AllBits => number & value == *value,
            }
            .into(),
        },
        Test::NotMasked { attr, mask, value } => match number(*attr) {
            Err(lacks) => Answer::Lacks(lacks),
            Ok(number) => number.is_some_and(|number| number & mask != *value).into(),
        },
        Test::OneOf { attr, values } => match number(*attr) {
            Err(lacks) => Answer::Lacks(lacks),
            Ok(number) => number.is_some_and(|number| values.contains(&number)).into(),
        },
        Test::Compare { attr, with, equal } => match (number(*attr), number(*with)) {
            (Err(lacks), _) | (_, Err(lacks)) => Answer::Lacks(lacks),
            (Ok(one), Ok(other)) => ((one == other) == *equal).into(),
        },
        Test::Text {
            text,
            how,
            values,
            equal,
        } => match texts(text, event) {
            Err(lacks) => Answer::Lacks(lacks),
            Ok(texts) if texts.is_empty() => {
                let differs = *text == Text::AnyArgument || hook.nameless_differs(text);
                (differs && !*equal).into()
            }
            Ok(texts) => {
                let matches = |text: &&str| {
                    values.iter().any(|value| match how {
                        How::Exactly => text == value,
                        How::Beneath => beneath(text, value),
                        How::Prefix => text.starts_with(value.as_str()),
                    })
                };
                if event.is_untrusted(text) && !*equal {
                    return Answer::Holds;
                }
                (texts.iter().any(matches) == *equal).into()
            }
        },
        Test::Address {
            network,
            bits,
            equal,
        } => match event.raddr {
            None => Answer::Lacks("raddr".into()),
            Some(address) => {
                // No address is the machine itself.
                let address = match address {
                    IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.to_ipv6_mapped(),
                    IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST,
                    IpAddr::V4(address) => address.to_ipv6_mapped(),
                    IpAddr::V6(address) => address,
                };
                (within(address, *network, *bits) == *equal).into()
            }
        },
    }
}

/// Whether a path is a directory's or beneath it.
pub fn beneath(path: &str, dir: &str) -> bool {
    match path.strip_prefix(dir) {
        Some(rest) => rest.is_empty() || dir == "/" || rest.starts_with('/'),
        None => false,
    }
}

fn within(address: Ipv6Addr, network: Ipv6Addr, bits: u8) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    u128::from(address) & mask == u128::from(network)
}

/// A test, for people.
pub fn say(test: &Test) -> String {
    let name = |attr: &Attr| match attr {
        Attr::Compat => "32-bit".to_string(),
        Attr::Cgroup(_) => "cgroup".into(),
        Attr::Container(_) | Attr::Host => "container".into(),
        Attr::Label(label) => label.to_string(),
        Attr::Syscall => "system call".into(),
        Attr::Access => "perm".into(),
        Attr::Detail => "detail".into(),
        other => match Numbers::default().get(*other) {
            Some((name, _)) => name.into(),
            None => format!("{other:?}"),
        },
    };
    let sign = |equal: bool| if equal { "=" } else { "!=" };
    match test {
        Test::Number {
            attr: Attr::Access,
            value,
            ..
        } => {
            let letters = (0..)
                .zip("rwxa".chars())
                .filter(|(bit, _)| (value >> bit) & 1 != 0);
            let letters: String = letters.map(|(_, letter)| letter).collect();
            format!("perm={letters}")
        }
        Test::Number {
            attr: Attr::Host,
            op,
            ..
        } => format!("container{}{HOST}", sign(*op == Op::Equal)),
        Test::Number { attr, op, value } => {
            let op = match op {
                Op::Equal => "=",
                Op::NotEqual => "!=",
                Op::Less => "<",
                Op::LessOrEqual => "<=",
                Op::Greater => ">",
                Op::GreaterOrEqual => ">=",
                Op::AnyBit => "&",
                Op::AllBits => "&=",
            };
            format!("{}{op}{value}", name(attr))
        }
        Test::NotMasked { attr, mask, value } => {
            format!("{}&{mask:#o}!={value:#o}", name(attr))
        }
        Test::OneOf { attr, values } => {
            let values: Vec<String> = values.iter().map(u64::to_string).collect();
            format!("{}={}", name(attr), values.join("|"))
        }
        Test::Compare { attr, with, equal } => {
            format!("{}{}{}", name(attr), sign(*equal), name(with))
        }
        Test::Text {
            text,
            how,
            values,
            equal,
        } => {
            let field = match (text, how) {
                (Text::Path, How::Exactly | How::Prefix) => "path".to_string(),
                (Text::Path, How::Beneath) => "dir".into(),
                (Text::Exe, _) => "exe".into(),
                (Text::ParentExe, _) => "pexe".into(),
                (Text::Comm, _) => "comm".into(),
                (Text::Argument(number), _) => format!("argv[{number}]"),
                (Text::AnyArgument, _) => "argv".into(),
                (Text::Environment(name), _) => format!("env[{name}]"),
            };
            let sign = match (how, equal) {
                (How::Prefix, true) => "^=",
                (How::Prefix, false) => "!^=",
                _ => sign(*equal),
            };
            format!("{field}{sign}{}", values.join("|"))
        }
        Test::Address {
            network,
            bits,
            equal,
        } => match network.to_ipv4_mapped() {
            Some(network) if *bits >= 96 => {
                format!("raddr{}{network}/{}", sign(*equal), bits - 96)
            }
            _ => format!("raddr{}{network}/{bits}", sign(*equal)),
        },
    }
}

#[cfg(test)]
mod tests;
