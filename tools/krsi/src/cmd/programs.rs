// SPDX-License-Identifier: GPL-2.0

//! `krsi programs`: every program that is attached to a hook, by whom, and who holds it.

use super::{check_patterns, selected};
use crate::{
    cli,
    error::{Error, Result},
    kernel::{
        bpf::{self, LinkInfo, ProgramInfo},
        bpffs::Pins,
        btf::Kernel,
        cgroup::{self, Cgroup},
        holders::{Holders, Process},
        programs,
        securityfs::Securityfs,
        sleepable,
    },
    ui::{
        self,
        table::{Align, Table},
    },
};
use libbpf_rs::libbpf_sys::{
    BPF_LINK_TYPE_CGROUP, BPF_LINK_TYPE_TRACING, BPF_LSM_CGROUP, BPF_LSM_MAC, BPF_MODIFY_RETURN,
    BPF_TRACE_FENTRY, BPF_TRACE_FEXIT, BPF_TRACE_FSESSION,
};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
};

#[derive(Serialize)]
struct Report {
    /// The LSM that runs the programs; null: none does.
    enforced_by: Option<String>,
    programs: Vec<Program>,
}

/// A program at one of the places that it is attached to.
#[derive(Clone, Serialize)]
struct Program {
    id: u32,
    name: String,
    hook: Option<String>,
    /// The kernel's function that it is attached to.
    function: Option<String>,
    attached: Attached,
    /// None if it is attached without one, or not at all.
    link: Option<u32>,
    /// The cgroup that it is attached to; its path is null if it cannot be seen from here.
    cgroup: Option<CgroupName>,
    /// Null if the kernel did not tell.
    sleepable: Option<bool>,
    /// Who loaded it.
    uid: u32,
    /// Runs and nanoseconds, of the time that BPF statistics were on.
    runs: u64,
    run_time_ns: u64,
    /// Where its link is pinned, and where it is itself.
    link_pins: Vec<String>,
    pins: Vec<String>,
    /// The processes that have its link open, and those that have it open itself.
    link_holders: Vec<Process>,
    holders: Vec<Process>,
}

#[derive(Clone, Serialize)]
struct CgroupName {
    id: u64,
    path: Option<String>,
}

/// How it is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Attached {
    #[default]
    No,
    /// To the hook, for every task.
    Lsm,
    /// To a cgroup.
    LsmCgroup,
    /// To what calls the hook, where it decides before any LSM.
    FmodRet,
    /// To that or the hook's stub, where it only looks on.
    Fentry,
    Fexit,
    Fsession,
}

impl Attached {
    /// How a link of this type, to a hook's function, attaches its program.
    fn by(attach_type: u32) -> Option<Self> {
        Some(match attach_type {
            BPF_LSM_MAC => Self::Lsm,
            BPF_MODIFY_RETURN => Self::FmodRet,
            BPF_TRACE_FENTRY => Self::Fentry,
            BPF_TRACE_FEXIT => Self::Fexit,
            BPF_TRACE_FSESSION => Self::Fsession,
            _ => return None,
        })
    }

    /// What to say of it beside the hook, unless it is as usual.
    fn remark(self) -> &'static str {
        match self {
            Self::No => " (not attached)",
            Self::Lsm | Self::LsmCgroup => "",
            Self::FmodRet => " (fmod_ret)",
            Self::Fentry => " (fentry)",
            Self::Fexit => " (fexit)",
            Self::Fsession => " (fsession)",
        }
    }
}

pub fn run(args: &cli::Programs) -> Result {
    let lsms = Securityfs::new(&args.source.securityfs).lsms()?;
    let kernel = Kernel::load().map_err(|error| Error::os("read the kernel's BTF", &error))?;
    check_hooks(args, &kernel)?;

    let mut programs = collect(&kernel, args.all)?;
    programs.retain(|program| selected(&args.patterns, program.hook.as_deref().unwrap_or("")));
    let report = Report {
        enforced_by: lsms.runs_programs().map(String::from),
        programs,
    };
    if report.enforced_by.is_none() && report.programs.iter().any(lost) {
        ui::warn("no active LSM runs these programs: none of them is enforced");
    }
    if args.output.json {
        return ui::json::print(&report);
    }
    if report.programs.is_empty() {
        return Ok(ui::print("No program is attached to a hook.\n")?);
    }
    Ok(ui::print(&text(&report, ui::colours()))?)
}

/// Whether nothing runs it if no LSM does.
fn lost(program: &Program) -> bool {
    matches!(program.attached, Attached::Lsm | Attached::LsmCgroup)
}

/// Every hook has a function that BTF knows.
fn check_hooks(args: &cli::Programs, kernel: &Kernel) -> Result {
    if args.patterns.is_empty() {
        return Ok(());
    }
    let hooks = kernel.hooks();
    check_patterns(&args.patterns, hooks.iter().map(String::as_str))
}

fn collect(kernel: &Kernel, all: bool) -> Result<Vec<Program>> {
    let infos = programs::of_hooks(kernel);
    let infos = infos.map_err(|error| Error::os("list programs", &error))?;
    let failed = |error| Error::os("list links", &error);
    let mut links = Vec::new();
    for id in bpf::link_ids().map_err(failed)? {
        links.extend(bpf::link_info(id).map_err(failed)?);
    }
    let places = places(&links, &cgroup::all(), &infos);
    let known = Known {
        sleepable: sleepable::programs(kernel).unwrap_or_else(|error| {
            ui::warn(&format!("which programs may sleep is not known: {error}"));
            HashMap::new()
        }),
        pins: Pins::find(),
        holders: Holders::find().unwrap_or_else(|error| {
            ui::warn(&format!("who holds programs is not known: {error}"));
            Holders::default()
        }),
    };

    let mut programs = Vec::new();
    for (id, info) in &infos {
        let here = places.iter().filter(|(program, _)| program == id);
        let mut found = false;
        for (_, place) in here {
            programs.push(known.program(kernel, info, place));
            found = true;
        }
        if !found && all {
            programs.push(known.program(kernel, info, &Place::default()));
        }
    }
    Ok(programs)
}

/// What a program is attached to, and through what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    attached: Attached,
    link: Option<u32>,
    cgroup: Option<(u64, Option<PathBuf>)>,
}

/// Where each of the programs of `infos` is attached, in the order of links.
fn places(
    links: &[LinkInfo],
    cgroups: &[Cgroup],
    infos: &BTreeMap<u32, ProgramInfo>,
) -> Vec<(u32, Place)> {
    let mut places = Vec::new();
    let mut linked = HashSet::new();
    for link in links
        .iter()
        .filter(|link| infos.contains_key(&link.prog_id))
    {
        let mut place = Place {
            link: Some(link.id),
            ..Default::default()
        };
        // SAFETY: All members are integers: any bytes are a value. The type says which it is.
        let (tracing, cgroup) =
            unsafe { (link.__bindgen_anon_1.tracing, link.__bindgen_anon_1.cgroup) };
        match link.type_ {
            BPF_LINK_TYPE_TRACING => match Attached::by(tracing.attach_type) {
                Some(attached) => place.attached = attached,
                None => continue,
            },
            // The id of one whose cgroup is gone is 0, and it runs nowhere.
            BPF_LINK_TYPE_CGROUP
                if cgroup.attach_type == BPF_LSM_CGROUP && cgroup.cgroup_id != 0 =>
            {
                let id = cgroup.cgroup_id;
                let path = cgroups.iter().find(|cgroup| cgroup.id == id);
                place.attached = Attached::LsmCgroup;
                place.cgroup = Some((id, path.map(|cgroup| cgroup.path.clone())));
                linked.insert((id, link.prog_id));
            }
            _ => continue,
        }
        places.push((link.prog_id, place));
    }
    // What is left in a cgroup was attached without a link.
    for cgroup in cgroups {
        let alone = cgroup.programs.iter();
        for program in alone.filter(|program| !linked.contains(&(cgroup.id, **program))) {
            let place = Place {
                attached: Attached::LsmCgroup,
                link: None,
                cgroup: Some((cgroup.id, Some(cgroup.path.clone()))),
            };
            places.push((*program, place));
        }
    }
    places
}

/// What is known of programs from elsewhere.
struct Known {
    sleepable: HashMap<u32, bool>,
    pins: Pins,
    holders: Holders,
}

impl Known {
    fn program(&self, kernel: &Kernel, info: &ProgramInfo, place: &Place) -> Program {
        let paths = |pins: Option<&Vec<PathBuf>>| -> Vec<String> {
            let pins = pins.into_iter().flatten();
            pins.map(|path| path.to_string_lossy().into()).collect()
        };
        let link = place.link.unwrap_or(0);
        let (pins, holders) = (&self.pins, &self.holders);
        Program {
            id: info.id,
            name: bpf::name(&info.name),
            hook: kernel.hook(info.attach_btf_id).map(String::from),
            function: kernel.function_name(info.attach_btf_id).map(String::from),
            attached: place.attached,
            link: place.link,
            cgroup: place.cgroup.as_ref().map(|(id, path)| CgroupName {
                id: *id,
                path: path.as_ref().map(|path| path.to_string_lossy().into()),
            }),
            sleepable: self.sleepable.get(&info.id).copied(),
            uid: info.created_by_uid,
            runs: info.run_cnt,
            run_time_ns: info.run_time_ns,
            link_pins: paths(pins.links.get(&link)),
            pins: paths(pins.programs.get(&info.id)),
            link_holders: holders.links.get(&link).cloned().unwrap_or_default(),
            holders: holders.programs.get(&info.id).cloned().unwrap_or_default(),
        }
    }
}

fn text(report: &Report, colours: bool) -> String {
    let columns = [
        ("ID", Align::Right),
        ("NAME", Align::Left),
        ("HOOK", Align::Left),
        ("LINK", Align::Right),
        ("SLEEPABLE", Align::Left),
        ("UID", Align::Right),
        ("RUNS", Align::Right),
        ("TIME", Align::Right),
        ("PINNED", Align::Left),
        ("HELD BY", Align::Left),
    ];
    let mut table = Table::new(&columns, colours);
    for program in &report.programs {
        let hook = program.hook.as_ref().or(program.function.as_ref());
        let hook = hook.map_or("?", String::as_str);
        let place = match &program.cgroup {
            Some(cgroup) => {
                let id = || format!("cgroup {}", cgroup.id);
                format!("{hook} in {}", cgroup.path.clone().unwrap_or_else(id))
            }
            None => format!("{hook}{}", program.attached.remark()),
        };
        // What keeps it attached, if it has a link; what keeps it loaded otherwise.
        let (pins, holders) = match program.link {
            Some(_) => (&program.link_pins, &program.link_holders),
            None => (&program.pins, &program.holders),
        };
        let holders = holders
            .iter()
            .map(|holder| format!("{}({})", holder.comm, holder.pid));
        let time = if program.runs == 0 {
            "-".into()
        } else {
            ui::nanoseconds(program.run_time_ns)
        };
        table.row(
            [
                program.id.to_string(),
                program.name.clone(),
                place,
                program.link.map_or("-".into(), |id| id.to_string()),
                match program.sleepable {
                    Some(true) => "yes",
                    Some(false) => "no",
                    None => "?",
                }
                .into(),
                program.uid.to_string(),
                if program.runs == 0 {
                    "-".into()
                } else {
                    program.runs.to_string()
                },
                time,
                list(pins.clone()),
                list(holders.collect()),
            ],
            lost(program) && report.enforced_by.is_none(),
        );
    }
    table.render()
}

fn list(items: Vec<String>) -> String {
    if items.is_empty() {
        return "-".into();
    }
    items.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn infos(ids: &[u32]) -> BTreeMap<u32, ProgramInfo> {
        ids.iter().map(|id| (*id, ProgramInfo::default())).collect()
    }

    fn link(id: u32, program: u32, kind: u32) -> LinkInfo {
        LinkInfo {
            type_: kind,
            id,
            prog_id: program,
            ..Default::default()
        }
    }

    fn tracing(id: u32, program: u32, attach: u32) -> LinkInfo {
        let mut link = link(id, program, BPF_LINK_TYPE_TRACING);
        link.__bindgen_anon_1.tracing.attach_type = attach;
        link
    }

    fn in_cgroup(id: u32, program: u32, cgroup: u64) -> LinkInfo {
        let mut link = link(id, program, BPF_LINK_TYPE_CGROUP);
        link.__bindgen_anon_1.cgroup =
            libbpf_rs::libbpf_sys::bpf_link_info__bindgen_ty_1__bindgen_ty_3 {
                cgroup_id: cgroup,
                attach_type: BPF_LSM_CGROUP,
                ..Default::default()
            };
        link
    }

    #[test]
    fn links_of_hooks_only() {
        let links = [
            tracing(1, 10, BPF_LSM_MAC),
            tracing(2, 10, BPF_LSM_MAC),
            tracing(3, 11, BPF_MODIFY_RETURN),
            // No program of a hook.
            tracing(4, 99, BPF_LSM_MAC),
            tracing(5, 10, BPF_LSM_CGROUP),
        ];
        let places = places(&links, &[], &infos(&[10, 11]));
        let at = |link, attached| Place {
            attached,
            link: Some(link),
            cgroup: None,
        };
        let expected = [
            (10, at(1, Attached::Lsm)),
            (10, at(2, Attached::Lsm)),
            (11, at(3, Attached::FmodRet)),
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn cgroups() {
        let path = Path::new("/sys/fs/cgroup/a");
        let cgroup = Cgroup {
            id: 7,
            path: path.into(),
            // One has a link, one has not.
            programs: vec![10, 11],
        };
        let links = [
            in_cgroup(1, 10, 7),
            in_cgroup(2, 10, 8),
            in_cgroup(3, 10, 0),
        ];
        let at = |link, id, path: Option<&Path>| Place {
            attached: Attached::LsmCgroup,
            link,
            cgroup: Some((id, path.map(PathBuf::from))),
        };
        let expected = [
            (10, at(Some(1), 7, Some(path))),
            // Its cgroup is in another namespace.
            (10, at(Some(2), 8, None)),
            (11, at(None, 7, Some(path))),
        ];
        assert_eq!(places(&links, &[cgroup], &infos(&[10, 11])), expected);
    }
}
