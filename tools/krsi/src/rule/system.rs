// SPDX-License-Identifier: GPL-2.0

//! What rules mean on this machine: its users, groups, cgroups, and symbolic links.

use super::lower::System;
use crate::kernel::mounts;
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

pub struct Machine;

/// The number of a name in what /etc/passwd and the like have.
pub fn id(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

impl System for Machine {
    fn user(&self, name: &str) -> Option<u32> {
        id(&fs::read_to_string("/etc/passwd").ok()?, name)
    }

    fn group(&self, name: &str) -> Option<u32> {
        id(&fs::read_to_string("/etc/group").ok()?, name)
    }

    fn cgroup(&self, path: &str) -> Option<(u8, u64)> {
        let path = Path::new(path);
        mounts::of_type("cgroup2").ok()?.iter().find_map(|mount| {
            // With the mount point before it or without.
            let below = path
                .strip_prefix(mount)
                .or_else(|_| path.strip_prefix("/"))
                .ok()?;
            let normal = |part: Component<'_>| matches!(part, Component::Normal(_));
            let depth = below.components().filter(|part| normal(*part)).count();
            let id = fs::metadata(mount.join(below)).ok()?.ino();
            Some((u8::try_from(depth).ok()?, id))
        })
    }

    fn resolve(&self, path: &str) -> String {
        let path = Path::new(path);
        let mut above: &Path = path;
        let mut rest = Vec::new();
        loop {
            if let Ok(resolved) = fs::canonicalize(above) {
                let whole: PathBuf = std::iter::once(resolved.as_os_str())
                    .chain(rest.iter().rev().copied())
                    .collect();
                return whole.to_string_lossy().into_owned();
            }
            match (above.parent(), above.file_name()) {
                (Some(parent), Some(name)) => {
                    rest.push(name);
                    above = parent;
                }
                _ => return path.to_string_lossy().into_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_as_far_as_there_is_something() {
        let dir = std::env::temp_dir().join(format!("krsi-resolve-{}", std::process::id()));
        fs::create_dir_all(dir.join("real")).unwrap();
        std::os::unix::fs::symlink("real", dir.join("link")).unwrap();
        let dir = fs::canonicalize(&dir).unwrap();
        let resolved = Machine.resolve(dir.join("link/not/there").to_str().unwrap());
        assert_eq!(resolved, dir.join("real/not/there").to_str().unwrap());
        assert_eq!(Machine.resolve("/"), "/");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn root_is_everywhere() {
        assert_eq!(Machine.user("root"), Some(0));
        assert_eq!(Machine.group("root"), Some(0));
        assert_eq!(Machine.user("nobody by this name"), None);
    }
}
