// SPDX-License-Identifier: GPL-2.0

//! The file `boot` in securityfs.

use super::{param, verify::Loaded};
use kernel::{
    prelude::*,
    seq_file::{seq_print, SeqFile},
};

/// The result of loading the boot programs.
pub(super) struct Report {
    pub(super) programs: KVec<Loaded>,
    /// Number of objects that were rejected.
    pub(super) refused: usize,
    /// Duration of loading, and the part of it on the CPU.
    pub(super) micros: i64,
    pub(super) cpu_micros: u64,
}

kernel::sync::global_lock! {
    /// Written once, when the programs are loaded.
    // SAFETY: Initialised by `init` before first use.
    unsafe(uninit) static REPORT: Mutex<Report> = Report {
        programs: KVec::new(),
        refused: 0,
        micros: 0,
        cpu_micros: 0,
    };
}

/// Called once, by KRSI's initialiser.
pub(crate) fn init() {
    // SAFETY: Called once.
    unsafe { REPORT.init() };
}

/// Records the result. May sleep.
pub(super) fn record(report: Report) {
    *REPORT.lock() = report;
}

/// Writes the file `boot`. May sleep.
pub(crate) fn show(m: &SeqFile) {
    let report = REPORT.lock();

    seq_print!(
        m,
        "mode={} programs={} refused={} micros={} cpu_micros={}\n",
        param::mode().name(),
        report.programs.len(),
        report.refused,
        report.micros,
        report.cpu_micros
    );
    for loaded in report.programs.iter() {
        seq_print!(
            m,
            "point={} program={} id={} verified={} object={}\n",
            loaded.point.name(),
            loaded.prog.name(),
            loaded.prog.id(),
            loaded.verified,
            loaded.object
        );
    }
}
