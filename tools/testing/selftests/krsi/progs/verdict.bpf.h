/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the verifier has to say of a program, beside the program:
 *
 *	SEC("lsm/file_open") __reject("must be a rcu pointer")
 *	int BPF_PROG(name, ...)
 *
 * The tests find it in the object's BTF: see verdict.h.
 */

#ifndef _KRSI_VERDICT_BPF_H
#define _KRSI_VERDICT_BPF_H

/* It is refused, and the verifier's log has @msg. */
#define __reject(msg) __attribute__((btf_decl_tag("krsi:reject=" msg)))

/* It is accepted: for the counterpart of one that is refused. */
#define __accept __attribute__((btf_decl_tag("krsi:accept")))

#endif /* _KRSI_VERDICT_BPF_H */
