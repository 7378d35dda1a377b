// SPDX-License-Identifier: GPL-2.0

//! From records to execs. The records of several execs are mixed, those of one come in order, and
//! any may be missing: what is missing is said, never made up.

use super::wire::{Begin, End, Parent, Piece, Record, Text};
use std::collections::HashMap;

/// An exec, as far as it is known.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Exec {
    pub begin: Option<Begin>,
    /// The nearest first.
    pub parents: Vec<Parent>,
    /// The file, and each interpreter that it led to.
    pub rounds: Vec<Text>,
    pub strings: Strings,
    /// None if it did not come.
    pub end: Option<End>,
}

/// Arguments and environment.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Strings {
    pub arguments: Vec<Vec<u8>>,
    pub environment: Vec<Vec<u8>>,
    /// `execveat(AT_EXECVE_CHECK)`.
    pub check: bool,
    /// Another task changed them during the exec.
    pub changed: bool,
    pub state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// All of them are there.
    Whole,
    /// Some did not fit the buffer.
    Lost,
    /// The kernel could not read them; an errno.
    Unreadable(i32),
    /// The exec was over before the programs were asked: what was asked for is not known.
    #[default]
    Unseen,
}

/// A dump whose pieces arrive.
#[derive(Debug)]
struct Dump {
    argc: u32,
    envc: u32,
    total: u64,
    bytes: Vec<u8>,
    last: bool,
    broken: bool,
    check: bool,
    changed: bool,
    /// When it came, of [`Collector::clock`].
    age: u64,
}

#[derive(Debug)]
struct Pending {
    exec: Exec,
    age: u64,
}

/// After how many calls of [`Collector::expire`] a dump goes that nothing names.
const DUMP_AGE: u64 = 60;

/// What has arrived of execs that are not over.
#[derive(Debug, Default)]
pub struct Collector {
    dumps: HashMap<u64, Dump>,
    pending: HashMap<u64, Pending>,
    /// Counts [`Collector::expire`].
    clock: u64,
    /// Records that nobody understands.
    pub unknown: u64,
}

impl Collector {
    /// Takes a record; returns the exec that ends with it.
    pub fn take(&mut self, bytes: &[u8]) -> Option<Exec> {
        match Record::read(bytes) {
            None => self.unknown += 1,
            Some(Record::Piece(piece)) => self.piece(&piece),
            Some(Record::Begin(token, begin)) => {
                let strings = self.strings(begin.exec_id);
                let exec = self.exec(token);
                exec.strings = strings;
                exec.begin = Some(begin);
            }
            Some(Record::Parent(token, parent)) => self.exec(token).parents.push(parent),
            Some(Record::Round(token, path)) => self.exec(token).rounds.push(path),
            Some(Record::End(token, end)) => {
                self.exec(token).end = Some(end);
                return self.pending.remove(&token).map(Self::complete);
            }
        }
        None
    }

    /// The execs whose end did not come for `age` calls of this, which it only does if it was lost
    /// or if something holds the exec up.
    pub fn expire(&mut self, age: u64) -> Vec<Exec> {
        self.clock += 1;
        let old = |since: u64| self.clock - since >= age;
        // What names a dump comes right behind it, or never.
        let clock = self.clock;
        self.dumps.retain(|_, dump| clock - dump.age < DUMP_AGE);
        let mut tokens: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, pending)| old(pending.age))
            .map(|(token, _)| *token)
            .collect();
        tokens.sort_unstable();
        tokens
            .iter()
            .filter_map(|token| self.pending.remove(token).map(Self::complete))
            .collect()
    }

    fn exec(&mut self, token: u64) -> &mut Exec {
        let age = self.clock;
        let pending = self.pending.entry(token).or_insert_with(|| Pending {
            exec: Exec::default(),
            age,
        });
        &mut pending.exec
    }

    fn complete(pending: Pending) -> Exec {
        let mut exec = pending.exec;
        // Without its first record nobody knows what the arguments were.
        if exec.begin.is_none() {
            exec.strings.state = State::Lost;
        }
        exec
    }

    fn piece(&mut self, piece: &Piece<'_>) {
        let age = self.clock;
        let dump = self.dumps.entry(piece.exec_id).or_insert_with(|| Dump {
            argc: piece.argc,
            envc: piece.envc,
            total: 0,
            bytes: Vec::new(),
            last: false,
            broken: false,
            check: false,
            changed: false,
            age,
        });
        dump.broken |= piece.offset != dump.bytes.len() as u64;
        if !dump.broken {
            dump.bytes.extend(piece.bytes);
        }
        dump.total = piece.total;
        dump.last |= piece.last;
        dump.check |= piece.check;
        dump.changed |= piece.changed;
    }

    /// The strings of a dump, which is complete when the record comes that names it.
    fn strings(&mut self, exec_id: i64) -> Strings {
        const ENOSPC: i64 = 28;

        let mut strings = Strings::default();
        if exec_id <= 0 {
            strings.state = match -exec_id {
                0 => State::Unseen,
                ENOSPC => State::Lost,
                errno => State::Unreadable(errno as i32),
            };
            return strings;
        }
        let Some(dump) = self.dumps.remove(&(exec_id as u64)) else {
            strings.state = State::Lost;
            return strings;
        };
        strings.check = dump.check;
        strings.changed = dump.changed;
        if dump.broken || !dump.last || dump.bytes.len() as u64 != dump.total {
            strings.state = State::Lost;
            return strings;
        }
        strings.state = State::Whole;
        // A string behind the end ends there.
        let area = dump.bytes.strip_suffix(b"\0").unwrap_or(&dump.bytes);
        let mut parts = area.split(|byte| *byte == 0).map(<[u8]>::to_vec);
        if dump.bytes.is_empty() {
            return strings;
        }
        strings.arguments = parts.by_ref().take(dump.argc as usize).collect();
        strings.environment = parts.by_ref().take(dump.envc as usize).collect();
        // Bytes that belong to no string: NULs were added.
        strings.changed |= parts.next().is_some();
        strings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(id: u64, offset: u64, total: u64, flags: u32, bytes: &[u8]) -> Vec<u8> {
        let mut record = Vec::new();
        [id, offset, total]
            .iter()
            .for_each(|f| record.extend(f.to_ne_bytes()));
        [2u32, 1, flags, bytes.len() as u32]
            .iter()
            .for_each(|f| record.extend(f.to_ne_bytes()));
        record.extend(bytes);
        record
    }

    fn head(token: u64, kind: u32) -> Vec<u8> {
        let mut record = vec![0; 8];
        record.extend(token.to_ne_bytes());
        record.extend(kind.to_ne_bytes());
        record.extend(0u32.to_ne_bytes());
        record
    }

    fn begin(token: u64, exec_id: i64) -> Vec<u8> {
        let mut record = head(token, 1);
        record.extend(exec_id.to_ne_bytes());
        record.extend([0; 16]);
        (0..8u32).for_each(|f| record.extend(f.to_ne_bytes()));
        record.extend(*b"bash\0\0\0\0\0\0\0\0\0\0\0\0");
        record.extend(3i32.to_ne_bytes());
        record.extend([0; 4]);
        record.extend(b"ls\0");
        record.extend([0; 4093]);
        record
    }

    fn end(token: u64, result: i32) -> Vec<u8> {
        let mut record = head(token, 4);
        record.extend(5u64.to_ne_bytes());
        record.extend(result.to_ne_bytes());
        record.extend([0; 20]);
        record
    }

    fn whole(collector: &mut Collector, records: &[Vec<u8>]) -> Exec {
        let (last, first) = records.split_last().unwrap();
        for record in first {
            assert_eq!(collector.take(record), None);
        }
        collector.take(last).expect("it is over")
    }

    #[test]
    fn mixed_execs() {
        let mut collector = Collector::default();
        assert_eq!(collector.take(&piece(1, 0, 9, 0, b"ls\0-")), None);
        assert_eq!(collector.take(&piece(2, 0, 9, 0, b"a\0b\0")), None);
        assert_eq!(collector.take(&piece(1, 4, 9, 1, b"l\0A=\0")), None);
        assert_eq!(collector.take(&begin(11, 1)), None);
        assert_eq!(collector.take(&piece(2, 4, 9, 1, b"C=\xff1\0")), None);
        assert_eq!(collector.take(&begin(12, 2)), None);
        let second = collector.take(&end(12, -13)).unwrap();
        let first = collector.take(&end(11, 0)).unwrap();
        assert_eq!(first.strings.state, State::Whole);
        assert_eq!(first.strings.arguments, [b"ls".to_vec(), b"-l".to_vec()]);
        assert_eq!(first.strings.environment, [b"A=".to_vec()]);
        assert_eq!(first.begin.unwrap().comm, b"bash");
        assert_eq!(second.strings.environment, [b"C=\xff1".to_vec()]);
        assert_eq!(second.end.unwrap().result, -13);
        assert!(collector.dumps.is_empty() && collector.pending.is_empty());
    }

    #[test]
    fn nothing_is_made_up() {
        let state = |records: &[Vec<u8>]| {
            let exec = whole(&mut Collector::default(), records);
            assert!(exec.strings.arguments.is_empty());
            exec.strings.state
        };
        let area = b"a\0b\0c\0";
        // The end of it, its middle, all of it, what names it.
        assert_eq!(
            state(&[piece(1, 0, 6, 0, area), begin(1, 1), end(1, 0)]),
            State::Lost
        );
        assert_eq!(
            state(&[
                piece(1, 0, 6, 0, b"a"),
                piece(1, 3, 6, 1, b"\0c\0"),
                begin(1, 1),
                end(1, 0)
            ]),
            State::Lost
        );
        assert_eq!(state(&[begin(1, 1), end(1, 0)]), State::Lost);
        assert_eq!(state(&[piece(1, 0, 6, 1, area), end(1, 0)]), State::Lost);
        assert_eq!(state(&[begin(1, -28), end(1, 0)]), State::Lost);
        assert_eq!(state(&[begin(1, -4), end(1, -4)]), State::Unreadable(4));
        assert_eq!(state(&[begin(1, 0), end(1, -2)]), State::Unseen);
    }

    #[test]
    fn ends_that_do_not_come() {
        let mut collector = Collector::default();
        collector.take(&piece(1, 0, 6, 1, b"a\0b\0c\0"));
        collector.take(&begin(1, 1));
        assert_eq!(collector.expire(2), []);
        let expired = collector.expire(2);
        assert_eq!(expired.len(), 1);
        assert_eq!(
            (expired[0].end.clone(), expired[0].strings.state),
            (None, State::Whole)
        );
        assert_eq!(collector.expire(0), []);
    }

    #[test]
    fn dumps_that_nothing_names() {
        let mut collector = Collector::default();
        collector.take(&piece(1, 0, 600, 0, b"a\0"));
        (1..DUMP_AGE).for_each(|_| drop(collector.expire(u64::MAX)));
        assert_eq!(collector.dumps.len(), 1);
        collector.expire(u64::MAX);
        assert_eq!(collector.dumps.len(), 0);
    }

    #[test]
    fn strings_that_were_changed() {
        let mut collector = Collector::default();
        let exec = whole(
            &mut collector,
            &[piece(1, 0, 8, 1, b"a\0b\0c\0d\0"), begin(1, 1), end(1, 0)],
        );
        assert!(exec.strings.changed);
        assert_eq!(
            (exec.strings.arguments.len(), exec.strings.environment.len()),
            (2, 1)
        );
        // Empty strings are strings.
        let exec = whole(
            &mut collector,
            &[piece(2, 0, 3, 1, b"\0\0\0"), begin(2, 2), end(2, 0)],
        );
        assert_eq!(exec.strings.arguments, [b"".to_vec(), b"".to_vec()]);
        assert_eq!(exec.strings.environment, [b"".to_vec()]);
        assert!(!exec.strings.changed);
    }
}
