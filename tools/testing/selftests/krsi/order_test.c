// SPDX-License-Identifier: GPL-2.0
/*
 * Of the programs on one hook the newest runs first, the first verdict other
 * than zero wins, and programs after it do not run. A hook without a verdict
 * runs them all.
 */

#include <sys/ioctl.h>

#include "common.h"
#include "order.skel.h"
#include "told.skel.h"

FIXTURE(order)
{
	struct order_bpf *skel;
	struct bpf_program *getpgid[4];
	struct bpf_program *fowner[4];
	struct bpf_link *link[4];
};

FIXTURE_SETUP(order)
{
	char name[16];
	int i;

	REQUIRE_LSM();
	self->skel = order_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->skel->bss->target = getpid();

	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "getpgid%d", i);
		self->getpgid[i] = bpf_object__find_program_by_name(self->skel->obj, name);
		snprintf(name, sizeof(name), "fowner%d", i);
		self->fowner[i] = bpf_object__find_program_by_name(self->skel->obj, name);
	}
}

FIXTURE_TEARDOWN(order)
{
	int i;

	for (i = 0; i < 4; i++)
		bpf_link__destroy(self->link[i]);
	order_bpf__destroy(self->skel);
}

static void attach(struct __test_metadata *const _metadata, FIXTURE_DATA(order) * self, int i)
{
	self->link[i] = bpf_program__attach(self->getpgid[i]);
	ASSERT_NE(NULL, self->link[i]);
}

static void detach(struct __test_metadata *const _metadata, FIXTURE_DATA(order) * self, int i)
{
	ASSERT_EQ(0, bpf_link__destroy(self->link[i]));
	self->link[i] = NULL;
}

static int call(FIXTURE_DATA(order) * self)
{
	struct order_bpf__bss *bss = self->skel->bss;

	memset(bss->ran, 0, sizeof(bss->ran));
	bss->next = 0;
	return OK(getpgid(getpid()));
}

/* Expects the programs to have run in these positions; 0: not at all. */
#define EXPECT_RAN(a, b, c, d) do {				\
	EXPECT_EQ(a, self->skel->bss->ran[0]);			\
	EXPECT_EQ(b, self->skel->bss->ran[1]);			\
	EXPECT_EQ(c, self->skel->bss->ran[2]);			\
	EXPECT_EQ(d, self->skel->bss->ran[3]);			\
} while (0)

TEST_F(order, newest_first)
{
	int i;

	for (i = 0; i < 4; i++)
		attach(_metadata, self, i);
	EXPECT_LT(0, call(self));
	EXPECT_RAN(4, 3, 2, 1);
}

/* When a program was attached decides, not when it was loaded. */
TEST_F(order, attach_time_counts)
{
	attach(_metadata, self, 2);
	attach(_metadata, self, 0);
	attach(_metadata, self, 3);
	attach(_metadata, self, 1);
	EXPECT_LT(0, call(self));
	EXPECT_RAN(3, 1, 4, 2);
}

TEST_F(order, first_nonzero_wins)
{
	int i;

	for (i = 0; i < 4; i++)
		attach(_metadata, self, i);
	self->skel->bss->verdict[1] = -EPERM;
	self->skel->bss->verdict[2] = -KRSI_ERRNO;
	EXPECT_EQ(-KRSI_ERRNO, call(self));
	EXPECT_RAN(0, 0, 2, 1);

	self->skel->bss->verdict[2] = 0;
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_RAN(0, 3, 2, 1);
}

TEST_F(order, newest_denies_alone)
{
	int i;

	for (i = 0; i < 4; i++)
		attach(_metadata, self, i);
	self->skel->bss->verdict[3] = -EPERM;
	EXPECT_EQ(-EPERM, call(self));
	EXPECT_RAN(0, 0, 0, 1);
}

TEST_F(order, oldest_can_deny)
{
	int i;

	for (i = 0; i < 4; i++)
		attach(_metadata, self, i);
	self->skel->bss->verdict[0] = -EACCES;
	EXPECT_EQ(-EACCES, call(self));
	EXPECT_RAN(4, 3, 2, 1);
}

TEST_F(order, detach_keeps_order)
{
	int i;

	for (i = 0; i < 4; i++)
		attach(_metadata, self, i);

	detach(_metadata, self, 1);
	EXPECT_LT(0, call(self));
	EXPECT_RAN(3, 0, 2, 1);

	detach(_metadata, self, 3);
	EXPECT_LT(0, call(self));
	EXPECT_RAN(2, 0, 1, 0);

	detach(_metadata, self, 0);
	EXPECT_LT(0, call(self));
	EXPECT_RAN(0, 0, 1, 0);

	detach(_metadata, self, 2);
	EXPECT_LT(0, call(self));
	EXPECT_RAN(0, 0, 0, 0);
}

TEST_F(order, attached_again_is_newest)
{
	int i;

	for (i = 0; i < 4; i++)
		attach(_metadata, self, i);
	detach(_metadata, self, 0);
	attach(_metadata, self, 0);
	EXPECT_LT(0, call(self));
	EXPECT_RAN(1, 4, 3, 2);
}

/* What a program on a void hook returns is not a verdict: all of them run. */
TEST_F(order, void_runs_all)
{
	struct order_bpf__bss *bss = self->skel->bss;
	int fd, i;

	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);

	for (i = 0; i < 4; i++) {
		self->link[i] = bpf_program__attach(self->fowner[i]);
		ASSERT_NE(NULL, self->link[i]);
		bss->verdict[i] = -EPERM;
	}
	EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	EXPECT_RAN(4, 3, 2, 1);
	EXPECT_EQ(getpid(), fcntl(fd, F_GETOWN));

	detach(_metadata, self, 2);
	memset(bss->ran, 0, sizeof(bss->ran));
	bss->next = 0;
	EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	EXPECT_RAN(3, 2, 0, 1);
	close(fd);
}

/*
 * Every program gets the hook's arguments, however many run before it: up to
 * more than KRSI calls from one function.
 */
TEST(all_get_the_arguments)
{
	const unsigned int cmd = 0x12345678;
	const unsigned long arg = 0x1234567890abcdef;
	struct told_bpf *skels[5];
	struct bpf_link *links[20] = {};
	struct bpf_program *prog;
	int attached, fd, i, j;
	char name[16];

	REQUIRE_LSM();
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(skels); i++) {
		skels[i] = told_bpf__open_and_load();
		ASSERT_NE(NULL, skels[i]);
		skels[i]->bss->target = getpid();
	}
	for (attached = 1; attached <= ARRAY_SIZE(links); attached++) {
		snprintf(name, sizeof(name), "ioctl%d", (attached - 1) % 4);
		prog = bpf_object__find_program_by_name(skels[(attached - 1) / 4]->obj, name);
		links[attached - 1] = bpf_program__attach(prog);
		ASSERT_NE(NULL, links[attached - 1]);
		for (i = 0; i < ARRAY_SIZE(skels); i++)
			memset(skels[i]->bss->told, 0, sizeof(skels[i]->bss->told));
		EXPECT_EQ(-ENOTTY, OK(ioctl(fd, cmd, arg)));
		for (i = 0; i < ARRAY_SIZE(links); i++) {
			const __u64 want[] = { 3, cmd, arg };

			for (j = 0; j < 3; j++)
				EXPECT_EQ(i < attached ? want[j] : 0,
					  skels[i / 4]->bss->told[i % 4][j])
					TH_LOG("program %d of %d", i, attached);
		}
	}
	for (i = 0; i < ARRAY_SIZE(links); i++)
		bpf_link__destroy(links[i]);
	for (i = 0; i < ARRAY_SIZE(skels); i++)
		told_bpf__destroy(skels[i]);
	close(fd);
}

TEST_HARNESS_MAIN
