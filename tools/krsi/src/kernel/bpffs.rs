// SPDX-License-Identifier: GPL-2.0

//! What is pinned in bpffs, and where.

use super::{bpf, mounts};
use crate::ui;
use std::{
    collections::HashMap,
    fs, io,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

/// The paths of pinned programs and links, by id.
#[derive(Default)]
pub struct Pins {
    pub programs: HashMap<u32, Vec<PathBuf>>,
    pub links: HashMap<u32, Vec<PathBuf>>,
}

impl Pins {
    /// Looks through every bpffs that this process sees. What cannot be read is warned about.
    pub fn find() -> Self {
        let mut pins = Self::default();
        match mounts::of_type("bpf") {
            Ok(mounts) => mounts.iter().for_each(|mount| pins.walk(mount)),
            Err(error) => ui::warn(&format!("pins are not known: {error}")),
        }
        pins
    }

    fn walk(&mut self, dir: &Path) {
        let entries = fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return warn(dir, &error),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.walk(&path),
                Ok(kind) if kind.is_file() => {
                    if let Err(error) = self.add(&path) {
                        warn(&path, &error);
                    }
                }
                Ok(_) => {}
                Err(error) => warn(&path, &error),
            }
        }
    }

    fn add(&mut self, path: &Path) -> io::Result<()> {
        let object = match bpf::pinned(path) {
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        match Kind::of(&object)? {
            Kind::Program => {
                let id = bpf::info::<bpf::ProgramInfo>(&object)?.id;
                self.programs.entry(id).or_default().push(path.into());
            }
            Kind::Link => {
                let id = bpf::info::<bpf::LinkInfo>(&object)?.id;
                self.links.entry(id).or_default().push(path.into());
            }
            Kind::Other => {}
        }
        Ok(())
    }
}

fn warn(path: &Path, error: &io::Error) {
    ui::warn(&format!("{} is passed over: {error}", path.display()));
}

/// What a file descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Program,
    Link,
    Other,
}

impl Kind {
    fn of(object: &OwnedFd) -> io::Result<Self> {
        fs::read_link(format!("/proc/self/fd/{}", object.as_raw_fd()))
            .map(|name| Self::named(&name))
    }

    /// What procfs calls it.
    pub fn named(name: &Path) -> Self {
        match name.to_str() {
            Some("anon_inode:bpf-prog") => Self::Program,
            // The one that attaching makes and the ones that are got later.
            Some("anon_inode:bpf_link" | "anon_inode:bpf-link") => Self::Link,
            _ => Self::Other,
        }
    }
}
