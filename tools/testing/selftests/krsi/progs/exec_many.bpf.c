// SPDX-License-Identifier: GPL-2.0
/*
 * Reads all arguments of a program that is about to run, however many they are.
 */

#include "exec.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define ENOENT 2
/* More than there can be in an area of 6 MiB. */
#define MOST 1000000
/* Of those that are compared with what krsi_bprm_arg() returns. */
#define STEP 997

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} ring SEC(".maps");

/* What to do. */
bool ask_each;
bool ask_find;
bool ask_dump;
bool ask_cursor;
bool ask_compare;
__u32 find_from;
__u64 find_flags;
__u32 find_size;
char find_text[64];
struct krsi_arg_cursor cursor;

/* What came of it. */
__u64 seen;
__u64 bytes;
__u64 hash;
__u64 differs;
__s64 each_ret;
__s64 find_ret;
__s64 dump_ret;
__s64 cursor_ret;
__u64 each_ns;
__u64 find_ns;
__u64 dump_ns;
char arg[64];
char other[64];

/* Reads each argument; sums up what it has read. */
static __always_inline void read_each(struct linux_binprm *bprm)
{
	struct krsi_arg_cursor at = {};
	unsigned int i, j;
	s64 len;

	bpf_for(i, 0, MOST) {
		len = krsi_bprm_next_arg(bprm, &at, arg, sizeof(arg));
		each_ret = len;
		if (len < 0)
			break;
		seen++;
		bytes += len;
		if (!ask_compare || i % STEP)
			continue;
		if (krsi_bprm_arg(bprm, i, other, sizeof(other)) != len)
			differs++;
		bpf_for(j, 0, sizeof(arg)) {
			if (arg[j & 63] != other[j & 63])
				differs++;
			if (!arg[j & 63])
				break;
		}
	}
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(check_security, struct linux_binprm *bprm)
{
	__u32 size = find_size;
	__u64 start;

	if (!on_target())
		return 0;
	if (size > sizeof(find_text))
		size = sizeof(find_text);
	if (ask_each) {
		start = bpf_ktime_get_ns();
		read_each(bprm);
		each_ns = bpf_ktime_get_ns() - start;
	}
	if (ask_find) {
		start = bpf_ktime_get_ns();
		find_ret = krsi_bprm_find_arg(bprm, find_from, find_text, size, find_flags);
		find_ns = bpf_ktime_get_ns() - start;
	}
	if (ask_dump) {
		start = bpf_ktime_get_ns();
		dump_ret = krsi_bprm_dump(bprm, &ring, BPF_RB_NO_WAKEUP);
		dump_ns = bpf_ktime_get_ns() - start;
	}
	if (ask_cursor)
		cursor_ret = krsi_bprm_next_arg(bprm, &cursor, arg, sizeof(arg));
	return 0;
}
