// SPDX-License-Identifier: GPL-2.0

//! What rules mean on another machine, as far as somebody has said so: its users, groups, and
//! cgroups with the containers in them. The rest is as on this one.

use super::{
    error::Missing,
    label::{Class, Slot},
    lower::System,
    system::{id, Machine},
};
use crate::kernel::container::{self, Container};
use std::path::Path;

pub struct Elsewhere {
    /// What is true of all that nobody said anything of.
    pub machine: Machine,
    /// What it has for /etc/passwd and /etc/group.
    pub users: Option<String>,
    pub groups: Option<String>,
    /// Paths of cgroups that there are, from the root of the hierarchy.
    pub cgroups: Vec<String>,
}

/// Ids that no cgroup has which is there: they are counted from 1.
const ASSUMED: u64 = 1 << 63;

fn parts(path: &str) -> Vec<&str> {
    let path = path.strip_prefix("/sys/fs/cgroup").unwrap_or(path);
    path.split('/').filter(|part| !part.is_empty()).collect()
}

impl System for Elsewhere {
    fn user(&self, name: &str) -> Option<u32> {
        match &self.users {
            Some(text) => id(text, name),
            None => self.machine.user(name),
        }
    }

    fn group(&self, name: &str) -> Option<u32> {
        match &self.groups {
            Some(text) => id(text, name),
            None => self.machine.group(name),
        }
    }

    fn cgroup(&self, path: &str) -> Option<(u8, u64)> {
        let wanted = parts(path);
        // Those above one are there, too.
        let assumed = self.cgroups.iter().flat_map(|path| {
            let parts = parts(path);
            (1..=parts.len()).map(move |depth| parts[..depth].to_vec())
        });
        match assumed.zip(ASSUMED..).find(|(parts, _)| *parts == wanted) {
            Some((parts, id)) => Some((u8::try_from(parts.len()).ok()?, id)),
            None => self.machine.cgroup(path),
        }
    }

    fn container(&self, name: &str) -> Result<String, Missing> {
        let paths = self.cgroups.iter().map(Path::new);
        let assumed: Vec<_> = paths.filter_map(Container::of).collect();
        match container::called(&assumed, name).as_slice() {
            [one] => Ok(one.cgroup.to_string_lossy().into_owned()),
            _ => self.machine.container(name),
        }
    }

    fn slot(&self, class: Class, name: &str) -> Result<Slot, Missing> {
        self.machine.slot(class, name)
    }

    fn resolve(&self, path: &str) -> String {
        self.machine.resolve(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_so() {
        let there = Elsewhere {
            machine: Machine::new(),
            users: Some("root:x:0:0::/:/bin/sh\nweb:x:333:334::/:/bin/false\n".into()),
            groups: Some("www:x:444:\n".into()),
            cgroups: vec!["/a/b".into(), "/sys/fs/cgroup/a/c".into()],
        };
        assert_eq!((there.user("web"), there.user("daemon")), (Some(333), None));
        assert_eq!((there.group("www"), there.group("root")), (Some(444), None));
        let id = |path| there.cgroup(path).unwrap();
        assert_eq!((id("/a").0, id("/a/b").0, id("a/c/").0), (1, 2, 2));
        assert_ne!(id("/a/b").1, id("/a/c").1);
        assert_ne!(id("/a/b").1, id("/a").1);
        assert!(there.cgroup("/none/here").is_none());
        let here = Elsewhere {
            users: None,
            ..there
        };
        assert_eq!(here.user("root"), Some(0));
    }
}
