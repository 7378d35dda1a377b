// SPDX-License-Identifier: GPL-2.0

//! KRSI: Kernel Runtime Security Instrumentation.
//!
//! A security module that lets BPF programs decide. Each LSM hook has a trampoline, a Rust function
//! that packs the hook's arguments into a BPF context and runs the programs attached to the hook.
//! See `Documentation/security/krsi.rst`.
//!
//! - [`lsm`]: registration and initialisation
//! - [`active`]: whether KRSI is the LSM that runs BPF programs
//! - [`hook`]: a hook and its programs
//! - [`hook_table`]: the tables of hooks
//! - [`frame`]: the frame of a trampoline, with the context of programs
//! - [`trampoline`]: runs the programs of a hook
//! - [`programs`]: the list of programs of a hook
//! - [`chain`]: direct calls of several programs, without a loop over the list
//! - [`lock`]: the lock for all changes
//! - [`attach`]: attaches and detaches programs, for the BPF core
//! - [`trace`]: hooks whose stubs are traced by other BPF programs
//! - [`audit`]: decisions of programs in the audit log
//! - [`blob`]: storage for programs in kernel objects, and the life cycle of these objects
//! - [`boot`]: programs that are part of the kernel image
//! - [`exec`]: arguments and environment of a program that is about to run
//! - [`path`]: paths for programs
//! - [`refs`]: trusted pointers for programs
//! - [`securityfs`]: files in `/sys/kernel/security/krsi/`
//! - [`text`]: texts in the memory of programs

mod active;
mod attach;
#[cfg(CONFIG_AUDIT)]
mod audit;
mod blob;
mod boot;
#[cfg(CONFIG_HAVE_STATIC_CALL)]
mod chain;
mod exec;
mod frame;
mod hook;
mod hook_table;
mod lock;
mod lsm;
mod path;
mod programs;
mod refs;
mod securityfs;
mod text;
mod trace;
mod trampoline;

/// Prefix of the module's messages in the kernel log.
const __LOG_PREFIX: &[u8] = b"krsi\0";
