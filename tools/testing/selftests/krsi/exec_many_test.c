// SPDX-License-Identifier: GPL-2.0
/*
 * Tests programs with very many arguments. Reading all of them takes time in
 * proportion to their number, and returns what the program gets.
 */

#include <pthread.h>
#include <sys/resource.h>

#include "exec.h"

/* include/linux/krsi.h; programs have them from BTF. */
enum { KRSI_ARG_PREFIX = 1 };
struct krsi_arg_cursor {
	__u64 off;
	__u32 index;
	__u32 start;
};

#include "exec_many.skel.h"

#define MANY 140000
#define FEW 14000
#define TIMES 5

FIXTURE(many)
{
	struct exec_many_bpf *skel;
	struct exec_many_bpf__bss *bss;
	struct bpf_link *link;
	struct ring_buffer *ring;
	char **argv;
	char *text;
};

static int ignore(void *ctx, void *data, size_t size)
{
	return 0;
}

FIXTURE_SETUP(many)
{
	struct rlimit limit = { 64UL << 20, RLIM_INFINITY };
	int i;

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	ASSERT_EQ(0, setrlimit(RLIMIT_STACK, &limit));
	self->skel = exec_many_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel) TH_LOG("%s", libbpf_log);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
	self->link = bpf_program__attach(self->skel->progs.check_security);
	ASSERT_NE(NULL, self->link);
	self->ring = ring_buffer__new(bpf_map__fd(self->skel->maps.ring), ignore, NULL, NULL);
	ASSERT_NE(NULL, self->ring);
	self->argv = calloc(MANY + 1, sizeof(*self->argv));
	self->text = malloc(MANY * 16);
	ASSERT_NE(NULL, self->argv);
	ASSERT_NE(NULL, self->text);
	for (i = 0; i < MANY; i++) {
		self->argv[i] = self->text + i * 16;
		snprintf(self->argv[i], 16, "argument-%06d", i);
	}
}

FIXTURE_TEARDOWN(many)
{
	ring_buffer__free(self->ring);
	bpf_link__destroy(self->link);
	exec_many_bpf__destroy(self->skel);
	free(self->argv);
	free(self->text);
}

/* Executes with the first @count arguments. */
static void run(struct __test_metadata *const _metadata, FIXTURE_DATA(many) * self, int count)
{
	char *behind = self->argv[count], *none[] = { NULL };
	pid_t pid;

	self->bss->seen = 0;
	self->bss->bytes = 0;
	self->argv[count] = NULL;
	pid = start(IDLE, self->argv, none);
	self->argv[count] = behind;
	ASSERT_LT(0, pid) TH_LOG("%s", strerror(-pid));
	EXPECT_EQ(SIGKILL, stop(pid));
	ring_buffer__consume(self->ring);
}

/*
 * The shortest of several times, in ns, which other tasks disturbed least. Measures
 * more often if it is not below @limit: on a busy machine each run is disturbed.
 */
#define LEAST_BELOW(limit, field, count) ({				\
	__u64 least = -1ULL;						\
	int times;							\
									\
	for (times = 0; times < TIMES ||				\
	     (least >= (limit) && times < 4 * TIMES); times++) {	\
		run(_metadata, self, count);				\
		if (self->bss->field < least)				\
			least = self->bss->field;			\
	}								\
	least;								\
})

#define LEAST(field, count) LEAST_BELOW(-1ULL, field, count)

TEST_F_TIMEOUT(many, each_is_linear, 900)
{
	__u64 few, many;

	self->bss->ask_each = true;
	few = LEAST(each_ns, FEW);
	EXPECT_EQ(FEW, self->bss->seen);
	many = LEAST_BELOW(few * 25, each_ns, MANY);
	EXPECT_EQ(MANY, self->bss->seen);
	EXPECT_EQ(MANY * 16, self->bss->bytes);
	EXPECT_EQ(-ENOENT, self->bss->each_ret);
	TH_LOG("%llu us for %d arguments, %llu us for %d", few / 1000, FEW, many / 1000, MANY);
	/* 10 times the arguments. If quadratic, it would take 100 times as long. */
	EXPECT_LT(many, few * 25);
}

/* One call for all arguments is linear too. It and a dump are faster than one call for each. */
TEST_F_TIMEOUT(many, find_is_linear, 900)
{
	__u64 few, many, each, dump;

	self->bss->ask_find = true;
	strcpy(self->bss->find_text, "argument-013999");
	self->bss->find_size = sizeof(self->bss->find_text);
	few = LEAST(find_ns, FEW);
	EXPECT_EQ(FEW - 1, self->bss->find_ret);
	strcpy(self->bss->find_text, "argument-139999");
	many = LEAST_BELOW(few * 25, find_ns, MANY);
	EXPECT_EQ(MANY - 1, self->bss->find_ret);
	self->bss->ask_each = true;
	self->bss->ask_dump = true;
	run(_metadata, self, MANY);
	EXPECT_LT(0, self->bss->dump_ret);
	each = self->bss->each_ns;
	self->bss->ask_each = false;
	dump = LEAST_BELOW(each / 2, dump_ns, MANY);
	EXPECT_LT(0, self->bss->dump_ret);
	TH_LOG("%llu us to find one of %d arguments, %llu us for %d", few / 1000, FEW, many / 1000,
	       MANY);
	TH_LOG("%llu us to read each, %llu us to dump them", each / 1000, dump / 1000);
	EXPECT_LT(many, few * 25);
	EXPECT_LT(many * 2, each);
	EXPECT_LT(dump * 2, each);

	strcpy(self->bss->find_text, "argument-none");
	run(_metadata, self, MANY);
	EXPECT_EQ(-ENOENT, self->bss->find_ret);
}

TEST_F_TIMEOUT(many, same_as_by_number, 900)
{
	self->bss->ask_each = true;
	self->bss->ask_compare = true;
	run(_metadata, self, MANY);
	EXPECT_EQ(MANY, self->bss->seen);
	EXPECT_EQ(0, self->bss->differs);
}

TEST_F(many, find)
{
	struct exec_many_bpf__bss *bss = self->bss;
	static const struct {
		const char *text;
		__u32 size, from;
		__u64 flags;
		__s64 ret;
	} cases[] = {
		{ "argument-000000", 64, 0, 0, 0 },
		{ "argument-000000", 64, 1, 0, -ENOENT },
		{ "argument-000500", 64, 0, 0, 500 },
		{ "argument-000500", 64, 500, 0, 500 },
		/* Without a NUL, all of the text counts. */
		{ "argument-000500", 15, 0, 0, 500 },
		{ "argument-000500", 14, 0, 0, -ENOENT },
		{ "argument-000500", 14, 0, KRSI_ARG_PREFIX, 500 },
		{ "argument-0005", 64, 0, 0, -ENOENT },
		{ "argument-0005", 64, 0, KRSI_ARG_PREFIX, 500 },
		{ "argument-0005", 64, 501, KRSI_ARG_PREFIX, 501 },
		{ "rgument", 64, 0, KRSI_ARG_PREFIX, -ENOENT },
		{ "", 64, 0, 0, -ENOENT },
		{ "", 64, 7, KRSI_ARG_PREFIX, 7 },
		{ "argument-000000", 64, 1000, 0, -ENOENT },
		{ "argument-000000", 64, -1U, 0, -ENOENT },
	};
	int i;

	bss->ask_find = true;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(bss->find_text, 0, sizeof(bss->find_text));
		strcpy(bss->find_text, cases[i].text);
		bss->find_size = cases[i].size;
		bss->find_from = cases[i].from;
		bss->find_flags = cases[i].flags;
		run(_metadata, self, 1000);
		EXPECT_EQ(cases[i].ret, bss->find_ret) TH_LOG("case %d", i);
	}
	for (i = 1; i < 64; i++) {
		bss->find_flags = 1ULL << i;
		run(_metadata, self, 10);
		EXPECT_EQ(-EINVAL, bss->find_ret) TH_LOG("bit %d", i);
	}
}

/* A cursor that no call has left is refused, wherever it leads. */
TEST_F(many, cursor)
{
	struct exec_many_bpf__bss *bss = self->bss;
	__u32 start;
	int i;

	bss->ask_cursor = true;
	memset(&bss->cursor, 0, sizeof(bss->cursor));
	run(_metadata, self, 100);
	EXPECT_EQ(16, bss->cursor_ret);
	EXPECT_STREQ("argument-000000", bss->arg);
	EXPECT_EQ(16, bss->cursor.off);
	EXPECT_EQ(1, bss->cursor.index);
	start = bss->cursor.start;

	/* Arguments that take more or less room are elsewhere. */
	run(_metadata, self, 99);
	EXPECT_EQ(-EINVAL, bss->cursor_ret);
	EXPECT_EQ(16, bss->cursor.off);
	EXPECT_EQ(1, bss->cursor.index);
	EXPECT_EQ(start, bss->cursor.start);
	EXPECT_EQ(0, bss->arg[0]);

	/* An offset without a number. */
	memset(&bss->cursor, 0, sizeof(bss->cursor));
	bss->cursor.off = 16;
	run(_metadata, self, 100);
	EXPECT_EQ(-EINVAL, bss->cursor_ret);
	for (i = 0; i < 64; i++) {
		bss->cursor.index = 1;
		bss->cursor.off = 1ULL << i;
		run(_metadata, self, 100);
		EXPECT_EQ(-EINVAL, bss->cursor_ret);
	}
}

/* Another thread writes the strings and the text while they are read and compared. */
static void *rewrite(void *arg)
{
	FIXTURE_DATA(many) * self = arg;
	unsigned int i = 0;

	while (!__atomic_load_n(&self->bss->each_ns, __ATOMIC_RELAXED)) {
		i = i * 1664525 + 1013904223;
		/* A NUL more or less now and then. */
		self->text[(i >> 8) % (MANY * 16)] = i & 1 ? 'x' : '\0';
		self->bss->find_text[(i >> 4) % 15] = 'a' + i % 26;
	}
	return NULL;
}

TEST_F_TIMEOUT(many, changed_meanwhile, 900)
{
	struct exec_many_bpf__bss *bss = self->bss;
	static char *none[] = { NULL };
	pthread_t thread;
	pid_t pid;
	int i;

	bss->ask_each = true;
	bss->ask_compare = true;
	bss->ask_find = true;
	bss->find_size = sizeof(bss->find_text);
	for (i = 0; i < 3; i++) {
		bss->each_ns = 0;
		bss->seen = 0;
		bss->differs = 0;
		ASSERT_EQ(0, pthread_create(&thread, NULL, rewrite, self));
		pid = start(IDLE, self->argv, none);
		bss->each_ns = 1;
		pthread_join(thread, NULL);
		/* Too few NULs, and the program cannot run; else every argument was read. */
		EXPECT_TRUE(pid > 0 || pid == -ECHILD || pid == -EFAULT) TH_LOG("%d", pid);
		EXPECT_TRUE(bss->each_ret == -ENOENT ? bss->seen == MANY :
			    bss->each_ret == -EILSEQ && bss->seen < MANY)
			TH_LOG("%lld after %llu", bss->each_ret, bss->seen);
		EXPECT_EQ(0, bss->differs);
		if (pid > 0)
			EXPECT_EQ(SIGKILL, stop(pid));
	}
}

TEST_HARNESS_MAIN
