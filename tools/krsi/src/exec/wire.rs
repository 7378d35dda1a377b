// SPDX-License-Identifier: GPL-2.0

//! The records of `exec.h`, and those of krsi_bprm_dump(), as bytes from the ring buffer.

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    Piece(Piece<'a>),
    Begin(u64, Begin),
    Parent(u64, Parent),
    Round(u64, Text),
    End(u64, End),
}

/// A piece of the arguments and the environment: `struct krsi_exec_record`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    pub exec_id: u64,
    pub offset: u64,
    pub total: u64,
    pub argc: u32,
    pub envc: u32,
    pub last: bool,
    pub check: bool,
    pub changed: bool,
    pub bytes: &'a [u8],
}

/// A path: bytes, and whether there may have been more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pub bytes: Vec<u8>,
    pub cut: bool,
    /// There is none; an errno.
    pub errno: Option<i32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    pub exec_id: i64,
    pub time: u64,
    pub cgroup: u64,
    pub pid: u32,
    pub tid: u32,
    pub ppid: u32,
    pub uid: u32,
    pub euid: u32,
    pub gid: u32,
    pub auid: u32,
    pub session: u32,
    pub comm: Vec<u8>,
    pub path: Text,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    pub depth: u32,
    pub pid: u32,
    pub uid: u32,
    pub comm: Vec<u8>,
    pub path: Text,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub time: u64,
    pub result: i32,
    pub hook: u32,
    pub verdict: i32,
    pub by_krsi: bool,
    pub lost: u32,
}

/// Room for a path in a record.
const PATH_SIZE: usize = 4096;

/// Reads integers, one behind the other; `None` when there are no more bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_ne_bytes(self.array()?))
    }

    fn i32(&mut self) -> Option<i32> {
        Some(i32::from_ne_bytes(self.array()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_ne_bytes(self.array()?))
    }

    fn comm(&mut self) -> Option<Vec<u8>> {
        let bytes = self.bytes(16)?;
        Some(bytes.iter().copied().take_while(|b| *b != 0).collect())
    }

    /// A path of `len` bytes with its NUL, or a negative errno.
    fn path(&mut self, len: i32) -> Option<Text> {
        let bytes = self.bytes(PATH_SIZE)?;
        let Ok(len) = usize::try_from(len) else {
            return Some(Text {
                errno: Some(-len),
                ..Text::default()
            });
        };
        Some(Text {
            bytes: bytes
                .get(..len)?
                .iter()
                .copied()
                .take_while(|b| *b != 0)
                .collect(),
            cut: len == PATH_SIZE,
            errno: None,
        })
    }
}

impl<'a> Record<'a> {
    /// `None` if it is none, which no kernel sends.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut r = Reader(bytes);
        let id = r.u64()?;
        if id != 0 {
            let (offset, total) = (r.u64()?, r.u64()?);
            let (argc, envc, flags, len) = (r.u32()?, r.u32()?, r.u32()?, r.u32()?);
            return Some(Self::Piece(Piece {
                exec_id: id,
                offset,
                total,
                argc,
                envc,
                last: flags & 1 != 0,
                check: flags & 2 != 0,
                changed: flags & 4 != 0,
                bytes: r.bytes(len as usize)?,
            }));
        }
        let token = r.u64()?;
        let (kind, _) = (r.u32()?, r.u32()?);
        match kind {
            1 => {
                let (exec_id, time, cgroup) = (r.u64()? as i64, r.u64()?, r.u64()?);
                let (pid, tid, ppid) = (r.u32()?, r.u32()?, r.u32()?);
                let (uid, euid, gid) = (r.u32()?, r.u32()?, r.u32()?);
                let (auid, session, comm) = (r.u32()?, r.u32()?, r.comm()?);
                let (len, _) = (r.i32()?, r.u32()?);
                Some(Self::Begin(
                    token,
                    Begin {
                        exec_id,
                        time,
                        cgroup,
                        pid,
                        tid,
                        ppid,
                        uid,
                        euid,
                        gid,
                        auid,
                        session,
                        comm,
                        path: r.path(len)?,
                    },
                ))
            }
            2 => {
                let (depth, pid, uid, len) = (r.u32()?, r.u32()?, r.u32()?, r.i32()?);
                let comm = r.comm()?;
                Some(Self::Parent(
                    token,
                    Parent {
                        depth,
                        pid,
                        uid,
                        comm,
                        path: r.path(len)?,
                    },
                ))
            }
            3 => {
                let (_, len) = (r.u32()?, r.i32()?);
                Some(Self::Round(token, r.path(len)?))
            }
            4 => Some(Self::End(
                token,
                End {
                    time: r.u64()?,
                    result: r.i32()?,
                    hook: r.u32()?,
                    verdict: r.i32()?,
                    by_krsi: r.u32()? != 0,
                    lost: r.u32()?,
                },
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(token: u64, kind: u32, fields: &[u32], rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 8];
        bytes.extend(token.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        fields.iter().for_each(|f| bytes.extend(f.to_ne_bytes()));
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn pieces() {
        let mut bytes = Vec::new();
        [7u64, 4, 6]
            .iter()
            .for_each(|f| bytes.extend(f.to_ne_bytes()));
        [1u32, 2, 5, 2]
            .iter()
            .for_each(|f| bytes.extend(f.to_ne_bytes()));
        bytes.extend(b"ab");
        let Some(Record::Piece(piece)) = Record::read(&bytes) else {
            panic!("it is a piece")
        };
        assert_eq!((piece.exec_id, piece.offset, piece.total), (7, 4, 6));
        assert_eq!((piece.argc, piece.envc, piece.bytes), (1, 2, &b"ab"[..]));
        assert_eq!(
            (piece.last, piece.check, piece.changed),
            (true, false, true)
        );
        for len in 0..bytes.len() {
            assert_eq!(Record::read(&bytes[..len]), None, "{len}");
        }
    }

    #[test]
    fn rounds() {
        let mut path = vec![0u8; PATH_SIZE];
        path[..3].copy_from_slice(b"/a\0");
        let read = |len: i32, path: &[u8]| {
            let bytes = event(9, 3, &[0, len as u32], path);
            match Record::read(&bytes) {
                Some(Record::Round(9, text)) => Some(text),
                _ => None,
            }
        };
        let text = read(3, &path).unwrap();
        assert_eq!(
            (text.bytes.as_slice(), text.cut, text.errno),
            (&b"/a"[..], false, None)
        );
        assert_eq!(read(-14, &path).unwrap().errno, Some(14));
        path.fill(b'x');
        assert!(read(4096, &path).unwrap().cut);
        // Longer than there is room for, or shorter than it says.
        assert_eq!(read(4097, &path), None);
        assert_eq!(read(3, &path[1..]), None);
    }

    #[test]
    fn unknown_kinds_are_none() {
        for kind in [0, 5, u32::MAX] {
            assert_eq!(Record::read(&event(1, kind, &[0; 64], &[])), None);
        }
    }
}
