// SPDX-License-Identifier: GPL-2.0

//! BPF maps that carry records to user space.
//!
//! C header: [`include/linux/bpf.h`](srctree/include/linux/bpf.h)

use crate::{bindings, error::to_result, prelude::*, types::Opaque};

/// A BPF map.
///
/// # Invariants
///
/// The map is complete, and lives as long as the reference.
#[repr(transparent)]
pub struct Map(Opaque<bindings::bpf_map>);

impl Map {
    /// Creates a reference to a map.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a map that lives for `'a`.
    pub unsafe fn from_raw<'a>(ptr: *const bindings::bpf_map) -> &'a Self {
        // SAFETY: The caller passes a map that lives for `'a`; `Self` is transparent.
        unsafe { &*ptr.cast() }
    }

    fn kind(&self) -> bindings::bpf_map_type {
        // SAFETY: By the type invariant, the map is complete; its type does not change.
        unsafe { (*self.0.get()).map_type }
    }

    /// Returns the map as a ring buffer. [`None`] if it has another type.
    pub fn ring_buffer(&self) -> Option<RingBuffer<'_>> {
        (self.kind() == bindings::bpf_map_type_BPF_MAP_TYPE_RINGBUF).then_some(RingBuffer(self))
    }

    /// Returns the map as an array of perf events. [`None`] if it has another type.
    pub fn perf_events(&self) -> Option<PerfEvents<'_>> {
        (self.kind() == bindings::bpf_map_type_BPF_MAP_TYPE_PERF_EVENT_ARRAY)
            .then_some(PerfEvents(self))
    }
}

/// A ring buffer: a map of type `BPF_MAP_TYPE_RINGBUF`.
///
/// # Invariants
///
/// The map has type `BPF_MAP_TYPE_RINGBUF`.
pub struct RingBuffer<'a>(&'a Map);

impl<'a> RingBuffer<'a> {
    /// Reserves a record of `len` bytes. Any context.
    ///
    /// Fails with [`ENOSPC`] if the buffer is full, or if its lock cannot be acquired because of
    /// contention.
    pub fn reserve(&self, len: usize) -> Result<Record<'a>> {
        let reserve = helper(&raw const bindings::bpf_ringbuf_reserve_proto)?;
        // SAFETY: By the type invariant this is a ring buffer. The helper takes a map, a size and
        // flags, which are 0.
        let ptr = unsafe { reserve(self.0 .0.get() as u64, len as u64, 0, 0, 0) } as *mut u8;
        if ptr.is_null() {
            return Err(ENOSPC);
        }
        // INVARIANT: The record was just reserved.
        Ok(Record {
            ptr,
            len,
            _map: self.0,
        })
    }
}

/// A reserved record of a ring buffer, not submitted yet. Dropping it discards it.
///
/// # Invariants
///
/// `ptr` is a reserved record of `len` bytes. Only the owner of the value writes to it.
pub struct Record<'a> {
    ptr: *mut u8,
    len: usize,
    _map: &'a Map,
}

impl Record<'_> {
    /// Returns the record's memory, with the content of earlier records. User space can read it.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: By the type invariant, only the owner of the value writes these bytes. The
        // buffer was zeroed when it was allocated, and user space maps records read-only.
        unsafe { core::slice::from_raw_parts_mut(self.ptr, self.len) }
    }

    /// Returns the size of the record in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the record has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Submits the record to user space. `flags` are those of `bpf_ringbuf_submit()`. Any context.
    pub fn submit(self, flags: u64) -> Result {
        let submit = helper(&raw const bindings::bpf_ringbuf_submit_proto)?;
        let me = core::mem::ManuallyDrop::new(self);

        // SAFETY: By the type invariant `ptr` is a reserved record. The value is not dropped, so
        // the record is submitted once.
        unsafe { submit(me.ptr as u64, flags, 0, 0, 0) };
        Ok(())
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if let Ok(discard) = helper(&raw const bindings::bpf_ringbuf_discard_proto) {
            // SAFETY: By the type invariant `ptr` is a reserved record, which is not used again.
            unsafe { discard(self.ptr as u64, 0, 0, 0, 0) };
        }
    }
}

/// Perf events that programs write to: a map of type `BPF_MAP_TYPE_PERF_EVENT_ARRAY`.
///
/// # Invariants
///
/// The map has type `BPF_MAP_TYPE_PERF_EVENT_ARRAY`.
pub struct PerfEvents<'a>(&'a Map);

impl PerfEvents<'_> {
    /// Writes a record to the event that `flags` select, like `bpf_perf_event_output()`.
    ///
    /// Fails with [`ENOSPC`] if the event's buffer is full, and like the helper if there is no
    /// event. Any context.
    pub fn output(&self, flags: u64, record: &[u8]) -> Result {
        // SAFETY: By the type invariant this is an array of perf events. The function only reads
        // the record, and looks up the event in its own critical section.
        let ret = unsafe {
            bindings::bpf_event_output(
                self.0 .0.get(),
                flags,
                record.as_ptr().cast_mut().cast(),
                record.len() as u64,
                core::ptr::null_mut(),
                0,
                None,
            )
        };
        to_result(ret as c_int)
    }
}

type Helper = unsafe extern "C" fn(u64, u64, u64, u64, u64) -> u64;

/// Returns the function of a BPF helper.
fn helper(proto: *const bindings::bpf_func_proto) -> Result<Helper> {
    // SAFETY: Only called with prototypes that are static and constant.
    unsafe { (*proto).func }.ok_or(ENOSYS)
}
