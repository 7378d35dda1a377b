// SPDX-License-Identifier: GPL-2.0

//! `krsi status`: whether KRSI is active and enforces. Every way to fail is part of the answer.

use super::{diff, policy};
use crate::{
    cli,
    error::{Error, Exit, Result},
    kernel::{
        securityfs::{Audit, Lsms, Securityfs},
        selftest::{self, Answers, Failure},
    },
    rule::load::{InForce, Provisional},
    ui,
};
use rustix::{io::Errno, system};
use serde::Serialize;
use std::fmt::Write as _;

/// What the kernel would call it. No KRSI so far can be sealed.
const SEALED: &str = "sealed";

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// Active, and the self-test passed or was not wanted.
    Active,
    Inactive,
    NotEnforcing,
    /// It could not be found out.
    Unknown,
}

#[derive(Debug, Serialize)]
struct Report {
    state: State,
    /// Why it is not active, and what to do about it.
    reason: Option<String>,
    hint: Option<String>,
    /// The release of the running kernel.
    kernel: String,
    /// Null as far as it could not be read, here and below.
    lsms: Option<Lsms>,
    /// The LSM that runs BPF programs; null too if none does.
    enforced_by: Option<String>,
    abi: Option<u32>,
    features: Option<Vec<String>>,
    hooks: Option<u32>,
    hooks_attached: Option<u32>,
    programs: Option<u32>,
    /// Null too if the kernel has no audit.
    audit: Option<Audit>,
    /// Whether nobody can change it until the next boot, as the kernel says.
    sealed: Option<bool>,
    policy: Option<Policy>,
    self_test: SelfTest,
}

/// The rules in force.
#[derive(Debug, Serialize)]
struct Policy {
    /// Null if there are none.
    generation: Option<u32>,
    rules: usize,
    /// Hooks that ask it, and that do not ask it any more.
    hooks: usize,
    damaged: Vec<String>,
    /// Numbers of rules about a cgroup that has ended.
    ended: Vec<usize>,
    /// Null, or when the policy ends by itself.
    provisional: Option<Provisional>,
}

#[derive(Debug, Serialize)]
struct SelfTest {
    result: Outcome,
    hook: &'static str,
    /// What the call returned before, while and after the program was attached: 0 or an errno.
    before: Option<i32>,
    attached: Option<i32>,
    after: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    Passed,
    Failed,
    /// It did not come as far as asking for a verdict.
    NotRun,
}

pub fn run(args: &cli::Status) -> Result<Exit> {
    let mut report = Report {
        state: State::Active,
        reason: None,
        hint: None,
        kernel: system::uname().release().to_string_lossy().into(),
        lsms: None,
        enforced_by: None,
        abi: None,
        features: None,
        hooks: None,
        hooks_attached: None,
        programs: None,
        audit: None,
        sealed: None,
        policy: None,
        self_test: SelfTest {
            result: Outcome::NotRun,
            hook: selftest::HOOK,
            before: None,
            attached: None,
            after: None,
        },
    };
    let exit = match report.collect(args) {
        Ok(()) => Exit::Success,
        Err(error) => {
            report.state = match error.exit_status() {
                Exit::Inactive => State::Inactive,
                Exit::NotEnforcing => State::NotEnforcing,
                Exit::Success | Exit::Error | Exit::Bug | Exit::Lost => State::Unknown,
            };
            report.reason = Some(error.message().into());
            report.hint = error.hint_text().map(String::from);
            error.exit_status()
        }
    };
    if args.output.json {
        ui::json::print(&report)?;
    } else {
        ui::print(&report.text())?;
    }
    Ok(exit)
}

impl Report {
    /// Fills in as much as can be read.
    fn collect(&mut self, args: &cli::Status) -> Result {
        let files = Securityfs::new(&args.source.securityfs);
        let lsms = files.lsms()?;
        self.enforced_by = lsms.runs_programs().map(String::from);
        self.lsms = Some(lsms);
        files.require_krsi()?;

        let version = files.version()?;
        self.abi = Some(version.abi);
        self.sealed = Some(version.features.iter().any(|feature| feature == SEALED));
        self.features = Some(version.features);

        let status = files.status()?;
        self.hooks = Some(status.hooks);
        self.hooks_attached = Some(status.hooks_attached);
        self.programs = Some(status.programs);
        self.audit = files.audit()?;
        if !status.active {
            return Err(Error::new("KRSI says that it is not active").exit(Exit::Inactive));
        }
        // Only root can read it.
        let policy = policy::in_force();
        self.policy = policy
            .as_ref()
            .ok()
            .map(|policy| Policy::new(policy.as_ref()));
        if !args.no_self_test {
            self.self_test.fill(selftest::run())?;
        }
        let policy = match policy {
            Err(error) if error.exit_status() == Exit::NotEnforcing => return Err(error),
            // Without the right to read the policy, it cannot be compared.
            Err(error) if !args.expect.is_empty() => return Err(error),
            policy => policy.ok().flatten(),
        };
        if !args.expect.is_empty() {
            let difference = diff::of(&args.expect, policy.as_ref())?;
            if !difference.is_empty() {
                let summary = difference.summary();
                return Err(Error::new(format!("the loaded rules differ: {summary}"))
                    .hint("krsi diff shows them")
                    .exit(Exit::NotEnforcing));
            }
        }
        match policy.and_then(|policy| policy.damage()) {
            Some(damage) => Err(Error::new(damage)
                .hint("krsi list shows its rules")
                .exit(Exit::NotEnforcing)),
            None => Ok(()),
        }
    }

    fn text(&self) -> String {
        let tested = self.self_test.result == Outcome::Passed;
        let mut text = match self.state {
            State::Active if tested => "KRSI is active and enforces.\n".into(),
            State::Active => "KRSI is active; whether it enforces was not tried.\n".into(),
            State::Inactive | State::NotEnforcing | State::Unknown => {
                format!("{}.\n", ui::clean(self.reason.as_deref().unwrap_or("?")))
            }
        };
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "  {}", ui::clean(hint));
        }
        text.push('\n');
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<10} {}", ui::clean(value));
        };
        line("kernel", &self.kernel);
        if let Some(lsms) = &self.lsms {
            line("LSMs", &lsms.names().join(","));
            line(
                "run by",
                match lsms.runs_programs() {
                    Some("krsi") => "krsi, which replaces bpf",
                    Some(lsm) => lsm,
                    None => "no LSM",
                },
            );
        }
        if let (Some(abi), Some(features)) = (self.abi, &self.features) {
            line("KRSI", &format!("abi {abi}; {}", features.join(" ")));
        }
        if let (Some(hooks), Some(attached)) = (self.hooks, self.hooks_attached) {
            line("hooks", &format!("{hooks}, {attached} with programs"));
        }
        if let Some(programs) = self.programs {
            line("programs", &programs.to_string());
        }
        if let Some(audit) = &self.audit {
            let mut value = format!("{} records written, {} lost", audit.written(), audit.lost());
            if audit.disabled() > 0 {
                let _ = write!(value, ", {} not written: audit was off", audit.disabled());
            }
            line("audit", &value);
        }
        match self.sealed {
            Some(true) => line("sealed", "yes"),
            Some(false) => line("sealed", "no: who may use bpf(2) can remove programs"),
            None => {}
        }
        match &self.policy {
            Some(policy) => line("policy", &policy.text()),
            None if self.sealed.is_some() => line("policy", "unknown: root can tell"),
            None => {}
        }
        if let (Some(before), Some(attached), Some(after)) = (
            self.self_test.before,
            self.self_test.attached,
            self.self_test.after,
        ) {
            let value = format!(
                "{}: {} was {} before, {} by a program, {} after",
                if tested { "passed" } else { "failed" },
                self.self_test.hook,
                answer(before),
                answer(attached),
                answer(after)
            );
            line("self-test", &value);
        }
        text
    }
}

impl Policy {
    fn new(policy: Option<&InForce>) -> Self {
        let damaged = policy.map_or(Vec::new(), |policy| policy.damaged.clone());
        Self {
            generation: policy.map(|policy| policy.generation),
            rules: policy.map_or(0, |policy| policy.description.rules.len()),
            hooks: policy.map_or(0, |policy| policy.hooks().len()) - damaged.len(),
            damaged,
            ended: policy.map_or(Vec::new(), |policy| policy.ended.clone()),
            provisional: policy.and_then(|policy| policy.provisional),
        }
    }

    fn text(&self) -> String {
        if self.generation.is_none() {
            return "none".into();
        }
        let Self { rules, hooks, .. } = self;
        let mut text = format!("{rules} rules on {hooks} hooks");
        if !self.damaged.is_empty() {
            let _ = write!(text, ", removed from {}", self.damaged.join(", "));
        }
        if !self.ended.is_empty() {
            let _ = write!(text, ", {} about a cgroup that has ended", self.ended.len());
        }
        if let Some(provisional) = &self.provisional {
            let _ = write!(text, ", not confirmed: {}", provisional.text());
        }
        text
    }
}

impl SelfTest {
    /// Takes over what came of it.
    fn fill(&mut self, result: std::result::Result<Answers, Failure>) -> Result {
        let (outcome, answers) = match &result {
            Ok(answers) => (Outcome::Passed, Some(answers)),
            Err(Failure::Verdict(answers)) => (Outcome::Failed, Some(answers)),
            Err(Failure::Elsewhere(answers)) => (Outcome::NotRun, Some(answers)),
            Err(Failure::Attach(_) | Failure::Load(..)) => (Outcome::NotRun, None),
        };
        self.result = outcome;
        self.before = answers.map(|answers| answers.before);
        self.attached = answers.map(|answers| answers.attached);
        self.after = answers.map(|answers| answers.after);
        match result {
            Ok(_) => Ok(()),
            Err(failure) => Err(explain(&failure)),
        }
    }
}

/// What a failure means for who asked.
fn explain(failure: &Failure) -> Error {
    const SKIP: &str = "--no-self-test leaves the test out";
    match failure {
        Failure::Load(action, error) => {
            let error = Error::os(&format!("run the self-test: {action}"), error);
            match error.hint_text() {
                Some(hint) => {
                    let hint = format!("{hint}; {SKIP}");
                    error.hint(hint)
                }
                None => error.hint(SKIP),
            }
        }
        Failure::Attach(error) if errno(error) == Some(Errno::OPNOTSUPP) => {
            Error::new("the kernel refused to attach a program: no LSM would run it")
                .hint("the kernel's log says more (dmesg)")
                .exit(Exit::NotEnforcing)
        }
        Failure::Attach(error) => Error::os("run the self-test: attach a program", error),
        Failure::Verdict(_) => {
            Error::new("KRSI is active, but did not enforce the verdict of a program")
                .hint("do not rely on it, and report this with the kernel's log (dmesg)")
                .exit(Exit::NotEnforcing)
        }
        Failure::Elsewhere(_) => Error::new(format!(
            "the self-test proves nothing: {} is denied before a program of KRSI is asked",
            selftest::HOOK
        ))
        .hint(SKIP),
    }
}

fn errno(error: &std::io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}

/// What a call returned, in words.
fn answer(errno: i32) -> String {
    match errno {
        0 => "allowed".into(),
        errno if errno == selftest::VERDICT.raw_os_error() => "denied".into(),
        errno => format!("denied with errno {errno}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn answers() -> Answers {
        Answers {
            before: 0,
            attached: 0,
            after: 0,
        }
    }

    #[test]
    fn exit_tells_the_failures_apart() {
        let load = |errno| Failure::Load("load", io::Error::from_raw_os_error(errno));
        let attach = |errno: Errno| Failure::Attach(errno.into());
        assert_eq!(explain(&load(1)).exit_status(), Exit::Error);
        assert_eq!(explain(&attach(Errno::PERM)).exit_status(), Exit::Error);
        assert_eq!(
            explain(&attach(Errno::OPNOTSUPP)).exit_status(),
            Exit::NotEnforcing
        );
        assert_eq!(
            explain(&Failure::Verdict(answers())).exit_status(),
            Exit::NotEnforcing
        );
        assert_eq!(
            explain(&Failure::Elsewhere(answers())).exit_status(),
            Exit::Error
        );
    }

    #[test]
    fn unprivileged_users_are_told() {
        let error = explain(&Failure::Load("load", io::Error::from_raw_os_error(1)));
        assert!(error.hint_text().unwrap().starts_with("run it as root; "));
    }
}
