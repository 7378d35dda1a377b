// SPDX-License-Identifier: GPL-2.0
/*
 * The memory that objects have for LSMs: what the framework allocates with each.
 */

#include <stdio.h>

#include "bench.h"
#include "object.skel.h"

void bench_object(bool reserved)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	struct object_bpf *skel;
	char row[32];
	int i;

	skel = object_bpf__open_and_load();
	if (!skel || bpf_prog_test_run_opts(bpf_program__fd(skel->progs.read_sizes), &opts) ||
	    opts.retval)
		die("the sizes of blobs");

	const struct {
		const char *class;
		unsigned int size;
	} blobs[] = {
		{ "cred", skel->bss->cred },
		{ "task", skel->bss->task },
		{ "file", skel->bss->file },
		{ "inode", skel->bss->inode },
	};

	for (i = 0; i < ARRAY_SIZE(blobs); i++) {
		snprintf(row, sizeof(row), "%s%s", blobs[i].class, reserved ? "-reserved" : "");
		if (!wanted("object", row))
			continue;
		row_begin("object", row, "bytes");
		row_value(blobs[i].size);
		row_end();
	}
	object_bpf__destroy(skel);
}
