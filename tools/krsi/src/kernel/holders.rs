// SPDX-License-Identifier: GPL-2.0

//! Which processes hold programs and links: whose end would detach them.

use super::bpffs::Kind;
use serde::Serialize;
use std::{collections::HashMap, fs, io, path::Path, process};

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Process {
    pub pid: u32,
    pub comm: String,
}

/// The processes that have a program or a link open, by its id.
#[derive(Default)]
pub struct Holders {
    pub programs: HashMap<u32, Vec<Process>>,
    pub links: HashMap<u32, Vec<Process>>,
}

impl Holders {
    /// Looks through procfs; processes that end or may not be looked at are left out.
    pub fn find() -> io::Result<Self> {
        let mut holders = Self::default();
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            let pid = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            if let Some(pid) = pid.filter(|pid| *pid != process::id()) {
                holders.add(pid, &entry.path());
            }
        }
        for list in holders
            .programs
            .values_mut()
            .chain(holders.links.values_mut())
        {
            list.sort();
            list.dedup();
        }
        Ok(holders)
    }

    fn add(&mut self, pid: u32, dir: &Path) {
        let Ok(descriptors) = fs::read_dir(dir.join("fd")) else {
            return;
        };
        let comm = fs::read(dir.join("comm")).unwrap_or_default();
        let process = Process {
            pid,
            comm: String::from_utf8_lossy(&comm).trim_end_matches('\n').into(),
        };
        for descriptor in descriptors.flatten() {
            let Ok(name) = fs::read_link(descriptor.path()) else {
                continue;
            };
            let (map, key) = match Kind::named(&name) {
                Kind::Program => (&mut self.programs, "prog_id"),
                Kind::Link => (&mut self.links, "link_id"),
                Kind::Other => continue,
            };
            let info = fs::read_to_string(dir.join("fdinfo").join(descriptor.file_name()));
            if let Some(id) = info.ok().and_then(|info| field(&info, key)) {
                map.entry(id).or_default().push(process.clone());
            }
        }
    }
}

/// The number after `key` in the text of a file of fdinfo.
fn field(info: &str, key: &str) -> Option<u32> {
    let (_, value) = info
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| *name == key)?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let info = "pos:\t0\nflags:\t02000002\nlink_type:\ttracing\nlink_id:\t12\nprog_id:\t34\n";
        assert_eq!(field(info, "link_id"), Some(12));
        assert_eq!(field(info, "prog_id"), Some(34));
        assert_eq!(field(info, "id"), None);
        assert_eq!(field("link_id:\tx\n", "link_id"), None);
    }
}
