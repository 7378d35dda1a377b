// SPDX-License-Identifier: GPL-2.0

//! `krsi rule --from-auditd`: what becomes of the rules that a machine has for auditd.

use super::policy::{files, read};
use crate::{
    cli,
    error::{Error, Exit, Result},
    rule::{
        self,
        ast::{Condition, Field, Statement},
        lower::{lower, Source},
        notes::by_exec,
        system::Machine,
    },
    ui,
};
use serde::Serialize;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

/// Where auditd's rules are if auditctl does not tell.
const RULES: &str = "/etc/audit/rules.d";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Class {
    AsItIs,
    Better,
    /// What permissions refuse is not seen, which may be what the rule is for.
    SeesLess,
    Stays,
}

#[derive(Serialize)]
struct Classified {
    file: String,
    line: usize,
    rule: String,
    class: Class,
    why: String,
}

#[derive(Serialize)]
struct Report {
    rules: Vec<Classified>,
}

pub fn run(args: &cli::Rule) -> Result<Exit> {
    let mut report = Report { rules: Vec::new() };
    for (file, text) in texts(args)? {
        for (number, line) in (1..).zip(text.lines()) {
            if let Some((class, why)) = classify(&file, line) {
                report.rules.push(Classified {
                    file: file.clone(),
                    line: number,
                    rule: line.trim().into(),
                    class,
                    why,
                });
            }
        }
    }
    if args.output.json {
        ui::json::print(&report)?;
    } else {
        ui::print(&report.text())?;
    }
    Ok(Exit::Success)
}

/// The rules: of the files that are named, else those in the kernel, else those that will be.
fn texts(args: &cli::Rule) -> Result<Vec<(String, String)>> {
    let mut paths: Vec<PathBuf> = args.words.iter().map(PathBuf::from).collect();
    if paths.is_empty() {
        let listed = Command::new("auditctl").arg("-l").output();
        if let Some(output) = listed.ok().filter(|output| output.status.success()) {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            if text.lines().any(|line| line.starts_with('-')) {
                return Ok(vec![("auditctl -l".into(), text)]);
            }
        }
        if !Path::new(RULES).is_dir() {
            return Err(Error::new("there are no rules of auditd").hint(format!(
                "neither auditctl -l nor {RULES} has some; name a file"
            )));
        }
        paths.push(RULES.into());
    }
    let texts = files(&paths)?
        .into_iter()
        .map(|path| Ok((path.to_string_lossy().into_owned(), read(&path)?)));
    texts.collect()
}

/// What becomes of a line, and why; none if it is no rule.
fn classify(file: &str, line: &str) -> Option<(Class, String)> {
    // What auditctl prints if there is none.
    if line.trim() == "No rules" {
        return None;
    }
    let lines = match rule::parse(file, line) {
        Ok(lines) => lines,
        Err(errors) => return Some((Class::Stays, errors.first()?.message.clone())),
    };
    let statement = lines.first()?;
    match &statement.statement {
        Statement::DeleteAll { .. } | Statement::List { .. } => return None,
        Statement::Setting { option, .. } => {
            return Some((
                Class::Stays,
                format!("{option} is a setting of the audit subsystem"),
            ))
        }
        Statement::Rule { .. } | Statement::Watch { .. } => {}
    }
    let source = Source {
        file: file.into(),
        line: statement.clone(),
    };
    if let Some(why) = by_exec(&source) {
        return Some((Class::Stays, why.into()));
    }
    let lowered = match lower(vec![source], &Machine::new()) {
        Ok(lowered) => lowered,
        Err(errors) => {
            let error = errors.first()?;
            let why = format!("{}; {}", error.message, error.expected);
            return Some((Class::Stays, why));
        }
    };
    let hooks = lowered.policy.hooks();
    let sees_less = hooks.iter().any(|hook| hook.comes_after_permissions());
    let mut better = Vec::new();
    let names = |field: &Field| matches!(field, Field::Named("path" | "dir" | "exe"));
    let by_name = match &statement.statement {
        Statement::Watch { .. } => true,
        Statement::Rule { rule, .. } => {
            if !rule.syscalls.is_empty() {
                better.push("it is about io_uring's operations too");
            }
            rule.conditions
                .iter()
                .any(|condition| matches!(condition, Condition::Test { field, .. } if names(field)))
        }
        _ => false,
    };
    if by_name {
        better.push("names stay held when their files are replaced or made later");
    }
    if sees_less {
        better.insert(
            0,
            "attempts that permissions or capabilities refuse are not recorded",
        );
        return Some((Class::SeesLess, better.join("; ")));
    }
    Some(if better.is_empty() {
        (Class::AsItIs, "the same calls are recorded".into())
    } else {
        (Class::Better, better.join("; "))
    })
}

impl Report {
    fn text(&self) -> String {
        let mut text = String::new();
        let classes = [
            (Class::AsItIs, "These run as they are:"),
            (Class::Better, "These run better:"),
            (
                Class::SeesLess,
                "These run, but see no attempts that permissions refuse; auditd does:",
            ),
            (Class::Stays, "These stay with auditd:"),
        ];
        for (class, head) in classes {
            let rules: Vec<_> = self
                .rules
                .iter()
                .filter(|rule| rule.class == class)
                .collect();
            if rules.is_empty() {
                continue;
            }
            let _ = writeln!(text, "{head}");
            for rule in rules {
                let _ = writeln!(
                    text,
                    "  {}:{}: {}\n    {}",
                    ui::clean(&rule.file),
                    rule.line,
                    ui::clean(&rule.rule),
                    ui::clean(&rule.why)
                );
            }
            text.push('\n');
        }
        if text.is_empty() {
            text = "There are no rules.\n".into();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(line: &str) -> Option<Class> {
        classify("rules", line).map(|(class, _)| class)
    }

    #[test]
    fn rules_are_told_apart() {
        assert_eq!(class("-w /etc/passwd -p wa -k id"), Some(Class::SeesLess));
        assert_eq!(
            class("-a always,exit -S sethostname"),
            Some(Class::SeesLess)
        );
        assert_eq!(class("-a always,exit -S connect"), Some(Class::Better));
        assert_eq!(
            class("-a always,exit -F raddr=10.0.0.1 -F uid=0"),
            Some(Class::AsItIs)
        );
        assert_eq!(
            class("-a always,exit -S openat -F exit=-EACCES"),
            Some(Class::Stays)
        );
        assert_eq!(class("-a never,exclude -F msgtype=CWD"), Some(Class::Stays));
        assert_eq!(
            class("-a always,exit -S execve -C uid!=euid -F euid=0"),
            Some(Class::Stays)
        );
        assert_eq!(
            class("-a always,exit -S execve -F uid=0"),
            Some(Class::SeesLess)
        );
        assert_eq!(class("-b 8192"), Some(Class::Stays));
        assert_eq!(class("-a nonsense"), Some(Class::Stays));
        assert_eq!(class("-D"), None);
        assert_eq!(class("# a comment"), None);
        assert_eq!(class("No rules"), None);
    }
}
