// SPDX-License-Identifier: GPL-2.0

//! The boot programs of each point.

use super::{class::Class, point::Point, typed::AnyObject};
use core::marker::PhantomData;
use kernel::{
    bindings,
    bpf::{AtomicGuard, Prog},
    cred::Credential,
    fs::Inode,
    prelude::*,
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
};

/// Number of points: members of `struct krsi_blob_ops`.
const POINTS: usize = size_of::<bindings::krsi_blob_ops>() / size_of::<*const ()>();
const _: () = assert!(Point::ALL.len() == POINTS);

/// Limit on the programs of a point.
pub(crate) const MAX_PROGRAMS: usize = 16;

/// The programs of a point, in the order in which they run, then null pointers.
///
/// # Invariants
///
/// Pointers that are not null are to programs that are never freed.
struct Programs([Atomic<*mut bindings::bpf_prog>; MAX_PROGRAMS]);

/// Written while boot programs are loaded.
static PROGRAMS: [Programs; POINTS] =
    [const { Programs([const { Atomic::new(core::ptr::null_mut()) }; MAX_PROGRAMS]) }; POINTS];

/// The programs of a point.
#[inline]
pub(crate) fn programs(point: Point) -> impl Iterator<Item = &'static Prog> {
    PROGRAMS[point as usize]
        .0
        .iter()
        .map(|prog| prog.load(Acquire))
        .take_while(|prog| !prog.is_null())
        // SAFETY: By the invariant of `Programs`, the program is never freed.
        .map(|prog| unsafe { Prog::from_raw(prog) })
}

/// Adds a program after those that a point has. Callers are serialised.
///
/// # Errors
///
/// `E2BIG`: the point has [`MAX_PROGRAMS`] programs.
pub(crate) fn add(point: Point, prog: &'static Prog) -> Result {
    let mut places = PROGRAMS[point as usize].0.iter();
    let place = places.find(|place| place.load(Relaxed).is_null());

    // INVARIANT: The reference is static.
    place.ok_or(E2BIG)?.store(prog.as_ptr(), Release);
    Ok(())
}

/// Whether a point has programs.
#[inline]
pub(super) fn has_programs(point: Point) -> bool {
    programs(point).next().is_some()
}

/// Whether a program initialises objects of a class, or depends on their initialisation.
pub(super) fn wants(class: Class) -> bool {
    // An inode without a call of the allocation hook would count as old.
    class == Class::inode
        && (has_programs(Point::inode_create) || has_programs(Point::inode_instantiate))
        || Point::of_class(class).is_some_and(has_programs)
}

/// The object from which another one is created.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// None, or unknown.
    None,
    /// New credentials inherit from these.
    Cred(&'a Credential),
    /// A new task is created by the current one, with these clone flags.
    Task(u64),
}

/// The arguments of the programs of a point.
///
/// # Invariants
///
/// `words` are the arguments of `point`. Objects among them are alive for `'a`.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    point: Point,
    words: [u64; 3],
    _lifetime: PhantomData<&'a c_void>,
}

impl<'a> Context<'a> {
    /// The arguments for the initialisation of an object. [`None`]: its class has no point.
    #[inline]
    pub(super) fn new(object: AnyObject<'a>, origin: Origin<'a>, how: u32) -> Option<Self> {
        let point = Point::of_class(object.class())?;
        let words = match (object.class(), origin) {
            (Class::cred, Origin::Cred(cred)) => [object.arg(), cred.as_ptr() as u64, how.into()],
            (Class::task, Origin::Task(flags)) => [object.arg(), flags, how.into()],
            (Class::cred | Class::task, _) => [object.arg(), 0, how.into()],
            _ => [object.arg(), how.into(), 0],
        };

        // INVARIANT: Credentials and tasks have a second argument, which can be null or 0. The
        // objects are alive for `'a`.
        Some(Self {
            point,
            words,
            _lifetime: PhantomData,
        })
    }

    /// The arguments of `inode_create`.
    #[inline]
    pub(super) fn inode_create(inode: &'a Inode, dir: &'a Inode, how: u32) -> Self {
        // INVARIANT: The two inodes are references.
        Self {
            point: Point::inode_create,
            words: [inode.as_ptr() as u64, dir.as_ptr() as u64, how.into()],
            _lifetime: PhantomData,
        }
    }

    /// The arguments of `inode_instantiate`. [`None`]: the object is not an inode.
    #[inline]
    pub(super) fn inode_instantiate(object: AnyObject<'a>, how: u32) -> Option<Self> {
        // INVARIANT: The object is an inode that is alive for `'a`.
        (object.class() == Class::inode).then(|| Self {
            point: Point::inode_instantiate,
            words: [object.arg(), how.into(), 0],
            _lifetime: PhantomData,
        })
    }
}

/// Runs the programs of a point.
pub(super) fn run(context: Context<'_>) {
    let _guard = AtomicGuard::new();

    for prog in programs(context.point) {
        // SAFETY: By the invariant of `Context`, these are the arguments for which the verifier
        // has checked the program. Boot programs do not sleep, since their helpers and kfuncs do
        // not, and do not ask for a cookie. The guard disables migration.
        unsafe { prog.run(context.words.as_ptr()) };
    }
}
