// SPDX-License-Identifier: GPL-2.0
/* Refused: there is no program in it */

#include "krsi_boot.bpf.h"

KRSI_BOOT_SLOT(inode, label, __u64);

char LICENSE[] SEC("license") = "GPL";
