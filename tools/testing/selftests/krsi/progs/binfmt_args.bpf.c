// SPDX-License-Identifier: GPL-2.0
/*
 * The path and the arguments that policies get from KRSI's kfuncs in an exec.
 */

#include "exec.bpf.h"
#include "refs.bpf.h"
#include "binfmt.h"

char LICENSE[] SEC("license") = "GPL";

struct binfmt_args args[BINFMT_HOOKS];

static __always_inline int note(enum binfmt_hook hook, struct linux_binprm *bprm)
{
	struct binfmt_args *seen = &args[hook];
	__u32 round;

	if (!on_target())
		return 0;
	round = seen->calls++ % BINFMT_ROUNDS;
	seen->path_ret[round] = krsi_bprm_path(bprm, seen->path[round], BINFMT_PATH, 0);
	seen->area_ret[round] = krsi_bprm_read(bprm, 0, seen->area[round], BINFMT_AREA);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(on_creds_for_exec, struct linux_binprm *bprm)
{
	return note(BINFMT_FOR_EXEC, bprm);
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(on_check_security, struct linux_binprm *bprm)
{
	return note(BINFMT_CHECK, bprm);
}

SEC("lsm.s/bprm_creds_from_file")
int BPF_PROG(on_creds_from_file, struct linux_binprm *bprm, const struct file *file)
{
	return note(BINFMT_FROM_FILE, bprm);
}
