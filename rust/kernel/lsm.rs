// SPDX-License-Identifier: GPL-2.0

//! Registration of security modules.
//!
//! A security module is a static [`Lsm`], made with [`define_lsm!`](crate::define_lsm), and a
//! static table of [`Hook`]s that its initialiser adds to the framework with [`add_hooks`]. Hooks
//! cannot be unregistered.
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
    /// Makes an identifier. `id` is a number from `include/uapi/linux/lsm.h`.
    pub const fn new(name: &'static CStr, id: u64) -> Self {
        Self(bindings::lsm_id {
            name: name.to_bytes_with_nul().as_ptr().cast(),
            id,
        })
    }

    /// Returns a pointer to the C structure.
    pub const fn as_ptr(&'static self) -> *const bindings::lsm_id {
        &raw const self.0
    }
}

/// One callback of a security module: an entry of its hook table.
///
/// # Invariants
///
/// `scalls` is a hook's row in `static_calls_table`, and `hook` contains the same hook's callback.
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
        // INVARIANT: The caller passes the row and the callback of one hook.
        Self(Opaque::new(bindings::security_hook_list {
            scalls,
            hook,
            lsmid: core::ptr::null(),
        }))
    }

    /// Returns the static key that guards the framework's calls of this entry. [`None`] before the
    /// entry is registered.
    pub fn active_key(&'static self) -> Option<&'static StaticKeyFalse> {
        // SAFETY: The framework's keys are static.
        Some(unsafe { StaticKeyFalse::from_raw(self.scall()?.active) })
    }

    /// Enables or disables the callback. Does nothing before the entry is registered.
    ///
    /// Patches code: may sleep, unless the system is still booting.
    pub fn set_active(&'static self, on: bool) {
        if let Some(key) = self.active_key() {
            if on {
                key.enable();
            } else {
                key.disable();
            }
        }
    }

    /// Returns the framework's slot of the entry. [`None`] before the entry is registered.
    fn scall(&'static self) -> Option<&'static bindings::lsm_static_call> {
        let me = self.0.get();

        // SAFETY: By the type invariant `scalls` is a row of `MAX_LSM_COUNT` entries, which do not
        // change after boot.
        let row = unsafe { core::slice::from_raw_parts((*me).scalls, bindings::MAX_LSM_COUNT) };
        row.iter().find(|scall| scall.hl == me)
    }
}

impl Hook {
    /// Points the framework's static call of this entry to `function`. The hooks that the framework
    /// walks with `lsm_for_each_hook()` still call the entry's own callback.
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
            // SAFETY: The framework's static calls are static. The caller guarantees that the
            // function has their type and is static.
            unsafe {
                StaticCall::new(scall.key, scall.trampoline.cast_const().cast()).update(function)
            };
        }
    }
}

/// Makes a [`Hook`] from the name of an LSM hook and a callback, as `LSM_HOOK_INIT()` does.
///
/// The callback is an `unsafe extern "C"` function of the hook's type, whose safety requirement is
/// that only the LSM framework calls it. It must return a value that the hook allows.
///
/// # Examples
///
/// ```ignore
/// #[link_section = ".data..ro_after_init"]
/// static HOOKS: [lsm::Hook; 1] = [lsm_hook!(file_open, file_open)];
/// ```
#[macro_export]
macro_rules! lsm_hook {
    ($name:ident, $callback:expr $(,)?) => {
        // SAFETY: The row and the callback are those of the same hook: the field of the union has
        // the callback's type.
        unsafe {
            $crate::lsm::Hook::new(
                (&raw mut $crate::bindings::static_calls_table.$name).cast(),
                $crate::bindings::security_list_options {
                    $name: Some($callback),
                },
            )
        }
    };
}
pub use lsm_hook;

/// Adds the hooks of a security module to the framework, which enables them.
///
/// Panics, in C, if the framework has no slot left: see `include/linux/lsm_count.h`.
///
/// # Safety
///
/// Must be called once for each table, by the module's initialiser, which must be in `.init.text`
/// like the C function.
#[inline(always)]
pub unsafe fn add_hooks<const N: usize>(hooks: &'static [Hook; N], id: &'static LsmId) {
    // SAFETY: The table is static and `Hook` is transparent; the caller is the initialiser.
    unsafe {
        bindings::security_add_hooks(hooks.as_ptr().cast_mut().cast(), N as c_int, id.as_ptr())
    };
}

/// The extended attributes of a new inode: an argument of the hook `inode_init_security`.
///
/// # Invariants
///
/// `xattrs` is an array whose first `*count` elements are set, with values from `kmalloc()`, and
/// which has memory for `spare` more.
pub struct NewXattrs<'a> {
    xattrs: *mut bindings::xattr,
    count: &'a mut c_int,
    spare: u32,
}

impl<'a> NewXattrs<'a> {
    /// Wraps the arguments of the hook. Returns [`None`] if the file system takes no attributes.
    ///
    /// # Safety
    ///
    /// Both must be the framework's arguments, and not be used otherwise for `'a`. `spare`, and the
    /// number of different names that the module sets, must not exceed the number of attributes
    /// that it has asked for in [`BlobSizes`].
    pub unsafe fn from_raw(
        xattrs: *mut bindings::xattr,
        count: *mut c_int,
        spare: u32,
    ) -> Option<Self> {
        if xattrs.is_null() {
            return None;
        }
        // INVARIANT: The framework passes such an array, with memory for all attributes that
        // modules have asked for.
        Some(Self {
            xattrs,
            // SAFETY: The caller passes the framework's pointer to the number of attributes.
            count: unsafe { &mut *count },
            spare,
        })
    }

    /// Finds an attribute that was set. Names are compared by address.
    fn find(&mut self, name: &'static CStr) -> Option<&mut bindings::xattr> {
        // SAFETY: By the type invariant, the array has as many elements that are set.
        let set = unsafe { core::slice::from_raw_parts_mut(self.xattrs, *self.count as usize) };

        set.iter_mut()
            .find(|xattr| xattr.name == name.as_char_ptr())
    }

    /// Whether the attribute was set.
    pub fn has(&mut self, name: &'static CStr) -> bool {
        self.find(name).is_some()
    }

    /// Sets an attribute, whose name is without the prefix `security.`.
    ///
    /// # Errors
    ///
    /// `ENOSPC`: the module has asked for fewer attributes.
    pub fn set(&mut self, name: &'static CStr, value: KVec<u8>) -> Result {
        if let Some(xattr) = self.find(name) {
            let (value, value_len, _) = value.into_raw_parts();
            // SAFETY: By the type invariant, the old value is from `kmalloc()`.
            unsafe { bindings::kfree(xattr.value) };
            (xattr.value, xattr.value_len) = (value.cast(), value_len);
            return Ok(());
        }
        self.spare = self.spare.checked_sub(1).ok_or(ENOSPC)?;
        let (value, value_len, _) = value.into_raw_parts();
        // INVARIANT: The new element is set, and uses one of the spare ones.
        // SAFETY: By the type invariant, the array has memory for one more element. The framework
        // frees the value with `kfree()`.
        unsafe {
            self.xattrs
                .add(*self.count as usize)
                .write(bindings::xattr {
                    name: name.as_char_ptr(),
                    value: value.cast(),
                    value_len,
                })
        };
        *self.count += 1;
        Ok(())
    }
}

/// The bytes that a security module asks for in the blobs of kernel objects.
///
/// Before the framework calls the module's initialiser, it replaces each non-zero size by the
/// offset of the module's part.
#[repr(transparent)]
pub struct BlobSizes(UnsafeCell<bindings::lsm_blob_sizes>);

// SAFETY: Written at boot only, when there is one CPU.
unsafe impl Sync for BlobSizes {}

impl BlobSizes {
    /// Wraps sizes.
    pub const fn new(sizes: bindings::lsm_blob_sizes) -> Self {
        Self(UnsafeCell::new(sizes))
    }

    /// Returns a pointer to the C structure.
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

/// Default values of the fields for [`define_lsm!`](crate::define_lsm).
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
