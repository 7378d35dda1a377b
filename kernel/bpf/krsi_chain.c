// SPDX-License-Identifier: GPL-2.0
/*
 * Chains: functions that call a sequence of BPF programs by static calls, until
 * one returns a value other than 0. With retpolines, an indirect call is the
 * most expensive instruction of a loop over programs; a chain has none.
 *
 * Static calls must be known to the linker, so the number of chains is fixed.
 * They are assigned to hooks with several programs: see security/krsi/chain.rs.
 * A chain has exactly as many slots as programs, so that it needs no test for
 * its first or last slot. There are chains of every length, fewer of the longer
 * ones. The last call of a chain is a tail call, which can be to another chain.
 */

#include <linux/bpf.h>
#include <linux/compiler.h>
#include <linux/krsi.h>
#include <linux/krsi_chain.h>
#include <linux/static_call.h>

/* The target of an unused slot. */
static notrace unsigned int krsi_chain_none(const void *ctx)
{
	return 0;
}

#define DEFINE_SLOT(C, S) \
	DEFINE_STATIC_CALL(krsi_chain_##C##_##S, krsi_chain_none);

#define SLOT_ENTRY(C, S) {						\
	.key = &STATIC_CALL_KEY(krsi_chain_##C##_##S),			\
	.tramp = STATIC_CALL_TRAMP_ADDR(krsi_chain_##C##_##S),		\
},

#ifdef CONFIG_X86_64
/* arch/x86/net/krsi_chain.S */
#define DEFINE_CODE(C, LAST)						\
	unsigned int krsi_chain_run_##C(const void *ctx,		\
					const struct bpf_insn *insn);
#else
#define CALL_SLOT(C, S)							\
	ret = static_call(krsi_chain_##C##_##S)(ctx);			\
	if (ret)							\
		return ret;

#define DEFINE_CODE(C, LAST)						\
	static notrace unsigned int					\
	krsi_chain_run_##C(const void *ctx, const struct bpf_insn *insn) \
	{								\
		unsigned int ret;					\
									\
		KRSI_SLOTS_##LAST(CALL_SLOT, C)				\
		return static_call(krsi_chain_##C##_##LAST)(ctx);	\
	}
#endif

/* A chain C with LEN slots. LAST, which is LEN - 1, is the last slot. */
#define DEFINE_CHAIN(C, LEN, LAST)					\
	KRSI_SLOTS_##LEN(DEFINE_SLOT, C)				\
	static const struct krsi_chain_slot krsi_chain_slots_##C[] = {	\
		KRSI_SLOTS_##LEN(SLOT_ENTRY, C)				\
	};								\
	DEFINE_CODE(C, LAST)

KRSI_FOR_EACH_CHAIN(DEFINE_CHAIN)

#define CHAIN_ENTRY(C, LEN, LAST) {					\
	.run = krsi_chain_run_##C,					\
	.len = LEN,							\
	.slots = krsi_chain_slots_##C,					\
},

const struct krsi_chain krsi_chains[] = {
	KRSI_FOR_EACH_CHAIN(CHAIN_ENTRY)
};

static_assert(ARRAY_SIZE(krsi_chains) == KRSI_CHAINS);
