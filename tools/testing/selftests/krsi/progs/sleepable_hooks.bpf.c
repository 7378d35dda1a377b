// SPDX-License-Identifier: GPL-2.0
/*
 * A program that sleeps on whatever hook it is loaded for: it reads user memory
 * and decides nothing.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

void *user;
__u64 word;
long err;
__u32 ran;
__u32 failed;

SEC("lsm.s/file_open")
int sleep_anywhere(void *ctx)
{
	__u64 value = 0;

	if (!on_target())
		return 0;
	err = bpf_copy_from_user(&value, sizeof(value), user);
	word = value;
	__sync_fetch_and_add(&ran, 1);
	if (err)
		__sync_fetch_and_add(&failed, 1);
	return 0;
}
