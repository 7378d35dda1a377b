// SPDX-License-Identifier: GPL-2.0

//! Where file systems are mounted, as this process sees it.

use std::{ffi::OsString, fs, io, os::unix::ffi::OsStringExt, path::PathBuf};

/// The mount points of the file systems of type `kind`.
pub fn of_type(kind: &str) -> io::Result<Vec<PathBuf>> {
    Ok(parse(&fs::read("/proc/self/mountinfo")?, kind))
}

/// See proc_pid_mountinfo(5). Paths need not be UTF-8.
fn parse(mountinfo: &[u8], kind: &str) -> Vec<PathBuf> {
    let mount = |line: &[u8]| {
        let mut words = line.split(|byte| *byte == b' ');
        let point = words.nth(4)?;
        let mut rest = words.skip_while(|word| *word != b"-");
        (rest.nth(1)? == kind.as_bytes()).then(|| unescape(point))
    };
    mountinfo
        .split(|byte| *byte == b'\n')
        .filter_map(mount)
        .collect()
}

/// Blanks and the like are written as a backslash and three octal digits.
fn unescape(text: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let code = match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if *first == b'\\' => {
                Some(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'))
            }
            _ => None,
        };
        path.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    OsString::from_vec(path).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"\
24 1 0:22 / / rw shared:1 - overlay none rw
30 24 0:27 / /sys/fs/bpf rw,nosuid shared:4 master:2 - bpf none rw,mode=700
31 24 0:28 / /mnt/a\\040b\\134 rw - bpf none rw
32 24 0:29 /bpf /bpf rw - tmpfs bpf rw
";

    #[test]
    fn finds_the_type() {
        let expected: [PathBuf; 2] = ["/sys/fs/bpf".into(), "/mnt/a b\\".into()];
        assert_eq!(parse(MOUNTS, "bpf"), expected);
        assert_eq!(parse(MOUNTS, "tmpfs"), [PathBuf::from("/bpf")]);
        assert!(parse(MOUNTS, "securityfs").is_empty());
        assert!(parse(b"nonsense\n\n1 2 3 4 5", "bpf").is_empty());
    }

    #[test]
    fn backslashes_that_escape_nothing_stay() {
        assert_eq!(unescape(b"a\\04"), PathBuf::from("a\\04"));
        assert_eq!(unescape(b"\\"), PathBuf::from("\\"));
        assert_eq!(unescape(b"\\777"), PathBuf::from("\\777"));
    }
}
