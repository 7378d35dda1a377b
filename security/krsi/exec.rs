// SPDX-License-Identifier: GPL-2.0

//! What programs can ask about a program that is about to run: its arguments and its environment.
//!
//! The bodies of the kfuncs in `kernel/bpf/krsi_exec.c`, which describe them. What they read was
//! copied from user space already, and nobody can change it any more.
//!
//! While it was copied, another task could: a string's NUL can have gone, and there can be others.
//! So the strings are told apart as `execve()` will tell them apart for the program, by walking
//! from the first: what a policy sees is what the program gets, wherever the strings end.

use kernel::{
    bindings,
    binprm::{Binprm, Reader, Stack},
    bpf::map::{Map, PerfEvents, Record, RingBuffer},
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};

/// What a record has room for after its header.
const PIECE: usize = bindings::KRSI_EXEC_RECORD_MAX as usize - HEADER;
const HEADER: usize = size_of::<bindings::krsi_exec_record>();

/// The id of the newest dump.
static NEWEST: Atomic<u64> = Atomic::new(0);

/// See [`dumps_lost`].
static LOST: Atomic<u64> = Atomic::new(0);

/// How many dumps were cut short because a buffer was full.
pub(crate) fn dumps_lost() -> u64 {
    LOST.load(Relaxed)
}

/// See `krsi_bprm_read()`.
///
/// # Safety
///
/// `bprm` must be the argument of the hook that the current task is in, one that comes before
/// `bprm_committing_creds`, and `size` bytes at `dst` must be a BPF program's to write.
#[export]
pub(crate) unsafe extern "C" fn krsi_exec_read(
    bprm: *const bindings::linux_binprm,
    off: u64,
    dst: *mut c_void,
    size: u32,
) -> i64 {
    // SAFETY: By the safety requirements.
    let (bprm, mut dst) = unsafe { (Binprm::from_raw(bprm), Output::new(dst, size)) };

    let result = Strings::new(bprm).and_then(|mut strings| strings.read(off, &mut dst));
    dst.finish(result)
}

/// See `krsi_bprm_arg()`.
///
/// # Safety
///
/// As [`krsi_exec_read`].
#[export]
pub(crate) unsafe extern "C" fn krsi_exec_arg(
    bprm: *const bindings::linux_binprm,
    index: u32,
    dst: *mut c_void,
    size: u32,
) -> i64 {
    // SAFETY: By the safety requirements.
    let (bprm, mut dst) = unsafe { (Binprm::from_raw(bprm), Output::new(dst, size)) };

    let result = Strings::new(bprm).and_then(|mut strings| strings.arg(index, &mut dst));
    dst.finish(result)
}

/// See `krsi_bprm_env()`.
///
/// # Safety
///
/// As [`krsi_exec_read`], and `name` must be a C string that does not change.
#[export]
pub(crate) unsafe extern "C" fn krsi_exec_env(
    bprm: *const bindings::linux_binprm,
    name: *const c_char,
    dst: *mut c_void,
    size: u32,
) -> i64 {
    // SAFETY: By the safety requirements.
    let (bprm, mut dst) = unsafe { (Binprm::from_raw(bprm), Output::new(dst, size)) };
    // SAFETY: By the safety requirements.
    let name = unsafe { CStr::from_char_ptr(name) }.to_bytes();

    let result = Strings::new(bprm).and_then(|mut strings| strings.env(name, &mut dst));
    dst.finish(result)
}

/// See `krsi_bprm_dump()`.
///
/// # Safety
///
/// As [`krsi_exec_read`], and `map` must be a map that the program has a reference to.
#[export]
pub(crate) unsafe extern "C" fn krsi_exec_dump(
    bprm: *const bindings::linux_binprm,
    map: *mut bindings::bpf_map,
    flags: u64,
) -> i64 {
    // SAFETY: By the safety requirements.
    let (bprm, map) = unsafe { (Binprm::from_raw(bprm), Map::from_raw(map)) };

    let result = if let Some(ring) = map.ring_buffer() {
        Ring::new(ring, flags).and_then(|mut ring| dump(bprm, &mut ring))
    } else if let Some(events) = map.perf_events() {
        Events::new(events, flags).and_then(|mut events| dump(bprm, &mut events))
    } else {
        Err(EINVAL)
    };
    result.map_or_else(|e| e.to_errno().into(), |id| id as i64)
}

/// Memory that a BPF program wants filled.
///
/// # Invariants
///
/// `size` bytes at `ptr` can be written. Others may write them too, if the memory is a map's.
struct Output {
    ptr: *mut u8,
    size: usize,
}

impl Output {
    /// # Safety
    ///
    /// `size` bytes at `ptr` must be a BPF program's to write.
    unsafe fn new(ptr: *mut c_void, size: u32) -> Self {
        // INVARIANT: By the safety requirements.
        Self {
            ptr: ptr.cast(),
            size: size as usize,
        }
    }

    /// Writes what fits of `bytes` at `offset`.
    fn put(&mut self, offset: usize, bytes: &[u8]) {
        if offset < self.size {
            let len = bytes.len().min(self.size - offset);
            // SAFETY: By the type invariant, and `offset + len` is in the memory, which no page of
            // the new program is in.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.ptr.add(offset), len) };
        }
    }

    /// Ends a string that has `len` bytes, or as many as fit.
    fn terminate(&mut self, len: usize) {
        if self.size > 0 {
            self.put(len.min(self.size - 1), &[0]);
        }
    }

    /// The value that the kfunc returns. What was written before an error must not pass for data.
    fn finish(self, result: Result<usize>) -> i64 {
        match result {
            Ok(len) => len as i64,
            Err(e) => {
                // SAFETY: By the type invariant.
                unsafe { core::ptr::write_bytes(self.ptr, 0, self.size) };
                e.to_errno().into()
            }
        }
    }
}

/// The arguments and the environment of a program that is about to run.
struct Strings<'a> {
    reader: Reader<'a>,
    stack: Stack<'a>,
    argc: u64,
    count: u64,
}

impl<'a> Strings<'a> {
    fn new(bprm: &'a Binprm) -> Result<Self> {
        let stack = bprm.stack().ok_or(ESRCH)?;
        let argc = u64::from(bprm.argc());

        Ok(Self {
            reader: stack.reader(),
            stack,
            argc,
            count: argc + u64::from(bprm.envc()),
        })
    }

    /// The address after `count` strings from `addr` on.
    ///
    /// Fails with [`EILSEQ`] if the stack ends before. The program cannot run then.
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

    /// The end of the strings, or of the stack if the strings do not end.
    ///
    /// `addr` is an address up to which there are `seen` NULs.
    fn end(&mut self, addr: usize, seen: u64) -> Result<usize> {
        let end = match self.skip(addr, self.count.saturating_sub(seen)) {
            Err(e) if e == EILSEQ => self.stack.end(),
            end => end?,
        };
        // With more NULs than strings, the bytes after the strings are there all the same.
        Ok(end.max(self.stack.name()))
    }

    fn read(&mut self, off: u64, dst: &mut Output) -> Result<usize> {
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

    fn arg(&mut self, index: u32, dst: &mut Output) -> Result<usize> {
        let index = u64::from(index);
        if index >= self.argc {
            return Err(ENOENT);
        }
        let addr = self.skip(self.stack.start(), index)?;
        self.string(addr, dst)
    }

    fn env(&mut self, name: &[u8], dst: &mut Output) -> Result<usize> {
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

    /// Copies the string at `addr`; returns its length with the NUL.
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

/// Where the records of a dump go.
trait Sink {
    /// Sends a record that `fill` writes into memory of `len` bytes.
    fn record(&mut self, len: usize, fill: &mut dyn FnMut(*mut u8) -> Result) -> Result;
}

/// Sends all that [`Strings`] has.
fn dump(bprm: &Binprm, sink: &mut dyn Sink) -> Result<u64> {
    let mut strings = Strings::new(bprm)?;
    let id = NEWEST.fetch_add(1, Relaxed) + 1;

    let start = strings.stack.start();
    let mut end = strings.stack.name();
    let mut addr = start;
    let mut seen = 0;
    let mut flags = 0;
    if bprm.is_check() {
        flags |= bindings::krsi_exec_flags_KRSI_EXEC_CHECK;
    }

    while flags & bindings::krsi_exec_flags_KRSI_EXEC_LAST == 0 {
        let len = PIECE.min(end - addr);
        // Sleep now, and not with half a record in a buffer that others use.
        strings.reader.hold(addr, len, end - addr)?;

        let mut fill = |record: *mut u8| {
            let mut done = 0;
            while done < len {
                let chunk = strings.reader.at(addr + done)?;
                let part = chunk.len().min(len - done);
                // SAFETY: The record has that much memory after its header.
                seen += unsafe { copy_counting(record.add(HEADER + done), &chunk[..part]) };
                done += part;
            }
            if addr + len == end
                && (seen >= strings.count
                    || flags & bindings::krsi_exec_flags_KRSI_EXEC_CHANGED != 0)
            {
                flags |= bindings::krsi_exec_flags_KRSI_EXEC_LAST;
            }
            let header = bindings::krsi_exec_record {
                exec_id: id,
                offset: (addr - start) as u64,
                total: (end - start) as u64,
                argc: bprm.argc(),
                envc: bprm.envc(),
                flags,
                len: len as u32,
            };
            // SAFETY: The record has room for its header, aligned or not.
            unsafe {
                record
                    .cast::<bindings::krsi_exec_record>()
                    .write_unaligned(header)
            };
            Ok(())
        };
        let sent = sink.record(HEADER + len, &mut fill);
        if let Err(e) = sent {
            if e == ENOSPC {
                LOST.fetch_add(1, Relaxed);
            }
            return Err(e);
        }

        addr += len;
        if addr == end && flags & bindings::krsi_exec_flags_KRSI_EXEC_LAST == 0 {
            end = strings.end(addr, seen)?;
            flags |= bindings::krsi_exec_flags_KRSI_EXEC_CHANGED;
        }
    }
    Ok(id)
}

/// A dump to a ring buffer.
struct Ring<'a> {
    ring: RingBuffer<'a>,
    flags: u64,
}

impl<'a> Ring<'a> {
    fn new(ring: RingBuffer<'a>, flags: u64) -> Result<Self> {
        let known = bindings::BPF_RB_NO_WAKEUP | bindings::BPF_RB_FORCE_WAKEUP;
        if flags & !u64::from(known) != 0 {
            return Err(EINVAL);
        }
        Ok(Self { ring, flags })
    }
}

impl Sink for Ring<'_> {
    fn record(&mut self, len: usize, fill: &mut dyn FnMut(*mut u8) -> Result) -> Result {
        let mut record: Record<'_> = self.ring.reserve(len)?;
        fill(record.as_mut_ptr())?;
        record.submit(self.flags)
    }
}

/// A dump to a perf event, by way of memory for one record.
struct Events<'a> {
    events: PerfEvents<'a>,
    flags: u64,
    record: KVec<u8>,
}

impl<'a> Events<'a> {
    fn new(events: PerfEvents<'a>, flags: u64) -> Result<Self> {
        if flags & !(bindings::BPF_F_INDEX_MASK as u64) != 0 {
            return Err(EINVAL);
        }
        Ok(Self {
            events,
            flags,
            record: KVec::from_elem(0, HEADER + PIECE, GFP_KERNEL)?,
        })
    }
}

impl Sink for Events<'_> {
    fn record(&mut self, len: usize, fill: &mut dyn FnMut(*mut u8) -> Result) -> Result {
        fill(self.record.as_mut_ptr())?;
        self.events.output(self.flags, &self.record[..len])
    }
}

/// What a word is looked at in.
const WORD: usize = size_of::<u64>();
/// A word of which each byte is 1.
const ONES: u64 = u64::MAX / 0xff;

/// The first NUL of `bytes`.
fn find_nul(bytes: &[u8]) -> Option<usize> {
    let words = bytes.chunks_exact(WORD);
    let rest = words.remainder();

    for (i, bytes) in words.enumerate() {
        let word = u64::from_le_bytes(word(bytes));
        // The lowest bit that is set is in the first byte that is 0.
        let nuls = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if nuls != 0 {
            return Some(i * WORD + nuls.trailing_zeros() as usize / 8);
        }
    }
    let nul = rest.iter().position(|byte| *byte == 0)?;
    Some(bytes.len() - rest.len() + nul)
}

/// The bytes of a word.
#[inline(always)]
fn word(bytes: &[u8]) -> [u8; WORD] {
    let mut word = [0; WORD];
    word.copy_from_slice(bytes);
    word
}

/// Passes over a number of strings that come in chunks: so many are left.
struct Skip(u64);

impl Skip {
    /// Passes over strings in `chunk`; returns how many bytes that took.
    fn feed(&mut self, chunk: &[u8]) -> usize {
        let mut used = 0;
        while self.0 > 0 {
            let Some(nul) = find_nul(&chunk[used..]) else {
                return chunk.len();
            };
            used += nul + 1;
            self.0 -= 1;
        }
        used
    }
}

/// Looks for a variable in an environment that comes in chunks.
struct Search<'a> {
    name: &'a [u8],
    /// How many strings there are yet, the current one included.
    left: u64,
    /// How much of the name the current string has begun with. [`None`] if it is another.
    matched: Option<usize>,
}

impl<'a> Search<'a> {
    fn new(name: &'a [u8], count: u64) -> Self {
        Self {
            name,
            left: count,
            matched: Some(0),
        }
    }

    /// Looks through `chunk`, no farther than to the beginning of a value or the end of the last
    /// string. Returns how many bytes that took, and whether a value begins there.
    fn feed(&mut self, chunk: &[u8]) -> (usize, bool) {
        let mut used = 0;
        while self.left > 0 && used < chunk.len() {
            match self.matched {
                Some(matched) if matched == self.name.len() => {
                    self.matched = None;
                    if chunk[used] == b'=' {
                        return (used + 1, true);
                    }
                }
                Some(matched) if chunk[used] == self.name[matched] => {
                    self.matched = Some(matched + 1);
                    used += 1;
                }
                Some(_) => self.matched = None,
                None => {
                    let Some(nul) = find_nul(&chunk[used..]) else {
                        return (chunk.len(), false);
                    };
                    used += nul + 1;
                    self.left -= 1;
                    self.matched = Some(0);
                }
            }
        }
        (used, false)
    }
}

/// Copies `src` to `dst` and returns how many NULs it has, without reading it twice.
///
/// # Safety
///
/// `src.len()` bytes at `dst` must be writable, and not in `src`.
unsafe fn copy_counting(dst: *mut u8, src: &[u8]) -> u64 {
    let (words, last) = src.split_at(src.len() - src.len() % WORD);
    let blocks = words.chunks_exact(BLOCK);
    let rest = blocks.remainder();
    let mut to = dst;
    let mut nuls = 0u64;
    // Where there was a NUL there are more: strings are long or short.
    let mut dense = false;

    for block in blocks {
        // SAFETY: By the safety requirements, here and below: `to` follows the bytes of `src`.
        if dense || unsafe { copy_block(to, block) } {
            // SAFETY: As above.
            let found = unsafe { copy_counting_words(to, block) };
            dense = found != 0;
            nuls = nuls.wrapping_add(found);
        }
        // SAFETY: As above.
        to = unsafe { to.add(BLOCK) };
    }
    // SAFETY: As above.
    unsafe {
        nuls = nuls.wrapping_add(copy_counting_words(to, rest));
        to = to.add(rest.len());
        for (i, byte) in last.iter().enumerate() {
            to.add(i).write(*byte);
            nuls = nuls.wrapping_add(u64::from(*byte == 0));
        }
    }
    nuls
}

/// What is copied between two looks for NULs.
const BLOCK: usize = 32 * WORD;

/// Copies words; returns whether there may be a NUL. If not, there is none.
///
/// # Safety
///
/// As [`copy_counting`].
#[inline(always)]
unsafe fn copy_block(dst: *mut u8, src: &[u8]) -> bool {
    let mut tops = 0;
    for (i, bytes) in src.chunks_exact(WORD).enumerate() {
        let word = u64::from_ne_bytes(word(bytes));
        // SAFETY: By the safety requirements; memory for BPF need not be aligned.
        unsafe { dst.add(i * WORD).cast::<u64>().write_unaligned(word) };
        // Taking 1 from each byte sets the top bit of one that is 0, and of few others.
        tops |= word.wrapping_sub(ONES);
    }
    tops & (ONES << 7) != 0
}

/// Copies words, at most a block; returns how many NULs they have.
///
/// # Safety
///
/// As [`copy_counting`].
#[inline(always)]
unsafe fn copy_counting_words(dst: *mut u8, src: &[u8]) -> u64 {
    const LOW: u64 = ONES * 0x7f;
    // A word of which each second byte is 255, and one of which each second byte is 1.
    const EVEN: u64 = u64::MAX / 0xffff * 0xff;
    const PAIRS: u64 = u64::MAX / 0xffff;

    // Each byte counts those at its place in the words that are not NUL.
    let mut others = 0u64;
    for (i, bytes) in src.chunks_exact(WORD).enumerate() {
        let word = u64::from_ne_bytes(word(bytes));
        // SAFETY: By the safety requirements; memory for BPF need not be aligned.
        unsafe { dst.add(i * WORD).cast::<u64>().write_unaligned(word) };
        let top = (word & LOW).wrapping_add(LOW) | word;
        others = others.wrapping_add((top >> 7) & ONES);
    }
    let pairs = (others & EVEN).wrapping_add((others >> 8) & EVEN);
    (src.len() as u64).wrapping_sub(pairs.wrapping_mul(PAIRS) >> (u64::BITS - 16))
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_exec)]
mod tests {
    use super::*;

    /// Each way to cut `bytes` in two.
    fn cuts(bytes: &[u8]) -> impl Iterator<Item = [&[u8]; 2]> {
        (0..=bytes.len()).map(|at| [&bytes[..at], &bytes[at..]])
    }

    #[test]
    fn a_nul_is_found_anywhere() {
        let mut bytes = [b'x'; 40];
        assert_eq!(find_nul(&bytes), None);
        assert_eq!(find_nul(&[]), None);
        for at in (0..bytes.len()).rev() {
            bytes[at] = 0;
            for from in 0..=at {
                assert_eq!(find_nul(&bytes[from..]), Some(at - from));
            }
        }
    }

    /// Where `count` strings end in `bytes`, if they do.
    fn skipped(chunks: [&[u8]; 2], count: u64) -> Option<usize> {
        let mut skip = Skip(count);
        let mut used = 0;
        for chunk in chunks {
            used += skip.feed(chunk);
        }
        (skip.0 == 0).then_some(used)
    }

    #[test]
    fn strings_are_passed_over() {
        for chunks in cuts(b"one\0\0three\0\0\0rest") {
            let ends = [0, 4, 5, 11, 12, 13];
            for (count, end) in ends.iter().enumerate() {
                assert_eq!(skipped(chunks, count as u64), Some(*end));
            }
            assert_eq!(skipped(chunks, 6), None);
            assert_eq!(skipped(chunks, u64::MAX), None);
        }
    }

    /// Where the values of `name` begin in `chunks`.
    fn values(chunks: [&[u8]; 2], name: &[u8], count: u64) -> [Option<usize>; 3] {
        let mut search = Search::new(name, count);
        let mut found = [None; 3];
        let mut next = 0;
        let mut base = 0;
        for chunk in chunks {
            let mut used = 0;
            while used < chunk.len() && search.left > 0 {
                let (n, value) = search.feed(&chunk[used..]);
                used += n;
                if value {
                    found[next] = Some(base + used);
                    next += 1;
                }
            }
            base += chunk.len();
        }
        found
    }

    #[test]
    fn variables_are_found_by_their_whole_name() {
        let env = b"PATHS=no\0PAT=no\0XPATH=no\0\0PATH\0=PATH=no\0PATH=yes\0PATH=\0A=PATH=no\0";
        for chunks in cuts(env) {
            assert_eq!(values(chunks, b"PATH", 9), [Some(45), Some(54), None]);
            // The strings end before the bytes do.
            assert_eq!(values(chunks, b"PATH", 7), [Some(45), None, None]);
            assert_eq!(values(chunks, b"PATH", 6), [None; 3]);
            assert_eq!(values(chunks, b"PATH", 0), [None; 3]);
            assert_eq!(values(chunks, b"PAT", 9), [Some(13), None, None]);
            assert_eq!(values(chunks, b"NONE", 9), [None; 3]);
        }
    }

    #[test]
    fn copies_are_whole_and_counts_are_right() {
        let mut src = [b'x'; 600];
        for (i, byte) in src.iter_mut().enumerate() {
            // What differs from NUL in one bit is none. In the middle there is no NUL at all.
            if !(200..520).contains(&i) {
                *byte = [0, 1, 0x80, 0, b'a', 0x7f, 0xff][i % 7];
            }
        }
        for from in [0, 1, 2, 3, 4, 5, 6, 7, 8, 200, 203] {
            for len in 0..=src.len() - from {
                let part = &src[from..from + len];
                let mut dst = [0xaau8; 601];
                // SAFETY: `dst` is larger than `part`.
                let nuls = unsafe { copy_counting(dst.as_mut_ptr(), part) };
                assert_eq!(nuls, part.iter().filter(|byte| **byte == 0).count() as u64);
                assert!(dst[..len] == *part && dst[len..].iter().all(|byte| *byte == 0xaa));
            }
        }
    }

    #[test]
    fn no_nul_is_overlooked() {
        let mut dst = [0; BLOCK];
        for byte in [1, 0x7f, 0x80, 0x81, 0xff] {
            // SAFETY: As large as the source, here and below.
            let nuls = unsafe { copy_counting(dst.as_mut_ptr(), &[byte; BLOCK]) };
            assert_eq!(nuls, 0);
            for at in 0..BLOCK {
                let mut src = [byte; BLOCK];
                src[at] = 0;
                // SAFETY: As above.
                assert!(unsafe { copy_block(dst.as_mut_ptr(), &src) });
                assert!(src == dst);
                // SAFETY: As above.
                assert_eq!(unsafe { copy_counting(dst.as_mut_ptr(), &src) }, 1);
            }
        }
        // SAFETY: As above.
        assert!(!unsafe { copy_block(dst.as_mut_ptr(), &[b'x'; BLOCK]) });
        // SAFETY: As above.
        let all = unsafe { copy_counting(dst.as_mut_ptr(), &[0; BLOCK]) };
        assert_eq!(all, BLOCK as u64);
    }
}
