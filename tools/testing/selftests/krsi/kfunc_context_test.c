// SPDX-License-Identifier: GPL-2.0
/*
 * Which kfuncs may be called from where.
 */

#include "fuzz/insn.h"
#include "kfunc_context.skel.h"
#include "verdict.h"

/* They are many, for a slow machine. */
FIXTURE(context)
{
};

FIXTURE_SETUP(context)
{
}

FIXTURE_TEARDOWN(context)
{
}

TEST_F_TIMEOUT(context, programs, 600)
{
	const void *elf;
	size_t size;

	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "the kfuncs are krsi's");
	elf = kfunc_context_bpf__elf_bytes(&size);
	EXPECT_LE(71, check_verdicts(_metadata, elf, size));
}

/*
 * A program that is its own timer's callback would have the same states in both
 * roles. No compiler generates one, and the verifier rejects it.
 */
TEST_F(context, own_callback)
{
	static char log_text[16384];
	LIBBPF_OPTS(bpf_map_create_opts, map_opts);
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_LSM_MAC,
		    .func_info_cnt = 1, .func_info_rec_size = sizeof(struct bpf_func_info),
		    .log_buf = log_text, .log_size = sizeof(log_text), .log_level = 1);
	struct bpf_func_info info = {};
	int number, words, timer, ctx, map;
	struct code c = {};
	struct btf *btf;

	btf = btf__new_empty();
	ASSERT_NE(NULL, btf);
	number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	words = btf__add_array(btf, number, btf__add_int(btf, "long", 8, 0), 2);
	timer = btf__add_struct(btf, "bpf_timer", 16);
	ASSERT_EQ(0, btf__add_field(btf, "__opaque", words, 0, 0));
	map_opts.btf_key_type_id = number;
	map_opts.btf_value_type_id = btf__add_struct(btf, "elem", 16);
	ASSERT_EQ(0, btf__add_field(btf, "timer", timer, 0, 0));
	ctx = btf__add_ptr(btf, 0);
	info.type_id = btf__add_func_proto(btf, number);
	ASSERT_EQ(0, btf__add_func_param(btf, "ctx", ctx));
	info.type_id = btf__add_func(btf, "own", BTF_FUNC_STATIC, info.type_id);
	ASSERT_LT(0, info.type_id);
	ASSERT_EQ(0, btf__load_into_kernel(btf));
	map_opts.btf_fd = btf__fd(btf);
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "timers", 4, 16, 1, &map_opts);
	ASSERT_LE(0, map);

	emit(&c, STORE_IMM(BPF_W, BPF_REG_10, -4, 0));
	emit_ld64(&c, BPF_REG_1, BPF_PSEUDO_MAP_FD, map);
	emit(&c, MOV_REG(BPF_REG_2, BPF_REG_10));
	emit(&c, ALU_IMM(BPF_ADD, BPF_REG_2, -4));
	emit(&c, CALL_HELPER(BPF_FUNC_map_lookup_elem));
	emit_jump(&c, JUMP_IMM(BPF_JEQ, BPF_REG_0, 0, 0));
	emit(&c, MOV_REG(BPF_REG_1, BPF_REG_0));
	emit_ld64(&c, BPF_REG_2, BPF_PSEUDO_FUNC, (__u32)(-c.len - 1));
	emit(&c, CALL_HELPER(BPF_FUNC_timer_set_callback));
	here(&c, 0);
	emit(&c, MOV_IMM(BPF_REG_0, 0));
	emit(&c, EXIT());

	opts.attach_btf_id = hook_btf_id("file_open");
	opts.prog_btf_fd = btf__fd(btf);
	opts.func_info = &info;
	EXPECT_EQ(-EINVAL, bpf_prog_load(BPF_PROG_TYPE_LSM, "own", "GPL", c.insns, c.len, &opts));
	EXPECT_NE(NULL, strstr(log_text, "callback function cannot be the main program"))
		TH_LOG("%s", log_text);
	close(map);
	btf__free(btf);
}

TEST_HARNESS_MAIN
