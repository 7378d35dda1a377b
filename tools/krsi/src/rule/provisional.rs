// SPDX-License-Identifier: GPL-2.0

//! Policies that end by themselves unless they are confirmed.
//!
//! A provisional policy may deny whatever a process would need to bring the old one back. So no
//! process does: the programs on the hooks compare the clock with the policy's deadline, and go on
//! in the old policy after it. That is kept loaded until then.
//!
//! The generation has [`FLAG`] set while its policy is provisional. Deadline and old generation are
//! in a map of their own, in the entry of the policy's place. An entry is not written while its
//! policy is in force, so that no program reads half of it.

use super::asm::{Asm, If, Label, Size, R};
use crate::kernel::bpf::Map;
use libbpf_rs::libbpf_sys as sys;
use rustix::time::{clock_gettime, ClockId};
use std::{io, time::Duration};

/// The name of the map in programs, and of its pin.
pub const MAP: &str = "provisional";

/// Set in the number of a generation that is provisional.
pub const FLAG: u32 = 1 << 31;

const ENTRY_SIZE: usize = 16;
const ENTRY_SHIFT: i32 = ENTRY_SIZE.ilog2() as i32;
const DEADLINE: i16 = 0;
const OLD: i16 = 8;

/// The size of the map's only value.
pub const fn size(places: u32) -> usize {
    places as usize * ENTRY_SIZE
}

/// When a policy ends, and which generation follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Time since boot, with the time that the machine was suspended.
    pub deadline: Duration,
    pub old: u32,
}

impl Entry {
    /// How much time is left; none if the old policy is in force again.
    pub fn left(&self, now: Duration) -> Option<Duration> {
        self.deadline
            .checked_sub(now)
            .filter(|left| !left.is_zero())
    }

    fn to_bytes(self) -> [u8; ENTRY_SIZE] {
        let mut bytes = [0; ENTRY_SIZE];
        let deadline = u64::try_from(self.deadline.as_nanos()).unwrap_or(u64::MAX);
        bytes[..8].copy_from_slice(&deadline.to_ne_bytes());
        bytes[8..12].copy_from_slice(&self.old.to_ne_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let deadline = bytes.get(..8)?.try_into().ok()?;
        let old = bytes.get(8..12)?.try_into().ok()?;
        Some(Self {
            deadline: Duration::from_nanos(u64::from_ne_bytes(deadline)),
            old: u32::from_ne_bytes(old),
        })
    }
}

/// Returns CLOCK_BOOTTIME, which deadlines are of.
pub fn now() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(
        now.tv_sec.try_into().unwrap_or(0),
        now.tv_nsec.try_into().unwrap_or(0),
    )
}

/// Reads the entry of a place.
pub fn read(map: &Map, place: u32) -> io::Result<Option<Entry>> {
    let value = map.lookup(&0u32.to_ne_bytes())?.unwrap_or_default();
    let at = place as usize * ENTRY_SIZE;
    Ok(value.get(at..).and_then(Entry::from_bytes))
}

/// Writes the entry of a place, whose policy is not in force.
pub fn write(map: &Map, place: u32, entry: Entry) -> io::Result<()> {
    let key = 0u32.to_ne_bytes();
    let mut value = map.lookup(&key)?.unwrap_or_default();
    let at = place as usize * ENTRY_SIZE;
    let slot = value
        .get_mut(at..at + ENTRY_SIZE)
        .ok_or_else(|| io::Error::other("the map of provisional policies has another size"))?;
    slot.copy_from_slice(&entry.to_bytes());
    map.update(&key, &value)
}

/// Emits what replaces the number of a provisional generation in a register by that of the policy
/// in force, and goes to `back`. The register must be one that calls preserve.
pub fn emit(asm: &mut Asm, generation: R, places: u32, back: Label) {
    let (now, place, entry, deadline) = (R(0), R(1), R(2), R(3));
    asm.helper(sys::BPF_FUNC_ktime_get_boot_ns);
    asm.mov(place, generation);
    asm.and(place, places as i32 - 1);
    asm.shl(place, ENTRY_SHIFT);
    asm.value(entry, MAP, 0);
    asm.add_with(entry, place);
    asm.load(Size::U64, deadline, entry, DEADLINE);
    asm.near_if_reg(If::Less, now, deadline, back);
    asm.load(Size::U32, generation, entry, OLD);
    asm.jump(back);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_they_were_written() {
        let entry = Entry {
            deadline: Duration::from_nanos(u64::from(u32::MAX) * 7),
            old: 0x7fff_0001,
        };
        assert_eq!(Entry::from_bytes(&entry.to_bytes()), Some(entry));
        assert_eq!(Entry::from_bytes(&[0; 11]), None);
    }

    #[test]
    fn a_policy_ends_at_its_deadline() {
        let entry = Entry {
            deadline: Duration::from_secs(60),
            old: 1,
        };
        let left = |now| entry.left(Duration::from_secs(now));
        assert_eq!(left(59), Some(Duration::from_secs(1)));
        assert_eq!(left(60), None);
        assert_eq!(left(61), None);
    }
}
