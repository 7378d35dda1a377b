// SPDX-License-Identifier: GPL-2.0
/*
 * bpf_real_data_inode() in programs of an LSM: the inode is the one that has the
 * data, and what a policy keeps about it is found on each way to the file.
 */

#include <sys/sysmacros.h>

#include "exec.h"
#include "real_inode.skel.h"

#define LOWER "/tmp/lower"
#define UPPER "/tmp/upper"
#define OVER "/tmp/over"

FIXTURE(real_inode)
{
	struct real_inode_bpf *skel;
	struct real_inode_bpf__bss *bss;
};

/* A device number as the kernel keeps it. */
static __u32 kernel_dev(dev_t dev)
{
	return major(dev) << 20 | minor(dev);
}

static struct stat stat_of(struct __test_metadata *const _metadata, const char *path)
{
	struct stat st = {};

	EXPECT_EQ(0, stat(path, &st)) TH_LOG("%s", path);
	return st;
}

FIXTURE_SETUP(real_inode)
{
	char dir[16];

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	ASSERT_EQ(0, mkdir(LOWER, 0755));
	ASSERT_EQ(0, mkdir(UPPER, 0755));
	ASSERT_EQ(0, mkdir("/tmp/work", 0755));
	ASSERT_EQ(0, mkdir(OVER, 0755));
	ASSERT_EQ(0, mkdir(LOWER "/dir", 0755));
	ASSERT_LT(0, copy_file(IDLE, LOWER "/file"));
	ASSERT_EQ(0, mount("overlay", OVER, "overlay", 0,
			   "lowerdir=" LOWER ",upperdir=" UPPER ",workdir=/tmp/work"));

	self->skel = real_inode_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel) TH_LOG("%s", libbpf_log);
	self->bss = self->skel->bss;
	ASSERT_EQ(0, real_inode_bpf__attach(self->skel));
	self->bss->dev = kernel_dev(stat_of(_metadata, OVER).st_dev);
	self->bss->target = getpid();
}

FIXTURE_TEARDOWN(real_inode)
{
	real_inode_bpf__destroy(self->skel);
}

static int try_open(const char *path, int flags)
{
	int fd = OK(open(path, flags | O_CLOEXEC));

	return fd < 0 ? fd : close(fd);
}

static int try_exec(const char *path)
{
	char *argv[] = { "idle", NULL };
	pid_t pid = start(path, argv, argv + 1);

	if (pid < 0)
		return pid;
	return stop(pid) == SIGKILL ? 0 : -ECHILD;
}

static int label(FIXTURE_DATA(real_inode) * self, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), value = 1, err;

	err = OK(bpf_map_update_elem(bpf_map__fd(self->skel->maps.labels), &fd, &value, 0));
	close(fd);
	return err;
}

TEST_F(real_inode, is_below)
{
	struct stat lower = stat_of(_metadata, LOWER "/file"), upper;

	EXPECT_EQ(0, try_open(OVER "/file", O_RDONLY));
	EXPECT_EQ(1, self->bss->opened.calls);
	EXPECT_EQ(0, self->bss->opened.missing);
	EXPECT_FALSE(self->bss->opened.same);
	EXPECT_EQ(lower.st_ino, self->bss->opened.real_ino);
	EXPECT_EQ(kernel_dev(lower.st_dev), self->bss->opened.real_dev);

	EXPECT_EQ(0, try_exec(OVER "/file"));
	EXPECT_LT(0, self->bss->executed.calls);
	EXPECT_FALSE(self->bss->executed.same);
	EXPECT_EQ(lower.st_ino, self->bss->executed.real_ino);

	/* Opening it for writing copies it after the hook was called. */
	EXPECT_EQ(0, try_open(OVER "/file", O_RDWR));
	upper = stat_of(_metadata, UPPER "/file");
	EXPECT_NE(lower.st_ino, upper.st_ino);
	EXPECT_EQ(lower.st_ino, self->bss->opened.real_ino);
	EXPECT_EQ(0, try_open(OVER "/file", O_RDONLY));
	EXPECT_EQ(upper.st_ino, self->bss->opened.real_ino);
	EXPECT_FALSE(self->bss->opened.same);
	EXPECT_EQ(0, try_exec(OVER "/file"));
	EXPECT_EQ(upper.st_ino, self->bss->executed.real_ino);
}

TEST_F(real_inode, is_its_own)
{
	struct stat lower = stat_of(_metadata, LOWER "/file");

	/* What is not a regular file has its data in the overlay. */
	EXPECT_EQ(0, try_open(OVER "/dir", O_RDONLY | O_DIRECTORY));
	EXPECT_EQ(1, self->bss->opened.calls);
	EXPECT_EQ(0, self->bss->opened.missing);
	EXPECT_TRUE(self->bss->opened.same);
	EXPECT_EQ(self->bss->dev, self->bss->opened.real_dev);

	self->bss->dev = kernel_dev(lower.st_dev);
	EXPECT_EQ(0, try_open(LOWER "/file", O_RDONLY));
	EXPECT_TRUE(self->bss->opened.same);
	EXPECT_EQ(lower.st_ino, self->bss->opened.real_ino);
	EXPECT_EQ(0, self->bss->opened.missing);
	EXPECT_EQ(0, try_exec(LOWER "/file"));
	EXPECT_TRUE(self->bss->executed.same);
	EXPECT_EQ(lower.st_ino, self->bss->executed.real_ino);
}

/* A label of the file below is in force on the overlay, until there is a copy. */
TEST_F(real_inode, carries_a_policy)
{
	ASSERT_EQ(0, label(self, LOWER "/file"));
	EXPECT_EQ(-KRSI_ERRNO, try_open(OVER "/file", O_RDONLY));
	EXPECT_EQ(1, self->bss->opened.calls);
	/* Executing opens it first. */
	EXPECT_EQ(-KRSI_ERRNO, try_exec(OVER "/file"));
	EXPECT_EQ(0, self->bss->executed.calls);
	/* The policy is for the overlay alone. */
	EXPECT_EQ(0, try_open(LOWER "/file", O_RDONLY));

	EXPECT_EQ(-KRSI_ERRNO, try_open(OVER "/file", O_RDWR));
	ASSERT_EQ(0, chmod(OVER "/file", 0700));
	EXPECT_EQ(0, try_open(OVER "/file", O_RDONLY));
	ASSERT_EQ(0, label(self, UPPER "/file"));
	EXPECT_EQ(-KRSI_ERRNO, try_open(OVER "/file", O_RDONLY));
	EXPECT_EQ(-KRSI_ERRNO, try_open(OVER "/file", O_RDWR));
}

/* The same at the hook of exec alone. */
TEST_F(real_inode, carries_a_policy_of_execution)
{
	ASSERT_EQ(0, bpf_link__destroy(self->skel->links.on_open));
	self->skel->links.on_open = NULL;
	EXPECT_EQ(0, try_exec(OVER "/file"));
	EXPECT_LT(0, self->bss->executed.calls);
	ASSERT_EQ(0, label(self, LOWER "/file"));
	EXPECT_EQ(-KRSI_ERRNO, try_exec(OVER "/file"));
	EXPECT_EQ(0, try_exec(LOWER "/file"));
	EXPECT_EQ(0, try_open(OVER "/file", O_RDONLY));
}

TEST_HARNESS_MAIN
