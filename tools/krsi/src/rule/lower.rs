// SPDX-License-Identifier: GPL-2.0

//! Statements become a policy: names become numbers, system calls the hooks that decide them,
//! watches what they stand for. What cannot be decided at a hook is an error that says why.

use super::{
    ast::{self, Change, Condition, Field, List, Op, Permissions, Statement, Value},
    errno,
    error::{similar, Missing, Span, SyntaxError, Wrong},
    field,
    hook::{self, Access, Decided, Hook},
    label::{Class, Label, Slot},
    notes,
    parse::Line,
    policy::{Action, Attr, Case, How, Policy, Rule, Test, Text},
    syscalls::SYSCALLS,
};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
};

/// What a policy depends on beside its text.
pub trait System {
    fn user(&self, name: &str) -> Option<u32>;
    fn group(&self, name: &str) -> Option<u32>;
    /// Depth and id of a cgroup.
    fn cgroup(&self, path: &str) -> Option<(u8, u64)>;
    /// The path of a container's cgroup.
    fn container(&self, name: &str) -> Result<String, Missing>;
    /// A slot of a class of blobs.
    fn slot(&self, class: Class, name: &str) -> Result<Slot, Missing>;
    /// The path without symbolic links, as far as it is there.
    fn resolve(&self, path: &str) -> String;
}

/// A line and the file that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub file: String,
    pub line: Line,
}

/// What became of the statements.
#[derive(Debug, Default)]
pub struct Lowered {
    /// The lines that are rules, in the order in which they decide.
    pub lines: Vec<Source>,
    pub policy: Policy,
    /// What was passed over or is easily misunderstood, and why.
    pub notes: Vec<String>,
}

/// LPM keys have 256 bytes: the number of a set, the path, and a slash.
const BENEATH_MAX: usize = 251;
/// What a program compares of an argument.
const ARGUMENT_MAX: usize = 4000;
const COMM_MAX: usize = 15;
/// Options that have errors of later lines passed over, or kept for the end: -i and -c.
pub const TOLERANT: &[&str] = &["-i", "-c"];
/// What is no container.
pub const HOST: &str = "host";

/// Makes the policy that `sources` say, as auditctl takes them: in their order.
pub fn lower(sources: Vec<Source>, system: &dyn System) -> Result<Lowered, Vec<SyntaxError>> {
    match lower_most(sources, system) {
        (lowered, errors) if errors.is_empty() => Ok(lowered),
        (_, errors) => Err(errors),
    }
}

/// The same without the lines that cannot be, and why each cannot.
pub fn lower_most(sources: Vec<Source>, system: &dyn System) -> (Lowered, Vec<SyntaxError>) {
    let mut lowered = Lowered::default();
    let mut errors = Vec::new();
    for source in sources {
        if let Err(wrong) = lowered.take(&source) {
            errors.push(place(&source, wrong));
        }
    }
    let mut everywhere = Vec::new();
    lowered.lines.retain(|source| match rule(source, system) {
        Ok(rule) => {
            if rule.cases.is_empty() {
                everywhere.push(lowered.policy.rules.len());
            }
            lowered.policy.rules.push(rule);
            true
        }
        Err(wrong) => {
            errors.push(place(source, wrong));
            false
        }
    });
    // Rules for all that others are about. From the last, so that those before keep their places.
    let hooks = lowered.policy.hooks();
    for index in everywhere.into_iter().rev() {
        let source = &lowered.lines[index];
        match cases(source, &hooks, system) {
            Ok(cases) => lowered.policy.rules[index].cases = cases,
            Err(wrong) => {
                errors.push(place(source, wrong));
                lowered.lines.remove(index);
                lowered.policy.rules.remove(index);
            }
        }
    }
    let notes = notes::notes(&lowered.lines, &lowered.policy, system);
    lowered.notes.extend(notes);
    lowered.notes.extend(unknown(&lowered.policy));
    errors.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    (lowered, errors)
}

fn place(source: &Source, wrong: Wrong) -> SyntaxError {
    SyntaxError {
        file: source.file.clone(),
        line: source.line.line,
        column: wrong.span.column.max(1),
        message: wrong.message,
        expected: wrong.expected,
        text: source.line.text.clone(),
        width: wrong.span.width,
    }
}

/// What is to be said of labels in slots that nobody could be asked about.
fn unknown(policy: &Policy) -> Vec<String> {
    let mut notes = Vec::new();
    for rule in &policy.rules {
        let tests = rule.cases.iter().flat_map(|case| &case.tests);
        let labels: BTreeSet<String> = tests
            .filter_map(|test| match test {
                Test::Number {
                    attr: Attr::Label(label),
                    ..
                } if label.slot == Slot::UNKNOWN => Some(label.to_string()),
                _ => None,
            })
            .collect();
        notes.extend(labels.iter().map(|label| {
            format!(
                "{}:{}: {label} is taken for granted: no file krsi/blobs can be read here",
                rule.file, rule.line
            )
        }));
    }
    notes
}

type Lowering<T> = Result<T, Wrong>;

impl Lowered {
    /// Has rules that deny say so, and deny nothing. Their texts say the same, so that a policy
    /// that is changed later stays on trial.
    pub fn on_trial(&mut self) {
        for (source, rule) in self.lines.iter().zip(&mut self.policy.rules) {
            let Statement::Rule { rule: written, .. } = &source.line.statement else {
                continue;
            };
            let before = rule.action;
            rule.action = before.on_trial();
            if rule.action == before {
                continue;
            }
            let at = written.places.head;
            let (from, to) = (at.column - 1, at.column - 1 + at.width);
            let chars: Vec<char> = source.line.text.chars().collect();
            let part = |range: &[char]| range.iter().collect::<String>();
            let action = if before == Action::Kill {
                "kill"
            } else {
                "deny"
            };
            let word = part(&chars[from..to]).replacen(action, "deny?", 1);
            let text = part(&chars[..from]) + &word + &part(&chars[to..]);
            rule.text = text.trim().into();
        }
    }

    /// Does what a statement says to the list of rules.
    fn take(&mut self, source: &Source) -> Lowering<()> {
        let change = match &source.line.statement {
            Statement::DeleteAll { key } => {
                self.lines
                    .retain(|line| key.as_ref().is_some_and(|key| !keys(line).contains(key)));
                return Ok(());
            }
            Statement::Setting { option, .. } if TOLERANT.contains(&option.as_str()) => {
                return Ok(());
            }
            Statement::Setting { option, .. } => {
                self.notes.push(format!(
                    "{}:{}: {option} is passed over: it is a setting of the audit subsystem",
                    source.file, source.line.line
                ));
                return Ok(());
            }
            Statement::List { .. } => {
                return Err(Wrong::new(
                    whole(source),
                    "-l is no rule",
                    "krsi rule -l, or krsi list",
                ))
            }
            Statement::Rule { change, .. } | Statement::Watch { change, .. } => *change,
        };
        match change {
            Change::Append => self.lines.push(source.clone()),
            Change::Prepend => self.lines.insert(0, source.clone()),
            Change::Delete => {
                let same = |line: &Source| same_rule(&line.line.statement, &source.line.statement);
                let Some(index) = self.lines.iter().position(same) else {
                    return Err(Wrong::new(
                        whole(source),
                        "there is no such rule before this line",
                        "-d or -W with exactly what a rule above has after its -a, -A or -w",
                    ));
                };
                self.lines.remove(index);
            }
        }
        Ok(())
    }
}

pub(super) fn whole(source: &Source) -> Span {
    Span {
        column: 1,
        width: source.line.text.chars().count(),
    }
}

fn same_rule(one: &Statement, other: &Statement) -> bool {
    match (one, other) {
        (Statement::Rule { rule: one, .. }, Statement::Rule { rule: other, .. }) => one == other,
        (Statement::Watch { watch: one, .. }, Statement::Watch { watch: other, .. }) => {
            one == other
        }
        _ => false,
    }
}

/// The keys of a rule.
pub fn keys(source: &Source) -> &[String] {
    match &source.line.statement {
        Statement::Rule { rule, .. } => &rule.keys,
        Statement::Watch { watch, .. } => &watch.keys,
        _ => &[],
    }
}

/// A rule; without cases if it is for all hooks that others are about.
fn rule(source: &Source, system: &dyn System) -> Lowering<Rule> {
    let mut rule = Rule {
        file: source.file.clone(),
        line: source.line.line,
        text: source.line.text.trim().into(),
        action: Action::Always,
        keys: keys(source).to_vec(),
        cases: Vec::new(),
    };
    // Programs write them one behind the other.
    let length: usize = rule.keys.iter().map(|key| key.len() + 1).sum();
    if length > 256 {
        return Err(Wrong::new(
            whole(source),
            "the keys of this rule are too long together",
            "keys of 255 bytes at most, counting one between two",
        ));
    }
    if let Statement::Rule { rule: written, .. } = &source.line.statement {
        let number = |name: &str| {
            errno::number(name).ok_or_else(|| {
                Wrong::new(
                    written.places.head,
                    format!("there is no errno {name}"),
                    "the name of one, such as deny=EACCES",
                )
            })
        };
        rule.action = match &written.action {
            ast::Action::Always => Action::Always,
            ast::Action::Never => Action::Never,
            ast::Action::Kill => Action::Kill,
            ast::Action::Deny(name) => Action::Deny(number(name)?),
            ast::Action::Try(name) => Action::Try(number(name)?),
        };
    }
    rule.cases = cases(source, &[], system)?;
    Ok(rule)
}

/// The cases of a rule. `others` are the hooks that a rule is about which names nothing.
fn cases(source: &Source, others: &[&'static Hook], system: &dyn System) -> Lowering<Vec<Case>> {
    match &source.line.statement {
        Statement::Watch { watch, .. } => {
            let access = bits(watch.permissions);
            let test = text(Text::Path, How::Beneath, &watch.path, true, system);
            let at = watch.places.head;
            check_length(&test, at)?;
            let mut cases: Vec<Case> = hook::of_access(access)
                .map(|hook| Case {
                    hook,
                    tests: vec![test.clone()],
                })
                .collect();
            restrict(&mut cases, access);
            Ok(cases)
        }
        Statement::Rule { rule, .. } => {
            list(rule)?;
            let mut cases = chosen(rule, others)?;
            for (condition, at) in rule.conditions.iter().zip(&rule.places.conditions) {
                apply(condition, *at, rule, &mut cases, system)?;
            }
            if cases.is_empty() && !names_nothing(rule) {
                return Err(Wrong::new(
                    rule.places.head,
                    "no call of these system calls has the permissions of this rule",
                    "permissions that fit, or no perm",
                ));
            }
            for case in &mut cases {
                case.tests.sort();
                case.tests.dedup();
            }
            Ok(cases)
        }
        _ => Ok(Vec::new()),
    }
}

/// Refuses lists that are not about what hooks decide.
fn list(rule: &ast::Rule) -> Lowering<()> {
    let (message, instead) = match rule.list {
        List::Exit => return Ok(()),
        List::Task => (
            "the list task says which tasks the audit subsystem watches at all",
            "the list exit, with -S clone or a never rule",
        ),
        List::User => (
            "the list user is about records that programs write",
            "auditctl for this rule: it stays with auditd",
        ),
        List::Exclude => (
            "the list exclude is about types of audit records",
            "auditctl for this rule: it stays with auditd",
        ),
        List::Filesystem => (
            "the list filesystem says whose paths the audit subsystem collects",
            "the list exit, with never and dir=",
        ),
        List::IoUring => (
            "hooks do not tell io_uring's operations from system calls",
            "the list exit, whose rules decide both",
        ),
    };
    Err(Wrong::new(rule.places.head, message, instead))
}

/// Whether a rule is about all that others are about.
fn names_nothing(rule: &ast::Rule) -> bool {
    rule.action == ast::Action::Never && rule.syscalls.is_empty() && implied(rule).is_none()
}

/// The permissions in the rule, if it has some.
fn permissions(rule: &ast::Rule) -> Option<u8> {
    rule.conditions
        .iter()
        .find_map(|condition| match condition {
            Condition::Test {
                value: Value::Permissions(permissions),
                ..
            } => Some(bits(*permissions)),
            _ => None,
        })
}

fn bits(permissions: Permissions) -> u8 {
    let bit = |is, bit| if is { bit } else { 0 };
    bit(permissions.read, hook::READ)
        | bit(permissions.write, hook::WRITE)
        | bit(permissions.execute, hook::EXECUTE)
        | bit(permissions.attributes, hook::ATTRIBUTES)
}

/// The hooks that the fields of a rule without system calls mean.
pub(super) fn implied(rule: &ast::Rule) -> Option<Vec<&'static Hook>> {
    let has = |names: &[&str]| {
        rule.conditions.iter().any(|condition| {
            matches!(condition, Condition::Test { field: Field::Named(name), .. }
                if names.contains(name))
        })
    };
    let named = |names: &[&str]| names.iter().filter_map(|name| hook::find(name)).collect();
    let of_exec = rule.conditions.iter().any(|condition| {
        matches!(
            condition,
            Condition::Test {
                field: Field::Argument { .. } | Field::Environment { .. },
                ..
            }
        )
    });
    if of_exec || has(&["argv"]) {
        return Some(named(&["bprm_check_security"]));
    }
    if has(&["raddr", "rport"]) {
        return Some(named(&["socket_connect", "socket_sendmsg"]));
    }
    if has(&["saddr_fam"]) {
        return Some(named(&["socket_bind", "socket_connect", "socket_sendmsg"]));
    }
    let all = hook::READ | hook::WRITE | hook::EXECUTE | hook::ATTRIBUTES;
    let of_inode = rule.conditions.iter().any(|condition| {
        matches!(condition, Condition::Test { field: Field::Label { label }, .. }
            if label.class == Class::Inode.name())
    });
    let of_object = has(&[
        "path", "dir", "perm", "inode", "devmajor", "devminor", "obj_uid", "obj_gid", "filetype",
    ]);
    if of_object || of_inode {
        return Some(hook::of_access(permissions(rule).unwrap_or(all)).collect());
    }
    None
}

/// The hooks that a rule is about, and what they have to be asked for.
fn chosen(rule: &ast::Rule, others: &[&'static Hook]) -> Lowering<Vec<Case>> {
    if rule.syscalls.is_empty() {
        let hooks = match implied(rule) {
            Some(hooks) => hooks,
            None if names_nothing(rule) => others.to_vec(),
            None => {
                return Err(Wrong::new(
                    rule.places.head,
                    "this rule would be about every system call",
                    "-S with the system calls, or a path",
                ))
            }
        };
        let case = |hook| Case {
            hook,
            tests: Vec::new(),
        };
        return Ok(hooks.into_iter().map(case).collect());
    }
    let mut cases: Vec<Case> = Vec::new();
    for (name, at) in rule.syscalls.iter().zip(&rule.places.syscalls) {
        let name = syscall(name, rule, *at)?;
        match hook::deciding(name) {
            Decided::By(hooks) => {
                for (hook, tests) in hooks {
                    let case = Case { hook, tests };
                    if !cases.contains(&case) {
                        cases.push(case);
                    }
                }
            }
            Decided::ByNone(hook, instead) => {
                let message = undecided(name, hook);
                return Err(Wrong::new(*at, message, instead));
            }
            Decided::Unknown => return Err(unknown_syscall(name, *at)),
        }
    }
    Ok(cases)
}

/// Why no rule is about a system call.
pub fn undecided(name: &str, hook: Option<&str>) -> String {
    match hook {
        Some(hook) => format!("rules do not use {hook}, the hook that decides {name}"),
        None => format!("no hook that rules are about decides {name}"),
    }
}

fn unknown_syscall(name: &str, at: Span) -> Wrong {
    let mut message = format!("there is no system call '{name}'");
    if let Some(name) = similar(name, SYSCALLS.iter().map(|row| row.0)) {
        message += &format!("; is it '{name}'?");
    }
    Wrong::new(
        at,
        message,
        "the name of a system call of x86, see syscalls(2)",
    )
}

/// The name of a system call, which may be given by its number.
pub(super) fn syscall<'a>(name: &'a str, rule: &ast::Rule, at: Span) -> Lowering<&'a str> {
    let Ok(number) = name.parse::<u16>() else {
        return Ok(name);
    };
    let compat = rule.conditions.iter().any(|condition| {
        matches!(condition, Condition::Test {
            field: Field::Named("arch"), op: Op::Equal, value: Value::Name(name),
        } if machine(name) == Some(true))
    });
    let row = SYSCALLS.iter().find(|row| {
        let this = if compat { row.2 } else { row.1 };
        this == Some(number)
    });
    row.map(|row| row.0)
        .ok_or_else(|| unknown_syscall(name, at))
}

/// Whether a machine has 32 bits.
fn machine(name: &str) -> Option<bool> {
    match name {
        "b64" | "x86_64" => Some(false),
        "b32" | "i386" | "i486" | "i586" | "i686" => Some(true),
        _ => None,
    }
}

/// Keeps what can have one of the permissions, and has it looked at where it differs.
fn restrict(cases: &mut Vec<Case>, access: u8) {
    cases.retain_mut(|case| match case.hook.access {
        Access::None => false,
        Access::Fixed(bits) => bits & access != 0,
        Access::Open(_) | Access::Mask(_) => {
            case.tests.push(Test::Number {
                attr: Attr::Access,
                op: Op::AnyBit,
                value: access.into(),
            });
            access & (hook::READ | hook::WRITE) != 0
        }
    });
}

fn text(text: Text, how: How, value: &str, equal: bool, system: &dyn System) -> Test {
    let value = tidy(value);
    let mut values = vec![value.clone()];
    let resolved = system.resolve(&value);
    if resolved != value {
        values.push(resolved);
    }
    Test::Text {
        text,
        how,
        values,
        equal,
    }
}

/// A path as the kernel writes it.
pub(super) fn tidy(path: &str) -> String {
    let parts = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".");
    let tidy: String = parts.flat_map(|part| ["/", part]).collect();
    if tidy.is_empty() {
        "/".into()
    } else {
        tidy
    }
}

fn check_length(test: &Test, at: Span) -> Lowering<()> {
    let Test::Text { how, values, .. } = test else {
        return Ok(());
    };
    if *how == How::Beneath && values.iter().any(|value| value.len() > BENEATH_MAX) {
        return Err(Wrong::new(
            at,
            "this directory has too long a path",
            format!("at most {BENEATH_MAX} bytes, without symbolic links"),
        ));
    }
    Ok(())
}

/// The attributes that are tested as they are.
const NUMBERS: &[(&str, Attr)] = &[
    ("auid", Attr::Auid),
    ("devmajor", Attr::DevMajor),
    ("devminor", Attr::DevMinor),
    ("egid", Attr::Egid),
    ("euid", Attr::Euid),
    ("fsgid", Attr::Fsgid),
    ("fsuid", Attr::Fsuid),
    ("gid", Attr::Gid),
    ("inode", Attr::Inode),
    ("loginuid", Attr::Auid),
    ("obj_gid", Attr::ObjGid),
    ("obj_uid", Attr::ObjUid),
    ("pers", Attr::Personality),
    ("pid", Attr::Pid),
    ("ppid", Attr::Ppid),
    ("rport", Attr::RemotePort),
    ("saddr_fam", Attr::Family),
    ("sessionid", Attr::Session),
    ("sgid", Attr::Sgid),
    ("suid", Attr::Suid),
    ("uid", Attr::Uid),
];

/// Fields that no program can test, why, and what to do.
pub const REFUSED: &[(&str, &str, &str)] = &[
    (
        "exit",
        "what a call returns is not known yet when a hook decides it",
        "the rule without it, which is about attempts, or auditctl for this rule",
    ),
    (
        "success",
        "whether a call succeeds is not known yet when a hook decides it",
        "the rule without it, which is about attempts, or auditctl for this rule",
    ),
    (
        "fstype",
        "it belongs to the list filesystem",
        "dir= with where the file system is mounted",
    ),
    (
        "msgtype",
        "it belongs to the lists exclude and user",
        "auditctl for this rule",
    ),
    (
        "subj_user",
        "contexts of SELinux are text of another LSM",
        "uid, exe or cgroup",
    ),
    (
        "subj_role",
        "contexts of SELinux are text of another LSM",
        "uid, exe or cgroup",
    ),
    (
        "subj_type",
        "contexts of SELinux are text of another LSM",
        "uid, exe or cgroup",
    ),
    (
        "subj_sen",
        "contexts of SELinux are text of another LSM",
        "uid, exe or cgroup",
    ),
    (
        "subj_clr",
        "contexts of SELinux are text of another LSM",
        "uid, exe or cgroup",
    ),
    (
        "obj_user",
        "contexts of SELinux are text of another LSM",
        "path, dir or obj_uid",
    ),
    (
        "obj_role",
        "contexts of SELinux are text of another LSM",
        "path, dir or obj_uid",
    ),
    (
        "obj_type",
        "contexts of SELinux are text of another LSM",
        "path, dir or obj_uid",
    ),
    (
        "obj_lev_low",
        "contexts of SELinux are text of another LSM",
        "path, dir or obj_uid",
    ),
    (
        "obj_lev_high",
        "contexts of SELinux are text of another LSM",
        "path, dir or obj_uid",
    ),
];

/// Gives the cases of a rule one more test.
fn apply(
    condition: &Condition,
    at: Span,
    rule: &ast::Rule,
    cases: &mut Vec<Case>,
    system: &dyn System,
) -> Lowering<()> {
    let (field, op, value) = match condition {
        Condition::Compare { field, op, with } => {
            let (Some(attr), Some(with)) = (attribute(field), attribute(with)) else {
                return Err(Wrong::new(at, "-C cannot compare this", "users or groups"));
            };
            let test = Test::Compare {
                attr,
                with,
                equal: *op == Op::Equal,
            };
            if names_nothing(rule) {
                cases.retain(|case| lacks(case.hook, &test).is_none());
            }
            known(&test, at, cases)?;
            add(cases, &test);
            return Ok(());
        }
        Condition::Test { field, op, value } => (field, *op, value),
    };
    let equal = op == Op::Equal;
    if let Field::Named(name) = field {
        if let Some((_, why, instead)) = REFUSED.iter().find(|(refused, ..)| refused == name) {
            return Err(Wrong::new(at, *why, *instead));
        }
    }
    let test = match (field, value) {
        (Field::Named("perm"), Value::Permissions(permissions)) => {
            if !equal {
                return Err(Wrong::new(at, "perm has no such operator", "perm="));
            }
            restrict(cases, bits(*permissions));
            return Ok(());
        }
        (Field::Named("arch"), Value::Name(name)) => {
            let Some(compat) = machine(name) else {
                let message = format!("programs of {name} do not run here");
                return Err(Wrong::new(at, message, "b64 or b32"));
            };
            Test::Number {
                attr: Attr::Compat,
                op,
                value: compat.into(),
            }
        }
        (Field::Named("filetype"), Value::Name(name)) => Test::Number {
            attr: Attr::FileType,
            op,
            value: field::FILE_TYPES
                .iter()
                .find(|(kind, _)| kind == name)
                .map_or(0, |(_, bits)| *bits),
        },
        (field, Value::Prefix(value)) => {
            let text = match field {
                Field::Named("path") => Text::Path,
                Field::Named("exe") => Text::Exe,
                Field::Named("pexe") => Text::ParentExe,
                Field::Named("comm") => Text::Comm,
                Field::Argument { argv } => Text::Argument(*argv),
                Field::Environment { env } => Text::Environment(variable(env, at)?),
                _ => Text::AnyArgument,
            };
            if text == Text::Comm {
                check_comm(value, at)?;
            }
            Test::Text {
                text,
                how: How::Prefix,
                values: vec![value.clone()],
                equal,
            }
        }
        (Field::Named("path"), Value::Text(path)) => {
            text(Text::Path, How::Exactly, path, equal, system)
        }
        (Field::Named("dir"), Value::Text(path)) => {
            text(Text::Path, How::Beneath, path, equal, system)
        }
        (Field::Named("exe"), Value::Text(path)) => {
            text(Text::Exe, How::Exactly, path, equal, system)
        }
        (Field::Named("pexe"), Value::Text(path)) => {
            text(Text::ParentExe, How::Exactly, path, equal, system)
        }
        (Field::Named("comm"), Value::Text(comm)) => {
            check_comm(comm, at)?;
            exactly(Text::Comm, comm, equal, at)?
        }
        (Field::Named("argv"), Value::Text(value)) => exactly(Text::AnyArgument, value, equal, at)?,
        (Field::Argument { argv }, Value::Text(value)) => {
            exactly(Text::Argument(*argv), value, equal, at)?
        }
        (Field::Environment { env }, Value::Text(value)) => {
            exactly(Text::Environment(variable(env, at)?), value, equal, at)?
        }
        (Field::Named("cgroup"), Value::Text(path)) => {
            let Some((depth, id)) = system.cgroup(path) else {
                let message = format!("there is no cgroup {path}");
                let expected = "the path of a cgroup that there is, from the root of the hierarchy";
                return Err(Wrong::new(at, message, expected));
            };
            Test::Number {
                attr: Attr::Cgroup(depth),
                op,
                value: id,
            }
        }
        (Field::Named("raddr"), Value::Text(value)) if is_no_address(value) => {
            return Err(Wrong::new(
                at,
                "this is no address of another end: who connects to it connects to this machine",
                "127.0.0.1 or ::1, or a network",
            ))
        }
        (Field::Named("container"), Value::Text(name)) if name == HOST => Test::Number {
            attr: Attr::Host,
            op,
            value: 1,
        },
        (Field::Named("container"), Value::Text(name)) => {
            let path = system.container(name).map_err(|missing| missing.at(at))?;
            let Some((depth, id)) = system.cgroup(&path) else {
                let message = format!("the container {name} has just ended");
                return Err(Wrong::new(at, message, "one that runs"));
            };
            Test::Number {
                attr: Attr::Container(depth),
                op,
                value: id,
            }
        }
        (Field::Label { label }, Value::Unsigned(value)) => {
            let label = Label::new(label, |class, name| system.slot(class, name))
                .map_err(|missing| missing.at(at))?;
            if *value > label.largest() {
                return Err(Wrong::new(
                    at,
                    format!("{label} has {} bits", 8 * label.width()),
                    format!("a number up to {}", label.largest()),
                ));
            }
            Test::Number {
                attr: Attr::Label(label),
                op,
                value: *value,
            }
        }
        (Field::Named("raddr"), Value::Text(value)) => address(value, equal)
            .ok_or_else(|| Wrong::new(at, "this is no address", "an IP address or network"))?,
        (Field::Named(name @ ("a0" | "a1" | "a2" | "a3")), Value::Number(number)) => {
            argument(name, op, *number, rule, at, cases)?
        }
        (Field::Named(name), value) => {
            let Some(attr) = attribute(field) else {
                let message = format!("{name} cannot be tested");
                return Err(Wrong::new(at, message, "another field"));
            };
            let users = [Attr::Auid, Attr::ObjUid];
            let is_user = users.contains(&attr) || name.ends_with("uid");
            let value = match value {
                Value::Unset => u64::from(u32::MAX),
                // What is compared has 32 bits and no sign, as auditctl's.
                Value::Number(number) => u64::from(*number as u32),
                Value::Name(name) if is_user => named(system.user(name), name, "user", at)?,
                Value::Name(name) => named(system.group(name), name, "group", at)?,
                _ => return Err(Wrong::new(at, "this is no number", "a number")),
            };
            Test::Number { attr, op, value }
        }
        _ => return Err(Wrong::new(at, "this cannot be tested", "another field")),
    };
    check_length(&test, at)?;
    if names_nothing(rule) {
        // It is about what the other rules are about, where it can be.
        cases.retain(|case| lacks(case.hook, &test).is_none());
    }
    known(&test, at, cases)?;
    add(cases, &test);
    Ok(())
}

fn add(cases: &mut [Case], test: &Test) {
    for case in cases {
        case.tests.push(test.clone());
    }
}

fn attribute(field: &Field) -> Option<Attr> {
    let Field::Named(name) = field else {
        return None;
    };
    let found = NUMBERS.iter().find(|(number, _)| number == name);
    found.map(|(_, attr)| *attr)
}

fn named(id: Option<u32>, name: &str, kind: &str, at: Span) -> Lowering<u64> {
    id.map(u64::from).ok_or_else(|| {
        let message = format!("there is no {kind} '{name}'");
        Wrong::new(
            at,
            message,
            format!(
                "a {kind} of /etc/{}, or a number",
                if kind == "user" { "passwd" } else { "group" }
            ),
        )
    })
}

fn check_comm(comm: &str, at: Span) -> Lowering<()> {
    if comm.len() > COMM_MAX {
        let expected = format!("at most {COMM_MAX} bytes: Linux keeps no more");
        return Err(Wrong::new(at, "this name is too long", expected));
    }
    Ok(())
}

/// The name of a variable.
fn variable(name: &str, at: Span) -> Lowering<String> {
    if name.len() > 255 {
        return Err(Wrong::new(at, "this name is too long", "at most 255 bytes"));
    }
    Ok(name.into())
}

fn exactly(text: Text, value: &str, equal: bool, at: Span) -> Lowering<Test> {
    if value.len() > ARGUMENT_MAX {
        let expected = format!("at most {ARGUMENT_MAX} bytes, which is what programs compare");
        return Err(Wrong::new(at, "this value is too long to match", expected));
    }
    Ok(Test::Text {
        text,
        how: How::Exactly,
        values: vec![value.into()],
        equal,
    })
}

/// `a0` to `a3`: of the system calls that the rule names only, since a hook has others.
fn argument(
    name: &str,
    op: Op,
    number: i64,
    rule: &ast::Rule,
    at: Span,
    cases: &mut [Case],
) -> Lowering<Test> {
    let mut numbers = Vec::new();
    for (name, at) in rule.syscalls.iter().zip(&rule.places.syscalls) {
        let name = syscall(name, rule, *at)?;
        numbers.extend(
            SYSCALLS
                .iter()
                .filter(|row| row.0 == name)
                .map(|row| (row.1, row.2)),
        );
    }
    if numbers.is_empty() {
        let message = format!("{name} is an argument of what system call?");
        return Err(Wrong::new(at, message, "-S with the system call"));
    }
    add(cases, &Test::syscalls(&numbers));
    Ok(Test::Number {
        attr: Attr::Argument(name.as_bytes()[1] - b'0'),
        op,
        value: u64::from(number as u32),
    })
}

fn is_no_address(text: &str) -> bool {
    let address = text.strip_suffix("/32").or(text.strip_suffix("/128"));
    let address = address.unwrap_or(text).parse::<IpAddr>();
    address.is_ok_and(|address| address.is_unspecified())
}

fn address(text: &str, equal: bool) -> Option<Test> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let (network, bits) = match address.parse().ok()? {
        IpAddr::V4(address) => (address.to_ipv6_mapped(), 96 + bits.unwrap_or(32)),
        IpAddr::V6(address) => (address, bits.unwrap_or(128)),
    };
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    Some(Test::Address {
        network: Ipv6Addr::from(u128::from(network) & mask),
        bits,
        equal,
    })
}

/// Refuses a test of what a hook does not know.
fn known(test: &Test, at: Span, cases: &[Case]) -> Lowering<()> {
    for Case { hook, .. } in cases {
        if let Some(what) = lacks(hook, test) {
            let (message, instead) = what;
            let message = format!("{message} at {}, which decides this rule", hook.name);
            return Err(Wrong::new(at, message, instead));
        }
    }
    Ok(())
}

/// What the hook lacks for the test, and what to do.
fn lacks(hook: &Hook, test: &Test) -> Option<(&'static str, &'static str)> {
    const NO_NODE: (&str, &str) = (
        "there is no file",
        "-S with system calls on files, or the rule without this field",
    );
    let of_node = |attr: &Attr| {
        matches!(
            attr,
            Attr::Inode
                | Attr::DevMajor
                | Attr::DevMinor
                | Attr::ObjUid
                | Attr::ObjGid
                | Attr::FileType
        )
    };
    match test {
        Test::Number { attr, .. } if of_node(attr) && hook.node.is_none() => Some(NO_NODE),
        Test::Compare { attr, with, .. }
            if (of_node(attr) || of_node(with)) && hook.node.is_none() =>
        {
            Some(NO_NODE)
        }
        Test::Number {
            attr: Attr::Label(label),
            ..
        } if !hook.has(label.class) => Some(match label.class {
            Class::Sock => (
                "there is no socket",
                "system calls on sockets that are there, such as -S connect",
            ),
            Class::File if hook.node.is_some() => (
                "there is no open file",
                "the label of the inode, or system calls on open files, such as -S read",
            ),
            _ => NO_NODE,
        }),
        Test::Number {
            attr: Attr::Family, ..
        } if hook.address().is_none() => Some((
            "there is no address",
            "-S connect, -S bind or -S sendto,sendmsg with it",
        )),
        Test::Number {
            attr: Attr::RemotePort,
            ..
        }
        | Test::Address { .. }
            if hook.remote.is_none() =>
        {
            Some((
                "there is no remote address",
                "-S connect or -S sendto,sendmsg with it",
            ))
        }
        Test::Text {
            text: Text::Path, ..
        } if hook.names.is_empty() => Some((
            "there is no path",
            "inode= with devmajor= and devminor=, or system calls that have a path",
        )),
        Test::Text {
            text: Text::Exe | Text::ParentExe,
            ..
        } if !hook.paths => Some((
            "paths of programs cannot be had",
            "comm, cgroup or a user instead",
        )),
        Test::Text {
            text: Text::Argument(_) | Text::AnyArgument | Text::Environment(_),
            ..
        } if hook.name != "bprm_check_security" => Some((
            "there are no arguments and no environment",
            "-S execve with it",
        )),
        _ => None,
    }
}
