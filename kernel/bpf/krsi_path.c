// SPDX-License-Identifier: GPL-2.0
/*
 * kfuncs that write paths as strings. These are wrappers, because kfuncs need
 * BTF, which Rust functions do not have. See
 * Documentation/bpf/krsi-kfuncs-refs.rst.
 */

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/krsi.h>

#include "krsi_kfuncs.h"

__bpf_kfunc_start_defs();

/**
 * krsi_path - write a path as a string
 * @path: the path, such as &file->f_path or a hook's argument
 * @dst: destination, of any size
 * @dst__sz: size of @dst in bytes
 * @flags: of enum krsi_path_flags
 *
 * On success, @dst contains the whole path with a NUL, and is zeroed after it.
 * On error, @dst is zeroed.
 *
 * A path is not an identity. In namespaces of its own, an unprivileged task can
 * mount any file at any path: "unshare -Urm", then "mount --bind evil /usr/bin/ok".
 * A program that allows something because of a path must pass
 * %KRSI_PATH_TRUSTED_MOUNT.
 *
 * Context: hooks in process context without spinlocks; does not sleep.
 * Return: the length including the NUL, or
 * * -EINVAL: flags that are unknown or exclude each other, or @dst__sz is 0
 * * -ENAMETOOLONG: @dst is too small
 * * -ENOENT: the file was deleted, and %KRSI_PATH_DELETED was not given
 * * -EOPNOTSUPP: the file never has a path: pipes, sockets, anonymous files,
 *   and files on kernel-internal mounts
 * * -EXDEV: the file is not below the root
 * * -ESTALE: the mount was unmounted, or is not attached yet
 * * -ESRCH: the current task is exiting and has no root
 * * -EPERM: %KRSI_PATH_TRUSTED_MOUNT was given, and an unprivileged task may have
 *   made the mount
 * * -EAGAIN: the program has disabled preemption or interrupts, on a PREEMPT_RT
 *   kernel, where the locks that a path takes may sleep
 */
__bpf_kfunc s64 krsi_path(const struct path *path, char *dst, u32 dst__sz,
			  u64 flags)
{
	return krsi_write_path(path, dst, dst__sz, flags);
}

/**
 * krsi_path_at - write the path of a dentry as a string
 * @dir: a path on the same mount, such as the directory's
 * @dentry: the dentry, which may be negative
 * @dst: destination, of any size
 * @dst__sz: size of @dst in bytes
 * @flags: of enum krsi_path_flags
 *
 * For hooks whose arguments are the path of a directory and a dentry in it.
 *
 * Context: as for krsi_path().
 * Return: as for krsi_path(); -EINVAL if the two are on different filesystems.
 */
__bpf_kfunc s64 krsi_path_at(const struct path *dir, const struct dentry *dentry,
			     char *dst, u32 dst__sz, u64 flags)
{
	return krsi_write_path_at(dir, dentry, dst, dst__sz, flags);
}

/**
 * krsi_file_path - write the path by which a file was opened as a string
 * @file: the file
 * @dst: destination, of any size
 * @dst__sz: size of @dst in bytes
 * @flags: of enum krsi_path_flags
 *
 * If a stacking filesystem opened the file in a lower one, this is the path in
 * the upper filesystem.
 *
 * Context: as for krsi_path().
 * Return: as for krsi_path().
 */
__bpf_kfunc s64 krsi_file_path(const struct file *file, char *dst, u32 dst__sz,
			       u64 flags)
{
	return krsi_write_file_path(file, dst, dst__sz, flags);
}

/**
 * krsi_bprm_path - write the path of the executed file as a string
 * @bprm: the hook's argument
 * @dst: destination, of any size
 * @dst__sz: size of @dst in bytes
 * @flags: of enum krsi_path_flags
 *
 * For a script, this is the script's path at the first call of the hook and the
 * interpreter's path at the next. The same is true of a file that binfmt_misc has
 * an interpreter for, unless the interpreter replaces the ELF file's dynamic
 * loader (flag L): then it is the path of the ELF file only.
 *
 * Context: as for krsi_path().
 * Return: as for krsi_path().
 */
__bpf_kfunc s64 krsi_bprm_path(const struct linux_binprm *bprm, char *dst,
			       u32 dst__sz, u64 flags)
{
	return krsi_write_bprm_path(bprm, dst, dst__sz, flags);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(krsi_path_ids)
BTF_ID_FLAGS(func, krsi_path, KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_path_at, KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_file_path, KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_bprm_path, KRSI_HOOK_KFUNC)
BTF_KFUNCS_END(krsi_path_ids)

/* Tracing programs share the kfuncs of LSM programs. */
static int krsi_path_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
	int hook;

	if (!btf_id_set8_contains(&krsi_path_ids, kfunc_id))
		return 0;
	hook = krsi_kfunc_hook(prog);
	if (hook < 0)
		return hook;
	return krsi_path_allowed(hook) ? 0 : -EACCES;
}

static const struct btf_kfunc_id_set krsi_path_set = {
	.owner = THIS_MODULE,
	.set = &krsi_path_ids,
	.filter = krsi_path_filter,
};

static int __init krsi_path_init(void)
{
	/* Programs get the names from BTF. */
	BTF_TYPE_EMIT_ENUM(KRSI_PATH_TASK_ROOT);

	if (!krsi_active())
		return 0;
	return krsi_register_kfuncs(BPF_PROG_TYPE_LSM, &krsi_path_set);
}
late_initcall(krsi_path_init);
