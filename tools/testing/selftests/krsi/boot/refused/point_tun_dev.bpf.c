// SPDX-License-Identifier: GPL-2.0
/* Refused: section krsi.blob/tun_dev: programs never see objects of this class */

#include "krsi_boot.bpf.h"

SEC("krsi.blob/tun_dev")
void BPF_PROG(label, void *tun, __u32 how)
{
}

char LICENSE[] SEC("license") = "GPL";
