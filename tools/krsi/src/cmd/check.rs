// SPDX-License-Identifier: GPL-2.0

//! `krsi check`: whether rules are good, and what they decide about events, without a kernel.

use super::policy::{files, read};
use crate::{
    cli,
    error::{Error, Exit, Result},
    rule::{
        self, auditd,
        elsewhere::Elsewhere,
        emit::{emit, Anywhere},
        eval::{eval, Decision, Event},
        lower::{lower_most, Lowered, Source},
        plan::plan,
        recorded,
        system::Machine,
        Line, SyntaxError,
    },
    ui,
};
use serde::Serialize;
use std::fmt::Write as _;

#[derive(Serialize)]
struct Report {
    files: Vec<File>,
    errors: Vec<SyntaxError>,
    /// What was passed over.
    notes: Vec<String>,
    /// Null if only the syntax was checked, or there are errors.
    rules: Option<usize>,
    hooks: Option<Vec<&'static str>>,
    events: Vec<Checked>,
}

#[derive(Serialize)]
struct File {
    file: String,
    /// Null if the file has errors.
    statements: Option<Vec<Line>>,
}

#[derive(Serialize)]
struct Checked {
    event: Event,
    /// One for each hook that is asked; null if the event does not say enough.
    decisions: Option<Vec<Decision>>,
    lacks: Option<String>,
}

pub fn run(args: &cli::Check) -> Result<Exit> {
    let mut report = Report {
        files: Vec::new(),
        errors: Vec::new(),
        notes: Vec::new(),
        rules: None,
        hooks: None,
        events: Vec::new(),
    };
    let system = Elsewhere {
        machine: Machine::offline(&args.source.securityfs),
        users: args.passwd.as_deref().map(read).transpose()?,
        groups: args.group.as_deref().map(read).transpose()?,
        cgroups: args.cgroup.clone(),
    };
    let mut sources = Vec::new();
    for path in files(&args.files)? {
        let text = read(&path)?;
        let file = path.to_string_lossy().into_owned();
        let (statements, errors) = rule::parse_most(&file, &text);
        sources.extend(statements.iter().map(|line| Source {
            file: file.clone(),
            line: line.clone(),
        }));
        let statements = errors.is_empty().then_some(statements);
        report.errors.extend(errors);
        report.files.push(File { file, statements });
    }
    let mut lowered = None;
    if !args.parse_only {
        let (good, errors) = lower_most(sources, &system);
        report.errors.extend(errors);
        report
            .errors
            .sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
        if report.errors.is_empty() {
            lowered = Some(good);
        }
    }
    if let Some(error) = lowered.as_ref().and_then(compile) {
        report.errors.push(error);
        lowered = None;
    }
    if let Some(lowered) = &mut lowered {
        report.notes = std::mem::take(&mut lowered.notes);
        report.rules = Some(lowered.policy.rules.len());
        report.hooks = Some(
            lowered
                .policy
                .hooks()
                .iter()
                .map(|hook| hook.name)
                .collect(),
        );
        for event in events(args, &system, &mut report.notes)? {
            let decided = eval(&lowered.policy, &event, &system);
            let (decisions, lacks) = match decided {
                Ok(decisions) => (Some(decisions), None),
                Err(lacks) => (None, Some(lacks)),
            };
            report.events.push(Checked {
                event,
                decisions,
                lacks,
            });
        }
    }
    if args.output.json {
        ui::json::print(&report)?;
    } else {
        ui::print(&text(&report, lowered.as_ref()))?;
    }
    let lacks = report.events.iter().any(|event| event.lacks.is_some());
    Ok(if report.errors.is_empty() && !lacks {
        Exit::Success
    } else {
        Exit::Error
    })
}

/// Why no programs can be made of the rules, as those of a kernel that has all that they need.
fn compile(lowered: &Lowered) -> Option<SyntaxError> {
    let policy = &lowered.policy;
    let failed = emit(policy, &plan(policy), &Anywhere { audit: true }).err()?;
    let rule = &policy.rules[failed.rule as usize];
    Some(SyntaxError {
        file: rule.file.clone(),
        line: rule.line,
        column: 1,
        message: failed.why,
        expected: "rules for fewer hooks, or fewer that differ in more than a value".into(),
        text: rule.text.clone(),
        width: rule.text.chars().count(),
    })
}

/// The events of the command line and of the files.
fn events(args: &cli::Check, system: &Elsewhere, notes: &mut Vec<String>) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for text in &args.event {
        events.extend(event("--event", text, system)?);
    }
    for path in &args.events {
        let text = read(path)?;
        let file = path.display();
        if auditd::is_log(&text) {
            let log = auditd::read(&text, system)
                .map_err(|line| Error::new(format!("{file}:{line} is no record of audit")))?;
            if log.others > 0 {
                let others = log.others;
                notes.push(format!(
                    "{file}: passed over events that are no system calls of x86: {others}"
                ));
            }
            events.extend(log.events);
            continue;
        }
        for (number, line) in (1..).zip(text.lines()) {
            if !line.trim().is_empty() {
                events.extend(event(&format!("{file}:{number}"), line, system)?);
            }
        }
    }
    Ok(events)
}

/// An event, as it is written for this command or by `krsi exec --json`, of which there are lines
/// that are none.
fn event(place: &str, text: &str, system: &Elsewhere) -> Result<Option<Event>> {
    let read = || {
        let object: serde_json::Value = serde_json::from_str(text)?;
        match recorded::event(&object, system) {
            None if recorded::is_remark(&object) => Ok(None),
            // From the text, so that errors have their place.
            None => serde_json::from_str(text).map(Some),
            event => Ok(event),
        }
    };
    read().map_err(|error| {
        Error::new(format!("{place} is no event: {error}"))
            .hint(r#"for example {"syscall":"openat","path":"/etc/passwd","perm":"w","uid":0}"#)
    })
}

fn text(report: &Report, lowered: Option<&Lowered>) -> String {
    let mut text = String::new();
    for error in &report.errors {
        for line in error.to_string().lines() {
            let _ = writeln!(text, "{}", ui::clean(line));
        }
        text.push('\n');
    }
    for note in &report.notes {
        let _ = writeln!(text, "{}", ui::clean(note));
    }
    for File { file, statements } in &report.files {
        let errors = report.errors.iter().filter(|error| error.file == *file);
        let errors = errors.count();
        let file = ui::clean(file);
        let _ = match statements {
            Some(statements) if errors == 0 => writeln!(
                text,
                "{file}: well formed; statements: {}",
                statements.len()
            ),
            Some(_) => writeln!(text, "{file}: cannot be loaded; errors: {errors}"),
            None => writeln!(text, "{file}: not well formed; errors: {errors}"),
        };
    }
    if let (Some(rules), Some(hooks)) = (report.rules, &report.hooks) {
        let _ = writeln!(text, "rules: {rules}; hooks: {}", hooks.join(" "));
    }
    for checked in &report.events {
        let event = serde_json::to_string(&checked.event).unwrap_or_default();
        let _ = writeln!(text, "\n{}", ui::clean(&event));
        if let Some(lacks) = &checked.lacks {
            let _ = writeln!(text, "  cannot be told: {}", ui::clean(lacks));
        }
        for decision in checked.decisions.iter().flatten() {
            let rule = decision.rule.and_then(|number| {
                let rules = &lowered?.policy.rules;
                Some((number, rules.get(number - 1)?))
            });
            let _ = match rule {
                Some((number, rule)) => writeln!(
                    text,
                    "  {}: {} by rule {number}, {}:{}: {}",
                    decision.hook,
                    rule::load::action_name(rule.action),
                    ui::clean(&rule.file),
                    rule.line,
                    ui::clean(&rule.text)
                ),
                None => writeln!(text, "  {}: no rule decides", decision.hook),
            };
            for reason in &decision.reasons {
                let sign = if reason.matches {
                    "matches"
                } else {
                    "does not"
                };
                let _ = writeln!(
                    text,
                    "    rule {} {sign}: {}",
                    reason.rule,
                    ui::clean(&reason.why)
                );
            }
        }
    }
    text
}
