// SPDX-License-Identifier: GPL-2.0

//! Tests with real objects, from the directory that `KRSI_BOOT_OBJECTS` names.
//!
//! The parser must not panic on any input. The kernel compiles the same source.

use crate::{
    blob::{class::Class, point::Point},
    elf::Elf,
    helpers::{helper_allowed, helper_refused, kfunc_allowed, HELPERS},
    object::Object,
    program::Reloc,
    run,
    slot::Totals,
    totals, write, Source,
};
use std::{env, fs};

/// Names and contents of the objects.
fn objects() -> Vec<(String, Vec<u8>)> {
    let directory = env::var("KRSI_BOOT_OBJECTS").expect("KRSI_BOOT_OBJECTS");
    let mut objects: Vec<_> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".bpf.o"))
        .map(|path| {
            let data = fs::read(&path).expect("a file");
            (path.to_string_lossy().into_owned(), data)
        })
        .collect();

    assert!(!objects.is_empty());
    objects.sort();
    objects
}

/// The object of a name.
fn object(name: &str) -> Vec<u8> {
    objects()
        .into_iter()
        .find(|(path, _)| path.ends_with(&format!("/{name}.bpf.o")))
        .map(|(_, data)| data)
        .expect("the object")
}

/// Reads all parts of an object. Returns false if it is not one.
fn read(data: &[u8]) -> bool {
    match Object::parse(data) {
        Ok(object) => {
            for program in object.programs() {
                assert!(program.insns.len() % 8 == 0 && !program.insns.is_empty());
                for reloc in program.relocs() {
                    assert!(reloc.insn() * 8 < program.insns.len());
                    match reloc {
                        Reloc::Slot { index, .. } => assert!(index < object.slots().count()),
                        Reloc::Kfunc { name, .. } => assert!(kfunc_allowed(name)),
                    }
                }
                assert_eq!(program.core_relos().len() % 16, 0);
            }
            assert!(object.programs().count() > 0);
            assert!(object.btf().len() >= 24);
            if let Some(new) = write::write(&object) {
                let new = Object::parse(&new).expect("what was written is an object");
                assert!(write::same(&object, &new));
            }
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// Reproducible pseudo-random numbers (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize
    }
}

#[test]
fn good_objects_are_read() {
    for (path, data) in objects() {
        assert!(Object::parse(&data)
            .map_err(|e| panic!("{path}: {e}"))
            .is_ok());
        assert!(read(&data));
    }
}

#[test]
fn the_label_object_has_all_points() {
    let data = object("label");
    let object = Object::parse(&data).expect("an object");

    assert_eq!(object.programs().count(), Point::ALL.len());
    for point in Point::ALL {
        let program = object.programs().find(|program| program.point == point);
        let program = program.expect("a program");
        assert_eq!(program.name, format!("label_{}", point.name()).as_bytes());
        assert_eq!(
            program.section,
            format!("krsi.blob/{}", point.name()).as_bytes()
        );
        let slots: Vec<_> = program
            .relocs()
            .filter_map(|reloc| match reloc {
                Reloc::Slot { index, .. } => object.slots().nth(index),
                Reloc::Kfunc { .. } => None,
            })
            .collect();
        assert!(!slots.is_empty());
        assert!(slots.iter().all(|slot| slot.class == point.class()));
    }
    assert_eq!(object.slots().count(), 17);
    let task = object
        .programs()
        .find(|program| program.point == Point::inode);
    assert!(task.is_some_and(|program| !program.core_relos().is_empty()));
}

#[test]
fn flags_of_slots_are_read() {
    let data = object("inherit");
    let object = Object::parse(&data).expect("an object");
    let slots: Vec<_> = object
        .slots()
        .map(|slot| {
            (
                slot.name,
                slot.class as u32,
                slot.size,
                slot.align,
                slot.flags,
            )
        })
        .collect();
    let expected: [(&[u8], u32, u32, u32, u32); 3] = [
        (b"depth", 0, 8, 4, 2),
        (b"taint", 0, 8, 8, 1),
        (b"generation", 1, 8, 8, 1),
    ];
    assert_eq!(slots, expected);
}

#[test]
fn flags_of_xattr_slots_are_read() {
    let data = object("kept");
    let object = Object::parse(&data).expect("an object");
    let flags: Vec<_> = object.slots().map(|slot| slot.flags).collect();
    assert_eq!(flags, [4]);
}

#[test]
fn xattr_slots_occupy_more() {
    let mut totals = Totals::NONE;

    assert_eq!(totals.add(Class::inode, 9, 0), Ok(()));
    assert_eq!(totals.bytes[4], 16);
    assert_eq!(totals.add(Class::inode, 9, 4), Ok(()));
    assert_eq!((totals.bytes[4], totals.xattrs), (40, 1));
    // A slot that does not fit changes nothing.
    assert!(totals.add(Class::inode, 984, 4).is_err());
    assert_eq!((totals.bytes[4], totals.xattrs), (40, 1));
    for xattrs in 1..16 {
        assert_eq!(
            (totals.xattrs, totals.add(Class::inode, 8, 4)),
            (xattrs, Ok(()))
        );
    }
    assert!(totals.add(Class::inode, 8, 4).is_err());
    assert_eq!((totals.bytes[4], totals.xattrs), (40 + 15 * 16, 16));
    assert_eq!(totals.add(Class::inode, 8, 0), Ok(()));
}

#[test]
fn rewritten_objects_are_small_and_equal() {
    for (path, data) in objects() {
        let object = Object::parse(&data).expect("an object");
        let new = write::write(&object).expect("well-formed types");
        let parsed = Object::parse(&new).expect("an object");

        assert!(write::same(&object, &parsed));
        assert!(new.len() * 2 < data.len(), "{path}: {} bytes", new.len());
        // Rewriting is idempotent, and leaves no debug information.
        assert_eq!(write::write(&parsed), Some(new.clone()));
        assert!(!new.windows(6).any(|bytes| bytes == b".debug"));
        assert!(!new.windows(6).any(|bytes| bytes == b".bpf.c"));
        let relocs = |object: &Object<'_>| -> Vec<(Vec<u8>, String)> {
            object
                .programs()
                .flat_map(|program| accesses(object, program.core_relos()))
                .collect()
        };
        assert_eq!(relocs(&object), relocs(&parsed));
    }
}

/// Offset, type, kind and access string of each CO-RE relocation.
fn accesses(object: &Object<'_>, records: &[u8]) -> Vec<(Vec<u8>, String)> {
    let btf = object.btf();
    let number =
        |data: &[u8], at: usize| u32::from_le_bytes(data[at..at + 4].try_into().unwrap()) as usize;
    let strings = &btf[number(btf, 4) + number(btf, 16)..];

    records
        .chunks_exact(16)
        .map(|record| {
            let text = &strings[number(record, 8)..];
            let text = text.split(|&c| c == 0).next().unwrap();
            (
                [&record[..8], &record[12..]].concat(),
                String::from_utf8_lossy(text).into_owned(),
            )
        })
        .collect()
}

#[test]
fn truncated_objects_are_refused() {
    for (path, data) in objects() {
        let new = write::write(&Object::parse(&data).expect("an object")).expect("types");
        for data in [data, new] {
            for len in (0..data.len()).step_by(7) {
                assert!(!read(&data[..len]), "{path}: the first {len} bytes");
            }
        }
    }
}

#[test]
fn mutated_objects_do_not_panic() {
    let mut random = Random(0x6b72_7369);
    let mut good = 0u32;
    let mut total = 0u32;

    for (_, data) in objects() {
        let new = write::write(&Object::parse(&data).expect("an object")).expect("types");
        // Each byte, in the small object.
        for at in 0..new.len() {
            let mut bad = new.clone();
            bad[at] = [0, 0xff, new[at] ^ 1][at % 3];
            good += u32::from(read(&bad));
            total += 1;
        }
        // Several changes at once, and words with extreme values.
        for data in [&data, &new] {
            for _ in 0..1000 {
                let mut bad = data.clone();
                for _ in 0..1 + random.next() % 4 {
                    let at = random.next() % (bad.len() - 8);
                    match random.next() % 4 {
                        0 => bad[at] = random.next() as u8,
                        1 => bad[at] ^= 1 << (random.next() % 8),
                        2 => {
                            let value =
                                [0, 1, 0x7fff_ffff, u32::MAX, data.len() as u32][random.next() % 5];
                            bad[at & !3..][..4].copy_from_slice(&value.to_le_bytes());
                        }
                        _ => {
                            let value = [0, 1, i64::MAX as u64, u64::MAX, data.len() as u64]
                                [random.next() % 5];
                            bad[at & !7..][..8].copy_from_slice(&value.to_le_bytes());
                        }
                    }
                }
                good += u32::from(read(&bad));
                total += 1;
            }
        }
    }
    // Some changes make the object invalid, others do not matter.
    assert!(good > 100 && good < total - total / 8, "{good} of {total}");
}

#[test]
fn invalid_headers_are_rejected() {
    let data = object("label");
    let changed = |at: usize, value: u8| {
        let mut bad = data.clone();
        bad[at] = value;
        Object::parse(&bad).err().map(|error| error.to_string())
    };

    for (at, value, message) in [
        (0, 0, "not an ELF object"),
        (4, 1, "not an ELF object of 64 bits"),
        (5, 2, "not little-endian: compile it with --target=bpfel"),
        (16, 2, "not a relocatable object: link nothing"),
        (18, 62, "not a BPF object: it is for ELF machine 62"),
        (58, 40, "a malformed ELF object: a section of another size"),
        (
            62,
            255,
            "a truncated ELF object: a part lies beyond the end",
        ),
    ] {
        assert_eq!(changed(at, value).as_deref(), Some(message), "byte {at}");
    }
}

/// No section is silently ignored because of its type.
#[test]
fn sections_have_the_type_that_their_name_says() {
    let data = object("label");
    let elf = Elf::parse(&data).expect("an ELF object");
    let headers = u64::from_le_bytes(data[40..48].try_into().unwrap()) as usize;
    let mut programs = 0;

    for section in elf.sections() {
        let name = String::from_utf8_lossy(section.name);
        let is_program = name.starts_with("krsi.blob/");
        let matters = [".krsi.slots", ".BTF", ".BTF.ext", "license", ".symtab"];

        if !is_program && !matters.contains(&&*name) && !name.starts_with(".relkrsi") {
            continue;
        }
        programs += usize::from(is_program);
        // NULL, PROGBITS, SYMTAB, STRTAB, NOTE, NOBITS, REL and an unknown type.
        for kind in [0, 1, 2, 3, 7, 8, 9, 0x6fff_4c03u32] {
            let mut bad = data.clone();
            bad[headers + section.index * 64 + 4..][..4].copy_from_slice(&kind.to_le_bytes());
            let error = Object::parse(&bad).err().map(|error| error.to_string());

            assert_eq!(
                error.is_none(),
                kind == section.kind,
                "{name}: {kind}: {error:?}"
            );
            if is_program && kind != section.kind {
                let message = format!(
                    "section {name}: a program is in a section of type PROGBITS, not {kind}"
                );
                assert_eq!(error, Some(message));
            }
        }
    }
    assert_eq!(programs, Point::ALL.len());
}

#[test]
fn addresses_are_of_whole_slots() {
    let data = object("label");
    let object = Object::parse(&data).expect("an object");
    let program = object.programs().next().expect("a program");
    let slot = program
        .relocs()
        .find(|reloc| matches!(reloc, Reloc::Slot { .. }))
        .expect("a slot");
    let insns = program.insns.as_ptr() as usize - data.as_ptr() as usize;

    for (offset, good) in [
        (0u32, true),
        (48, true),
        (8, false),
        (48 * 17, false),
        (!0, false),
    ] {
        let mut bad = data.clone();
        bad[insns + slot.insn() * 8 + 4..][..4].copy_from_slice(&offset.to_le_bytes());
        let error = Object::parse(&bad).err().map(|error| error.to_string());
        let message = format!(
            "section krsi.blob/cred: instruction {}: not the address of a slot",
            slot.insn()
        );
        assert_eq!(error, (!good).then_some(message));
    }
}

#[test]
fn slots_of_several_objects_go_together() {
    let (label, inherit) = (object("label"), object("inherit"));
    let parse = |data| Object::parse(data).expect("an object");
    let mut errors = Vec::new();

    let both = [("a", parse(&label)), ("b", parse(&inherit))];
    let text = totals(&both, &mut errors);
    assert!(errors.is_empty());
    assert!(
        text.starts_with("19 programs of 15 classes, 20 slots;"),
        "{text}"
    );
    assert!(text.contains(" cred:48 task:40 file:32 "), "{text}");
    assert!(text.contains(" inode:80 "), "{text}");

    let twice = [("a", parse(&inherit)), ("b", parse(&inherit))];
    totals(&twice, &mut errors);
    assert_eq!(errors.len(), 3);
    assert_eq!(errors[0].0, "b");
    assert_eq!(
        errors[0].1,
        "section .krsi.slots: slot depth: class cred has a slot of this name in a"
    );
}

#[test]
fn missing_files_are_named() {
    let errors = run(&[Source::new("name=/nonexistent/x.o")], None, true);
    assert_eq!(
        errors.err().map(|e| e[0].0.clone()).as_deref(),
        Some("/nonexistent/x.o")
    );
}

#[test]
fn lists_are_in_order() {
    assert!(HELPERS.windows(2).all(|pair| pair[0] < pair[1]));
    for id in 0..300 {
        // No helper is both allowed and rejected.
        assert!(!(helper_allowed(id) && helper_refused(id).0.is_some()));
    }
    for point in Point::ALL {
        assert_eq!(Point::by_name(point.name().as_bytes()), Some(point));
        assert!(point.name().starts_with(point.class().name()));
    }
}

#[test]
fn kfuncs_are_those_of_blobs() {
    for name in [
        "krsi_inode_blob",
        "krsi_cred_blob",
        "krsi_current_cred_blob",
    ] {
        assert!(kfunc_allowed(name.as_bytes()), "{name}");
    }
    for name in [
        "",
        "krsi_blob",
        "krsi__blob",
        "krsi_tun_dev_blob",
        "krsi_ib_blob",
        "krsi_bprm_cred_blob",
        "krsi_path_inode_blob",
        "krsi_inode_blob_",
        "bpf_task_acquire",
    ] {
        assert!(!kfunc_allowed(name.as_bytes()), "{name}");
    }
}

#[test]
fn nothing_else_is_an_object() {
    assert!(Elf::parse(&[]).is_err());
    assert!(!read(b"\x7fELF"));
    assert!(!read(&[0x7f; 4096]));
}
