// SPDX-License-Identifier: GPL-2.0

//! The verbs: each collects what the kernel tells and shows it.

mod blobs;
mod check;
mod diff;
mod exec;
mod from_auditd;
mod generate;
mod hooks;
mod policy;
mod programs;
mod rule;
mod rules_page;
mod status;
mod top;

use crate::{
    cli::Command,
    error::{Error, Exit, Result},
};
use glob::Pattern;

/// Does what the user asked for.
pub fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Status(args) => return status::run(&args),
        Command::Hooks(args) => hooks::run(&args)?,
        Command::Programs(args) => programs::run(&args)?,
        Command::Top(args) => top::run(&args)?,
        Command::Exec(args) => return exec::run(&args),
        Command::Blobs(args) => blobs::run(&args)?,
        Command::Check(args) => return check::run(&args),
        Command::Rule(args) => return rule::run(&args),
        Command::Load(args) => return policy::load(&args),
        Command::Confirm(args) => return policy::confirm(&args),
        Command::Unload(args) => return policy::unload(&args),
        Command::List(args) => return policy::list(&args),
        Command::Diff(args) => return diff::run(&args),
        Command::Completions { shell } => generate::completions(shell)?,
        Command::Man { dir } => generate::man(&dir)?,
    }
    Ok(Exit::Success)
}

/// Whether one of `patterns` matches `name`; none at all match everything.
fn selected(patterns: &[Pattern], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(name))
}

/// A pattern that matches no hook is a mistake, and an empty list would hide it.
fn check_patterns<'a>(
    patterns: &[Pattern],
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result {
    for pattern in patterns {
        if !names.clone().any(|name| pattern.matches(name)) {
            return Err(Error::new(format!("this kernel has no hook '{pattern}'"))
                .hint("krsi hooks lists the hooks; patterns have '*', as in 'inode_*'"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts
            .iter()
            .map(|text| Pattern::new(text).unwrap())
            .collect()
    }

    #[test]
    fn selection() {
        assert!(selected(&[], "file_open"));
        assert!(selected(&patterns(&["inode_*", "file_open"]), "file_open"));
        assert!(!selected(&patterns(&["file"]), "file_open"));
    }

    #[test]
    fn patterns_that_match_nothing() {
        let names = ["file_open", "inode_link"];
        assert!(check_patterns(&patterns(&["file_*"]), names.into_iter()).is_ok());
        let error = check_patterns(&patterns(&["file_*", "fil"]), names.into_iter()).unwrap_err();
        assert_eq!(error.message(), "this kernel has no hook 'fil'");
    }
}
