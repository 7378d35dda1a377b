// SPDX-License-Identifier: GPL-2.0
/*
 * A program of every kind that can be attached at one hook, for what the krsi
 * command says of them. They decide nothing.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("lsm/task_getpgid")
int lsm(void *ctx)
{
	return 0;
}

SEC("fentry/bpf_lsm_task_getpgid")
int fentry(void *ctx)
{
	return 0;
}

SEC("fexit/bpf_lsm_task_getpgid")
int fexit(void *ctx)
{
	return 0;
}

/* The kernel lets programs modify what security_*() return, not the stubs. */
SEC("fmod_ret/security_task_getpgid")
int fmod_ret(void *ctx)
{
	return 0;
}

/* No hook's: not to be shown. */
SEC("fentry/do_nanosleep")
int elsewhere(void *ctx)
{
	return 0;
}
