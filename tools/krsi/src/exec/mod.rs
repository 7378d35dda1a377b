// SPDX-License-Identifier: GPL-2.0

//! What is executed, as the kernel tells it while it happens.
//!
//! - `exec.bpf.c`, `exec.h`: the programs, which `build.rs` compiles;
//! - `wire`: the records that they write;
//! - `collect`: from records to execs;
//! - `watch`: loading the programs and reading what they write.

pub mod collect;
pub mod watch;
pub mod wire;
