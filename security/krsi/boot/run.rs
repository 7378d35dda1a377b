// SPDX-License-Identifier: GPL-2.0

//! When boot programs run.
//!
//! At the hooks that are called when an object is made, by callbacks of KRSI itself, in front of
//! the programs of the same hooks. They are off while there is no boot program for the class: then
//! no hook costs anything. Objects that no hook has seen are initialised when they are first
//! accessed.

use super::{
    check::Point,
    state::{self, ready},
};
use crate::blob::{self, Class};
use kernel::{
    bindings,
    bpf::{AtomicGuard, Prog},
    lsm,
    prelude::*,
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
};

/// How many points there are: members of `struct krsi_blob_ops`.
pub(super) const POINTS: usize = size_of::<bindings::krsi_blob_ops>() / size_of::<*const ()>();

/// The points that are not the making of an object, and the last ones.
const INODE_CREATE: usize = POINTS - 2;
const INODE_INSTANTIATE: usize = POINTS - 1;

/// The most programs that a point can have.
pub(super) const MAX_PROGRAMS: usize = 16;

/// The programs of a point, in the order in which they run; null behind the last one.
///
/// Written once, before what reads it is switched on.
type Programs = [Atomic<*mut bindings::bpf_prog>; MAX_PROGRAMS];

static PROGRAMS: [Programs; POINTS] =
    [const { [const { Atomic::new(core::ptr::null_mut()) }; MAX_PROGRAMS] }; POINTS];

/// The class of each point.
pub(super) const CLASSES: [Class; POINTS] = {
    let mut classes = [Class::cred; POINTS];
    let mut i = 0;
    while i < POINTS {
        classes[i] = Class::ALL[Point::ALL[i].class() as usize];
        i += 1;
    }
    classes
};

// C and what checks objects know the same points.
const _: () = assert!(
    Point::ALL.len() == POINTS
        && Point::inode_create as usize == INODE_CREATE
        && Point::inode_instantiate as usize == INODE_INSTANTIATE
);

/// The point at which objects of a class are made. [`None`]: programs never see such objects.
fn point(class: Class) -> Option<usize> {
    CLASSES[..INODE_CREATE].iter().position(|&c| c == class)
}

/// The programs of a point.
pub(super) fn programs(point: usize) -> impl Iterator<Item = &'static Prog> {
    PROGRAMS[point]
        .iter()
        .map(|prog| prog.load(Acquire))
        .take_while(|prog| !prog.is_null())
        // SAFETY: Programs are there for ever once they are in the table.
        .map(|prog| unsafe { Prog::from_raw(prog) })
}

/// Adds programs behind those that a point has. `E2BIG`: there is no place for them, and nothing
/// was done. Callers are serialised.
pub(super) fn add(point: usize, prog: &'static Prog) -> Result {
    let free = PROGRAMS[point].iter().find(|p| p.load(Relaxed).is_null());

    free.ok_or(E2BIG)?.store(prog.as_ptr(), Release);
    Ok(())
}

/// Whether there is a program that labels new objects of a class, or that has to know of them.
pub(crate) fn hooked(class: Class) -> bool {
    // An inode that was not seen when it was made counts as old.
    class == Class::inode && (wants_inode_create() || wants_inode_instantiate())
        || point(class).is_some_and(|point| programs(point).next().is_some())
}

/// Whether there is a program that labels new files.
pub(crate) fn wants_inode_create() -> bool {
    programs(INODE_CREATE).next().is_some()
}

/// Whether there is a program that labels inodes that get their first name.
pub(crate) fn wants_inode_instantiate() -> bool {
    programs(INODE_INSTANTIATE).next().is_some()
}

/// Runs the programs of a point.
///
/// # Safety
///
/// `ctx` must have the arguments of the point, which must be alive.
unsafe fn run(point: usize, ctx: [u64; 3]) {
    let _guard = AtomicGuard::new();

    for prog in programs(point) {
        // SAFETY: By the safety requirements. The programs do not sleep, as their helpers and
        // kfuncs do not, do not ask for a cookie, and are never freed. The guard disables
        // migration.
        unsafe { prog.run(ctx.as_ptr()) };
    }
}

/// The context of the programs of a class.
fn context(class: Class, object: *mut c_void, extra: u64, how: u32) -> [u64; 3] {
    match class {
        Class::cred | Class::task => [object as u64, extra, how.into()],
        _ => [object as u64, how.into(), 0],
    }
}

/// Initialises an object, unless it is; says whether its slots can be accessed.
///
/// # Safety
///
/// `object` must be alive and of the class, `state` its state word.
unsafe fn initialise_as(
    class: Class,
    object: *mut c_void,
    state: &Atomic<u32>,
    extra: u64,
    how: u32,
) -> bool {
    state::initialise(state, || {
        if let Some(point) = point(class) {
            // SAFETY: By the safety requirements; the context is that of the class.
            unsafe { run(point, context(class, object, extra, how)) };
        }
        if class == Class::inode && how == bindings::krsi_blob_how_KRSI_BLOB_OLD {
            // It may have all its names. Who wants to access it waits for this one state.
            // SAFETY: By the safety requirements; the context is that of the point.
            unsafe {
                let inode = object.cast::<bindings::inode>();
                if blob::instantiated((*inode).i_security).is_some_and(state::skip) {
                    run(INODE_INSTANTIATE, [inode as u64, how.into(), 0]);
                }
            }
        }
    })
}

/// Initialises an object that a program accesses and that is not; says whether that was possible.
/// Any context.
///
/// # Safety
///
/// `object` must be alive and of the class, `state` its state word.
#[cold]
#[inline(never)]
pub(crate) unsafe fn first_access(class: Class, object: *mut c_void, state: &Atomic<u32>) -> bool {
    // SAFETY: By the safety requirements.
    unsafe {
        initialise_as(
            class,
            object,
            state,
            0,
            bindings::krsi_blob_how_KRSI_BLOB_OLD,
        )
    }
}

/// Initialises an object that another one takes slots over from, unless it is; says whether its
/// slots can be accessed.
///
/// # Safety
///
/// `object` must be alive and of the class, and `blob` its blob, or null.
pub(crate) unsafe fn initialise(class: Class, object: *mut c_void, blob: *mut c_void) -> bool {
    // SAFETY: By the safety requirements.
    match unsafe { blob::state(class, blob) } {
        // SAFETY: By the safety requirements.
        Some(state) => ready(state) || unsafe { first_access(class, object, state) },
        None => true,
    }
}

/// Initialises an object that is being made. `extra` is the argument that some classes have between
/// the object and the reason.
///
/// # Safety
///
/// `object` must be alive and of the class, `blob` its blob, or null, and `extra` what the point of
/// the class says.
pub(crate) unsafe fn made(
    class: Class,
    object: *mut c_void,
    blob: *mut c_void,
    extra: Option<u64>,
) {
    // SAFETY: By the safety requirements.
    let Some(state) = (unsafe { blob::state(class, blob) }) else {
        return;
    };
    // SAFETY: An FFI call. In an interrupt, the current task is whoever was interrupted.
    let how = if unsafe { bindings::krsi_in_task() } {
        bindings::krsi_blob_how_KRSI_BLOB_NEW
    } else {
        bindings::krsi_blob_how_KRSI_BLOB_OLD
    };
    // SAFETY: By the safety requirements.
    unsafe { initialise_as(class, object, state, extra.unwrap_or(0), how) };
}

/// [`made`], for objects whose blob C finds.
///
/// # Safety
///
/// `object` must be alive and of the class, which must not be one of credentials or tasks.
unsafe fn made_object(class: Class, object: *mut c_void) {
    // SAFETY: By the safety requirements.
    unsafe {
        let blob = bindings::krsi_blob_of(class as c_uint, object);
        made(class, object, blob, None)
    }
}

/// Runs the programs that label new files, after those that label inodes. To be called by KRSI's
/// callback for `inode_init_security`, after [`made`].
///
/// # Safety
///
/// To be called with the arguments of that hook.
pub(crate) unsafe fn inode_create(inode: *mut bindings::inode, dir: *mut bindings::inode) {
    if dir.is_null() || !wants_inode_create() {
        return;
    }
    // SAFETY: The framework passes valid inodes, which are alive.
    unsafe {
        let how = bindings::krsi_blob_how_KRSI_BLOB_NEW;
        run(INODE_CREATE, [inode as u64, dir as u64, how.into()]);
    }
}

/// Runs the programs that label inodes that get their first name. To be called by KRSI's callback
/// for `d_instantiate`.
///
/// # Safety
///
/// `inode` must be alive.
pub(crate) unsafe fn inode_instantiate(inode: *mut bindings::inode) {
    if !wants_inode_instantiate() {
        return;
    }
    // SAFETY: By the safety requirements.
    let state = unsafe {
        initialise(Class::inode, inode.cast(), (*inode).i_security);
        blob::instantiated((*inode).i_security)
    };
    if let Some(state) = state {
        let how = bindings::krsi_blob_how_KRSI_BLOB_NEW;
        state::initialise(state, || {
            // SAFETY: By the safety requirements; the context is that of the point.
            unsafe { run(INODE_INSTANTIATE, [inode as u64, how.into(), 0]) };
        });
    }
}

/// Makes the callbacks, and the table of them.
macro_rules! callbacks {
    ($(
        $(#[$cfg:meta])*
        $class:ident, $hook:ident($object:ident: $ty:ident $(, $arg:ty)*);
    )*) => {
        $(
            $(#[$cfg])*
            /// # Safety
            ///
            /// To be called by the LSM framework only.
            unsafe extern "C" fn $hook($object: *mut bindings::$ty $(, _: $arg)*) -> c_int {
                // SAFETY: The framework passes a valid object, which has its blob.
                unsafe { made_object(Class::$class, $object.cast()) };
                0
            }
        )*

        /// How many callbacks there are, without those for sockets.
        const OBJECTS: usize = 0 $(+ { $(#[$cfg])* { let _ = stringify!($hook); 1 } })*;
    };
}

/// An entry of the table.
macro_rules! entry {
    ($hook:ident) => {
        // SAFETY: The row and the callback are of the same hook.
        unsafe {
            lsm::Hook::new(
                (&raw mut bindings::static_calls_table.$hook).cast(),
                bindings::security_list_options { $hook: Some($hook) },
            )
        }
    };
}

callbacks! {
    file, file_alloc_security(file: file);
    backing_file, backing_file_alloc(file: file, *const bindings::file);
    inode, inode_alloc_security(inode: inode);
    superblock, sb_alloc_security(sb: super_block);
    ipc, msg_queue_alloc_security(perm: kern_ipc_perm);
    ipc, shm_alloc_security(perm: kern_ipc_perm);
    ipc, sem_alloc_security(perm: kern_ipc_perm);
    msg_msg, msg_msg_alloc_security(msg: msg_msg);
    #[cfg(CONFIG_KEYS)]
    key, key_alloc(key: key, *const bindings::cred, c_ulong);
    bdev, bdev_alloc_security(bdev: block_device);
    #[cfg(CONFIG_PERF_EVENTS)]
    perf_event, perf_event_alloc(event: perf_event);
    bpf_map, bpf_map_create(
        map: bpf_map, *mut bindings::bpf_attr, *mut bindings::bpf_token, bindings::bool_
    );
    bpf_prog, bpf_prog_load(
        prog: bpf_prog, *mut bindings::bpf_attr, *mut bindings::bpf_token, bindings::bool_
    );
    bpf_token, bpf_token_create(
        token: bpf_token, *mut bindings::bpf_attr, *const bindings::path
    );
}

/// Sockets that are made from scratch are zeroed. Those that are not are about to be copied from
/// another one: they are made when that was done.
///
/// # Safety
///
/// To be called by the LSM framework only.
#[cfg(CONFIG_SECURITY_NETWORK)]
unsafe extern "C" fn sk_alloc_security(
    sk: *mut bindings::sock,
    _: c_int,
    priority: bindings::gfp_t,
) -> c_int {
    if priority & bindings::__GFP_ZERO != 0 {
        // SAFETY: The framework passes a valid socket, which has its blob.
        unsafe { made_object(Class::sock, sk.cast()) };
    }
    0
}

/// # Safety
///
/// To be called by the LSM framework only.
#[cfg(CONFIG_SECURITY_NETWORK)]
unsafe extern "C" fn sk_clone_security(_: *const bindings::sock, sk: *mut bindings::sock) {
    // SAFETY: The framework passes a valid socket, which has its blob.
    unsafe { made_object(Class::sock, sk.cast()) };
}

/// How many callbacks there are.
const COUNT: usize = OBJECTS + if cfg!(CONFIG_SECURITY_NETWORK) { 2 } else { 0 };

/// The callbacks. Those of credentials and tasks are [`blob::HOOKS`].
///
/// The framework has as many slots for a hook as there are LSMs. One is left over for these,
/// because the capabilities have none of the hooks.
#[link_section = ".data..ro_after_init"]
pub(crate) static HOOKS: [lsm::Hook; COUNT] = [
    entry!(file_alloc_security),
    entry!(backing_file_alloc),
    entry!(inode_alloc_security),
    entry!(sb_alloc_security),
    entry!(msg_queue_alloc_security),
    entry!(shm_alloc_security),
    entry!(sem_alloc_security),
    entry!(msg_msg_alloc_security),
    #[cfg(CONFIG_KEYS)]
    entry!(key_alloc),
    entry!(bdev_alloc_security),
    #[cfg(CONFIG_PERF_EVENTS)]
    entry!(perf_event_alloc),
    entry!(bpf_map_create),
    entry!(bpf_prog_load),
    entry!(bpf_token_create),
    #[cfg(CONFIG_SECURITY_NETWORK)]
    entry!(sk_alloc_security),
    #[cfg(CONFIG_SECURITY_NETWORK)]
    entry!(sk_clone_security),
];

/// The class of each callback.
const HOOK_CLASSES: [Class; COUNT] = [
    Class::file,
    Class::backing_file,
    Class::inode,
    Class::superblock,
    Class::ipc,
    Class::ipc,
    Class::ipc,
    Class::msg_msg,
    #[cfg(CONFIG_KEYS)]
    Class::key,
    Class::bdev,
    #[cfg(CONFIG_PERF_EVENTS)]
    Class::perf_event,
    Class::bpf_map,
    Class::bpf_prog,
    Class::bpf_token,
    #[cfg(CONFIG_SECURITY_NETWORK)]
    Class::sock,
    #[cfg(CONFIG_SECURITY_NETWORK)]
    Class::sock,
];

/// Switches the callbacks on that have something to do, and the others off. To be called at boot
/// after they were registered, and when the programs are in the table. `between` is called between
/// some of them. May sleep.
pub(super) fn switch(between: impl Fn()) {
    // First what sees inodes that get a name: those that are seen when they are made do not count
    // as old, and would be without what is said of them then for good.
    blob::refresh_xattrs();
    between();
    for (hook, class) in HOOKS.iter().zip(HOOK_CLASSES) {
        if let Some(key) = hook.active_key() {
            if hooked(class) {
                key.enable();
            } else {
                key.disable();
            }
        }
    }
    between();
    blob::refresh(Class::cred);
    between();
    blob::refresh(Class::task);
}
