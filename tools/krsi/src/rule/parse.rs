// SPDX-License-Identifier: GPL-2.0

//! Words become statements. Every line is looked at, so that all errors show at once.

use super::{
    ast::{
        Action, Change, Condition, Field, Label, List, Op, Permissions, Places, Rule, Statement,
        Value, Watch,
    },
    error::{similar, Span, SyntaxError, Wrong},
    field::{self, Kind, Ops},
    label::Name,
    lexer::{self, Word},
};
use serde::Serialize;
use std::net::IpAddr;

/// How much the kernel takes: AUDIT_MAX_KEY_LEN, AUDIT_MAX_FIELDS, PATH_MAX.
const KEY_MAX: usize = 256;
/// The longest beginning of a text that programs look for.
const PREFIX_MAX: usize = 251;
const CONDITIONS_MAX: usize = 64;
const PATH_MAX: usize = 4096;

/// A statement and the line that it is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub line: usize,
    /// As it was written.
    #[serde(skip)]
    pub text: String,
    #[serde(flatten)]
    pub statement: Statement,
}

/// Parses the rules `text`, which are called `file` in errors.
pub fn parse(file: &str, text: &str) -> Result<Vec<Line>, Vec<SyntaxError>> {
    match parse_most(file, text) {
        (lines, errors) if errors.is_empty() => Ok(lines),
        (_, errors) => Err(errors),
    }
}

/// The same without the lines that cannot be read, and why each cannot.
pub fn parse_most(file: &str, text: &str) -> (Vec<Line>, Vec<SyntaxError>) {
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    for (number, text) in (1..).zip(text.lines()) {
        match statement(text) {
            Ok(None) => {}
            Ok(Some(statement)) => lines.push(Line {
                line: number,
                text: text.into(),
                statement,
            }),
            Err(wrong) => errors.push(SyntaxError {
                file: file.into(),
                line: number,
                column: wrong.span.column,
                message: wrong.message,
                expected: wrong.expected,
                text: text.into(),
                width: wrong.span.width,
            }),
        }
    }
    (lines, errors)
}

type Parsed<T> = Result<T, Wrong>;

/// The statement of a line, if it has one.
fn statement(line: &str) -> Parsed<Option<Statement>> {
    let words = lexer::words(line)?;
    if words.is_empty() {
        return Ok(None);
    }
    let mut parts = Parts::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match with_value(word) {
            Some((option, value)) => parts.option(&option, &mut std::iter::once(&value))?,
            None => parts.option(word, &mut words)?,
        }
    }
    parts.finish().map(Some)
}

/// An option of one letter whose value follows at once, as in `-pwa`.
fn with_value(word: &Word) -> Option<(Word, Word)> {
    let text = word.text();
    let rest = text.strip_prefix('-')?;
    (rest.len() > 1 && rest.starts_with(|c| "aAdwWSFCpkbefr".contains(c))).then(|| word.split_at(2))
}

/// What the line is about; one option of it says so.
#[derive(Clone)]
enum Head {
    Rule(Change, Action, List),
    Watch(Change, String),
    DeleteAll,
    List,
    Setting(String, Option<String>),
}

/// What was read of a line so far. Spans are kept for what may turn out to be out of place.
#[derive(Default)]
struct Parts {
    head: Option<(Head, Span)>,
    /// Of what the head is about.
    about: Span,
    syscalls: Vec<String>,
    /// Of each of them.
    syscall_spans: Vec<Span>,
    syscalls_at: Option<Span>,
    conditions: Vec<(Condition, Span)>,
    permissions: Option<(Permissions, Span)>,
    keys: Vec<String>,
    keys_at: Option<Span>,
}

/// The options of the audit subsystem, and the values that they take.
const SETTINGS: &[(&str, Option<(&str, u64)>)] = &[
    ("-b", Some(("a number of buffers", u32::MAX as u64))),
    ("-e", Some(("0, 1 or 2", 2))),
    ("-f", Some(("0, 1 or 2", 2))),
    (
        "-r",
        Some(("a number of messages a second", u32::MAX as u64)),
    ),
    (
        "--backlog_wait_time",
        Some(("a time, up to 600000", 600_000)),
    ),
    ("-c", None),
    ("-i", None),
    ("--loginuid-immutable", None),
    ("--reset-lost", None),
    ("--reset_backlog_wait_time_actual", None),
];

/// Options of auditctl's that are no part of rules, why, and what to do.
pub const REFUSED: &[(&str, &str, &str)] = &[
    (
        "-q",
        "rules are about names, so what is mounted in a directory is in it",
        "dir= or -w alone",
    ),
    (
        "-t",
        "rules are about names, so there are no trees to trim",
        "no such line",
    ),
    (
        "-s",
        "this shows how audit is",
        "krsi status, or auditctl -s",
    ),
    ("-v", "this shows a version", "krsi --version"),
    ("-h", "this shows help", "krsi rule --help"),
    ("-m", "this writes a message to audit's log", "auditctl -m"),
    ("--signal", "this is for auditd", "auditctl --signal"),
    (
        "-R",
        "a file cannot load another",
        "krsi rule -R FILE, or several files for krsi load",
    ),
];

/// Every option, for suggestions and for who asks.
const OPTIONS: &str = "-a, -A, -d, -w, -W, -D or -l; -S, -F, -C, -p, -k; or a setting such as -b";

impl Parts {
    fn option(&mut self, option: &Word, words: &mut dyn Iterator<Item = &Word>) -> Parsed<()> {
        let name = option.text();
        let mut value = |expected: &str| {
            words.next().ok_or_else(|| {
                let Span { column, width } = option.span();
                let end = Span {
                    column: column + width,
                    width: 1,
                };
                Wrong::new(end, format!("{name} lacks its value"), expected)
            })
        };
        match name.as_str() {
            "-a" | "-A" | "-d" => {
                let word = value(ACTION_LIST)?;
                let (action, list) = action_list(word)?;
                self.about = word.span();
                let change = match name.as_str() {
                    "-a" => Change::Append,
                    "-A" => Change::Prepend,
                    _ => Change::Delete,
                };
                self.head(option, Head::Rule(change, action, list))
            }
            "-w" | "-W" => {
                let word = value(Kind::Path.form())?;
                let path = path(&word.text(), word.span())?;
                self.about = word.span();
                let change = if name == "-w" {
                    Change::Append
                } else {
                    Change::Delete
                };
                self.head(option, Head::Watch(change, path))
            }
            "-D" => self.head(option, Head::DeleteAll),
            "-l" => self.head(option, Head::List),
            "-S" => {
                let word = value(SYSCALLS)?;
                self.syscalls_at.get_or_insert(option.span());
                let (names, spans) = syscalls(word)?;
                self.syscalls.extend(names);
                self.syscall_spans.extend(spans);
                Ok(())
            }
            "-F" => {
                let word = value("a field, an operator and a value, such as auid>=1000")?;
                self.test(word)
            }
            "-C" => {
                let word = value("two fields, such as uid!=euid")?;
                self.condition(compare(word)?, word.span())
            }
            "-p" => {
                let word = value(Kind::Permissions.form())?;
                let permissions = permissions(&word.text(), word.span())?;
                if self.permissions.is_some() {
                    return Err(twice(option));
                }
                self.permissions = Some((permissions, option.span()));
                Ok(())
            }
            "-k" => {
                let word = value("a key")?;
                self.keys_at.get_or_insert(option.span());
                self.keys.push(key(&word.text(), word.span())?);
                Ok(())
            }
            _ => match SETTINGS.iter().find(|(setting, _)| *setting == name) {
                Some((_, None)) => self.head(option, Head::Setting(name, None)),
                Some((_, Some((form, max)))) => {
                    let word = value(form)?;
                    let text = word.text();
                    if !text.parse::<u64>().is_ok_and(|number| number <= *max) {
                        let message = format!("{name} has the value '{text}'");
                        return Err(Wrong::new(word.span(), message, *form));
                    }
                    self.head(option, Head::Setting(name, Some(text)))
                }
                None => Err(
                    match REFUSED.iter().find(|(refused, ..)| *refused == name) {
                        Some((_, why, instead)) => {
                            Wrong::new(option.span(), format!("{name}: {why}"), *instead)
                        }
                        None => Wrong::new(
                            option.span(),
                            format!("there is no option '{name}'"),
                            OPTIONS,
                        ),
                    },
                ),
            },
        }
    }

    fn head(&mut self, option: &Word, head: Head) -> Parsed<()> {
        if self.head.is_some() {
            return Err(Wrong::new(
                option.span(),
                format!("{} is one thing too many for a line", option.text()),
                "a line for each rule, watch or setting",
            ));
        }
        self.head = Some((head, option.span()));
        Ok(())
    }

    fn condition(&mut self, condition: Condition, at: Span) -> Parsed<()> {
        if self.conditions.len() == CONDITIONS_MAX {
            let expected = format!("at most {CONDITIONS_MAX} conditions in a rule");
            return Err(Wrong::new(at, "this condition is one too many", expected));
        }
        self.conditions.push((condition, at));
        Ok(())
    }

    fn test(&mut self, word: &Word) -> Parsed<()> {
        let (field, op, value) = test(word)?;
        if let (Field::Named("key"), Value::Text(text)) = (&field, &value) {
            self.keys_at.get_or_insert(word.span());
            self.keys.push(text.clone());
            return Ok(());
        }
        // What a system call is called depends on it.
        if field == Field::Named("arch") && self.syscalls_at.is_some() {
            return Err(Wrong::new(
                word.span(),
                "arch comes after the system calls that depend on it",
                "-F arch=… before -S",
            ));
        }
        self.condition(Condition::Test { field, op, value }, word.span())
    }

    fn finish(self) -> Parsed<Statement> {
        let first = [
            self.syscalls_at,
            self.conditions.first().map(|(_, at)| *at),
            self.permissions.map(|(_, at)| at),
            self.keys_at,
        ];
        let Some((head, _)) = self.head.clone() else {
            // A line without words has not come here.
            let at = first.into_iter().flatten().min_by_key(|span| span.column);
            return Err(Wrong::new(
                at.unwrap_or(Span {
                    column: 1,
                    width: 1,
                }),
                "this is a part of a rule that is not there",
                "-a action,list or -w path on the same line",
            ));
        };
        match head {
            Head::Rule(change, action, list) => self.rule(change, action, list),
            Head::Watch(change, path) => {
                let all = Permissions {
                    read: true,
                    write: true,
                    execute: true,
                    attributes: true,
                };
                let (permissions, at) = self.permissions.unwrap_or((all, self.about));
                // With more than a watch has, it is the rule that it is short for.
                if self.syscalls_at.is_some() || !self.conditions.is_empty() {
                    let mut long = self;
                    long.permissions = Some((permissions, at));
                    let dir = Condition::equal("dir", Value::Text(path));
                    long.condition(dir, long.about)?;
                    return long.rule(change, Action::Always, List::Exit);
                }
                let watch = Watch {
                    path,
                    permissions,
                    keys: self.keys,
                    places: Places {
                        head: self.about,
                        ..Places::default()
                    },
                };
                Ok(Statement::Watch { change, watch })
            }
            Head::DeleteAll | Head::List => {
                self.nothing_else(first[..3].iter().copied().flatten().next(), "it", "-k")?;
                let key = self.keys.into_iter().next();
                Ok(match head {
                    Head::DeleteAll => Statement::DeleteAll { key },
                    _ => Statement::List { key },
                })
            }
            Head::Setting(option, value) => {
                let other = first.into_iter().flatten().next();
                self.nothing_else(other, &option, "nothing else")?;
                Ok(Statement::Setting { option, value })
            }
        }
    }

    /// Fails if there is a part that does not belong to the head of the line.
    fn nothing_else(&self, part: Option<Span>, head: &str, instead: &str) -> Parsed<()> {
        let Some(at) = part else {
            return Ok(());
        };
        let message = format!("this does not go with {head}");
        Err(Wrong::new(at, message, format!("{instead} on this line")))
    }

    fn rule(mut self, change: Change, action: Action, list: List) -> Parsed<Statement> {
        if let Some((permissions, at)) = self.permissions {
            let perm = Condition::equal("perm", Value::Permissions(permissions));
            self.condition(perm, at)?;
        }
        if let Some(at) = self.syscalls_at {
            if !matches!(list, List::Exit | List::IoUring) {
                return Err(Wrong::new(
                    at,
                    "system calls are known to the lists exit and io_uring only",
                    "one of these lists, or no -S",
                ));
            }
        }
        let denies = matches!(action, Action::Deny(_) | Action::Try(_) | Action::Kill);
        if denies && list != List::Exit {
            let (_, at) = self.head.expect("a rule has a head");
            return Err(Wrong::new(
                at,
                "deny and kill decide system calls",
                "the list exit with them",
            ));
        }
        for (condition, at) in &self.conditions {
            allowed(condition, list, *at)?;
        }
        let (conditions, spans) = self.conditions.into_iter().unzip();
        let rule = Rule {
            action,
            list,
            syscalls: self.syscalls,
            conditions,
            keys: self.keys,
            places: Places {
                head: self.about,
                syscalls: self.syscall_spans,
                conditions: spans,
            },
        };
        Ok(Statement::Rule { change, rule })
    }
}

/// The fields that belong to some lists only.
fn allowed(condition: &Condition, list: List, at: Span) -> Parsed<()> {
    let Condition::Test {
        field: Field::Named(name),
        ..
    } = condition
    else {
        return Ok(());
    };
    let (good, lists) = match *name {
        "msgtype" => (
            matches!(list, List::Exclude | List::User),
            "exclude or user",
        ),
        "fstype" => (list == List::Filesystem, "filesystem"),
        "perm" => (list != List::IoUring, "exit"),
        // The kernel knows nothing else of a whole file system.
        _ => (list != List::Filesystem, "exit"),
    };
    if good {
        return Ok(());
    }
    let message = format!("this list does not know {name}");
    Err(Wrong::new(at, message, format!("the list {lists} with it")))
}

fn twice(option: &Word) -> Wrong {
    let message = format!("{} is there twice", option.text());
    Wrong::new(option.span(), message, "it once")
}

const ACTION_LIST: &str = "an action and a list, such as always,exit";
const ACTIONS: &[&str] = &["always", "never", "deny", "deny?", "kill"];
const LISTS: &[(&str, List)] = &[
    ("task", List::Task),
    ("exit", List::Exit),
    ("user", List::User),
    ("exclude", List::Exclude),
    ("filesystem", List::Filesystem),
    ("io_uring", List::IoUring),
];

/// `action,list` or `list,action`
fn action_list(word: &Word) -> Parsed<(Action, List)> {
    let text = word.text();
    let Some((first, second)) = text.split_once(',') else {
        let message = format!("'{text}' is not an action and a list");
        return Err(Wrong::new(word.span(), message, ACTION_LIST));
    };
    let comma = first.chars().count();
    let spans = [
        word.part(0, comma),
        word.part(comma + 1, text.chars().count()),
    ];
    let list = |name| {
        LISTS
            .iter()
            .find(|(list, _)| *list == name)
            .map(|(_, list)| *list)
    };
    // Whichever is no list has to be the action.
    match (list(first), list(second)) {
        (Some(list), None) => Ok((action(second, spans[1])?, list)),
        (None, Some(list)) => Ok((action(first, spans[0])?, list)),
        (Some(_), Some(_)) => Err(Wrong::new(word.span(), "this has no action", ACTION_LIST)),
        (None, None) => {
            let is_action = |text: &str| ACTIONS.contains(&text.split('=').next().unwrap_or(text));
            let (name, at) = if is_action(first) {
                (second, spans[1])
            } else {
                (first, spans[0])
            };
            let message = match name {
                "entry" => "the list entry is no more: the kernel dropped it".into(),
                _ => format!("'{name}' is neither a list nor an action that goes before one"),
            };
            let expected = "one of the lists task, exit, user, exclude, filesystem, io_uring";
            Err(Wrong::new(at, message, expected))
        }
    }
}

fn action(text: &str, at: Span) -> Parsed<Action> {
    match text.split_once('=') {
        None if text == "always" => Ok(Action::Always),
        None if text == "never" => Ok(Action::Never),
        None if text == "kill" => Ok(Action::Kill),
        None if text == "deny" => Ok(Action::Deny("EPERM".into())),
        None if text == "deny?" => Ok(Action::Try("EPERM".into())),
        Some(("deny", errno)) if is_errno(errno) => Ok(Action::Deny(errno.into())),
        Some(("deny?", errno)) if is_errno(errno) => Ok(Action::Try(errno.into())),
        Some(("deny" | "deny?", errno)) => Err(Wrong::new(
            at,
            format!("'{errno}' is no errno"),
            "the name of one, such as deny=EACCES",
        )),
        _ => {
            let mut message = format!("there is no action '{text}'");
            if let Some(name) = similar(text, ACTIONS.iter().copied()) {
                message += &format!("; is it '{name}'?");
            }
            Err(Wrong::new(
                at,
                message,
                "always, never, deny, deny=ERRNO, deny? or kill",
            ))
        }
    }
}

/// Whether it looks like the name of an errno. Which ones there are depends on the machine.
fn is_errno(text: &str) -> bool {
    text.len() > 1
        && text.starts_with('E')
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

const SYSCALLS: &str = "system calls by name or number, such as openat,unlink or all";

fn syscalls(word: &Word) -> Parsed<(Vec<String>, Vec<Span>)> {
    let text = word.text();
    let (mut names, mut spans) = (Vec::new(), Vec::new());
    let mut start = 0;
    for name in text.split(',') {
        let end = start + name.chars().count();
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || !name.chars().all(good) {
            let message = format!("'{name}' is no name of a system call");
            return Err(Wrong::new(word.part(start, end), message, SYSCALLS));
        }
        names.push(name.into());
        spans.push(word.part(start, end));
        start = end + 1;
    }
    // As if there was none.
    if names.iter().any(|name| name == "all") {
        names.clear();
        spans.clear();
    }
    Ok((names, spans))
}

/// `field op value`, split: the field, the operator, whether it is about how a text begins, and
/// where the rest begins.
fn split(word: &Word) -> Parsed<(String, Op, bool, usize)> {
    let chars: Vec<char> = word.text().chars().collect();
    // What is in brackets belongs to the field.
    let mut bracket = false;
    let start = chars.iter().position(|c| {
        bracket = (bracket || *c == '[') && *c != ']';
        !bracket && "=!<>&^".contains(*c)
    });
    let Some(start) = start else {
        return Err(Wrong::new(
            word.span(),
            "there is no operator",
            "a field, one of = != < <= > >= & &= ^= !^=, and a value",
        ));
    };
    let prefix = ["^=", "!^="]
        .iter()
        .position(|op| chars[start..].starts_with(&op.chars().collect::<Vec<_>>()));
    if let Some(negated) = prefix {
        let op = [Op::Equal, Op::NotEqual][negated];
        let field = chars[..start].iter().collect();
        return Ok((field, op, true, start + 2 + negated));
    }
    let (op, width) = match (chars[start], chars.get(start + 1)) {
        ('=', _) => (Op::Equal, 1),
        ('!', Some('=')) => (Op::NotEqual, 2),
        ('<', Some('=')) => (Op::LessOrEqual, 2),
        ('<', _) => (Op::Less, 1),
        ('>', Some('=')) => (Op::GreaterOrEqual, 2),
        ('>', _) => (Op::Greater, 1),
        ('&', Some('=')) => (Op::AllBits, 2),
        ('&', _) => (Op::AnyBit, 1),
        (other, _) => {
            let message = format!("there is no operator '{other}'");
            return Err(Wrong::new(
                word.part(start, start + 1),
                message,
                Ops::All.form(),
            ));
        }
    };
    Ok((chars[..start].iter().collect(), op, false, start + width))
}

/// `-F field op value`
fn test(word: &Word) -> Parsed<(Field, Op, Value)> {
    let (name, op, prefix, rest) = split(word)?;
    let length = name.chars().count();
    let (field, kind, ops) = field(&name, word.part(0, length))?;
    // A key is given to a rule, it tests nothing.
    if name == "key" && op != Op::Equal {
        return Err(Wrong::new(
            word.part(length, rest),
            "key has no such operator",
            "=",
        ));
    }
    if !ops.allow(op) || prefix && ops != Ops::Text {
        let message = format!("{name} has no such operator");
        return Err(Wrong::new(word.part(length, rest), message, ops.form()));
    }
    let text: String = word.text().chars().skip(rest).collect();
    let at = word.part(rest, rest + text.chars().count());
    if text.is_empty() {
        return Err(Wrong::new(
            at,
            format!("{name} lacks its value"),
            kind.form(),
        ));
    }
    let value = if name == "key" {
        Value::Text(key(&text, at)?)
    } else if prefix {
        Value::Prefix(begins(kind, &text, at)?)
    } else {
        value(kind, &name, &text, at)?
    };
    Ok((field, op, value))
}

/// `-C field op field`
fn compare(word: &Word) -> Parsed<Condition> {
    let (name, op, prefix, rest) = split(word)?;
    let length = name.chars().count();
    let with: String = word.text().chars().skip(rest).collect();
    let names = field::comparable(&name);
    let users =
        "two of auid, euid, fsuid, obj_uid, suid, uid or of egid, fsgid, gid, obj_gid, sgid";
    if names.is_empty() {
        let message = format!("-C does not compare '{name}'");
        return Err(Wrong::new(word.part(0, length), message, users));
    }
    if prefix || !Ops::Equality.allow(op) {
        let at = word.part(length, rest);
        return Err(Wrong::new(
            at,
            "-C has no such operator",
            Ops::Equality.form(),
        ));
    }
    let at = word.part(rest, rest + with.chars().count());
    match names.iter().find(|name| **name == with) {
        Some(other) if *other != name => {
            let (field, ..) = self::field(&name, word.part(0, length))?;
            Ok(Condition::Compare {
                field,
                op,
                with: Field::Named(other),
            })
        }
        _ => Err(Wrong::new(
            at,
            format!("-C does not compare {name} with '{with}'"),
            format!("another of {}", names.join(", ")),
        )),
    }
}

/// A field by its name, with what it can be tested for.
fn field(name: &str, at: Span) -> Parsed<(Field, Kind, Ops)> {
    if let Some(facts) = field::find(name) {
        return Ok((Field::Named(facts.name), facts.kind, facts.ops));
    }
    let inner = |prefix: &str| name.strip_prefix(prefix)?.strip_suffix(']');
    if let Some(number) = inner("argv[") {
        let Ok(argv) = number.parse() else {
            let message = format!("'{number}' is no number of an argument");
            return Err(Wrong::new(at, message, "a number from 0, such as argv[1]"));
        };
        return Ok((Field::Argument { argv }, Kind::Text, Ops::Text));
    }
    if let Some(variable) = inner("env[") {
        if variable.is_empty() || variable.contains('=') {
            let message = format!("'{variable}' is no name of a variable");
            return Err(Wrong::new(at, message, "a name, such as env[LD_PRELOAD]"));
        }
        let env = variable.into();
        return Ok((Field::Environment { env }, Kind::Text, Ops::Text));
    }
    if let Some(slot) = inner("label[") {
        let label = label(slot).ok_or_else(|| {
            let message = format!("'{slot}' is no slot of a class");
            Wrong::new(at, message, LABEL)
        })?;
        return Ok((Field::Label { label }, Kind::Unsigned, Ops::All));
    }
    if name == "label" {
        return Err(Wrong::new(at, "label of what?", LABEL));
    }
    let mut message = format!("there is no field '{name}'");
    if let Some(name) = similar(name, field::FIELDS.iter().map(|field| field.name)) {
        message += &format!("; is it '{name}'?");
    }
    let expected = "a field of auditctl(8), or argv[N], env[NAME] and what else KRSI adds";
    Err(Wrong::new(at, message, expected))
}

const LABEL: &str = "a class and a slot, such as label[inode.origin], \
                     or 1, 2, 4 or 8 bytes of it, such as label[inode.origin:8,4]";

/// `CLASS.SLOT` or `CLASS.SLOT:OFFSET,WIDTH`
fn label(text: &str) -> Option<Label> {
    let (name, part) = match text.split_once(':') {
        Some((name, part)) => {
            let (offset, width) = part.split_once(',')?;
            let (offset, width) = (decimal(offset)?, decimal(width)?);
            // What is not aligned is not read at once.
            let good = [1, 2, 4, 8].contains(&width) && offset % width == 0;
            (name, Some(good.then_some((offset, width))?))
        }
        None => (text, None),
    };
    let (class, slot) = name.split_once('.')?;
    let of_class = |c: char| c.is_ascii_lowercase() || c == '_';
    let of_slot = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    let good = !class.is_empty()
        && class.chars().all(of_class)
        && (1..=Name::MAX).contains(&slot.len())
        && slot.chars().all(of_slot);
    good.then(|| Label {
        class: class.into(),
        slot: slot.into(),
        part,
    })
}

/// Digits and nothing else, which `parse()` does not insist on.
fn decimal(text: &str) -> Option<u32> {
    let digits = text.chars().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

fn value(kind: Kind, name: &str, text: &str, at: Span) -> Parsed<Value> {
    let wrong = || {
        let message = format!("{name} has the value '{text}'");
        Wrong::new(at, message, kind.form())
    };
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_.-$".contains(c))
    };
    let value = match kind {
        Kind::Number => number(text).map(Value::Number),
        Kind::Unsigned => unsigned(text).map(Value::Unsigned),
        Kind::Id => match number(text) {
            Some(-1 | 0xffff_ffff) => Some(Value::Unset),
            Some(number) if number >= 0 => Some(Value::Number(number)),
            Some(_) => None,
            None if text == "unset" => Some(Value::Unset),
            None => is_name(text).then(|| Value::Name(text.into())),
        },
        Kind::Exit => number(text).map(Value::Number).or_else(|| {
            is_errno(text.strip_prefix('-').unwrap_or(text)).then(|| Value::Name(text.into()))
        }),
        Kind::Truth => match text {
            "0" | "no" => Some(Value::Number(0)),
            "1" | "yes" => Some(Value::Number(1)),
            _ => None,
        },
        Kind::Arch => is_name(text).then(|| Value::Name(text.into())),
        Kind::Permissions => return permissions(text, at).map(Value::Permissions),
        Kind::Path => return path(text, at).map(Value::Text),
        Kind::FileType => {
            let mut types = field::FILE_TYPES.iter();
            types
                .any(|(name, _)| *name == text)
                .then(|| Value::Name(text.into()))
        }
        Kind::NumberOrName => number(text)
            .map(Value::Number)
            .or_else(|| is_name(text).then(|| Value::Name(text.into()))),
        Kind::Text => Some(Value::Text(text.into())),
        Kind::Address => address(text).then(|| Value::Text(text.into())),
        Kind::Port => text
            .parse::<u16>()
            .ok()
            .map(|port| Value::Number(port.into())),
    };
    value.ok_or_else(wrong)
}

/// A number that fits 32 bits, with its sign or without; 0x and 0 as in C.
fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let number = i64::from(u32::try_from(unsigned(digits)?).ok()?);
    match negative {
        false => Some(number),
        true => (number <= 1 << 31).then_some(-number),
    }
}

/// A number of up to 64 bits; 0x and 0 as in C.
fn unsigned(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    // from_str_radix() takes a sign as well.
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

fn address(text: &str) -> bool {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= most))
}

fn permissions(text: &str, at: Span) -> Parsed<Permissions> {
    let mut permissions = Permissions::default();
    for letter in text.chars() {
        let which = match letter {
            'r' => &mut permissions.read,
            'w' => &mut permissions.write,
            'x' => &mut permissions.execute,
            'a' => &mut permissions.attributes,
            _ => {
                let message = format!("there is no permission '{letter}'");
                return Err(Wrong::new(at, message, Kind::Permissions.form()));
            }
        };
        *which = true;
    }
    if text.is_empty() {
        let message = "there is no permission";
        return Err(Wrong::new(at, message, Kind::Permissions.form()));
    }
    Ok(permissions)
}

fn path(text: &str, at: Span) -> Parsed<String> {
    let message = if !text.starts_with('/') {
        format!("'{text}' does not begin at the root")
    } else if text.len() >= PATH_MAX {
        "this path is too long".into()
    } else if text.split('/').any(|part| part == "..") {
        format!("'{text}' goes up with '..'")
    } else {
        return Ok(text.into());
    };
    Err(Wrong::new(at, message, Kind::Path.form()))
}

/// What a text begins with.
fn begins(kind: Kind, text: &str, at: Span) -> Parsed<String> {
    if text.len() > PREFIX_MAX {
        let expected = format!("at most {PREFIX_MAX} bytes, which is what programs compare");
        return Err(Wrong::new(at, "this beginning is too long", expected));
    }
    if kind == Kind::Path {
        return path(text, at);
    }
    Ok(text.into())
}

fn key(text: &str, at: Span) -> Parsed<String> {
    if text.is_empty() || text.len() > KEY_MAX {
        let expected = format!("a key of 1 to {KEY_MAX} bytes");
        return Err(Wrong::new(at, "this is no key", expected));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests;
