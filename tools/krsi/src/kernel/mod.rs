// SPDX-License-Identifier: GPL-2.0

//! What the kernel tells about itself. Parsers are functions of text; what reads is around them.

pub mod bpf;
pub mod bpffs;
pub mod btf;
pub mod cgroup;
pub mod container;
pub mod holders;
pub mod insn;
pub mod mounts;
pub mod programs;
pub mod securityfs;
pub mod selftest;
pub mod sleepable;
