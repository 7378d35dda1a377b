// SPDX-License-Identifier: GPL-2.0
/*
 * Denies getpgid(2) to tasks named krsi_client. It needs no configuration, so
 * that every loader can load it as it is.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define EUCLEAN 117

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} client_calls SEC(".maps");

static const char name[16] = "krsi_client";

SEC("lsm/task_getpgid")
int BPF_PROG(client, struct task_struct *p, int ret)
{
	char comm[16] = {};
	__u32 key = 0;
	__u64 *calls;

	bpf_get_current_comm(comm, sizeof(comm));
	for (int i = 0; i < (int)sizeof(name); i++)
		if (comm[i] != name[i])
			return ret;
	calls = bpf_map_lookup_elem(&client_calls, &key);
	if (calls)
		__sync_fetch_and_add(calls, 1);
	return -EUCLEAN;
}
