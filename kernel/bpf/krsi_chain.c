// SPDX-License-Identifier: GPL-2.0
/*
 * Chains: functions that call one BPF program after the other, each with a
 * static call, until one returns other than 0. With retpolines an indirect call
 * is the most expensive instruction of a loop over programs; a chain has none.
 *
 * Static calls have to be known to the linker, so there is a fixed number of
 * chains, which hooks with several programs share out: see security/krsi/chain.rs.
 * Each has as many slots as programs, lest it has to find out where to begin or
 * to end; there are some of every length, fewer of the long ones. The last call
 * of a chain is a jump, also into another chain.
 */

#include <linux/bpf.h>
#include <linux/compiler.h>
#include <linux/krsi.h>
#include <linux/static_call.h>

/* What is in a slot that has no program. */
static notrace unsigned int krsi_chain_none(const void *ctx)
{
	return 0;
}

/* M for each slot of a chain C. */
#define SLOTS_1(M, C)	M(C, 0)
#define SLOTS_2(M, C)	SLOTS_1(M, C) M(C, 1)
#define SLOTS_3(M, C)	SLOTS_2(M, C) M(C, 2)
#define SLOTS_4(M, C)	SLOTS_3(M, C) M(C, 3)
#define SLOTS_5(M, C)	SLOTS_4(M, C) M(C, 4)
#define SLOTS_6(M, C)	SLOTS_5(M, C) M(C, 5)
#define SLOTS_7(M, C)	SLOTS_6(M, C) M(C, 6)
#define SLOTS_8(M, C)	SLOTS_7(M, C) M(C, 7)
#define SLOTS_9(M, C)	SLOTS_8(M, C) M(C, 8)
#define SLOTS_10(M, C)	SLOTS_9(M, C) M(C, 9)
#define SLOTS_11(M, C)	SLOTS_10(M, C) M(C, 10)
#define SLOTS_12(M, C)	SLOTS_11(M, C) M(C, 11)
#define SLOTS_13(M, C)	SLOTS_12(M, C) M(C, 12)
#define SLOTS_14(M, C)	SLOTS_13(M, C) M(C, 13)
#define SLOTS_15(M, C)	SLOTS_14(M, C) M(C, 14)
#define SLOTS_16(M, C)	SLOTS_15(M, C) M(C, 15)

static_assert(KRSI_CHAIN_MAX == 16);

#define DEFINE_SLOT(C, S) \
	DEFINE_STATIC_CALL(krsi_chain_##C##_##S, krsi_chain_none);

#define SLOT_ENTRY(C, S) {						\
	.key = &STATIC_CALL_KEY(krsi_chain_##C##_##S),			\
	.tramp = STATIC_CALL_TRAMP_ADDR(krsi_chain_##C##_##S),		\
},

#define CALL_SLOT(C, S)							\
	ret = static_call(krsi_chain_##C##_##S)(ctx);			\
	if (ret)							\
		return ret;

/* A chain C with LEN slots, of which LAST, one less, is the last. */
#define DEFINE_CHAIN(C, LEN, LAST)					\
	SLOTS_##LEN(DEFINE_SLOT, C)					\
	static const struct krsi_chain_slot krsi_chain_slots_##C[] = {	\
		SLOTS_##LEN(SLOT_ENTRY, C)				\
	};								\
	static notrace unsigned int					\
	krsi_chain_run_##C(const void *ctx, const struct bpf_insn *insn) \
	{								\
		unsigned int ret;					\
									\
		SLOTS_##LAST(CALL_SLOT, C)				\
		return static_call(krsi_chain_##C##_##LAST)(ctx);	\
	}

#define TIMES_4(M, C, ...)						\
	M(C##0, __VA_ARGS__) M(C##1, __VA_ARGS__)			\
	M(C##2, __VA_ARGS__) M(C##3, __VA_ARGS__)
#define TIMES_8(M, C, ...)						\
	TIMES_4(M, C##0, __VA_ARGS__) TIMES_4(M, C##1, __VA_ARGS__)
#define TIMES_16(M, C, ...)						\
	TIMES_8(M, C##0, __VA_ARGS__) TIMES_8(M, C##1, __VA_ARGS__)
#define TIMES_32(M, C, ...)						\
	TIMES_16(M, C##0, __VA_ARGS__) TIMES_16(M, C##1, __VA_ARGS__)

/* M for each chain, the short ones first. */
#define CHAINS(M)							\
	TIMES_32(M, 2_, 2, 1) TIMES_16(M, 3_, 3, 2)			\
	TIMES_16(M, 4_, 4, 3) TIMES_8(M, 5_, 5, 4)			\
	TIMES_8(M, 6_, 6, 5) TIMES_8(M, 7_, 7, 6)			\
	TIMES_8(M, 8_, 8, 7) TIMES_4(M, 9_, 9, 8)			\
	TIMES_4(M, 10_, 10, 9) TIMES_4(M, 11_, 11, 10)			\
	TIMES_4(M, 12_, 12, 11) TIMES_4(M, 13_, 13, 12)			\
	TIMES_4(M, 14_, 14, 13) TIMES_4(M, 15_, 15, 14)			\
	TIMES_4(M, 16_, 16, 15)

CHAINS(DEFINE_CHAIN)

#define CHAIN_ENTRY(C, LEN, LAST) {					\
	.run = krsi_chain_run_##C,					\
	.len = LEN,							\
	.slots = krsi_chain_slots_##C,					\
},

const struct krsi_chain krsi_chains[] = {
	CHAINS(CHAIN_ENTRY)
};

static_assert(ARRAY_SIZE(krsi_chains) == KRSI_CHAINS);
