// SPDX-License-Identifier: GPL-2.0

//! `krsi blobs`: the bytes that programs have in kernel objects, and who has which of them.

use crate::{
    cli::{self, BlobChange, BlobClaim},
    error::{Error, Result},
    kernel::securityfs::{Blobs, Securityfs},
    ui::{
        self,
        table::{Align, Table},
    },
};
use rustix::io::Errno;
use serde::Serialize;
use std::{io, path::Path};

pub fn run(args: &cli::Blobs) -> Result {
    match &args.change {
        None => list(args),
        Some(BlobChange::Claim(args)) => change(
            &args.source.securityfs,
            &args.output,
            (&args.class, &args.name),
            &claim(args),
            "claim",
        ),
        Some(BlobChange::Release(args)) => change(
            &args.source.securityfs,
            &args.output,
            (&args.class, &args.name),
            &format!("release {} {}", args.class, args.name),
            "release",
        ),
    }
}

fn list(args: &cli::Blobs) -> Result {
    let files = Securityfs::new(&args.source.securityfs);
    files.require_krsi()?;
    files.version()?;
    let mut blobs = files.blobs()?;
    if !args.all {
        blobs.classes.retain(|class| class.reserved > 0);
        blobs.slots.retain(|slot| slot.state != "released");
    }
    if args.output.json {
        return ui::json::print(&blobs);
    }
    Ok(ui::print(&text(&blobs, ui::colours()))?)
}

fn text(blobs: &Blobs, colours: bool) -> String {
    if blobs.classes.is_empty() {
        return "Nothing is reserved; boot with krsi.blob=CLASS:BYTES,... to have blobs.\n".into();
    }
    let columns = [
        ("CLASS", Align::Left),
        ("RESERVED", Align::Right),
        ("FREE", Align::Right),
    ];
    let mut classes = Table::new(&columns, colours);
    for class in &blobs.classes {
        classes.row(
            [
                class.class.clone(),
                class.reserved.to_string(),
                class.free.to_string(),
            ],
            false,
        );
    }
    if blobs.slots.is_empty() {
        return classes.render();
    }
    let columns = [
        ("SLOT", Align::Right),
        ("CLASS", Align::Left),
        ("NAME", Align::Left),
        ("OFFSET", Align::Right),
        ("SIZE", Align::Right),
        ("ALIGN", Align::Right),
        ("INHERIT", Align::Left),
        ("OWNER", Align::Left),
        ("STATE", Align::Left),
        ("OTHER", Align::Left),
    ];
    let mut slots = Table::new(&columns, colours);
    for slot in &blobs.slots {
        let other: Vec<_> = slot
            .other
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        slots.row(
            [
                slot.slot.to_string(),
                slot.class.clone(),
                slot.name.clone(),
                slot.offset.to_string(),
                slot.size.to_string(),
                slot.align.to_string(),
                slot.inherit.clone().unwrap_or("-".into()),
                slot.owner.clone(),
                slot.state.clone(),
                if other.is_empty() {
                    "-".into()
                } else {
                    other.join(" ")
                },
            ],
            false,
        );
    }
    format!("{}\n{}", classes.render(), slots.render())
}

/// The command for the kernel.
fn claim(args: &BlobClaim) -> String {
    let mut command = format!("claim {} {} {}", args.class, args.name, args.size);
    if let Some(align) = args.align {
        command += &format!(" {align}");
    }
    if let Some(inherit) = &args.inherit {
        command += &format!(" inherit={inherit}");
    }
    command
}

#[derive(Serialize)]
struct Done<'a> {
    done: &'a str,
}

fn change(
    root: &Path,
    output: &cli::Output,
    (class, name): (&str, &str),
    command: &str,
    verb: &str,
) -> Result {
    let action = &format!("{verb} {name} of {class}");
    // It would be another command for the kernel.
    let word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    if !word(class) || !word(name) {
        return Err(Error::new(format!("cannot {action}: a name is a word")));
    }
    let files = Securityfs::new(root);
    files.require_krsi()?;
    files.version()?;
    files
        .command_blobs(command)
        .map_err(|error| explain(action, &error))?;
    if output.json {
        return ui::json::print(&Done { done: command });
    }
    Ok(())
}

/// What the kernel's answer means.
fn explain(action: &str, error: &io::Error) -> Error {
    let hint = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::PERM | Errno::ACCESS) => {
            "it takes root with CAP_MAC_ADMIN in the initial user namespace"
        }
        Some(Errno::INVAL) => {
            "names are 1 to 31 of a-z, 0-9, _, . and -; sizes are at least 1; alignments 1 to 8; \
             only cred and task inherit"
        }
        Some(Errno::NODEV) => "there is no such class; krsi blobs --all lists them",
        Some(Errno::NXIO) => {
            "nothing is reserved in the class: boot with krsi.blob=CLASS:BYTES on the kernel \
             command line"
        }
        Some(Errno::NOSPC) => {
            "too few bytes are left, or 256 slots were claimed since the boot; krsi blobs --all \
             shows them"
        }
        Some(Errno::EXIST) => "there is a slot of that name with other values",
        Some(Errno::NOENT) => "there is no slot of that name; krsi blobs lists them",
        Some(Errno::BUSY) => "the slot is in use by what was loaded at boot",
        _ => return Error::os(action, error),
    };
    Error::new(format!("cannot {action}: {error}")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_the_kernel() {
        for errno in [1, 13, 22, 19, 6, 28, 17, 2, 16] {
            let error = explain("claim x of inode", &io::Error::from_raw_os_error(errno));
            assert!(error.hint_text().is_some(), "{errno}");
            assert!(error.message().starts_with("cannot claim x of inode: "));
        }
        assert!(explain("", &io::Error::from_raw_os_error(5))
            .hint_text()
            .is_none());
    }
}
