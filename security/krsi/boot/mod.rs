// SPDX-License-Identifier: GPL-2.0

//! Boot programs: parts of the kernel image that label objects, from boot on.
//!
//! Before there is user space KRSI loads the programs of the objects that the image has, as user
//! space would load others. They run when objects are made, and when an object is accessed for the
//! first time that no hook has seen. See `Documentation/security/krsi-boot.rst`.
//!
//! - [`elf`]: what an ELF object is
//! - [`object`]: what a boot program's object has
//! - [`check`]: what boot programs may do
//! - [`embedded`]: the objects in the image
//! - [`btf`]: what of their types the kernel does not take
//! - [`load`]: from objects to programs
//! - [`run`]: when programs run
//! - [`state`]: whether an object is initialised, and who does it

mod btf;
mod check;
mod elf;
mod embedded;
mod load;
mod object;
mod run;
mod state;

pub(crate) use run::{first_access, hooked, initialise, made, HOOKS};
pub(crate) use run::{inode_create, wants_inode_create};
pub(crate) use run::{inode_instantiate, wants_inode_instantiate};
pub(crate) use state::{ready, READY};

use crate::blob;
use check::{Point, Totals};
use kernel::{
    bindings,
    prelude::*,
    seq_file::{seq_print, SeqFile},
    str::BStr,
    sync::atomic::{Atomic, Relaxed},
    task::Task,
    time::{Instant, Monotonic},
};
use load::{Loaded, Outcome};

/// What the boot parameter says: one of the values below. Written at boot, by one CPU.
static MODE: Atomic<u32> = Atomic::new(ENFORCE);

/// The system does not boot if something of boot programs fails.
const ENFORCE: u32 = 0;
/// It boots on, without.
const PERMISSIVE: u32 = 1;
/// It boots as if there were no boot programs.
const OFF: u32 = 2;

/// The names of the modes, by their values.
const MODES: [&str; 3] = ["enforce", "permissive", "off"];

/// The task that is loading programs, if there is one.
static LOADER: Atomic<*mut bindings::task_struct> = Atomic::new(core::ptr::null_mut());

/// Takes the value of the boot parameter `krsi.boot=`.
///
/// # Safety
///
/// `mode` must be a C string. To be called at boot, with one CPU.
#[export]
pub(crate) unsafe extern "C" fn krsi_boot_setup(mode: *const c_char) {
    // SAFETY: By the safety requirements.
    let mode = unsafe { CStr::from_char_ptr(mode) }.to_bytes();

    let known = MODES.iter().position(|name| name.as_bytes() == mode);
    if known.is_none() {
        pr_warn!(
            "krsi.boot: neither enforce, permissive nor off: \"{}\"; enforcing\n",
            BStr::from_bytes(&mode[..mode.len().min(64)])
        );
    }
    MODE.store(known.map_or(ENFORCE, |mode| mode as u32), Relaxed);
}

/// The object whose loading fails, for tests: the end of its name, as a C string. Written at boot,
/// by one CPU.
#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
static FAIL: Atomic<*mut c_void> = Atomic::new(core::ptr::null_mut());

/// Takes the value of the boot parameter `krsi.boot_fail=`, which is for tests.
///
/// # Safety
///
/// `object` must be a C string that stays. To be called at boot, with one CPU.
#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[export]
pub(crate) unsafe extern "C" fn krsi_boot_fail_setup(object: *const c_char) {
    FAIL.store(object.cast_mut().cast(), Relaxed);
}

/// Whether the loading of an object has to fail, because a test asks for it.
fn made_to_fail(_object: &str) -> bool {
    #[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
    {
        let text = FAIL.load(Relaxed);
        if text.is_null() {
            return false;
        }
        // SAFETY: What was given to `krsi_boot_fail_setup` is a C string, and stays.
        let suffix = unsafe { CStr::from_char_ptr(text.cast()) };
        _object.as_bytes().ends_with(suffix.to_bytes())
    }
    #[cfg(not(CONFIG_SECURITY_KRSI_KUNIT_TEST))]
    {
        false
    }
}

/// The objects in the image that are to be loaded.
///
/// Not, unless a test asks for them, those that are there to be refused.
fn objects() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    embedded::objects().filter(|(_name, _)| {
        #[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
        {
            // SAFETY: Written at boot, by one CPU, while boot parameters are read.
            let asked = unsafe { bindings::krsi_boot_refused };
            asked || !_name.ends_with(".refused.bpf.o")
        }
        #[cfg(not(CONFIG_SECURITY_KRSI_KUNIT_TEST))]
        {
            true
        }
    })
}

/// Makes objects that stay, if a test asks for it: such that are made while programs are put in
/// force.
fn make_objects() {
    #[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
    // SAFETY: An FFI call.
    unsafe {
        bindings::krsi_boot_make_objects()
    };
}

/// Reserves the bytes that boot programs need. Called at boot, with one CPU, after the boot
/// parameters were read and before the framework asks for sizes.
///
/// What is wrong with an object is said when it is loaded.
///
/// # Safety
///
/// To be called once.
#[export]
pub(crate) unsafe extern "C" fn krsi_boot_reserve() {
    let mut total = Totals::NONE;
    let mut creates = false;

    if MODE.load(Relaxed) == OFF {
        return;
    }
    for (_, data) in objects() {
        let Ok(object) = object::Object::parse(data) else {
            continue;
        };
        if let Some(sum) = load::add_sizes(&object, &total) {
            total = sum;
            creates |= object
                .programs()
                .any(|program| program.point as usize == Point::inode_create as usize);
        }
    }
    blob::reserve_boot(&total.bytes, creates, total.kept);
}

/// Whether the current task is loading boot programs: nobody else may load such programs. Any
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
    check::helper_allowed(id)
}

/// Prepares for what is loaded later. Called once, by KRSI's initialiser, after the callbacks were
/// registered.
pub(crate) fn init() {
    run::switch(|| {});
    // SAFETY: Called once.
    unsafe { REPORT.init() };
}

/// What came of the boot programs, for people and tools.
struct Report {
    programs: KVec<Loaded>,
    /// Objects that were refused.
    refused: usize,
    /// The time that it took, and how much of that was not other tasks'.
    micros: i64,
    cpu_micros: u64,
}

kernel::sync::global_lock! {
    /// Written once, when the programs were loaded.
    // SAFETY: Initialised by `init` before first use.
    unsafe(uninit) static REPORT: Mutex<Report> = Report {
        programs: KVec::new(),
        refused: 0,
        micros: 0,
        cpu_micros: 0,
    };
}

/// Loads the boot programs and puts them in force. To be called once, before there is user space.
/// May sleep.
///
/// If an object is refused this panics, unless the boot parameter says that the system is to boot
/// on, without what is in that object.
pub(crate) fn load() {
    let begin = Instant::<Monotonic>::now();
    let began = cpu_nanos();
    let mut outcome = Outcome {
        programs: KVec::new(),
        slots: KVec::new(),
    };
    let (mut count, mut refused) = (0usize, 0usize);

    if MODE.load(Relaxed) == OFF {
        pr_info!("boot: off, no boot program is in force\n");
        return;
    }
    LOADER.store(Task::current_raw(), Relaxed);
    for (name, data) in objects() {
        count += 1;
        if let Err(refusal) = load::load(name, data, &mut outcome) {
            refused += 1;
            fail(refusal.reason());
        }
    }
    LOADER.store(core::ptr::null_mut(), Relaxed);
    if count == 0 {
        return;
    }

    // An object is initialised once, by programs that find all their slots. What is made in
    // between is initialised when it is first accessed.
    make_objects();
    blob::publish_boot(&outcome.slots);
    make_objects();
    run::switch(make_objects);
    make_objects();
    let micros = begin.elapsed().as_micros_ceil();
    let cpu_micros = (cpu_nanos() - began).div_ceil(1000);
    let classes = blob::Class::ALL
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
    let mut report = REPORT.lock();
    report.programs = outcome.programs;
    report.refused = refused;
    report.micros = micros;
    report.cpu_micros = cpu_micros;
}

/// How long the current task has been on a CPU, in nanoseconds.
fn cpu_nanos() -> u64 {
    // SAFETY: The current task is alive.
    unsafe { bindings::task_sched_runtime(Task::current_raw()) }
}

/// Says that an object is refused, and does what the boot parameter says about it.
fn fail(reason: &CStr) {
    if MODE.load(Relaxed) == PERMISSIVE {
        pr_err!("boot: refused, and going on without: {}\n", reason);
        return;
    }
    // SAFETY: The format wants a C string.
    unsafe {
        bindings::panic(
            c"krsi: boot: %s (krsi.boot=permissive boots without)".as_char_ptr(),
            reason.as_char_ptr(),
        )
    }
}

/// Writes the file `boot`. May sleep.
pub(crate) fn show(m: &SeqFile) {
    let report = REPORT.lock();
    let mode = MODES[MODE.load(Relaxed) as usize];

    seq_print!(
        m,
        "mode={mode} programs={} refused={} micros={} cpu_micros={}\n",
        report.programs.len(),
        report.refused,
        report.micros,
        report.cpu_micros
    );
    for loaded in report.programs.iter() {
        seq_print!(
            m,
            "point={} program={} id={} verified={} object={}\n",
            Point::ALL[loaded.point].name(),
            loaded.prog.name(),
            loaded.prog.id(),
            loaded.verified,
            loaded.object
        );
    }
}
