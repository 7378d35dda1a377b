// SPDX-License-Identifier: GPL-2.0

//! Registration of security modules.
//!
//! A security module is a static [`Lsm`], made with [`define_lsm!`](crate::define_lsm), and a
//! static table of [`Hook`]s that its initialiser adds to the framework with [`add_hooks`]. There
//! is no way back: what is registered stays.
//!
//! C header: [`include/linux/lsm_hooks.h`](srctree/include/linux/lsm_hooks.h)

#[cfg(CONFIG_HAVE_STATIC_CALL)]
use crate::static_call::StaticCall;
use crate::{bindings, prelude::*, static_key::StaticKeyFalse, types::Opaque};
use core::cell::UnsafeCell;

/// Name and number of a security module.
#[repr(transparent)]
pub struct LsmId(bindings::lsm_id);

// SAFETY: Never written.
unsafe impl Sync for LsmId {}

impl LsmId {
    /// Makes an identification; `id` is a number from `include/uapi/linux/lsm.h`.
    pub const fn new(name: &'static CStr, id: u64) -> Self {
        Self(bindings::lsm_id {
            name: name.to_bytes_with_nul().as_ptr().cast(),
            id,
        })
    }

    /// The C view.
    pub const fn as_ptr(&'static self) -> *const bindings::lsm_id {
        &raw const self.0
    }
}

/// One callback of a security module: an entry of its hook table.
///
/// # Invariants
///
/// `scalls` is the hook's row in `static_calls_table`, and `hook` has the same hook's callback.
#[repr(transparent)]
pub struct Hook(Opaque<bindings::security_hook_list>);

// SAFETY: Only the framework writes, at boot, when there is one CPU.
unsafe impl Sync for Hook {}

impl Hook {
    /// Makes an entry, as `LSM_HOOK_INIT()` does.
    ///
    /// # Safety
    ///
    /// `scalls` must be the row in `static_calls_table` of the hook whose field of `hook` is set,
    /// and the callback must keep to that hook's contract.
    pub const unsafe fn new(
        scalls: *mut bindings::lsm_static_call,
        hook: bindings::security_list_options,
    ) -> Self {
        // INVARIANT: By the safety requirements.
        Self(Opaque::new(bindings::security_hook_list {
            scalls,
            hook,
            lsmid: core::ptr::null(),
        }))
    }

    /// The static key that guards the framework's calls of this entry: off, and the callback costs
    /// nothing. [`None`] before the entry is registered.
    pub fn active_key(&'static self) -> Option<&'static StaticKeyFalse> {
        // SAFETY: The framework's keys are static.
        Some(unsafe { StaticKeyFalse::from_raw(self.scall()?.active) })
    }

    /// The framework's slot that the entry was given when it was registered.
    fn scall(&'static self) -> Option<&'static bindings::lsm_static_call> {
        let me = self.0.get();

        // SAFETY: By the type invariant `scalls` is a row of `MAX_LSM_COUNT` entries, which do not
        // change after boot.
        let row = unsafe { core::slice::from_raw_parts((*me).scalls, bindings::MAX_LSM_COUNT) };
        row.iter().find(|scall| scall.hl == me)
    }
}

impl Hook {
    /// Makes the framework's static call of this entry call `function`, and does nothing else: the
    /// hooks that the framework walks one by one go on calling what the entry was made with.
    ///
    /// Does nothing before the entry is registered. May sleep. Changes must be serialised by the
    /// caller.
    ///
    /// # Safety
    ///
    /// `function` must have the type of the hook's callback, keep to its contract, and be static.
    #[cfg(CONFIG_HAVE_STATIC_CALL)]
    pub unsafe fn redirect(&'static self, function: *const ()) {
        if let Some(scall) = self.scall() {
            // SAFETY: The framework's static calls are static. By the safety requirements.
            unsafe {
                StaticCall::new(scall.key, scall.trampoline.cast_const().cast()).update(function)
            };
        }
    }
}

/// Adds the hooks of a security module to the framework. Every hook is called from then on.
///
/// Panics, in C, if the framework has no slot left: see `include/linux/lsm_count.h`.
///
/// # Safety
///
/// To be called once for each table, by the module's initialiser, which has to be in `.init.text`
/// because the C function is.
#[inline(always)]
pub unsafe fn add_hooks<const N: usize>(hooks: &'static [Hook; N], id: &'static LsmId) {
    // SAFETY: The table is static and `Hook` is transparent; the caller is the initialiser.
    unsafe {
        bindings::security_add_hooks(hooks.as_ptr().cast_mut().cast(), N as c_int, id.as_ptr())
    };
}

/// What a security module asks the framework for in the blobs of kernel objects.
///
/// The framework reads the sizes before it calls the module's initialiser, and writes the offset of
/// the module's part to each that is not 0.
#[repr(transparent)]
pub struct BlobSizes(UnsafeCell<bindings::lsm_blob_sizes>);

// SAFETY: Written at boot only, when there is one CPU.
unsafe impl Sync for BlobSizes {}

impl BlobSizes {
    /// Wraps sizes.
    pub const fn new(sizes: bindings::lsm_blob_sizes) -> Self {
        Self(UnsafeCell::new(sizes))
    }

    /// The C view.
    pub const fn as_ptr(&'static self) -> *mut bindings::lsm_blob_sizes {
        self.0.get()
    }
}

/// The framework's description of a security module. Use [`define_lsm!`](crate::define_lsm).
#[repr(transparent)]
pub struct Lsm(UnsafeCell<bindings::lsm_info>);

// SAFETY: Only the framework accesses it, at boot, when there is one CPU.
unsafe impl Sync for Lsm {}

impl Lsm {
    /// Wraps a description.
    pub const fn new(info: bindings::lsm_info) -> Self {
        Self(UnsafeCell::new(info))
    }
}

/// Defines a security module, as `DEFINE_LSM()` does.
///
/// Takes the fields of `struct lsm_info`; those left out are zero.
#[macro_export]
macro_rules! define_lsm {
    ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        #[used]
        #[link_section = ".lsm_info.init"]
        static $name: $crate::lsm::Lsm = $crate::lsm::Lsm::new($crate::bindings::lsm_info {
            $($field: $value,)*
            ..$crate::lsm::EMPTY_INFO
        });
    };
}
pub use define_lsm;

/// What [`define_lsm!`](crate::define_lsm) fills the fields left out with.
#[doc(hidden)]
pub const EMPTY_INFO: bindings::lsm_info = bindings::lsm_info {
    id: core::ptr::null(),
    order: bindings::lsm_order_LSM_ORDER_MUTABLE,
    flags: 0,
    blobs: core::ptr::null_mut(),
    enabled: core::ptr::null_mut(),
    init: None,
    initcall_pure: None,
    initcall_early: None,
    initcall_core: None,
    initcall_subsys: None,
    initcall_fs: None,
    initcall_device: None,
    initcall_late: None,
    initcall_late_sync: None,
};
