// SPDX-License-Identifier: GPL-2.0

//! The tables of hooks, in the order of `lsm_hook_defs.h`: callbacks for the framework, and facts.

use crate::{
    frame::Frame,
    hook::{Hook, COUNT},
    trampoline::{callback, sleepable_callback},
};
use kernel::{bindings, lsm, prelude::*, static_key::StaticKeyFalse};
#[cfg(CONFIG_HAVE_STATIC_CALL)]
use {crate::trampoline::Target, kernel::static_call::StaticCall};

/// The constants of [`Hook`], for code that handles all hooks.
pub(crate) struct Facts {
    /// Name of the hook, without a prefix.
    pub(crate) name: &'static str,
    /// See [`Hook::DEFAULT`].
    pub(crate) default: i32,
    /// See [`Hook::VOID`].
    pub(crate) void: bool,
    /// See [`Hook::STUB`].
    pub(crate) stub: *const (),
    /// The static call in the trampoline. Its target is a program, a chain, or
    /// [`crate::trampoline::krsi_run_list`].
    #[cfg(CONFIG_HAVE_STATIC_CALL)]
    pub(crate) target: StaticCall<Target>,
    /// The static call in the trampoline for sleepable programs. Its target is a program, or
    /// [`crate::trampoline::krsi_run_sleepable_list`].
    #[cfg(CONFIG_HAVE_STATIC_CALL)]
    pub(crate) sleepable_target: StaticCall<Target>,
    /// The two trampolines, functions of the same type as the hook.
    #[cfg_attr(not(CONFIG_HAVE_STATIC_CALL), allow(dead_code))]
    pub(crate) trampoline: *const (),
    /// See `trampoline`.
    #[cfg_attr(not(CONFIG_HAVE_STATIC_CALL), allow(dead_code))]
    pub(crate) sleepable_trampoline: *const (),
}

// SAFETY: Never written, and the pointers are only addresses of code.
unsafe impl Sync for Facts {}

/// Hooks at which no program may run, even if the BPF core allows it.
///
/// Before `file_alloc_security`, `init_file()` sets `f_cred`, and the framework sets `f_security`.
/// The rest of the file is still that of the previous file at the same address: files are
/// `SLAB_TYPESAFE_BY_RCU`, and not zeroed. So its pointers are not NULL but stale.
const CLOSED: &[&str] = &["file_alloc_security"];

/// Whether no program may run at a hook. Any context.
pub(crate) fn closed(hook: usize) -> bool {
    CLOSED.contains(&FACTS[hook].name)
}

/// Returns the number of the hook whose stub is `func`.
pub(crate) fn by_stub(func: *const c_void) -> Option<usize> {
    FACTS.iter().position(|facts| facts.stub == func.cast())
}

/// Returns the hooks at which a program of `hook` can run: the hook itself, and those whose
/// programs can tail-call it, which are the hooks of the same function type that are not closed.
/// [`None`] if BTF is missing.
///
/// May sleep.
pub(crate) fn tail_callers(hook: usize) -> Option<impl Iterator<Item = usize>> {
    // SAFETY: FFI calls with hooks' numbers.
    let proto = |hook: usize| unsafe { bindings::krsi_hook_proto(hook as c_uint) };
    let own = proto(hook);

    (own != 0).then(|| {
        (0..COUNT).filter(move |&other| other == hook || proto(other) == own && !closed(other))
    })
}

/// Returns the static key that enables the framework's calls of a hook.
pub(crate) fn key(hook: usize) -> Option<&'static StaticKeyFalse> {
    HOOKS[hook].active_key()
}

/// Makes the tables from the generated list.
macro_rules! hooks {
    ($(
        $name:ident, $id:ident, $stub:ident, $key:ident, $tramp:ident, $skey:ident, $stramp:ident,
        $ret:ident, $default:expr;
    )*) => {
        /// A type for each hook.
        #[allow(non_camel_case_types)]
        mod id {
            $(pub(crate) struct $name;)*
        }

        $(
            impl Hook for id::$name {
                const INDEX: usize = bindings::$id as usize;
                const DEFAULT: i32 = $default;
                const VOID: bool = is_void!($ret);
                const STUB: *const () = bindings::$stub as *const ();

                #[inline(always)]
                unsafe fn call_target(frame: &Frame) -> c_uint {
                    // SAFETY: The frame has the context of the hook's programs. The caller has the
                    // guard that the target needs.
                    unsafe { call!($tramp or krsi_run_list, frame, "r12") }
                }

                #[inline(always)]
                unsafe fn call_sleepable_target(frame: &Frame) -> c_uint {
                    // SAFETY: The frame has the context of the hook's programs. The caller has the
                    // guard that the target needs.
                    unsafe { call!($stramp or krsi_run_sleepable_list, frame) }
                }
            }
        )*

        /// The callbacks for the framework: the trampoline of each hook.
        // Not in `.rodata`, because the framework writes to it at boot.
        #[link_section = ".data..ro_after_init"]
        pub(crate) static HOOKS: [lsm::Hook; COUNT] = [$(
            // SAFETY: The row and the callback are of the same hook. The callback returns a value
            // that programs may return at the hook, or the hook's default.
            unsafe {
                lsm::Hook::new(
                    (&raw mut bindings::static_calls_table.$name).cast(),
                    bindings::security_list_options { $name: Some(entry!($name)) },
                )
            },
        )*];

        /// Facts of each hook.
        pub(crate) static FACTS: [Facts; COUNT] = [$(
            Facts {
                name: stringify!($name),
                default: <id::$name as Hook>::DEFAULT,
                void: <id::$name as Hook>::VOID,
                stub: <id::$name as Hook>::STUB,
                #[cfg(CONFIG_HAVE_STATIC_CALL)]
                // SAFETY: Both are of the static call that is declared for this hook.
                target: unsafe {
                    StaticCall::new(
                        &raw mut bindings::$key,
                        bindings::$tramp as *const (),
                    )
                },
                #[cfg(CONFIG_HAVE_STATIC_CALL)]
                // SAFETY: Both are of the static call that is declared for this hook.
                sleepable_target: unsafe {
                    StaticCall::new(
                        &raw mut bindings::$skey,
                        bindings::$stramp as *const (),
                    )
                },
                trampoline: address_of!($name, callback),
                sleepable_trampoline: address_of!($name, sleepable_callback),
            },
        )*];
    };
}

/// Makes a static call with the context of a frame. Without static calls, calls the function that
/// runs the list of any hook.
///
/// Chains find the frame in `%r12`, which programs preserve: see `arch/x86/net/krsi_chain.S`. The
/// second argument of targets is not set, because they ignore it.
#[cfg(all(CONFIG_HAVE_STATIC_CALL, CONFIG_X86_64))]
macro_rules! call {
    ($tramp:ident or $list:ident, $frame:expr $(, $register:tt)?) => {{
        let verdict: c_uint;
        kernel::asm!(
            "call {target}";
            target = sym bindings::$tramp,
            in("rdi") $frame.ctx(),
            $(in($register) core::ptr::from_ref($frame),)?
            lateout("eax") verdict,
            clobber_abi("C"),
        );
        verdict
    }};
}
#[cfg(all(CONFIG_HAVE_STATIC_CALL, not(CONFIG_X86_64)))]
macro_rules! call {
    ($tramp:ident or $list:ident, $frame:expr $(, $register:tt)?) => {
        bindings::$tramp($frame.ctx().cast(), core::ptr::null())
    };
}
#[cfg(not(CONFIG_HAVE_STATIC_CALL))]
macro_rules! call {
    ($tramp:ident or $list:ident, $frame:expr $(, $register:tt)?) => {
        crate::trampoline::$list($frame.ctx().cast(), core::ptr::null())
    };
}

/// The address of a trampoline, whose type is that of the hook's field in the framework's union.
macro_rules! address_of {
    ($name:ident, $which:ident) => {{
        let options = bindings::security_list_options {
            $name: Some($which::<id::$name, _>()),
        };
        // SAFETY: All members of the union are function pointers.
        unsafe { options.lsm_func_addr as *const () }
    }};
}

/// The callback of a hook: the trampoline, except for `inode_init_security`.
macro_rules! entry {
    (inode_init_security) => {
        inode_init_security
    };
    ($name:ident) => {
        callback::<id::$name, _>()
    };
}

/// Whether a hook's return type is `void`. The other type is `int`.
macro_rules! is_void {
    (void) => {
        true
    };
    (int) => {
        false
    };
}

include!(concat!(
    env!("OBJTREE"),
    "/security/krsi/hooks_generated.rs"
));

/// Calls the trampoline, then stores the slots with an extended attribute, to which programs may
/// have written.
///
/// # Safety
///
/// Only the LSM framework may call this.
unsafe extern "C" fn inode_init_security(
    inode: *mut bindings::inode,
    dir: *mut bindings::inode,
    name: *const bindings::qstr,
    xattrs: *mut bindings::xattr,
    count: *mut c_int,
) -> c_int {
    type Entry = unsafe extern "C" fn(
        *mut bindings::inode,
        *mut bindings::inode,
        *const bindings::qstr,
        *mut bindings::xattr,
        *mut c_int,
    ) -> c_int;
    let programs: Entry = callback::<id::inode_init_security, _>();

    // SAFETY: These are the framework's arguments.
    let verdict = unsafe { programs(inode, dir, name, xattrs, count) };
    if verdict != 0 && verdict != EOPNOTSUPP.to_errno() {
        return verdict;
    }
    // SAFETY: These are the framework's arguments.
    match unsafe { crate::blob::xattr::collect(inode, xattrs, count) } {
        Ok(()) => verdict,
        Err(e) => e.to_errno(),
    }
}

/// Callbacks that run no programs: they free the inode storage of BPF programs.
#[link_section = ".data..ro_after_init"]
pub(crate) static STORAGE_HOOKS: [lsm::Hook; 1] = [
    // SAFETY: The row and the callback are of the same hook.
    unsafe {
        lsm::Hook::new(
            (&raw mut bindings::static_calls_table.inode_free_security).cast(),
            bindings::security_list_options {
                inode_free_security: Some(bindings::bpf_inode_storage_free),
            },
        )
    },
];

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_hooks)]
mod tests {
    use super::*;

    #[test]
    fn stubs_are_found_and_nothing_else() {
        for (hook, facts) in FACTS.iter().enumerate() {
            assert_eq!(by_stub(facts.stub.cast()), Some(hook));
        }
        assert!(by_stub(core::ptr::null()).is_none());
        assert!(by_stub((bindings::bpf_inode_storage_free as *const ()).cast()).is_none());
    }

    #[test]
    fn closed_hooks_are_no_tail_callers() {
        let hook = |name: &str| FACTS.iter().position(|facts| facts.name == name);
        let callers = |hook| tail_callers(hook).map(|hooks| hooks.filter(|&h| closed(h)).count());

        for name in CLOSED {
            // None of them depends on the configuration.
            assert!(hook(name).is_some_and(|hook| closed(hook) && callers(hook) == Some(1)));
        }
        // These have functions of the same type.
        for name in ["file_open", "file_truncate", "file_receive"] {
            assert!(hook(name).is_some_and(|hook| !closed(hook) && callers(hook) == Some(0)));
        }
    }

    #[test]
    fn void_hooks_have_no_default() {
        assert!(FACTS.iter().all(|facts| !facts.void || facts.default == 0));
        assert!(FACTS.iter().any(|facts| facts.default != 0));
    }
}
