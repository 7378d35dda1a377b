// SPDX-License-Identifier: GPL-2.0

//! Attaches an LSM program with libbpf-rs.

use libbpf_rs::{Link, Object, ObjectBuilder};
use std::{error::Error, process::ExitCode};

fn attach(object: &str) -> Result<(Object, Link), Box<dyn Error>> {
    let object = ObjectBuilder::default().open_file(object)?.load()?;
    let program = object
        .progs_mut()
        .find(|program| program.name() == "client");
    let link = program.ok_or("no program")?.attach_lsm()?;

    Ok((object, link))
}

fn main() -> ExitCode {
    krsi_clients::run(attach)
}
