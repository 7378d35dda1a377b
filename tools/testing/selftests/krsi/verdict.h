/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loads each program of an object alone and compares what the verifier says
 * with what is written beside the program: see progs/verdict.bpf.h.
 */

#ifndef _KRSI_VERDICT_H
#define _KRSI_VERDICT_H

#include "common.h"

/* What is written beside function @name; NULL if nothing is. */
static inline const char *verdict_of(const struct btf *btf, const char *name)
{
	const struct btf_type *t;
	const char *tag;
	int func;
	__u32 i;

	func = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
	for (i = 1; func > 0 && i < btf__type_cnt(btf); i++) {
		t = btf__type_by_id(btf, i);
		if (!btf_is_decl_tag(t) || t->type != func || btf_decl_tag(t)->component_idx != -1)
			continue;
		tag = btf__name_by_offset(btf, t->name_off);
		if (!strncmp(tag, "krsi:", 5))
			return tag + 5;
	}
	return NULL;
}

/* The end of a log: its beginning is the program. */
static inline const char *log_tail(const char *log)
{
	size_t len = strlen(log);

	return len > 1500 ? log + len - 1500 : log;
}

/*
 * Every program of the object, which is @size bytes at @elf, has to have a
 * verdict beside it, and to get it. Without KRSI, whose kfuncs the programs
 * call, each has to be refused. Returns how many there were.
 */
static inline int check_verdicts(struct __test_metadata *const _metadata, const void *elf,
				 size_t size)
{
	static char log[1 << 20];
	struct bpf_program *prog, *each;
	struct bpf_object *all, *obj;
	const char *verdict, *name;
	int count = 0, err;

	all = bpf_object__open_mem(elf, size, NULL);
	ASSERT_NE(NULL, all);
	bpf_object__for_each_program(each, all) {
		name = bpf_program__name(each);
		verdict = verdict_of(bpf_object__btf(all), name);
		EXPECT_NE(NULL, verdict)
			TH_LOG("%s: no verdict beside it", name);
		if (!verdict)
			continue;
		if (!krsi_active())
			verdict = "reject=";

		obj = bpf_object__open_mem(elf, size, NULL);
		ASSERT_NE(NULL, obj);
		ASSERT_TRUE(load_only(obj, name));
		prog = bpf_object__find_program_by_name(obj, name);
		log[0] = '\0';
		bpf_program__set_log_buf(prog, log, sizeof(log));
		bpf_program__set_log_level(prog, 1);
		err = bpf_object__load(obj);
		if (getenv("KRSI_VERBOSE"))
			fprintf(stderr, "%s: %d\n%s\n", name, err, log);
		if (!strcmp(verdict, "accept")) {
			EXPECT_EQ(0, err)
				TH_LOG("%s: refused:\n%s", name, log_tail(log));
		} else {
			verdict += strlen("reject=");
			EXPECT_NE(0, err)
				TH_LOG("%s: accepted, expected '%s'", name, verdict);
			EXPECT_NE(NULL, strstr(log, verdict))
				TH_LOG("%s: expected '%s':\n%s", name, verdict, log_tail(log));
		}
		bpf_object__close(obj);
		count++;
	}
	bpf_object__close(all);
	return count;
}

#endif /* _KRSI_VERDICT_H */
