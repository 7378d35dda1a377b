// SPDX-License-Identifier: GPL-2.0

//! Attaches an LSM program with aya.

use aya::{programs::Lsm, Btf, Ebpf};
use std::{error::Error, process::ExitCode};

fn attach(object: &str) -> Result<Ebpf, Box<dyn Error>> {
    let mut ebpf = Ebpf::load_file(object)?;
    let program: &mut Lsm = ebpf.program_mut("client").ok_or("no program")?.try_into()?;

    program.load("task_getpgid", &Btf::from_sys_fs()?)?;
    program.attach()?;
    Ok(ebpf)
}

fn main() -> ExitCode {
    krsi_clients::run(attach)
}
