// SPDX-License-Identifier: GPL-2.0

//! The classes of kernel objects that have an LSM blob.
//!
//! This is the only list of them in Rust. The kernel compiles it, and so does the program that
//! checks boot objects when a kernel is built. The C enumeration is compared with it below.

/// Defines [`Class`] from a list of names, each that of a size in `struct lsm_blob_sizes` without
/// its prefix `lbs_`.
macro_rules! classes {
    ($($name:ident,)*) => {
        /// A class of objects that have a blob.
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Class {
            $(
                #[doc = concat!("`lbs_", stringify!($name), "`.")]
                $name,
            )*
        }

        /// The number of classes.
        pub(crate) const COUNT: usize = Class::ALL.len();

        impl Class {
            /// All classes, in the order of their numbers.
            pub(crate) const ALL: [Self; [$(stringify!($name)),*].len()] = [$(Self::$name),*];

            /// The name, as in boot parameters and in `/sys/kernel/security/krsi/blobs`.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }

        #[cfg(CONFIG_SECURITY_KRSI)]
        kernel::macros::paste! {
            impl Class {
                /// The class's size, which the framework replaces by an offset.
                pub(crate) const fn size_mut(
                    self,
                    sizes: &mut kernel::bindings::lsm_blob_sizes,
                ) -> &mut kernel::prelude::c_uint {
                    match self {
                        $(Self::$name => &mut sizes.[<lbs_ $name>],)*
                    }
                }
            }

            // C has the same numbers.
            $(const _: () = assert!(
                Class::$name as kernel::prelude::c_uint
                    == kernel::bindings::[<krsi_blob_class_KRSI_BLOB_ $name>]
                        as kernel::prelude::c_uint
            );)*
        }
    };
}

classes! {
    cred,
    task,
    file,
    backing_file,
    inode,
    superblock,
    sock,
    ipc,
    msg_msg,
    key,
    bdev,
    perf_event,
    tun_dev,
    ib,
    bpf_map,
    bpf_prog,
    bpf_token,
}

impl Class {
    /// Returns the class of a number of `enum krsi_blob_class`.
    pub(crate) fn by_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Whether a program can have a pointer to an object of the class.
    pub(crate) const fn is_visible(self) -> bool {
        !matches!(self, Self::tun_dev | Self::ib)
    }
}

#[cfg(CONFIG_SECURITY_KRSI)]
const _: () = {
    use kernel::bindings;

    assert!(COUNT == bindings::krsi_blob_class_KRSI_BLOB_COUNT as usize);
    // All fields but the number of extended attributes are sizes of blobs: no class is missing.
    assert!(COUNT + 1 == size_of::<bindings::lsm_blob_sizes>() / size_of::<u32>());
};
