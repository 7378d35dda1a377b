// SPDX-License-Identifier: GPL-2.0
/*
 * What LSM programs learn of the signature of a program that is being loaded,
 * policies that depend on it, and a program that loads another one.
 */

#include "krsi.bpf.h"
#include "signed.h"

char LICENSE[] SEC("license") = "GPL";

#define EUCLEAN 117

/* At bpf_prog_load, by programs of both kinds, and at bpf_prog. */
struct seen atomic;
struct seen sleepable;
struct seen ready;

/* Denies programs that are not signed, by this keyring if it is not 0. */
bool require;
int require_serial;

static __always_inline void note(struct seen *seen, const struct bpf_prog *prog)
{
	seen->calls++;
	seen->type = prog->type;
	seen->keyring_serial = prog->aux->sig.keyring_serial;
	seen->verified = prog->aux->sig.verdict == BPF_SIG_VERIFIED;
	seen->unsigned_ = prog->aux->sig.verdict == BPF_SIG_UNSIGNED;
	seen->user_keyring = prog->aux->sig.keyring_type == BPF_SIG_KEYRING_USER;
	seen->no_keyring = prog->aux->sig.keyring_type == BPF_SIG_KEYRING_NONE;
	seen->id = prog->aux->id;
}

static __always_inline void note_load(struct seen *seen, const struct bpf_prog *prog,
				      const union bpf_attr *attr, bool kernel)
{
	note(seen, prog);
	seen->insn_cnt = attr->insn_cnt;
	seen->signature_size = attr->signature_size;
	seen->keyring_id = attr->keyring_id;
	seen->kernel = kernel;
}

SEC("lsm/bpf_prog_load")
int BPF_PROG(load_atomic, struct bpf_prog *prog, union bpf_attr *attr, struct bpf_token *token,
	     bool kernel)
{
	if (on_target())
		note_load(&atomic, prog, attr, kernel);
	return 0;
}

SEC("lsm.s/bpf_prog_load")
int BPF_PROG(load_sleepable, struct bpf_prog *prog, union bpf_attr *attr, struct bpf_token *token,
	     bool kernel)
{
	if (!on_target())
		return 0;
	note_load(&sleepable, prog, attr, kernel);
	if (require && prog->aux->sig.verdict != BPF_SIG_VERIFIED)
		return -EPERM;
	if (require_serial && prog->aux->sig.keyring_serial != require_serial)
		return -EACCES;
	return 0;
}

SEC("lsm/bpf_prog")
int BPF_PROG(loaded, struct bpf_prog *prog)
{
	if (on_target())
		note(&ready, prog);
	return 0;
}

/* What load_from_kernel() loads. */
struct bpf_insn insns[16];
__u32 insn_cnt;
char gpl[4] = "GPL";
__u8 signature[4096];
__u32 signature_size;
int keyring_id;
int load_ret;

SEC("syscall")
int load_from_kernel(void *ctx)
{
	union bpf_attr attr = {};

	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (unsigned long)insns;
	attr.insn_cnt = insn_cnt;
	attr.license = (unsigned long)gpl;
	if (signature_size) {
		attr.signature = (unsigned long)signature;
		attr.signature_size = signature_size;
		attr.keyring_id = keyring_id;
	}
	load_ret = bpf_sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
	if (load_ret >= 0)
		bpf_sys_close(load_ret);
	return 0;
}

/* Is loaded as it is, with a signature. */
SEC("lsm/task_getpgid")
int deny(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->comm[0] == '+' ? -EUCLEAN : 0;
}
