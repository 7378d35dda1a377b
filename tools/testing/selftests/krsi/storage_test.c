// SPDX-License-Identifier: GPL-2.0
/*
 * bpf_inode_storage, bpf_task_storage and bpf_sk_storage as programs use them:
 * a value stays with its object, and only as long as the object.
 */

#include <linux/landlock.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "common.h"
#include "storage.skel.h"

FIXTURE(storage)
{
	struct storage_bpf *skel;
	struct storage_bpf__bss *bss;
	struct bpf_link *link;
};

FIXTURE_SETUP(storage)
{
	char dir[16];

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	self->skel = storage_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
}

FIXTURE_TEARDOWN(storage)
{
	bpf_link__destroy(self->link);
	storage_bpf__destroy(self->skel);
}

static void attach(struct __test_metadata *const _metadata, FIXTURE_DATA(storage) * self,
		   const char *name)
{
	ASSERT_TRUE(load_only(self->skel->obj, name));
	ASSERT_EQ(0, storage_bpf__load(self->skel));
	self->link = bpf_program__attach(bpf_object__find_program_by_name(self->skel->obj, name));
	ASSERT_NE(NULL, self->link);
}

/*
 * Repeats a system call while the program gets no storage. The kernel allocates it
 * without waiting for locks, which a CPU may hold that does not run at present.
 */
#define WITH_STORAGE(call) ({					\
	int __left = 1000;					\
	long __result;						\
								\
	do {							\
		self->bss->failed = false;			\
		__result = OK(call);				\
	} while (self->bss->failed && __left-- && !usleep(10000)); \
	__result;						\
})

/* Opens @path; returns how often its inode was opened, or a negative errno. */
static long long use(FIXTURE_DATA(storage) * self, const char *path)
{
	int fd;

	self->bss->newest = 0;
	fd = WITH_STORAGE(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	if (fd < 0)
		return fd;
	close(fd);
	return self->bss->newest;
}

/* The count that is stored for the inode of @path, or a negative errno. */
static long long stored(FIXTURE_DATA(storage) * self, struct bpf_map *map, const char *path)
{
	__u64 value;
	int fd, err;

	/* O_PATH opens without the hook. */
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = bpf_map_lookup_elem(bpf_map__fd(map), &fd, &value);
	close(fd);
	return err < 0 ? err : (long long)value;
}

static void count_inodes(struct __test_metadata *const _metadata, FIXTURE_DATA(storage) * self)
{
	struct bpf_map *map = self->skel->maps.inodes;

	EXPECT_EQ(1, use(self, "/tmp/a"));
	EXPECT_EQ(2, use(self, "/tmp/a"));
	EXPECT_EQ(1, use(self, "/tmp/b"));
	EXPECT_EQ(3, use(self, "/tmp/a"));
	EXPECT_EQ(3, stored(self, map, "/tmp/a"));
	EXPECT_EQ(1, stored(self, map, "/tmp/b"));
	EXPECT_EQ(0xdead, stored(self, self->skel->maps.more_inodes, "/tmp/a"));

	/* The inode, not the name. */
	ASSERT_EQ(0, link("/tmp/a", "/tmp/c"));
	EXPECT_EQ(4, use(self, "/tmp/c"));
	ASSERT_EQ(0, rename("/tmp/b", "/tmp/d"));
	EXPECT_EQ(2, use(self, "/tmp/d"));

	/* A verdict that depends on it. */
	self->bss->limit = 4;
	EXPECT_EQ(-EPERM, use(self, "/tmp/a"));
	EXPECT_EQ(3, use(self, "/tmp/d"));
	EXPECT_EQ(5, stored(self, map, "/tmp/c"));
}

TEST_F(storage, inode)
{
	attach(_metadata, self, "file_open");
	count_inodes(_metadata, self);
}

TEST_F(storage, inode_sleepable)
{
	attach(_metadata, self, "file_open_sleepable");
	count_inodes(_metadata, self);
}

TEST_F(storage, inode_create_counts_in_directory)
{
	attach(_metadata, self, "inode_create");
	EXPECT_EQ(1, use(self, "/tmp/a"));
	EXPECT_EQ(2, use(self, "/tmp/b"));
	/* Both exist by now. */
	EXPECT_EQ(0, use(self, "/tmp/b"));
	EXPECT_EQ(2, stored(self, self->skel->maps.inodes, "/tmp"));
}

TEST_F(storage, inode_delete)
{
	attach(_metadata, self, "file_open");
	EXPECT_EQ(1, use(self, "/tmp/a"));
	self->bss->drop = true;
	EXPECT_EQ(0, use(self, "/tmp/a"));
	EXPECT_EQ(-ENOENT, stored(self, self->skel->maps.inodes, "/tmp/a"));
	EXPECT_EQ(0xdead, stored(self, self->skel->maps.more_inodes, "/tmp/a"));
	self->bss->drop = false;
	EXPECT_EQ(1, use(self, "/tmp/a"));
}

/* Userspace writes what a program reads. */
TEST_F(storage, inode_update_by_fd)
{
	__u64 value = 40;
	int fd;

	attach(_metadata, self, "file_open");
	EXPECT_EQ(1, use(self, "/tmp/a"));
	fd = open("/tmp/a", O_PATH | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, bpf_map_update_elem(bpf_map__fd(self->skel->maps.inodes), &fd, &value, 0));
	EXPECT_EQ(41, use(self, "/tmp/a"));
	ASSERT_EQ(0, bpf_map_delete_elem(bpf_map__fd(self->skel->maps.inodes), &fd));
	EXPECT_EQ(1, use(self, "/tmp/a"));
	close(fd);
}

/* Storage outlives the program's link, for the map owns it. */
TEST_F(storage, inode_kept_while_detached)
{
	attach(_metadata, self, "file_open");
	EXPECT_EQ(1, use(self, "/tmp/a"));
	ASSERT_EQ(0, bpf_link__destroy(self->link));
	EXPECT_EQ(0, use(self, "/tmp/a"));
	self->link = bpf_program__attach(self->skel->progs.file_open);
	ASSERT_NE(NULL, self->link);
	EXPECT_EQ(2, use(self, "/tmp/a"));
}

/*
 * Storage goes with its inode. Inodes come from a cache: what were not freed,
 * or freed twice, would be found by the inodes that get the memory next.
 */
TEST_F_TIMEOUT(storage, inode_freed_with_inode, 300)
{
	char path[32];
	int round, i;

	attach(_metadata, self, "file_open");
	for (round = 0; round < 4; round++) {
		for (i = 0; i < 64; i++) {
			snprintf(path, sizeof(path), "/tmp/inode%d", i);
			ASSERT_EQ(1, use(self, path));
		}
		for (i = 0; i < 64; i++) {
			snprintf(path, sizeof(path), "/tmp/inode%d", i);
			ASSERT_EQ(1, stored(self, self->skel->maps.inodes, path));
			ASSERT_EQ(0, unlink(path));
		}
	}
}

/* A whole file system's inodes at once. */
TEST_F_TIMEOUT(storage, inode_freed_with_file_system, 300)
{
	char path[32];
	int round, i;

	attach(_metadata, self, "file_open");
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, mount("krsi", "/tmp", "tmpfs", 0, NULL));
		for (i = 0; i < 32; i++) {
			snprintf(path, sizeof(path), "/tmp/inode%d", i);
			ASSERT_EQ(1, use(self, path));
		}
		ASSERT_EQ(0, umount("/tmp"));
	}
}

/* Maps go before the inodes. */
TEST_F(storage, inode_outlives_map)
{
	attach(_metadata, self, "file_open");
	EXPECT_EQ(1, use(self, "/tmp/a"));
	ASSERT_EQ(0, bpf_link__destroy(self->link));
	self->link = NULL;
	storage_bpf__destroy(self->skel);

	self->skel = storage_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
	attach(_metadata, self, "file_open");
	EXPECT_EQ(1, use(self, "/tmp/a"));
	EXPECT_EQ(0, unlink("/tmp/a"));
}

TEST_F(storage, task)
{
	int fd, err, status;
	__u64 value;
	pid_t pid;

	attach(_metadata, self, "task_getpgid");
	EXPECT_LT(0, WITH_STORAGE(getpgid(getpid())));
	EXPECT_EQ(1, self->bss->newest);
	EXPECT_LT(0, WITH_STORAGE(getpgid(getpid())));
	EXPECT_EQ(2, self->bss->newest);

	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	/* A child starts with nothing. */
	EXPECT_LT(0, WITH_STORAGE(getpgid(pid)));
	EXPECT_EQ(1, self->bss->newest);

	fd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, bpf_map_lookup_elem(bpf_map__fd(self->skel->maps.tasks), &fd, &value));
	EXPECT_EQ(1, value);
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	err = bpf_map_lookup_elem(bpf_map__fd(self->skel->maps.tasks), &fd, &value);
	EXPECT_GT(0, err);
	close(fd);

	self->bss->limit = 3;
	EXPECT_LT(0, WITH_STORAGE(getpgid(getpid())));
	EXPECT_EQ(-EPERM, OK(getpgid(getpid())));
}

TEST_F(storage, socket)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	__u64 value;
	int a, b;

	attach(_metadata, self, "socket_getsockname");
	a = socket(AF_INET, SOCK_DGRAM, 0);
	b = socket(AF_INET, SOCK_STREAM, 0);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	EXPECT_EQ(0, WITH_STORAGE(getsockname(a, (struct sockaddr *)&addr, &len)));
	EXPECT_EQ(0, WITH_STORAGE(getsockname(a, (struct sockaddr *)&addr, &len)));
	EXPECT_EQ(2, self->bss->newest);
	EXPECT_EQ(0, WITH_STORAGE(getsockname(b, (struct sockaddr *)&addr, &len)));
	EXPECT_EQ(1, self->bss->newest);
	EXPECT_EQ(0, bpf_map_lookup_elem(bpf_map__fd(self->skel->maps.sockets), &a, &value));
	EXPECT_EQ(2, value);
	self->bss->limit = 2;
	EXPECT_EQ(-EPERM, OK(getsockname(a, (struct sockaddr *)&addr, &len)));
	close(a);
	close(b);
}

/* Landlock keeps its own state in the same inode blob. */
TEST_F(storage, inode_with_landlock)
{
	struct landlock_ruleset_attr ruleset = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_DIR,
	};
	struct landlock_path_beneath_attr path = {
		.allowed_access = LANDLOCK_ACCESS_FS_MAKE_DIR,
	};
	int fd;

	if (!lsm_active("landlock"))
		SKIP(return, "landlock is not active");
	attach(_metadata, self, "file_open");
	ASSERT_EQ(0, mkdir("/tmp/ok", 0700));

	/* Its rules hang on an inode, with storage both before and after. */
	fd = WITH_STORAGE(open("/tmp/ok", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, self->bss->newest);
	path.parent_fd = fd;

	fd = syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &path, 0));
	ASSERT_EQ(0, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	ASSERT_EQ(0, syscall(SYS_landlock_restrict_self, fd, 0));
	close(fd);
	close(path.parent_fd);

	EXPECT_EQ(0, mkdir("/tmp/ok/dir", 0700));
	EXPECT_EQ(-EACCES, OK(mkdir("/tmp/dir", 0700)));

	fd = WITH_STORAGE(open("/tmp/ok", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	ASSERT_LE(0, fd);
	EXPECT_EQ(2, self->bss->newest);
	close(fd);
	EXPECT_EQ(0, mkdir("/tmp/ok/dir2", 0700));
}

TEST_HARNESS_MAIN
