// SPDX-License-Identifier: GPL-2.0

//! The arguments and the environment of a program, as a sequence of strings.

use super::{
    output::Output,
    scan::{find_nul, Find, Search, Skip},
};
use kernel::{
    bindings,
    binprm::{Binprm, Reader, Stack},
    prelude::*,
};

/// The arguments and the environment of a program that is about to run.
pub(super) struct Strings<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) stack: Stack<'a>,
    argc: u64,
    /// The number of arguments and environment strings.
    pub(super) count: u64,
}

impl<'a> Strings<'a> {
    pub(super) fn new(bprm: &'a Binprm) -> Result<Self> {
        let stack = bprm.stack().ok_or(ESRCH)?;
        let argc = u64::from(bprm.argc());

        Ok(Self {
            reader: stack.reader(),
            stack,
            argc,
            count: argc + u64::from(bprm.envc()),
        })
    }

    /// Returns the address after `count` strings that begin at `addr`.
    ///
    /// Fails with [`EILSEQ`] if the stack ends before. In this case the program cannot run.
    fn skip(&mut self, mut addr: usize, count: u64) -> Result<usize> {
        let mut skip = Skip(count);

        while skip.0 > 0 {
            let chunk = self.reader.at(addr)?;
            if chunk.is_empty() {
                return Err(EILSEQ);
            }
            addr += skip.feed(&chunk);
        }
        Ok(addr)
    }

    /// Returns the end of the strings, or of the stack if the strings do not end.
    ///
    /// `seen` is the number of NULs before `addr`.
    pub(super) fn end(&mut self, addr: usize, seen: u64) -> Result<usize> {
        let end = match self.skip(addr, self.count.saturating_sub(seen)) {
            Err(e) if e == EILSEQ => self.stack.end(),
            end => end?,
        };
        // If there are more NULs than strings, include the bytes up to the file name.
        Ok(end.max(self.stack.name()))
    }

    pub(super) fn read(&mut self, off: u64, dst: &mut Output) -> Result<usize> {
        let start = self.stack.start();
        let Some(from) = usize::try_from(off)
            .ok()
            .and_then(|off| start.checked_add(off))
        else {
            return Ok(0);
        };
        let mut end = self.stack.name();
        if dst.size > end.saturating_sub(from) {
            end = self.end(start, 0)?;
        }

        let want = dst.size.min(end.saturating_sub(from));
        let mut done = 0;
        while done < want {
            self.reader.hold(from + done, 1, want - done)?;
            let chunk = self.reader.at(from + done)?;
            let len = chunk.len().min(want - done);
            dst.put(done, &chunk[..len]);
            done += len;
        }
        Ok(done)
    }

    pub(super) fn arg(&mut self, index: u32, dst: &mut Output) -> Result<usize> {
        let index = u64::from(index);
        if index >= self.argc {
            return Err(ENOENT);
        }
        let addr = self.skip(self.stack.start(), index)?;
        self.string(addr, dst)
    }

    /// Copies the argument at `cursor`. Returns its length including the NUL, and the next
    /// position.
    ///
    /// Fails with [`EINVAL`] if the cursor is not at the beginning of a string, or is of another
    /// area. A forged cursor at the beginning of a string misleads only the program that made it.
    pub(super) fn next_arg(&mut self, cursor: Cursor, dst: &mut Output) -> Result<(usize, Cursor)> {
        let start = self.stack.start();
        let addr = usize::try_from(cursor.off)
            .ok()
            .and_then(|off| start.checked_add(off))
            .ok_or(EINVAL)?;

        if cursor.index == 0 {
            if cursor.off != 0 {
                return Err(EINVAL);
            }
        } else if cursor.start != start as u32
            || addr <= start
            || self.reader.at(addr - 1)?.first() != Some(&0)
        {
            return Err(EINVAL);
        }
        if u64::from(cursor.index) >= self.argc {
            return Err(ENOENT);
        }
        let len = self.string(addr, dst)?;
        let next = Cursor {
            off: cursor.off + len as u64,
            index: cursor.index + 1,
            start: start as u32,
        };
        Ok((len, next))
    }

    /// Returns the number of the first argument, from `from` on, that equals `text`, or begins with
    /// it if `prefix` is true.
    pub(super) fn find_arg(&mut self, from: u32, text: &[u8], prefix: bool) -> Result<u64> {
        let from = u64::from(from);
        if from >= self.argc {
            return Err(ENOENT);
        }
        let mut addr = self.skip(self.stack.start(), from)?;
        let mut find = Find::new(text, prefix, self.argc - from);

        while find.left > 0 {
            let chunk = self.reader.at(addr)?;
            if chunk.is_empty() {
                return Err(EILSEQ);
            }
            let (used, found) = find.feed(&chunk);
            if found {
                return Ok(self.argc - find.left);
            }
            addr += used;
        }
        Err(ENOENT)
    }

    pub(super) fn env(&mut self, name: &[u8], dst: &mut Output) -> Result<usize> {
        if name.is_empty() || name.contains(&b'=') {
            return Err(EINVAL);
        }
        let mut addr = self.skip(self.stack.start(), self.argc)?;
        let mut search = Search::new(name, self.count - self.argc);
        let mut value = None;

        while search.left > 0 {
            let chunk = self.reader.at(addr)?;
            if chunk.is_empty() {
                return Err(EILSEQ);
            }
            let (used, found) = search.feed(&chunk);
            addr += used;
            if found && value.replace(addr).is_some() {
                return Err(ENOTUNIQ);
            }
        }
        self.string(value.ok_or(ENOENT)?, dst)
    }

    /// Copies the string at `addr`. Returns its length including the NUL.
    fn string(&mut self, addr: usize, dst: &mut Output) -> Result<usize> {
        let mut len = 0;
        loop {
            let chunk = self.reader.at(addr + len)?;
            if chunk.is_empty() {
                return Err(EILSEQ);
            }
            let nul = find_nul(&chunk);
            let part = &chunk[..nul.unwrap_or(chunk.len())];
            dst.put(len, part);
            len += part.len();
            if nul.is_some() {
                dst.terminate(len);
                return Ok(len + 1);
            }
        }
    }
}

/// The position of a program in the arguments: `struct krsi_arg_cursor`.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    /// Offset of the next argument in the area.
    off: u64,
    /// Number of the next argument. If 0, `start` is ignored.
    index: u32,
    /// The lower half of the area's address, which differs if the strings have another total
    /// length.
    start: u32,
}

impl Cursor {
    pub(super) fn from_raw(raw: bindings::krsi_arg_cursor) -> Self {
        Self {
            off: raw.off,
            index: raw.index,
            start: raw.start,
        }
    }

    pub(super) fn into_raw(self) -> bindings::krsi_arg_cursor {
        bindings::krsi_arg_cursor {
            off: self.off,
            index: self.index,
            start: self.start,
        }
    }
}
