// SPDX-License-Identifier: GPL-2.0

//! Initialisation of objects by boot programs.
//!
//! Programs run when an object is created, from callbacks of KRSI itself before the programs of the
//! same hook. An object without such a call is initialised at its first access.

use super::{
    class::Class,
    point::Point,
    points::{self, has_programs, Context, Origin},
    state,
    typed::AnyObject,
};
use kernel::{bindings, fs::Inode, preempt, sync::atomic::Atomic};

/// The object is being created by the current task.
const NEW: u32 = bindings::krsi_blob_how_KRSI_BLOB_NEW;

/// The object is older than the programs, or the current task is unrelated.
const OLD: u32 = bindings::krsi_blob_how_KRSI_BLOB_OLD;

/// Initialises an object, unless it is initialised. Returns whether its slots can be accessed.
fn initialise(object: AnyObject<'_>, state: &Atomic<u32>, origin: Origin<'_>, how: u32) -> bool {
    state::initialise(state, || {
        if let Some(context) = Context::new(object, origin, how) {
            points::run(context);
        }
        if object.class() == Class::inode && how == OLD {
            // The inode may already have all its dentries. CPUs that access it wait only for the
            // first state word.
            if object.instantiated().is_some_and(state::skip) {
                if let Some(context) = Context::inode_instantiate(object, how) {
                    points::run(context);
                }
            }
        }
    })
}

/// Initialises an object that is accessed, unless it is initialised. Returns whether its slots can
/// be accessed. Any context.
pub(super) fn ensure(object: AnyObject<'_>) -> bool {
    match object.state() {
        Some(state) => state::ready(state) || initialise(object, state, Origin::None, OLD),
        None => true,
    }
}

/// Initialises an object that is being created. Any context.
pub(super) fn init_new(object: AnyObject<'_>, origin: Origin<'_>) {
    let Some(state) = object.state() else {
        return;
    };
    // In interrupts, current is unrelated.
    let how = if preempt::in_task() { NEW } else { OLD };

    initialise(object, state, origin, how);
}

/// Runs the programs that label new files. Called from `inode_init_security`, after [`init_new`].
pub(super) fn inode_create(inode: &Inode, dir: Option<&Inode>) {
    if let Some(dir) = dir.filter(|_| has_programs(Point::inode_create)) {
        points::run(Context::inode_create(inode, dir, NEW));
    }
}

/// Runs the programs that label inodes that are bound to their first dentry. Called from
/// `d_instantiate`.
pub(super) fn inode_instantiate(inode: &Inode) {
    if !has_programs(Point::inode_instantiate) {
        return;
    }
    let object = AnyObject::of(inode);

    ensure(object);
    if let (Some(state), Some(context)) = (
        object.instantiated(),
        Context::inode_instantiate(object, NEW),
    ) {
        state::initialise(state, || points::run(context));
    }
}
