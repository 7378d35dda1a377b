// SPDX-License-Identifier: GPL-2.0

//! Tests that no call passes, alone or together.

use super::{
    eval::{beneath, say},
    policy::{Attr, Case, How, Op, Test, Text},
};

/// Why no call passes all tests of the case; none if no reason is known.
pub fn contradiction(case: &Case) -> Option<String> {
    for (number, test) in case.tests.iter().enumerate() {
        if never(test) {
            return Some(format!("nothing is {}", say(test)));
        }
        let mut others = case.tests[number + 1..].iter();
        let paths = case.hook.names.len();
        if let Some(other) = others.find(|other| exclude(test, other, paths)) {
            return Some(format!("{} excludes {}", say(test), say(other)));
        }
    }
    None
}

/// The largest number that there is, which has all bits that a number can have.
fn largest(attr: Attr) -> u64 {
    match attr {
        Attr::Label(label) => label.largest(),
        // A worker of io_uring has all bits in place of an argument.
        Attr::Argument(_) | Attr::Cgroup(_) | Attr::Container(_) | Attr::Inode | Attr::Syscall => {
            u64::MAX
        }
        Attr::Family | Attr::RemotePort => u16::MAX.into(),
        _ => u32::MAX.into(),
    }
}

/// The smallest and the largest number that pass, if the test is about a range.
fn range(attr: Attr, op: Op, value: u64) -> Option<(u64, u64)> {
    const NONE: (u64, u64) = (1, 0);
    let largest = largest(attr);
    Some(match op {
        Op::Equal => (value, value.min(largest)),
        Op::Less => value.checked_sub(1).map_or(NONE, |to| (0, to.min(largest))),
        Op::LessOrEqual => (0, value.min(largest)),
        Op::Greater => value.checked_add(1).map_or(NONE, |from| (from, largest)),
        Op::GreaterOrEqual => (value, largest),
        Op::NotEqual | Op::AnyBit | Op::AllBits => return None,
    })
}

fn never(test: &Test) -> bool {
    let Test::Number { attr, op, value } = test else {
        return false;
    };
    match op {
        Op::AnyBit => value & largest(*attr) == 0,
        Op::AllBits => value & !largest(*attr) != 0,
        _ => range(*attr, *op, *value).is_some_and(|(from, to)| from > to),
    }
}

fn passes(number: u64, op: Op, value: u64) -> bool {
    match op {
        Op::Equal => number == value,
        Op::NotEqual => number != value,
        Op::Less => number < value,
        Op::LessOrEqual => number <= value,
        Op::Greater => number > value,
        Op::GreaterOrEqual => number >= value,
        Op::AnyBit => number & value != 0,
        Op::AllBits => number & value == value,
    }
}

/// Whether no call passes both tests, on a hook with so many paths.
fn exclude(one: &Test, other: &Test, paths: usize) -> bool {
    match (one, other) {
        (
            Test::Number { attr, op, value },
            Test::Number {
                attr: same,
                op: with,
                value: than,
            },
        ) if attr == same => {
            let (one, other) = (range(*attr, *op, *value), range(*attr, *with, *than));
            let single = |range: Option<(u64, u64)>| range.filter(|(from, to)| from == to);
            match (one, other) {
                (Some(one), Some(other)) => one.1 < other.0 || other.1 < one.0,
                (one, other) => match (single(one), single(other)) {
                    (Some((number, _)), _) => !passes(number, *with, *than),
                    (_, Some((number, _))) => !passes(number, *op, *value),
                    (None, None) => false,
                },
            }
        }
        (
            Test::Compare { attr, with, equal },
            Test::Compare {
                attr: same,
                with: and,
                equal: other,
            },
        ) => attr == same && with == and && equal != other,
        (
            Test::Text {
                text,
                how,
                values,
                equal,
            },
            Test::Text {
                text: same,
                how: than,
                values: others,
                equal: other,
            },
        ) if text == same => {
            let several = match text {
                Text::AnyArgument => true,
                Text::Path => paths > 1,
                _ => false,
            };
            match (equal, other) {
                // One of several may pass the one test, another the other.
                (true, true) => !several && !meet(*how, values, *than, others),
                // An untrusted path may be equal, and differs as well.
                _ if text.is_path() => false,
                (true, false) => within(*how, values, *than, others),
                (false, true) => within(*than, others, *how, values),
                (false, false) => false,
            }
        }
        _ => false,
    }
}

/// Whether a text can be one of each.
fn meet(how: How, values: &[String], than: How, others: &[String]) -> bool {
    values.iter().any(|value| {
        others.iter().any(|other| match (how, than) {
            (How::Exactly, How::Exactly) => value == other,
            (How::Exactly, How::Beneath) => beneath(value, other),
            (How::Beneath, How::Exactly) => beneath(other, value),
            (How::Beneath, How::Beneath) => beneath(value, other) || beneath(other, value),
            (How::Exactly, How::Prefix) => value.starts_with(other),
            (How::Prefix, How::Exactly) => other.starts_with(value),
            // It may be more than what can be, of a directory.
            (How::Prefix, _) | (_, How::Prefix) => {
                value.starts_with(other) || other.starts_with(value)
            }
        })
    })
}

/// Whether whatever is one of `values` is one of `others`.
fn within(how: How, values: &[String], than: How, others: &[String]) -> bool {
    values.iter().all(|value| {
        others.iter().any(|other| match (how, than) {
            (How::Exactly, How::Exactly) => value == other,
            (How::Beneath | How::Prefix, How::Exactly) => false,
            (How::Prefix, How::Beneath) => match value.strip_prefix(other.as_str()) {
                Some(rest) => other == "/" || rest.starts_with('/'),
                None => false,
            },
            (_, How::Beneath) => beneath(value, other),
            (_, How::Prefix) => value.starts_with(other),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{hook, policy::Op};

    fn number(attr: Attr, op: Op, value: u64) -> Test {
        Test::Number { attr, op, value }
    }

    fn text(text: Text, how: How, value: &str, equal: bool) -> Test {
        Test::Text {
            text,
            how,
            values: vec![value.into()],
            equal,
        }
    }

    fn contradicts(hook: &str, tests: &[Test]) -> bool {
        let hook = hook::find(hook).unwrap();
        let found = |tests: Vec<Test>| contradiction(&Case { hook, tests }).is_some();
        let forward = found(tests.to_vec());
        let backward = found(tests.iter().rev().cloned().collect());
        assert_eq!(forward, backward, "{tests:?}");
        forward
    }

    #[test]
    fn numbers() {
        use Op::*;
        let all = [
            Equal,
            NotEqual,
            Less,
            LessOrEqual,
            Greater,
            GreaterOrEqual,
            AnyBit,
            AllBits,
        ];
        // Against trying all numbers that can make a difference.
        const SMALL: u64 = 5;
        let candidates: Vec<u64> = (0..=8).chain([u32::MAX.into()]).collect();
        for one in all {
            for other in all {
                for value in 0..SMALL {
                    for than in 0..SMALL {
                        let tests = [
                            number(Attr::Uid, one, value),
                            number(Attr::Uid, other, than),
                        ];
                        let possible = candidates
                            .iter()
                            .any(|uid| passes(*uid, one, value) && passes(*uid, other, than));
                        let told = contradicts("file_open", &tests);
                        assert!(!(told && possible), "{tests:?}");
                        let bits = |op| matches!(op, AnyBit | AllBits);
                        if !bits(one) && !bits(other) {
                            assert_eq!(told, !possible, "{tests:?}");
                        }
                    }
                }
            }
        }
        let inode = |op, value| contradicts("file_open", &[number(Attr::Inode, op, value)]);
        assert!(!inode(Greater, u32::MAX.into()) && !inode(AllBits, 1 << 40));
        assert!(inode(Greater, u64::MAX));
        let argument = [number(Attr::Argument(0), Greater, u32::MAX.into())];
        assert!(!contradicts("file_open", &argument));
        let uid = |op, value| contradicts("file_open", &[number(Attr::Uid, op, value)]);
        assert!(uid(Greater, u32::MAX.into()) && uid(Less, 0) && uid(AnyBit, 0));
        assert!(!uid(GreaterOrEqual, u32::MAX.into()) && !uid(NotEqual, 0) && !uid(AllBits, 0));
        let different = [number(Attr::Uid, Equal, 0), number(Attr::Gid, Equal, 1)];
        assert!(!contradicts("file_open", &different));
    }

    #[test]
    fn texts() {
        use How::*;
        let path = |how, value, equal| text(Text::Path, how, value, equal);
        let comm = |value, equal| text(Text::Comm, Exactly, value, equal);
        let begins = |value, equal| text(Text::Comm, Prefix, value, equal);
        for (tests, expected) in [
            ([path(Exactly, "/a", true), path(Exactly, "/b", true)], true),
            (
                [path(Exactly, "/a", true), path(Exactly, "/a", false)],
                false,
            ),
            ([comm("a", true), comm("a", false)], true),
            ([comm("a", true), comm("b", false)], false),
            (
                [path(Exactly, "/a/b", true), path(Beneath, "/a", true)],
                false,
            ),
            (
                [path(Exactly, "/ab", true), path(Beneath, "/a", true)],
                true,
            ),
            (
                [path(Exactly, "/a/b", true), path(Beneath, "/a", false)],
                false,
            ),
            (
                [path(Beneath, "/a", true), path(Beneath, "/a/b", false)],
                false,
            ),
            (
                [path(Beneath, "/a/b", true), path(Beneath, "/a", false)],
                false,
            ),
            (
                [path(Beneath, "/a", true), path(Exactly, "/a", false)],
                false,
            ),
            ([path(Beneath, "/a", true), path(Beneath, "/b", true)], true),
            ([path(Prefix, "/ab", true), path(Prefix, "/a", true)], false),
            ([path(Prefix, "/ab", true), path(Prefix, "/b", true)], true),
            (
                [path(Exactly, "/ab", true), path(Prefix, "/a", true)],
                false,
            ),
            ([path(Exactly, "/a", true), path(Prefix, "/ab", true)], true),
            (
                [path(Beneath, "/a", true), path(Prefix, "/a/b", true)],
                false,
            ),
            ([path(Beneath, "/a", true), path(Prefix, "/b", true)], true),
            ([begins("ab", true), begins("a", false)], true),
            ([begins("a", true), begins("ab", false)], false),
            ([comm("ab", true), begins("a", false)], true),
            ([begins("a", true), comm("a", false)], false),
            (
                [path(Exactly, "/a", false), path(Exactly, "/b", false)],
                false,
            ),
        ] {
            assert_eq!(contradicts("file_open", &tests), expected, "{tests:?}");
        }
        // A rename has two paths, of which each test is about one.
        let two = [path(Exactly, "/a", true), path(Exactly, "/b", true)];
        assert!(!contradicts("path_rename", &two));
        for program in [Text::Exe, Text::ParentExe] {
            let program = |equal| text(program.clone(), Exactly, "/x", equal);
            assert!(!contradicts("file_open", &[program(true), program(false)]));
        }
        let arguments = ["x", "y"].map(|value| text(Text::AnyArgument, Exactly, value, true));
        assert!(!contradicts("bprm_check_security", &arguments));
        let first = ["x", "y"].map(|value| text(Text::Argument(1), Exactly, value, true));
        assert!(contradicts("bprm_check_security", &first));
    }
}
