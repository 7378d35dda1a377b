// SPDX-License-Identifier: GPL-2.0
/*
 * Reads how large the blobs are that the LSM framework allocates with objects.
 */

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

extern const void blob_sizes __ksym;

__u32 cred, task, file, inode;

SEC("syscall")
int read_sizes(void *ctx)
{
	struct lsm_blob_sizes sizes;
	int err;

	err = bpf_probe_read_kernel(&sizes, sizeof(sizes), &blob_sizes);
	if (err)
		return err;
	cred = sizes.lbs_cred;
	task = sizes.lbs_task;
	file = sizes.lbs_file;
	inode = sizes.lbs_inode;
	return 0;
}
