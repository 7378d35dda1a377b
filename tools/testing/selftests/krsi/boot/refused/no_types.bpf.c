// SPDX-License-Identifier: GPL-2.0
/* Refused: there is no section .BTF: compile it with -g */
/* Flags: -g0 */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
