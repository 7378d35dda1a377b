// SPDX-License-Identifier: GPL-2.0
/*
 * Programs for a program: one replaces a part of an LSM program, others trace
 * the whole of it.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

__u32 replaced;
__u32 entered;
__u32 exited;
int ret;

SEC("freplace/replaceable")
int replacement(int v)
{
	replaced++;
	return -EACCES;
}

SEC("fentry/lsm_with_part")
int enter(void *ctx)
{
	entered++;
	return 0;
}

SEC("fexit/lsm_with_part")
int leave(void *ctx)
{
	__u64 value = 0;

	exited++;
	bpf_get_func_ret(ctx, &value);
	ret = value;
	return 0;
}
