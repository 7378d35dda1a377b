// SPDX-License-Identifier: GPL-2.0

//! Events of audit's log, as auditd writes it and `ausearch --raw` shows it, as rules see them.
//!
//! Records of audit say what a call was given and what had become of the task in the end, which is
//! not all that hooks are asked about. What they do not tell, or tell of a later moment, is left
//! out, so that a rule that tests it is said to be undecided. KRSI's own records tell more: which
//! hook it was, about which path, and the task as it was then.

use super::{
    eval::{Event, Numbers, Paths},
    hook,
    lower::{tidy, System},
    syscalls::SYSCALLS,
};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// What a log has.
#[derive(Debug, Default)]
pub struct Log {
    pub events: Vec<Event>,
    /// How many events are of no system call of x86, such as those of programs.
    pub others: usize,
}

/// Whether a text is such a log.
pub fn is_log(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty());
    first.is_some_and(|line| line.starts_with("type=") || line.starts_with("node="))
}

/// Reads a log. Errors are the number of a line that is no record.
pub fn read(text: &str, system: &dyn System) -> Result<Log, usize> {
    // Records of several events may be between each other.
    let (mut events, mut places) = (Vec::<Vec<Record>>::new(), HashMap::new());
    for (number, line) in (1usize..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let (of, record) = record(line).ok_or(number)?;
        let place = *places.entry(of).or_insert(events.len());
        if place == events.len() {
            events.push(Vec::new());
        }
        events[place].push(record);
    }
    let mut log = Log::default();
    for records in events {
        let found = decided(&records, system);
        log.others += usize::from(found.is_empty());
        log.events.extend(found);
    }
    Ok(log)
}

struct Record<'a> {
    kind: &'a str,
    fields: HashMap<&'a str, &'a str>,
}

impl Record<'_> {
    fn text(&self, name: &str) -> Option<String> {
        String::from_utf8(bytes(self.fields.get(name)?)?).ok()
    }

    /// A text that was not cut.
    fn whole(&self, name: &str) -> Option<String> {
        let cut = self.fields.contains_key(format!("{name}-len").as_str());
        self.text(name).filter(|_| !cut)
    }

    fn number(&self, name: &str, radix: u32) -> Option<u64> {
        u64::from_str_radix(self.fields.get(name)?, radix).ok()
    }

    fn decimal(&self, name: &str) -> Option<u64> {
        self.number(name, 10)
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.fields.get(name) == Some(&value)
    }
}

/// A record, and what tells its event from others.
fn record(line: &str) -> Option<((&str, &str), Record<'_>)> {
    // What auditd adds for people is behind this character.
    let line = line.split('\x1d').next()?;
    let (head, fields) = line.split_once("):")?;
    let (head, event) = head.split_once(" msg=audit(")?;
    let (node, kind) = head.split_once("type=")?;
    let fields = fields.split(' ').filter_map(|field| field.split_once('='));
    let record = Record {
        kind,
        fields: fields.collect(),
    };
    Some(((node, event), record))
}

/// A text is in quotes, or in hexadecimal.
fn bytes(value: &str) -> Option<Vec<u8>> {
    if let Some(plain) = value.strip_prefix('"') {
        return Some(plain.strip_suffix('"')?.into());
    }
    let good = value.is_ascii() && value.len() % 2 == 0;
    let pairs = (0..value.len()).step_by(2);
    good.then(|| {
        pairs
            .map(|at| u8::from_str_radix(&value[at..at + 2], 16).ok())
            .collect()
    })?
}

/// What rules were asked about: by KRSI's records if there are some, else by the system call's.
fn decided(records: &[Record], system: &dyn System) -> Vec<Event> {
    let call = records.iter().find(|record| record.kind == "SYSCALL");
    let own = records.iter().filter(|record| record.is("lsm", "krsi"));
    let mut events: Vec<Event> = own
        .map(|own| {
            let mut event = of_hook(own);
            if let Some(call) = call {
                add_call(call, &mut event);
                add_arguments(records, call, &mut event);
            }
            event
        })
        .collect();
    if let (true, Some(call)) = (events.is_empty(), call) {
        events.extend(of_call(call, records, system));
    }
    for event in &mut events {
        event.perm = access(event);
        add_address(records, event);
    }
    events
}

/// What a record of KRSI says.
fn of_hook(record: &Record) -> Event {
    let hook = record.fields.get("hook").copied().unwrap_or_default();
    // It has one path, of hooks that may be about two.
    let names = hook::find(hook).map_or(0, |hook| hook.names.len());
    let path = record.whole("path").filter(|_| names == 1);
    Event {
        hook: Some(hook.into()),
        path: path.map(Paths::One),
        cgroup: record.whole("cgroup"),
        ..task(record)
    }
}

/// What the record of a system call and those beside it say.
fn of_call(call: &Record, records: &[Record], system: &dyn System) -> Option<Event> {
    let mut event = task(call);
    add_call(call, &mut event)?;
    // It is there if it is not 0.
    event.numbers.pers = match call.fields.get("per") {
        Some(_) => call.number("per", 16),
        None => Some(0),
    };
    add_object(records, system, &mut event);
    add_arguments(records, call, &mut event);
    if !call.is("success", "no") {
        forget_changed(&mut event);
    }
    Some(event)
}

/// The task, which all records describe alike.
fn task(record: &Record) -> Event {
    Event {
        exe: record.whole("exe"),
        comm: record.whole("comm"),
        numbers: Numbers {
            pid: record.decimal("pid"),
            ppid: record.decimal("ppid"),
            auid: record.decimal("auid"),
            sessionid: record.decimal("ses"),
            uid: record.decimal("uid"),
            euid: record.decimal("euid"),
            suid: record.decimal("suid"),
            fsuid: record.decimal("fsuid"),
            gid: record.decimal("gid"),
            egid: record.decimal("egid"),
            sgid: record.decimal("sgid"),
            fsgid: record.decimal("fsgid"),
            ..Numbers::default()
        },
        ..Event::default()
    }
}

/// Which system call it is, and its arguments; none if it is not one of x86.
fn add_call(call: &Record, event: &mut Event) -> Option<()> {
    let compat = match *call.fields.get("arch")? {
        "c000003e" => false,
        "40000003" => true,
        _ => return None,
    };
    let number = u16::try_from(call.decimal("syscall")?).ok();
    let row = SYSCALLS.iter().find(|(_, native, other)| {
        let this = if compat { other } else { native };
        number.is_some() && *this == number
    })?;
    event.syscall = Some(row.0.into());
    event.arch = Some(if compat { "b32" } else { "b64" }.into());
    // Rules look at 32 bits.
    let argument = |name| Some(call.number(name, 16)? & 0xffff_ffff);
    event.numbers.a0 = argument("a0");
    event.numbers.a1 = argument("a1");
    event.numbers.a2 = argument("a2");
    event.numbers.a3 = argument("a3");
    Some(())
}

/// The record is written when the call ends: what the call itself has changed was something else
/// when it was decided.
fn forget_changed(event: &mut Event) {
    let call = event.syscall.as_deref().unwrap_or_default();
    let ids = call.starts_with("set") && (call.contains("uid") || call.contains("gid"));
    let exec = call.starts_with("execve");
    let numbers = &mut event.numbers;
    if exec || call == "prctl" {
        (event.exe, event.comm) = (None, None);
    }
    if exec || call == "personality" {
        numbers.pers = None;
    }
    if exec || ids {
        (numbers.euid, numbers.suid, numbers.fsuid) = (None, None, None);
        (numbers.egid, numbers.sgid, numbers.fsgid) = (None, None, None);
    }
    if ids {
        (numbers.uid, numbers.gid) = (None, None);
    }
}

/// The objects that names have led to: their paths, and of a single one what audit says of it.
fn add_object(records: &[Record], system: &dyn System, event: &mut Event) {
    let call = event.syscall.clone().unwrap_or_default();
    let exec = call.starts_with("execve");
    let objects = records.iter().filter(|record| record.kind == "PATH");
    // Of what is executed, what else it needs comes behind it.
    let objects = objects.filter(|item| !exec || item.is("item", "0"));
    let mut objects: Vec<_> = objects
        .filter(|item| !item.is("nametype", "PARENT"))
        .collect();
    // A file system that is made of others has items of its own, without a name.
    if objects.iter().any(|item| !item.is("name", "(null)")) {
        objects.retain(|item| !item.is("name", "(null)"));
    }
    let cwd = records.iter().find(|record| record.kind == "CWD");
    let cwd = cwd.and_then(|record| record.whole("cwd"));
    let cwd = cwd.filter(|_| directories(&call, &event.numbers));
    let names = objects.iter().map(|item| path(item, cwd.as_deref()));
    event.path = names.collect::<Option<Vec<_>>>().and_then(|names| {
        // It is the name that was asked for: the kernel asks rules about where it leads.
        let both = |name: String| [system.resolve(&name), name];
        let mut paths: Vec<String> = names.into_iter().flat_map(both).collect();
        paths.dedup();
        (!paths.is_empty()).then_some(Paths::Several(paths))
    });
    let opens = call == "creat" || call.starts_with("open");
    // What is made is not there yet when that is decided, but for what is opened then.
    if let [one] = *objects {
        if opens || !one.is("nametype", "CREATE") {
            add_inode(one, &mut event.numbers);
        }
    }
}

fn add_inode(item: &Record, numbers: &mut Numbers) {
    const S_IFMT: u64 = 0o170_000;
    let device = item.fields.get("dev").and_then(|dev| dev.split_once(':'));
    let part = |text: &str| u64::from_str_radix(text, 16).ok();
    numbers.inode = item.decimal("inode");
    numbers.devmajor = device.and_then(|(major, _)| part(major));
    numbers.devminor = device.and_then(|(_, minor)| part(minor));
    numbers.obj_uid = item.decimal("ouid");
    numbers.obj_gid = item.decimal("ogid");
    numbers.filetype = item.number("mode", 8).map(|mode| mode & S_IFMT);
}

/// Whether names that do not begin at the root begin at the current directory, which is all that
/// audit tells.
fn directories(call: &str, numbers: &Numbers) -> bool {
    const AT_FDCWD: u64 = -100i32 as u32 as u64;
    let descriptors = match call {
        "renameat" | "renameat2" | "linkat" => vec![numbers.a0, numbers.a2],
        "symlinkat" => vec![numbers.a1],
        call if call.ends_with("at") || call.ends_with("at2") => vec![numbers.a0],
        _ => Vec::new(),
    };
    descriptors.iter().all(|number| *number == Some(AT_FDCWD))
}

fn path(item: &Record, cwd: Option<&str>) -> Option<String> {
    let name = item.text("name")?;
    let path = match name.starts_with('/') {
        true => name,
        false => format!("{}/{name}", cwd?),
    };
    // Where these lead depends on links of then, and on who asks.
    let elsewhere = path.split('/').any(|part| part == "..")
        || ["/proc/self", "/proc/thread-self", "/dev/fd", "/dev/std"]
            .iter()
            .any(|own| path.starts_with(own));
    (!elsewhere).then(|| tidy(&path))
}

/// The arguments of what was executed. Those of a script are its interpreter's in the end, and it
/// is a script if what runs is another file than what was asked for.
fn add_arguments(records: &[Record], call: &Record, event: &mut Event) {
    let (Some(exe), Some(paths)) = (call.whole("exe"), &event.path) else {
        return;
    };
    if !paths.list().contains(&exe) {
        return;
    }
    let records = records.iter().filter(|record| record.kind == "EXECVE");
    let fields: HashMap<&str, &str> = records.flat_map(|record| record.fields.clone()).collect();
    let Some(count) = fields.get("argc").and_then(|argc| argc.parse::<u32>().ok()) else {
        return;
    };
    let argument = |number: u32| {
        if let Some(value) = fields.get(format!("a{number}").as_str()) {
            return String::from_utf8(bytes(value)?).ok();
        }
        // Long ones are in parts.
        let parts = (0..).map_while(|part| fields.get(format!("a{number}[{part}]").as_str()));
        let parts: Option<Vec<_>> = parts.map(|part| bytes(part)).collect();
        let whole = parts?.concat();
        (!whole.is_empty()).then(|| String::from_utf8(whole).ok())?
    };
    event.argv = (0..count).map(argument).collect();
}

/// What a file is opened for, if an argument says that.
fn access(event: &Event) -> Option<String> {
    const O_TRUNC: u64 = 0o1000;
    const O_PATH: u64 = 0o10_000_000;
    let flags = match event.syscall.as_deref()? {
        "creat" => return Some("w".into()),
        "open" => event.numbers.a1?,
        "openat" => event.numbers.a2?,
        _ => return None,
    };
    let letters = match flags & 3 {
        _ if flags & O_PATH != 0 => return None,
        0 if flags & O_TRUNC == 0 => "r",
        1 => "w",
        0 | 2 => "rw",
        _ => return None,
    };
    Some(letters.into())
}

/// The address that the call was given.
fn add_address(records: &[Record], event: &mut Event) {
    let bound = match event.syscall.as_deref() {
        Some("bind") => true,
        Some("connect" | "sendto" | "sendmsg") => false,
        _ => return,
    };
    let address = records.iter().find(|record| record.kind == "SOCKADDR");
    let Some(bytes) = address.and_then(|record| bytes(record.fields.get("saddr")?)) else {
        return;
    };
    let part = |from: usize, size: usize| bytes.get(from..from + size);
    let number = |from| part(from, 2).and_then(|bytes| bytes.try_into().ok());
    let Some(family) = number(0).map(u16::from_ne_bytes) else {
        return;
    };
    event.numbers.saddr_fam = Some(family.into());
    if bound {
        return;
    }
    event.raddr = match family {
        2 if bytes.len() >= 16 => part(4, 4)
            .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok())
            .map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes))),
        10 => part(8, 16)
            .and_then(|bytes| <[u8; 16]>::try_from(bytes).ok())
            .map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes))),
        _ => None,
    };
    if event.raddr.is_some() {
        event.numbers.rport = number(2).map(|port| u16::from_be_bytes(port).into());
    }
}

#[cfg(test)]
mod tests;
