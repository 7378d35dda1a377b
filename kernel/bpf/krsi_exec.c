// SPDX-License-Identifier: GPL-2.0
/*
 * The kfuncs that read the arguments and the environment of a program that is
 * about to run. What they do is in security/krsi/exec/; here is what has to
 * be C: their BTF, and who may call them.
 */

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/krsi.h>

#include "krsi_kfuncs.h"

__bpf_kfunc_start_defs();

/**
 * krsi_bprm_read - read from the area of arguments and environment
 * @bprm: the program that is about to run, the hook's argument
 * @off: offset into the area, in bytes
 * @dst: gets the bytes; all zero on error
 * @dst__sz: how many bytes to read
 *
 * The area has the argument strings, then the environment strings; each ends
 * with a NUL.
 *
 * Context: sleeps.
 * Return: the number of bytes read, which is less than @dst__sz at the end of
 * the area and 0 behind it; -ESRCH if the arguments are not @bprm's any more;
 * -EINTR if a fatal signal came; another negative errno if memory that was
 * swapped out could not be read.
 */
__bpf_kfunc s64 krsi_bprm_read(struct linux_binprm *bprm, u64 off, void *dst,
			       u32 dst__sz)
{
	return krsi_exec_read(bprm, off, dst, dst__sz);
}

/**
 * krsi_bprm_arg - get an argument
 * @bprm: the program that is about to run, the hook's argument
 * @index: which; 0 is the name that the program gets
 * @dst: gets the string, cut to what fits, with a NUL; all zero on error
 * @dst__sz: size of @dst in bytes; 0 only measures
 *
 * Context: sleeps.
 * Return: the length of the argument with its NUL, which did not fit if it is
 * more than @dst__sz; -ENOENT if there are not as many arguments; -EILSEQ if
 * the string has no end, because another task changed it while the kernel
 * copied it, and the program cannot run; else as krsi_bprm_read().
 */
__bpf_kfunc s64 krsi_bprm_arg(struct linux_binprm *bprm, u32 index, char *dst,
			      u32 dst__sz)
{
	return krsi_exec_arg(bprm, index, dst, dst__sz);
}

/**
 * krsi_bprm_next_arg - get the arguments one after the other
 * @bprm: the program that is about to run, the hook's argument
 * @cursor: which argument is next; all zero for the first one. Moved to the one
 * after it on success, left alone on error
 * @dst: as for krsi_bprm_arg()
 * @dst__sz: as for krsi_bprm_arg()
 *
 * A loop takes time in proportion to the arguments' length, while krsi_bprm_arg()
 * walks from the first argument each time. A cursor is good for one call of a
 * hook.
 *
 * Context: sleeps.
 * Return: as krsi_bprm_arg(): -ENOENT after the last argument; -EINVAL too, if no
 * argument begins at the cursor or it is of another area of arguments.
 */
__bpf_kfunc s64 krsi_bprm_next_arg(struct linux_binprm *bprm,
				   struct krsi_arg_cursor *cursor, char *dst,
				   u32 dst__sz)
{
	return krsi_exec_next_arg(bprm, cursor, dst, dst__sz);
}

/**
 * krsi_bprm_find_arg - find an argument
 * @bprm: the program that is about to run, the hook's argument
 * @from: number of the first argument to look at
 * @text: what to look for, up to a NUL or whole
 * @text__sz: size of @text in bytes
 * @flags: of enum krsi_arg_flags
 *
 * Looks at all arguments from @from on, whatever their number and length, in one
 * pass. Without flags, an argument is found if it equals @text.
 *
 * Context: sleeps.
 * Return: the number of the first argument that is found; -ENOENT if there is
 * none; -EINVAL for unknown flags; -ENOMEM; else as krsi_bprm_arg().
 */
__bpf_kfunc s64 krsi_bprm_find_arg(struct linux_binprm *bprm, u32 from,
				   const char *text, u32 text__sz, u64 flags)
{
	BTF_TYPE_EMIT_ENUM(KRSI_ARG_PREFIX);

	return krsi_exec_find_arg(bprm, from, text, text__sz, flags);
}

/**
 * krsi_bprm_env - get the value of an environment variable
 * @bprm: the program that is about to run, the hook's argument
 * @name__str: name of the variable
 * @dst: gets the value, cut to what fits, with a NUL; all zero on error
 * @dst__sz: size of @dst in bytes; 0 only measures
 *
 * Context: sleeps.
 * Return: the length of the value with its NUL, which did not fit if it is more
 * than @dst__sz; -ENOENT if there is no such variable; -ENOTUNIQ if there are
 * several, of which programs differ in the one that they take; -EINVAL if the
 * name is empty or has a '='; else as krsi_bprm_arg().
 */
__bpf_kfunc s64 krsi_bprm_env(struct linux_binprm *bprm, const char *name__str,
			      char *dst, u32 dst__sz)
{
	return krsi_exec_env(bprm, name__str, dst, dst__sz);
}

/**
 * krsi_bprm_dump - send the arguments and the environment to user space
 * @bprm: the program that is about to run, the hook's argument
 * @map__map: a map of type ring buffer or perf event array
 * @flags: as for bpf_ringbuf_output() or bpf_perf_event_output()
 *
 * Sends the whole area as records of at most KRSI_EXEC_RECORD_MAX bytes, each a
 * struct krsi_exec_record and bytes. When the buffer is full the rest is not
 * sent, the return value says so, and exec_dump_lost in securityfs counts it.
 *
 * Context: sleeps.
 * Return: the exec id of the records, more than 0; -ENOSPC if the buffer was
 * full; -EINVAL if the map is of another type or the flags are unknown; for a
 * perf event array -ENOENT, -E2BIG or -EOPNOTSUPP if it has no event for this
 * CPU; -ENOMEM; else as krsi_bprm_read().
 */
__bpf_kfunc s64 krsi_bprm_dump(struct linux_binprm *bprm, void *map__map,
			       u64 flags)
{
	BTF_TYPE_EMIT(struct krsi_exec_record);
	BTF_TYPE_EMIT_ENUM(KRSI_EXEC_LAST);

	return krsi_exec_dump(bprm, map__map, flags);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(krsi_exec_kfuncs)
BTF_ID_FLAGS(func, krsi_bprm_read, KF_SLEEPABLE | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_bprm_arg, KF_SLEEPABLE | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_bprm_next_arg, KF_SLEEPABLE | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_bprm_find_arg, KF_SLEEPABLE | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_bprm_env, KF_SLEEPABLE | KRSI_HOOK_KFUNC)
BTF_ID_FLAGS(func, krsi_bprm_dump, KF_SLEEPABLE | KRSI_HOOK_KFUNC)
BTF_KFUNCS_END(krsi_exec_kfuncs)

/* Where bprm->mm is there, and is nobody else's. */
BTF_SET_START(krsi_exec_hooks)
BTF_ID(func, bpf_lsm_bprm_check_security)
BTF_ID(func, bpf_lsm_bprm_creds_for_exec)
BTF_ID(func, bpf_lsm_bprm_creds_from_file)
BTF_SET_END(krsi_exec_hooks)

/* The verifier asks about every kfunc of every program of a tracing type. */
static int krsi_exec_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
	if (!btf_id_set8_contains(&krsi_exec_kfuncs, kfunc_id))
		return 0;
	if (prog->type == BPF_PROG_TYPE_LSM &&
	    prog->expected_attach_type == BPF_LSM_MAC &&
	    btf_id_set_contains(&krsi_exec_hooks, prog->aux->attach_btf_id))
		return 0;
	return -EACCES;
}

static const struct btf_kfunc_id_set krsi_exec_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &krsi_exec_kfuncs,
	.filter = krsi_exec_filter,
};

/* Not with another LSM: a policy that needs them must fail to load then. */
static int __init krsi_exec_init(void)
{
	if (!krsi_active())
		return 0;
	return krsi_register_kfuncs(BPF_PROG_TYPE_LSM, &krsi_exec_kfunc_set);
}
late_initcall(krsi_exec_init);
