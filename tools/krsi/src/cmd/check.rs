// SPDX-License-Identifier: GPL-2.0

//! `krsi check`: whether rules are well formed, without a kernel.

use crate::{
    cli,
    error::{Error, Exit, Result},
    rule::{self, Line, SyntaxError},
    ui,
};
use serde::Serialize;
use std::{fmt::Write as _, fs, io};

#[derive(Serialize)]
struct Report {
    files: Vec<File>,
    errors: Vec<SyntaxError>,
}

#[derive(Serialize)]
struct File {
    file: String,
    /// Null if the file has errors.
    statements: Option<Vec<Line>>,
}

pub fn run(args: &cli::Check) -> Result<Exit> {
    let mut report = Report {
        files: Vec::new(),
        errors: Vec::new(),
    };
    for path in &args.files {
        let text = if path.as_os_str() == "-" {
            io::read_to_string(io::stdin())
        } else {
            fs::read_to_string(path)
        };
        let text = text.map_err(|error| Error::read(path, &error))?;
        let file = path.to_string_lossy().into_owned();
        let statements = match rule::parse(&file, &text) {
            Ok(statements) => Some(statements),
            Err(errors) => {
                report.errors.extend(errors);
                None
            }
        };
        report.files.push(File { file, statements });
    }
    if args.output.json {
        ui::json::print(&report)?;
    } else {
        ui::print(&text(&report))?;
    }
    Ok(if report.errors.is_empty() {
        Exit::Success
    } else {
        Exit::Error
    })
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for error in &report.errors {
        for line in error.to_string().lines() {
            let _ = writeln!(text, "{}", ui::clean(line));
        }
        text.push('\n');
    }
    for File { file, statements } in &report.files {
        let file = ui::clean(file);
        let _ = match statements {
            Some(statements) => writeln!(
                text,
                "{file}: well formed; statements: {}",
                statements.len()
            ),
            None => {
                let errors = report.errors.iter().filter(|error| error.file == *file);
                writeln!(text, "{file}: not well formed; errors: {}", errors.count())
            }
        };
    }
    text
}
