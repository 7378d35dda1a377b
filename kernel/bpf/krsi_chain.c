// SPDX-License-Identifier: GPL-2.0
/*
 * Chains: functions that call one BPF program after the other, each with a
 * static call, until one returns other than 0. With retpolines an indirect call
 * is the most expensive instruction of a loop over programs; a chain has none.
 *
 * The programs of a hook are in the last slots of a chain, newest first, so that
 * a newer one is added by writing the slot in front and then moving the start.
 * Static calls have to be known to the linker, so there is a fixed number of
 * chains, which hooks with several programs share out: see security/krsi/chain.rs.
 */

#include <linux/bpf.h>
#include <linux/krsi.h>
#include <linux/static_call.h>

/* What is in a slot that no chain calls. */
static unsigned int krsi_chain_none(const void *ctx)
{
	return 0;
}

#define SLOTS_8(M, C, HI) \
	M(C, HI##0) M(C, HI##1) M(C, HI##2) M(C, HI##3) \
	M(C, HI##4) M(C, HI##5) M(C, HI##6) M(C, HI##7)
/* The numbers are octal, after a 0: what a case label makes of them fits. */
#define SLOTS(M, C) \
	SLOTS_8(M, C, 00) SLOTS_8(M, C, 01) SLOTS_8(M, C, 02) \
	SLOTS_8(M, C, 03) SLOTS_8(M, C, 04) SLOTS_8(M, C, 05)

static_assert(KRSI_CHAIN_SLOTS == 060);

#define DEFINE_SLOT(C, S) \
	DEFINE_STATIC_CALL(krsi_chain_##C##_##S, krsi_chain_none);

#define SLOT_ENTRY(C, S) {						\
	.key = &STATIC_CALL_KEY(krsi_chain_##C##_##S),			\
	.tramp = STATIC_CALL_TRAMP_ADDR(krsi_chain_##C##_##S),		\
},

#define CALL_SLOT(C, S)							\
	case S:								\
		ret = static_call(krsi_chain_##C##_##S)(ctx);		\
		if (ret)						\
			return ret;					\
		fallthrough;

#define DEFINE_CHAIN(C)							\
	SLOTS(DEFINE_SLOT, C)						\
	static const struct krsi_chain_slot krsi_chain_slots_##C[] = {	\
		SLOTS(SLOT_ENTRY, C)					\
	};								\
	static unsigned int krsi_chain_run_##C(const void *ctx,		\
					       const struct bpf_insn *insn) \
	{								\
		unsigned int ret;					\
									\
		switch (READ_ONCE(krsi_chains[C].start)) {		\
		SLOTS(CALL_SLOT, C)					\
		case KRSI_CHAIN_SLOTS:					\
			break;						\
		}							\
		return 0;						\
	}

#define CHAINS(M)							\
	M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)				\
	M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)

CHAINS(DEFINE_CHAIN)

#define CHAIN_ENTRY(C)							\
	[C] = {								\
		.run = krsi_chain_run_##C,				\
		.start = KRSI_CHAIN_SLOTS,				\
		.slots = krsi_chain_slots_##C,				\
	},

struct krsi_chain krsi_chains[KRSI_CHAINS] = {
	CHAINS(CHAIN_ENTRY)
};
