// SPDX-License-Identifier: GPL-2.0

//! Cgroups: what an id is called, and which programs are attached to them without a link.

use super::{bpf, mounts};
use crate::ui;
use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io,
    os::{fd::AsFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

/// A cgroup and the LSM programs that are attached to it, with links or without.
pub struct Cgroup {
    pub id: u64,
    pub path: PathBuf,
    pub programs: Vec<u32>,
}

/// The cgroups that this process sees. What cannot be read is warned about.
pub fn all() -> Vec<Cgroup> {
    let mut cgroups = Vec::new();
    match mounts::of_type("cgroup2") {
        // A hierarchy has one tree, wherever else it is mounted.
        Ok(mounts) => mounts
            .iter()
            .take(1)
            .for_each(|mount| walk(mount, &mut cgroups)),
        Err(error) => ui::warn(&format!("cgroups are not known: {error}")),
    }
    cgroups
}

fn walk(dir: &Path, cgroups: &mut Vec<Cgroup>) {
    match cgroup(dir) {
        Ok(cgroup) => cgroups.push(cgroup),
        // Removed meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => ui::warn(&format!("{} is passed over: {error}", dir.display())),
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&entry.path(), cgroups);
        }
    }
}

fn cgroup(dir: &Path) -> io::Result<Cgroup> {
    let file = File::open(dir)?;
    Ok(Cgroup {
        // The id is the number of the directory.
        id: file.metadata()?.ino(),
        path: dir.into(),
        programs: bpf::cgroup_programs(file.as_fd())?,
    })
}

/// Where the cgroups are mounted.
pub fn root() -> Option<PathBuf> {
    mounts::of_type("cgroup2").ok()?.into_iter().next()
}

/// The ids of all cgroups; none if this process may not see them all.
pub fn ids() -> Option<HashSet<u64>> {
    // That of the root. In a namespace of cgroups the root is another.
    const ROOT: u64 = 1;
    let ids: HashSet<u64> = paths().into_keys().collect();
    ids.contains(&ROOT).then_some(ids)
}

/// What each id is called, from the root of the cgroups: `/` is the root.
pub fn paths() -> HashMap<u64, PathBuf> {
    fn walk(root: &Path, dir: &Path, paths: &mut HashMap<u64, PathBuf>) {
        if let (Ok(metadata), Ok(below)) = (fs::metadata(dir), dir.strip_prefix(root)) {
            paths.insert(metadata.ino(), Path::new("/").join(below));
        }
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                walk(root, &entry.path(), paths);
            }
        }
    }
    let mut paths = HashMap::new();
    if let Some(root) = root() {
        walk(&root, &root, &mut paths);
    }
    paths
}
