// SPDX-License-Identifier: GPL-2.0

//! The command line. `--help`, the man pages and the completions are made from this.

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::{path::PathBuf, time::Duration};

const EXIT: &str = "\
Exit status:
  0  it was done; of status: KRSI is active and enforces
  1  it could not be done, or not be found out
  2  the command line is wrong
  3  KRSI is not active on this machine
  4  KRSI is active, but did not enforce the verdict of a program
  5  the kernel refused a program that krsi made: a bug of krsi";

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
    /// Check audit rules, and what they decide about events, without a kernel
    ///
    /// Rules are auditctl's, as in /etc/audit/rules.d, with the actions deny, deny=ERRNO and kill,
    /// and fields of KRSI's own: argv[N], argv, env[NAME], comm, cgroup, pexe, raddr, rport. Each
    /// mistake is shown with its line, its column and what was expected. An event is a JSON object
    /// with `hook` or `syscall`, and fields called as in rules: path, perm, exe, uid and so on.
    Check(Check),
    /// Change the rules that are in force, with auditctl's options
    ///
    /// -w and -a append a rule, -A prepends one, -d and -W delete one, -D deletes all or those of a
    /// key, -l lists them with their counters, and -R loads a file instead of what is in force.
    /// Rules are auditctl's, see `krsi check`. Each change replaces the whole policy at once.
    Rule(Rule),
    /// Put rules into force, in the place of those that are
    ///
    /// They are compiled to one BPF program for each LSM hook, and stay in force when this command
    /// has ended, until they are replaced or unloaded. There is no instant without a policy, and
    /// none with a part of it; if anything fails, the old rules stay in force.
    Load(Load),
    /// Remove the rules that are in force
    Unload(Unload),
    /// List the rules that are in force: how often each decided, denied, and could not tell
    List(List),
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
    #[arg(long, value_name = "DIR", default_value = "/sys/kernel/security")]
    pub securityfs: PathBuf,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Only read what the kernel says, without trying it
    #[arg(long)]
    pub no_self_test: bool,
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
pub struct Check {
    /// Only check the syntax
    #[arg(long, conflicts_with_all = ["event", "events"])]
    pub parse_only: bool,
    /// Tell which rule decides this event, and why
    #[arg(long, value_name = "JSON")]
    pub event: Vec<String>,
    /// The same for a file of events, one a line
    #[arg(long, value_name = "FILE")]
    pub events: Vec<PathBuf>,
    /// Files with rules, directories with files that end in .rules; - is the standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
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
    /// Files with rules, directories with files that end in .rules; - is the standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Unload {
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    pub output: Output,
}

impl Command {
    /// Whether the user wants JSON, of errors too.
    pub fn json(&self) -> bool {
        match self {
            Self::Status(args) => args.output.json,
            Self::Hooks(args) => args.output.json,
            Self::Programs(args) => args.output.json,
            Self::Top(args) => args.output.json,
            Self::Check(args) => args.output.json,
            Self::Rule(args) => args.output.json,
            Self::Load(args) => args.output.json,
            Self::Unload(args) => args.output.json,
            Self::List(args) => args.output.json,
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn is_consistent() {
        Cli::command().debug_assert();
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
