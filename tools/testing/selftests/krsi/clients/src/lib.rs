// SPDX-License-Identifier: GPL-2.0

//! Shared by both loaders: attaches `client.bpf.o`, is denied, detaches.

use std::{ffi::c_int, fs, io, process::ExitCode};

extern "C" {
    fn getpgid(pid: c_int) -> c_int;
}

/// The verdict of the program, `EUCLEAN`.
const DENIED: i32 = 117;

/// Calls getpgid(2). Returns 0 or an errno.
fn ask() -> i32 {
    // SAFETY: The call takes a number and touches no memory.
    match unsafe { getpgid(std::process::id() as c_int) } {
        -1 => io::Error::last_os_error().raw_os_error().unwrap_or(-1),
        _ => 0,
    }
}

/// Runs a loader on the object that the command line names.
///
/// The program is attached until the value that `attach` returns is dropped. Prints the results
/// before, during and after.
/// Fails if the program could not be attached or was not enforced.
pub fn run<T, E: std::fmt::Display>(attach: impl FnOnce(&str) -> Result<T, E>) -> ExitCode {
    let Some(object) = std::env::args().nth(1) else {
        eprintln!("usage: PROGRAM OBJECT");
        return ExitCode::from(2);
    };
    if let Err(error) = fs::write("/proc/self/comm", "krsi_client") {
        eprintln!("/proc/self/comm: {error}");
        return ExitCode::FAILURE;
    }
    let before = ask();
    let attached = match attach(&object) {
        Ok(attached) => attached,
        Err(error) => {
            eprintln!("{object}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let during = ask();
    drop(attached);
    let after = ask();

    println!("{before} {during} {after}");
    if (before, during, after) == (0, DENIED, 0) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
