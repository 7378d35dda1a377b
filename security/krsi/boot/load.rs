// SPDX-License-Identifier: GPL-2.0

//! Loads the boot programs and enables them.

use super::{
    embedded, helpers,
    object::Object,
    param::{self, make_objects, Mode},
    report::{self, Report},
    slot::Totals,
    verify::{self, Outcome},
};
use crate::blob::{self, class::Class, point::Point};
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
    task::Task,
    time::{Instant, Monotonic},
};

/// The task that is loading boot programs, if any.
static LOADER: Atomic<*mut bindings::task_struct> = Atomic::new(core::ptr::null_mut());

/// Names and contents of the objects to load.
fn objects() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    embedded::objects().filter(|(name, _)| param::is_wanted(name))
}

/// Reserves the bytes that boot programs need. Errors in objects are reported when they are loaded.
///
/// # Safety
///
/// Called once at boot, with one CPU, between the boot parameters and the framework's reading of
/// the sizes.
#[export]
pub(crate) unsafe extern "C" fn krsi_boot_reserve() {
    let mut total = Totals::NONE;
    let mut creates = false;

    if param::mode() == Mode::Off {
        return;
    }
    for (_, data) in objects() {
        let Ok(object) = Object::parse(data) else {
            continue;
        };
        if let Some(sum) = verify::add_slots(&object, &total) {
            total = sum;
            creates |= object
                .programs()
                .any(|program| program.point == Point::inode_create);
        }
    }
    blob::reserve_boot(&total.bytes, creates, total.xattrs);
}

/// Whether the current task is loading boot programs. No other task may load such programs. Any
/// context.
///
/// # Safety
///
/// None.
#[export]
pub(crate) unsafe extern "C" fn krsi_boot_loading() -> bool {
    core::ptr::eq(LOADER.load(Relaxed), Task::current_raw())
}

/// Whether boot programs may call a helper. Any context.
///
/// # Safety
///
/// None.
#[export]
pub(crate) unsafe extern "C" fn krsi_boot_helper_allowed(id: u32) -> bool {
    helpers::helper_allowed(id)
}

/// Loads the boot programs and enables them. Called once, before user space exists. May sleep.
///
/// If an object is rejected, panics unless the boot parameter asks to continue without it.
pub(crate) fn load() {
    let begin = Instant::<Monotonic>::now();
    let began = cpu_nanos();
    let mut outcome = Outcome {
        programs: KVec::new(),
        slots: KVec::new(),
    };
    let (mut count, mut refused) = (0usize, 0usize);

    if param::mode() == Mode::Off {
        pr_info!("boot: off, no boot program is loaded\n");
        return;
    }
    LOADER.store(Task::current_raw(), Relaxed);
    for (name, data) in objects() {
        count += 1;
        if let Err(rejection) = verify::load(name, data, &mut outcome) {
            refused += 1;
            fail(rejection.text());
        }
    }
    LOADER.store(core::ptr::null_mut(), Relaxed);
    if count == 0 {
        return;
    }

    // Programs initialise an object once, so all slots must be published before a program runs.
    // Objects that are created between these steps are initialised at their first access.
    make_objects();
    blob::publish_boot(&outcome.slots);
    make_objects();
    blob::refresh(make_objects);
    make_objects();
    let micros = begin.elapsed().as_micros_ceil();
    let cpu_micros = (cpu_nanos() - began).div_ceil(1000);
    let classes = Class::ALL
        .into_iter()
        .filter(|&class| blob::has_boot_slots(class))
        .count();
    pr_info!(
        "boot: {} programs of {} objects in force, {} slots in {} classes, {} us, {} on the CPU\n",
        outcome.programs.len(),
        count - refused,
        outcome.slots.len(),
        classes,
        micros,
        cpu_micros
    );
    report::record(Report {
        programs: outcome.programs,
        refused,
        micros,
        cpu_micros,
    });
}

/// The time that the current task has spent on a CPU, in nanoseconds.
fn cpu_nanos() -> u64 {
    // SAFETY: The current task is alive.
    unsafe { bindings::task_sched_runtime(Task::current_raw()) }
}

/// Reports that an object is rejected, and panics unless the boot parameter asks to continue.
fn fail(reason: &CStr) {
    if param::mode() == Mode::Permissive {
        pr_err!("boot: object rejected, continuing without it: {}\n", reason);
        return;
    }
    // SAFETY: The format has one conversion, of a C string.
    unsafe {
        bindings::panic(
            c"krsi: boot: %s (krsi.boot=permissive skips such objects)".as_char_ptr(),
            reason.as_char_ptr(),
        )
    }
}
