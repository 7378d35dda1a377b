// SPDX-License-Identifier: GPL-2.0
/*
 * A handler of binfmt_misc. What it uses is declared under names of its own: the
 * kernel may lack CONFIG_BINFMT_MISC_BPF, and vmlinux.h the types.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

enum bpf_binprm_flags___krsi {
	BINPRM_UNUSED___krsi,
};

struct binfmt_misc_ops___krsi {
	bool (*match)(struct linux_binprm *bprm);
	int (*load)(struct linux_binprm *bprm);
	char name[16];
};

int bpf_binprm_set_interp___krsi(struct linux_binprm *bprm, const char *path,
				 size_t path__sz) __ksym;
int bpf_binprm_set_interp_arg___krsi(struct linux_binprm *bprm, const char *arg,
				     size_t arg__sz) __ksym;
int bpf_binprm_set_flags___krsi(struct linux_binprm *bprm,
				enum bpf_binprm_flags___krsi flags) __ksym;

/* Of enum bpf_binprm_flags. */
__u32 flags;
char interpreter[64];
/* An argument for the interpreter, if there is one. */
char arg[16];
/* The first byte of the files that this is for. */
char first;
__u32 matched;
__u32 loaded;

SEC("struct_ops.s/match")
bool BPF_PROG(match, struct linux_binprm *bprm)
{
	if (!on_target() || bprm->buf[0] != first)
		return false;
	matched++;
	return true;
}

SEC("struct_ops.s/load")
int BPF_PROG(load, struct linux_binprm *bprm)
{
	int err;

	loaded++;
	err = bpf_binprm_set_flags___krsi(bprm, flags);
	if (!err && arg[0])
		err = bpf_binprm_set_interp_arg___krsi(bprm, arg, sizeof(arg));
	return err ?: bpf_binprm_set_interp___krsi(bprm, interpreter, sizeof(interpreter));
}

SEC(".struct_ops.link")
struct binfmt_misc_ops___krsi handler = {
	.match = (void *)match,
	.load = (void *)load,
	.name = "krsi",
};
