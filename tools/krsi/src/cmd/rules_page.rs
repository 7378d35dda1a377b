// SPDX-License-Identifier: GPL-2.0

//! krsi.rules(7), the manual of the language: made from the tables that the parser has.

use crate::rule::{
    field::{Kind, Ops, FIELDS},
    hook, lower, parse,
};
use std::fmt::Write as _;

/// Fields whose names have a part that the user chooses.
const FAMILIES: &[(&str, &str)] = &[
    ("argv[N]", "an argument of the program that is executed"),
    ("env[NAME]", "a variable of it"),
];

pub const NAME: &str = "krsi.rules.7";

/// The page, in the macros of man(7).
pub fn page() -> String {
    let mut page = Page::default();
    page.text += concat!(
        ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n",
        ".TH krsi.rules 7  \"krsi ",
        env!("CARGO_PKG_VERSION"),
        "\" \"KRSI\"\n"
    );
    page.section("NAME");
    page.paragraph("krsi.rules - rules for krsi(8), in the language of auditctl(8)");
    page.section("SYNOPSIS");
    for line in [
        "-a ACTION,exit [-F arch=ARCH] [-S CALL[,CALL]...] [-F FIELD OP VALUE]... \
         [-C FIELD OP FIELD]... [-k KEY]",
        "-w PATH [-p PERMISSIONS] [-k KEY]",
    ] {
        page.item(line, "");
    }
    page.section("DESCRIPTION");
    page.paragraph(
        "A file has a rule on each line; what follows a # is a comment. The first rule that \
         matches an operation decides it. -A instead of -a puts a rule to the front, -d and -W \
         remove one that is the same, -D removes all, or with -k those of a key. A rule matches \
         if all of its conditions do. Words are separated by blanks; a backslash or quotes keep \
         one together.",
    );
    page.paragraph(
        "What fields and permissions mean, which differences to auditctl there are, and what holds \
         when a policy is replaced, is in Documentation/admin-guide/LSM/krsi-rules.rst.",
    );
    page.section("ACTIONS");
    page.item("always", "The call goes on, and a record is written.");
    page.item("never", "The call goes on, and no later rule is asked.");
    page.item(
        "deny, deny=ERRNO",
        "The call fails, with EPERM or the errno of that name, and a record is written.",
    );
    page.item(
        "deny?, deny?=ERRNO",
        "On trial: what deny would deny is recorded and counted, and the call goes on. krsi load \
         --dry-run makes this of each deny and kill.",
    );
    page.item("kill", "As deny, and the process gets SIGKILL.");
    page.section("PERMISSIONS");
    page.item("r", "Opening to read.");
    page.item(
        "w",
        "Opening to write or with O_TRUNC, truncating, making, removing and renaming a name.",
    );
    page.item("x", "Executing.");
    page.item("a", "Changing the mode or owner, and linking.");
    page.section("FIELDS");
    let refused = |name: &str| lower::REFUSED.iter().find(|(field, ..)| *field == name);
    for field in FIELDS.iter().filter(|field| refused(field.name).is_none()) {
        let form = format!("{}; operators: {}", field.kind.form(), field.ops.form());
        page.item(field.name, &form);
    }
    for (name, what) in FAMILIES {
        let (kind, ops) = (Kind::Text.form(), Ops::Equality.form());
        page.item(name, &format!("{what}: {kind}; operators: {ops}"));
    }
    page.section("REFUSED");
    page.paragraph("These fields and options are auditctl's, and no rule can have them:");
    let options = parse::REFUSED
        .iter()
        .map(|(name, why, instead)| (*name, *why, *instead));
    for (name, why, instead) in lower::REFUSED.iter().copied().chain(options) {
        page.item(name, &format!("{why}. Instead: {instead}."));
    }
    page.section("SYSTEM CALLS");
    page.paragraph("The system calls that rules decide, and the hooks at which they do:");
    for (names, hooks) in hook::table() {
        page.item(&names.join(", "), &hooks.join(", "));
    }
    page.section("SEE ALSO");
    page.paragraph("krsi(8), krsi-check(8), krsi-load(8), krsi-rule(8), auditctl(8)");
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn section(&mut self, name: &str) {
        let _ = writeln!(self.text, ".SH {name}");
    }

    fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.text, ".PP\n{}", escape(text));
    }

    /// What is called so, and what it is.
    fn item(&mut self, name: &str, text: &str) {
        let _ = writeln!(self.text, ".TP\n\\fB{}\\fR\n{}", escape(name), escape(text));
    }
}

/// Text that roff takes as it stands.
fn escape(text: &str) -> String {
    let text = text
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\*(Aq");
    match text.chars().next() {
        Some('.') => format!("\\&{text}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_what_the_tables_have() {
        let page = page();
        for field in FIELDS {
            let item = format!(".TP\n\\fB{}\\fR\n", field.name);
            assert_eq!(page.matches(&item).count(), 1, "{}", field.name);
        }
        for (names, _) in hook::table() {
            assert!(page.contains(&names.join(", ")), "{names:?}");
        }
        assert!(!page.lines().any(|line| line.starts_with('\'')));
    }

    #[test]
    fn text_is_no_command() {
        assert_eq!(escape(".a-b\\c 'd'"), "\\&.a\\-b\\ec \\*(Aqd\\*(Aq");
    }
}
