// SPDX-License-Identifier: GPL-2.0
/*
 * As first.bpf.c: another policy for the same classes.
 */

#define NAME second
#include "origin.h"

char LICENSE[] SEC("license") = "GPL";
