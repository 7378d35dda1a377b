// SPDX-License-Identifier: GPL-2.0
/*
 * Has the verifier refuse programs that read memory of the kernel, as a kernel
 * that is locked down does.
 */

#include "krsi.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("lsm/locked_down")
int BPF_PROG(refuse, enum lockdown_reason what)
{
	return what == LOCKDOWN_BPF_READ_KERNEL ? -1 : 0;
}
