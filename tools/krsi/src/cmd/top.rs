// SPDX-License-Identifier: GPL-2.0

//! `krsi top`: the hooks and programs that are busy, again and again.

use crate::{
    cli,
    error::{Error, Result},
    kernel::{
        bpf::{self, ProgramInfo},
        btf::Kernel,
        programs,
        securityfs::{Hook, Securityfs},
    },
    ui::{
        self,
        screen::Screen,
        table::{Align, Table},
    },
};
use serde::Serialize;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};
use std::{
    collections::HashMap,
    io::{self, IsTerminal},
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    thread,
    time::{Duration, Instant},
};

pub fn run(args: &cli::Top) -> Result {
    let files = Securityfs::new(&args.source.securityfs);
    files.require_krsi()?;
    files.version()?;
    let kernel = Kernel::load().map_err(|error| Error::os("read the kernel's BTF", &error))?;
    // Its end switches them off again, however this process ends.
    let _statistics =
        bpf::enable_stats().map_err(|error| Error::os("turn on BPF statistics", &error))?;
    let end = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&end))
            .map_err(|error| Error::os("handle signals", &error))?;
    }

    let terminal = !args.output.json && io::stdin().is_terminal() && io::stdout().is_terminal();
    let mut view = View {
        screen: None,
        json: args.output.json,
        end,
    };
    let mut last = Sample::take(&files, &kernel)?;
    if terminal {
        view.screen = Some(Screen::new()?);
        view.show(&Rates::between(&last, &last))?;
    }
    let mut looks = 0;
    while args.count != Some(looks) && !view.wait(args.interval)? {
        let next = Sample::take(&files, &kernel)?;
        view.show(&Rates::between(&last, &next))?;
        last = next;
        looks += 1;
    }
    Ok(())
}

/// Where the rates go.
struct View {
    /// None if it is not a terminal.
    screen: Option<Screen>,
    json: bool,
    /// Set by signals.
    end: Arc<AtomicBool>,
}

impl View {
    fn show(&mut self, rates: &Rates) -> Result {
        match &mut self.screen {
            Some(screen) => screen.show(&rates.text(ui::colours()))?,
            None if self.json => ui::json::print_line(rates)?,
            None => ui::print(&(rates.text(ui::colours()) + "\n"))?,
        }
        Ok(())
    }

    /// Waits; true if it is time to end.
    fn wait(&mut self, interval: Duration) -> Result<bool> {
        // How long a signal may have to wait.
        const PART: Duration = Duration::from_millis(100);
        let until = Instant::now() + interval;
        loop {
            if self.end.load(Ordering::Relaxed) {
                return Ok(true);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            if let Some(screen) = &mut self.screen {
                if screen.wait(left.min(PART))? {
                    return Ok(true);
                }
            } else {
                thread::sleep(left.min(PART));
            }
        }
    }
}

/// The counters at one time.
struct Sample {
    at: Instant,
    hooks: Vec<Hook>,
    programs: Vec<Program>,
}

struct Program {
    id: u32,
    name: String,
    hook: String,
    runs: u64,
    run_time_ns: u64,
}

impl Sample {
    fn take(files: &Securityfs, kernel: &Kernel) -> Result<Self> {
        let failed = |error| Error::os("read the programs' statistics", &error);
        let at = Instant::now();
        let hooks = files.hooks()?;
        let infos = programs::of_hooks(kernel).map_err(failed)?;
        let program = |info: &ProgramInfo| Program {
            id: info.id,
            name: bpf::name(&info.name),
            hook: kernel.hook(info.attach_btf_id).unwrap_or("?").into(),
            runs: info.run_cnt,
            run_time_ns: info.run_time_ns,
        };
        Ok(Self {
            at,
            hooks,
            programs: infos.values().map(program).collect(),
        })
    }
}

/// What happened between two samples.
#[derive(Debug, PartialEq, Serialize)]
struct Rates {
    /// The time between them.
    seconds: f64,
    /// The busiest first; those with programs, and those that still counted.
    hooks: Vec<HookRate>,
    programs: Vec<ProgramRate>,
}

#[derive(Debug, PartialEq, Serialize)]
struct HookRate {
    name: String,
    calls_per_second: f64,
    denials_per_second: f64,
    /// Since boot.
    calls: u64,
    denials: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct ProgramRate {
    id: u32,
    name: String,
    hook: String,
    runs_per_second: f64,
    /// Of one run; null if there was none.
    ns_per_run: Option<f64>,
    /// The part of one CPU that it took.
    cpu_percent: f64,
}

impl Rates {
    fn between(last: &Sample, next: &Sample) -> Self {
        let seconds = next.at.duration_since(last.at).as_secs_f64();
        // Two counters that were read at once tell no rate.
        let per_second = |count: u64| {
            if seconds > 0.0 {
                count as f64 / seconds
            } else {
                0.0
            }
        };

        let before: HashMap<_, _> = last.hooks.iter().map(|hook| (&hook.name, hook)).collect();
        let mut hooks = Vec::new();
        for hook in &next.hooks {
            let (calls, denials) = match before.get(&hook.name) {
                Some(before) => (before.calls, before.denials),
                None => (0, 0),
            };
            // Counters of several CPUs are no snapshot: they may seem to go back.
            let calls = hook.calls.saturating_sub(calls);
            let denials = hook.denials.saturating_sub(denials);
            if calls > 0 || denials > 0 || !hook.programs.is_empty() {
                hooks.push(HookRate {
                    name: hook.name.clone(),
                    calls_per_second: per_second(calls),
                    denials_per_second: per_second(denials),
                    calls: hook.calls,
                    denials: hook.denials,
                });
            }
        }
        // Stable: those that are as busy stay in the kernel's order.
        hooks.sort_by(|a, b| b.calls_per_second.total_cmp(&a.calls_per_second));

        let before: HashMap<_, _> = last.programs.iter().map(|prog| (prog.id, prog)).collect();
        let mut programs = Vec::new();
        for program in &next.programs {
            // A new one starts from 0.
            let (runs, time) = match before.get(&program.id) {
                Some(before) => (before.runs, before.run_time_ns),
                None => (0, 0),
            };
            let runs = program.runs.saturating_sub(runs);
            let time = program.run_time_ns.saturating_sub(time);
            programs.push(ProgramRate {
                id: program.id,
                name: program.name.clone(),
                hook: program.hook.clone(),
                runs_per_second: per_second(runs),
                ns_per_run: (runs > 0).then(|| time as f64 / runs as f64),
                cpu_percent: per_second(time) / 1e9 * 100.0,
            });
        }
        programs.sort_by(|a, b| b.cpu_percent.total_cmp(&a.cpu_percent));
        Self {
            seconds,
            hooks,
            programs,
        }
    }

    fn text(&self, colours: bool) -> String {
        let columns = [
            ("HOOK", Align::Left),
            ("CALLS/S", Align::Right),
            ("DENIALS/S", Align::Right),
            ("CALLS", Align::Right),
            ("DENIALS", Align::Right),
        ];
        let mut hooks = Table::new(&columns, colours);
        for hook in &self.hooks {
            hooks.row(
                [
                    hook.name.clone(),
                    format!("{:.0}", hook.calls_per_second),
                    format!("{:.0}", hook.denials_per_second),
                    hook.calls.to_string(),
                    hook.denials.to_string(),
                ],
                hook.denials_per_second > 0.0,
            );
        }
        let columns = [
            ("ID", Align::Right),
            ("NAME", Align::Left),
            ("HOOK", Align::Left),
            ("RUNS/S", Align::Right),
            ("NS/RUN", Align::Right),
            ("CPU %", Align::Right),
        ];
        let mut programs = Table::new(&columns, colours);
        for program in &self.programs {
            programs.row(
                [
                    program.id.to_string(),
                    program.name.clone(),
                    program.hook.clone(),
                    format!("{:.0}", program.runs_per_second),
                    program
                        .ns_per_run
                        .map_or("-".into(), |ns| format!("{ns:.0}")),
                    format!("{:.2}", program.cpu_percent),
                ],
                false,
            );
        }
        format!("{}\n{}", hooks.render(), programs.render())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(name: &str, calls: u64, denials: u64) -> Hook {
        Hook {
            name: name.into(),
            sleepable: false,
            default: Some(0),
            calls,
            denials,
            programs: Vec::new(),
        }
    }

    fn program(id: u32, runs: u64, run_time_ns: u64) -> Program {
        Program {
            id,
            name: format!("p{id}"),
            hook: "file_open".into(),
            runs,
            run_time_ns,
        }
    }

    fn samples(
        last: (Vec<Hook>, Vec<Program>),
        next: (Vec<Hook>, Vec<Program>),
    ) -> (Sample, Sample) {
        let at = Instant::now();
        let sample = |at, (hooks, programs)| Sample {
            at,
            hooks,
            programs,
        };
        (sample(at, last), sample(at + Duration::from_secs(2), next))
    }

    #[test]
    fn rates() {
        let (last, next) = samples(
            (
                vec![hook("a", 10, 1), hook("b", 10, 0), hook("idle", 5, 5)],
                vec![program(1, 100, 1_000), program(2, 5, 50)],
            ),
            (
                vec![hook("a", 14, 3), hook("b", 1010, 0), hook("idle", 5, 5)],
                vec![program(1, 100, 1_000), program(3, 4, 20_000_000)],
            ),
        );
        let rates = Rates::between(&last, &next);
        assert_eq!(rates.seconds, 2.0);
        // The busiest first; without programs and calls, a hook is not there.
        let names: Vec<_> = rates.hooks.iter().map(|hook| hook.name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(rates.hooks[0].calls_per_second, 500.0);
        assert_eq!(rates.hooks[1].denials_per_second, 1.0);
        // Program 2 is gone, program 3 is new.
        let ids: Vec<_> = rates.programs.iter().map(|program| program.id).collect();
        assert_eq!(ids, [3, 1]);
        assert_eq!(rates.programs[0].ns_per_run, Some(5_000_000.0));
        assert_eq!(rates.programs[0].cpu_percent, 1.0);
        assert_eq!(rates.programs[1].ns_per_run, None);
    }

    #[test]
    fn counters_that_seem_to_go_back() {
        let (last, next) = samples(
            (vec![hook("a", 10, 10)], vec![program(1, 10, 10)]),
            (vec![hook("a", 9, 11)], vec![program(1, 9, 9)]),
        );
        let rates = Rates::between(&last, &next);
        assert_eq!(rates.hooks[0].calls_per_second, 0.0);
        assert_eq!(rates.programs[0].runs_per_second, 0.0);
    }

    #[test]
    fn the_same_sample_twice_tells_no_rate() {
        let (sample, _) = samples(
            (vec![hook("a", 10, 10)], vec![program(1, 10, 10)]),
            (Vec::new(), Vec::new()),
        );
        let rates = Rates::between(&sample, &sample);
        assert_eq!(rates.seconds, 0.0);
        assert_eq!(rates.programs[0].runs_per_second, 0.0);
    }
}
