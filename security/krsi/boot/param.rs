// SPDX-License-Identifier: GPL-2.0

//! The boot parameters of boot programs.

use kernel::{
    prelude::*,
    str::BStr,
    sync::atomic::{Atomic, Relaxed},
};

/// The treatment of boot programs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// An error in a boot program panics the kernel.
    Enforce,
    /// An object with an error is skipped.
    Permissive,
    /// No object is loaded.
    Off,
}

impl Mode {
    const ALL: [Self; 3] = [Self::Enforce, Self::Permissive, Self::Off];

    /// The value of the boot parameter.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Permissive => "permissive",
            Self::Off => "off",
        }
    }
}

/// Index of the mode in [`Mode::ALL`]. Written at boot, by one CPU.
static MODE: Atomic<u32> = Atomic::new(Mode::Enforce as u32);

/// The value of the boot parameter `krsi.boot=`.
pub(super) fn mode() -> Mode {
    Mode::ALL[MODE.load(Relaxed) as usize]
}

/// Handles the boot parameter `krsi.boot=`.
///
/// # Safety
///
/// `mode` must be a C string. Called at boot, with one CPU.
#[export]
pub(crate) unsafe extern "C" fn krsi_boot_setup(mode: *const c_char) {
    // SAFETY: The caller passes a C string.
    let text = unsafe { CStr::from_char_ptr(mode) }.to_bytes();
    let mode = Mode::ALL
        .into_iter()
        .find(|mode| mode.name().as_bytes() == text);

    if mode.is_none() {
        pr_warn!(
            "krsi.boot: neither enforce, permissive nor off: \"{}\"; enforcing\n",
            BStr::from_bytes(&text[..text.len().min(64)])
        );
    }
    MODE.store(mode.unwrap_or(Mode::Enforce) as u32, Relaxed);
}

/// The object whose loading fails, for tests: the end of its name, as a C string. Written at boot,
/// by one CPU.
#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
static FAIL: Atomic<*mut c_void> = Atomic::new(core::ptr::null_mut());

/// Handles the boot parameter `krsi.boot_fail=`, for tests.
///
/// # Safety
///
/// `object` must be a C string that is never freed. Called at boot, with one CPU.
#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[export]
pub(crate) unsafe extern "C" fn krsi_boot_fail_setup(object: *const c_char) {
    FAIL.store(object.cast_mut().cast(), Relaxed);
}

/// Whether a test asks for the loading of an object to fail.
pub(super) fn fails(_object: &str) -> bool {
    #[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
    {
        let text = FAIL.load(Relaxed);
        if text.is_null() {
            return false;
        }
        // SAFETY: `krsi_boot_fail_setup` got a C string that is never freed.
        let suffix = unsafe { CStr::from_char_ptr(text.cast()) };
        _object.as_bytes().ends_with(suffix.to_bytes())
    }
    #[cfg(not(CONFIG_SECURITY_KRSI_KUNIT_TEST))]
    {
        false
    }
}

/// Whether to load an object of the image. Objects that test rejection are loaded only if a boot
/// parameter asks for it.
pub(super) fn is_wanted(_object: &str) -> bool {
    #[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
    {
        // SAFETY: Written at boot, by one CPU, while boot parameters are parsed.
        let rejected = unsafe { kernel::bindings::krsi_boot_refused };
        rejected || !_object.ends_with(".refused.bpf.o")
    }
    #[cfg(not(CONFIG_SECURITY_KRSI_KUNIT_TEST))]
    {
        true
    }
}

/// Creates objects that are never freed, if a test asks for it, while programs are being enabled.
pub(super) fn make_objects() {
    #[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
    // SAFETY: An FFI call with no additional requirements.
    unsafe {
        kernel::bindings::krsi_boot_make_objects()
    };
}
