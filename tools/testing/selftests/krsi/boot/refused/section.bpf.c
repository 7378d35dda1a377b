// SPDX-License-Identifier: GPL-2.0
/* Refused: section lsm/file_open: unknown section: boot programs are in krsi.blob/POINT */

#include "krsi_boot.bpf.h"

SEC("lsm/file_open")
int BPF_PROG(file_open, struct file *file)
{
	return -1;
}

char LICENSE[] SEC("license") = "GPL";
