// SPDX-License-Identifier: GPL-2.0
/*
 * Denies execs whose first argument says so, at two hooks: what `krsi exec` has
 * to tell of them.
 */

#include "krsi.bpf.h"

#define EUCLEAN 117

char LICENSE[] SEC("license") = "GPL";

extern s64 krsi_bprm_arg(struct linux_binprm *bprm, u32 index, char *dst, u32 dst__sz) __ksym;

static __always_inline int deny_if(struct linux_binprm *bprm, const char *wanted)
{
	char arg[32] = {};

	if (krsi_bprm_arg(bprm, 1, arg, sizeof(arg)) < 0)
		return 0;
	return bpf_strncmp(arg, sizeof(arg), wanted) ? 0 : -EUCLEAN;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(early, struct linux_binprm *bprm)
{
	return deny_if(bprm, "krsi-deny-early");
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(late, struct linux_binprm *bprm)
{
	return deny_if(bprm, "krsi-deny-late");
}
