// SPDX-License-Identifier: GPL-2.0
/*
 * Sleepable programs fault user memory in, alone and among programs that may
 * not sleep; and what attaching and detaching do while one is asleep.
 */

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "common.h"
#include "sleepable.skel.h"

#define PROGRAMS 4
#define WORD 0x6b7273692d73656cULL

FIXTURE(sleepable)
{
	struct sleepable_bpf *skel;
	struct sleepable_bpf__bss *bss;
	struct bpf_program *prog[PROGRAMS];
	struct bpf_link *link[PROGRAMS];
};

FIXTURE_SETUP(sleepable)
{
	static const char * const names[PROGRAMS] = {
		"atomic0", "sleepable1", "atomic2", "sleepable3",
	};
	char dir[16];
	int i;

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	self->skel = sleepable_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
	for (i = 0; i < PROGRAMS; i++)
		self->prog[i] = bpf_object__find_program_by_name(self->skel->obj, names[i]);
}

FIXTURE_TEARDOWN(sleepable)
{
	int i;

	for (i = 0; i < PROGRAMS; i++)
		bpf_link__destroy(self->link[i]);
	sleepable_bpf__destroy(self->skel);
}

static void attach(struct __test_metadata *const _metadata, FIXTURE_DATA(sleepable) * self, int i)
{
	self->link[i] = bpf_program__attach(self->prog[i]);
	ASSERT_NE(NULL, self->link[i]);
}

static void detach(struct __test_metadata *const _metadata, FIXTURE_DATA(sleepable) * self, int i)
{
	ASSERT_EQ(0, bpf_link__destroy(self->link[i]));
	self->link[i] = NULL;
}

static int unshare_user(void *arg)
{
	return unshare(CLONE_NEWUSER) ? errno : 0;
}

static int call(FIXTURE_DATA(sleepable) * self)
{
	memset(self->bss->ran, 0, sizeof(self->bss->ran));
	self->bss->next = 0;
	return -in_child(unshare_user, NULL);
}

#define EXPECT_RAN(a, b, c, d) do {		\
	EXPECT_EQ(a, self->bss->ran[0]);	\
	EXPECT_EQ(b, self->bss->ran[1]);	\
	EXPECT_EQ(c, self->bss->ran[2]);	\
	EXPECT_EQ(d, self->bss->ran[3]);	\
} while (0)

/* A page of a file that the process has not touched yet. */
static void *unfaulted_page(struct __test_metadata *const _metadata)
{
	__u64 word = WORD;
	void *page;
	int fd;

	fd = open("/tmp/page", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(sizeof(word), write(fd, &word, sizeof(word)));
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, page);
	close(fd);
	return page;
}

TEST_F(sleepable, faults_memory_in)
{
	self->bss->user = unfaulted_page(_metadata);
	attach(_metadata, self, 1);
	EXPECT_EQ(0, call(self));
	EXPECT_RAN(0, 1, 0, 0);
	EXPECT_EQ(0, self->bss->err);
	EXPECT_EQ(WORD, self->bss->word);
}

TEST_F(sleepable, denies)
{
	attach(_metadata, self, 1);
	self->bss->verdict[1] = -KRSI_ERRNO;
	EXPECT_EQ(-KRSI_ERRNO, call(self));
	detach(_metadata, self, 1);
	EXPECT_EQ(0, call(self));
	EXPECT_RAN(0, 0, 0, 0);
}

TEST_F(sleepable, mixed_newest_first)
{
	int i;

	self->bss->user = unfaulted_page(_metadata);
	for (i = 0; i < PROGRAMS; i++)
		attach(_metadata, self, i);
	EXPECT_EQ(0, call(self));
	EXPECT_RAN(4, 3, 2, 1);
	EXPECT_EQ(WORD, self->bss->word);
}

TEST_F(sleepable, mixed_other_order)
{
	attach(_metadata, self, 3);
	attach(_metadata, self, 0);
	attach(_metadata, self, 1);
	attach(_metadata, self, 2);
	EXPECT_EQ(0, call(self));
	EXPECT_RAN(3, 2, 1, 4);
}

TEST_F(sleepable, mixed_first_nonzero_wins)
{
	int i;

	for (i = 0; i < PROGRAMS; i++)
		attach(_metadata, self, i);

	self->bss->verdict[2] = -EPERM;
	self->bss->verdict[1] = -EACCES;
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_RAN(0, 0, 2, 1);

	self->bss->verdict[2] = 0;
	EXPECT_EQ(-EACCES, call(self));
	EXPECT_RAN(0, 3, 2, 1);
}

TEST_F(sleepable, mixed_detach_one_kind)
{
	int i;

	for (i = 0; i < PROGRAMS; i++)
		attach(_metadata, self, i);
	detach(_metadata, self, 1);
	detach(_metadata, self, 3);
	EXPECT_EQ(0, call(self));
	EXPECT_RAN(2, 0, 1, 0);

	/* And back: the hook may sleep again. */
	self->bss->user = unfaulted_page(_metadata);
	attach(_metadata, self, 3);
	EXPECT_EQ(0, call(self));
	EXPECT_RAN(3, 0, 2, 1);
	EXPECT_EQ(WORD, self->bss->word);
}

/*
 * A program is put to sleep on a page that only the test resolves, while the
 * other programs come and go.
 */
FIXTURE(asleep)
{
	struct sleepable_bpf *skel;
	struct sleepable_bpf__bss *bss;
	struct bpf_link *link[PROGRAMS];
	pthread_t thread;
	void *page;
	int uffd;
	int result;
};

static void *create_userns(void *arg)
{
	FIXTURE_DATA(asleep) * self = arg;

	/* A thread may not unshare its user namespace, a process may clone one. */
	pid_t pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (!pid)
		_exit(0);
	self->result = pid < 0 ? -errno : 0;
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return NULL;
}

FIXTURE_SETUP(asleep)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	REQUIRE_LSM();
	self->skel = sleepable_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->bss->target = getpid();

	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	ASSERT_LE(0, self->uffd);
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
	self->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->page);
	reg.range.start = (__u64)self->page;
	reg.range.len = 4096;
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &reg));
	self->bss->user = self->page;
}

FIXTURE_TEARDOWN(asleep)
{
	int i;

	for (i = 0; i < PROGRAMS; i++)
		bpf_link__destroy(self->link[i]);
	sleepable_bpf__destroy(self->skel);
	close(self->uffd);
}

static void fall_asleep(struct __test_metadata *const _metadata, FIXTURE_DATA(asleep) * self)
{
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, create_userns, self));
	ASSERT_TRUE(WAIT_FOR(self->bss->asleep, 60));
}

static void wake_up(struct __test_metadata *const _metadata, FIXTURE_DATA(asleep) * self)
{
	__u64 source[512] = { WORD };
	struct uffdio_copy copy = {
		.dst = (__u64)self->page,
		.src = (__u64)source,
		.len = 4096,
	};

	EXPECT_EQ(1, self->bss->asleep);
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_COPY, &copy));
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
	EXPECT_EQ(0, self->bss->err);
	EXPECT_EQ(WORD, self->bss->word);
}

/* Detaching a program does not wait for it, and its verdict stands. */
TEST_F(asleep, detach_itself)
{
	self->link[1] = bpf_program__attach(self->skel->progs.sleepable1);
	ASSERT_NE(NULL, self->link[1]);
	self->bss->verdict[1] = -EPERM;
	fall_asleep(_metadata, self);
	ASSERT_EQ(0, bpf_link__destroy(self->link[1]));
	self->link[1] = NULL;
	wake_up(_metadata, self);
	EXPECT_EQ(-EPERM, self->result);
	EXPECT_EQ(1, self->bss->ran[1]);
}

/*
 * A call that began before runs an older program that is detached meanwhile: each
 * call sees one state of its hook. Mainline skips the program.
 */
TEST_F(asleep, detach_older)
{
	self->link[0] = bpf_program__attach(self->skel->progs.atomic0);
	ASSERT_NE(NULL, self->link[0]);
	self->link[1] = bpf_program__attach(self->skel->progs.sleepable1);
	ASSERT_NE(NULL, self->link[1]);
	self->bss->verdict[0] = -EPERM;
	fall_asleep(_metadata, self);
	ASSERT_EQ(0, bpf_link__destroy(self->link[0]));
	self->link[0] = NULL;
	wake_up(_metadata, self);
	EXPECT_EQ(krsi_active() ? -EPERM : 0, self->result);
	EXPECT_EQ(krsi_active() ? 2 : 0, self->bss->ran[0]);
}

/* An older program that stays does run, whatever else changes. */
TEST_F(asleep, attach_newer_and_detach_newest)
{
	self->link[0] = bpf_program__attach(self->skel->progs.atomic0);
	ASSERT_NE(NULL, self->link[0]);
	self->link[1] = bpf_program__attach(self->skel->progs.sleepable1);
	ASSERT_NE(NULL, self->link[1]);
	self->bss->verdict[0] = -KRSI_ERRNO;
	fall_asleep(_metadata, self);
	self->link[2] = bpf_program__attach(self->skel->progs.atomic2);
	ASSERT_NE(NULL, self->link[2]);
	ASSERT_EQ(0, bpf_link__destroy(self->link[1]));
	self->link[1] = NULL;
	wake_up(_metadata, self);
	EXPECT_EQ(-KRSI_ERRNO, self->result);
	EXPECT_NE(0, self->bss->ran[0]);
	/* It came too late for this call. */
	EXPECT_EQ(0, self->bss->ran[2]);
}

/* Programs of the hook go on deciding for others while one is asleep. */
TEST_F(asleep, others_are_decided)
{
	pid_t pid;

	self->link[1] = bpf_program__attach(self->skel->progs.sleepable1);
	ASSERT_NE(NULL, self->link[1]);
	fall_asleep(_metadata, self);
	self->link[2] = bpf_program__attach(self->skel->progs.atomic2);
	ASSERT_NE(NULL, self->link[2]);
	self->bss->verdict[2] = -EACCES;
	pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (!pid)
		_exit(0);
	EXPECT_EQ(-1, pid);
	EXPECT_EQ(EACCES, errno);
	wake_up(_metadata, self);
	EXPECT_EQ(0, self->result);
}

TEST_HARNESS_MAIN
