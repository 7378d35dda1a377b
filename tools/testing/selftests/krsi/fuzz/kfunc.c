// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that call KRSI's kfuncs with arguments at their bounds. The verifier
 * refuses many of them. The others run, and decide nothing.
 */

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "types.h"

#define BUFFER 8192
/* Offsets in the map of a worker's kfunc programs. */
#define AT_RUNS BUFFER
#define AT_NUMBERS (BUFFER + 64)
#define NUMBERS 16

static const char *const strings[] = { "", "PATH", "A", "A=1", "EMPTY", "none" };

static int buffer_fd = -1, strings_fd, ringbuf_fd, array_fd;

/* A program in the making. */
struct sketch {
	struct code code;
	struct rng *r;
	const struct krsi_hook *hook;
	bool sleepable;
	/* What R7 to R9 have: results of earlier calls, by type. */
	int kept[3];
	int nkept;
	bool used[KFUNCS_MAX];
	char text[120];
};

int kfuncs_init(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_RDONLY_PROG);
	char all[ARRAY_SIZE(strings) * 8] = "";
	__u32 zero = 0;
	int ret = types_init();

	if (ret)
		return ret;
	strings_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "fuzz_strings", 4, sizeof(all), 1, &opts);
	ringbuf_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "fuzz_ring", 0, 0, 4096, NULL);
	array_fd = bpf_map_create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, "fuzz_perf", 4, 4, 2, NULL);
	if (strings_fd < 0 || ringbuf_fd < 0 || array_fd < 0)
		return -errno;
	for (unsigned int i = 0; i < ARRAY_SIZE(strings); i++)
		strcpy(all + i * 8, strings[i]);
	if (bpf_map_update_elem(strings_fd, &zero, all, 0))
		return -errno;
	return bpf_map_freeze(strings_fd) ? -errno : 0;
}

int kfuncs_count(void)
{
	return nkfuncs;
}

const char *kfunc_name(int nr)
{
	return kfuncs[nr].name;
}

static uint32_t pick_number(struct rng *r)
{
	static const uint32_t numbers[] = {
		0, 1, 2, 7, 8, 255, 256, 4095, 4096, 4097, 0x7fffffff, 0x80000000, 0xffffffff,
	};

	return rng_pick(r, numbers);
}

/* Puts the 64 bits of a number from the map in @reg: a number that is no constant. */
static void emit_variable(struct sketch *s, int reg)
{
	emit_ld64(&s->code, reg, BPF_PSEUDO_MAP_VALUE, buffer_fd);
	emit(&s->code, LOAD(BPF_W, reg, reg, AT_NUMBERS + 4 * rng_below(s->r, NUMBERS)));
}

static void emit_scalar(struct sketch *s, int reg, const struct kfunc_arg *arg,
			const struct slot *slot)
{
	struct rng *r = s->r;

	if (rng_chance(r, 10)) {
		emit_variable(s, reg);
	} else if (!strcmp(arg->name, "slot") && slot && rng_chance(r, 85)) {
		emit_ld64(&s->code, reg, 0, slot->number);
	} else if (!strcmp(arg->name, "slot") && slot) {
		emit_ld64(&s->code, reg, 0, slot->number + 1);
	} else if (!strcmp(arg->name, "flags")) {
		emit_ld64(&s->code, reg, 0, rng_chance(r, 60) ? rng_below(r, 4) :
			  rng_chance(r, 90) ? 1ULL << rng_below(r, 64) : ~0ULL);
	} else {
		emit_ld64(&s->code, reg, 0, rng_chance(r, 70) ? rng_below(r, 6) : pick_number(r));
	}
}

/* Memory of the stack or of a map, of @want bytes or of any size up to one too many. */
static int emit_memory(struct sketch *s, int reg, const struct kfunc_arg *arg)
{
	static const int sizes[] = { 0, 1, 7, 8, 64, 256, 4095, 4096, 4097, 8191, 8192, 8193 };
	int size = arg->size && rng_chance(s->r, 85) ? arg->size : rng_pick(s->r, sizes);

	if (size <= 256 && rng_chance(s->r, 50)) {
		int room = (size + 7) & ~7;

		for (int at = 8; at <= room; at += 8)
			emit(&s->code, STORE_IMM(BPF_DW, BPF_REG_10, -at, 0));
		emit(&s->code, MOV_REG(reg, BPF_REG_10));
		emit(&s->code, ALU_IMM(BPF_ADD, reg, -room));
	} else if (!size && rng_chance(s->r, 30)) {
		emit(&s->code, MOV_IMM(reg, 0));
	} else {
		emit_ld64(&s->code, reg, BPF_PSEUDO_MAP_VALUE, buffer_fd);
		if (size < BUFFER && rng_chance(s->r, 30))
			emit(&s->code, ALU_IMM(BPF_ADD, reg, BUFFER - size));
	}
	return size;
}

/* A size that is no constant, but has a bound. */
static void emit_size(struct sketch *s, int reg, int size)
{
	if (size > 8 && rng_chance(s->r, 20)) {
		int bits = 1;

		while (bits * 2 - 1 <= size)
			bits *= 2;
		emit_variable(s, reg);
		emit(&s->code, ALU_IMM(BPF_AND, reg, bits - 1));
		return;
	}
	emit(&s->code, MOV_IMM(reg, size));
}

/* Leads to the end of the call if there is no object, as a careful program does. */
static void emit_object(struct sketch *s, int reg, int type)
{
	struct code *c = &s->code;
	struct walk walk;

	for (int i = 0; i < s->nkept; i++) {
		if (s->kept[i] != type || rng_chance(s->r, 40))
			continue;
		emit(c, MOV_REG(reg, BPF_REG_7 + i));
		if (rng_chance(s->r, 90))
			emit_jump(c, JUMP_IMM(BPF_JEQ, reg, 0, 0));
		return;
	}
	if (rng_chance(s->r, 3) || !types_walk(s->r, s->hook, type, &walk)) {
		emit(c, MOV_IMM(reg, 0));
		return;
	}
	/* Calls lose R1 to R5: what was loaded waits on the stack. */
	if (walk.root < 0)
		emit(c, LOAD(BPF_DW, reg, BPF_REG_10, -264));
	else
		emit(c, LOAD(BPF_DW, reg, BPF_REG_6, 8 * walk.root));
	for (int i = 0; i < walk.steps; i++) {
		if (walk.step[i].load) {
			emit(c, LOAD(BPF_DW, reg, reg, walk.step[i].offset));
			if (rng_chance(s->r, 85))
				emit_jump(c, JUMP_IMM(BPF_JEQ, reg, 0, 0));
		} else {
			emit(c, ALU_IMM(BPF_ADD, reg, walk.step[i].offset));
		}
	}
}

/* Reads and writes what a kfunc has returned, at its bounds. */
static void emit_use(struct sketch *s, int size)
{
	struct code *c = &s->code;
	int first = c->njumps;

	if (rng_chance(s->r, 95))
		emit_jump(c, JUMP_IMM(BPF_JEQ, BPF_REG_0, 0, 0));
	if (size > 0 && size < 32767) {
		emit(c, LOAD(BPF_B, BPF_REG_1, BPF_REG_0, size - 1));
		emit(c, STORE(BPF_B, BPF_REG_0, BPF_REG_1, 0));
		if (size >= 8)
			emit(c, STORE_IMM(BPF_DW, BPF_REG_0, (size - 8) & ~7, rng_next(s->r)));
	}
	if (rng_chance(s->r, 3))
		emit(c, LOAD(BPF_B, BPF_REG_1, BPF_REG_0, size < 32767 ? size : 0));
	here(c, first);
}

/* The class of objects that the kfunc is about is in its name. */
static const struct slot *pick_slot(struct sketch *s, const struct kfunc *k)
{
	if (!slots_count)
		return NULL;
	for (int i = 0; i < 40; i++) {
		const struct slot *slot = &slots[rng_below(s->r, slots_count)];

		if (strstr(k->name, slot->class))
			return slot;
	}
	return &slots[rng_below(s->r, slots_count)];
}

static void emit_call(struct sketch *s, const struct kfunc *k)
{
	const struct slot *slot = pick_slot(s, k);
	struct code *c = &s->code;
	int first = c->njumps, size = 0, reg;

	for (int i = 0; i < k->nargs; i++) {
		const struct kfunc_arg *arg = &k->args[i];

		reg = BPF_REG_1 + i;
		switch (arg->kind) {
		case ARG_OBJECT:
			emit_object(s, reg, arg->type);
			break;
		case ARG_MEMORY:
			size = emit_memory(s, reg, arg);
			break;
		case ARG_SIZE:
			emit_size(s, reg, size);
			break;
		case ARG_RETURN_SIZE:
			size = slot && rng_chance(s->r, 80) ? (int)slot->size :
			       (int)(pick_number(s->r) & 0x7fffffff);
			emit(c, MOV_IMM(reg, size));
			break;
		case ARG_STRING:
			emit_ld64(c, reg, BPF_PSEUDO_MAP_VALUE, strings_fd);
			c->insns[c->len - 1].imm = 8 * rng_below(s->r, ARRAY_SIZE(strings));
			break;
		case ARG_MAP:
			emit_ld64(c, reg, BPF_PSEUDO_MAP_FD, rng_chance(s->r, 60) ? ringbuf_fd :
				  rng_chance(s->r, 60) ? array_fd : buffer_fd);
			break;
		case ARG_SCALAR:
			emit_scalar(s, reg, arg, slot);
		}
	}
	emit(c, CALL_KFUNC(k->id));
	if (k->returns == RETURNS_BYTES)
		emit_use(s, size);
	if (k->returns == RETURNS_OBJECT && s->nkept < 3) {
		emit(c, MOV_REG(BPF_REG_7 + s->nkept, BPF_REG_0));
		s->kept[s->nkept++] = k->return_type;
	}
	here(c, first);
}

/* Gives back what has to be: whether it was acquired, BTF does not say. */
static void emit_releases(struct sketch *s)
{
	struct code *c = &s->code;

	for (int i = 0; i < s->nkept; i++) {
		int id = types_release(s->kept[i]), first = c->njumps;

		if (!id || rng_chance(s->r, 10))
			continue;
		emit_jump(c, JUMP_IMM(BPF_JEQ, BPF_REG_7 + i, 0, 0));
		emit(c, MOV_REG(BPF_REG_1, BPF_REG_7 + i));
		emit(c, CALL_KFUNC(id));
		here(c, first);
		for (int nr = 0; nr < nkfuncs; nr++)
			s->used[nr] |= kfuncs[nr].id == id;
	}
}

/* Counts the run, for the current task only or for every one. */
static void emit_head(struct sketch *s, int pid)
{
	struct code *c = &s->code;

	emit(c, MOV_REG(BPF_REG_6, BPF_REG_1));
	for (int reg = BPF_REG_7; reg <= BPF_REG_9; reg++)
		emit(c, MOV_IMM(reg, 0));
	if (rng_chance(s->r, 20)) {
		emit(c, CALL_HELPER(BPF_FUNC_get_current_pid_tgid));
		emit_jump(c, JUMP32_IMM(BPF_JNE, BPF_REG_0, pid, 0));
	}
	emit_ld64(c, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, buffer_fd);
	emit(c, MOV_IMM(BPF_REG_2, 1));
	emit(c, INSN(BPF_STX | BPF_DW | BPF_ATOMIC, BPF_REG_1, BPF_REG_2, AT_RUNS, BPF_ADD));
	emit(c, CALL_HELPER(BPF_FUNC_get_current_task_btf));
	emit(c, STORE(BPF_DW, BPF_REG_10, BPF_REG_0, -264));
}

/* Finds a hook that has the objects of a kfunc. */
static const struct krsi_hook *pick_hook(struct rng *r, const struct kfunc *k)
{
	const struct krsi_hook *hook;
	struct walk walk;

	for (int i = 0; i < 200; i++) {
		bool fits = true;

		hook = rng_chance(r, 80) ?
			types_hook(trigger_hooks[rng_below(r, trigger_hooks_count)]) :
			&krsi_hooks[rng_below(r, nkrsi_hooks)];
		if (!hook)
			continue;
		for (int a = 0; a < k->nargs && fits; a++)
			fits = k->args[a].kind != ARG_OBJECT ||
			       types_walk(r, hook, k->args[a].type, &walk);
		if (fits)
			return hook;
	}
	return NULL;
}

static bool sketch(struct sketch *s, struct worker *w)
{
	struct code *c = &s->code;
	const struct kfunc *k = &kfuncs[rng_below(&w->rng, nkfuncs)];
	int calls = 1 + rng_below(&w->rng, 4) / 2;
	bool rcu;

	memset(s, 0, sizeof(*s));
	s->r = &w->rng;
	s->hook = pick_hook(s->r, k);
	if (!s->hook)
		return false;
	s->sleepable = rng_chance(s->r, s->hook->sleepable ? 60 : 5);
	rcu = rng_chance(s->r, 35) && rcu_lock_id && rcu_unlock_id;
	emit_head(s, w->pid);
	if (rcu)
		emit(c, CALL_KFUNC(rcu_lock_id));
	snprintf(s->text, sizeof(s->text), "%s%s:", s->hook->name, s->sleepable ? ".s" : "");
	for (int i = 0; i < calls; i++) {
		/* A call that is made twice is one of an object with a label. */
		if (i && rng_chance(s->r, 60))
			k = &kfuncs[rng_below(s->r, nkfuncs)];
		s->used[k - kfuncs] = true;
		snprintf(s->text + strlen(s->text), sizeof(s->text) - strlen(s->text), " %s",
			 k->name);
		emit_call(s, k);
	}
	if (rcu)
		emit(c, CALL_KFUNC(rcu_unlock_id));
	emit_releases(s);
	here(c, 0);
	emit(c, MOV_IMM(BPF_REG_0, 0));
	emit(c, EXIT());
	return true;
}

static int buffer_new(struct worker *w)
{
	static unsigned char value[BUFFER + 256];
	__u32 zero = 0, number;

	buffer_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "fuzz_buf", 4, sizeof(value), 1, NULL);
	for (int i = 0; i < NUMBERS; i++) {
		number = pick_number(&w->rng);
		memcpy(value + AT_NUMBERS + 4 * i, &number, 4);
	}
	return buffer_fd < 0 ? buffer_fd : bpf_map_update_elem(buffer_fd, &zero, value, 0);
}

static uint64_t runs(void)
{
	static unsigned char value[BUFFER + 256];
	__u32 zero = 0;
	uint64_t n = 0;

	if (!bpf_map_lookup_elem(buffer_fd, &zero, value))
		memcpy(&n, value + AT_RUNS, sizeof(n));
	return n;
}

static void drop(struct worker *w, int nr)
{
	close(w->kprogs[nr].link);
	close(w->kprogs[nr].prog);
	w->kprogs[nr] = w->kprogs[--w->nkprogs];
}

void kfunc_drop(struct worker *w)
{
	while (w->nkprogs)
		drop(w, 0);
}

/* Says why the verifier refuses a program. */
static void show_refusal(const struct sketch *s)
{
	static char log[65536];
	const char *why;

	raw_load(&s->code, BPF_PROG_TYPE_LSM, BPF_LSM_MAC, s->hook->id,
		 s->sleepable ? BPF_F_SLEEPABLE : 0, log, sizeof(log));
	why = strstr(log, "Suggestion:");
	fprintf(stderr, "# refused: %.300s\n", why ?: log);
}

void kfunc_op(struct worker *w)
{
	static struct sketch s;
	struct per_worker *mine = &w->round->shared->worker[w->nr];
	struct shared *shared = w->round->shared;
	int prog, link, tries;
	uint64_t before;

	say(w, "a program with kfuncs");
	if (buffer_fd < 0 && buffer_new(w))
		wrong(w, "no map for kfuncs");
	for (tries = 0, prog = -1; prog < 0 && tries < 8; tries++) {
		if (!sketch(&s, w))
			continue;
		say(w, "%s", s.text);
		prog = raw_load(&s.code, BPF_PROG_TYPE_LSM, BPF_LSM_MAC, s.hook->id,
				s.sleepable ? BPF_F_SLEEPABLE : 0, NULL, 0);
		if (prog >= 0)
			break;
		atomic_fetch_add(&mine->stats[STAT_KFUNC_REFUSED], 1);
		if (w->round->verbose)
			show_refusal(&s);
	}
	if (prog < 0)
		return;
	atomic_fetch_add(&mine->stats[STAT_KFUNC_PROGS], 1);
	link = link_create(prog, 0, BPF_LSM_MAC, 0);
	if (link < 0)
		wrong(w, "a program that was loaded is not attached: %s: %d", s.text, link);
	before = runs();
	trigger(w, &w->rng, 2);
	for (int i = 0; i < nkfuncs; i++) {
		if (!s.used[i])
			continue;
		atomic_fetch_add(&shared->kfunc_loaded[i], 1);
		if (runs() > before)
			atomic_fetch_add(&shared->kfunc_ran[i], 1);
	}
	atomic_fetch_add(&mine->stats[STAT_KFUNC_RUNS], runs() - before);
	if (w->nkprogs == KPROGS_MAX)
		drop(w, rng_below(&w->rng, KPROGS_MAX));
	w->kprogs[w->nkprogs++] = (struct kprog){ link, prog };
}
