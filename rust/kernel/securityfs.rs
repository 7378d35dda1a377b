// SPDX-License-Identifier: GPL-2.0

//! securityfs: the files in which security modules show themselves.
//!
//! Directories and files made here stay for the life of the system, as security modules do.
//!
//! C header: [`include/linux/security.h`](srctree/include/linux/security.h)

use crate::{
    bindings,
    error::from_err_ptr,
    prelude::*,
    seq_file::SeqFile,
    uaccess::{UserPtr, UserSlice},
};
use core::{marker::PhantomData, ptr::NonNull};

/// What a file shows when it is read.
pub trait Show {
    /// Writes the file's whole content. May sleep; may run several times for one reader.
    fn show(m: &SeqFile) -> Result;
}

/// What a file does that can be written to: each write is one command.
pub trait Command: Show {
    /// The capability, in the initial user namespace, that both who opened the file and who writes
    /// to it must have.
    const CAPABILITY: u32;

    /// Does what `line` says, which is what was written and at most [`MAX_COMMAND`] bytes. May
    /// sleep; may run several times at once.
    fn command(line: &[u8]) -> Result;
}

/// The longest command, in bytes.
pub const MAX_COMMAND: usize = 128;

/// A directory of securityfs.
///
/// # Invariants
///
/// The pointer is a dentry that `securityfs_create_dir()` returned; it is never removed.
pub struct Dir(NonNull<bindings::dentry>);

impl Dir {
    /// Makes the directory `name` in the root of securityfs. Sleeps.
    ///
    /// Not before `core_initcall`, where securityfs itself starts.
    pub fn new(name: &CStr) -> Result<Self> {
        // SAFETY: `name` is a C string, and a null parent stands for the root.
        let dentry = from_err_ptr(unsafe {
            bindings::securityfs_create_dir(name.as_char_ptr(), core::ptr::null_mut())
        })?;

        // INVARIANT: The dentry was just made.
        Ok(Self(NonNull::new(dentry).ok_or(ENOMEM)?))
    }

    /// Makes a file in the directory that shows what `T` writes. Sleeps.
    ///
    /// The permissions `mode` are all that guards the file: nothing is checked when it is read.
    pub fn file<T: Show>(&self, name: &CStr, mode: u16) -> Result {
        self.create(name, mode, ShowFile::<T>::FILE_OPERATIONS)
    }

    /// As [`file`](Self::file), for a file that takes commands.
    ///
    /// Besides `mode` it is [`Command::CAPABILITY`] that guards writing.
    pub fn command_file<T: Command>(&self, name: &CStr, mode: u16) -> Result {
        self.create(name, mode, ShowFile::<T>::COMMAND_OPERATIONS)
    }

    fn create(&self, name: &CStr, mode: u16, operations: &'static FileOperations) -> Result {
        // SAFETY: `name` is a C string, the parent is valid by the type invariant, and the file
        // operations are static and need no data.
        from_err_ptr(unsafe {
            bindings::securityfs_create_file(
                name.as_char_ptr(),
                mode,
                self.0.as_ptr(),
                core::ptr::null_mut(),
                &raw const operations.0,
            )
        })?;
        Ok(())
    }
}

/// Where the file operations of a [`Show`] are made.
struct ShowFile<T: Show>(PhantomData<T>);

/// File operations in a constant.
struct FileOperations(bindings::file_operations);

// SAFETY: Never written.
unsafe impl Sync for FileOperations {}

impl<T: Show> ShowFile<T> {
    const FILE_OPERATIONS: &'static FileOperations = &FileOperations(bindings::file_operations {
        open: Some(Self::open),
        read: Some(bindings::seq_read),
        llseek: Some(bindings::seq_lseek),
        release: Some(bindings::single_release),
        ..pin_init::zeroed()
    });

    /// # Safety
    ///
    /// To be called by the VFS only.
    unsafe extern "C" fn open(_: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: The VFS passes a valid file; `show` fits.
        unsafe { bindings::single_open(file, Some(Self::show), core::ptr::null_mut()) }
    }

    /// # Safety
    ///
    /// To be called by seq_file only.
    unsafe extern "C" fn show(m: *mut bindings::seq_file, _: *mut c_void) -> c_int {
        // SAFETY: seq_file passes a valid pointer, locked for the duration of the call.
        match T::show(unsafe { SeqFile::from_raw(m) }) {
            Ok(()) => 0,
            Err(e) => e.to_errno(),
        }
    }
}

impl<T: Command> ShowFile<T> {
    const COMMAND_OPERATIONS: &'static FileOperations =
        &FileOperations(bindings::file_operations {
            write: Some(Self::write),
            ..Self::FILE_OPERATIONS.0
        });

    /// # Safety
    ///
    /// To be called by the VFS only.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        buf: *const c_char,
        len: usize,
        _: *mut bindings::loff_t,
    ) -> isize {
        // Not one of the two alone: a file can be handed to somebody who may more, or kept by
        // somebody who may less by now.
        // SAFETY: The VFS passes a valid file; the initial user namespace is static.
        let may = unsafe {
            bindings::file_ns_capable(
                file,
                &raw mut bindings::init_user_ns,
                T::CAPABILITY as c_int,
            ) && bindings::capable(T::CAPABILITY as c_int)
        };
        if !may {
            return EPERM.to_errno() as isize;
        }
        match Self::command(buf, len) {
            Ok(()) => len as isize,
            Err(e) => e.to_errno() as isize,
        }
    }

    fn command(buf: *const c_char, len: usize) -> Result {
        let mut line = [0; MAX_COMMAND];
        let line = line.get_mut(..len).ok_or(EINVAL)?;

        UserSlice::new(UserPtr::from_addr(buf as usize), len)
            .reader()
            .read_slice(line)?;
        T::command(line)
    }
}
