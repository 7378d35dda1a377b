/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Turns lsm_hook_defs.h into one invocation of the macro hooks!, with a line
 * for each hook: its name, its number, its BPF stub, the keys and trampolines of
 * its static calls, its return type, and its default verdict. The argument types
 * come from bindgen.
 */

#include <linux/errno.h>

/* For void hooks. The C definition is not a Rust expression. */
#define LSM_RET_VOID 0

#define LSM_HOOK(RET, DEFAULT, NAME, ...) \
	NAME, krsi_hook_KRSI_HOOK_##NAME, bpf_lsm_##NAME, \
	__SCK__krsi_##NAME, __SCT__krsi_##NAME, \
	__SCK__krsi_sleepable_##NAME, __SCT__krsi_sleepable_##NAME, RET, DEFAULT;

// Cut here.

hooks! {
#include <linux/lsm_hook_defs.h>
}
