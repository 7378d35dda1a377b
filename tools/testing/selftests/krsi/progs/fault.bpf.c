// SPDX-License-Identifier: GPL-2.0
/*
 * A policy that reads user memory at every open of the tasks that it was given
 * an address for, and denies what it cannot read.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* What a task's program reads, and what came of it. */
struct user_page {
	__u64 user;
	__u64 word;
	__s64 err;
};

/* Only the programs and the loader keep this map. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct user_page);
} pages SEC(".maps");

/* Opens that are denied. */
__u64 forbidden;

__u32 asleep;
__u32 woken;
__u64 passed;
/* The outcome of the newest page, where no map can tell. */
__u64 last_word;
__s64 last_err;

SEC("lsm.s/file_open")
int BPF_PROG(read_page, struct file *file)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct user_page *page;
	__u64 word = 0;
	long err;

	if (!on_target())
		return 0;
	page = bpf_map_lookup_elem(&pages, &tid);
	if (!page) {
		__sync_fetch_and_add(&passed, 1);
		return 0;
	}

	__sync_fetch_and_add(&asleep, 1);
	err = bpf_copy_from_user(&word, sizeof(word), (void *)page->user);
	__sync_fetch_and_add(&asleep, -1);

	/* The element was kept, whatever happened to the map. */
	page->word = word;
	page->err = err;
	last_word = word;
	last_err = err;
	__sync_fetch_and_add(&woken, 1);
	if (err)
		return -EACCES;
	return word == forbidden ? -EPERM : 0;
}

/* The others of the hook, which come and go. */
__u64 other_ran[2];
int other_verdict;

SEC("lsm/file_open")
int BPF_PROG(other_atomic, struct file *file)
{
	if (!on_target())
		return 0;
	__sync_fetch_and_add(&other_ran[0], 1);
	return bounded(other_verdict);
}

SEC("lsm.s/file_open")
int BPF_PROG(other_sleepable, struct file *file)
{
	if (!on_target())
		return 0;
	__sync_fetch_and_add(&other_ran[1], 1);
	return 0;
}

/* A tracer of the hook's stub. */
SEC("fentry/bpf_lsm_file_open")
int BPF_PROG(trace_open, struct file *file)
{
	return 0;
}
