// SPDX-License-Identifier: GPL-2.0

//! Claims and releases of slots, by user space and by boot programs.

use super::{
    claim::{Claim, Owner},
    class::Class,
    index, inherit,
    parse::Command,
    space,
    table::{Slot, Table},
    xattr,
};
use kernel::{
    bindings, fmt,
    prelude::*,
    seq_file::{seq_print, SeqFile},
    str::BStr,
};

kernel::sync::global_lock! {
    /// All slots. The locks of the jump label code nest inside.
    // SAFETY: Initialised by `init` before first use.
    unsafe(uninit) static TABLE: Mutex<Table> = Table::new();
}

/// Called once, by KRSI's initialiser.
pub(super) fn init() {
    // SAFETY: Called once.
    unsafe { TABLE.init() };
}

/// Grants a claim within the reserved bytes. Returns the slot, and whether it is new.
///
/// May sleep. Errors are those of [`Table::claim`].
fn claim_in<'a>(table: &'a mut Table, claim: &Claim, owner: Owner) -> Result<(&'a Slot, bool)> {
    // SAFETY: An FFI call with no additional requirements.
    let nonce = unsafe { bindings::get_random_u32() };
    let reserved = Class::ALL.map(space::reserved);

    table.claim(claim, owner, &reserved, space::max_xattrs(), nonce)
}

/// Claims a slot for a boot program, and returns its number. Programs cannot access the slot before
/// [`publish_boot`].
///
/// May sleep.
///
/// # Errors
///
/// As for [`command`]. `EEXIST` also if the slot belongs to another object of the image.
pub(crate) fn claim_boot(claim: &Claim) -> Result<u32> {
    let mut table = TABLE.lock();
    let (slot, new) = claim_in(&mut table, claim, Owner::Boot)?;

    if new {
        Ok(slot.number)
    } else {
        Err(EEXIST)
    }
}

/// Publishes slots of boot programs. May sleep.
///
/// Called once, before a boot program can run: without its slot, a program would leave objects
/// without labels. Inheritance starts when the callbacks are enabled.
pub(crate) fn publish_boot(numbers: &[u32]) {
    let table = TABLE.lock();

    for slot in table.iter().filter(|slot| numbers.contains(&slot.number)) {
        inherit::mark(slot);
        xattr::add(slot);
        index::publish(slot);
    }
}

/// Marks a slot of boot programs as failed: it is never published. May sleep.
pub(crate) fn fail_boot(number: u32) {
    TABLE.lock().fail(number);
}

/// Executes a line that was written to the file `blobs`. The caller has checked the permission.
///
/// May sleep.
///
/// # Errors
///
/// - `EINVAL`: not a command, or a value is out of range
/// - `ENODEV`: unknown class
/// - `ENXIO`: nothing is reserved in the class, or no extended attributes
/// - `ENOSPC`: too few bytes, numbers or extended attributes are left
/// - `EEXIST`: a slot of that name differs
/// - `ENOENT`: no slot of that name to release
/// - `EPERM`: the slot to release is a boot program's
/// - `ENOMEM`
pub(crate) fn command(line: &[u8]) -> Result {
    let command = Command::parse(line)?;
    let mut table = TABLE.lock();

    match command {
        Command::Claim(claim) => {
            let (slot, new) =
                claim_in(&mut table, &claim, Owner::Runtime).map_err(|e| match e {
                    // All reserved bytes or attributes are for boot programs.
                    e if e == ENOSPC
                        && (space::spare(claim.class()) == 0
                            || claim.xattr && space::xattrs() == 0) =>
                    {
                        ENXIO
                    }
                    e => e,
                })?;
            if new {
                // New objects inherit the slot before a program can write to it.
                inherit::add(slot);
                xattr::add(slot);
                index::publish(slot);
            }
        }
        Command::Release { class, name } => {
            let slot = table.release(class, name)?;
            index::withdraw(slot);
            inherit::remove(slot);
            xattr::remove(slot);
        }
    }
    Ok(())
}

/// Writes the file `blobs`. May sleep.
pub(crate) fn show(m: &SeqFile) {
    let table = TABLE.lock();

    for class in Class::ALL {
        let (reserved, boot) = (space::spare(class), space::boot_bytes(class));
        let free = table.free(class, reserved + boot).min(reserved);
        seq_print!(
            m,
            "class={} reserved={reserved} free={free} boot={boot}\n",
            class.name()
        );
    }
    for slot in table.iter() {
        seq_print!(m, "{slot}\n");
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "slot={} class={} name={} offset={} size={} align={} inherit={} owner={} state={}{}",
            self.number,
            self.class.name(),
            BStr::from_bytes(self.name.as_bytes()),
            self.offset,
            self.size,
            self.align,
            self.inherit.name(),
            self.owner.name(),
            self.state(),
            if self.xattr { " xattr=yes" } else { "" },
        ))
    }
}
