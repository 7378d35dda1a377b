/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Code of the chains on x86-64; see kernel/bpf/krsi_chain.c for the C version.
 *
 * It saves two instructions over compiled code. Trampolines keep their frame in
 * r12, which BPF programs preserve. The branch that tests the last verdict but
 * one is also the tail call of the last program.
 */

#include <linux/cfi_types.h>
#include <linux/krsi_chain.h>
#include <linux/linkage.h>
#include <asm/frame.h>
#include <asm/nospec-branch.h>

	.code64
	.section .text, "ax"

/* objtool requires a reference to the key of each static call. */
#define SLOT_KEY(C, S)							\
	.quad	__SCK__krsi_chain_##C##_##S;

/* Calls a slot if the previous verdict was 0. */
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
	.if	LAST > 1; /* otherwise unused */			\
.Ldecided_##C:								\
	FRAME_END;							\
	RET;								\
	.endif;								\
	SYM_FUNC_END(krsi_chain_run_##C);

KRSI_FOR_EACH_CHAIN(DEFINE_CHAIN)
