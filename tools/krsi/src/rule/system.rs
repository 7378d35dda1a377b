// SPDX-License-Identifier: GPL-2.0

//! What rules mean on this machine: its users, groups, cgroups, containers, slots of blobs, and
//! symbolic links.

use super::{
    error::Missing,
    label::{Class, Slot},
    lower::System,
};
use crate::kernel::{
    cgroup,
    container::{self, Container},
    mounts,
    securityfs::{self, Securityfs},
};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
};

pub struct Machine {
    securityfs: Securityfs,
    /// Whether slots are taken for granted that nobody can be asked about.
    offline: bool,
}

impl Machine {
    /// This one, as it runs.
    pub fn new() -> Self {
        Self {
            securityfs: Securityfs::new(Path::new(securityfs::MOUNT)),
            offline: false,
        }
    }

    /// One that rules are checked for: slots are those of `securityfs`, if it can be read.
    pub fn offline(securityfs: &Path) -> Self {
        Self {
            securityfs: Securityfs::new(securityfs),
            offline: true,
        }
    }
}

/// How many containers are named to who asks for another.
const SHOWN: usize = 8;

/// What there is instead of a container of that name.
fn no_container(containers: &[Container]) -> String {
    if containers.is_empty() {
        return "one that runs, by its id or name; no cgroup here is called like one".into();
    }
    let mut names: Vec<&str> = containers.iter().map(Container::short).collect();
    names.sort_unstable();
    names.dedup();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.truncate(SHOWN);
    format!(
        "one that runs, by its name or 12 digits of its id: {}{more}",
        names.join(", ")
    )
}

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

    fn container(&self, name: &str) -> Result<String, Missing> {
        let paths = cgroup::paths();
        let mut containers: Vec<_> = paths
            .values()
            .filter_map(|path| Container::of(path))
            .collect();
        containers.sort();
        match container::called(&containers, name).as_slice() {
            [one] => Ok(one.cgroup.to_string_lossy().into_owned()),
            [] => Err(Missing::new(
                format!("there is no container {name}"),
                no_container(&containers),
            )),
            several => {
                let paths: Vec<_> = several.iter().map(|one| one.cgroup.display()).collect();
                let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
                Err(Missing::new(
                    format!("there are {} containers {name}", several.len()),
                    format!("more digits, or cgroup= with one of {}", paths.join(", ")),
                ))
            }
        }
    }

    fn slot(&self, class: Class, name: &str) -> Result<Slot, Missing> {
        match self.securityfs.blobs() {
            Ok(blobs) => Slot::find(&blobs, class, name),
            Err(_) if self.offline && !self.securityfs.shows_blobs() => Ok(Slot::UNKNOWN),
            Err(error) => Err(Missing::new(
                error.message(),
                "root, on a kernel where KRSI is active: see krsi status",
            )),
        }
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
        let resolved = Machine::new().resolve(dir.join("link/not/there").to_str().unwrap());
        assert_eq!(resolved, dir.join("real/not/there").to_str().unwrap());
        assert_eq!(Machine::new().resolve("/"), "/");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn containers_are_named_to_who_asks_for_another() {
        let path = |name: &str| Container::of(Path::new(&format!("/lxc.payload.{name}")));
        let all = |count| (0..count).filter_map(|number| path(&format!("c{number}")));
        let said = |count| no_container(&all(count).collect::<Vec<_>>());
        assert!(said(0).ends_with("no cgroup here is called like one"));
        assert!(said(2).ends_with(": c0, c1"), "{}", said(2));
        assert!(said(11).ends_with("c6 and 3 more"), "{}", said(11));
    }

    #[test]
    fn slots_are_taken_for_granted_offline_only() {
        let none = Path::new("/there/is/none");
        let slot = Machine::offline(none).slot(Class::Inode, "x");
        assert_eq!(slot, Ok(Slot::UNKNOWN));
        let strict = Machine {
            securityfs: Securityfs::new(none),
            offline: false,
        };
        let missing = strict.slot(Class::Inode, "x").unwrap_err();
        assert!(
            missing.message.contains("/there/is/none/krsi/blobs"),
            "{}",
            missing.message
        );
        // One that can be read is believed.
        let data = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/active"));
        let machine = Machine::offline(data);
        assert!(machine.slot(Class::Inode, "x").is_err());
        assert_eq!(
            machine.slot(Class::Task, "state").map(|slot| slot.number),
            Ok(18)
        );
    }

    #[test]
    fn root_is_everywhere() {
        assert_eq!(Machine::new().user("root"), Some(0));
        assert_eq!(Machine::new().group("root"), Some(0));
        assert_eq!(Machine::new().user("nobody by this name"), None);
    }
}
