// SPDX-License-Identifier: GPL-2.0
/*
 * The verifier replaces calls for slots where it knows the slot: in which
 * programs, in which not, and all with the same result. What is accessed in
 * objects of each class is compared with what a call returns by blob_test. To
 * be run on a machine booted with the krsi.blob= that scripts/test.sh has.
 */

#include "blob.h"
#include "blob.skel.h"
#include "blob_inline.skel.h"

/* How many calls of kfuncs a program has after the verifier; -1 on error. */
static int kfunc_calls(int prog)
{
	struct bpf_insn insns[4096];
	struct bpf_prog_info info = {
		.xlated_prog_insns = (__u64)(unsigned long)insns,
		.xlated_prog_len = sizeof(insns),
	};
	__u32 len = sizeof(info);
	int i, calls = 0;

	if (bpf_prog_get_info_by_fd(prog, &info, &len) || !info.xlated_prog_insns ||
	    info.xlated_prog_len > sizeof(insns))
		return -1;
	for (i = 0; i < info.xlated_prog_len / sizeof(*insns); i++)
		calls += insns[i].code == (BPF_JMP | BPF_CALL) &&
			 insns[i].src_reg == BPF_PSEUDO_KFUNC_CALL;
	return calls;
}

static long long slot(const char *class, const char *name)
{
	int err = blob_command("claim %s %s 8", class, name);

	return err ? err : blob_slot(class, name);
}

/* Programs of blob_test: what they ask for twice has to be called for once. */
FIXTURE(replaced)
{
	struct blob_bpf *skel;
};

FIXTURE_VARIANT(replaced)
{
	const char *prog;
	int calls;
};

/* clang-format off */
#define PROGRAM(name, count)			\
FIXTURE_VARIANT_ADD(replaced, name) {		\
	.prog = #name,				\
	.calls = count,				\
}

PROGRAM(task_use, 1);
PROGRAM(task_alloc_check, 1);
PROGRAM(cred_prepare_check, 1);
PROGRAM(bprm_use, 1);
PROGRAM(inode_use, 1);
PROGRAM(inode_use_sleepable, 1);
PROGRAM(file_use, 1);
PROGRAM(superblock_use, 1);
PROGRAM(ipc_check, 1);
PROGRAM(msg_msg_use, 1);
PROGRAM(key_use, 1);
PROGRAM(bdev_use, 1);
PROGRAM(perf_event_use, 1);
PROGRAM(bpf_map_use, 1);
PROGRAM(bpf_prog_use, 1);
PROGRAM(bpf_token_use, 1);
/* Not every object has such a blob: two calls. */
PROGRAM(sock_check, 2);
PROGRAM(backing_file_check, 2);
/* No such slot: a call, which finds none. */
PROGRAM(misuse, 8);
#ifdef __x86_64__
PROGRAM(cred_use, 1);
PROGRAM(bprm_committed_check, 2);
#endif
/* clang-format on */

FIXTURE_SETUP(replaced)
{
	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (blob_reserved("inode") <= 0)
		SKIP(return, "boot with krsi.blob=inode:..., as scripts/test.sh does");
	self->skel = blob_bpf__open();
	ASSERT_NE(NULL, self->skel);
#define SLOT(class) ASSERT_LT(0, self->skel->rodata->class##_slot = slot(#class, "test"))
	SLOT(cred);
	SLOT(task);
	SLOT(file);
	SLOT(backing_file);
	SLOT(inode);
	SLOT(superblock);
	SLOT(sock);
	SLOT(ipc);
	SLOT(msg_msg);
	SLOT(key);
	SLOT(bdev);
	SLOT(perf_event);
	SLOT(bpf_map);
	SLOT(bpf_prog);
	SLOT(bpf_token);
#undef SLOT
}

FIXTURE_TEARDOWN(replaced)
{
	blob_bpf__destroy(self->skel);
}

TEST_F(replaced, calls)
{
	struct bpf_program *prog;

	ASSERT_TRUE(load_only(self->skel->obj, variant->prog));
	ASSERT_EQ(0, blob_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	prog = bpf_object__find_program_by_name(self->skel->obj, variant->prog);
	ASSERT_NE(NULL, prog);
	EXPECT_EQ(variant->calls, kfunc_calls(bpf_program__fd(prog)));
}

FIXTURE(inlined)
{
	struct blob_inline_bpf *skel;
	struct bpf_link *fill, *link;
};

FIXTURE_SETUP(inlined)
{
	char dir[16];

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (blob_reserved("inode") <= 0)
		SKIP(return, "boot with krsi.blob=inode:..., as scripts/test.sh does");
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	self->skel = blob_inline_bpf__open();
	ASSERT_NE(NULL, self->skel);
	ASSERT_LT(0, self->skel->rodata->first = slot("inode", "inline-1"));
	ASSERT_LT(0, self->skel->rodata->second = slot("inode", "inline-2"));
	self->skel->bss->target = getpid();
}

FIXTURE_TEARDOWN(inlined)
{
	bpf_link__destroy(self->link);
	bpf_link__destroy(self->fill);
	blob_inline_bpf__destroy(self->skel);
}

/* Attaches a program, in which so many calls are to be left. */
static void use(struct __test_metadata *const _metadata, FIXTURE_DATA(inlined) * self,
		struct bpf_program *prog, int calls)
{
	bpf_program__set_autoload(self->skel->progs.fill, true);
	bpf_program__set_autoload(prog, true);
	ASSERT_EQ(0, blob_inline_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	EXPECT_EQ(0, kfunc_calls(bpf_program__fd(self->skel->progs.fill)));
	EXPECT_EQ(calls, kfunc_calls(bpf_program__fd(prog)));
	self->fill = bpf_program__attach(self->skel->progs.fill);
	ASSERT_NE(NULL, self->fill);
	self->link = bpf_program__attach(prog);
	ASSERT_NE(NULL, self->link);
}

/* What the program saw in the slots of a file, which are filled the first time. */
static __u64 seen(FIXTURE_DATA(inlined) * self)
{
	int i, fd;

	for (i = 0; i < 2; i++) {
		self->skel->bss->seen = 0;
		fd = open("/tmp/a", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		close(fd);
	}
	return self->skel->bss->seen;
}

TEST_F(inlined, two_paths)
{
	use(_metadata, self, self->skel->progs.two_paths, 1);
	EXPECT_EQ(1, seen(self));
	self->skel->bss->choose = true;
	EXPECT_EQ(2, seen(self));
}

TEST_F(inlined, one_constant)
{
	use(_metadata, self, self->skel->progs.one_constant, 0);
	EXPECT_EQ(1, seen(self));
	self->skel->bss->choose = true;
	EXPECT_EQ(1, seen(self));
}

TEST_F(inlined, function)
{
	use(_metadata, self, self->skel->progs.function, 1);
	EXPECT_EQ(1ULL << 32 | 2, seen(self));
}

TEST_F(inlined, function_constant)
{
	use(_metadata, self, self->skel->progs.function_constant, 0);
	EXPECT_EQ(2, seen(self));
}

/* An argument that is needed afterwards is not removed. */
TEST_F(inlined, number_is_read)
{
	use(_metadata, self, self->skel->progs.number_is_read, 0);
	EXPECT_EQ(1ULL << 32 | 1, seen(self));
}

/* A load that can fault stays: the verifier has counted it. */
TEST_F(inlined, load_that_can_fault)
{
	use(_metadata, self, self->skel->progs.load_that_can_fault, 0);
	EXPECT_EQ(1, seen(self));
}

/* A test for NULL that is also come to from elsewhere is not the call's alone. */
TEST_F(inlined, shared_test)
{
	use(_metadata, self, self->skel->progs.shared_test, 0);
	EXPECT_EQ(101, seen(self));
	self->skel->bss->choose = true;
	EXPECT_EQ(100, seen(self));
}

TEST_F(inlined, loop)
{
	/* None but those of the loop, of which the verifier replaces all. */
	use(_metadata, self, self->skel->progs.loop, 0);
	EXPECT_EQ(6, seen(self));
}

TEST_F(inlined, loop_back)
{
	use(_metadata, self, self->skel->progs.loop_back, 0);
	EXPECT_EQ(6, seen(self));
}

TEST_HARNESS_MAIN
