// SPDX-License-Identifier: GPL-2.0
/*
 * A program that is loaded and attached many times: its cookie tells which of
 * them it is.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define MAX_PROGRAMS 128

int verdict[MAX_PROGRAMS];
__u32 ran[MAX_PROGRAMS];
__u32 next;

static __always_inline int note(void *ctx)
{
	__u64 i = bpf_get_attach_cookie(ctx);

	if (!on_target() || i >= MAX_PROGRAMS)
		return 0;
	ran[i] = ++next;
	return verdict[i] < 0 ? -EPERM : 0;
}

SEC("lsm/task_getpgid")
int many(void *ctx)
{
	return note(ctx);
}

SEC("lsm.s/userns_create")
int many_sleepable(void *ctx)
{
	return note(ctx);
}
