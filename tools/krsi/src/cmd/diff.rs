// SPDX-License-Identifier: GPL-2.0

//! `krsi diff`: compares the loaded rules with those of files.

use super::policy::{self, Compiled};
use crate::{
    cli,
    error::{Error, Exit, Result},
    rule::load::InForce,
    ui,
};
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf};

/// The differences between the loaded rules and those of files.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Rules of the files that are not loaded, as they are written.
    missing: Vec<String>,
    /// Loaded rules that no file has.
    extra: Vec<String>,
    /// Whether only the order differs, in which rules decide.
    reordered: bool,
    /// Hooks that no longer run the policy.
    damaged: Vec<String>,
}

/// Removes those of `texts` from `count` whose count has this sign, and returns them.
fn take<'a>(texts: &[&'a str], count: &mut BTreeMap<&'a str, i64>, sign: i64) -> Vec<String> {
    let mut found = Vec::new();
    for text in texts {
        let left = count.entry(text).or_default();
        if *left * sign > 0 {
            *left -= sign;
            found.push((*text).into());
        }
    }
    found
}

impl Difference {
    fn between(expected: &[&str], in_force: &[&str]) -> Self {
        let mut count: BTreeMap<&str, i64> = BTreeMap::new();
        for text in expected {
            *count.entry(text).or_default() += 1;
        }
        for text in in_force {
            *count.entry(text).or_default() -= 1;
        }
        let missing = take(expected, &mut count, 1);
        let extra = take(in_force, &mut count, -1);
        Self {
            reordered: missing.is_empty() && extra.is_empty() && expected != in_force,
            missing,
            extra,
            damaged: Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The differences in one line.
    pub fn summary(&self) -> String {
        let mut parts = Vec::new();
        if !self.missing.is_empty() {
            parts.push(format!("missing rules: {}", self.missing.len()));
        }
        if !self.extra.is_empty() {
            parts.push(format!("rules that no file has: {}", self.extra.len()));
        }
        if self.reordered {
            parts.push("the order differs".into());
        }
        if !self.damaged.is_empty() {
            let hooks = self.damaged.join(", ");
            parts.push(format!("hooks that no longer run the policy: {hooks}"));
        }
        parts.join(", ")
    }

    fn text(&self) -> String {
        if self.is_empty() {
            return "The loaded rules are those of the files.\n".into();
        }
        let missing = self.missing.iter().map(|text| ('-', text));
        let extra = self.extra.iter().map(|text| ('+', text));
        let lines = missing.chain(extra);
        let mut shown: Vec<String> = lines
            .map(|(sign, text)| format!("{sign} {}\n", ui::clean(text)))
            .collect();
        shown.push(format!("The loaded rules differ: {}.\n", self.summary()));
        shown.concat()
    }
}

/// Compares the loaded rules with those of files. Fails if a file has errors.
pub fn of(files: &[PathBuf], policy: Option<&InForce>) -> Result<Difference> {
    let Compiled { lowered, .. } = policy::compile(files)?.map_err(|errors| {
        let error = &errors[0];
        Error::new(format!("{}:{}: {}", error.file, error.line, error.message))
            .hint("krsi check shows all errors")
    })?;
    let expected: Vec<&str> = lowered
        .policy
        .rules
        .iter()
        .map(|rule| &*rule.text)
        .collect();
    let rules = policy.map_or(&[][..], |policy| &policy.description.rules);
    let in_force: Vec<&str> = rules.iter().map(|rule| &*rule.text).collect();
    let mut difference = Difference::between(&expected, &in_force);
    difference.damaged = policy.map_or(Vec::new(), |policy| policy.damaged.clone());
    Ok(difference)
}

pub fn run(args: &cli::Diff) -> Result<Exit> {
    crate::rule::load::require_active()?;
    let difference = of(&args.files, policy::in_force()?.as_ref())?;
    if args.output.json {
        ui::json::print(&difference)?;
    } else {
        ui::print(&difference.text())?;
    }
    Ok(if difference.is_empty() {
        Exit::Success
    } else {
        Exit::NotEnforcing
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_compared_as_they_decide() {
        let between = Difference::between;
        assert!(between(&["a", "b", "a"], &["a", "b", "a"]).is_empty());
        assert!(between(&[], &[]).is_empty());
        let reordered = between(&["a", "b"], &["b", "a"]);
        assert_eq!(reordered.summary(), "the order differs");
        let twice = between(&["a", "a", "b"], &["a", "c"]);
        assert_eq!(twice.missing, ["a", "b"]);
        assert_eq!(twice.extra, ["c"]);
        assert!(!twice.reordered);
        assert_eq!(
            twice.text(),
            "- a\n- b\n+ c\nThe loaded rules differ: missing rules: 2, rules that no file has: 1.\n"
        );
    }
}
