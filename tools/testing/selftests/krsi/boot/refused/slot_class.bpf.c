// SPDX-License-Identifier: GPL-2.0
/* Refused: section .krsi.slots: slot device: programs never see objects of this class */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT(tun_dev, device, __u64);

SEC("krsi.blob/inode")
void BPF_PROG(label, struct inode *inode, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
