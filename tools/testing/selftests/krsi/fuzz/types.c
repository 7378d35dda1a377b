// SPDX-License-Identifier: GPL-2.0
/*
 * Finds kfuncs, hooks and ways to objects in the kernel's BTF.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "types.h"

struct kfunc kfuncs[KFUNCS_MAX];
int nkfuncs;
struct krsi_hook *krsi_hooks;
int nkrsi_hooks;
int rcu_lock_id;
int rcu_unlock_id;

static struct btf *btf;
static int task_type;

/* Functions that take back a reference: type of the object, BTF id. */
static struct { int type, id; } releases[32];
static int nreleases;

static const struct btf_type *skip(int id, int *found)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t))) {
		id = t->type;
		t = btf__type_by_id(btf, id);
	}
	*found = id;
	return t;
}

/* Returns the id of the structure that @id is a pointer to, or 0. */
static int pointee(int id, const struct btf_type **to)
{
	const struct btf_type *t = skip(id, &id);

	*to = NULL;
	if (!t || !btf_is_ptr(t))
		return 0;
	*to = skip(t->type, &id);
	return *to && btf_is_struct(*to) ? id : 0;
}

static const char *name_of(const struct btf_type *t)
{
	return btf__name_by_offset(btf, t->name_off);
}

static bool ends(const char *name, const char *end)
{
	size_t len = strlen(name), n = strlen(end);

	return len >= n && !strcmp(name + len - n, end);
}

static bool is_size(const char *name)
{
	return ends(name, "__sz") || ends(name, "__szk");
}

static void read_arg(struct kfunc_arg *arg, const struct btf_param *p, const char *next)
{
	const struct btf_type *to;
	int type = pointee(p->type, &to);

	arg->name = btf__name_by_offset(btf, p->name_off);
	if (!to && !btf_is_ptr(skip(p->type, &(int){ 0 }))) {
		arg->kind = is_size(arg->name) ? ARG_SIZE :
			    ends(arg->name, "_buf_size") ? ARG_RETURN_SIZE : ARG_SCALAR;
		return;
	}
	arg->type = type;
	if (next && is_size(next)) {
		arg->kind = ARG_MEMORY;
		arg->size = type ? to->size : 0;
	} else if (ends(arg->name, "__str")) {
		arg->kind = ARG_STRING;
	} else if (ends(arg->name, "__map")) {
		arg->kind = ARG_MAP;
	} else {
		arg->kind = ARG_OBJECT;
	}
}

static bool read_kfunc(struct kfunc *k, int id)
{
	const struct btf_type *func = btf__type_by_id(btf, id), *to;
	const struct btf_type *proto = btf__type_by_id(btf, func->type), *ret;
	const struct btf_param *p = btf_params(proto);

	memset(k, 0, sizeof(*k));
	k->name = name_of(func);
	k->id = id;
	k->nargs = btf_vlen(proto);
	if (k->nargs > KFUNC_ARGS)
		return false;
	for (int i = 0; i < k->nargs; i++)
		read_arg(&k->args[i], &p[i], i + 1 < k->nargs ?
			 btf__name_by_offset(btf, p[i + 1].name_off) : NULL);
	k->return_type = pointee(proto->type, &to);
	ret = proto->type ? skip(proto->type, &(int){ 0 }) : NULL;
	k->returns = !ret ? RETURNS_VOID : k->return_type ? RETURNS_OBJECT :
		     btf_is_ptr(ret) ? RETURNS_BYTES : RETURNS_INT;
	return true;
}

/* Functions named so take back what others have acquired. */
static bool is_release(const char *name)
{
	return ends(name, "_put") || ends(name, "_release");
}

static void read_tagged(int id)
{
	const struct btf_type *func = btf__type_by_id(btf, id);
	const char *name = name_of(func);
	struct kfunc k;

	if (!strcmp(name, "bpf_rcu_read_lock"))
		rcu_lock_id = id;
	if (!strcmp(name, "bpf_rcu_read_unlock"))
		rcu_unlock_id = id;
	if (!read_kfunc(&k, id))
		return;
	if (is_release(name) && k.nargs == 1 && k.args[0].type && nreleases < 32) {
		releases[nreleases].type = k.args[0].type;
		releases[nreleases++].id = id;
	}
	/* The variants with what the verifier passes are not for programs. */
	if (!strncmp(name, "krsi_", 5) && !ends(name, "_impl") && nkfuncs < KFUNCS_MAX)
		kfuncs[nkfuncs++] = k;
}

static void read_hook(const struct btf_type *func, int id)
{
	const struct btf_type *proto = btf__type_by_id(btf, func->type), *to;
	const struct btf_param *p = btf_params(proto);
	struct krsi_hook *hook;

	krsi_hooks = realloc(krsi_hooks, (nkrsi_hooks + 1) * sizeof(*krsi_hooks));
	hook = &krsi_hooks[nkrsi_hooks++];
	*hook = (struct krsi_hook){
		.name = name_of(func) + strlen("bpf_lsm_"),
		.id = id,
		.nargs = btf_vlen(proto),
	};
	for (int i = 0; i < hook->nargs && i < 12; i++)
		hook->types[i] = pointee(p[i].type, &to);
}

/* securityfs knows which hooks take sleepable programs. */
static void read_sleepable(void)
{
	FILE *file = fopen(KRSI_DIR "/hooks", "re");
	char line[4096], name[64];
	int sleepable;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s sleepable=%d", name, &sleepable) != 2)
			continue;
		for (int i = 0; i < nkrsi_hooks; i++)
			if (!strcmp(krsi_hooks[i].name, name))
				krsi_hooks[i].sleepable = sleepable;
	}
	if (file)
		fclose(file);
}

int types_init(void)
{
	const struct btf_type *t;
	int n;

	if (btf)
		return 0;
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return -ENOENT;
	n = btf__type_cnt(btf);
	for (int id = 1; id < n; id++) {
		t = btf__type_by_id(btf, id);
		if (btf_is_func(t) && !strncmp(name_of(t), "bpf_lsm_", 8) &&
		    !types_hook(name_of(t) + 8))
			read_hook(t, id);
		if (btf_kind(t) == BTF_KIND_DECL_TAG && !strcmp(name_of(t), "bpf_kfunc"))
			read_tagged(t->type);
	}
	read_sleepable();
	task_type = btf__find_by_name_kind(btf, "task_struct", BTF_KIND_STRUCT);
	return nkfuncs && nkrsi_hooks ? 0 : -ENOENT;
}

const struct krsi_hook *types_hook(const char *name)
{
	for (int i = 0; i < nkrsi_hooks; i++)
		if (!strcmp(krsi_hooks[i].name, name))
			return &krsi_hooks[i];
	return NULL;
}

int types_release(int type)
{
	for (int i = 0; i < nreleases; i++)
		if (releases[i].type == type)
			return releases[i].id;
	return 0;
}

#define WALKS_MAX 64

struct walks {
	struct walk found[WALKS_MAX];
	int count;
};

/* Collects the ways from a structure to @type, of at most WALK_MAX steps. */
static void collect(struct walks *walks, const struct walk *so_far, int from, int type, int base)
{
	const struct btf_type *t = btf__type_by_id(btf, from), *to;
	const struct btf_member *m = btf_members(t);
	struct walk walk;
	int id, at;

	for (int i = 0; i < btf_vlen(t) && walks->count < WALKS_MAX; i++) {
		at = base + btf_member_bit_offset(t, i) / 8;
		if (at > 32767)
			return;
		walk = *so_far;
		to = skip(m[i].type, &id);
		if (to && btf_is_struct(to)) {
			walk.step[walk.steps].offset = at;
			walk.step[walk.steps++].load = false;
			if (id == type)
				walks->found[walks->count++] = walk;
			else if (btf_vlen(to) < 8)
				collect(walks, so_far, id, type, at);
			continue;
		}
		id = pointee(m[i].type, &to);
		if (!id)
			continue;
		walk.step[walk.steps].offset = at;
		walk.step[walk.steps++].load = true;
		if (id == type)
			walks->found[walks->count++] = walk;
		else if (walk.steps < WALK_MAX - 1 && to->size <= 1024)
			collect(walks, &walk, id, type, 0);
	}
}

bool types_walk(struct rng *r, const struct krsi_hook *hook, int type, struct walk *walk)
{
	static struct walks walks;
	struct walk start = {};
	int direct;

	walks.count = 0;
	for (int i = 0; i < hook->nargs && i < 12; i++)
		if (hook->types[i] == type)
			walks.found[walks.count++] = (struct walk){ .root = i };
	if (task_type == type)
		walks.found[walks.count++] = (struct walk){ .root = -1 };
	direct = walks.count;
	for (int i = 0; i < hook->nargs && i < 12; i++) {
		start.root = i;
		if (hook->types[i])
			collect(&walks, &start, hook->types[i], type, 0);
	}
	if (!walks.count)
		return false;
	/* The ways without steps are those that the verifier trusts most. */
	*walk = walks.found[rng_below(r, direct && rng_chance(r, 80) ? direct : walks.count)];
	return true;
}
