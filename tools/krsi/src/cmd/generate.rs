// SPDX-License-Identifier: GPL-2.0

//! `krsi completions` and `krsi man`: what is made from the command line's definition.

use super::rules_page;
use crate::{
    cli::Cli,
    error::{Error, Result},
    ui,
};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use std::{fs, io, path::Path};

pub fn completions(shell: Shell) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "krsi", &mut script);
    Ok(ui::print(&String::from_utf8_lossy(&script))?)
}

/// Writes krsi.8, a page for each verb, and krsi.rules.7 into `dir`.
pub fn man(dir: &Path) -> Result {
    let failed = |error: io::Error| Error::os(&format!("write into {}", dir.display()), &error);
    let mut cli = Cli::command();
    // Names the pages of the verbs: krsi-status, and so on.
    cli.build();

    fs::create_dir_all(dir).map_err(failed)?;
    pages(&cli, dir).map_err(failed)?;
    fs::write(dir.join(rules_page::NAME), rules_page::page()).map_err(failed)
}

/// A page for a command, and one for each of those below it.
fn pages(command: &Command, dir: &Path) -> io::Result<()> {
    page(command, dir)?;
    command
        .get_subcommands()
        .try_for_each(|below| pages(below, dir))
}

fn page(command: &Command, dir: &Path) -> io::Result<()> {
    let page = Man::new(command.clone().version(None::<&str>))
        .section("8")
        .manual("KRSI")
        .source(concat!("krsi ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(dir.join(page.get_filename()), text)
}
