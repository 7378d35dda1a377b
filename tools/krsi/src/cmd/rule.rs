// SPDX-License-Identifier: GPL-2.0

//! `krsi rule`: what auditctl does with the kernel's rules, done with the policy in force.

use super::{from_auditd, policy};
use crate::{
    cli,
    error::{Error, Exit, Result},
    rule::{
        self,
        ast::Statement,
        load::{require_active, sources, Store},
        lower::{lower, Source},
        system::Machine,
    },
    ui,
};
use std::path::PathBuf;

/// What errors call the rule of the command line.
const FILE: &str = "command line";

pub fn run(args: &cli::Rule) -> Result<Exit> {
    if args.from_auditd {
        return from_auditd::run(args);
    }
    require_active()?;
    let json = args.output.json;
    let text = text(&args.words);
    if let Some(file) = file(&text, &args.words)? {
        return policy::load(&cli::Load {
            dry_run: false,
            confirm: None,
            files: vec![file],
            output: cli::Output { json },
        });
    }
    let lines = match rule::parse(FILE, &text) {
        Ok(lines) => lines,
        Err(errors) => return policy::refuse(&errors, json),
    };
    match lines.as_slice() {
        [] => {
            return Err(
                Error::new("there is no rule").hint("krsi rule '-w /etc/passwd -p wa -k id'")
            )
        }
        [line] => match &line.statement {
            Statement::List { key } => {
                return policy::show(policy::in_force()?.as_ref(), key.as_deref(), &[], json)
            }
            Statement::DeleteAll { key: None } => {
                return policy::unload(&cli::Unload {
                    output: cli::Output { json },
                })
            }
            _ => {}
        },
        _ => {}
    }
    for line in &lines {
        if let Statement::Setting { option, .. } = &line.statement {
            return Err(
                Error::new(format!("{option} is a setting of the audit subsystem"))
                    .hint("auditctl sets it"),
            );
        }
    }
    let new = lines.into_iter().map(|line| Source {
        file: FILE.into(),
        line,
    });
    // The lock is held from here on, so that no other change is lost.
    let store = Store::open()?;
    let mut all = match store.in_force()? {
        Some(policy) => match policy.unconfirmed() {
            // Only a confirmed policy may be edited.
            Some(unconfirmed) => return Err(Error::new(unconfirmed)),
            None => sources(&policy.description)?,
        },
        None => Vec::new(),
    };
    let before = lower(all.clone(), &Machine::new()).map(|lowered| lowered.notes);
    let mut before = before.unwrap_or_default();
    all.extend(new);
    let lowered = match lower(all, &Machine::new()) {
        Ok(lowered) => lowered,
        Err(errors) => return policy::refuse(&errors, json),
    };
    let mut notes = lowered.notes.clone();
    notes.retain(|note| match before.iter().position(|other| other == note) {
        Some(at) => {
            before.swap_remove(at);
            false
        }
        None => true,
    });
    if lowered.policy.rules.is_empty() {
        store.clear()?;
    } else {
        store.replace(&lowered, None)?;
    }
    if json {
        return policy::show(store.in_force()?.as_ref(), None, &notes, json);
    }
    notes.iter().for_each(|note| ui::warn(note));
    ui::print(&format!(
        "In force: {} rules.\n",
        lowered.policy.rules.len()
    ))?;
    Ok(Exit::Success)
}

/// The file of -R, which is an option of the command line, and of no file.
fn file(text: &str, words: &[String]) -> Result<Option<PathBuf>> {
    let mut parts = text.split_whitespace();
    if parts.next() != Some("-R") {
        return Ok(None);
    }
    let wrong = || Error::new("-R takes a file, and nothing else goes with it");
    let file = match words {
        [_, file] => Some(file.as_str()),
        [_] => parts.next().filter(|_| parts.next().is_none()),
        _ => None,
    };
    let file = file.ok_or_else(|| wrong().hint("krsi rule -R /etc/krsi/site.rules"))?;
    Ok(Some(file.into()))
}

/// The words of a command line as a line of a file. One word alone is the line.
fn text(words: &[String]) -> String {
    if let [line] = words {
        return line.clone();
    }
    let quoted = words.iter().map(|word| {
        let special = |c: char| c.is_whitespace() || "'\"\\#".contains(c);
        let chars = word.chars().flat_map(|c| {
            let escape = special(c).then_some('\\');
            escape.into_iter().chain([c])
        });
        chars.collect::<String>()
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_words() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).into()).collect::<Vec<_>>();
        assert_eq!(text(&words(&["-w /etc -k a"])), "-w /etc -k a");
        assert_eq!(text(&words(&["-w", "/a b", "-k", "x"])), "-w /a\\ b -k x");
    }

    #[test]
    fn a_file_is_alone() {
        let file = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).into()).collect();
            file(&text(&words), &words).map_err(|error| error.message().to_string())
        };
        assert_eq!(file(&["-R", "/a b"]), Ok(Some("/a b".into())));
        assert_eq!(file(&["-R /a"]), Ok(Some("/a".into())));
        assert_eq!(file(&["-w", "/a"]), Ok(None));
        for wrong in [
            &["-R"][..],
            &["-R /a /b"],
            &["-R", "/a", "/b"],
            &["-R", "/a", "-i"],
        ] {
            assert!(file(wrong).is_err(), "{wrong:?}");
        }
    }
}
