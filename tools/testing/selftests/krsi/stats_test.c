// SPDX-License-Identifier: GPL-2.0
/*
 * Program statistics, as bpftool and bpf_enable_stats() users see them.
 */

#include "common.h"
#include "stats.skel.h"

#define CALLS 100

FIXTURE(stats)
{
	struct stats_bpf *skel;
	struct bpf_link *link;
	struct bpf_link *link2;
	int stats;
};

FIXTURE_SETUP(stats)
{
	REQUIRE_LSM();
	self->skel = stats_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	ASSERT_LE(0, self->stats);
}

FIXTURE_TEARDOWN(stats)
{
	bpf_link__destroy(self->link2);
	bpf_link__destroy(self->link);
	stats_bpf__destroy(self->skel);
	close(self->stats);
}

static struct bpf_prog_info info_of(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &len);
	return info;
}

static void call(int times)
{
	while (times--)
		getsid(getpid());
}

TEST_F(stats, exact)
{
	struct bpf_program *prog = self->skel->progs.newer;
	__u64 time;

	EXPECT_EQ(0, info_of(prog).run_cnt);
	self->link = bpf_program__attach(prog);
	ASSERT_NE(NULL, self->link);
	call(CALLS);
	EXPECT_LE(CALLS, self->skel->bss->runs);
	EXPECT_EQ(self->skel->bss->runs, info_of(prog).run_cnt);
	EXPECT_EQ(0, info_of(prog).recursion_misses);
	time = info_of(prog).run_time_ns;
	EXPECT_LT(0, time);
	call(CALLS);
	EXPECT_EQ(self->skel->bss->runs, info_of(prog).run_cnt);
	EXPECT_LT(time, info_of(prog).run_time_ns);
}

TEST_F(stats, off)
{
	struct bpf_program *prog = self->skel->progs.newer;

	close(self->stats);
	self->link = bpf_program__attach(prog);
	ASSERT_NE(NULL, self->link);
	call(CALLS);
	EXPECT_LE(CALLS, self->skel->bss->runs);
	EXPECT_EQ(0, info_of(prog).run_cnt);
	EXPECT_EQ(0, info_of(prog).run_time_ns);

	self->stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	ASSERT_LE(0, self->stats);
	self->skel->bss->runs = 0;
	call(CALLS);
	EXPECT_EQ(self->skel->bss->runs, info_of(prog).run_cnt);
}

/* A program that did not get its turn did not run. */
TEST_F(stats, only_those_that_ran)
{
	__u64 before;

	self->link = bpf_program__attach(self->skel->progs.older);
	ASSERT_NE(NULL, self->link);
	self->link2 = bpf_program__attach(self->skel->progs.newer);
	ASSERT_NE(NULL, self->link2);
	call(CALLS);
	before = info_of(self->skel->progs.older).run_cnt;
	EXPECT_EQ(self->skel->bss->runs, before);

	self->skel->bss->verdict = -1;
	EXPECT_EQ(-EPERM, OK(getsid(getpid())));
	call(CALLS);
	EXPECT_EQ(before, info_of(self->skel->progs.older).run_cnt);
	EXPECT_EQ(self->skel->bss->runs, info_of(self->skel->progs.newer).run_cnt);
}

static int unshare_user(void *arg)
{
	return unshare(CLONE_NEWUSER) ? errno : 0;
}

TEST_F(stats, sleepable)
{
	struct bpf_program *prog = self->skel->progs.sleepable;
	int i;

	self->link = bpf_program__attach(prog);
	ASSERT_NE(NULL, self->link);
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, in_child(unshare_user, NULL));
	EXPECT_LE(5, self->skel->bss->runs);
	EXPECT_EQ(self->skel->bss->runs, info_of(prog).run_cnt);
	EXPECT_LT(0, info_of(prog).run_time_ns);
}

TEST_F(stats, void_hook)
{
	struct bpf_program *prog = self->skel->progs.nothing;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int i;

	self->link = bpf_program__attach(prog);
	ASSERT_NE(NULL, self->link);
	for (i = 0; i < CALLS; i++)
		EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	EXPECT_LE(CALLS, self->skel->bss->runs);
	EXPECT_EQ(self->skel->bss->runs, info_of(prog).run_cnt);
	close(fd);
}

/* Cgroup programs count, not what calls them. */
TEST_F(stats, cgroup)
{
	struct bpf_program *prog = self->skel->progs.cgroup;
	char dir[16];
	int cgroup;

	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	ASSERT_EQ(0, mount("cgroup2", "/tmp", "cgroup2", 0, NULL));
	cgroup = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, cgroup);
	self->link = bpf_program__attach_cgroup(prog, cgroup);
	ASSERT_NE(NULL, self->link);
	call(CALLS);
	EXPECT_LE(CALLS, self->skel->bss->runs);
	EXPECT_EQ(self->skel->bss->runs, info_of(prog).run_cnt);
	close(cgroup);
}

TEST_HARNESS_MAIN
