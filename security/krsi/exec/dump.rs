// SPDX-License-Identifier: GPL-2.0

//! Sends the arguments and the environment of a program to user space, in records.

use super::{scan::copy_counting, strings::Strings};
use kernel::{
    bindings,
    binprm::Binprm,
    bpf::map::{PerfEvents, Record, RingBuffer},
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};

/// Limit on the bytes of a record after its header.
const PIECE: usize = bindings::KRSI_EXEC_RECORD_MAX as usize - HEADER;
const HEADER: usize = size_of::<Header>();

type Header = bindings::krsi_exec_record;

/// The id of the newest dump.
static NEWEST: Atomic<u64> = Atomic::new(0);

/// The number of dumps that were truncated.
static LOST: Atomic<u64> = Atomic::new(0);

/// Returns the number of dumps that were truncated because a buffer was full.
pub(crate) fn dumps_lost() -> u64 {
    LOST.load(Relaxed)
}

/// The destination of the records of a dump.
pub(super) trait Sink {
    /// Sends a record of `len` bytes that `fill` writes.
    fn record(&mut self, len: usize, fill: &mut dyn FnMut(&mut [u8]) -> Result) -> Result;
}

/// Sends all arguments and environment strings. Returns the id of the dump.
pub(super) fn dump(bprm: &Binprm, sink: &mut dyn Sink) -> Result<u64> {
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
        // Sleep now, not while a record is reserved in a buffer that other CPUs use.
        strings.reader.hold(addr, len, end - addr)?;

        let mut fill = |record: &mut [u8]| {
            let (header, piece) = record.split_at_mut(HEADER);
            let mut done = 0;
            while done < len {
                let chunk = strings.reader.at(addr + done)?;
                let part = chunk.len().min(len - done);
                seen += copy_counting(&mut piece[done..done + part], &chunk[..part]);
                done += part;
            }
            if addr + len == end
                && (seen >= strings.count
                    || flags & bindings::krsi_exec_flags_KRSI_EXEC_CHANGED != 0)
            {
                flags |= bindings::krsi_exec_flags_KRSI_EXEC_LAST;
            }
            let fields = Header {
                exec_id: id,
                offset: (addr - start) as u64,
                total: (end - start) as u64,
                argc: bprm.argc(),
                envc: bprm.envc(),
                flags,
                len: len as u32,
            };
            // SAFETY: `header` has that size. An unaligned write needs no alignment.
            unsafe { header.as_mut_ptr().cast::<Header>().write_unaligned(fields) };
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
pub(super) struct Ring<'a> {
    ring: RingBuffer<'a>,
    flags: u64,
}

impl<'a> Ring<'a> {
    pub(super) fn new(ring: RingBuffer<'a>, flags: u64) -> Result<Self> {
        let known = bindings::BPF_RB_NO_WAKEUP | bindings::BPF_RB_FORCE_WAKEUP;
        if flags & !u64::from(known) != 0 {
            return Err(EINVAL);
        }
        Ok(Self { ring, flags })
    }
}

impl Sink for Ring<'_> {
    fn record(&mut self, len: usize, fill: &mut dyn FnMut(&mut [u8]) -> Result) -> Result {
        let mut record: Record<'_> = self.ring.reserve(len)?;
        fill(record.as_mut_slice())?;
        record.submit(self.flags)
    }
}

/// A dump to a perf event, with a buffer for one record.
pub(super) struct Events<'a> {
    events: PerfEvents<'a>,
    flags: u64,
    record: KVec<u8>,
}

impl<'a> Events<'a> {
    pub(super) fn new(events: PerfEvents<'a>, flags: u64) -> Result<Self> {
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
    fn record(&mut self, len: usize, fill: &mut dyn FnMut(&mut [u8]) -> Result) -> Result {
        let record = &mut self.record[..len];

        fill(record)?;
        self.events.output(self.flags, record)
    }
}
