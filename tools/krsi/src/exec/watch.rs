// SPDX-License-Identifier: GPL-2.0

//! Loads the programs, and reads what they write.

use super::collect::{Collector, Exec};
use libbpf_rs::{
    Link, MapCore, MapFlags, MapHandle, Object, ObjectBuilder, OpenObject, RingBuffer,
    RingBufferBuilder,
};
use std::{cell::RefCell, collections::HashMap, io, rc::Rc, time::Duration};

/// What `build.rs` compiled.
static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/exec.bpf.o"));

/// Programs for functions that not every kernel has.
const OPTIONAL: &[(&str, &str)] = &[
    ("end_compat_execve", "__ia32_compat_sys_execve"),
    ("end_compat_execveat", "__ia32_compat_sys_execveat"),
];

/// Functions of the kernel that the programs call.
pub const NEEDED: &[&str] = &["krsi_bprm_dump", "krsi_task_real_parent", "krsi_file_path"];

/// Which execs the kernel is to tell about.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub uid: Option<u32>,
    pub pid: Option<u32>,
    pub comm: Option<Vec<u8>>,
    /// The id of a cgroup, and how far below the root it is. Those in it count.
    pub cgroup: Option<(u64, u32)>,
    /// How many processes to name that the one comes from.
    pub parents: u32,
    /// Bytes that the buffer takes.
    pub buffer: u32,
}

/// What did not arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Lost {
    /// Execs whose arguments did not fit the buffer, or could not be read.
    pub arguments: u64,
    /// Other records.
    pub records: u64,
    /// Execs that there was no memory for.
    pub execs: u64,
    /// Records that this command does not understand.
    pub unknown: u64,
}

impl Lost {
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// The programs, attached for as long as this lives.
pub struct Watch {
    links: Vec<Link>,
    bss: MapHandle,
    buffer: RingBuffer<'static>,
    arrived: Rc<RefCell<Arrived>>,
    _object: Object,
}

#[derive(Default)]
struct Arrived {
    collector: Collector,
    execs: Vec<Exec>,
}

/// Where it failed.
pub enum Failure {
    Load(io::Error),
    Attach(String, io::Error),
}

fn os(error: libbpf_rs::Error) -> io::Error {
    let kind = match error.kind() {
        libbpf_rs::ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, format!("{error:#}"))
}

impl Watch {
    /// `has` tells whether the kernel has a function.
    pub fn start(filter: &Filter, has: impl Fn(&str) -> bool) -> Result<Self, Failure> {
        let load = |error| Failure::Load(os(error));
        let mut open = ObjectBuilder::default()
            .name("krsi_exec")
            .and_then(|builder| builder.open_memory(OBJECT))
            .map_err(load)?;
        filter.apply(&mut open).map_err(load)?;
        for mut program in open.progs_mut() {
            let name = program.name().to_string_lossy().into_owned();
            if let Some((_, function)) = OPTIONAL.iter().find(|(optional, _)| *optional == name) {
                program.set_autoload(has(function));
            }
        }
        let object = open.load().map_err(load)?;

        let mut maps: HashMap<String, MapHandle> = HashMap::new();
        for map in object.maps() {
            let name = map.name().to_string_lossy().into_owned();
            maps.insert(name, MapHandle::try_from(&map).map_err(load)?);
        }
        let mut map = |suffix: &str| {
            let name = maps.keys().find(|name| name.ends_with(suffix)).cloned();
            name.and_then(|name| maps.remove(&name))
                .ok_or_else(|| Failure::Load(io::Error::other(format!("there is no map {suffix}"))))
        };
        let (events, bss) = (map("events")?, map(".bss")?);

        let arrived = Rc::new(RefCell::new(Arrived::default()));
        let mut builder = RingBufferBuilder::new();
        let to = Rc::clone(&arrived);
        builder
            .add(&events, move |bytes| {
                let mut to = to.borrow_mut();
                if let Some(exec) = to.collector.take(bytes) {
                    to.execs.push(exec);
                }
                0
            })
            .map_err(load)?;
        let buffer = builder.build().map_err(load)?;

        // What tells of the end comes first, so that no exec begins that never ends.
        let mut links = Vec::new();
        let mut programs: Vec<_> = object.progs_mut().collect();
        programs.reverse();
        for program in programs {
            let name = program.name().to_string_lossy().into_owned();
            if OPTIONAL
                .iter()
                .any(|(optional, function)| *optional == name && !has(function))
            {
                continue;
            }
            links.push(
                program
                    .attach()
                    .map_err(|error| Failure::Attach(name, os(error)))?,
            );
        }
        Ok(Self {
            links,
            bss,
            buffer,
            arrived,
            _object: object,
        })
    }

    /// Waits for records for at most `time`; returns the execs that are over.
    pub fn wait(&mut self, time: Duration) -> io::Result<Vec<Exec>> {
        match self.buffer.poll_raw(time) {
            // A signal.
            -4 => (),
            ret if ret < 0 => return Err(io::Error::from_raw_os_error(-ret)),
            _ => (),
        }
        Ok(std::mem::take(&mut self.arrived.borrow_mut().execs))
    }

    /// See [`Collector::expire`].
    pub fn expire(&mut self, age: u64) -> Vec<Exec> {
        self.arrived.borrow_mut().collector.expire(age)
    }

    /// Detaches the programs.
    pub fn stop(&mut self) {
        self.links.clear();
    }

    pub fn lost(&self) -> io::Result<Lost> {
        let bytes = self
            .bss
            .lookup(&0u32.to_ne_bytes(), MapFlags::ANY)
            .map_err(os)?
            .unwrap_or_default();
        // As exec.bpf.c declares them; all of the section is of that type.
        let number = |index: usize| {
            let bytes = bytes.get(index * 8..index * 8 + 8)?;
            bytes.try_into().ok().map(u64::from_ne_bytes)
        };
        let counters: Option<Vec<u64>> = (0..3).map(number).collect();
        let [arguments, records, execs] = counters
            .and_then(|counters| counters.try_into().ok())
            .ok_or_else(|| io::Error::other("the counters are not there"))?;
        Ok(Lost {
            arguments,
            records,
            execs,
            unknown: self.arrived.borrow().collector.unknown,
        })
    }
}

impl Filter {
    /// Writes what the programs are to know into their constants.
    fn apply(&self, open: &mut OpenObject) -> libbpf_rs::Result<()> {
        for mut map in open.maps_mut() {
            let name = map.name().to_string_lossy().into_owned();
            if name == "events" {
                map.set_max_entries(self.buffer)?;
            }
            if !name.ends_with(".rodata") {
                continue;
            }
            let Some(data) = map.initial_value_mut() else {
                continue;
            };
            let constants = self.constants();
            let Some(place) = data.get_mut(..constants.len()) else {
                return Err(io::Error::other("the constants do not fit").into());
            };
            place.copy_from_slice(&constants);
        }
        Ok(())
    }

    /// `struct settings` of exec.bpf.c.
    fn constants(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (cgroup, level) = self.cgroup.unwrap_or((0, 0));
        bytes.extend(cgroup.to_ne_bytes());
        for number in [
            level,
            self.uid.unwrap_or(u32::MAX),
            self.pid.unwrap_or(0),
            self.parents,
            std::process::id(),
            u32::from(self.comm.is_some()),
        ] {
            bytes.extend(number.to_ne_bytes());
        }
        let mut comm = [0u8; 16];
        for (to, from) in comm.iter_mut().take(15).zip(self.comm.iter().flatten()) {
            *to = *from;
        }
        bytes.extend(comm);
        bytes
    }
}
