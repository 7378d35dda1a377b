// SPDX-License-Identifier: GPL-2.0

//! `krsi rule`: what auditctl does with the kernel's rules, done with the policy in force.

use super::{from_auditd, policy};
use crate::{
    cli,
    error::{Error, Exit, Result},
    rule::{
        self,
        ast::Statement,
        load::{sources, Store},
        lower::{lower, Source},
        system::Machine,
    },
    ui,
};

/// What errors call the rule of the command line.
const FILE: &str = "command line";

pub fn run(args: &cli::Rule) -> Result<Exit> {
    if args.from_auditd {
        return from_auditd::run(args);
    }
    let json = args.output.json;
    let text = text(&args.words);
    if let [option, file] = args.words.as_slice() {
        if option == "-R" {
            return policy::load(&cli::Load {
                files: vec![file.into()],
                output: cli::Output { json },
            });
        }
    }
    let mut lines = match rule::parse(FILE, &text) {
        Ok(lines) => lines,
        Err(errors) => return policy::refuse(&errors, json),
    };
    let Some(line) = lines.pop() else {
        return Err(Error::new("there is no rule").hint("krsi rule '-w /etc/passwd -p wa -k id'"));
    };
    match &line.statement {
        Statement::List { key } => {
            return policy::show(policy::in_force()?.as_ref(), key.as_deref(), json)
        }
        Statement::DeleteAll { key: None } => {
            return policy::unload(&cli::Unload {
                output: cli::Output { json },
            })
        }
        Statement::Setting { option, .. } => {
            return Err(
                Error::new(format!("{option} is a setting of the audit subsystem"))
                    .hint("auditctl sets it"),
            )
        }
        _ => {}
    }
    // The lock is held from here on, so that no other change is lost.
    let store = Store::open()?;
    let mut all = match store.in_force()? {
        Some(policy) => sources(&policy.description)?,
        None => Vec::new(),
    };
    all.push(Source {
        file: FILE.into(),
        line,
    });
    let lowered = match lower(all, &Machine) {
        Ok(lowered) => lowered,
        Err(errors) => return policy::refuse(&errors, json),
    };
    if lowered.policy.rules.is_empty() {
        store.clear()?;
    } else {
        store.replace(&lowered)?;
    }
    if json {
        return policy::show(store.in_force()?.as_ref(), None, json);
    }
    ui::print(&format!(
        "In force: {} rules.\n",
        lowered.policy.rules.len()
    ))?;
    Ok(Exit::Success)
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
}
