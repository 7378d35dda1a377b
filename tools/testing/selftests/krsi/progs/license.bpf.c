// SPDX-License-Identifier: GPL-2.0
/*
 * A program whose licence is not the GPL's.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "Proprietary";

SEC("lsm/task_getpgid")
int proprietary(void *ctx)
{
	return 0;
}
