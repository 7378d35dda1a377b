// SPDX-License-Identifier: GPL-2.0

//! The proof that verdicts are enforced: a program denies one call of this thread and no other.

use super::{
    bpf,
    btf::Kernel,
    insn::{Insn, Program, Reg, Size},
};
use libbpf_rs::libbpf_sys::{BPF_FUNC_get_ns_current_pid_tgid, BPF_LSM_MAC, BPF_PROG_TYPE_LSM};
use rustix::{fs::minor, io::Errno, process, thread};
use std::{fs, io, os::unix::fs::MetadataExt};

/// getpgid(2) calls it, whatever the process asked about, and always succeeds otherwise.
pub const HOOK: &str = "task_getpgid";

/// The verdict. getpgid(2) never fails with it by itself.
pub const VERDICT: Errno = Errno::UCLEAN;

/// What the call returned: 0, or an errno.
type Answer = i32;

/// What the call returned at each point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    pub before: Answer,
    pub attached: Answer,
    pub after: Answer,
}

/// Why a verdict was not asked for, or not given.
#[derive(Debug)]
pub enum Failure {
    /// The program could not be loaded: `what` was being done.
    Load(&'static str, io::Error),
    /// The kernel refused to attach it.
    Attach(io::Error),
    /// It was attached, and the call went on as if it was not, or after it was gone.
    Verdict(Answers),
    /// Another LSM denied the call before the program was asked.
    Elsewhere(Answers),
}

/// Attaches the program, asks, and detaches it, which the end of the process would do too.
pub fn run() -> Result<Answers, Failure> {
    let insns = program().map_err(|error| Failure::Load("read /proc/self/ns/pid", error))?;
    let kernel = Kernel::load().map_err(|error| Failure::Load("read the kernel's BTF", error))?;
    let function = kernel.hook_function(HOOK).ok_or_else(|| {
        Failure::Load(
            "find the hook in the kernel's BTF",
            io::ErrorKind::NotFound.into(),
        )
    })?;
    let program = bpf::load(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, function, &insns)
        .map_err(|error| Failure::Load("load a program", error))?;

    let before = ask();
    let link = bpf::attach(&program, BPF_LSM_MAC).map_err(Failure::Attach)?;
    let attached = ask();
    drop(link);
    judge(Answers {
        before,
        attached,
        after: ask(),
    })
}

fn judge(answers: Answers) -> Result<Answers, Failure> {
    let verdict = VERDICT.raw_os_error();
    let Answers {
        before,
        attached,
        after,
    } = answers;
    if attached == verdict && before != verdict && after != verdict {
        Ok(answers)
    } else if before != 0 && attached == before {
        Err(Failure::Elsewhere(answers))
    } else {
        Err(Failure::Verdict(answers))
    }
}

/// The call. The hook is not asked about process 0, "myself", so it is named.
fn ask() -> Answer {
    match process::getpgid(Some(process::getpid())) {
        Ok(_) => 0,
        Err(errno) => errno.raw_os_error(),
    }
}

/// Returns the verdict to this thread, and 0 to all others. Thread ids are those of this
/// process's namespace, which the program therefore compares as well.
fn program() -> io::Result<Vec<Insn>> {
    let namespace = fs::metadata("/proc/self/ns/pid")?;
    // nsfs has no major number; the kernel wants its own form of the rest.
    let device = u64::from(minor(namespace.dev()));
    let thread = thread::gettid().as_raw_nonzero().get();

    // The last 8 bytes of the stack are a struct bpf_pidns_info: thread, process.
    let program = Program::default()
        .set64(Reg::R1, device)
        .set64(Reg::R2, namespace.ino())
        .copy(Reg::R3, Reg::R10)
        .add(Reg::R3, -8)
        .set(Reg::R4, 8)
        .call(BPF_FUNC_get_ns_current_pid_tgid)
        .jump_unless(Reg::R0, 0)
        .load(Size::Word, Reg::R1, Reg::R10, -8)
        .jump_unless(Reg::R1, thread)
        .set(Reg::R0, -VERDICT.raw_os_error())
        .exit()
        .label()
        .set(Reg::R0, 0)
        .exit();
    Ok(program.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(before: i32, attached: i32, after: i32) -> Result<Answers, Failure> {
        judge(Answers {
            before,
            attached,
            after,
        })
    }

    #[test]
    fn verdicts() {
        let denied = VERDICT.raw_os_error();
        assert!(judged(0, denied, 0).is_ok());
        // An older program denies this call too; ours is asked first.
        assert!(judged(1, denied, 1).is_ok());

        assert!(matches!(judged(0, 0, 0), Err(Failure::Verdict(_))));
        assert!(matches!(
            judged(0, denied, denied),
            Err(Failure::Verdict(_))
        ));
        assert!(matches!(
            judged(denied, denied, 0),
            Err(Failure::Elsewhere(_))
        ));
        assert!(matches!(judged(0, 1, 0), Err(Failure::Verdict(_))));
        assert!(matches!(judged(13, 13, 13), Err(Failure::Elsewhere(_))));
    }

    #[test]
    fn program_is_made_here() {
        assert_eq!(program().unwrap().len(), 15);
    }
}
