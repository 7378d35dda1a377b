// SPDX-License-Identifier: GPL-2.0

//! What is wrong with a rule, where, and what was expected.

use serde::Serialize;
use std::fmt;

/// A part of a line, in characters from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub column: usize,
    pub width: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SyntaxError {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub message: String,
    /// The form that is accepted.
    pub expected: String,
    /// The line, and how much of it is meant.
    #[serde(skip)]
    pub text: String,
    #[serde(skip)]
    pub width: usize,
}

/// For people: the place, the line with the part marked, and the form that is expected.
impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file, line, column, ..
        } = self;
        // One column for each character, so that the mark is beneath what it means.
        let shown: String = self
            .text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        writeln!(f, "{file}:{line}:{column}: {}", self.message)?;
        writeln!(f, "  {shown}")?;
        let (before, mark) = (self.column - 1, "^".repeat(self.width.max(1)));
        writeln!(f, "  {:before$}{mark}", "")?;
        write!(f, "  expected {}", self.expected)
    }
}

/// An error of a line, before it is known which line that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub span: Span,
    pub message: String,
    pub expected: String,
    /// Which code says so, for tests that want all of it to have been heard.
    #[cfg(test)]
    pub by: &'static std::panic::Location<'static>,
}

impl Wrong {
    #[cfg_attr(test, track_caller)]
    pub fn new(span: Span, message: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            expected: expected.into(),
            #[cfg(test)]
            by: std::panic::Location::caller(),
        }
    }
}

/// What a rule names and this machine has not, before it is known where that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub message: String,
    pub expected: String,
}

impl Missing {
    pub fn new(message: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            expected: expected.into(),
        }
    }

    pub fn at(self, span: Span) -> Wrong {
        Wrong::new(span, self.message, self.expected)
    }
}

/// The one of `names` that `wrong` was probably meant to be.
pub fn similar<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let close = names.map(|name| (distance(wrong, name), name));
    let (distance, name) = close.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + name.len() / 5).then_some(name)
}

/// How many characters have to be added, removed, replaced or swapped with the next one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let differ = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + differ);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("pth", "path"), 1);
        assert_eq!(distance("exti", "exit"), 1);
        assert_eq!(distance("uid", "gid"), 1);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn suggestions() {
        let names = || ["path", "dir", "exit", "success"].into_iter();
        assert_eq!(similar("pth", names()), Some("path"));
        assert_eq!(similar("exitt", names()), Some("exit"));
        assert_eq!(similar("frobnicate", names()), None);
    }

    #[test]
    fn the_mark_is_beneath_the_part() {
        let error = SyntaxError {
            file: "rules".into(),
            line: 3,
            column: 4,
            message: "it is wrong".into(),
            expected: "a number".into(),
            text: "-b\tmany".into(),
            width: 4,
        };
        let shown = "rules:3:4: it is wrong\n  -b many\n     ^^^^\n  expected a number";
        assert_eq!(error.to_string(), shown);
    }
}
