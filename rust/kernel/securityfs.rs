// SPDX-License-Identifier: GPL-2.0

//! securityfs: files of security modules.
//!
//! Directories and files that are created here are never removed, since security modules are never
//! unloaded.
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

/// The content of a file.
pub trait Show {
    /// Writes the file's whole content. May sleep. May be called several times for one reader.
    fn show(m: &SeqFile) -> Result;
}

/// A file that accepts commands. Each write is one command.
pub trait Command: Show {
    /// The required capability in the initial user namespace. Both the task that opened the file
    /// and the task that writes to it must have it.
    const CAPABILITY: u32;

    /// Executes a command: the bytes that were written, at most [`MAX_COMMAND`]. May sleep. May be
    /// called concurrently.
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
    /// Creates the directory `name` in the root of securityfs. Sleeps.
    ///
    /// Must not be called before `core_initcall`, where securityfs is initialised.
    pub fn new(name: &CStr) -> Result<Self> {
        // SAFETY: `name` is a C string, and a null parent stands for the root.
        let dentry = from_err_ptr(unsafe {
            bindings::securityfs_create_dir(name.as_char_ptr(), core::ptr::null_mut())
        })?;

        // INVARIANT: `securityfs_create_dir()` returned the dentry.
        Ok(Self(NonNull::new(dentry).ok_or(ENOMEM)?))
    }

    /// Creates a read-only file with the content of `T`. Sleeps.
    ///
    /// Only `mode` restricts access to the file: reading it checks no capability.
    pub fn file<T: Show>(&self, name: &CStr, mode: u16) -> Result {
        self.create(name, mode, ShowFile::<T>::FILE_OPERATIONS)
    }

    /// Creates a file that also accepts commands. Sleeps.
    ///
    /// Writing requires [`Command::CAPABILITY`] in addition to the permissions of `mode`.
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

/// The file operations of a [`Show`].
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
    /// Only the VFS may call this.
    unsafe extern "C" fn open(_: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: The VFS passes a valid file; `show` has the type that seq_file expects.
        unsafe { bindings::single_open(file, Some(Self::show), core::ptr::null_mut()) }
    }

    /// # Safety
    ///
    /// Only seq_file may call this.
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
    /// Only the VFS may call this.
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        buf: *const c_char,
        len: usize,
        _: *mut bindings::loff_t,
    ) -> isize {
        // Check both: a task without the capability can pass the file to one that has it, and a
        // task can drop the capability after it has opened the file.
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
