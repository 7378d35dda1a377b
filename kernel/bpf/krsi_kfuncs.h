/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Common flags and functions of KRSI's kfuncs. See
 * Documentation/bpf/krsi-kfuncs.rst.
 */

#ifndef _KRSI_KFUNCS_H
#define _KRSI_KFUNCS_H

#include <linux/bpf.h>
#include <linux/btf.h>

/*
 * Flags of every kfunc. A hook's arguments and kfuncs depend on the hook, so
 * tail calls to programs of other hooks are not allowed.
 */
#define KRSI_KFUNC KF_ATTACH_BOUND

/* Flags of kfuncs that also depend on the hook's task, locks or arguments. */
#define KRSI_HOOK_KFUNC (KRSI_KFUNC | KF_NO_ASYNC)

/* C: kernel/bpf/krsi.c */
int krsi_kfunc_hook(const struct bpf_prog *prog);
int krsi_register_kfuncs(enum bpf_prog_type type,
			 const struct btf_kfunc_id_set *set);

/* C: kernel/bpf/krsi_boot.c */
bool krsi_boot_kfunc(u32 kfunc_id);

#endif /* _KRSI_KFUNCS_H */
