// SPDX-License-Identifier: GPL-2.0
/*
 * Four programs on one hook, each of which notes what it was told.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* How many arguments the hook has, its second, and its third. */
__u64 told[4][3];

#define TELL(i)							\
SEC("lsm/file_ioctl")						\
int BPF_PROG(ioctl##i, struct file *file, unsigned int cmd, unsigned long arg)	\
{								\
	if (!on_target())					\
		return 0;					\
	told[i][0] = bpf_get_func_arg_cnt(ctx);			\
	told[i][1] = cmd;					\
	told[i][2] = arg;					\
	return 0;						\
}

TELL(0)
TELL(1)
TELL(2)
TELL(3)
