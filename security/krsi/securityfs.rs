// SPDX-License-Identifier: GPL-2.0

//! Files in `/sys/kernel/security/krsi/`.
//!
//! The formats are ABI: see `Documentation/admin-guide/LSM/krsi.rst`. New lines and fields are
//! added at the end. Incompatible changes increase the version.

use crate::{attach, blob, boot, exec, hook, hook_table, lock::lock};
use kernel::{
    bindings,
    ffi::c_uint,
    prelude::*,
    securityfs::{Command, Dir, Show},
    seq_file::{seq_print, SeqFile},
};

/// Version of the file formats and of the interface for programs.
const ABI_VERSION: u32 = 1;

/// Features of this build, for tools.
const FEATURES: &str = "bpf_lsm cgroup sleepable tracing counters exec_args blobs boot";

/// Creates the files. Called once, at boot.
pub(crate) fn init() -> Result {
    let dir = Dir::new(c"krsi")?;

    dir.file::<Version>(c"version", 0o444)?;
    // Unprivileged users must not learn which programs are attached.
    dir.file::<Status>(c"status", 0o400)?;
    dir.file::<Hooks>(c"hooks", 0o400)?;
    dir.file::<Boot>(c"boot", 0o400)?;
    #[cfg(CONFIG_AUDIT)]
    dir.file::<Audit>(c"audit", 0o400)?;
    dir.command_file::<Blobs>(c"blobs", 0o600)?;
    dir.command_file::<XattrTrust>(c"xattr_trust", 0o600)
}

struct Version;

impl Show for Version {
    fn show(m: &SeqFile) -> Result {
        seq_print!(m, "abi {ABI_VERSION}\nfeatures {FEATURES}");
        if cfg!(CONFIG_AUDIT) {
            seq_print!(m, " audit");
        }
        seq_print!(m, "\n");
        Ok(())
    }
}

struct Status;

impl Show for Status {
    fn show(m: &SeqFile) -> Result {
        let guard = lock();
        let (programs, hooked) = attach::totals(&guard.lists);

        // The directory exists only if KRSI is active.
        seq_print!(m, "lsm krsi\nactive 1\n");
        seq_print!(m, "hooks {}\n", hook::COUNT);
        seq_print!(m, "hooks_attached {hooked}\nprograms {programs}\n");
        seq_print!(m, "exec_dump_lost {}\n", exec::dumps_lost());
        Ok(())
    }
}

struct Hooks;

impl Show for Hooks {
    fn show(m: &SeqFile) -> Result {
        let guard = lock();

        for (hook, facts) in hook_table::FACTS.iter().enumerate() {
            let number = hook as c_uint;
            // SAFETY: FFI calls; `number` is a hook's number.
            let (sleepable, calls, denials) = unsafe {
                (
                    bindings::krsi_hook_sleepable(number),
                    bindings::krsi_calls(number),
                    bindings::krsi_denials(number),
                )
            };

            seq_print!(m, "{} sleepable={}", facts.name, u8::from(sleepable));
            if facts.void {
                seq_print!(m, " default=void");
            } else {
                seq_print!(m, " default={}", facts.default);
            }
            seq_print!(m, " calls={calls} denials={denials} programs=");

            let mut separator = "";
            let list = hook::STATE[hook].programs(&guard.lists);
            for attachment in list.iter().flat_map(|list| list.iter()) {
                let prog = attachment.prog();
                // Only the shims of programs that are attached to cgroups have no id.
                if prog.id() == 0 {
                    seq_print!(m, "{separator}0:cgroup");
                } else {
                    seq_print!(m, "{separator}{}:{}", prog.id(), prog.name());
                }
                separator = ",";
            }
            seq_print!(m, "{}\n", if separator.is_empty() { "-" } else { "" });
        }
        Ok(())
    }
}

struct Boot;

impl Show for Boot {
    fn show(m: &SeqFile) -> Result {
        boot::show(m);
        Ok(())
    }
}

#[cfg(CONFIG_AUDIT)]
struct Audit;

#[cfg(CONFIG_AUDIT)]
impl Show for Audit {
    fn show(m: &SeqFile) -> Result {
        crate::audit::show(m);
        Ok(())
    }
}

struct Blobs;

impl Show for Blobs {
    fn show(m: &SeqFile) -> Result {
        blob::show(m);
        Ok(())
    }
}

impl Command for Blobs {
    // Slots contain the labels of policies.
    const CAPABILITY: u32 = bindings::CAP_MAC_ADMIN;

    fn command(line: &[u8]) -> Result {
        blob::command(line)
    }
}

struct XattrTrust;

impl Show for XattrTrust {
    fn show(m: &SeqFile) -> Result {
        blob::show_trust(m);
        Ok(())
    }
}

impl Command for XattrTrust {
    // Writing the attributes requires the same capability.
    const CAPABILITY: u32 = bindings::CAP_MAC_ADMIN;

    fn command(line: &[u8]) -> Result {
        blob::trust_command(line)
    }
}
