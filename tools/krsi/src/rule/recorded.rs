// SPDX-License-Identifier: GPL-2.0

//! Events of `krsi exec --json`, as rules see them.

use super::{
    eval::{Event, Numbers, Paths},
    lower::System,
};
use serde_json::Value;

/// The event of an exec that `krsi exec --json` has written; none if the object is no exec, but
/// what else is written.
pub fn event(object: &Value, system: &dyn System) -> Option<Event> {
    let exec = object.get("exec")?;
    let text = |value: &Value| value.as_str().map(String::from);
    let number = |name: &str| exec[name].as_u64();
    // What was never set is null, as is everything if the record with it was lost.
    let id =
        |name: &str| number("pid").map(|_| exec[name].as_u64().unwrap_or_else(|| u32::MAX.into()));
    // It is the name that was asked for: the kernel asks rules about where it leads.
    let path = text(&exec["file"]).filter(|path| path.starts_with('/'));
    let path = path.map(|path| Paths::Several(vec![system.resolve(&path), path]));
    let argv = exec["argv"].as_array();
    let env = exec["env"].as_array().map(|variables| {
        // One that is there twice has no value that all programs agree on.
        let variable = |variable: &Value| match variable["values"].as_array()?.as_slice() {
            [value] => Some((text(&variable["name"])?, text(value)?)),
            _ => None,
        };
        variables.iter().filter_map(variable).collect()
    });
    Some(Event {
        syscall: Some("execve".into()),
        path,
        pexe: text(&exec["parents"][0]["exe"]),
        comm: text(&exec["comm"]),
        argv: argv.and_then(|argv| argv.iter().map(text).collect()),
        env,
        env_in_part: true,
        cgroup: text(&exec["cgroup"]["path"]),
        numbers: Numbers {
            pid: number("pid"),
            ppid: number("ppid"),
            uid: number("uid"),
            euid: number("euid"),
            gid: number("gid"),
            auid: id("auid"),
            sessionid: id("session"),
            ..Numbers::default()
        },
        ..Event::default()
    })
}

/// Whether the object is one of those that `krsi exec --json` writes beside execs.
pub fn is_remark(object: &Value) -> bool {
    object.get("watching").is_some()
        || (object.get("lost").is_some() && object.get("end").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::system::Machine;
    use serde_json::json;

    #[test]
    fn an_exec_is_an_event() {
        let object = json!({ "schema": 1, "exec": {
            "pid": 7, "ppid": 6, "uid": 1000, "euid": 0, "gid": 5, "auid": null, "session": 3,
            "comm": "sh", "cgroup": { "id": 9, "path": "/user" }, "file": "/nowhere/x",
            "argv": ["x", "-y"], "parents": [{ "pid": 6, "uid": 0, "comm": "init", "exe": "/i" }],
            "env": [
                { "name": "A", "values": ["1"] },
                { "name": "B", "values": ["1", "2"] },
                { "name": "C", "values": [{ "hex": "ff" }] },
            ],
        }});
        let event = event(&object, &Machine::new()).unwrap();
        assert_eq!(event.argv, Some(vec!["x".into(), "-y".into()]));
        assert_eq!(
            event.env.unwrap().into_iter().collect::<Vec<_>>(),
            [("A".into(), "1".into())]
        );
        assert_eq!(
            (event.pexe.as_deref(), event.cgroup.as_deref()),
            (Some("/i"), Some("/user"))
        );
        let numbers = &event.numbers;
        assert_eq!(
            (numbers.auid, numbers.sessionid),
            (Some(u32::MAX.into()), Some(3))
        );
        assert_eq!((numbers.uid, numbers.suid), (Some(1000), None));
        assert!(event.path.is_some());
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let object = json!({ "exec": {
            "pid": null, "auid": null, "file": "x", "argv": ["x", { "hex": "ff" }], "env": null,
        }});
        let event = event(&object, &Machine::new()).unwrap();
        let wanted = Event {
            syscall: Some("execve".into()),
            env_in_part: true,
            ..Event::default()
        };
        assert_eq!(event, wanted);
        assert!(super::event(&json!({ "watching": true }), &Machine::new()).is_none());
        assert!(is_remark(&json!({ "watching": true })));
        assert!(is_remark(&json!({ "lost": {}, "end": true })));
        assert!(!is_remark(&json!({ "syscall": "execve" })));
    }
}
