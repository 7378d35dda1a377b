// SPDX-License-Identifier: GPL-2.0

//! Containers. Linux knows none, but whoever makes one gives it a cgroup, which is called after it:
//! the last name of a path tells.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Digits of an id. Runtimes show the first 12, and take as many as are unambiguous.
const ID: usize = 64;
const ID_MIN: usize = 12;

/// What stands in front of an id. The monitors of containers have other names, as libpod-conmon.
const RUNTIMES: &[&str] = &[
    "docker",
    "libpod",
    "libpod-payload",
    "cri-containerd",
    "crio",
    "nerdctl",
];

/// Whether this process is in the user namespace that the machine has booted with. Taken for true
/// where no procfs tells.
pub fn in_first_user_namespace() -> bool {
    // PROC_USER_INIT_INO, which Linux never changes.
    in_namespace("user", 0xeffffffd)
}

/// The same for time namespaces, which shift the clock since boot.
pub fn in_first_time_namespace() -> bool {
    // PROC_TIME_INIT_INO
    in_namespace("time", 0xeffffffa)
}

fn in_namespace(kind: &str, inode: u64) -> bool {
    fs::metadata(format!("/proc/self/ns/{kind}")).map_or(true, |about| about.ino() == inode)
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Container {
    /// An id of 64 digits, or the name of an LXC container or a machine.
    pub name: String,
    /// Of its cgroup, from the root of the hierarchy.
    pub cgroup: PathBuf,
}

impl Container {
    /// The container whose cgroup this is.
    pub fn of(cgroup: &Path) -> Option<Self> {
        let name = name(cgroup)?;
        Some(Self {
            name,
            cgroup: cgroup.into(),
        })
    }

    /// Its name as people have it.
    pub fn short(&self) -> &str {
        if is_id(&self.name) {
            &self.name[..ID_MIN]
        } else {
            &self.name
        }
    }

    fn is_called(&self, name: &str) -> bool {
        let is_prefix = name.len() >= ID_MIN && is_id(&self.name) && self.name.starts_with(name);
        self.name == name || is_prefix
    }
}

fn is_id(text: &str) -> bool {
    let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    text.len() == ID && text.chars().all(digit)
}

fn name(cgroup: &Path) -> Option<String> {
    let own = cgroup.file_name()?.to_str()?;
    // docker-ID.scope with systemd; without it ID, beneath docker or kubepods, or libpod-ID.
    let unit = own.strip_suffix(".scope").unwrap_or(own);
    if is_id(unit) {
        return Some(unit.into());
    }
    if let Some((runtime, id)) = unit.rsplit_once('-') {
        if RUNTIMES.contains(&runtime) && is_id(id) {
            return Some(id.into());
        }
    }
    if let Some(name) = own.strip_prefix("lxc.payload.") {
        return Some(name.into()).filter(|name: &String| !name.is_empty());
    }
    // systemd-nspawn, by itself or started by machinectl.
    if cgroup.parent()?.file_name()? != "machine.slice" {
        return None;
    }
    let escaped = match own.strip_prefix("machine-") {
        Some(name) => name.strip_suffix(".scope"),
        None => own
            .strip_prefix("systemd-nspawn@")
            .and_then(|name| name.strip_suffix(".service")),
    };
    unescape(escaped?).filter(|name| !name.is_empty())
}

/// What systemd has made the name of a unit of: bytes as \x2d, and / as -.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(code) = rest.strip_prefix("\\x") {
            let code = code.get(..2)?;
            bytes.push(u8::from_str_radix(code, 16).ok()?);
            rest = &rest[4..];
            continue;
        }
        let plain = &rest[..c.len_utf8()];
        bytes.extend(if plain == "-" { "/" } else { plain }.bytes());
        rest = &rest[plain.len()..];
    }
    String::from_utf8(bytes).ok()
}

/// The containers of this name or id. One whose name is found again within it is meant itself.
pub fn called<'a>(containers: &'a [Container], name: &str) -> Vec<&'a Container> {
    let found = || containers.iter().filter(|one| one.is_called(name));
    let within = |one: &Container| {
        found().any(|other| {
            other.name == one.name
                && other.cgroup != one.cgroup
                && one.cgroup.starts_with(&other.cgroup)
        })
    };
    found().filter(|one| !within(one)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const B: &str = "0123456789abffff0123456789abcdef0123456789abcdef0123456789abcdef";

    fn container(path: &str) -> Option<String> {
        Container::of(Path::new(path)).map(|container| container.name)
    }

    #[test]
    fn runtimes_have_their_forms() {
        for path in [
            format!("/system.slice/docker-{A}.scope"),
            format!("/docker/{A}"),
            format!("/machine.slice/libpod-{A}.scope"),
            format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope"),
            format!("/system.slice/x.service/libpod-payload-{A}"),
            format!("/libpod_parent/libpod-{A}"),
            format!("/kubepods.slice/kubepods-besteffort.slice/cri-containerd-{A}.scope"),
            format!("/kubepods/burstable/pod8d4c/{A}"),
            format!("/kubepods.slice/kubepods-pod1.slice/crio-{A}.scope"),
            format!("/system.slice/nerdctl-{A}.scope"),
        ] {
            assert_eq!(container(&path).as_deref(), Some(A), "{path}");
        }
        for (path, name) in [
            ("/lxc.payload.web-1", "web-1"),
            (r"/machine.slice/machine-deb\x2dian.scope", "deb-ian"),
            ("/machine.slice/machine-plain.scope", "plain"),
            (r"/machine.slice/systemd-nspawn@b\xc3\xa4.service", "bä"),
        ] {
            assert_eq!(container(path).as_deref(), Some(name), "{path}");
        }
    }

    #[test]
    fn other_cgroups_are_none() {
        for path in [
            "/",
            "/system.slice/ssh.service",
            "/lxc.monitor.web",
            "/lxc.payload.",
            "/machine-plain.scope",
            "/machine.slice/machine-.scope",
            r"/machine.slice/machine-\x2.scope",
            r"/machine.slice/machine-\xff.scope",
            "/docker",
            "/docker/0123456789ab",
        ] {
            assert_eq!(container(path), None, "{path}");
        }
        for path in [
            format!("/machine.slice/libpod-conmon-{A}.scope"),
            format!("/system.slice/crio-conmon-{A}.scope"),
            format!("/system.slice/other-{A}.scope"),
            format!("/docker/{}", A.to_uppercase()),
            format!("/docker/{A}/init"),
        ] {
            assert_eq!(container(&path), None, "{path}");
        }
    }

    #[test]
    fn names_and_ids() {
        let paths = [
            format!("/docker/{A}"),
            format!("/docker/{A}/docker/{B}"),
            format!("/docker/{A}/docker/{A}"),
            "/a/lxc.payload.web".into(),
            "/a/lxc.payload.web/b/lxc.payload.web".into(),
            "/c/lxc.payload.db".into(),
            "/d/lxc.payload.db".into(),
        ];
        let all: Vec<_> = paths
            .iter()
            .filter_map(|path| Container::of(Path::new(path)))
            .collect();
        assert_eq!(all.len(), paths.len());
        let found = |name: &str| {
            called(&all, name)
                .iter()
                .map(|one| one.cgroup.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(found(A), [paths[0].clone()]);
        assert_eq!(found(&A[..13]), [paths[0].clone()]);
        assert_eq!(found(&B[..13]), [paths[1].clone()]);
        // Both ids begin so; and fewer digits are no id.
        assert_eq!(found(&A[..12]).len(), 2);
        assert!(found(&A[..11]).is_empty());
        assert_eq!(found("web"), [paths[3].clone()]);
        assert_eq!(found("db").len(), 2);
        assert!(found("we").is_empty() && found("").is_empty());
    }

    #[test]
    fn ids_are_shown_short() {
        let short = |path: &str| Container::of(Path::new(path)).map(|one| one.short().to_string());
        assert_eq!(
            short(&format!("/docker/{A}")).as_deref(),
            Some("0123456789ab")
        );
        assert_eq!(short("/lxc.payload.web").as_deref(), Some("web"));
    }
}
