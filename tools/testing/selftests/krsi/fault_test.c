// SPDX-License-Identifier: GPL-2.0
/*
 * A sleepable program takes a page fault that ends only when the test lets it:
 * the hook goes on deciding for everybody else, the program is not freed before
 * it has finished, and what it cannot read it denies.
 */

#include <linux/membarrier.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "common.h"
#include "fault.skel.h"

#define SLEEPERS 4
#define PAGE 4096UL
#define OPENS 500
#define ALLOWED 0x616c6c6f77656421ULL
#define FORBIDDEN 0x666f7262696464ULL

/* As progs/fault.bpf.c has it. */
struct user_page {
	__u64 user;
	__u64 word;
	__s64 err;
};

/* A thread that opens a file, and the page that is read then. */
struct sleeper {
	pthread_t thread;
	void *page;
	int pages_fd;
	__u32 tid;
	long result;
};

FIXTURE(fault)
{
	struct fault_bpf *skel;
	struct fault_bpf__bss *bss;
	struct sleeper sleeper[SLEEPERS];
	void *memory;
	int uffd;
};

/* Memory that only UFFDIO_COPY and the like fill. */
static void *missing_memory(size_t size, int *uffd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_POISON };
	struct uffdio_register reg = {
		.mode = UFFDIO_REGISTER_MODE_MISSING,
		.range.len = size,
	};
	void *memory;

	*uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (*uffd < 0 || ioctl(*uffd, UFFDIO_API, &api))
		return NULL;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	reg.range.start = (__u64)memory;
	return ioctl(*uffd, UFFDIO_REGISTER, &reg) ? NULL : memory;
}

FIXTURE_SETUP(fault)
{
	int i;

	REQUIRE_LSM();
	self->memory = missing_memory(SLEEPERS * PAGE, &self->uffd);
	ASSERT_NE(NULL, self->memory);
	self->skel = fault_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
	self->bss->forbidden = FORBIDDEN;
	for (i = 0; i < SLEEPERS; i++) {
		self->sleeper[i].page = self->memory + i * PAGE;
		self->sleeper[i].pages_fd = bpf_map__fd(self->skel->maps.pages);
	}
	self->skel->links.read_page = bpf_program__attach(self->skel->progs.read_page);
	ASSERT_NE(NULL, self->skel->links.read_page);
}

FIXTURE_TEARDOWN(fault)
{
	fault_bpf__destroy(self->skel);
	close(self->uffd);
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
	struct sleeper *sleeper = arg;
	struct user_page page = { .user = (__u64)sleeper->page };

	sleeper->tid = syscall(SYS_gettid);
	sleeper->result = OK(bpf_map_update_elem(sleeper->pages_fd, &sleeper->tid, &page, BPF_ANY));
	if (!sleeper->result)
		sleeper->result = open_null();
	return NULL;
}

static void fall_asleep(struct __test_metadata *const _metadata, FIXTURE_DATA(fault) * self,
			int count)
{
	int i;

	for (i = 0; i < count; i++)
		ASSERT_EQ(0, pthread_create(&self->sleeper[i].thread, NULL, sleep_in_open,
					    &self->sleeper[i]));
	ASSERT_TRUE(WAIT_FOR(self->bss->asleep == count, 60));
}

static void resolve(struct __test_metadata *const _metadata, FIXTURE_DATA(fault) * self, int i,
		    __u64 word)
{
	__u64 source[PAGE / sizeof(__u64)] = { word };
	struct uffdio_copy copy = {
		.dst = (__u64)self->sleeper[i].page,
		.src = (__u64)source,
		.len = PAGE,
	};

	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_COPY, &copy));
	ASSERT_EQ(0, pthread_join(self->sleeper[i].thread, NULL));
}

/* Opens on one CPU, which sleeping programs may be bound to; the failed ones. */
static int open_on_cpu(void *arg)
{
	int i, failed = 0, cpu = *(int *)arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return 255;
	for (i = 0; i < OPENS; i++)
		failed += !!open_null();
	return failed < 254 ? failed : 254;
}

TEST_F(fault, others_pass)
{
	int i, cpu, cpus = sysconf(_SC_NPROCESSORS_ONLN);

	fall_asleep(_metadata, self, SLEEPERS);
	for (cpu = 0; cpu < cpus; cpu++)
		EXPECT_EQ(0, in_child(open_on_cpu, &cpu));
	EXPECT_LE(cpus * OPENS, self->bss->passed);

	/* All of them still sleep, each in the program's one call. */
	EXPECT_EQ(SLEEPERS, self->bss->asleep);
	EXPECT_EQ(0, self->bss->woken);

	/* In any order, and each with what its own page says. */
	for (i = SLEEPERS - 1; i >= 0; i--) {
		struct sleeper *sleeper = &self->sleeper[i];
		struct user_page page;

		resolve(_metadata, self, i, i % 2 ? FORBIDDEN : ALLOWED);
		EXPECT_EQ(i % 2 ? -EPERM : 0, sleeper->result);
		EXPECT_EQ(i, self->bss->asleep);
		ASSERT_EQ(0, bpf_map_lookup_elem(sleeper->pages_fd, &sleeper->tid, &page));
		EXPECT_EQ(i % 2 ? FORBIDDEN : ALLOWED, page.word);
		EXPECT_EQ(0, page.err);
	}
}

TEST_F(fault, others_come_and_go)
{
	struct bpf_program *other[] = {
		self->skel->progs.other_atomic, self->skel->progs.other_sleepable,
	};
	struct bpf_link *link[2] = {};
	int i, round;

	fall_asleep(_metadata, self, SLEEPERS);
	for (round = 0; round < 40; round++) {
		i = round % 2;
		ASSERT_EQ(0, bpf_link__destroy(link[i]));
		link[i] = NULL;
		self->bss->other_ran[i] = 0;
		EXPECT_EQ(0, open_null());
		EXPECT_EQ(0, self->bss->other_ran[i]);
		link[i] = bpf_program__attach(other[i]);
		ASSERT_NE(NULL, link[i]);
		EXPECT_EQ(0, open_null());
		EXPECT_EQ(1, self->bss->other_ran[i]);
	}
	/* What was attached meanwhile decides, too. */
	self->bss->other_verdict = -KRSI_ERRNO;
	EXPECT_EQ(-KRSI_ERRNO, open_null());
	self->bss->other_verdict = 0;
	EXPECT_EQ(SLEEPERS, self->bss->asleep);
	for (i = 0; i < SLEEPERS; i++) {
		resolve(_metadata, self, i, ALLOWED);
		EXPECT_EQ(0, self->sleeper[i].result);
	}
	ASSERT_EQ(0, bpf_link__destroy(link[0]));
	ASSERT_EQ(0, bpf_link__destroy(link[1]));
}

static bool prog_exists(__u32 id)
{
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool map_exists(__u32 id)
{
	int fd = bpf_map_get_fd_by_id(id);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/*
 * The loader detaches the program and closes it: both return at once, but the
 * program, and with it the map that only it has left, stays until it is done.
 */
TEST_F(fault, unload_waits)
{
	struct bpf_prog_info prog = {};
	struct bpf_map_info map = {};
	__u32 len = sizeof(prog);
	int bss_fd, i;

	ASSERT_EQ(0, bpf_prog_get_info_by_fd(bpf_program__fd(self->skel->progs.read_page), &prog,
					     &len));
	len = sizeof(map);
	ASSERT_EQ(0, bpf_map_get_info_by_fd(bpf_map__fd(self->skel->maps.pages), &map, &len));
	/* The program goes on telling what it does. */
	bss_fd = dup(bpf_map__fd(self->skel->maps.bss));
	ASSERT_LE(0, bss_fd);
	self->bss = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, bss_fd, 0);
	ASSERT_NE(MAP_FAILED, self->bss);

	fall_asleep(_metadata, self, 2);
	fault_bpf__destroy(self->skel);
	self->skel = NULL;

	/* Nobody has the program any more, and no call starts it. */
	EXPECT_TRUE(WAIT_FOR(!prog_exists(prog.id), 60));
	self->bss->passed = 0;
	EXPECT_EQ(0, open_null());
	EXPECT_EQ(0, self->bss->passed);
	/* Grace periods of RCU pass, none of RCU Tasks Trace can. */
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
		usleep(10000);
		EXPECT_TRUE(map_exists(map.id));
	}

	/* One of the two is done: the other still keeps it. */
	resolve(_metadata, self, 0, ALLOWED);
	EXPECT_EQ(0, self->sleeper[0].result);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
		usleep(10000);
		EXPECT_TRUE(map_exists(map.id));
	}
	EXPECT_EQ(1, self->bss->asleep);

	/* It finishes as if nothing had happened, and only then it goes. */
	resolve(_metadata, self, 1, FORBIDDEN);
	EXPECT_EQ(-EPERM, self->sleeper[1].result);
	EXPECT_EQ(2, self->bss->woken);
	EXPECT_EQ(0, self->bss->last_err);
	EXPECT_EQ(FORBIDDEN, self->bss->last_word);
	EXPECT_TRUE(WAIT_FOR(!map_exists(map.id), 60));
	munmap(self->bss, PAGE);
	close(bss_fd);
}

/* The same, with a policy that takes the place of the one that is asleep. */
TEST_F(fault, replaced_while_asleep)
{
	struct fault_bpf *next;

	fall_asleep(_metadata, self, 1);
	next = fault_bpf__open_and_load();
	ASSERT_NE(NULL, next);
	next->bss->target = getpid();
	next->bss->other_verdict = -KRSI_ERRNO;
	next->links.other_atomic = bpf_program__attach(next->progs.other_atomic);
	ASSERT_NE(NULL, next->links.other_atomic);
	ASSERT_EQ(0, bpf_link__destroy(self->skel->links.read_page));
	self->skel->links.read_page = NULL;
	EXPECT_EQ(-KRSI_ERRNO, open_null());

	resolve(_metadata, self, 0, ALLOWED);
	/* Allowed by the one that it began with, which had no other behind it. */
	EXPECT_EQ(0, self->sleeper[0].result);
	EXPECT_EQ(-KRSI_ERRNO, open_null());
	next->bss->other_verdict = 0;
	fault_bpf__destroy(next);
}

/* The page cannot be had. */
TEST_F(fault, failed_read_denies)
{
	struct uffdio_poison poison = {
		.range.start = (__u64)self->memory,
		.range.len = PAGE,
	};

	fall_asleep(_metadata, self, 1);
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_POISON, &poison));
	ASSERT_EQ(0, pthread_join(self->sleeper[0].thread, NULL));
	EXPECT_EQ(-EACCES, self->sleeper[0].result);
	EXPECT_EQ(-EFAULT, self->bss->last_err);
	EXPECT_EQ(0, self->bss->asleep);
}

/* A task can be killed while its program sleeps, and the program finishes. */
TEST_F(fault, killed_while_asleep)
{
	struct sleeper sleeper = { .pages_fd = bpf_map__fd(self->skel->maps.pages) };
	int status, uffd;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		sleeper.page = missing_memory(PAGE, &uffd);
		if (sleeper.page)
			sleep_in_open(&sleeper);
		_exit(1);
	}
	EXPECT_TRUE(WAIT_FOR(self->bss->asleep == 1, 60));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGKILL, WTERMSIG(status));
	EXPECT_EQ(0, self->bss->asleep);
	EXPECT_EQ(1, self->bss->woken);
	EXPECT_EQ(-EFAULT, self->bss->last_err);
}

TEST_HARNESS_MAIN
