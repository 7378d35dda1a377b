/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small assembler of BPF programs, with jumps to the end.
 */

#ifndef _KRSI_FUZZ_INSN_H
#define _KRSI_FUZZ_INSN_H

#include <linux/bpf.h>
#include <stdbool.h>

#define CODE_MAX 512
#define CODE_JUMPS 64

struct code {
	struct bpf_insn insns[CODE_MAX];
	int len;
	/* Jumps whose target is not known yet. */
	int jumps[CODE_JUMPS];
	int njumps;
	bool overflow;
};

#define INSN(CODE, DST, SRC, OFF, IMM)							\
	((struct bpf_insn){ .code = (CODE), .dst_reg = (DST), .src_reg = (SRC),		\
			    .off = (OFF), .imm = (IMM) })

#define MOV_REG(DST, SRC)	INSN(BPF_ALU64 | BPF_MOV | BPF_X, DST, SRC, 0, 0)
#define MOV_IMM(DST, IMM)	INSN(BPF_ALU64 | BPF_MOV | BPF_K, DST, 0, 0, IMM)
#define MOV32_REG(DST, SRC)	INSN(BPF_ALU | BPF_MOV | BPF_X, DST, SRC, 0, 0)
#define ALU_IMM(OP, DST, IMM)	INSN(BPF_ALU64 | (OP) | BPF_K, DST, 0, 0, IMM)
#define ALU_REG(OP, DST, SRC)	INSN(BPF_ALU64 | (OP) | BPF_X, DST, SRC, 0, 0)
#define LOAD(SIZE, DST, SRC, OFF)	INSN(BPF_LDX | (SIZE) | BPF_MEM, DST, SRC, OFF, 0)
#define STORE(SIZE, DST, SRC, OFF)	INSN(BPF_STX | (SIZE) | BPF_MEM, DST, SRC, OFF, 0)
#define STORE_IMM(SIZE, DST, OFF, IMM)	INSN(BPF_ST | (SIZE) | BPF_MEM, DST, 0, OFF, IMM)
#define CALL_HELPER(ID)		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, ID)
#define CALL_KFUNC(ID)		INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, ID)
#define JUMP_IMM(OP, REG, IMM, OFF)	INSN(BPF_JMP | (OP) | BPF_K, REG, 0, OFF, IMM)
#define JUMP32_IMM(OP, REG, IMM, OFF)	INSN(BPF_JMP32 | (OP) | BPF_K, REG, 0, OFF, IMM)
#define JUMP_REG(OP, REG, REG2, OFF)	INSN(BPF_JMP | (OP) | BPF_X, REG, REG2, OFF, 0)
#define EXIT()			INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static inline void emit(struct code *c, struct bpf_insn insn)
{
	if (c->len == CODE_MAX) {
		c->overflow = true;
		return;
	}
	c->insns[c->len++] = insn;
}

/* Emits a load of 64 bits; @kind is 0 or a BPF_PSEUDO_* constant. */
static inline void emit_ld64(struct code *c, int reg, int kind, __u64 value)
{
	emit(c, INSN(BPF_LD | BPF_DW | BPF_IMM, reg, kind, 0, (__u32)value));
	emit(c, INSN(0, 0, 0, 0, value >> 32));
}

/* Emits a jump to where here() is called next. */
static inline void emit_jump(struct code *c, struct bpf_insn insn)
{
	if (c->njumps == CODE_JUMPS) {
		c->overflow = true;
		return;
	}
	c->jumps[c->njumps++] = c->len;
	emit(c, insn);
}

/* The jumps since @first lead to here. */
static inline void here(struct code *c, int first)
{
	while (c->njumps > first) {
		int at = c->jumps[--c->njumps];

		c->insns[at].off = c->len - at - 1;
	}
}

#endif /* _KRSI_FUZZ_INSN_H */
