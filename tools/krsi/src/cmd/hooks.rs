// SPDX-License-Identifier: GPL-2.0

//! `krsi hooks`: every hook of the kernel, and what is attached to it.

use super::{check_patterns, selected};
use crate::{
    cli,
    error::Result,
    kernel::securityfs::{Hook, Securityfs},
    ui::{
        self,
        table::{Align, Table},
    },
};
use serde::Serialize;

#[derive(Serialize)]
struct Report {
    hooks: Vec<Hook>,
}

pub fn run(args: &cli::Hooks) -> Result {
    let files = Securityfs::new(&args.source.securityfs);
    files.require_krsi()?;
    files.version()?;

    let mut hooks = files.hooks()?;
    check_patterns(&args.patterns, hooks.iter().map(|hook| hook.name.as_str()))?;
    hooks.retain(|hook| {
        selected(&args.patterns, &hook.name)
            && (!args.attached || !hook.programs.is_empty())
            && (!args.sleepable || hook.sleepable)
    });
    if args.output.json {
        return ui::json::print(&Report { hooks });
    }
    Ok(ui::print(&text(&hooks, ui::colours()))?)
}

fn text(hooks: &[Hook], colours: bool) -> String {
    let columns = [
        ("HOOK", Align::Left),
        ("SLEEPABLE", Align::Left),
        ("DEFAULT", Align::Right),
        ("CALLS", Align::Right),
        ("DENIALS", Align::Right),
        ("PROGRAMS", Align::Left),
    ];
    let mut table = Table::new(&columns, colours);
    for hook in hooks {
        let programs = hook.programs.iter().map(|program| match program.id {
            0 => program.name.clone(),
            id => format!("{id}:{}", program.name),
        });
        table.row(
            [
                hook.name.clone(),
                if hook.sleepable { "yes" } else { "no" }.into(),
                hook.default
                    .map_or("void".into(), |value| value.to_string()),
                hook.calls.to_string(),
                hook.denials.to_string(),
                match programs.collect::<Vec<_>>() {
                    none if none.is_empty() => "-".into(),
                    some => some.join(","),
                },
            ],
            hook.denials > 0,
        );
    }
    table.render()
}
