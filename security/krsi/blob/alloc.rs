// SPDX-License-Identifier: GPL-2.0

//! The LSM hooks at which objects are created, for all classes but credentials and tasks.
//!
//! The callbacks are disabled by default, and enabled for classes that boot programs label.

use super::{
    class::Class,
    init,
    points::{self, Origin},
    typed::AnyObject,
};
use kernel::{bindings, lsm, lsm::lsm_hook, prelude::*};

/// Initialises an object whose blob C finds.
///
/// # Safety
///
/// `object` must be alive and of the class, which must not be that of credentials or tasks.
unsafe fn init_object(class: Class, object: *mut c_void) {
    // SAFETY: The caller guarantees that the object is of the class, for which C returns the blob.
    let object = unsafe {
        AnyObject::new(
            class,
            object,
            bindings::krsi_blob_of(class as c_uint, object),
        )
    };

    init::init_new(object, Origin::None);
}

/// Defines the callbacks, [`HOOKS`] and [`CLASSES`] from a list of hooks: the class and the
/// arguments of each, the object among them, and a condition if not every call creates one.
macro_rules! alloc_hooks {
    ($(
        $(#[cfg($cfg:meta)])?
        $class:ident: $hook:ident($($arg:pat => $ty:ty),*) $(-> $ret:ty)?,
            $object:expr $(, if $condition:expr)?;
    )*) => {
        $(
            $(#[cfg($cfg)])?
            /// # Safety
            ///
            /// Only the LSM framework may call this.
            unsafe extern "C" fn $hook($($arg: $ty),*) $(-> $ret)? {
                if true $(&& $condition)? {
                    // SAFETY: The framework passes an object of this class that is alive.
                    unsafe { init_object(Class::$class, $object.cast()) };
                }
                Default::default()
            }
        )*

        /// The number of callbacks.
        const COUNT: usize = [$($(#[cfg($cfg)])? Class::$class,)*].len();

        /// The class of each callback.
        const CLASSES: [Class; COUNT] = [$($(#[cfg($cfg)])? Class::$class,)*];

        /// The callbacks. None of these hooks has a callback of the capabilities, so the framework
        /// has a slot left for each.
        #[link_section = ".data..ro_after_init"]
        pub(crate) static HOOKS: [lsm::Hook; COUNT] = [
            $($(#[cfg($cfg)])? lsm_hook!($hook, $hook),)*
        ];
    };
}

alloc_hooks! {
    file: file_alloc_security(file => *mut bindings::file) -> c_int, file;
    backing_file: backing_file_alloc(
        file => *mut bindings::file, _ => *const bindings::file
    ) -> c_int, file;
    inode: inode_alloc_security(inode => *mut bindings::inode) -> c_int, inode;
    superblock: sb_alloc_security(sb => *mut bindings::super_block) -> c_int, sb;
    ipc: msg_queue_alloc_security(perm => *mut bindings::kern_ipc_perm) -> c_int, perm;
    ipc: shm_alloc_security(perm => *mut bindings::kern_ipc_perm) -> c_int, perm;
    ipc: sem_alloc_security(perm => *mut bindings::kern_ipc_perm) -> c_int, perm;
    msg_msg: msg_msg_alloc_security(msg => *mut bindings::msg_msg) -> c_int, msg;
    #[cfg(CONFIG_KEYS)]
    key: key_alloc(
        key => *mut bindings::key, _ => *const bindings::cred, _ => c_ulong
    ) -> c_int, key;
    bdev: bdev_alloc_security(bdev => *mut bindings::block_device) -> c_int, bdev;
    #[cfg(CONFIG_PERF_EVENTS)]
    perf_event: perf_event_alloc(event => *mut bindings::perf_event) -> c_int, event;
    bpf_map: bpf_map_create(
        map => *mut bindings::bpf_map,
        _ => *mut bindings::bpf_attr,
        _ => *mut bindings::bpf_token,
        _ => bindings::bool_
    ) -> c_int, map;
    bpf_prog: bpf_prog_load(
        prog => *mut bindings::bpf_prog,
        _ => *mut bindings::bpf_attr,
        _ => *mut bindings::bpf_token,
        _ => bindings::bool_
    ) -> c_int, prog;
    bpf_token: bpf_token_create(
        token => *mut bindings::bpf_token,
        _ => *mut bindings::bpf_attr,
        _ => *const bindings::path
    ) -> c_int, token;
    // A socket that is not zeroed is about to be copied from another one. It is created by
    // `sk_clone_security`, after the copy.
    #[cfg(CONFIG_SECURITY_NETWORK)]
    sock: sk_alloc_security(
        sk => *mut bindings::sock, _ => c_int, priority => bindings::gfp_t
    ) -> c_int, sk, if priority & bindings::__GFP_ZERO != 0;
    #[cfg(CONFIG_SECURITY_NETWORK)]
    sock: sk_clone_security(_ => *const bindings::sock, sk => *mut bindings::sock), sk;
}

/// Enables the callbacks of classes that programs label, and disables the others. May sleep once
/// the system has booted.
pub(super) fn refresh() {
    for (hook, class) in HOOKS.iter().zip(CLASSES) {
        hook.set_active(points::wants(class));
    }
}
