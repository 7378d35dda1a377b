// SPDX-License-Identifier: GPL-2.0

//! The objects in the image, which `CONFIG_SECURITY_KRSI_BOOT_PROGRAMS` names.
//!
//! The build generates an assembly file with the objects and a table of them.

/// An entry of the table.
#[cfg(CONFIG_SECURITY_KRSI_BOOT)]
#[repr(C)]
struct Entry {
    name: *const u8,
    name_len: usize,
    data: *const u8,
    data_len: usize,
}

#[cfg(CONFIG_SECURITY_KRSI_BOOT)]
extern "C" {
    /// Start and end of the table.
    static krsi_boot_objects: Entry;
    static krsi_boot_objects_end: Entry;
}

/// The objects in the image, each with its name in the configuration, in that order. Any context.
#[cfg(not(CONFIG_SECURITY_KRSI_BOOT))]
pub(crate) fn objects() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    core::iter::empty()
}

/// The objects in the image, each with its name in the configuration, in that order. Any context.
#[cfg(CONFIG_SECURITY_KRSI_BOOT)]
pub(crate) fn objects() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    let (start, end) = (
        &raw const krsi_boot_objects,
        &raw const krsi_boot_objects_end,
    );
    // SAFETY: Both are symbols of the table that the build generates.
    let count = unsafe { end.offset_from(start) } as usize;
    // SAFETY: The table has that many entries, and is read-only data of the image.
    let table = unsafe { core::slice::from_raw_parts(start, count) };

    table.iter().map(|entry| {
        // SAFETY: The build generates address and length of read-only data of the image.
        let (name, data) = unsafe {
            (
                core::slice::from_raw_parts(entry.name, entry.name_len),
                core::slice::from_raw_parts(entry.data, entry.data_len),
            )
        };
        (core::str::from_utf8(name).unwrap_or("?"), data)
    })
}
