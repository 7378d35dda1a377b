// SPDX-License-Identifier: GPL-2.0

//! `krsi exec`: every exec as it happens, with all of its arguments. What did not arrive is said
//! to be missing, and counted; nothing is cut.

use crate::{
    cli,
    error::{Error, Exit, Result},
    exec::{
        collect::{Exec, State},
        watch::{Failure, Filter, Lost, Watch, NEEDED},
    },
    kernel::{btf::Kernel, cgroup, securityfs::Securityfs},
    ui,
};
use rustix::{
    io::Errno,
    time::{clock_gettime, ClockId},
};
use serde::Serialize;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};
use std::{
    collections::HashMap,
    fmt::Write as _,
    fs,
    io::{self, IsTerminal},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

/// How long a signal may have to wait.
const TICK: Duration = Duration::from_millis(100);

/// After how many seconds the end of an exec is taken for lost, if any record was.
const PATIENCE: u64 = 5;

pub fn run(args: &cli::Exec) -> Result<Exit> {
    let files = Securityfs::new(&args.source.securityfs);
    files.require_krsi()?;
    files.version()?;
    let kernel = Kernel::load().map_err(|error| Error::os("read the kernel's BTF", &error))?;
    for function in NEEDED {
        if kernel.function(function).is_none() {
            return Err(Error::new(format!(
                "this kernel's KRSI has no {function}(), which tells the arguments"
            ))
            .hint("boot a kernel with a newer KRSI"));
        }
    }
    let end = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&end))
            .map_err(|error| Error::os("handle signals", &error))?;
    }
    let filter = filter(args)?;
    let has = |function: &str| kernel.function(function).is_some();
    let mut watch = Watch::start(&filter, has).map_err(|failure| match failure {
        Failure::Load(error) => Error::os("load the programs", &error),
        Failure::Attach(name, error) => Error::os(&format!("attach the program {name}"), &error),
    })?;
    let mut view = View::new(args);
    view.ready()?;

    let mut second = Instant::now();
    while !view.done() && !end.load(Ordering::Relaxed) {
        let execs = watch
            .wait(TICK)
            .map_err(|error| Error::os("read from the buffer", &error))?;
        for exec in &execs {
            view.show(exec)?;
        }
        if second.elapsed() >= Duration::from_secs(1) {
            second = Instant::now();
            let lost = lost(&watch)?;
            view.lost(lost, false)?;
            // A program that sleeps may hold an exec up: if nothing is lost, its end will come.
            let age = if lost.records > 0 { PATIENCE } else { u64::MAX };
            for exec in watch.expire(age) {
                view.show(&exec)?;
            }
        }
    }
    // What came before the end is shown, too.
    watch.stop();
    let mut rest = watch
        .wait(Duration::ZERO)
        .map_err(|error| Error::os("read from the buffer", &error))?;
    rest.extend(watch.expire(0));
    for exec in &rest {
        view.show(exec)?;
    }
    let lost = lost(&watch)?;
    view.lost(lost, true)?;
    Ok(if lost.any() {
        Exit::Lost
    } else {
        Exit::Success
    })
}

fn lost(watch: &Watch) -> Result<Lost> {
    watch
        .lost()
        .map_err(|error| Error::os("read the counters of what was lost", &error))
}

fn filter(args: &cli::Exec) -> Result<Filter> {
    let cgroup = match &args.cgroup {
        Some(path) => Some(cgroup_of(path)?),
        None => None,
    };
    Ok(Filter {
        uid: args.uid,
        pid: args.pid,
        comm: args.comm.as_ref().map(|comm| comm.as_bytes().to_vec()),
        cgroup,
        parents: args.parents,
        buffer: args.buffer.0,
    })
}

/// The id of a cgroup, and how far below the root it is.
fn cgroup_of(path: &Path) -> Result<(u64, u32)> {
    let root = cgroup::root()
        .ok_or_else(|| Error::new("no cgroup2 file system is mounted"))?
        .canonicalize()
        .map_err(|error| Error::os("find the root of the cgroups", &error))?;
    let wanted = path
        .canonicalize()
        .map_err(|error| Error::read(path, &error))?;
    let Ok(below) = wanted.strip_prefix(&root) else {
        return Err(Error::new(format!("{} is no cgroup", path.display()))
            .hint(format!("name a directory in {}", root.display())));
    };
    let metadata = fs::metadata(&wanted).map_err(|error| Error::read(path, &error))?;
    Ok((metadata.ino(), below.components().count() as u32))
}

/// Bytes as JSON has them: a string, or, if they are no UTF-8, what cannot be taken for one.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Other { hex: String },
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.into()),
            Err(_) => Self::Other {
                hex: bytes.iter().fold(String::new(), |mut hex, byte| {
                    let _ = write!(hex, "{byte:02x}");
                    hex
                }),
            },
        }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    exec: ExecReport,
}

#[derive(Debug, Serialize)]
struct ExecReport {
    /// Seconds since 1970, or null if the record with the time was lost.
    time: Option<f64>,
    result: ResultReport,
    /// Null as far as the record that tells was lost.
    pid: Option<u32>,
    tid: Option<u32>,
    ppid: Option<u32>,
    uid: Option<u32>,
    euid: Option<u32>,
    gid: Option<u32>,
    auid: Option<u32>,
    session: Option<u32>,
    comm: Option<Bytes>,
    cgroup: Option<CgroupReport>,
    file: Option<Bytes>,
    /// `whole`, `lost`, `unreadable` or `unseen`.
    strings: &'static str,
    /// Null unless they are there whole.
    argv: Option<Vec<Bytes>>,
    /// Those asked for: each variable has a list, since it can be there more than once.
    env: Option<Vec<Variable>>,
    interpreters: Vec<Bytes>,
    parents: Vec<ParentReport>,
    /// Nothing is executed: execveat(AT_EXECVE_CHECK).
    check: bool,
    /// Another task changed the strings during the exec.
    changed: bool,
    /// How many records of it were lost.
    lost: Option<u32>,
}

#[derive(Debug, Serialize)]
struct ResultReport {
    /// `done`, `denied`, `failed` or `unknown`.
    status: &'static str,
    errno: Option<i32>,
    error: Option<String>,
    /// The hook that denied it.
    hook: Option<&'static str>,
    /// `krsi` or `lsm`, another one.
    by: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct CgroupReport {
    id: u64,
    path: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Variable {
    name: String,
    values: Vec<Bytes>,
}

#[derive(Debug, Serialize)]
struct ParentReport {
    pid: u32,
    uid: u32,
    comm: Bytes,
    exe: Option<Bytes>,
}

#[derive(Serialize)]
struct LostReport {
    lost: Lost,
    end: bool,
}

const HOOKS: [Option<&str>; 4] = [
    None,
    Some("bprm_creds_for_exec"),
    Some("bprm_check_security"),
    Some("bprm_creds_from_file"),
];

impl ResultReport {
    fn new(exec: &Exec) -> Self {
        let Some(end) = &exec.end else {
            return Self {
                status: "unknown",
                errno: None,
                error: None,
                hook: None,
                by: None,
            };
        };
        let errno = (end.result < 0).then_some(-end.result);
        let hook = HOOKS.get(end.hook as usize).copied().flatten();
        // What a hook said is not always what it came to: the first of several counts.
        let denied = errno.is_some() && hook.is_some();
        Self {
            status: match (errno, denied) {
                (None, _) => "done",
                (Some(_), true) => "denied",
                (Some(_), false) => "failed",
            },
            errno,
            error: errno.map(errno_name),
            hook: hook.filter(|_| denied),
            by: denied.then_some(if end.by_krsi { "krsi" } else { "lsm" }),
        }
    }
}

/// An errno in the words of the system.
fn errno_name(errno: i32) -> String {
    // KRSI's programs may use any number.
    io::Error::from(Errno::from_raw_os_error(errno))
        .to_string()
        .split(" (os error")
        .next()
        .unwrap_or_default()
        .into()
}

/// The values of a variable, in their order.
fn values<'a>(environment: &'a [Vec<u8>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    environment
        .iter()
        .filter_map(move |variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

/// Where execs are shown.
struct View {
    json: bool,
    colours: bool,
    env: Vec<String>,
    left: Option<u64>,
    /// Between the clock of the records and that of the day, in nanoseconds.
    since_boot: i128,
    cgroups: HashMap<u64, PathBuf>,
    lost: Lost,
}

impl View {
    fn new(args: &cli::Exec) -> Self {
        let now = |clock| {
            let time = clock_gettime(clock);
            i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
        };
        Self {
            json: args.output.json,
            colours: !args.output.json && ui::colours(),
            env: args.env.clone(),
            left: args.count,
            since_boot: now(ClockId::Realtime) - now(ClockId::Boottime),
            cgroups: HashMap::new(),
            lost: Lost::default(),
        }
    }

    /// Says that nothing is missed from now on.
    fn ready(&self) -> Result {
        if self.json {
            #[derive(Serialize)]
            struct Ready {
                watching: bool,
            }
            return ui::json::print_line(&Ready { watching: true });
        }
        if io::stderr().is_terminal() {
            eprintln!("krsi: watching; control-c ends it");
        }
        Ok(ui::print(
            "TIME      RESULT      PID    PPID     UID  COMM             EXEC\n",
        )?)
    }

    fn done(&self) -> bool {
        self.left == Some(0)
    }

    fn show(&mut self, exec: &Exec) -> Result {
        if self.done() {
            return Ok(());
        }
        self.left = self.left.map(|left| left - 1);
        let report = self.report(exec);
        if self.json {
            ui::json::print_line(&Report { exec: report })
        } else {
            Ok(ui::print(&text(exec, &report, self.colours))?)
        }
    }

    /// Says what was lost, if that has changed or all is over.
    fn lost(&mut self, lost: Lost, end: bool) -> Result {
        if lost != self.lost || (end && (self.json || lost.any())) {
            self.lost = lost;
            if self.json {
                return ui::json::print_line(&LostReport { lost, end });
            }
            ui::warn(&format!(
                "lost{}: arguments of {} execs, {} other records, {} execs; --buffer makes room",
                if end { " in all" } else { "" },
                lost.arguments,
                lost.records + lost.unknown,
                lost.execs
            ));
        }
        Ok(())
    }

    fn cgroup(&mut self, id: u64) -> Option<PathBuf> {
        if !self.cgroups.contains_key(&id) {
            self.cgroups = cgroup::paths();
        }
        self.cgroups.get(&id).cloned()
    }

    fn report(&mut self, exec: &Exec) -> ExecReport {
        let begin = exec.begin.as_ref();
        let whole = exec.strings.state == State::Whole;
        let seconds = |time: u64| (i128::from(time) + self.since_boot) as f64 / 1e9;
        let time = begin
            .map(|begin| begin.time)
            .or(exec.end.as_ref().map(|end| end.time))
            .map(seconds);
        ExecReport {
            time,
            result: ResultReport::new(exec),
            pid: begin.map(|begin| begin.pid),
            tid: begin.map(|begin| begin.tid),
            ppid: begin.map(|begin| begin.ppid),
            uid: begin.map(|begin| begin.uid),
            euid: begin.map(|begin| begin.euid),
            gid: begin.map(|begin| begin.gid),
            auid: begin
                .map(|begin| begin.auid)
                .filter(|auid| *auid != u32::MAX),
            session: begin
                .map(|begin| begin.session)
                .filter(|session| *session != u32::MAX),
            comm: begin.map(|begin| begin.comm.as_slice().into()),
            cgroup: begin.map(|begin| CgroupReport {
                id: begin.cgroup,
                path: self.cgroup(begin.cgroup),
            }),
            file: begin
                .filter(|begin| begin.path.errno.is_none())
                .map(|begin| begin.path.bytes.as_slice().into()),
            strings: match exec.strings.state {
                State::Whole => "whole",
                State::Lost => "lost",
                State::Unreadable(_) => "unreadable",
                State::Unseen => "unseen",
            },
            argv: whole.then(|| bytes(&exec.strings.arguments)),
            env: whole.then(|| {
                let variable = |name: &String| Variable {
                    name: name.clone(),
                    values: values(&exec.strings.environment, name)
                        .map(Bytes::from)
                        .collect(),
                };
                self.env.iter().map(variable).collect()
            }),
            // The first is the file itself.
            interpreters: exec
                .rounds
                .iter()
                .skip(1)
                .map(|path| path.bytes.as_slice().into())
                .collect(),
            parents: exec
                .parents
                .iter()
                .map(|parent| ParentReport {
                    pid: parent.pid,
                    uid: parent.uid,
                    comm: parent.comm.as_slice().into(),
                    exe: parent
                        .path
                        .errno
                        .is_none()
                        .then(|| parent.path.bytes.as_slice().into()),
                })
                .collect(),
            check: exec.strings.check,
            changed: exec.strings.changed,
            lost: exec.end.as_ref().map(|end| end.lost),
        }
    }
}

fn bytes(strings: &[Vec<u8>]) -> Vec<Bytes> {
    strings.iter().map(|s| s.as_slice().into()).collect()
}

/// In quotes, such that no string can pass for something else, and no terminal obeys it.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                c if c.is_control() => {
                    let _ = write!(text, "\\u{{{:x}}}", u32::from(c));
                }
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    text
}

/// The line of an exec, and indented lines with what else there is to say.
fn text(exec: &Exec, report: &ExecReport, colours: bool) -> String {
    let number = |value: Option<u32>| value.map_or("?".into(), |value| value.to_string());
    let day = report.time.map_or("?".into(), |time| {
        let seconds = time as u64 % 86400;
        format!(
            "{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        )
    });
    let status = report.result.status;
    let mark = match (colours, status) {
        (true, "denied") => ("\x1b[31m", "\x1b[0m"),
        (true, "failed" | "unknown") => ("\x1b[33m", "\x1b[0m"),
        _ => ("", ""),
    };
    let comm = exec.begin.as_ref().map_or("?".into(), |begin| {
        String::from_utf8_lossy(&begin.comm).into_owned()
    });
    let mut text = format!(
        "{day:<8}  {}{status:<7}{}  {:>6}  {:>6}  {:>6}  {:<15}  ",
        mark.0,
        mark.1,
        number(report.pid),
        number(report.ppid),
        number(report.uid),
        ui::clean(&comm)
    );
    match exec.strings.state {
        State::Whole => {
            let arguments: Vec<_> = exec.strings.arguments.iter().map(|s| quoted(s)).collect();
            text += &arguments.join(" ");
        }
        State::Lost => text += "[arguments lost: the buffer was full]",
        State::Unreadable(errno) => {
            let _ = write!(text, "[arguments not readable: {}]", errno_name(errno));
        }
        State::Unseen => text += "[arguments not seen: it was over before]",
    }
    text.push('\n');
    let mut detail = |name: &str, value: &str| {
        let _ = writeln!(text, "          {name} {value}");
    };
    if let Some(begin) = &exec.begin {
        let more = if begin.path.cut {
            " [and maybe more]"
        } else {
            ""
        };
        match begin.path.errno {
            None => detail("file", &format!("{}{more}", quoted(&begin.path.bytes))),
            Some(errno) => detail("file", &format!("[not readable: {}]", errno_name(errno))),
        }
    }
    for path in exec.rounds.iter().skip(1) {
        let more = if path.cut { " [and maybe more]" } else { "" };
        detail("interpreter", &format!("{}{more}", quoted(&path.bytes)));
    }
    if let Some(error) = &report.result.error {
        let by = match (report.result.hook, report.result.by) {
            (Some(hook), Some("krsi")) => format!(", by a program of KRSI on {hook}"),
            (Some(hook), _) => format!(", by another LSM on {hook}"),
            _ => String::new(),
        };
        detail("result", &format!("{error}{by}"));
    }
    if report.result.status == "unknown" {
        detail("result", "[lost, or not there yet]");
    }
    for variable in report.env.iter().flatten() {
        for value in values(&exec.strings.environment, &variable.name) {
            detail(
                "env",
                &format!("{}={}", ui::clean(&variable.name), quoted(value)),
            );
        }
    }
    for parent in &exec.parents {
        let exe = match parent.path.errno {
            None => quoted(&parent.path.bytes),
            Some(_) => "[no file]".into(),
        };
        let comm = ui::clean(&String::from_utf8_lossy(&parent.comm));
        detail("from", &format!("{} {comm} {exe}", parent.pid));
    }
    if report.check {
        detail("note", "nothing is executed: AT_EXECVE_CHECK");
    }
    if report.changed {
        detail("note", "another task changed the strings during the exec");
    }
    if report.lost.is_some_and(|lost| lost > 0) {
        detail(
            "note",
            "[records of this exec were lost: the buffer was full]",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::{collect::Strings, wire::End};

    #[test]
    fn no_string_passes_for_another() {
        assert_eq!(quoted(b"a b"), "\"a b\"");
        assert_eq!(quoted(b"\" \\"), "\"\\\" \\\\\"");
        assert_eq!(
            quoted(b"\x1b[2J\n\xff\xc3"),
            "\"\\u{1b}[2J\\u{a}\\xff\\xc3\""
        );
        assert_eq!(quoted("größe\u{9b}".as_bytes()), "\"größe\\u{9b}\"");
        assert_eq!(quoted(b""), "\"\"");
    }

    #[test]
    fn bytes_in_json() {
        let json = |bytes: &[u8]| serde_json::to_string(&Bytes::from(bytes)).unwrap();
        assert_eq!(json(b"a\"b"), "\"a\\\"b\"");
        assert_eq!(json(b"\xff\x00"), "{\"hex\":\"ff00\"}");
    }

    #[test]
    fn variables() {
        let environment = [&b"A=1"[..], b"AB=2", b"A", b"A=", b"=A=3"].map(<[u8]>::to_vec);
        let of = |name| values(&environment, name).collect::<Vec<_>>();
        assert_eq!(of("A"), [&b"1"[..], b""]);
        assert_eq!(of("AB"), [&b"2"[..]]);
        assert_eq!(of("B"), [&b""[..]; 0]);
    }

    #[test]
    fn results() {
        let result = |result, hook, by_krsi| {
            let exec = Exec {
                end: Some(End {
                    time: 0,
                    result,
                    hook,
                    verdict: -1,
                    by_krsi,
                    lost: 0,
                }),
                strings: Strings::default(),
                ..Exec::default()
            };
            let report = ResultReport::new(&exec);
            (report.status, report.errno, report.hook, report.by)
        };
        assert_eq!(result(0, 0, false), ("done", None, None, None));
        assert_eq!(result(-2, 0, false), ("failed", Some(2), None, None));
        assert_eq!(
            result(-13, 2, true),
            (
                "denied",
                Some(13),
                Some("bprm_check_security"),
                Some("krsi")
            )
        );
        assert_eq!(result(-1, 3, false).3, Some("lsm"));
        assert_eq!(ResultReport::new(&Exec::default()).status, "unknown");
        assert_eq!(errno_name(13), "Permission denied");
    }
}
