// SPDX-License-Identifier: GPL-2.0

//! Whether the policy that was loaded is still in force, and is the only one.
//!
//! Pins in bpffs keep a policy in force, and whoever removes them ends it without a trace there. So
//! a file outside of bpffs says that there should be one: /run is empty after a boot, as bpffs is.
//! A bpffs that is mounted over another hides the pins, and its policy stays in force: the kernel
//! knows its links by their programs.

use crate::{
    error::{Error, Exit, Result},
    kernel::bpf,
};
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    thread::sleep,
    time::Duration,
};

/// What the programs are called that stay on hooks.
pub const NAME: &str = "krsi_policy";

const DIR: &str = "/run/krsi";
const FILE: &str = "/run/krsi/policy";

/// Notes that a policy of so many rules is in force.
pub fn remember(rules: usize) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o755).create(DIR) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // A new file, so that no link is followed.
    remove(Path::new(FILE))?;
    let mut file = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(FILE)?;
    io::Write::write_all(&mut file, format!("{rules}\n").as_bytes())
}

/// Notes that none is.
pub fn forget() -> Result {
    remove(Path::new(FILE)).map_err(|error| {
        Error::os(
            &format!("remove {FILE}, which says that there is a policy"),
            &error,
        )
    })
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Fails if there should be a policy; asked where there is none.
pub fn nothing() -> Result {
    let Ok(rules) = fs::read_to_string(FILE) else {
        return Ok(());
    };
    Err(Error::new(format!(
        "a policy was loaded ({} rules) and is not in force any more: its pins in /sys/fs/bpf/krsi \
         were removed",
        rules.trim()
    ))
    .hint("load it again; krsi unload says that there shall be none")
    .exit(Exit::NotEnforcing))
}

/// Fails if hooks ask a policy whose links are not among `own`.
pub fn only_here(own: &BTreeSet<u32>) -> Result {
    // The kernel ends a link some time after its last pin is gone.
    const TRIES: u32 = 40;
    for _ in 0..TRIES {
        match others(own) {
            // Who may not ask is told by what comes next.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            Err(error) => return Err(Error::os("list the links of programs", &error)),
            Ok(0) => return Ok(()),
            Ok(_) => sleep(Duration::from_millis(50)),
        }
    }
    Err(
        Error::new("another policy is in force, which is not pinned in this /sys/fs/bpf").hint(
            "a bpffs may be mounted over the one that has it, or be another one in a container: \
             findmnt /sys/fs/bpf",
        )
        .exit(Exit::NotEnforcing),
    )
}

/// How many links there are to the programs of a policy, without `own`.
fn others(own: &BTreeSet<u32>) -> io::Result<usize> {
    let mut count = 0;
    for id in bpf::link_ids()? {
        if own.contains(&id) {
            continue;
        }
        let Some(link) = bpf::link_info(id)? else {
            continue;
        };
        let program = bpf::program_info(link.prog_id)?;
        count += usize::from(program.is_some_and(|program| bpf::name(&program.name) == NAME));
    }
    Ok(count)
}
