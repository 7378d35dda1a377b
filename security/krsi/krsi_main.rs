// SPDX-License-Identifier: GPL-2.0

//! KRSI: Kernel Runtime Security Instrumentation.
//!
//! A security module whose decisions are BPF programs. Each LSM hook has a trampoline, a Rust
//! function that packs the hook's arguments into a BPF context and runs the programs attached to
//! the hook. See `Documentation/security/krsi.rst`.
//!
//! - [`lsm`]: what the framework knows of KRSI, and its start
//! - [`active`]: whether KRSI runs the programs
//! - [`hook`]: a hook, and which programs it has
//! - [`hook_table`]: the tables of hooks
//! - [`frame`]: what trampolines lay out for programs
//! - [`trampoline`]: from a hook's call to a verdict
//! - [`programs`]: the list of programs of a hook
//! - [`chain`]: several programs without a loop over the list
//! - [`lock`]: the lock for all changes
//! - [`attach`]: how the BPF core attaches and detaches programs
//! - [`trace`]: hooks whose stubs other BPF programs trace
//! - [`audit`]: decisions of programs in the audit stream
//! - [`blob`]: bytes of programs in kernel objects, and the life cycle of these objects
//! - [`boot`]: boot programs, from objects in the image to verified programs
//! - [`exec`]: what programs can ask about a program that is about to run
//! - [`path`]: paths for programs
//! - [`refs`]: pointers that programs can read but not use
//! - [`securityfs`]: what is in force, for people and tools
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
