// SPDX-License-Identifier: GPL-2.0

//! The files of `/sys/kernel/security`: which LSMs are active, and what KRSI says.

mod parse;

#[cfg(test)]
pub use parse::blobs;
pub use parse::{Audit, Blobs, Hook, Lsms, Slot, Status, Version};

use super::{btf, mounts};
use crate::error::{Error, Exit, Result};
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// The version of KRSI's formats that [`parse`] knows.
const ABI: u32 = 1;

/// The directory that securityfs is mounted on.
pub struct Securityfs {
    root: PathBuf,
}

/// Where it is mounted.
pub const MOUNT: &str = "/sys/kernel/security";

impl Securityfs {
    pub fn new(root: &Path) -> Self {
        Self { root: root.into() }
    }

    /// The active LSMs, in their order.
    pub fn lsms(&self) -> Result<Lsms> {
        let path = self.root.join("lsm");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(parse::lsms(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.mounted() => {
                let root = self.root.display();
                Err(Error::new(format!("securityfs is not mounted on {root}"))
                    .hint(format!("mount -t securityfs none {root}")))
            }
            Err(error) => Err(Error::read(&path, &error)),
        }
    }

    /// The active LSMs, if KRSI is one of them; otherwise an error that says what to do.
    pub fn require_krsi(&self) -> Result<Lsms> {
        let lsms = self.lsms()?;
        if lsms.krsi() {
            Ok(lsms)
        } else {
            Err(inactive(&lsms))
        }
    }

    pub fn version(&self) -> Result<Version> {
        let version = self.parsed("version", parse::version)?;
        if version.abi != ABI {
            return Err(Error::new(format!(
                "this kernel's KRSI has version {} of its files, this command knows {ABI}",
                version.abi
            ))
            .hint("use the krsi command that belongs to the kernel"));
        }
        Ok(version)
    }

    pub fn status(&self) -> Result<Status> {
        self.parsed("status", parse::status)
    }

    /// Every hook of the kernel, in the kernel's order.
    pub fn hooks(&self) -> Result<Vec<Hook>> {
        self.parsed("hooks", parse::hooks)
    }

    /// The classes of blobs and their slots.
    pub fn blobs(&self) -> Result<Blobs> {
        self.parsed("blobs", parse::blobs)
    }

    /// Whether this process may read them.
    pub fn shows_blobs(&self) -> bool {
        fs::File::open(self.root.join("krsi").join("blobs")).is_ok()
    }

    /// Gives the kernel a command about blobs.
    pub fn command_blobs(&self, command: &str) -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .open(self.root.join("krsi").join("blobs"))?;
        // At once: each write is a command.
        match file.write(command.as_bytes())? {
            len if len == command.len() => Ok(()),
            _ => Err(io::Error::other("the kernel took a part of the command")),
        }
    }

    /// The counters of audit records; none if the kernel has no audit.
    pub fn audit(&self) -> Result<Option<Audit>> {
        if !self.root.join("krsi").join("audit").exists() {
            return Ok(None);
        }
        self.parsed("audit", parse::audit).map(Some)
    }

    fn parsed<T>(&self, file: &str, parse: fn(&str) -> parse::Result<T>) -> Result<T> {
        let path = self.root.join("krsi").join(file);
        let text = fs::read_to_string(&path).map_err(|error| Error::read(&path, &error))?;
        parse(&text).map_err(|what| Error::new(format!("{}: {what}", path.display())))
    }

    fn mounted(&self) -> bool {
        mounts::of_type("securityfs")
            .is_ok_and(|mounts| mounts.iter().any(|mount| *mount == self.root))
    }
}

/// Why KRSI is not active, and what makes it.
fn inactive(lsms: &Lsms) -> Error {
    let instead = if lsms.bpf() {
        "; the bpf LSM runs programs in its place"
    } else {
        ""
    };
    let hint = match btf::kernel_has_krsi() {
        Some(false) => "boot a kernel with CONFIG_SECURITY_KRSI=y; this one has none".into(),
        Some(true) | None => format!(
            "boot with lsm={} on the kernel command line",
            lsms.with_krsi()
        ),
    };
    Error::new(format!(
        "KRSI is not active{instead} (LSMs: {})",
        lsms.names().join(",")
    ))
    .hint(hint)
    .exit(Exit::Inactive)
}
