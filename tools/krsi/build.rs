// SPDX-License-Identifier: GPL-2.0

//! Compiles the BPF programs that `krsi exec` loads. Only here is clang needed: what it makes is
//! part of the command, and fits any kernel by its BTF.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    let source = Path::new("src/exec/exec.bpf.c");
    for file in [
        "build.rs",
        "src/exec/exec.bpf.c",
        "src/exec/exec.h",
        "src/exec/kernel.h",
    ] {
        println!("cargo:rerun-if-changed={file}");
    }
    println!("cargo:rerun-if-env-changed=CLANG");

    let object = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("exec.bpf.o");
    let include = env::var("DEP_BPF_INCLUDE").expect("libbpf-sys says where its headers are");
    let arch = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets it");
    let clang = env::var("CLANG").unwrap_or("clang".into());

    let mut command = Command::new(&clang);
    command
        .args(["--target=bpf", "-mcpu=v3", "-std=gnu17", "-g", "-O2"])
        .args([
            "-Wall",
            "-Wextra",
            "-Werror",
            "-Wno-unused-parameter",
            "-Wno-sign-compare",
        ])
        .arg(format!("-I{include}"))
        // Where Debian and its likes have asm/types.h.
        .arg(format!("-I/usr/include/{arch}-linux-gnu"))
        .arg("-c")
        .arg(source)
        .arg("-o")
        .arg(&object);
    match command.status() {
        Ok(status) if status.success() => (),
        Ok(status) => panic!("{} could not compile {}: {status}", clang, source.display()),
        Err(error) => panic!(
            "{} is needed to compile {}: {error}; CLANG= names another",
            clang,
            source.display()
        ),
    }
}
