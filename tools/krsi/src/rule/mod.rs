// SPDX-License-Identifier: GPL-2.0

//! The rule language: auditctl's, with KRSI's actions and fields. Text comes in, statements or
//! errors come out; nothing here touches the system.
//!
//! - `lexer`: a line becomes words that know where they were;
//! - `field`: the fields, and what may stand on their right side;
//! - `parse`: words become statements;
//! - `ast`: the statements.

pub mod ast;
mod error;
mod field;
mod lexer;
mod parse;

pub use error::SyntaxError;
pub use parse::{parse, Line};
