// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that may sleep and programs that may not, on one hook. The former
 * read user memory that has to be faulted in first.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

int verdict[4];
__u32 ran[4];
__u32 next;

/* Where the sleepable programs read, and what they found. */
void *user;
__u64 word;
long err;
/* Set while a program may be asleep. */
int asleep;

static __always_inline int note(int i)
{
	if (!on_target())
		return 0;
	ran[i] = __sync_fetch_and_add(&next, 1) + 1;
	return bounded(verdict[i]);
}

static __always_inline int read_user(int i)
{
	__u64 value = 0;

	if (!on_target())
		return 0;
	if (user) {
		asleep++;
		err = bpf_copy_from_user(&value, sizeof(value), user);
		asleep--;
		word = value;
	}
	return note(i);
}

SEC("lsm/userns_create")
int atomic0(void *ctx)
{
	return note(0);
}

SEC("lsm.s/userns_create")
int sleepable1(void *ctx)
{
	return read_user(1);
}

SEC("lsm/userns_create")
int atomic2(void *ctx)
{
	return note(2);
}

SEC("lsm.s/userns_create")
int sleepable3(void *ctx)
{
	return read_user(3);
}
