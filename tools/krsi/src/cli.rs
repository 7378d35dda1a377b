// SPDX-License-Identifier: GPL-2.0

//! The command line. `--help`, the man pages and the completions are made from this.

use crate::{error::Error, kernel::securityfs};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::{path::PathBuf, time::Duration};

const EXIT: &str = "\
Exit status:
  0  it was done; of status: KRSI is active and enforces
  1  it could not be done, or not be found out
  2  the command line is wrong
  3  KRSI is not active on this machine
  4  KRSI is active, but did not enforce the verdict of a program, or programs
     of the rules in force were removed, or the rules are pinned elsewhere, or
     differ from the expected files
  5  the kernel refused a program that krsi made: a bug of krsi
  6  it was done, but some of what happened was lost, as the output says";

/// Shows what KRSI enforces: the LSM whose decisions are BPF programs.
#[derive(Debug, Parser)]
#[command(name = "krsi", version, after_help = EXIT, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tell whether KRSI is active and enforces
    ///
    /// Reads what the kernel says, and then tries it: a small program is attached to the hook
    /// task_getpgid, denies one call of this command's own thread, and is detached again. Nothing
    /// else is affected; the counters of that hook show the call.
    #[command(after_help = EXIT)]
    Status(Status),
    /// List the hooks: programs, calls and denials
    ///
    /// Calls are counted while a program is attached. A denial is a call whose verdict a program
    /// decided.
    Hooks(Hooks),
    /// List the programs that are attached to hooks: by whom, and who holds them
    ///
    /// LSM programs, and those that trace the functions bpf_lsm_HOOK and security_HOOK, of which
    /// fmod_ret programs decide before any LSM.
    /// Works with the bpf LSM too. Runs and time are counted only while BPF statistics are on:
    /// `krsi top` turns them on, or sysctl kernel.bpf_stats_enabled=1.
    Programs(Programs),
    /// Watch the hooks and programs that are busy
    ///
    /// Turns on BPF statistics while it runs. On a terminal q ends it.
    Top(Top),
    /// Log every exec as it happens, with all of its arguments
    ///
    /// Tells who executes what, with which arguments and, if asked for, environment; what came of
    /// it, and which hook denied it; and from which processes it comes. Nothing is cut: what did
    /// not fit the buffer is said to be lost, and counted. Attaches programs while it runs; they
    /// deny nothing. An exec that fails before the hooks are asked, as that of a file that is not
    /// there, is shown without arguments.
    #[command(after_help = EXIT)]
    Exec(Exec),
    /// Show the bytes that programs have in kernel objects, and claim and release slots
    Blobs(Blobs),
    /// Check audit rules, and what they decide about events, without a kernel
    ///
    /// Rules are auditctl's, see krsi.rules(7), as in /etc/audit/rules.d, with the actions deny,
    /// deny=ERRNO and kill, and fields of KRSI's own: argv[N], argv, env[NAME], label[CLASS.SLOT],
    /// comm, cgroup, container, pexe, raddr, rport. Each mistake is shown with its line, its column
    /// and what was expected. Rules are compiled, too; only the kernel's verifier has not seen the
    /// programs then. An event is a JSON object with `hook` or `syscall`, and fields called as in
    /// rules: path, perm, exe, uid and so on; `label` is an object, {"inode.origin": 1}. Of audit's
    /// records that is an event which they say of a call or a hook; a rule that tests what they do
    /// not say, or say as it was when the call had ended, is said to be undecided. Labels are
    /// those of the file krsi/blobs in securityfs; if it cannot be read, they are taken for
    /// granted, with a note.
    #[command(after_help = EXIT)]
    Check(Check),
    /// Change the rules that are in force, with auditctl's options
    ///
    /// -w and -a append a rule, -A prepends one, -d and -W delete one, -D deletes all or those of a
    /// key, -l lists them with their counters, and -R FILE loads a file instead of what is in
    /// force. Rules are auditctl's, see krsi.rules(7). One word can have several lines, which are
    /// one change. Each change replaces the whole policy at once.
    #[command(after_help = EXIT)]
    Rule(Rule),
    /// Put rules into force, in the place of those that are
    ///
    /// They are compiled to one BPF program for each LSM hook, and stay in force when this command
    /// has ended, until they are replaced or unloaded. There is no instant without a policy, and
    /// none with a part of it; if anything fails, the old rules stay in force. Lines with errors
    /// that come after -i or -c in their file are left out; after -c the exit status is then 1.
    #[command(after_help = EXIT)]
    Load(Load),
    /// Keep the rules of `krsi load --confirm`, which otherwise end by themselves
    ///
    /// The exit status is 1 if there is nothing to confirm, as after the time is over.
    #[command(after_help = EXIT)]
    Confirm(Confirm),
    /// Remove the rules that are in force
    #[command(after_help = EXIT)]
    Unload(Unload),
    /// List the rules that are in force: how often each decided, denied, and could not tell
    #[command(after_help = EXIT)]
    List(List),
    /// Compare the loaded rules with those of files
    ///
    /// Shows rules of the files that are not loaded with -, and loaded rules that no file has with
    /// +. The exit status is 4 if rules or their order differ, or if programs of the policy were
    /// removed.
    #[command(after_help = EXIT)]
    Diff(Diff),
    /// Print a completion script, for example: krsi completions bash >/etc/bash_completion.d/krsi
    Completions { shell: Shell },
    /// Write the man pages into a directory
    Man { dir: PathBuf },
}

#[derive(Debug, Args)]
pub struct Output {
    /// Print JSON; fields are only ever added, and `schema` counts what breaks readers
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Source {
    /// Where securityfs is mounted, or a copy of its files
    #[arg(long, value_name = "DIR", default_value = securityfs::MOUNT)]
    pub securityfs: PathBuf,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Only read what the kernel says, without trying it
    #[arg(long)]
    pub no_self_test: bool,
    /// Fail unless the loaded rules are those of this file or directory, as krsi diff compares
    /// them; may be given several times
    #[arg(long, value_name = "FILE")]
    pub expect: Vec<PathBuf>,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Hooks {
    /// Only hooks that match: a name, or a pattern such as 'inode_*'
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<glob::Pattern>,
    /// Only hooks that programs are attached to
    #[arg(long)]
    pub attached: bool,
    /// Only hooks that sleepable programs may be attached to
    #[arg(long)]
    pub sleepable: bool,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Programs {
    /// Only programs of hooks that match: a name, or a pattern such as 'inode_*'
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<glob::Pattern>,
    /// Also programs that are loaded for a hook and not attached
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Top {
    /// Seconds between two looks, 0.1 to 3600
    #[arg(short, long, value_name = "SECONDS", default_value = "2", value_parser = interval)]
    pub interval: Duration,
    /// End after so many looks
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Exec {
    /// Show this variable of the environment; may be given several times
    #[arg(long, value_name = "NAME", value_parser = variable)]
    pub env: Vec<String>,
    /// Only execs by this user: a number, or a name
    #[arg(long, value_name = "USER", value_parser = user)]
    pub uid: Option<u32>,
    /// Only execs by this process
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: Option<u32>,
    /// Only execs by processes of this name, before the exec; 15 bytes at most
    #[arg(long, value_name = "NAME", value_parser = comm)]
    pub comm: Option<String>,
    /// Only execs in this cgroup and those below it: a directory in /sys/fs/cgroup
    #[arg(long, value_name = "DIR")]
    pub cgroup: Option<PathBuf>,
    /// How many processes to name that the one comes from: 1 is its parent; 32 at most
    #[arg(long, value_name = "N", default_value = "1",
          value_parser = clap::value_parser!(u32).range(0..=32))]
    pub parents: u32,
    /// MiB that the buffer takes, a power of two to 1024; or KiB, as 64k
    #[arg(long, value_name = "MIB", default_value = "16", value_parser = buffer)]
    pub buffer: Buffer,
    /// End after so many execs
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct Blobs {
    #[command(subcommand)]
    pub change: Option<BlobChange>,
    /// Also classes that nothing is reserved in, and slots that were released
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Subcommand)]
pub enum BlobChange {
    /// Claim a slot; one that is there already with the same values stays
    Claim(BlobClaim),
    /// Release a slot, whoever claimed it; its bytes are used again after the next boot
    Release(BlobRelease),
}

#[derive(Debug, Args)]
pub struct BlobClaim {
    /// Class of objects, as inode
    pub class: String,
    /// Name of the slot
    pub name: String,
    /// Bytes
    pub size: u32,
    /// What the slot has to begin at a multiple of: 1, 2, 4 or 8
    #[arg(long)]
    pub align: Option<u32>,
    /// What new credentials and tasks have in it
    #[arg(long, value_parser = ["copy", "reset"])]
    pub inherit: Option<String>,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct BlobRelease {
    /// Class of objects, as inode
    pub class: String,
    /// Name of the slot
    pub name: String,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Check {
    /// Only check the syntax
    #[arg(long, conflicts_with_all = ["event", "events"])]
    pub parse_only: bool,
    /// Tell which rule decides this event, and why
    #[arg(long, value_name = "JSON")]
    pub event: Vec<String>,
    /// The same for a file of events, one a line; what krsi exec --json writes will do, and
    /// audit's log, as auditd writes it or ausearch --raw
    #[arg(long, value_name = "FILE")]
    pub events: Vec<PathBuf>,
    /// Take users from this file instead of /etc/passwd
    #[arg(long, value_name = "FILE")]
    pub passwd: Option<PathBuf>,
    /// Take groups from this file instead of /etc/group
    #[arg(long, value_name = "FILE")]
    pub group: Option<PathBuf>,
    /// Take it that this cgroup is there, and those above it; may be given several times
    #[arg(long, value_name = "PATH")]
    pub cgroup: Vec<String>,
    /// Files with rules, directories with files that end in .rules; - is the standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub source: Source,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Rule {
    #[command(flatten)]
    pub output: Output,
    /// Tell which of auditd's rules run as they are, which run better, and which stay with auditd
    ///
    /// The rules are those of the files that are named, else what auditctl -l lists, else what is
    /// in /etc/audit/rules.d. Nothing is changed.
    #[arg(long)]
    pub from_auditd: bool,
    /// auditctl's options; one word is a line as in a file. With --from-auditd: files
    #[arg(
        value_name = "RULE",
        required_unless_present = "from_auditd",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub words: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Load {
    /// Record and count what rules would deny, and deny nothing: each deny and kill is a deny?
    #[arg(long)]
    pub dry_run: bool,
    /// Bring the old rules back after TIME (for example 60s, 5m), unless krsi confirm is run
    ///
    /// The kernel does so itself, without a process that the new rules could hinder.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub confirm: Option<Duration>,
    /// Files with rules, directories with files that end in .rules; - is the standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Confirm {
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Unload {
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Diff {
    /// Files with rules, directories with files that end in .rules; - is the standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    pub output: Output,
}

impl Cli {
    /// What the user has typed. If that is wrong this does not return.
    pub fn of_arguments() -> Self {
        match Self::try_parse() {
            Ok(mut cli) => {
                cli.command.settle();
                cli
            }
            Err(error) => {
                if error.use_stderr() && std::env::args_os().any(|word| word == "--json") {
                    // Clap tells people, and ends with status 2.
                    let text = error.to_string();
                    let message = text.lines().next().unwrap_or_default();
                    let message = message.strip_prefix("error: ").unwrap_or(message);
                    Error::new(message).print_json();
                }
                error.exit()
            }
        }
    }
}

impl Command {
    /// Takes what clap leaves: whatever follows the first word of a rule is part of it, and the
    /// option is not.
    fn settle(&mut self) {
        if let Self::Rule(args) = self {
            let words = args.words.len();
            args.words.retain(|word| word != "--json");
            args.output.json |= args.words.len() != words;
        }
    }

    /// Whether the user wants JSON, of errors too.
    pub fn json(&self) -> bool {
        match self {
            Self::Status(args) => args.output.json,
            Self::Hooks(args) => args.output.json,
            Self::Programs(args) => args.output.json,
            Self::Top(args) => args.output.json,
            Self::Exec(args) => args.output.json,
            Self::Blobs(args) => match &args.change {
                None => args.output.json,
                Some(BlobChange::Claim(args)) => args.output.json,
                Some(BlobChange::Release(args)) => args.output.json,
            },
            Self::Check(args) => args.output.json,
            Self::Rule(args) => args.output.json,
            Self::Load(args) => args.output.json,
            Self::Confirm(args) => args.output.json,
            Self::Unload(args) => args.output.json,
            Self::List(args) => args.output.json,
            Self::Diff(args) => args.output.json,
            Self::Completions { .. } | Self::Man { .. } => false,
        }
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a number of seconds from 0.1 to 3600 is expected".into()),
    }
}

/// A number with s, m or h; without, seconds.
fn time(text: &str) -> Result<Duration, String> {
    let units = [('s', 1), ('m', 60), ('h', 3600)];
    let (number, unit) = units
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .unwrap_or((text, 1));
    match number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)) {
        Some(seconds) if (1..=86_400).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err("a time from 1s to 24h is expected, as 60s or 5m".into()),
    }
}

/// Size of a buffer, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer(pub u32);

/// MiB, or KiB with a `k`: the kernel wants a power of two.
fn buffer(text: &str) -> Result<Buffer, String> {
    let (number, unit) = match text.strip_suffix('k') {
        Some(number) => (number, 1 << 10),
        None => (text, 1 << 20),
    };
    match number.parse::<u32>().ok().and_then(|n| n.checked_mul(unit)) {
        Some(bytes) if bytes.is_power_of_two() && (4096..=1 << 30).contains(&bytes) => {
            Ok(Buffer(bytes))
        }
        _ => Err("a power of two from 1 to 1024 is expected, or from 4k to 512k".into()),
    }
}

fn variable(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains('=') {
        return Err("the name of a variable is expected, without a value".into());
    }
    Ok(text.into())
}

fn comm(text: &str) -> Result<String, String> {
    match text.len() {
        1..=15 => Ok(text.into()),
        _ => Err("1 to 15 bytes are expected: the kernel keeps no more of a name".into()),
    }
}

/// A number, or a name of /etc/passwd.
fn user(text: &str) -> Result<u32, String> {
    if let Ok(uid) = text.parse() {
        return Ok(uid);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    passwd
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            (fields.next()? == text).then(|| fields.nth(1)?.parse().ok())?
        })
        .ok_or_else(|| "/etc/passwd has no such user; a number is taken, too".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn buffers() {
        assert_eq!(buffer("16"), Ok(Buffer(16 << 20)));
        assert_eq!(buffer("1024"), Ok(Buffer(1 << 30)));
        assert_eq!(buffer("4k"), Ok(Buffer(4096)));
        for wrong in ["0", "3", "2048", "4096", "2k", "-1", "4K", "", "k"] {
            assert!(buffer(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn users() {
        assert_eq!(user("0"), Ok(0));
        assert_eq!(user("root"), Ok(0));
        assert!(user("no such user").is_err());
    }

    #[test]
    fn times() {
        for (text, seconds) in [("1", 1), ("60s", 60), ("5m", 300), ("24h", 86_400)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in [
            "",
            "s",
            "0",
            "0s",
            "-1s",
            "1.5s",
            "25h",
            "1d",
            "1 s",
            "18446744073709551615h",
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn intervals() {
        assert_eq!(interval("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(interval("3600"), Ok(Duration::from_secs(3600)));
        for wrong in ["0", "0.05", "-1", "NaN", "inf", "3601", "1s", ""] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
