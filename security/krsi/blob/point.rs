// SPDX-License-Identifier: GPL-2.0

//! The points at which boot programs run.
//!
//! Compiled into the kernel and into the program that checks boot objects.

use super::class::Class;

/// Defines [`Point`] from names and the class of the objects.
macro_rules! points {
    ($($(#[$doc:meta])* $name:ident: $class:ident,)*) => {
        /// A point at which boot programs run, in the order of the members of
        /// `struct krsi_blob_ops`.
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Point {
            $($(#[$doc])* $name,)*
        }

        impl Point {
            /// All points, in the order of their numbers.
            pub(crate) const ALL: [Self; [$(Class::$class),*].len()] = [$(Self::$name),*];

            /// The name, as in the names of sections.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The class of the objects that the programs initialise.
            pub(crate) const fn class(self) -> Class {
                match self {
                    $(Self::$name => Class::$class,)*
                }
            }
        }
    };
}

points! {
    /// Credentials are created.
    cred: cred,
    /// A task is created.
    task: task,
    /// A file is opened.
    file: file,
    /// A backing file is opened.
    backing_file: backing_file,
    /// An inode is allocated.
    inode: inode,
    /// A file system is mounted.
    superblock: superblock,
    /// A socket is created.
    sock: sock,
    /// A System V IPC object is created.
    ipc: ipc,
    /// A System V message is created.
    msg_msg: msg_msg,
    /// A key is created.
    key: key,
    /// A block device is created.
    bdev: bdev,
    /// A perf event is opened.
    perf_event: perf_event,
    /// A BPF map is created.
    bpf_map: bpf_map,
    /// A BPF program is loaded.
    bpf_prog: bpf_prog,
    /// A BPF token is created.
    bpf_token: bpf_token,
    /// A new file is created in a directory, after [`Point::inode`].
    inode_create: inode,
    /// An inode is bound to its first dentry, after the two other points.
    inode_instantiate: inode,
}

impl Point {
    /// Returns the point of a name.
    pub(crate) fn by_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|point| point.name().as_bytes() == name)
    }

    /// The point at which objects of a class are created. [`None`]: programs never see them.
    pub(crate) fn of_class(class: Class) -> Option<Self> {
        // `inode_create` and `inode_instantiate` come after `inode`.
        Self::ALL.into_iter().find(|point| point.class() == class)
    }
}
