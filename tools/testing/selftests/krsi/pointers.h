/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Holds the table of Documentation/bpf/krsi-kfuncs-refs.rst to what the verifier
 * makes of each pointer: for each row and column a program is generated that
 * gets to the pointer, and the verifier's log tells what it is.
 *
 * A row names a hook and an expression: an argument of the hook, or "current",
 * with fields (a->b.c), an address (&a->b) or a kfunc of one argument (f(a)).
 */

#ifndef _KRSI_POINTERS_H
#define _KRSI_POINTERS_H

#include <ctype.h>

#include "common.h"

#define PTR_INSN(_code, _dst, _src, _off, _imm) ((struct bpf_insn) {	\
	.code = _code, .dst_reg = _dst, .src_reg = _src, .off = _off, .imm = _imm })
#define PTR_MOV(dst, src) PTR_INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define PTR_LOAD(dst, src, off) PTR_INSN(BPF_LDX | BPF_MEM | BPF_DW, dst, src, off, 0)
#define PTR_KFUNC(id) PTR_INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, id)

/* The columns, in their order. */
enum pointer_place {
	PLACE_OUTSIDE,	/* A sleepable program, in no RCU section. */
	PLACE_INSIDE,	/* A sleepable program, in a section. */
	PLACE_AFTER,	/* The same, found in the section and compared with NULL, after it. */
	PLACE_ATOMIC,	/* A program that cannot sleep. */
	PLACE_COUNT,
};

/* A program in the making. R6 is the pointer, R9 the context. */
struct pointer_prog {
	const struct btf *btf;
	const struct btf_type *proto;
	const char *expr;
	struct bpf_insn insns[64];
	int count;
	/* Jumps to the end, of the branches where a pointer was NULL. */
	int jumps[16];
	int jump_count;
	/* The structure that R6 points to; NULL if it is not one. */
	const struct btf_type *type;
	/* What is wrong with the expression. */
	const char *error;
};

static inline void pointer_emit(struct pointer_prog *p, struct bpf_insn insn)
{
	if (p->count < 60)
		p->insns[p->count++] = insn;
	else
		p->error = "too long";
}

static inline const struct btf_type *pointer_skip(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}

/* What a pointer points to, if it is a structure. */
static inline const struct btf_type *pointer_target(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = pointer_skip(btf, id);

	if (!t || !btf_is_ptr(t))
		return NULL;
	t = pointer_skip(btf, t->type);
	return t && btf_is_composite(t) ? t : NULL;
}

/* Finds a member, be it of an anonymous one; adds its offset in bytes. */
static inline const struct btf_member *pointer_member(const struct btf *btf,
						      const struct btf_type *t, const char *name,
						      __u32 *offset)
{
	const struct btf_member *m = btf_members(t), *inner;
	const struct btf_type *of;
	int i;

	for (i = 0; i < btf_vlen(t); i++, m++) {
		__u32 at = btf_member_bit_offset(t, i) / 8;
		const char *member = btf__name_by_offset(btf, m->name_off);

		if (!strcmp(member, name)) {
			*offset += at;
			return m;
		}
		of = pointer_skip(btf, m->type);
		if (*member || !of || !btf_is_composite(of))
			continue;
		inner = pointer_member(btf, of, name, offset);
		if (inner) {
			*offset += at;
			return inner;
		}
	}
	return NULL;
}

static inline void pointer_word(struct pointer_prog *p, char *word, size_t size)
{
	size_t len = 0;

	while (isalnum(*p->expr) || *p->expr == '_') {
		if (len < size - 1)
			word[len++] = *p->expr;
		p->expr++;
	}
	word[len] = '\0';
}

static inline bool pointer_eat(struct pointer_prog *p, const char *what)
{
	if (strncmp(p->expr, what, strlen(what)))
		return false;
	p->expr += strlen(what);
	return true;
}

/* Whoever goes on from a pointer has compared it with NULL. */
static inline void pointer_check(struct pointer_prog *p)
{
	if (p->jump_count == 16) {
		p->error = "too long";
		return;
	}
	p->jumps[p->jump_count++] = p->count;
	pointer_emit(p, PTR_INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_6, 0, 0, 0));
}

static inline void pointer_expr(struct pointer_prog *p);

static inline void pointer_primary(struct pointer_prog *p)
{
	const struct btf_param *param = btf_params(p->proto);
	const struct btf_type *func;
	char word[64];
	int i, id;

	pointer_word(p, word, sizeof(word));
	if (pointer_eat(p, "(")) {
		pointer_expr(p);
		if (!pointer_eat(p, ")")) {
			p->error = "no )";
			return;
		}
		id = btf__find_by_name_kind(p->btf, word, BTF_KIND_FUNC);
		if (id < 0) {
			p->error = "no such kfunc";
			return;
		}
		pointer_check(p);
		pointer_emit(p, PTR_MOV(BPF_REG_1, BPF_REG_6));
		pointer_emit(p, PTR_KFUNC(id));
		pointer_emit(p, PTR_MOV(BPF_REG_6, BPF_REG_0));
		func = btf__type_by_id(p->btf, btf__type_by_id(p->btf, id)->type);
		p->type = pointer_target(p->btf, func->type);
		return;
	}
	if (!strcmp(word, "current")) {
		pointer_emit(p, PTR_INSN(BPF_JMP | BPF_CALL, 0, 0, 0,
					 BPF_FUNC_get_current_task_btf));
		pointer_emit(p, PTR_MOV(BPF_REG_6, BPF_REG_0));
		id = btf__find_by_name_kind(p->btf, "task_struct", BTF_KIND_STRUCT);
		p->type = btf__type_by_id(p->btf, id);
		return;
	}
	for (i = 0; i < btf_vlen(p->proto); i++) {
		if (strcmp(btf__name_by_offset(p->btf, param[i].name_off), word))
			continue;
		pointer_emit(p, PTR_LOAD(BPF_REG_6, BPF_REG_9, i * 8));
		p->type = pointer_target(p->btf, param[i].type);
		return;
	}
	p->error = "the hook has no such argument";
}

static inline void pointer_expr(struct pointer_prog *p)
{
	const struct btf_member *m;
	const struct btf_type *t;
	bool address = pointer_eat(p, "&");
	__u32 offset;
	char word[64];

	pointer_primary(p);
	while (!p->error && pointer_eat(p, "->")) {
		offset = 0;
		t = p->type;
		do {
			pointer_word(p, word, sizeof(word));
			m = t && btf_is_composite(t) ?
			    pointer_member(p->btf, t, word, &offset) : NULL;
			if (!m) {
				p->error = "no such field";
				return;
			}
			t = pointer_skip(p->btf, m->type);
		} while (pointer_eat(p, "."));
		pointer_check(p);
		if (address && strncmp(p->expr, "->", 2)) {
			pointer_emit(p, PTR_INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_6, 0, 0,
						 offset));
			p->type = t;
		} else {
			pointer_emit(p, PTR_LOAD(BPF_REG_6, BPF_REG_6, offset));
			p->type = pointer_target(p->btf, m->type);
		}
	}
}

/* Whether the first register in @state is one of the references that are held. */
static inline bool pointer_referenced(const char *state)
{
	const char *refs = strstr(state, " refs="), *own = strstr(state, "(id=");
	unsigned long id, held;
	char *end;

	if (!refs || !own || own > strpbrk(state, ") "))
		return false;
	id = strtoul(own + 4, NULL, 10);
	for (refs += 5; *refs == '=' || *refs == ','; refs = end) {
		held = strtoul(refs + 1, &end, 10);
		if (held == id)
			return true;
	}
	return false;
}

/*
 * What the verifier's log says of register @reg after instruction @index, in
 * the words of the documentation.
 */
static inline const char *pointer_class(const char *log, int index, int reg)
{
	static const struct {
		const char *prefix, *word;
	} words[] = {
		{ "trusted_ptr_or_null_", "trusted or NULL" },
		{ "trusted_ptr_", "trusted" },
		{ "rcu_ptr_or_null_", "RCU or NULL" },
		{ "rcu_ptr_", "RCU" },
		{ "untrusted_ptr_", "untrusted" },
		{ "ptr_", "unmarked" },
	};
	char at[16], name[8], line[512];
	const char *found, *state;
	size_t i, len;

	snprintf(at, sizeof(at), "\n%d: (", index);
	snprintf(name, sizeof(name), " R%d=", reg);
	found = strstr(log, at);
	if (!found)
		return "refused";
	len = strcspn(found + 1, "\n");
	snprintf(line, sizeof(line), "%.*s", (int)len, found + 1);
	state = strchr(line, ';');
	state = state ? strstr(state, name) : NULL;
	if (!state)
		return "refused";
	state += strlen(name);
	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strncmp(state, words[i].prefix, strlen(words[i].prefix)))
			continue;
		if (i < 2 && pointer_referenced(state))
			return i ? "reference" : "reference or NULL";
		return words[i].word;
	}
	return "no pointer";
}

/*
 * What @expr is to programs of @hook in @place. @section puts the program that
 * cannot sleep into a section of its own.
 */
static inline const char *pointer_in(const struct btf *btf, const char *hook, const char *expr,
				     enum pointer_place place, bool section)
{
	static char log[1 << 20];
	struct pointer_prog p = { .btf = btf, .expr = expr };
	bool locked = place == PLACE_INSIDE || place == PLACE_AFTER || section;
	int lock, unlock, id, fd, index, end, i;
	__u32 flags = place == PLACE_ATOMIC ? 0 : BPF_F_SLEEPABLE;

	id = hook_btf_id(hook);
	lock = btf__find_by_name_kind(btf, "bpf_rcu_read_lock", BTF_KIND_FUNC);
	unlock = btf__find_by_name_kind(btf, "bpf_rcu_read_unlock", BTF_KIND_FUNC);
	if (id < 0 || lock < 0 || unlock < 0)
		return "no such hook";
	p.proto = btf__type_by_id(btf, btf__type_by_id(btf, id)->type);

	pointer_emit(&p, PTR_MOV(BPF_REG_9, BPF_REG_1));
	if (locked)
		pointer_emit(&p, PTR_KFUNC(lock));
	pointer_expr(&p);
	if (p.error || *p.expr)
		return p.error ?: "not an expression";
	if (place == PLACE_AFTER) {
		pointer_check(&p);
		pointer_emit(&p, PTR_KFUNC(unlock));
	}
	/* A copy, and one of the copy, since the log leaves out what is not used. */
	index = p.count;
	pointer_emit(&p, PTR_MOV(BPF_REG_8, BPF_REG_6));
	pointer_emit(&p, PTR_MOV(BPF_REG_7, BPF_REG_8));
	if (place == PLACE_AFTER) {
		pointer_emit(&p, PTR_INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0));
		pointer_emit(&p, PTR_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
	}
	end = p.count;
	if (locked)
		pointer_emit(&p, PTR_KFUNC(unlock));
	pointer_emit(&p, PTR_INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0));
	pointer_emit(&p, PTR_INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
	for (i = 0; i < p.jump_count; i++)
		p.insns[p.jumps[i]].off = end - p.jumps[i] - 1;
	if (p.error)
		return p.error;

	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		.expected_attach_type = BPF_LSM_MAC,
		.attach_btf_id = id,
		.prog_flags = flags,
		.log_buf = log,
		.log_size = sizeof(log),
		.log_level = 2,
	);
	log[0] = '\0';
	fd = bpf_prog_load(BPF_PROG_TYPE_LSM, "krsi_pointer", "GPL", p.insns, p.count, &opts);
	if (fd >= 0)
		close(fd);
	if (getenv("KRSI_VERBOSE"))
		fprintf(stderr, "%s %s %d: %d\n%s\n", hook, expr, place, fd, log);
	if (strstr(log, "is not sleepable"))
		return "-";
	return pointer_class(log, index, BPF_REG_8);
}

/* Takes the quotes off the next field of a line of CSV; NULL at the end. */
static inline char *pointer_field(char **line)
{
	char *field = *line, *end;

	if (!field)
		return NULL;
	field += strspn(field, " ");
	if (*field == '"') {
		field++;
		end = strchr(field, '"');
		if (!end)
			return NULL;
		*end++ = '\0';
		end = strchr(end, ',');
	} else {
		end = strchr(field, ',');
	}
	if (end)
		*end++ = '\0';
	*line = end;
	return field;
}

/* True if the kernel's BTF has __rcu as a type tag, which takes clang. */
static inline bool pointer_has_tags(const struct btf *btf)
{
	const struct btf_type *t;
	__u32 i;

	for (i = 1; i < btf__type_cnt(btf); i++) {
		t = btf__type_by_id(btf, i);
		if (btf_is_type_tag(t) && !strcmp(btf__name_by_offset(btf, t->name_off), "rcu"))
			return true;
	}
	return false;
}

/*
 * Returns what a column says of fields that only the tag marks as __rcu, for a
 * kernel without tags; NULL for other fields. The verifier has a list for
 * compilers without tags, which these are not in.
 */
static inline const char *pointer_untagged(const char *expr, enum pointer_place place)
{
	static const char *const tagged[] = { "->cred", "->real_cred" };
	const char *field = strrchr(expr, '-');
	int i;

	if (strncmp(expr, "current->", strlen("current->")))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(tagged); i++)
		if (!strcmp(field, tagged[i]))
			return place == PLACE_OUTSIDE ? "untrusted" : "unmarked";
	return NULL;
}

/* Checks every row of the file; returns how many there were. */
static inline int check_pointers(struct __test_metadata *const _metadata, const char *path)
{
	static char text[1 << 16];
	char *save, *line, *hook, *expr, *words[PLACE_COUNT];
	struct btf *btf;
	bool has_tags;
	int rows = 0, i;

	btf = btf__load_vmlinux_btf();
	ASSERT_NE(NULL, btf);
	has_tags = pointer_has_tags(btf);
	ASSERT_TRUE(read_text(path, text, sizeof(text)));
	ASSERT_GT(sizeof(text) - 1, strlen(text));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		hook = pointer_field(&line);
		expr = pointer_field(&line);
		ASSERT_NE(NULL, expr);
		for (i = 0; i < PLACE_COUNT; i++) {
			const char *is;

			words[i] = pointer_field(&line);
			ASSERT_NE(NULL, words[i])
				TH_LOG("%s: too few columns", expr);
			if (!has_tags && pointer_untagged(expr, i))
				words[i] = (char *)pointer_untagged(expr, i);
			is = pointer_in(btf, hook, expr, i, false);
			EXPECT_STREQ(words[i], is)
				TH_LOG("%s, %s, column %d", hook, expr, i + 1);
			if (i != PLACE_ATOMIC)
				continue;
			/* A section of its own is nothing new to it. */
			EXPECT_STREQ(words[i], pointer_in(btf, hook, expr, i, true))
				TH_LOG("%s, %s, in a section", hook, expr);
		}
		EXPECT_EQ(NULL, line)
			TH_LOG("%s: too many columns", expr);
		rows++;
	}
	btf__free(btf);
	return rows;
}

#endif /* _KRSI_POINTERS_H */
