// SPDX-License-Identifier: GPL-2.0

//! The hooks at which an object can be without its blob.
//!
//! The framework allocates the blob before it calls the first hook with an object, and frees it
//! after the last one. [`exceptions`] lists, for each class, the hooks for which that is not true.
//! At all other hooks the blob exists, so the inlined access does not test for it.
//!
//! The list is derived from `security/security.c` and from the functions that allocate and free the
//! objects. The selftest `blob_missing_test` compares it with the verifier's output for each class
//! at each hook, rejects objects, and makes allocations fail.

use super::class::Class;
use crate::hook_table;

/// Why an object has no blob.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reason {
    /// The object is freed before its blob is allocated.
    NotAllocated,
    /// The object is freed because the allocation of its blob failed.
    AllocationFailed,
    /// An LSM rejected the object. The framework has called the free hook and freed the blob. The
    /// caller then frees the object in the ordinary way, which calls the hook again.
    Refused,
    /// The blob was freed earlier, by another function.
    Freed,
    /// Only some objects of the type have a blob of this class.
    OtherKind,
}

/// The hooks that an exception is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// The hook of this name.
    Hook(&'static str),
    /// All hooks.
    AnyHook,
}

use At::{AnyHook, Hook};
use Reason::{AllocationFailed, Freed, NotAllocated, OtherKind, Refused};

/// The hooks at which an object of the class can be without a blob.
const fn exceptions(class: Class) -> &'static [(At, &'static [Reason])] {
    match class {
        // security_cred_free() and security_bdev_free() do not call the hook without a blob.
        Class::cred | Class::bdev => &[],
        // If the allocation fails, or an LSM rejects it, copy_process() does not free the blob
        // again.
        Class::task => &[],
        // file_free() frees the blob of a file first, and then that of a backing file.
        Class::file => &[(Hook("backing_file_free"), &[Freed])],
        // alloc_empty_backing_file() frees the file by fput().
        Class::backing_file => &[
            (AnyHook, &[OtherKind]),
            (Hook("backing_file_free"), &[AllocationFailed, Refused]),
        ],
        // inode_init_always_gfp() fails, and its callers free the inode without
        // security_inode_free(). The blob of a freed inode stays until the end of a grace period.
        Class::inode => &[],
        // alloc_super() calls destroy_unused_super().
        Class::superblock => &[(Hook("sb_free_security"), &[AllocationFailed, Refused])],
        // Request and time-wait sockets. sk_prot_alloc() frees a rejected one without the hook.
        Class::sock => &[(AnyHook, &[OtherKind])],
        // newque(), newseg() and newary() free the memory alone.
        Class::ipc => &[],
        // load_msg() and alloc_msg() call free_msg().
        Class::msg_msg => &[(
            Hook("msg_msg_free_security"),
            &[NotAllocated, AllocationFailed, Refused],
        )],
        // No hook is called when the object is freed.
        Class::key | Class::perf_event | Class::tun_dev | Class::ib => &[],
        // map_create() calls bpf_map_free(), and bpf_token_create() kfree().
        Class::bpf_map | Class::bpf_token => &[],
        // Programs of the kernel itself, and the parts of a program. bpf_prog_load() frees rejected
        // programs by __bpf_prog_put_noref().
        Class::bpf_prog => &[
            (AnyHook, &[OtherKind]),
            (
                Hook("bpf_prog_free"),
                &[NotAllocated, AllocationFailed, Refused],
            ),
        ],
    }
}

/// Whether a program of a hook can have an object of the class that has no blob.
///
/// A program can be tail-called at any hook of the same function type, and runs there too. `hook`
/// is the hook's number, [`None`] if it is unknown. May sleep.
pub(super) fn possible(class: Class, hook: Option<usize>) -> bool {
    let exceptions = exceptions(class);
    let listed = |name| {
        exceptions
            .iter()
            .any(|&(at, _)| at == AnyHook || at == Hook(name))
    };

    if exceptions.is_empty() {
        return false;
    }
    match hook.and_then(hook_table::tail_callers) {
        Some(mut callers) => callers.any(|caller| listed(hook_table::FACTS[caller].name)),
        None => true,
    }
}

#[cfg(CONFIG_SECURITY_KRSI_KUNIT_TEST)]
#[kernel::macros::kunit_tests(krsi_blob_missing)]
mod tests {
    use super::*;

    fn hook(name: &str) -> Option<usize> {
        hook_table::FACTS
            .iter()
            .position(|facts| facts.name == name)
    }

    #[test]
    fn exceptions_are_complete() {
        for class in Class::ALL {
            for (i, &(at, reasons)) in exceptions(class).iter().enumerate() {
                assert!(!reasons.is_empty());
                // Each hook once.
                assert!(!exceptions(class)[..i].iter().any(|&(other, _)| other == at));
                match at {
                    // None of these depends on the configuration.
                    Hook(name) => {
                        assert!(hook(name).is_some_and(|hook| possible(class, Some(hook))));
                    }
                    AnyHook => {
                        assert!((0..crate::hook::COUNT).all(|hook| possible(class, Some(hook))))
                    }
                }
            }
            // A hook that is not known.
            assert_eq!(possible(class, None), !exceptions(class).is_empty());
        }
    }

    #[test]
    fn tail_calls_are_followed() {
        let at = |class| (0..crate::hook::COUNT).filter(move |&hook| possible(class, Some(hook)));
        let is = |class, names: &[&str]| {
            at(class).count() == names.len()
                && names
                    .iter()
                    .all(|name| hook(name).is_some_and(|hook| possible(class, Some(hook))))
        };

        assert!(is(Class::superblock, &["sb_free_security", "sb_delete"]));
        assert!(is(Class::msg_msg, &["msg_msg_free_security"]));
        assert!(is(Class::file, &["backing_file_free"]));
        assert_eq!(at(Class::inode).count(), 0);
        assert_eq!(at(Class::cred).count(), 0);
    }
}
