// SPDX-License-Identifier: GPL-2.0

//! The formats of `Documentation/admin-guide/LSM/krsi.rst`. Fields and lines that are not known
//! are passed over: the kernel may add some.

use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap},
    str::FromStr,
};

/// What is wrong with a file.
pub type Result<T> = std::result::Result<T, String>;

/// The active LSMs, in the order in which they are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Lsms(Vec<String>);

impl Lsms {
    pub fn names(&self) -> &[String] {
        &self.0
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|lsm| lsm == name)
    }

    pub fn krsi(&self) -> bool {
        self.has("krsi")
    }

    pub fn bpf(&self) -> bool {
        self.has("bpf")
    }

    /// Which LSM runs BPF programs, if one does. KRSI is listed under the name of `bpf` as well.
    pub fn runs_programs(&self) -> Option<&str> {
        ["krsi", "bpf"].into_iter().find(|lsm| self.has(lsm))
    }

    /// The value of `lsm=` that adds KRSI, in the place of `bpf` if that is there.
    pub fn with_krsi(&self) -> String {
        // These are not chosen by lsm=: the first is always there, the others have their own order.
        let fixed = ["capability", "ima", "evm", "bpf"];
        let mut names: Vec<_> = self.0.iter().map(String::as_str).collect();
        let place = names.iter().position(|name| *name == "bpf");
        if let Some(place) = place {
            names[place] = "krsi";
        }
        names.retain(|name| !fixed.contains(name));
        if place.is_none() {
            names.push("krsi");
        }
        names.join(",")
    }
}

/// `lsm`: names, separated by commas.
pub fn lsms(text: &str) -> Lsms {
    let names = text.trim_end().split(',').filter(|name| !name.is_empty());
    Lsms(names.map(String::from).collect())
}

/// `krsi/version`.
#[derive(Debug, PartialEq, Eq)]
pub struct Version {
    pub abi: u32,
    pub features: Vec<String>,
}

pub fn version(text: &str) -> Result<Version> {
    let values = values(text);
    Ok(Version {
        abi: number(&values, "abi")?,
        features: values
            .get("features")
            .ok_or("there is no line 'features'")?
            .split_whitespace()
            .map(String::from)
            .collect(),
    })
}

/// `krsi/status`.
#[derive(Debug, PartialEq, Eq)]
pub struct Status {
    pub active: bool,
    /// How many hooks this kernel has.
    pub hooks: u32,
    /// How many of them have programs.
    pub hooks_attached: u32,
    /// Attachments in all.
    pub programs: u32,
}

pub fn status(text: &str) -> Result<Status> {
    let values = values(text);
    Ok(Status {
        active: number::<u8>(&values, "active")? == 1,
        hooks: number(&values, "hooks")?,
        hooks_attached: number(&values, "hooks_attached")?,
        programs: number(&values, "programs")?,
    })
}

/// A line of `krsi/hooks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hook {
    pub name: String,
    /// Whether programs that sleep may be attached.
    pub sleepable: bool,
    /// The verdict if no program decides; none for hooks that return nothing.
    pub default: Option<i32>,
    /// How often it was called while a program was attached.
    pub calls: u64,
    /// How often a program decided.
    pub denials: u64,
    /// In the order in which they run.
    pub programs: Vec<Program>,
}

/// A program as `krsi/hooks` names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Program {
    /// 0 for programs that are attached to cgroups.
    pub id: u32,
    pub name: String,
}

pub fn hooks(text: &str) -> Result<Vec<Hook>> {
    text.lines()
        .enumerate()
        .map(|(number, line)| hook(line).map_err(|what| format!("line {}: {what}", number + 1)))
        .collect()
}

fn hook(line: &str) -> Result<Hook> {
    let mut words = line.split(' ');
    let name = words.next().filter(|name| !name.is_empty());
    let name = name.ok_or("it has no name")?.to_string();
    let fields: HashMap<_, _> = words.filter_map(|word| word.split_once('=')).collect();

    Ok(Hook {
        name,
        sleepable: number::<u8>(&fields, "sleepable")? == 1,
        default: match fields.get("default") {
            Some(&"void") => None,
            _ => Some(number(&fields, "default")?),
        },
        calls: number(&fields, "calls")?,
        denials: number(&fields, "denials")?,
        programs: programs(fields.get("programs").ok_or("there is no 'programs'")?)?,
    })
}

fn programs(list: &str) -> Result<Vec<Program>> {
    if list == "-" {
        return Ok(Vec::new());
    }
    let program = |text: &str| {
        let (id, name) = text.split_once(':')?;
        let (id, name) = (id.parse().ok()?, name.into());
        Some(Program { id, name })
    };
    list.split(',')
        .map(|text| program(text).ok_or_else(|| format!("'{text}' is no program")))
        .collect()
}

/// `krsi/audit`: a counter a line, in the kernel's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Audit(BTreeMap<String, u64>);

impl Audit {
    fn sum(&self, wanted: impl Fn(&str) -> bool) -> u64 {
        let counters = self.0.iter().filter(|(name, _)| wanted(name));
        counters.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Records that were written.
    pub fn written(&self) -> u64 {
        self.sum(|name| name == "written")
    }

    /// Records that were not written because audit was disabled.
    pub fn disabled(&self) -> u64 {
        self.sum(|name| name == "disabled")
    }

    /// Records, or keys of records, that should have been and were not.
    pub fn lost(&self) -> u64 {
        self.sum(|name| name.starts_with("lost_"))
    }
}

pub fn audit(text: &str) -> Result<Audit> {
    let values = values(text);
    let counter = |name: &&str| Ok(((*name).to_string(), number(&values, name)?));
    let counters: Result<BTreeMap<_, _>> = values.keys().map(counter).collect();
    let counters = counters?;
    if !counters.contains_key("written") {
        return Err("there is no line 'written'".into());
    }
    Ok(Audit(counters))
}

/// `krsi/blobs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Blobs {
    pub classes: Vec<Class>,
    pub slots: Vec<Slot>,
}

/// A class of objects, and how many bytes each has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Class {
    pub class: String,
    pub reserved: u32,
    pub free: u32,
}

/// Bytes that were claimed in a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Slot {
    pub slot: u32,
    pub class: String,
    pub name: String,
    pub offset: u32,
    pub size: u32,
    pub align: u32,
    /// None for classes that do not inherit.
    pub inherit: Option<String>,
    pub owner: String,
    pub state: String,
    /// What later kernels add.
    pub other: BTreeMap<String, String>,
}

pub fn blobs(text: &str) -> Result<Blobs> {
    let mut blobs = Blobs::default();
    for (number, line) in text.lines().enumerate() {
        blob_line(&mut blobs, line).map_err(|what| format!("line {}: {what}", number + 1))?;
    }
    Ok(blobs)
}

fn blob_line(blobs: &mut Blobs, line: &str) -> Result<()> {
    let fields: HashMap<_, _> = line
        .split(' ')
        .filter_map(|word| word.split_once('='))
        .collect();
    let text = |name: &str| {
        let value = fields
            .get(name)
            .ok_or_else(|| format!("there is no '{name}'"))?;
        Ok::<_, String>((*value).to_string())
    };
    if line.starts_with("class=") {
        blobs.classes.push(Class {
            class: text("class")?,
            reserved: number(&fields, "reserved")?,
            free: number(&fields, "free")?,
        });
    } else if line.starts_with("slot=") {
        let known = [
            "slot", "class", "name", "offset", "size", "align", "inherit", "owner", "state",
        ];
        let other = fields.iter().filter(|(name, _)| !known.contains(name));
        blobs.slots.push(Slot {
            slot: number(&fields, "slot")?,
            class: text("class")?,
            name: text("name")?,
            offset: number(&fields, "offset")?,
            size: number(&fields, "size")?,
            align: number(&fields, "align")?,
            inherit: text("inherit").ok(),
            owner: text("owner")?,
            state: text("state")?,
            other: other
                .map(|(name, value)| ((*name).to_string(), (*value).to_string()))
                .collect(),
        });
    }
    Ok(())
}

/// Lines of a name and a value.
fn values(text: &str) -> HashMap<&str, &str> {
    let pair = |line| str::split_once(line, ' ').unwrap_or((line, ""));
    text.lines().map(pair).collect()
}

fn number<T: FromStr>(values: &HashMap<&str, &str>, name: &str) -> Result<T> {
    let value = values.get(name);
    let value = value.ok_or_else(|| format!("there is no '{name}'"))?;
    let number = value.parse();
    number.map_err(|_| format!("'{name}' has the value '{value}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lsm_list() {
        let list = lsms("capability,landlock,lockdown,yama,bpf,ima");
        assert_eq!(list.runs_programs(), Some("bpf"));
        assert!(list.bpf() && !list.krsi());
        assert_eq!(list.with_krsi(), "landlock,lockdown,yama,krsi");

        let list = lsms("capability,yama,bpf,krsi");
        assert_eq!(list.runs_programs(), Some("krsi"));
        assert!(list.bpf() && list.krsi());

        let list = lsms("capability,yama\n");
        assert_eq!(list.names(), ["capability", "yama"]);
        assert_eq!(list.runs_programs(), None);
        assert_eq!(list.with_krsi(), "yama,krsi");

        // Names are compared whole.
        assert!(!lsms("krsi2,nobpf").krsi());
        assert_eq!(lsms("").names(), [""; 0]);
    }

    #[test]
    fn version_file() {
        let read = version("abi 1\nfeatures bpf_lsm cgroup\nlater 5\n").unwrap();
        assert_eq!(read.abi, 1);
        assert_eq!(read.features, ["bpf_lsm", "cgroup"]);
        assert_eq!(version("abi 1\nfeatures\n").unwrap().features, [""; 0]);

        assert_eq!(version("features x\n"), Err("there is no 'abi'".into()));
        assert_eq!(
            version("abi one\nfeatures\n"),
            Err("'abi' has the value 'one'".into())
        );
        assert!(version("abi -1\nfeatures\n").is_err());
        assert!(version("abi 1\n").is_err());
        assert!(version("").is_err());
    }

    #[test]
    fn status_file() {
        let text = "lsm krsi\nactive 1\nhooks 277\nhooks_attached 2\nprograms 3\nsealed 0\n";
        let expected = Status {
            active: true,
            hooks: 277,
            hooks_attached: 2,
            programs: 3,
        };
        assert_eq!(status(text), Ok(expected));
        assert!(
            !status(&text.replace("active 1", "active 0"))
                .unwrap()
                .active
        );
        assert!(status(&text.replace("programs", "program")).is_err());
    }

    #[test]
    fn audit_file() {
        let read = audit("written 5\ndisabled 1\nlost_backlog 2\nlost_keys 1\nlater 9\n").unwrap();
        assert_eq!((read.written(), read.lost()), (5, 3));
        assert!(audit("").is_err());
        assert!(audit("written -1\n").is_err());
        assert!(audit("written 1\nlost_memory x\n").is_err());
    }

    #[test]
    fn blob_lines() {
        let slot = "slot=1955274240 class=inode name=label offset=0 size=24 align=8 inherit=reset \
                    owner=runtime state=live";
        let text =
            format!("class=inode reserved=64 free=40\n{slot} xattr=security.bpf.l\nlater=1\n");
        let read = blobs(&text).unwrap();
        assert_eq!((read.classes.len(), read.slots.len()), (1, 1));
        assert_eq!((read.classes[0].reserved, read.classes[0].free), (64, 40));
        let label = &read.slots[0];
        assert_eq!(
            (label.slot, label.size, label.align),
            (1_955_274_240, 24, 8)
        );
        assert_eq!(label.inherit.as_deref(), Some("reset"));
        assert_eq!(label.other.len(), 1);
        assert_eq!(label.other["xattr"], "security.bpf.l");
        assert_eq!(
            blobs(&slot.replace("owner=runtime ", "")),
            Err("line 1: there is no 'owner'".into())
        );
        assert!(blobs(&slot.replace("size=24", "size=-1")).is_err());
        assert!(blobs("class=inode reserved=64\n").is_err());
        assert_eq!(blobs(""), Ok(Blobs::default()));
    }

    #[test]
    fn hook_lines() {
        let text =
            "file_open sleepable=1 default=0 calls=5012 denials=3 programs=31:guard,0:cgroup\n\
                    task_free sleepable=0 default=void calls=0 denials=0 programs=-\n\
                    setprocattr sleepable=0 default=-22 calls=0 denials=0 programs=- later=x\n";
        let read = hooks(text).unwrap();
        assert_eq!(read.len(), 3);
        assert_eq!(
            read[0],
            Hook {
                name: "file_open".into(),
                sleepable: true,
                default: Some(0),
                calls: 5012,
                denials: 3,
                programs: vec![
                    Program {
                        id: 31,
                        name: "guard".into()
                    },
                    Program {
                        id: 0,
                        name: "cgroup".into()
                    },
                ],
            }
        );
        assert_eq!((read[1].default, read[1].programs.len()), (None, 0));
        assert_eq!((read[2].default, read[2].sleepable), (Some(-22), false));
        assert_eq!(hooks(""), Ok(Vec::new()));
    }

    #[test]
    fn wrong_hook_lines() {
        let good = "a sleepable=1 default=0 calls=1 denials=0 programs=1:x";
        assert!(hook(good).is_ok());
        for (from, to) in [
            ("a ", " "),
            ("sleepable=1", "sleepable=yes"),
            ("default=0", "default=none"),
            ("calls=1", "calls=-1"),
            ("calls=1", "calls"),
            ("denials=0", "denials=99999999999999999999"),
            ("programs=1:x", "programs=1"),
            ("programs=1:x", "programs=x:1"),
            ("programs=1:x", "programs="),
            ("programs=1:x", ""),
        ] {
            let line = good.replacen(from, to, 1);
            assert!(hook(&line).is_err(), "{line}");
        }
        assert_eq!(
            hooks(&format!("{good}\nb\n")),
            Err("line 2: there is no 'sleepable'".into())
        );
    }
}
