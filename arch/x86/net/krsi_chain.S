/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Chains, as kernel/bpf/krsi_chain.c has them for other architectures, with two
 * instructions fewer than a compiler makes: trampolines keep their frame in r12,
 * which BPF programs preserve, and the last program is jumped to by the very
 * branch that tests the verdict of the one before.
 */

#include <linux/cfi_types.h>
#include <linux/krsi_chain.h>
#include <linux/linkage.h>
#include <asm/frame.h>
#include <asm/nospec-branch.h>

	.code64
	.section .text, "ax"

/* For objtool, which looks for the key of each static call. */
#define SLOT_KEY(C, S)							\
	.quad	__SCK__krsi_chain_##C##_##S;

/* Goes on from the slot before only if its verdict was 0. */
#define CALL_SLOT(C, S)							\
	.if	S;							\
	jne	.Ldecided_##C;						\
	.endif;								\
	call	__SCT__krsi_chain_##C##_##S;				\
	lea	KRSI_FRAME_CTX(%r12), %rdi;				\
	test	%eax, %eax;

#define DEFINE_CHAIN(C, LEN, LAST)					\
	.pushsection .discard.addressable, "aw";			\
	KRSI_SLOTS_##LEN(SLOT_KEY, C)					\
	.popsection;							\
	SYM_TYPED_FUNC_START(krsi_chain_run_##C);			\
	FRAME_BEGIN;							\
	KRSI_SLOTS_##LAST(CALL_SLOT, C)					\
	FRAME_END;							\
	je	__SCT__krsi_chain_##C##_##LAST;				\
	RET;								\
	.if	LAST > 1; /* else nothing goes there */			\
.Ldecided_##C:								\
	FRAME_END;							\
	RET;								\
	.endif;								\
	SYM_FUNC_END(krsi_chain_run_##C);

KRSI_FOR_EACH_CHAIN(DEFINE_CHAIN)
