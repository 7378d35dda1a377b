// SPDX-License-Identifier: GPL-2.0

//! Rules: auditctl's language with KRSI's actions and fields, compiled to BPF programs.
//!
//! - `lexer`: a line becomes words that know where they were;
//! - `field`: the fields, and what may stand on their right side;
//! - `parse`: words become statements;
//! - `ast`: the statements;
//! - `label`: slots of blobs, and what they are called;
//! - `hook`, `syscalls`, `errno`: the hooks that rules are about, and numbers of names;
//! - `lower`: statements become a policy, with the help of `system` and `elsewhere`;
//! - `policy`: rules with everything resolved;
//! - `notes`, `contradiction`: what rules do not hold, or never match;
//! - `eval`: what a policy decides about an event, rule by rule: what the rest has to agree with;
//! - `recorded`, `auditd`: events from what `krsi exec` and auditd have written;
//! - `plan`: how a hook's rules are looked for;
//! - `asm`, `emit`: a plan becomes programs;
//! - `load`: programs come into force;
//! - `provisional`: policies that end by themselves unless they are confirmed;
//! - `expected`: whether what was loaded is still in force, and nothing else;
//! - `fuzz`: what no person would write, for tests.

mod asm;
pub mod ast;
pub mod auditd;
mod contradiction;
pub mod elsewhere;
pub mod emit;
mod errno;
mod error;
pub mod eval;
pub mod expected;
pub mod field;
#[cfg(test)]
mod fuzz;
pub mod hook;
mod label;
mod lexer;
pub mod load;
pub mod lower;
pub mod notes;
pub mod parse;
pub mod plan;
pub mod policy;
mod provisional;
pub mod recorded;
mod syscalls;
pub mod system;

pub use error::SyntaxError;
pub use parse::{parse, parse_most, Line};
