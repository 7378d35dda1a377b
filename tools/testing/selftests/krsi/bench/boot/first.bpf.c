// SPDX-License-Identifier: GPL-2.0
/*
 * The first of 16 programs over 6 classes, whose loading bench_boot.sh measures.
 */

#define NAME first
#include "origin.h"

char LICENSE[] SEC("license") = "GPL";
