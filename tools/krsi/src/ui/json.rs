// SPDX-License-Identifier: GPL-2.0

//! JSON for scripts. The fields are documented in `Documentation/admin-guide/LSM/krsi.rst`.

use crate::error::Result;
use serde::Serialize;

/// Counts changes that break a reader. Adding a field does not.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a, T> {
    schema: u32,
    #[serde(flatten)]
    body: &'a T,
}

/// A document of its own, for people to read as well.
pub fn print<T: Serialize>(body: &T) -> Result {
    let document = Document {
        schema: SCHEMA,
        body,
    };
    // Only maps with other keys than strings cannot be written; there are none.
    let text = serde_json::to_string_pretty(&document).map_err(std::io::Error::from)?;
    Ok(super::print(&(text + "\n"))?)
}

/// One of many documents, each on a line.
pub fn print_line<T: Serialize>(body: &T) -> Result {
    let document = Document {
        schema: SCHEMA,
        body,
    };
    let text = serde_json::to_string(&document).map_err(std::io::Error::from)?;
    Ok(super::print(&(text + "\n"))?)
}
