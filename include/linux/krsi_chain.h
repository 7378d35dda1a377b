/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The list of chains. kernel/bpf/krsi_chain.c defines their static calls; their
 * code is defined there or in assembly.
 */

#ifndef _LINUX_KRSI_CHAIN_H
#define _LINUX_KRSI_CHAIN_H

/* The number of chains, and the number of slots of the longest. */
#define KRSI_CHAINS 128
#define KRSI_CHAIN_MAX 16

/*
 * Offset of the context in the frame of a trampoline. On x86-64, chains find
 * the frame in %r12.
 */
#define KRSI_FRAME_CTX 24

/* Expands M for each of the first slots of a chain. */
#define KRSI_SLOTS_1(M, C)	M(C, 0)
#define KRSI_SLOTS_2(M, C)	KRSI_SLOTS_1(M, C) M(C, 1)
#define KRSI_SLOTS_3(M, C)	KRSI_SLOTS_2(M, C) M(C, 2)
#define KRSI_SLOTS_4(M, C)	KRSI_SLOTS_3(M, C) M(C, 3)
#define KRSI_SLOTS_5(M, C)	KRSI_SLOTS_4(M, C) M(C, 4)
#define KRSI_SLOTS_6(M, C)	KRSI_SLOTS_5(M, C) M(C, 5)
#define KRSI_SLOTS_7(M, C)	KRSI_SLOTS_6(M, C) M(C, 6)
#define KRSI_SLOTS_8(M, C)	KRSI_SLOTS_7(M, C) M(C, 7)
#define KRSI_SLOTS_9(M, C)	KRSI_SLOTS_8(M, C) M(C, 8)
#define KRSI_SLOTS_10(M, C)	KRSI_SLOTS_9(M, C) M(C, 9)
#define KRSI_SLOTS_11(M, C)	KRSI_SLOTS_10(M, C) M(C, 10)
#define KRSI_SLOTS_12(M, C)	KRSI_SLOTS_11(M, C) M(C, 11)
#define KRSI_SLOTS_13(M, C)	KRSI_SLOTS_12(M, C) M(C, 12)
#define KRSI_SLOTS_14(M, C)	KRSI_SLOTS_13(M, C) M(C, 13)
#define KRSI_SLOTS_15(M, C)	KRSI_SLOTS_14(M, C) M(C, 14)
#define KRSI_SLOTS_16(M, C)	KRSI_SLOTS_15(M, C) M(C, 15)

#define KRSI_TIMES_4(M, C, ...)						\
	M(C##0, __VA_ARGS__) M(C##1, __VA_ARGS__)			\
	M(C##2, __VA_ARGS__) M(C##3, __VA_ARGS__)
#define KRSI_TIMES_8(M, C, ...)						\
	KRSI_TIMES_4(M, C##0, __VA_ARGS__) KRSI_TIMES_4(M, C##1, __VA_ARGS__)
#define KRSI_TIMES_16(M, C, ...)					\
	KRSI_TIMES_8(M, C##0, __VA_ARGS__) KRSI_TIMES_8(M, C##1, __VA_ARGS__)
#define KRSI_TIMES_32(M, C, ...)					\
	KRSI_TIMES_16(M, C##0, __VA_ARGS__) KRSI_TIMES_16(M, C##1, __VA_ARGS__)

/* Expands M(NAME, SLOTS, LAST SLOT) for each chain, shortest first. */
#define KRSI_FOR_EACH_CHAIN(M)						\
	KRSI_TIMES_32(M, 2_, 2, 1) KRSI_TIMES_16(M, 3_, 3, 2)		\
	KRSI_TIMES_16(M, 4_, 4, 3) KRSI_TIMES_8(M, 5_, 5, 4)		\
	KRSI_TIMES_8(M, 6_, 6, 5) KRSI_TIMES_8(M, 7_, 7, 6)		\
	KRSI_TIMES_8(M, 8_, 8, 7) KRSI_TIMES_4(M, 9_, 9, 8)		\
	KRSI_TIMES_4(M, 10_, 10, 9) KRSI_TIMES_4(M, 11_, 11, 10)	\
	KRSI_TIMES_4(M, 12_, 12, 11) KRSI_TIMES_4(M, 13_, 13, 12)	\
	KRSI_TIMES_4(M, 14_, 14, 13) KRSI_TIMES_4(M, 15_, 15, 14)	\
	KRSI_TIMES_4(M, 16_, 16, 15)

#endif /* _LINUX_KRSI_CHAIN_H */
