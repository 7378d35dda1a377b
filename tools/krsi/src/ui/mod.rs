// SPDX-License-Identifier: GPL-2.0

//! What the user sees.

pub mod json;
pub mod screen;
pub mod table;

use std::{
    env,
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
};

/// Writes `text` to stdout, all of it.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A thing that the user should know although the command goes on.
pub fn warn(text: &str) {
    eprintln!("krsi: warning: {}", clean(text));
}

/// Whether stdout may have colours: only a terminal, and see no-color.org.
pub fn colours() -> bool {
    io::stdout().is_terminal()
        && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// `text` without anything that a terminal obeys: paths and names of processes are others' text.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            let _ = write!(clean, "{}", c.escape_default());
        } else {
            clean.push(c);
        }
    }
    clean
}

/// Nanoseconds in the unit that reads best.
pub fn nanoseconds(ns: u64) -> String {
    match ns {
        0..10_000 => format!("{ns} ns"),
        10_000..10_000_000 => format!("{} us", ns / 1_000),
        10_000_000..10_000_000_000 => format!("{} ms", ns / 1_000_000),
        _ => format!("{} s", ns / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_not_obeyed() {
        assert_eq!(clean("a\x1b[31mb\nc\u{9b}d"), "a\\u{1b}[31mb\\nc\\u{9b}d");
        assert_eq!(clean("/sys/fs/bpf/größe"), "/sys/fs/bpf/größe");
    }

    #[test]
    fn units() {
        assert_eq!(nanoseconds(0), "0 ns");
        assert_eq!(nanoseconds(9_999), "9999 ns");
        assert_eq!(nanoseconds(10_000), "10 us");
        assert_eq!(nanoseconds(12_345_678), "12 ms");
        assert_eq!(nanoseconds(99_000_000_000), "99 s");
    }
}
