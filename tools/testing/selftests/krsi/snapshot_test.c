// SPDX-License-Identifier: GPL-2.0
/*
 * Each call is decided by the programs that were attached at one moment: a call
 * whose program sleeps still meets a program that is detached meanwhile, and so
 * cannot fall between that one and another that was attached in its place.
 * And detaching allocates nothing, so that it cannot fail.
 */

#include <linux/membarrier.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "common.h"
#include "fault.skel.h"

#define PAGE 4096UL
#define ALLOWED 1

/* As progs/fault.bpf.c has it. */
struct user_page {
	__u64 user;
	__u64 word;
	__s64 err;
};

FIXTURE(snapshot)
{
	struct fault_bpf *sleeper, *before, *after;
	pthread_t thread;
	void *page;
	int uffd, pages_fd;
	long result;
};

FIXTURE_VARIANT(snapshot)
{
	__u64 cookie;
	bool traced;
};

/* The list of the hook is run by its trampoline, or through its stub's image. */
FIXTURE_VARIANT_ADD(snapshot, list) {};
FIXTURE_VARIANT_ADD(snapshot, cookies) { .cookie = 7 };
FIXTURE_VARIANT_ADD(snapshot, traced) { .traced = true };

static struct fault_bpf *load(void)
{
	struct fault_bpf *skel = fault_bpf__open_and_load();

	if (skel) {
		skel->bss->target = getpid();
		skel->bss->other_verdict = -KRSI_ERRNO;
	}
	return skel;
}

FIXTURE_SETUP(snapshot)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.mode = UFFDIO_REGISTER_MODE_MISSING,
		.range.len = PAGE,
	};

	if (!krsi_active())
		SKIP(return, "mainline's images skip detached programs");
	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	ASSERT_LE(0, self->uffd);
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
	self->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	reg.range.start = (__u64)self->page;
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &reg));

	self->sleeper = load();
	self->before = load();
	self->after = load();
	ASSERT_TRUE(self->sleeper && self->before && self->after);
	self->pages_fd = bpf_map__fd(self->sleeper->maps.pages);
}

FIXTURE_TEARDOWN(snapshot)
{
	fault_bpf__destroy(self->after);
	fault_bpf__destroy(self->before);
	fault_bpf__destroy(self->sleeper);
	close(self->uffd);
}

static struct bpf_link *attach(struct bpf_program *prog, __u64 cookie)
{
	LIBBPF_OPTS(bpf_trace_opts, opts, .cookie = cookie);

	return bpf_program__attach_trace_opts(prog, &opts);
}

static long open_null(void)
{
	long fd = OK(open("/dev/null", O_RDONLY | O_CLOEXEC));

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void *sleep_in_open(void *arg)
{
	FIXTURE_DATA(snapshot) * self = arg;
	struct user_page page = { .user = (__u64)self->page };
	__u32 tid = syscall(SYS_gettid);

	self->result = OK(bpf_map_update_elem(self->pages_fd, &tid, &page, BPF_ANY));
	if (!self->result)
		self->result = open_null();
	return NULL;
}

static void wake(struct __test_metadata *const _metadata, FIXTURE_DATA(snapshot) * self)
{
	__u64 source[PAGE / sizeof(__u64)] = { ALLOWED };
	struct uffdio_copy copy = {
		.dst = (__u64)self->page,
		.src = (__u64)source,
		.len = PAGE,
	};

	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_COPY, &copy));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
}

/* Grace periods of RCU pass; none of RCU Tasks Trace can while a program sleeps. */
static void let_rcu_pass(struct __test_metadata *const _metadata)
{
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
		usleep(10000);
	}
}

TEST_F(snapshot, a_sleeping_call_meets_a_denier)
{
	struct bpf_program *prog = self->sleeper->progs.trace_open;
	struct bpf_link *tracer = NULL;

	if (variant->traced) {
		tracer = bpf_program__attach(prog);
		ASSERT_NE(NULL, tracer);
	}
	/* The newest runs first: the one that sleeps, then the one that denies. */
	prog = self->before->progs.other_atomic;
	self->before->links.other_atomic = attach(prog, variant->cookie);
	ASSERT_NE(NULL, self->before->links.other_atomic);
	prog = self->sleeper->progs.read_page;
	self->sleeper->links.read_page = attach(prog, variant->cookie);
	ASSERT_NE(NULL, self->sleeper->links.read_page);
	EXPECT_EQ(-KRSI_ERRNO, open_null());
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, sleep_in_open, self));
	ASSERT_TRUE(WAIT_FOR(self->sleeper->bss->asleep == 1, 60));

	/* At every moment one that denies is attached. */
	prog = self->after->progs.other_atomic;
	self->after->links.other_atomic = attach(prog, variant->cookie);
	ASSERT_NE(NULL, self->after->links.other_atomic);
	fault_bpf__destroy(self->before);
	self->before = NULL;
	let_rcu_pass(_metadata);

	wake(_metadata, self);
	EXPECT_EQ(1, self->sleeper->bss->woken);
	EXPECT_EQ(-KRSI_ERRNO, self->result);
	EXPECT_EQ(-KRSI_ERRNO, open_null());
	self->after->bss->other_verdict = 0;
	EXPECT_EQ(0, open_null());
	bpf_link__destroy(tracer);
}

/* What a call has begun with it ends with, also if none is attached any more. */
TEST_F(snapshot, a_detached_program_stays_until_the_call_ends)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd;

	if (variant->traced)
		SKIP(return, "the same list");
	ASSERT_EQ(0, bpf_prog_get_info_by_fd(bpf_program__fd(self->before->progs.other_atomic),
					     &info, &len));
	self->before->links.other_atomic = attach(self->before->progs.other_atomic,
						  variant->cookie);
	ASSERT_NE(NULL, self->before->links.other_atomic);
	self->sleeper->links.read_page = attach(self->sleeper->progs.read_page, variant->cookie);
	ASSERT_NE(NULL, self->sleeper->links.read_page);
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, sleep_in_open, self));
	ASSERT_TRUE(WAIT_FOR(self->sleeper->bss->asleep == 1, 60));

	fault_bpf__destroy(self->before);
	self->before = NULL;
	let_rcu_pass(_metadata);
	/* No call that begins now runs it. */
	EXPECT_EQ(0, open_null());
	fd = bpf_prog_get_fd_by_id(info.id);
	EXPECT_LE(0, fd);
	close(fd);

	wake(_metadata, self);
	EXPECT_EQ(-KRSI_ERRNO, self->result);
	EXPECT_TRUE(WAIT_FOR((fd = bpf_prog_get_fd_by_id(info.id)) < 0 || close(fd), 60));
}

/* The file fail-nth of this thread. Opening it would allocate. */
static int nth_fd = -1;

/* Makes the Nth allocation of this thread fail; 0 for none. */
static bool fail_nth(int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", nth);

	if (nth_fd < 0)
		nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return pwrite(nth_fd, text, len, 0) == len;
}

/* Returns the number of the next allocation to fail, 0 if it has failed. */
static int left_nth(void)
{
	char text[16] = "";

	return pread(nth_fd, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : -1;
}

#define NAMES 4

static bool allocations_can_fail(void)
{
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	return write_text("/sys/kernel/debug/failslab/ignore-gfp-wait", "N") &&
	       write_text("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N") &&
	       fail_nth(0);
}

/* The number of allocations when any file is freed: CONFIG_SLUB_RCU_DEBUG. */
static int file_free_allocates(struct __test_metadata *const _metadata)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int left;

	ASSERT_LE(0, fd);
	ASSERT_TRUE(fail_nth(100));
	close(fd);
	left = left_nth();
	fail_nth(0);
	return 100 - left;
}

/* Closes the link. Returns false if that allocates more than closing any file does. */
static bool detach_without_memory(struct __test_metadata *const _metadata, struct bpf_link *link)
{
	int fd = dup(bpf_link__fd(link));
	int others = file_free_allocates(_metadata);
	int left;

	ASSERT_LE(0, fd);
	bpf_link__destroy(link);
	ASSERT_TRUE(fail_nth(1 + others));
	close(fd);
	left = left_nth();
	fail_nth(0);
	return left == 1;
}

/*
 * Attaches several programs, some of which sleep, and detaches one after another,
 * beginning at @first. What is left decides, under the guard that it needs.
 */
static bool detach_all(struct __test_metadata *const _metadata, struct fault_bpf **skel, int first)
{
	struct bpf_link *link[NAMES][2];
	bool without = true;
	int i;

	for (i = 0; i < NAMES; i++) {
		link[i][0] = attach(skel[i]->progs.other_atomic, 0);
		link[i][1] = attach(skel[i]->progs.other_sleepable, i % 2);
		ASSERT_TRUE(link[i][0] && link[i][1]);
	}
	for (i = 0; i < NAMES; i++)
		without &= detach_without_memory(_metadata, link[(i + first) % NAMES][1]);
	/* Those that do not sleep are left. */
	for (i = 0; i < NAMES; i++)
		skel[i]->bss->other_ran[0] = skel[i]->bss->other_ran[1] = 0;
	EXPECT_EQ(0, open_null());
	for (i = 0; i < NAMES; i++) {
		EXPECT_EQ(1, skel[i]->bss->other_ran[0]);
		EXPECT_EQ(0, skel[i]->bss->other_ran[1]);
	}
	for (i = 0; i < NAMES; i++)
		without &= detach_without_memory(_metadata, link[i][0]);
	skel[0]->bss->other_ran[0] = 0;
	EXPECT_EQ(0, open_null());
	EXPECT_EQ(0, skel[0]->bss->other_ran[0]);
	return without;
}

/*
 * What detaching allocates, it allocates each time. CONFIG_DEBUG_OBJECTS
 * allocates too, when it runs out of objects: hence several tries.
 */
TEST(detach_allocates_nothing)
{
	struct fault_bpf *skel[NAMES];
	int i, tries;

	if (!krsi_active())
		SKIP(return, "mainline generates an image");
	if (!allocations_can_fail())
		SKIP(return, "CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC and debugfs are needed");
	for (i = 0; i < NAMES; i++) {
		skel[i] = load();
		ASSERT_NE(NULL, skel[i]);
		skel[i]->bss->other_verdict = 0;
	}
	for (i = 0; i < NAMES; i++) {
		for (tries = 0; tries < 50 && !detach_all(_metadata, skel, i); tries++)
			;
		EXPECT_GT(50, tries);
	}
	for (i = 0; i < NAMES; i++)
		fault_bpf__destroy(skel[i]);
}

TEST_HARNESS_MAIN
