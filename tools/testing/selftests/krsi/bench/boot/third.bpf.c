// SPDX-License-Identifier: GPL-2.0
/*
 * As first.bpf.c, with the last four of the 16 programs.
 */

#define NAME third
#define FOUR_CLASSES
#include "origin.h"

char LICENSE[] SEC("license") = "GPL";
