// SPDX-License-Identifier: GPL-2.0
/* Refused: there is no section license */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}
