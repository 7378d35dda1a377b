// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that come and go while their hooks are called all the time.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* The one that stays. */
SEC("lsm/task_getpgid")
int getpgid_deny(void *ctx)
{
	return on_target() ? -EPERM : 0;
}

SEC("lsm.s/file_open")
int open_deny_sleepable(void *ctx)
{
	return on_target() ? -EPERM : 0;
}

SEC("lsm/file_open")
int open_deny(void *ctx)
{
	return on_target() ? -EPERM : 0;
}

/* Those that come and go. */
SEC("lsm/task_getpgid")
int getpgid_allow0(void *ctx)
{
	return 0;
}

SEC("lsm/task_getpgid")
int getpgid_allow1(void *ctx)
{
	return 0;
}

SEC("lsm.s/file_open")
int open_allow0(void *ctx)
{
	return 0;
}

SEC("lsm/file_open")
int open_allow1(void *ctx)
{
	return 0;
}
