/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What BTF says of KRSI's kfuncs and of hooks, for programs that call them.
 */

#ifndef _KRSI_FUZZ_TYPES_H
#define _KRSI_FUZZ_TYPES_H

#include <bpf/btf.h>
#include <stdbool.h>
#include <stdint.h>

#include "rng.h"

#define KFUNC_ARGS 5

enum arg_kind {
	ARG_SCALAR,
	ARG_OBJECT,
	/* A pointer to memory, followed by its size. */
	ARG_MEMORY,
	ARG_SIZE,
	/* The size of what the kfunc returns, which has to be a constant. */
	ARG_RETURN_SIZE,
	ARG_STRING,
	ARG_MAP,
};

struct kfunc_arg {
	enum arg_kind kind;
	const char *name;
	/* Object: id of the structure. Memory: size of what it points to. */
	int type;
	int size;
};

struct kfunc {
	const char *name;
	int id;
	int nargs;
	struct kfunc_arg args[KFUNC_ARGS];
	/* What it returns: nothing, an integer, bytes, or a structure of that type. */
	enum { RETURNS_VOID, RETURNS_INT, RETURNS_BYTES, RETURNS_OBJECT } returns;
	int return_type;
};

struct krsi_hook {
	const char *name;
	int id;
	bool sleepable;
	int nargs;
	/* The structure that each argument points to, or 0. */
	int types[12];
};

/* How to get from a register to an object. */
#define WALK_MAX 3

struct walk {
	/* Index of the hook's argument, or -1: the current task. */
	int root;
	int steps;
	struct {
		int offset;
		/* Load the pointer there, or point there. */
		bool load;
	} step[WALK_MAX];
};

extern struct kfunc kfuncs[];
extern int nkfuncs;
extern struct krsi_hook *krsi_hooks;
extern int nkrsi_hooks;
extern int rcu_lock_id;
extern int rcu_unlock_id;

int types_init(void);
/* Finds a random way to an object of @type in a program of @hook. */
bool types_walk(struct rng *r, const struct krsi_hook *hook, int type, struct walk *walk);
/* A kfunc that takes back a reference on @type, or 0. */
int types_release(int type);
const struct krsi_hook *types_hook(const char *name);

#endif /* _KRSI_FUZZ_TYPES_H */
