/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kfuncs about a program that is about to run. bpftool leaves them out of
 * vmlinux.h or not, depending on its version; the declarations agree.
 */

#ifndef _EXEC_BPF_H
#define _EXEC_BPF_H

#include "krsi.bpf.h"

extern s64 krsi_bprm_read(struct linux_binprm *bprm, u64 off, void *dst, u32 dst__sz) __ksym;
extern s64 krsi_bprm_arg(struct linux_binprm *bprm, u32 index, char *dst, u32 dst__sz) __ksym;
extern s64 krsi_bprm_next_arg(struct linux_binprm *bprm, struct krsi_arg_cursor *cursor,
			      char *dst, u32 dst__sz) __ksym;
extern s64 krsi_bprm_find_arg(struct linux_binprm *bprm, u32 from, const char *text, u32 text__sz,
			      u64 flags) __ksym;
extern s64 krsi_bprm_env(struct linux_binprm *bprm, const char *name__str, char *dst,
			 u32 dst__sz) __ksym;
extern s64 krsi_bprm_dump(struct linux_binprm *bprm, void *map__map, u64 flags) __ksym;

#endif /* _EXEC_BPF_H */
