// SPDX-License-Identifier: GPL-2.0

//! A machine that runs the programs of a policy, as far as they need one: the instructions of
//! `asm`, and a kernel in which everything is as an event says. What a verifier would refuse, such
//! as memory out of bounds, makes it panic.

use super::rules::{Sockaddr, Unsaid};
use crate::rule::{
    asm::{Code, Symbol},
    emit::{self, Program, Programs, Target},
    eval::Event,
    hook::{self, Access, Address, Hook, Name, Node, Skip},
    label::Class,
    load,
    lower::{System, HOST},
    plan::Plan,
    policy::Policy,
    syscalls::SYSCALLS,
};
use libbpf_rs::libbpf_sys as sys;
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

/// Types of a kernel in which no two fields are at the same place, so that the place says which
/// it is.
pub struct Fields {
    known: RefCell<Vec<(String, String)>>,
    pub audit: bool,
}

impl Fields {
    pub fn new(audit: bool) -> Self {
        Self {
            known: RefCell::default(),
            audit,
        }
    }
}

impl Target for Fields {
    fn offset(&self, structure: &str, path: &str) -> Option<u32> {
        let field = (structure.to_string(), path.to_string());
        let mut known = self.known.borrow_mut();
        let at = known.iter().position(|other| *other == field);
        let at = at.unwrap_or_else(|| {
            known.push(field);
            known.len() - 1
        });
        Some(8 * (at as u32 + 1))
    }

    fn has_audit(&self) -> bool {
        self.audit
    }
}

/// What programs of a policy have in common.
pub struct Loaded<'a> {
    programs: &'a Programs,
    fields: &'a Fields,
    maps: HashMap<(&'static str, Vec<u8>), Vec<u8>>,
    /// What a task has in maps, as the last call has left it.
    storages: RefCell<HashMap<String, Vec<u8>>>,
}

/// What a call came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub errno: u16,
    /// The rule whose counter says that it decided, from 1.
    pub rule: Option<usize>,
    pub records: usize,
    pub signals: usize,
    /// The rules whose counters say that a test could not be made, from 1.
    pub errors: Vec<usize>,
}

impl<'a> Loaded<'a> {
    pub fn new(policy: &Policy, plan: &Plan, programs: &'a Programs, fields: &'a Fields) -> Self {
        let contents = load::contents(policy, plan);
        let maps = contents
            .into_iter()
            .map(|(name, key, value)| ((name, key), value));
        Self {
            programs,
            fields,
            maps: maps.collect(),
            storages: RefCell::default(),
        }
    }

    /// Has a hook's program decide an event.
    pub fn decide(
        &self,
        program: &Program,
        event: &Event,
        unsaid: &Unsaid,
        system: &dyn System,
    ) -> Outcome {
        let hook = hook::find(program.hook).expect("programs are of hooks");
        let mut machine = Machine {
            loaded: self,
            event,
            unsaid,
            system,
            hook,
            memory: Vec::new(),
            storages: HashMap::new(),
            refused: HashMap::new(),
            counters: BTreeMap::new(),
            outcome: Outcome::default(),
        };
        let context = machine.context();
        let verdict = machine.run(&program.code, 0, [context, 0, 0]) as i64;
        assert!((-4095..=0).contains(&verdict), "verdict {verdict}");
        for (name, storage) in &machine.storages {
            let bytes = machine.memory[(storage >> 32) as usize - 1].bytes();
            let mut storages = self.storages.borrow_mut();
            storages.insert(name.clone(), bytes.clone());
        }
        machine.outcome.errno = -verdict as u16;
        let mut hits = Vec::new();
        for (index, counters) in machine.counters {
            let bytes = machine.memory[counters].bytes();
            let count = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
            if count(0) != 0 {
                hits.push(index as usize + 1);
            }
            assert_eq!(count(8) != 0, count(0) != 0 && verdict != 0);
            if count(16) != 0 {
                machine.outcome.errors.push(index as usize + 1);
            }
        }
        assert!(hits.len() <= 1, "rules {hits:?} decided");
        machine.outcome.rule = hits.first().copied();
        machine.outcome
    }
}

/// What an address is in.
enum Memory {
    Bytes(Vec<u8>),
    /// An object of the kernel, whose fields say what the event does; which argument of the hook
    /// it is.
    Object(Object),
    /// What cannot be read.
    OutOfReach,
    /// A map, only as an argument.
    Map(&'static str),
    Storage(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    Argument(u8),
    Task,
    Parent,
    /// The file of what a task runs.
    Exe,
    ParentExe,
    /// The file of what is to be executed.
    Executed,
    Inode,
    Sock,
    Registers,
    Other,
}

impl Memory {
    fn bytes(&self) -> &Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            _ => panic!("this is no memory"),
        }
    }
}

struct Machine<'a> {
    loaded: &'a Loaded<'a>,
    event: &'a Event,
    unsaid: &'a Unsaid,
    system: &'a dyn System,
    hook: &'static Hook,
    /// The upper half of an address is its number here, from 1.
    memory: Vec<Memory>,
    storages: HashMap<String, u64>,
    /// How often each of them was refused.
    refused: HashMap<String, u32>,
    /// Of rules, where their counters are.
    counters: BTreeMap<u32, usize>,
    outcome: Outcome,
}

const STACK: u64 = 512;
/// How often a loop that the kernel bounds may go on.
const TURNS: usize = 10_000;
/// How often a task asks for memory in vain, as while another CPU holds the allocator's lock.
const REFUSALS: u32 = 40;

const EPERM: i64 = 1;
const ENOENT: i64 = 2;
const EFAULT: i64 = 14;
const EOPNOTSUPP: i64 = 95;
const ENAMETOOLONG: i64 = 36;

impl Machine<'_> {
    fn add(&mut self, memory: Memory) -> u64 {
        self.memory.push(memory);
        (self.memory.len() as u64) << 32
    }

    fn object(&mut self, object: Object) -> u64 {
        self.add(Memory::Object(object))
    }

    /// Where an address is, and how far into it.
    fn at(&self, address: u64) -> (usize, usize) {
        let number = (address >> 32) as usize;
        assert!(
            (1..=self.memory.len()).contains(&number),
            "{address:#x} is no address"
        );
        (number - 1, address as u32 as usize)
    }

    fn slice(&mut self, address: u64, size: usize) -> &mut [u8] {
        let (number, at) = self.at(address);
        let Memory::Bytes(bytes) = &mut self.memory[number] else {
            panic!("{address:#x} is no memory");
        };
        let length = bytes.len();
        bytes
            .get_mut(at..at + size)
            .unwrap_or_else(|| panic!("{size} bytes at {at} of {length}"))
    }

    fn load(&mut self, address: u64, size: usize) -> u64 {
        let (number, at) = self.at(address);
        if let Memory::Object(object) = self.memory[number] {
            let value = self.field(object, at);
            return value & (u64::MAX >> (64 - 8 * size));
        }
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(self.slice(address, size));
        u64::from_le_bytes(bytes)
    }

    fn store(&mut self, address: u64, size: usize, value: u64) {
        self.slice(address, size)
            .copy_from_slice(&value.to_le_bytes()[..size]);
    }

    /// The arguments of the hook.
    fn context(&mut self) -> u64 {
        let mut arguments: Vec<u64> = (0..8)
            .map(|number| self.object(Object::Argument(number)))
            .collect();
        if let Access::Mask(mask) = self.hook.access {
            let perm = self.event.perm.as_deref().unwrap_or("");
            let bit = |letter, bit| if perm.contains(letter) { bit } else { 0 };
            arguments[usize::from(mask)] = bit('r', 4) | bit('w', 2);
        }
        if let Some((number, _)) = self.hook.detail {
            arguments[usize::from(number)] = self.event.detail.expect("a detail");
        }
        if let Some(Address::Plain(address, length)) = self.hook.address() {
            (
                arguments[usize::from(address)],
                arguments[usize::from(length)],
            ) = self.sockaddr();
        }
        if let Skip::OthersSignal(number) | Skip::KernelSocket(number) = self.hook.skip {
            arguments[usize::from(number)] = 0;
        }
        let bytes = arguments.iter().flat_map(|value| value.to_le_bytes());
        let bytes = bytes.collect();
        self.add(Memory::Bytes(bytes))
    }

    /// Where the address of the call is, and its length.
    fn sockaddr(&mut self) -> (u64, u64) {
        match &self.unsaid.sockaddr {
            Sockaddr::There(bytes, length) => (self.add(Memory::Bytes(bytes.clone())), *length),
            Sockaddr::Absent => (0, 16 * (self.unsaid.way as u64 & 1)),
            Sockaddr::OutOfReach => (self.add(Memory::OutOfReach), 28),
        }
    }

    /// An object, or what stands for one that is not there.
    fn or_null(&mut self, absent: bool, object: Object) -> u64 {
        if absent {
            0
        } else {
            self.object(object)
        }
    }

    fn is_host(&self) -> bool {
        self.event.container.as_deref().expect("a container") == HOST
    }

    /// What an object has in a slot.
    fn blob(&mut self, class: Class, slot: u64, size: u64) -> i64 {
        assert!(!self.unsaid.is_absent(class), "no {}", class.name());
        let slot = u32::try_from(slot).expect("a number of 32 bits");
        match self.unsaid.slots.get(&(class, slot)) {
            Some(Some(bytes)) => {
                assert_eq!(bytes.len() as u64, size);
                self.add(Memory::Bytes(bytes.clone())) as i64
            }
            Some(None) => 0,
            None => panic!("{} has no slot {slot}", class.name()),
        }
    }

    fn compat(&self) -> bool {
        self.event.arch.as_deref() == Some("b32")
    }

    /// What a field of an object has.
    fn field(&mut self, object: Object, at: usize) -> u64 {
        let event = self.event;
        let numbers = &event.numbers;
        let (structure, path) = {
            let known = self.loaded.fields.known.borrow();
            assert!(at % 8 == 0 && at > 0, "no field is at {at}");
            known[at / 8 - 1].clone()
        };
        let number = |value: Option<u64>| value.unwrap_or_else(|| panic!("{structure}.{path}"));
        match (structure.as_str(), path.as_str()) {
            ("task_struct", "flags") => 0,
            ("task_struct", "tgid") if object == Object::Parent => number(numbers.ppid),
            ("task_struct", "tgid") => number(numbers.pid),
            ("task_struct", "loginuid") => number(numbers.auid),
            ("task_struct", "sessionid") => number(numbers.sessionid),
            ("task_struct", "personality") => number(numbers.pers),
            ("task_struct", "real_parent") => self.object(Object::Parent),
            // TS_COMPAT
            ("task_struct", "thread_info.status") => u64::from(self.compat()) << 1,
            ("cred", "uid") => number(numbers.uid),
            ("cred", "euid") => number(numbers.euid),
            ("cred", "suid") => number(numbers.suid),
            ("cred", "fsuid") => number(numbers.fsuid),
            ("cred", "gid") => number(numbers.gid),
            ("cred", "egid") => number(numbers.egid),
            ("cred", "sgid") => number(numbers.sgid),
            ("cred", "fsgid") => number(numbers.fsgid),
            ("pt_regs", register) => {
                assert_eq!(object, Object::Registers);
                let arguments = [numbers.a0, numbers.a1, numbers.a2, numbers.a3];
                let names = match self.compat() {
                    false => ["di", "si", "dx", "r10"],
                    true => ["bx", "cx", "dx", "si"],
                };
                match names.iter().position(|name| *name == register) {
                    Some(at) => number(arguments[at]),
                    None if register == "orig_ax" => self.syscall(),
                    // Of the other kind of programs.
                    None => u64::from(u32::MAX),
                }
            }
            ("file", "f_mode") => self.opened().0,
            ("file", "f_flags") => self.opened().1,
            ("inode", "i_ino") => number(numbers.inode),
            ("inode", "i_uid") => number(numbers.obj_uid),
            ("inode", "i_gid") => number(numbers.obj_gid),
            ("inode", "i_mode") => number(numbers.filetype) | 0o644,
            ("super_block", "s_dev") => (number(numbers.devmajor) << 20) | number(numbers.devminor),
            ("msghdr", "msg_name") => self.sockaddr().0,
            ("msghdr", "msg_namelen") => self.sockaddr().1,
            ("linux_binprm", "file") => {
                self.or_null(self.unsaid.is_absent(Class::File), Object::Executed)
            }
            ("path", "dentry") => {
                let absent = self.unsaid.is_absent(Class::Inode) && self.unsaid.way % 2 == 0;
                self.or_null(absent, Object::Other)
            }
            ("file", "f_inode") | ("dentry", "d_inode") => {
                self.or_null(self.unsaid.is_absent(Class::Inode), Object::Inode)
            }
            ("socket", "sk") => self.or_null(self.unsaid.is_absent(Class::Sock), Object::Sock),
            ("sock", "__sk_common.skc_family") => self.unsaid.family.into(),
            // A container has namespaces of its own: of processes, of cgroups, or both.
            ("pid", "level") if self.is_host() || self.unsaid.way == 1 => 0,
            ("pid", "level") => self.unsaid.way as u64 + 1,
            ("task_struct", "nsproxy") => self.or_null(self.unsaid.way == 0, Object::Other),
            ("cgroup_namespace", "ns.inum") => {
                let first = self.is_host() || self.unsaid.way == 2;
                if first {
                    0xefff_fffb
                } else {
                    0xefff_fffa
                }
            }
            // Those of requests of io_uring, which has been used.
            ("task_struct", "cred" | "real_cred" | "io_uring" | "thread_pid")
            | ("nsproxy", "cgroup_ns")
            | ("inode", "i_sb") => self.object(Object::Other),
            _ => panic!("what is {path} in struct {structure}?"),
        }
    }

    /// The mode and the flags of a file that is opened for what the event says.
    fn opened(&self) -> (u64, u64) {
        const O_TRUNC: u64 = 0o1000;
        match (self.event.perm.as_deref(), self.unsaid.way) {
            (Some("rw"), 1) => (0, 3),
            (Some("rw"), 2) => (1, O_TRUNC),
            (Some("rw"), _) => (3, 2),
            (Some("w"), _) => (2, 1),
            (Some("r"), _) => (1, 0),
            _ => (0, 0),
        }
    }

    fn syscall(&self) -> u64 {
        let name = self.event.syscall.as_deref().expect("a system call");
        let row = SYSCALLS.iter().find(|row| row.0 == name);
        let row = row.expect("a system call that there is");
        let number = if self.compat() { row.2 } else { row.1 };
        number.expect("one of this machine").into()
    }

    /// Runs a function from its first instruction on.
    fn run(&mut self, code: &Code, start: usize, arguments: [u64; 3]) -> u64 {
        let mut r = [0u64; 11];
        r[1..4].copy_from_slice(&arguments);
        r[10] = self.add(Memory::Bytes(vec![0; STACK as usize])) + STACK;
        let symbols: HashMap<usize, &Symbol> = code
            .symbols
            .iter()
            .map(|(at, symbol)| (*at, symbol))
            .collect();
        let mut turns = 0;
        let mut at = start;
        loop {
            let (opcode, registers, off, imm) = code.insns[at].parts();
            let opcode = u32::from(opcode);
            let (dst, src) = (usize::from(registers & 15), usize::from(registers >> 4));
            let wide = i64::from(imm) as u64;
            let size = match opcode & 0x18 {
                sys::BPF_B => 1,
                sys::BPF_H => 2,
                sys::BPF_W => 4,
                _ => 8,
            };
            let near = |base: u64| base.wrapping_add(i64::from(off) as u64);
            let mut next = at + 1;
            let mut jump = |distance: i64| next = (at as i64 + 1 + distance) as usize;
            match opcode & 7 {
                sys::BPF_ALU64 | sys::BPF_ALU => {
                    let by = if opcode & sys::BPF_X != 0 {
                        r[src]
                    } else {
                        wide
                    };
                    let value = match opcode & 0xf0 {
                        sys::BPF_MOV => by,
                        sys::BPF_ADD => r[dst].wrapping_add(by),
                        sys::BPF_SUB => r[dst].wrapping_sub(by),
                        sys::BPF_AND => r[dst] & by,
                        sys::BPF_OR => r[dst] | by,
                        sys::BPF_LSH => r[dst] << by,
                        sys::BPF_RSH => r[dst] >> by,
                        other => panic!("operation {other:#x}"),
                    };
                    r[dst] = match opcode & 7 {
                        sys::BPF_ALU => u64::from(value as u32),
                        _ => value,
                    };
                }
                sys::BPF_LDX => r[dst] = self.load(near(r[src]), size),
                sys::BPF_ST => self.store(near(r[dst]), size, wide),
                sys::BPF_STX if opcode & 0xe0 == sys::BPF_ATOMIC => {
                    assert_eq!(imm as u32, sys::BPF_ADD);
                    let sum = self.load(near(r[dst]), size).wrapping_add(r[src]);
                    self.store(near(r[dst]), size, sum);
                }
                sys::BPF_STX => self.store(near(r[dst]), size, r[src]),
                sys::BPF_LD => {
                    let (.., upper) = code.insns[at + 1].parts();
                    r[dst] = match symbols.get(&at) {
                        Some(Symbol::Map(name)) => self.map(name),
                        Some(Symbol::Value(name, offset)) => {
                            assert_eq!(name, emit::NAMES);
                            let names = self.loaded.programs.names.clone();
                            self.add(Memory::Bytes(names)) + u64::from(*offset)
                        }
                        Some(Symbol::Kfunc(_)) => panic!("a function is no address"),
                        None => u64::from(imm as u32) | (u64::from(upper as u32) << 32),
                    };
                    next = at + 2;
                }
                sys::BPF_JMP | sys::BPF_JMP32 => {
                    let by = if opcode & sys::BPF_X != 0 {
                        r[src]
                    } else {
                        wide
                    };
                    let taken = match opcode & 0xf0 {
                        sys::BPF_JA if opcode & 7 == sys::BPF_JMP32 => {
                            jump(imm.into());
                            false
                        }
                        sys::BPF_JA => true,
                        sys::BPF_JEQ => r[dst] == by,
                        sys::BPF_JNE => r[dst] != by,
                        sys::BPF_JLT => r[dst] < by,
                        sys::BPF_JLE => r[dst] <= by,
                        sys::BPF_JGT => r[dst] > by,
                        sys::BPF_JGE => r[dst] >= by,
                        sys::BPF_JSET => r[dst] & by != 0,
                        sys::BPF_JSLT => (r[dst] as i64) < by as i64,
                        sys::BPF_JCOND => {
                            turns += 1;
                            turns > TURNS
                        }
                        sys::BPF_EXIT => return r[0],
                        sys::BPF_CALL => {
                            let arguments = [r[1], r[2], r[3], r[4], r[5]];
                            r[0] = if let Some(Symbol::Kfunc(name)) = symbols.get(&at) {
                                self.kfunc(name, arguments) as u64
                            } else if src as u32 == sys::BPF_PSEUDO_CALL {
                                let function = (at as i64 + 1 + i64::from(imm)) as usize;
                                self.run(code, function, [r[1], r[2], r[3]])
                            } else {
                                self.helper(imm as u32, arguments)
                            };
                            // Nobody may count on what is in these now.
                            r[1..6].fill(0xdead << 48);
                            false
                        }
                        other => panic!("jump {other:#x}"),
                    };
                    if taken {
                        jump(off.into());
                    }
                }
                other => panic!("class {other}"),
            }
            at = next;
        }
    }

    fn map(&mut self, name: &str) -> u64 {
        let known = emit::CLASSES.iter().map(|(_, name)| *name).chain([
            emit::BENEATH,
            emit::NETWORKS,
            emit::RULES,
            emit::COUNTERS,
            emit::EVENTS,
        ]);
        let map = known.into_iter().find(|other| *other == name);
        self.add(match map {
            Some(name) => Memory::Map(name),
            None => Memory::Storage(name.into()),
        })
    }

    /// How many bytes a task has in a map.
    fn size(&self, name: &str) -> usize {
        match name {
            emit::STATE | emit::STATE_NESTED => emit::STATE_SIZE,
            name => self.loaded.programs.texts[name],
        }
    }

    fn helper(&mut self, helper: u32, r: [u64; 5]) -> u64 {
        match helper {
            sys::BPF_FUNC_get_current_task_btf => self.object(Object::Task),
            sys::BPF_FUNC_task_pt_regs => self.object(Object::Registers),
            sys::BPF_FUNC_task_storage_get => {
                let (map, task) = (self.at(r[0]).0, self.at(r[1]).0);
                assert!(matches!(self.memory[task], Memory::Object(Object::Task)));
                let Memory::Storage(name) = &self.memory[map] else {
                    panic!("this is no map of tasks");
                };
                let name = name.clone();
                if let Some(storage) = self.storages.get(&name) {
                    return *storage;
                }
                let left = self.loaded.storages.borrow().get(&name).cloned();
                let refused = self.refused.entry(name.clone()).or_default();
                if left.is_none() && *refused < REFUSALS {
                    *refused += 1;
                    return 0;
                }
                let bytes = left.unwrap_or_else(|| vec![0; self.size(&name)]);
                let storage = self.add(Memory::Bytes(bytes));
                self.storages.insert(name, storage);
                storage
            }
            sys::BPF_FUNC_map_lookup_elem => self.lookup(r[0], r[1]),
            sys::BPF_FUNC_get_current_comm => {
                let comm = self.event.comm.clone().expect("a name");
                let size = r[1] as usize;
                assert!(comm.len() < size);
                let bytes = self.slice(r[0], size);
                bytes.fill(0);
                bytes[..comm.len()].copy_from_slice(comm.as_bytes());
                0
            }
            sys::BPF_FUNC_get_current_ancestor_cgroup_id => {
                let path = self.event.cgroup.as_deref().expect("a cgroup");
                let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
                let above = parts.get(..r[0] as usize).map(|parts| parts.join("/"));
                let found = above.and_then(|path| self.system.cgroup(&format!("/{path}")));
                found.map_or(0, |(_, id)| id)
            }
            sys::BPF_FUNC_probe_read_kernel => {
                let size = r[1] as usize;
                let (from, _) = self.at(r[2]);
                if matches!(self.memory[from], Memory::OutOfReach) {
                    self.slice(r[0], size).fill(0);
                    return -EFAULT as u64;
                }
                let bytes = self.slice(r[2], size).to_vec();
                self.slice(r[0], size).copy_from_slice(&bytes);
                0
            }
            sys::BPF_FUNC_send_signal => {
                assert_eq!(r[0], 9);
                self.outcome.signals += 1;
                0
            }
            other => panic!("helper {other}"),
        }
    }

    fn lookup(&mut self, map: u64, key: u64) -> u64 {
        let Memory::Map(name) = self.memory[self.at(map).0] else {
            panic!("this is no map");
        };
        let found = match name {
            emit::COUNTERS => {
                let key = self.slice(key, 4).to_vec();
                if !self.loaded.maps.contains_key(&(emit::RULES, key.clone())) {
                    return 0;
                }
                let index = u32::from_ne_bytes(key.try_into().unwrap());
                if let Some(counters) = self.counters.get(&index) {
                    return (*counters as u64 + 1) << 32;
                }
                let address = self.add(Memory::Bytes(vec![0; emit::COUNTERS_SIZE]));
                self.counters.insert(index, self.memory.len() - 1);
                return address;
            }
            emit::RULES | emit::EVENTS => {
                let key = self.slice(key, 4).to_vec();
                self.loaded.maps.get(&(name, key)).cloned()
            }
            emit::BENEATH => self.longest(name, key, 4 + emit::BENEATH_SIZE),
            emit::NETWORKS => self.longest(name, key, 4 + 16),
            name => {
                let class = emit::CLASSES.iter().find(|(_, class)| *class == name);
                let (size, _) = class.expect("a map of texts");
                let key = self.slice(key, 4 + size).to_vec();
                self.loaded.maps.get(&(name, key)).cloned()
            }
        };
        found.map_or(0, |value| self.add(Memory::Bytes(value)))
    }

    /// What a trie has for the longest prefix of a key.
    fn longest(&mut self, name: &'static str, key: u64, size: usize) -> Option<Vec<u8>> {
        let key = self.slice(key, 4 + size).to_vec();
        let bits = u32::from_ne_bytes(key[..4].try_into().unwrap());
        assert!(bits as usize <= 8 * size, "{bits} of {size} bytes");
        (0..=bits).rev().find_map(|bits| {
            // Of the shorter ones only whole bytes, where there are no others.
            if name == emit::BENEATH && bits % 8 != 0 {
                return None;
            }
            let mut short = bits.to_ne_bytes().to_vec();
            let whole = bits as usize / 8;
            short.extend(&key[4..4 + whole]);
            if bits % 8 != 0 {
                short.push(key[4 + whole] & !(0xff >> (bits % 8)));
            }
            short.resize(4 + size, 0);
            self.loaded.maps.get(&(name, short)).cloned()
        })
    }

    /// Writes a text and its NUL, as functions of the kernel do, and returns its length.
    fn text(&mut self, text: Option<&str>, to: u64, size: u64, exact: bool) -> i64 {
        let bytes = self.slice(to, size as usize);
        let Some(text) = text else {
            return -ENOENT;
        };
        if exact {
            bytes.fill(0);
            if text.len() >= bytes.len() {
                return -ENAMETOOLONG;
            }
        }
        let fits = text.len().min(bytes.len() - 1);
        bytes[..fits].copy_from_slice(&text.as_bytes()[..fits]);
        bytes[fits] = 0;
        text.len() as i64 + 1
    }

    /// The path that the hook has as this name.
    fn path(&mut self, is: impl Fn(&Name) -> bool, to: u64, size: u64, flags: u64) -> i64 {
        let at = self.hook.names.iter().position(is);
        let at = at.expect("one of the hook's names");
        let paths = self.event.path.as_ref().expect("paths").list();
        match paths.get(at).cloned() {
            Some(path) => self.on_mount("path", Some(&path), to, size, flags),
            None => -EOPNOTSUPP,
        }
    }

    /// Writes a path, as [`Self::text`], unless it has to be on a mount of root's and is not.
    fn on_mount(&mut self, name: &str, path: Option<&str>, to: u64, size: u64, flags: u64) -> i64 {
        const DELETED: u64 = 2;
        const TRUSTED_MOUNT: u64 = 4;
        assert_eq!(flags & !TRUSTED_MOUNT, DELETED);
        let length = self.text(path, to, size, true);
        let untrusted = self.event.untrusted.iter().any(|other| other == name);
        if length >= 0 && flags & TRUSTED_MOUNT != 0 && untrusted {
            self.slice(to, size as usize).fill(0);
            return -EPERM;
        }
        length
    }

    fn argument(&self, address: u64) -> Object {
        match self.memory[self.at(address).0] {
            Memory::Object(object) => object,
            _ => panic!("{address:#x} is no object"),
        }
    }

    fn kfunc(&mut self, name: &str, r: [u64; 5]) -> i64 {
        let event = self.event;
        match name {
            "krsi_task_real_parent" => self.object(Object::Parent) as i64,
            "bpf_get_task_exe_file" => match self.argument(r[0]) {
                Object::Task => self.object(Object::Exe) as i64,
                Object::Parent => self.object(Object::ParentExe) as i64,
                other => panic!("{other:?} is no task"),
            },
            "bpf_task_release" | "bpf_put_file" => 0,
            "krsi_file_path" => match self.argument(r[0]) {
                Object::Exe => self.on_mount("exe", event.exe.as_deref(), r[1], r[2], r[3]),
                Object::ParentExe => self.on_mount("pexe", event.pexe.as_deref(), r[1], r[2], r[3]),
                Object::Argument(file) => {
                    self.path(|name| *name == Name::File(file), r[1], r[2], r[3])
                }
                other => panic!("{other:?} is no file"),
            },
            "krsi_path" | "krsi_bprm_path" => {
                let Object::Argument(number) = self.argument(r[0]) else {
                    panic!("this is no argument");
                };
                let is = match name {
                    "krsi_path" => Name::Path(number),
                    _ => Name::Bprm(number),
                };
                self.path(|name| *name == is, r[1], r[2], r[3])
            }
            "krsi_path_at" => {
                let (Object::Argument(dir), Object::Argument(entry)) =
                    (self.argument(r[0]), self.argument(r[1]))
                else {
                    panic!("these are no arguments");
                };
                self.path(|name| *name == Name::At(dir, entry), r[2], r[3], r[4])
            }
            "krsi_bprm_arg" => {
                let argv = event.argv.as_ref().expect("arguments");
                let argument = argv.get(r[1] as u32 as usize).cloned();
                self.text(argument.as_deref(), r[2], r[3], false)
            }
            "krsi_bprm_env" => {
                let (number, at) = self.at(r[1]);
                let names = &self.memory[number].bytes()[at..];
                let end = names.iter().position(|byte| *byte == 0);
                let name = String::from_utf8_lossy(&names[..end.expect("a NUL")]);
                let env = event.env.as_ref().expect("an environment");
                let value = env.get(name.as_ref()).cloned();
                self.text(value.as_deref(), r[2], r[3], false)
            }
            "krsi_current_cred_blob" => self.blob(Class::Cred, r[0], r[1]),
            "krsi_task_blob"
            | "krsi_inode_blob"
            | "krsi_path_inode_blob"
            | "krsi_file_blob"
            | "krsi_sock_blob" => {
                let class = match (name, self.argument(r[0]), self.hook.node) {
                    ("krsi_task_blob", Object::Task, _) => Class::Task,
                    ("krsi_inode_blob", Object::Inode, node)
                        if !matches!(node, Some(Node::Path(_))) =>
                    {
                        Class::Inode
                    }
                    ("krsi_path_inode_blob", Object::Argument(path), Some(Node::Path(number)))
                        if path == number =>
                    {
                        Class::Inode
                    }
                    ("krsi_file_blob", Object::Argument(file), Some(Node::File(number)))
                        if file == number =>
                    {
                        Class::File
                    }
                    ("krsi_file_blob", Object::Executed, Some(Node::Bprm(_))) => Class::File,
                    ("krsi_sock_blob", Object::Sock, _) => Class::Sock,
                    (_, object, _) => panic!("{name} of {object:?}"),
                };
                self.blob(class, r[1], r[2])
            }
            "krsi_audit_log" => {
                self.slice(r[0], emit::EVENT_SIZE);
                assert_eq!(r[1] as usize, emit::EVENT_SIZE);
                self.slice(r[2], r[3] as usize);
                self.outcome.records += 1;
                0
            }
            other => panic!("function {other}"),
        }
    }
}
