// SPDX-License-Identifier: GPL-2.0

//! How a command ends, and what it says when it cannot do its work.

use crate::ui;
use serde_json::json;
use std::{io, path::Path, process::ExitCode};

/// The status of the process. Scripts rely on the numbers: they never change meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was done; for `status`: KRSI is active and enforces.
    Success = 0,
    /// It could not be done, or not be found out.
    Error = 1,
    // 2 is a wrong command line, which clap reports.
    /// KRSI is not active on this machine.
    Inactive = 3,
    /// KRSI is active, but a program that it runs did not get its verdict.
    NotEnforcing = 4,
    /// The kernel refused what this command made: a bug of this command.
    Bug = 5,
    /// It was done, but some of what happened was lost.
    Lost = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// What went wrong, and what the user can do about it.
#[derive(Debug)]
pub struct Error {
    exit: Exit,
    message: String,
    hint: Option<String>,
    /// Nobody reads the output any more: nothing to complain about.
    quiet: bool,
}

pub type Result<T = ()> = std::result::Result<T, Error>;

impl Error {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Error,
            message: message.into(),
            hint: None,
            quiet: false,
        }
    }

    /// `action` ("list programs") failed with `error`.
    pub fn os(action: &str, error: &io::Error) -> Self {
        let new = Self::new(format!("cannot {action}: {error}"));
        if error.kind() == io::ErrorKind::PermissionDenied {
            return new.hint("run it as root");
        }
        new
    }

    /// The file at `path` could not be read.
    pub fn read(path: &Path, error: &io::Error) -> Self {
        Self::os(&format!("read {}", path.display()), error)
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    pub fn exit_status(&self) -> Exit {
        self.exit
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Tells programs.
    pub fn print_json(&self) {
        let error = json!({ "schema": ui::json::SCHEMA, "error": {
            "message": self.message, "hint": self.hint,
        }});
        // The status tells too; there is nobody to tell that this failed.
        let _ = ui::print(&format!("{error:#}\n"));
    }

    /// Tells the user, and returns how to end.
    pub fn report(&self, json: bool) -> Exit {
        if self.quiet {
            return self.exit;
        }
        if json {
            self.print_json();
        }
        eprintln!("krsi: {}", ui::clean(&self.message));
        if let Some(hint) = &self.hint {
            eprintln!("  {}", ui::clean(hint));
        }
        self.exit
    }
}

/// Failures to write the output.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self {
            quiet: error.kind() == io::ErrorKind::BrokenPipe,
            ..Self::new(format!("cannot write the output: {error}"))
        }
    }
}
