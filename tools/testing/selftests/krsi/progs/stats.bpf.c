// SPDX-License-Identifier: GPL-2.0
/*
 * Programs whose runs are counted, for every process.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

int verdict;
__u64 runs;

SEC("lsm/task_getsid")
int older(void *ctx)
{
	return 0;
}

SEC("lsm/task_getsid")
int newer(void *ctx)
{
	__sync_fetch_and_add(&runs, 1);
	return verdict < 0 ? -EPERM : 0;
}

SEC("lsm.s/userns_create")
int sleepable(void *ctx)
{
	__sync_fetch_and_add(&runs, 1);
	return 0;
}

SEC("lsm/file_set_fowner")
int nothing(void *ctx)
{
	__sync_fetch_and_add(&runs, 1);
	return 0;
}

SEC("lsm_cgroup/task_getsid")
int cgroup(void *ctx)
{
	__sync_fetch_and_add(&runs, 1);
	return 1;
}
