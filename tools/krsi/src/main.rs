// SPDX-License-Identifier: GPL-2.0

//! `krsi`: shows what KRSI, the LSM whose decisions are BPF programs, enforces.
//!
//! - `cli`: the command line;
//! - `cmd`: a file for each verb: what it collects and how it shows that;
//! - `rule`: the language of rules, so far its syntax;
//! - `exec`: what is executed, from the programs of `krsi exec`;
//! - `kernel`: where it is collected: securityfs, bpf(2), BTF, procfs;
//! - `ui`: tables, JSON, the terminal.

mod cli;
mod cmd;
mod error;
mod exec;
mod kernel;
mod rule;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::of_arguments();
    let json = cli.command.json();

    // What libbpf would print is in the errors that it returns.
    libbpf_rs::set_print(None);

    match cmd::run(cli.command) {
        Ok(exit) => exit.into(),
        Err(error) => error.report(json).into(),
    }
}
