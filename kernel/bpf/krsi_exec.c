// SPDX-License-Identifier: GPL-2.0
/*
 * The kfuncs that read the arguments and the environment of a program that is
 * about to run. C parts: their BTF and their filter. See security/krsi/exec/
 * for the implementation.
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
 * @dst: destination; zeroed on error
 * @dst__sz: number of bytes to read
 *
 * The area contains the argument strings, then the environment strings. Each
 * ends with a NUL.
 *
 * Context: sleeps.
 * Return: the number of bytes read, which is less than @dst__sz at the end of
 * the area and 0 after it; -ESRCH if @bprm no longer owns the arguments; -EINTR
 * if a fatal signal is pending; another negative errno if memory that was
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
 * @index: number of the argument; 0 is argv[0]
 * @dst: gets the string, truncated if necessary, with a NUL; zeroed on error
 * @dst__sz: size of @dst in bytes; 0 to get the length only
 *
 * Context: sleeps.
 * Return: the length of the argument including its NUL, which was truncated if
 * this is more than @dst__sz; -ENOENT if there are fewer arguments; -EILSEQ if
 * the string has no end, because another task changed it while the kernel
 * copied it, and the program cannot run; otherwise as krsi_bprm_read().
 */
__bpf_kfunc s64 krsi_bprm_arg(struct linux_binprm *bprm, u32 index, char *dst,
			      u32 dst__sz)
{
	return krsi_exec_arg(bprm, index, dst, dst__sz);
}

/**
 * krsi_bprm_next_arg - get the next argument
 * @bprm: the program that is about to run, the hook's argument
 * @cursor: position of the next argument, all zero for the first one. Advanced
 * on success, unchanged on error
 * @dst: as for krsi_bprm_arg()
 * @dst__sz: as for krsi_bprm_arg()
 *
 * A loop over all arguments takes linear time, while krsi_bprm_arg() starts at
 * the first argument each time. A cursor is valid during one call of a hook.
 *
 * Context: sleeps.
 * Return: as krsi_bprm_arg(); -ENOENT after the last argument; -EINVAL if no
 * argument begins at the cursor, or if it belongs to another area.
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
 * @from: number of the first argument to compare
 * @text: text to find. Ends at a NUL or after @text__sz bytes
 * @text__sz: size of @text in bytes
 * @flags: of enum krsi_arg_flags
 *
 * Compares all arguments from @from on in one pass, whatever their number and
 * length. Without flags, an argument matches if it equals @text.
 *
 * Context: sleeps.
 * Return: the number of the first argument that matches; -ENOENT if none does;
 * -EINVAL for unknown flags; -ENOMEM; otherwise as krsi_bprm_arg().
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
 * @dst: gets the value, truncated if necessary, with a NUL; zeroed on error
 * @dst__sz: size of @dst in bytes; 0 to get the length only
 *
 * Context: sleeps.
 * Return: the length of the value including its NUL, which was truncated if
 * this is more than @dst__sz; -ENOENT if there is no such variable; -ENOTUNIQ
 * if there are several, because programs differ in which one they use; -EINVAL
 * if the name is empty or contains a '='; otherwise as krsi_bprm_arg().
 */
__bpf_kfunc s64 krsi_bprm_env(struct linux_binprm *bprm, const char *name__str,
			      char *dst, u32 dst__sz)
{
	return krsi_exec_env(bprm, name__str, dst, dst__sz);
}

/**
 * krsi_bprm_dump - send the arguments and the environment to user space
 * @bprm: the program that is about to run, the hook's argument
 * @map__map: a ring buffer or a perf event array
 * @flags: as for bpf_ringbuf_output() or bpf_perf_event_output()
 *
 * Sends the whole area as records of at most KRSI_EXEC_RECORD_MAX bytes. Each
 * is a struct krsi_exec_record followed by bytes. If the buffer is full, the
 * rest of the area is lost, which exec_dump_lost in securityfs counts.
 *
 * Context: sleeps.
 * Return: the exec id of the records, more than 0; -ENOSPC if the buffer was
 * full; -EINVAL if the map is of another type or the flags are unknown; for a
 * perf event array -ENOENT, -E2BIG or -EOPNOTSUPP if it has no event for this
 * CPU; -ENOMEM; otherwise as krsi_bprm_read().
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

/* Hooks at which bprm->mm exists and only the current task can access it. */
BTF_SET_START(krsi_exec_hooks)
BTF_ID(func, bpf_lsm_bprm_check_security)
BTF_ID(func, bpf_lsm_bprm_creds_for_exec)
BTF_ID(func, bpf_lsm_bprm_creds_from_file)
BTF_SET_END(krsi_exec_hooks)

/* Called for every kfunc of every program of a tracing type. */
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

/* If KRSI is not active, a policy that needs the kfuncs must fail to load. */
static int __init krsi_exec_init(void)
{
	if (!krsi_active())
		return 0;
	return krsi_register_kfuncs(BPF_PROG_TYPE_LSM, &krsi_exec_kfunc_set);
}
late_initcall(krsi_exec_init);
