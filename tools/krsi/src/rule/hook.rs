// SPDX-License-Identifier: GPL-2.0

//! Which LSM hooks decide which system calls, and what a hook knows.
//!
//! A rule decides an operation, whichever system call asks for it: unlink(2), unlinkat(2) and
//! io_uring's are one hook.

use super::{
    label::Class,
    policy::{Attr, Op, Test, Text},
    syscalls::SYSCALLS,
};

/// A path that a hook knows, by the numbers of its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// `struct file *`
    File(u8),
    /// `const struct path *`
    Path(u8),
    /// `const struct path *` of the directory, `struct dentry *` in it
    At(u8, u8),
    /// `struct linux_binprm *`
    Bprm(u8),
}

/// Where a hook has the inode of its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    File(u8),
    Path(u8),
    Dentry(u8),
    Bprm(u8),
}

/// What kind of access a call of the hook is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// None that `perm` or `-p` would mean.
    None,
    Fixed(u8),
    /// That which the file of this argument is opened for; writing too if that truncates it.
    Open(u8),
    /// A mask of MAY_READ and MAY_WRITE.
    Mask(u8),
}

pub const READ: u8 = 1;
pub const WRITE: u8 = 2;
pub const EXECUTE: u8 = 4;
pub const ATTRIBUTES: u8 = 8;

/// Where a hook has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// `struct sockaddr *` and its length
    Plain(u8, u8),
    /// `struct msghdr *`
    Message(u8),
}

/// Calls of a hook that are no decision about the caller's operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    Nothing,
    /// Files that are opened to be executed, which bprm_check_security decides, and files that a
    /// stacking file system opens beneath the one that was decided.
    ExecutedOrBacking(u8),
    /// Signals that are not sent with the rights of the current task.
    OthersSignal(u8),
    /// Sockets that the kernel makes for itself, if this argument is not 0.
    KernelSocket(u8),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Hook {
    pub name: &'static str,
    pub names: &'static [Name],
    pub node: Option<Node>,
    pub access: Access,
    /// The `struct socket *` that is asked about.
    pub socket: Option<u8>,
    /// Of the other end.
    pub remote: Option<Address>,
    /// Of the own end.
    pub local: Option<Address>,
    pub skip: Skip,
    /// Whether programs can ask for paths there: see security/krsi/path.rs.
    pub paths: bool,
    /// Whether it can be called while a program of another hook runs for the same task.
    pub nested: bool,
    /// The argument that [`Attr::Detail`] is, and what it is.
    pub detail: Option<(u8, &'static str)>,
}

impl Hook {
    /// The address that it is asked about.
    pub fn address(&self) -> Option<Address> {
        self.remote.or(self.local)
    }

    /// Whether a text that has no name in any mount namespace differs from each name: what is
    /// executed from a memfd is not in /usr. Other objects without a name neither equal nor differ,
    /// since a rule about names is not about them.
    pub fn nameless_differs(&self, text: &Text) -> bool {
        match text {
            Text::Exe | Text::ParentExe => true,
            Text::Path => matches!(self.names, [Name::Bprm(_)]),
            _ => false,
        }
    }

    /// Whether it has an object of the class.
    pub fn has(&self, class: Class) -> bool {
        match class {
            Class::Cred | Class::Task => true,
            Class::Inode => self.node.is_some(),
            Class::File => matches!(self.node, Some(Node::File(_) | Node::Bprm(_))),
            Class::Sock => self.socket.is_some(),
        }
    }
}

const fn plain(name: &'static str) -> Hook {
    Hook {
        name,
        names: &[],
        node: None,
        access: Access::None,
        socket: None,
        remote: None,
        local: None,
        skip: Skip::Nothing,
        paths: true,
        nested: false,
        detail: None,
    }
}

/// A hook in whose context paths cannot be had.
const fn pathless(name: &'static str) -> Hook {
    Hook {
        paths: false,
        ..plain(name)
    }
}

const fn object(
    name: &'static str,
    names: &'static [Name],
    node: Option<Node>,
    access: Access,
) -> Hook {
    Hook {
        names,
        node,
        access,
        ..plain(name)
    }
}

/// A name in a directory that is changed.
const fn entry(name: &'static str) -> Hook {
    object(
        name,
        &[Name::At(0, 1)],
        Some(Node::Dentry(1)),
        Access::Fixed(WRITE),
    )
}

/// What has only an entry of a directory, not its path.
const fn dentry(name: &'static str, arg: u8, access: u8) -> Hook {
    object(name, &[], Some(Node::Dentry(arg)), Access::Fixed(access))
}

const fn file(name: &'static str, access: Access) -> Hook {
    object(name, &[Name::File(0)], Some(Node::File(0)), access)
}

const fn path(name: &'static str, access: Access) -> Hook {
    object(name, &[Name::Path(0)], Some(Node::Path(0)), access)
}

const fn socket(name: &'static str) -> Hook {
    Hook {
        socket: Some(0),
        ..plain(name)
    }
}

const fn with_detail(hook: Hook, arg: u8, what: &'static str) -> Hook {
    Hook {
        detail: Some((arg, what)),
        ..hook
    }
}

/// The hooks that rules are about. Those that -p and perm choose from are the first.
pub const HOOKS: &[Hook] = &[
    Hook {
        skip: Skip::ExecutedOrBacking(0),
        ..file("file_open", Access::Open(0))
    },
    object(
        "bprm_check_security",
        &[Name::Bprm(0)],
        Some(Node::Bprm(0)),
        Access::Fixed(EXECUTE),
    ),
    path("path_truncate", Access::Fixed(WRITE)),
    entry("path_unlink"),
    entry("path_mkdir"),
    entry("path_rmdir"),
    with_detail(entry("path_mknod"), 2, "mode"),
    entry("path_symlink"),
    object(
        "path_link",
        &[Name::At(1, 2), Name::At(1, 0)],
        Some(Node::Dentry(0)),
        Access::Fixed(WRITE | ATTRIBUTES),
    ),
    object(
        "path_rename",
        &[Name::At(0, 1), Name::At(2, 3)],
        Some(Node::Dentry(1)),
        Access::Fixed(WRITE),
    ),
    path("path_chmod", Access::Fixed(ATTRIBUTES)),
    path("path_chown", Access::Fixed(ATTRIBUTES)),
    dentry("inode_setxattr", 1, ATTRIBUTES),
    dentry("inode_removexattr", 1, ATTRIBUTES),
    dentry("inode_set_acl", 1, ATTRIBUTES),
    dentry("inode_remove_acl", 1, ATTRIBUTES),
    // From here on only -S chooses.
    file("file_truncate", Access::Fixed(WRITE)),
    file("file_permission", Access::Mask(1)),
    file("file_ioctl", Access::None),
    file("file_fcntl", Access::None),
    file("file_lock", Access::None),
    path("inode_getattr", Access::None),
    path("path_chroot", Access::None),
    path("path_notify", Access::None),
    dentry("inode_getxattr", 0, READ),
    dentry("inode_listxattr", 0, READ),
    dentry("inode_readlink", 0, READ),
    plain("mmap_file"),
    plain("file_mprotect"),
    object(
        "sb_mount",
        &[Name::Path(1)],
        Some(Node::Path(1)),
        Access::None,
    ),
    plain("sb_umount"),
    object(
        "move_mount",
        &[Name::Path(1), Name::Path(0)],
        Some(Node::Path(1)),
        Access::None,
    ),
    object(
        "sb_pivotroot",
        &[Name::Path(1), Name::Path(0)],
        Some(Node::Path(1)),
        Access::None,
    ),
    plain("settime"),
    with_detail(plain("kernel_load_data"), 0, "kind of data"),
    with_detail(
        object(
            "kernel_read_file",
            &[Name::File(0)],
            Some(Node::File(0)),
            Access::None,
        ),
        1,
        "kind of file",
    ),
    Hook {
        nested: true,
        ..with_detail(pathless("capable"), 2, "capability")
    },
    Hook {
        skip: Skip::KernelSocket(3),
        ..plain("socket_create")
    },
    socket("socket_socketpair"),
    Hook {
        local: Some(Address::Plain(1, 2)),
        ..socket("socket_bind")
    },
    Hook {
        remote: Some(Address::Plain(1, 2)),
        ..socket("socket_connect")
    },
    socket("socket_listen"),
    socket("socket_accept"),
    Hook {
        remote: Some(Address::Message(1)),
        ..socket("socket_sendmsg")
    },
    socket("socket_recvmsg"),
    socket("socket_shutdown"),
    socket("socket_setsockopt"),
    socket("socket_getsockopt"),
    socket("socket_getsockname"),
    socket("socket_getpeername"),
    plain("task_alloc"),
    Hook {
        skip: Skip::OthersSignal(3),
        ..pathless("task_kill")
    },
    plain("task_fix_setuid"),
    plain("task_fix_setgid"),
    plain("task_fix_setgroups"),
    plain("task_prctl"),
    pathless("task_setnice"),
    pathless("task_setioprio"),
    pathless("task_getioprio"),
    pathless("task_setscheduler"),
    pathless("task_getscheduler"),
    pathless("task_setpgid"),
    pathless("task_getpgid"),
    pathless("task_getsid"),
    pathless("task_prlimit"),
    pathless("task_setrlimit"),
    pathless("task_movememory"),
    with_detail(pathless("ptrace_access_check"), 1, "mode"),
    pathless("ptrace_traceme"),
    plain("capset"),
    plain("capget"),
    plain("userns_create"),
    plain("bpf"),
    pathless("perf_event_open"),
    plain("uring_allowed"),
    pathless("syslog"),
    plain("quotactl"),
    plain("sb_statfs"),
    pathless("shm_alloc_security"),
    pathless("shm_associate"),
    pathless("shm_shmctl"),
    pathless("shm_shmat"),
    pathless("sem_alloc_security"),
    pathless("sem_associate"),
    pathless("sem_semctl"),
    pathless("sem_semop"),
    pathless("msg_queue_alloc_security"),
    pathless("msg_queue_associate"),
    pathless("msg_queue_msgctl"),
    pathless("msg_queue_msgsnd"),
    pathless("msg_queue_msgrcv"),
];

/// The hook of this name.
pub fn find(name: &str) -> Option<&'static Hook> {
    HOOKS.iter().find(|hook| hook.name == name)
}

/// Hooks that are asked before the kernel's own checks, or where there is nothing to check.
const FIRST: &[&str] = &[
    "file_truncate",
    "file_permission",
    "file_ioctl",
    "file_fcntl",
    "file_lock",
    "mmap_file",
    "file_mprotect",
    "task_alloc",
    "task_prctl",
    "capget",
    "userns_create",
];

impl Hook {
    /// Whether what permissions or capabilities refuse does not come as far as this hook.
    pub fn comes_after_permissions(&self) -> bool {
        !FIRST.contains(&self.name) && !self.name.starts_with("socket_")
    }
}

/// The hooks that `-w path -p` is about, those without a path left out.
pub fn of_access(access: u8) -> impl Iterator<Item = &'static Hook> {
    // The rest is asked about by name only: opening decided it already, or nobody asks -p for it.
    let first = HOOKS.iter().take_while(|hook| hook.name != "file_truncate");
    first.filter(move |hook| {
        let possible = match hook.access {
            Access::None => 0,
            Access::Fixed(bits) => bits,
            Access::Open(_) | Access::Mask(_) => READ | WRITE,
        };
        !hook.names.is_empty() && possible & access != 0
    })
}

/// Whether the hook is about what is done with a file, by a name that another call can change.
pub fn of_names(hook: &Hook) -> bool {
    !hook.names.is_empty()
        && HOOKS
            .iter()
            .take_while(|one| one.name != "file_truncate")
            .any(|one| one.name == hook.name)
}

/// What decides a system call.
#[derive(Debug)]
pub enum Decided {
    /// These hooks.
    By(Vec<(&'static Hook, Vec<Test>)>),
    /// None, but for a hook that rules do not use, if there is one; this is what to do instead.
    ByNone(Option<&'static str>, &'static str),
    Unknown,
}

/// The condition under which a call of a hook is one of a row's system calls.
#[derive(Clone, Copy, PartialEq)]
enum When {
    /// On every call: the hook is about this operation alone.
    Always,
    /// If the access includes reading.
    Reads,
    /// If the access includes writing.
    Writes,
    /// If a directory is read.
    Lists,
    /// If the hook's detail is one of these.
    Detail(&'static [u64]),
    /// If the hook's detail is not this in these bits.
    NotMasked(u64, u64),
    /// If it is this system call that asks for this capability.
    Capability(u64),
    /// If it is one of the system calls of the row that asks. For hooks that other operations
    /// call too, and that io_uring does not call for this one.
    Asked,
    /// The same, or a worker of io_uring, which has no system call.
    AskedOrWorker,
}

impl When {
    /// Whether a rule under this condition also matches the operation of another row.
    fn covers(self, other: Self) -> bool {
        match self {
            Self::Always => true,
            Self::Reads => !matches!(other, Self::Writes),
            Self::Writes => !matches!(other, Self::Reads | Self::Lists),
            Self::NotMasked(..) => !matches!(other, Self::Detail(_) | Self::Capability(_)),
            Self::Lists | Self::Detail(_) => self == other,
            Self::Capability(_) | Self::Asked | Self::AskedOrWorker => false,
        }
    }

    /// Whether the condition looks at the number of the system call.
    fn by_number(self) -> bool {
        matches!(
            self,
            Self::Asked | Self::AskedOrWorker | Self::Capability(_)
        )
    }
}

/// Of enum kernel_read_file_id, compressed modules too, and of enum kernel_load_data_id.
const MODULE: &[u64] = &[2, 7];
const KEXEC: &[u64] = &[3];
const S_IFMT: u64 = 0o170_000;
const S_IFREG: u64 = 0o100_000;
const S_IFDIR: u64 = 0o040_000;
const PTRACE_MODE_ATTACH: u64 = 2;
const CAP_SYS_MODULE: u64 = 16;
const CAP_SYS_RAWIO: u64 = 17;
const CAP_SYS_PACCT: u64 = 20;
const CAP_SYS_ADMIN: u64 = 21;
const CAP_SYS_BOOT: u64 = 22;
const CAP_SYS_TIME: u64 = 25;
const CAP_SYS_TTY_CONFIG: u64 = 26;

type Row = (&'static [&'static str], &'static [(&'static str, When)]);

/// Which hooks decide which system calls.
const DECIDED: &[Row] = &[
    (
        &["open", "openat", "openat2", "creat"],
        &[("file_open", When::Always)],
    ),
    // io_uring has neither of these.
    (&["open_by_handle_at"], &[("file_open", When::Asked)]),
    (&["mq_open"], &[("file_open", When::Asked)]),
    (
        &["execve", "execveat"],
        &[("bprm_check_security", When::Always)],
    ),
    (
        &["truncate", "truncate64"],
        &[("path_truncate", When::Always)],
    ),
    (
        // open(2) with O_TRUNC calls this hook too.
        &["ftruncate", "ftruncate64"],
        &[("file_truncate", When::AskedOrWorker)],
    ),
    (&["unlink"], &[("path_unlink", When::Always)]),
    (&["rmdir"], &[("path_rmdir", When::Always)]),
    (
        &["unlinkat"],
        &[("path_unlink", When::Always), ("path_rmdir", When::Always)],
    ),
    (&["mkdir", "mkdirat"], &[("path_mkdir", When::Always)]),
    // Opening makes ordinary files, and asks this hook too.
    (
        &["mknod", "mknodat"],
        &[
            ("path_mknod", When::NotMasked(S_IFMT, S_IFREG)),
            ("path_mknod", When::Asked),
        ],
    ),
    (&["symlink", "symlinkat"], &[("path_symlink", When::Always)]),
    (&["link", "linkat"], &[("path_link", When::Always)]),
    (
        &["rename", "renameat", "renameat2"],
        &[("path_rename", When::Always)],
    ),
    (
        &["chmod", "fchmod", "fchmodat", "fchmodat2"],
        &[("path_chmod", When::Always)],
    ),
    (
        &[
            "chown", "fchown", "lchown", "fchownat", "chown32", "fchown32", "lchown32",
        ],
        &[("path_chown", When::Always)],
    ),
    (
        &["setxattr", "lsetxattr", "fsetxattr", "setxattrat"],
        &[
            ("inode_setxattr", When::Always),
            ("inode_set_acl", When::Always),
        ],
    ),
    (
        &[
            "removexattr",
            "lremovexattr",
            "fremovexattr",
            "removexattrat",
        ],
        &[
            ("inode_removexattr", When::Always),
            ("inode_remove_acl", When::Always),
        ],
    ),
    (
        &["getxattr", "lgetxattr", "fgetxattr", "getxattrat"],
        &[("inode_getxattr", When::Always)],
    ),
    (
        &["listxattr", "llistxattr", "flistxattr", "listxattrat"],
        &[("inode_listxattr", When::Always)],
    ),
    (
        &["readlink", "readlinkat"],
        &[("inode_readlink", When::Always)],
    ),
    (
        &[
            "stat",
            "lstat",
            "fstat",
            "newfstatat",
            "statx",
            "stat64",
            "lstat64",
            "fstat64",
            "fstatat64",
        ],
        &[("inode_getattr", When::Always)],
    ),
    // One hook for whatever reads or writes: the access and the type of the file tell
    // reading from listing, whichever system call or io_uring asks.
    (
        &["read", "pread64", "readv", "preadv", "preadv2"],
        &[("file_permission", When::Reads)],
    ),
    (
        &["write", "pwrite64", "writev", "pwritev", "pwritev2"],
        &[("file_permission", When::Writes)],
    ),
    (
        &["getdents", "getdents64"],
        &[("file_permission", When::Lists)],
    ),
    (
        &["sendfile", "sendfile64"],
        &[("file_permission", When::Asked)],
    ),
    (&["copy_file_range"], &[("file_permission", When::Asked)]),
    (&["splice"], &[("file_permission", When::Asked)]),
    (&["fallocate"], &[("file_permission", When::Asked)]),
    (&["ioctl"], &[("file_ioctl", When::Always)]),
    (&["fcntl", "fcntl64"], &[("file_fcntl", When::Always)]),
    // fcntl(2) calls this hook too.
    (&["flock"], &[("file_lock", When::Asked)]),
    // exec, shmat(2) and remap_file_pages(2) call this hook too.
    (&["mmap", "mmap2"], &[("mmap_file", When::Asked)]),
    (
        &["mprotect", "pkey_mprotect"],
        &[("file_mprotect", When::Always)],
    ),
    (&["chroot"], &[("path_chroot", When::Always)]),
    (&["inotify_add_watch"], &[("path_notify", When::Asked)]),
    (&["fanotify_mark"], &[("path_notify", When::Asked)]),
    // mount(8) makes mounts with fsopen(2) and puts them in place with move_mount(2).
    (
        &["mount"],
        &[("sb_mount", When::Always), ("move_mount", When::Always)],
    ),
    (&["umount", "umount2"], &[("sb_umount", When::Always)]),
    (&["move_mount"], &[("move_mount", When::Always)]),
    (&["pivot_root"], &[("sb_pivotroot", When::Always)]),
    (
        &["settimeofday", "clock_settime", "clock_settime64", "stime"],
        &[("settime", When::Always)],
    ),
    (
        &["adjtimex", "clock_adjtime", "clock_adjtime64"],
        &[("capable", When::Capability(CAP_SYS_TIME))],
    ),
    (
        &["init_module"],
        &[("kernel_load_data", When::Detail(MODULE))],
    ),
    (
        &["finit_module"],
        &[("kernel_read_file", When::Detail(MODULE))],
    ),
    (
        &["delete_module"],
        &[("capable", When::Capability(CAP_SYS_MODULE))],
    ),
    (
        &["kexec_load"],
        &[("kernel_load_data", When::Detail(KEXEC))],
    ),
    (
        &["kexec_file_load"],
        &[("kernel_read_file", When::Detail(KEXEC))],
    ),
    (&["reboot"], &[("capable", When::Capability(CAP_SYS_BOOT))]),
    (
        &[
            "sethostname",
            "setdomainname",
            "swapon",
            "swapoff",
            "setns",
            "fsopen",
            "fspick",
            "mount_setattr",
            "open_tree",
            "lookup_dcookie",
        ],
        &[("capable", When::Capability(CAP_SYS_ADMIN))],
    ),
    // A user namespace needs no capability. Also asked for clone(2) with CLONE_NEWUSER.
    (
        &["unshare"],
        &[
            ("capable", When::Capability(CAP_SYS_ADMIN)),
            ("userns_create", When::Always),
        ],
    ),
    (&["acct"], &[("capable", When::Capability(CAP_SYS_PACCT))]),
    (
        &["iopl", "ioperm"],
        &[("capable", When::Capability(CAP_SYS_RAWIO))],
    ),
    (
        &["vhangup"],
        &[("capable", When::Capability(CAP_SYS_TTY_CONFIG))],
    ),
    (&["socket"], &[("socket_create", When::Always)]),
    (&["socketpair"], &[("socket_socketpair", When::Always)]),
    (&["bind"], &[("socket_bind", When::Always)]),
    (&["connect"], &[("socket_connect", When::Always)]),
    (&["listen"], &[("socket_listen", When::Always)]),
    (&["accept", "accept4"], &[("socket_accept", When::Always)]),
    (
        &["sendto", "sendmsg", "sendmmsg"],
        &[("socket_sendmsg", When::Always)],
    ),
    (
        &["recvfrom", "recvmsg", "recvmmsg"],
        &[("socket_recvmsg", When::Always)],
    ),
    (&["shutdown"], &[("socket_shutdown", When::Always)]),
    (&["setsockopt"], &[("socket_setsockopt", When::Always)]),
    (&["getsockopt"], &[("socket_getsockopt", When::Always)]),
    (&["getsockname"], &[("socket_getsockname", When::Always)]),
    (&["getpeername"], &[("socket_getpeername", When::Always)]),
    (
        &["fork", "vfork", "clone", "clone3"],
        &[("task_alloc", When::Always)],
    ),
    (
        &[
            "kill",
            "tkill",
            "tgkill",
            "rt_sigqueueinfo",
            "rt_tgsigqueueinfo",
            "pidfd_send_signal",
        ],
        &[("task_kill", When::Always)],
    ),
    (
        &[
            "setuid",
            "setreuid",
            "setresuid",
            "setfsuid",
            "setuid32",
            "setreuid32",
            "setresuid32",
            "setfsuid32",
        ],
        &[("task_fix_setuid", When::Always)],
    ),
    (
        &[
            "setgid",
            "setregid",
            "setresgid",
            "setfsgid",
            "setgid32",
            "setregid32",
            "setresgid32",
            "setfsgid32",
        ],
        &[("task_fix_setgid", When::Always)],
    ),
    (
        &["setgroups", "setgroups32"],
        &[("task_fix_setgroups", When::Always)],
    ),
    (&["prctl"], &[("task_prctl", When::Always)]),
    (&["setpriority", "nice"], &[("task_setnice", When::Always)]),
    (&["ioprio_set"], &[("task_setioprio", When::Always)]),
    (&["ioprio_get"], &[("task_getioprio", When::Always)]),
    (
        &["sched_setscheduler", "sched_setparam", "sched_setattr"],
        &[("task_setscheduler", When::Asked)],
    ),
    (
        &["sched_setaffinity"],
        &[("task_setscheduler", When::Asked)],
    ),
    (
        &["sched_getscheduler", "sched_getparam", "sched_getattr"],
        &[("task_getscheduler", When::Asked)],
    ),
    (
        &["sched_getaffinity"],
        &[("task_getscheduler", When::Asked)],
    ),
    (&["setpgid"], &[("task_setpgid", When::Always)]),
    (&["getpgid"], &[("task_getpgid", When::Always)]),
    (&["getsid"], &[("task_getsid", When::Always)]),
    (
        &["prlimit64"],
        &[
            ("task_prlimit", When::Always),
            ("task_setrlimit", When::Always),
        ],
    ),
    (&["setrlimit"], &[("task_setrlimit", When::Always)]),
    (&["move_pages"], &[("task_movememory", When::Asked)]),
    (&["migrate_pages"], &[("task_movememory", When::Asked)]),
    // Also asked, to read only, by whoever looks at another process in /proc, as ps(1) does.
    (
        &["ptrace"],
        &[
            (
                "ptrace_access_check",
                When::NotMasked(PTRACE_MODE_ATTACH, 0),
            ),
            ("ptrace_traceme", When::Always),
        ],
    ),
    (
        &["process_vm_readv", "process_vm_writev"],
        &[("ptrace_access_check", When::Asked)],
    ),
    (&["pidfd_getfd"], &[("ptrace_access_check", When::Asked)]),
    (&["kcmp"], &[("ptrace_access_check", When::Asked)]),
    (&["capset"], &[("capset", When::Always)]),
    (&["capget"], &[("capget", When::Always)]),
    (&["bpf"], &[("bpf", When::Always)]),
    (&["perf_event_open"], &[("perf_event_open", When::Always)]),
    (&["io_uring_setup"], &[("uring_allowed", When::Always)]),
    (&["syslog"], &[("syslog", When::Always)]),
    (&["quotactl", "quotactl_fd"], &[("quotactl", When::Always)]),
    (
        &["statfs", "fstatfs", "statfs64", "fstatfs64"],
        &[("sb_statfs", When::Always)],
    ),
    (
        &["shmget"],
        &[
            ("shm_alloc_security", When::Always),
            ("shm_associate", When::Always),
        ],
    ),
    (&["shmctl"], &[("shm_shmctl", When::Always)]),
    (&["shmat"], &[("shm_shmat", When::Always)]),
    (
        &["semget"],
        &[
            ("sem_alloc_security", When::Always),
            ("sem_associate", When::Always),
        ],
    ),
    (&["semctl"], &[("sem_semctl", When::Always)]),
    (
        &["semop", "semtimedop", "semtimedop_time64"],
        &[("sem_semop", When::Always)],
    ),
    (
        &["msgget"],
        &[
            ("msg_queue_alloc_security", When::Always),
            ("msg_queue_associate", When::Always),
        ],
    ),
    (&["msgctl"], &[("msg_queue_msgctl", When::Always)]),
    (&["msgsnd"], &[("msg_queue_msgsnd", When::Always)]),
    (&["msgrcv"], &[("msg_queue_msgrcv", When::Always)]),
];

/// What rules do not decide, the hook that could, and what to do instead.
const INSTEAD: &[(&[&str], Option<&str>, &str)] = &[
    (
        &["access", "faccessat", "faccessat2", "chdir", "fchdir"],
        Some("inode_permission"),
        "a rule about what is done with the file then, such as -S openat or -w path -p r",
    ),
    (
        &["close", "dup", "dup2", "dup3", "close_range"],
        None,
        "a rule about how the file was had, such as -S openat",
    ),
    (
        &[
            "utime",
            "utimes",
            "futimesat",
            "utimensat",
            "utimensat_time64",
        ],
        Some("inode_setattr"),
        "auditctl for this rule, or -S chmod,chown",
    ),
    (
        &["file_getattr"],
        Some("inode_file_getattr"),
        "auditctl for this rule",
    ),
    (
        &["file_setattr"],
        Some("inode_file_setattr"),
        "auditctl for this rule",
    ),
    (
        &["mq_unlink"],
        Some("inode_unlink"),
        "auditctl for this rule",
    ),
    (
        &["keyctl", "add_key", "request_key"],
        Some("key_permission"),
        "auditctl for this rule, or a BPF program of your own",
    ),
    (
        &["exit", "exit_group", "wait4", "waitid"],
        None,
        "auditctl for this rule: nothing is decided when a task ends",
    ),
    (
        &["ipc", "socketcall"],
        None,
        "the system calls that are behind it, such as -S connect or -S shmat",
    ),
    (
        &["io_uring_enter", "io_uring_register", "io_submit"],
        None,
        "the operations, such as -S openat: rules see them whoever asks",
    ),
];

/// What decides the system call `name`.
pub fn deciding(name: &str) -> Decided {
    let Some(known) = SYSCALLS.iter().find(|row| row.0 == name) else {
        return Decided::Unknown;
    };
    let Some((names, hooks)) = DECIDED.iter().find(|(names, _)| names.contains(&name)) else {
        let row = INSTEAD.iter().find(|(names, ..)| names.contains(&name));
        return match row {
            Some((_, hook, instead)) => Decided::ByNone(*hook, instead),
            None => Decided::ByNone(None, "auditctl for this rule"),
        };
    };
    let access = |value: u8| {
        vec![Test::Number {
            attr: Attr::Access,
            op: Op::AnyBit,
            value: value.into(),
        }]
    };
    let asked = || {
        let rows = SYSCALLS.iter().filter(|row| names.contains(&row.0));
        rows.map(|row| (row.1, row.2)).collect::<Vec<_>>()
    };
    let tests = |when| match when {
        When::Always => vec![],
        When::Reads => access(READ),
        When::Writes => access(WRITE),
        When::Lists => vec![Test::Number {
            attr: Attr::FileType,
            op: Op::Equal,
            value: S_IFDIR,
        }],
        When::Detail(values) => vec![Test::OneOf {
            attr: Attr::Detail,
            values: values.to_vec(),
        }],
        When::NotMasked(mask, value) => vec![Test::NotMasked {
            attr: Attr::Detail,
            mask,
            value,
        }],
        When::Capability(value) => {
            vec![
                Test::Number {
                    attr: Attr::Detail,
                    op: Op::Equal,
                    value,
                },
                Test::syscalls(&[(known.1, known.2)]),
            ]
        }
        When::Asked => vec![Test::syscalls(&asked())],
        When::AskedOrWorker => vec![Test::syscalls_or_worker(&asked())],
    };
    Decided::By(
        hooks
            .iter()
            .map(|(hook, when)| (find(hook).expect("the table is of hooks"), tests(*when)))
            .collect(),
    )
}

/// The access that a system call always is, of those whose hooks have a mask.
pub fn access_of(name: &str) -> Option<u8> {
    let (_, hooks) = DECIDED.iter().find(|(names, _)| names.contains(&name))?;
    hooks.iter().find_map(|(_, when)| match when {
        When::Reads | When::Lists => Some(READ),
        When::Writes => Some(WRITE),
        When::Asked if name == "fallocate" => Some(WRITE),
        _ => None,
    })
}

/// The system calls that a rule with `-S` for `names` matches beside these, because their
/// operation has the same hook.
pub fn also_covered(names: &[&str]) -> Vec<&'static str> {
    let mut also = Vec::new();
    for (row, hooks) in DECIDED {
        if !row.iter().any(|name| names.contains(name)) {
            continue;
        }
        // What is the same operation.
        if hooks
            .iter()
            .any(|(_, when)| !matches!(when, When::Capability(_)))
        {
            also.extend(row.iter());
        }
        for (hook, when) in hooks.iter().filter(|(_, when)| !when.by_number()) {
            let others = DECIDED.iter().filter(|(_, others)| {
                let mut others = others.iter();
                others.any(|(other, with)| other == hook && when.covers(*with))
            });
            also.extend(others.flat_map(|(others, _)| others.iter()));
        }
    }
    also.retain(|name| !names.contains(name));
    also.sort_unstable();
    also.dedup();
    also
}

/// The system calls that have hooks, as the documentation has them.
pub fn table() -> impl Iterator<Item = (&'static [&'static str], Vec<&'static str>)> {
    DECIDED.iter().map(|(names, hooks)| {
        let mut hooks: Vec<_> = hooks.iter().map(|(hook, _)| *hook).collect();
        hooks.dedup();
        (*names, hooks)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_row_is_of_hooks_and_system_calls() {
        let mut seen = HashSet::new();
        for (names, _) in DECIDED {
            for name in *names {
                assert!(seen.insert(*name), "{name} is there twice");
                let Decided::By(hooks) = deciding(name) else {
                    panic!("{name} is no system call of x86");
                };
                assert!(!hooks.is_empty());
            }
        }
        for name in INSTEAD.iter().flat_map(|(names, ..)| names.iter()) {
            assert!(matches!(deciding(name), Decided::ByNone(..)), "{name}");
        }
        assert!(matches!(deciding("nonsense"), Decided::Unknown));
    }

    /// The documentation has the same table.
    #[test]
    fn the_documentation_has_every_row() {
        let text = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../Documentation/admin-guide/LSM/krsi-rules-syscalls.csv"
        ));
        let rows: Vec<String> = table()
            .map(|(names, hooks)| format!("\"{}\",\"{}\"", names.join(" "), hooks.join(" ")))
            .collect();
        assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), rows);
    }

    #[test]
    fn an_operation_of_its_own_is_told_from_others_with_its_hook() {
        // Each of these denied open(2), read(2) or exec before its number was tested.
        for (name, hook) in [
            ("open_by_handle_at", "file_open"),
            ("mq_open", "file_open"),
            ("splice", "file_permission"),
            ("sendfile", "file_permission"),
            ("copy_file_range", "file_permission"),
            ("fallocate", "file_permission"),
            ("ftruncate", "file_truncate"),
            ("flock", "file_lock"),
            ("mmap", "mmap_file"),
            ("fanotify_mark", "path_notify"),
            ("sched_setaffinity", "task_setscheduler"),
            ("pidfd_getfd", "ptrace_access_check"),
            ("kcmp", "ptrace_access_check"),
            ("move_pages", "task_movememory"),
        ] {
            let Decided::By(hooks) = deciding(name) else {
                panic!("{name}");
            };
            let (found, tests) = &hooks[0];
            assert_eq!(found.name, hook);
            let by_number = |test: &Test| {
                matches!(
                    test,
                    Test::OneOf {
                        attr: Attr::Syscall,
                        ..
                    }
                )
            };
            assert!(tests.iter().any(by_number), "{name}");
            let Some(row) = DECIDED.iter().find(|(names, _)| names.contains(&name)) else {
                panic!("{name}");
            };
            let rest = also_covered(&[name]);
            assert!(
                rest.iter().all(|other| row.0.contains(other)),
                "{name}: {rest:?}"
            );
        }
    }

    /// Each hook of more than one row tells the rows apart, or covers all of them and says so.
    #[test]
    fn what_a_rule_covers_beside_its_system_calls_is_known() {
        for (names, hooks) in DECIDED {
            for (hook, when) in *hooks {
                for (others, with) in DECIDED {
                    let shared = with.iter().find(|(other, _)| other == hook);
                    let Some((_, with)) = shared.filter(|_| names != others) else {
                        continue;
                    };
                    let said = also_covered(names).iter().any(|name| others.contains(name));
                    let tells = when.by_number() || !when.covers(*with);
                    assert!(tells || said, "{names:?} {others:?} {hook}");
                }
            }
        }
        assert_eq!(also_covered(&["unlink"]), ["unlinkat"]);
        assert!(also_covered(&["open", "openat", "openat2", "creat"]).contains(&"mq_open"));
        assert!(also_covered(&["read"]).contains(&"getdents"));
        assert!(!also_covered(&["read"]).contains(&"write"));
        assert!(also_covered(&["socket"]).is_empty());
        // Each asks for a capability, and the number is tested.
        assert!(also_covered(&["swapon"]).is_empty());
    }

    #[test]
    fn hooks_that_are_asked_first_are_there() {
        assert!(FIRST.iter().all(|name| find(name).is_some()));
        assert!(!find("socket_connect").unwrap().comes_after_permissions());
        assert!(find("file_open").unwrap().comes_after_permissions());
        assert!(find("capable").unwrap().comes_after_permissions());
    }

    #[test]
    fn hooks_of_access_have_paths() {
        let names = |access| of_access(access).map(|hook| hook.name).collect::<Vec<_>>();
        assert_eq!(names(EXECUTE), ["bprm_check_security"]);
        assert_eq!(names(READ), ["file_open"]);
        assert_eq!(names(ATTRIBUTES), ["path_link", "path_chmod", "path_chown"]);
        assert!(names(WRITE).contains(&"path_unlink"));
    }
}
