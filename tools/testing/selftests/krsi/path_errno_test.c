// SPDX-License-Identifier: GPL-2.0
/*
 * What the path kfuncs answer where there is no path: each row of the table in
 * Documentation/bpf/krsi-kfuncs-refs.rst. And who can have chosen a path.
 */

#include <linux/mount.h>
#include <mqueue.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "common.h"
#include "fuse.h"
#include "path.skel.h"

/* include/linux/krsi.h; programs have them from BTF. */
enum { TASK_ROOT = 1, DELETED = 2, TRUSTED_MOUNT = 4 };

FIXTURE(path_errno)
{
	struct path_bpf *skel;
	struct path_bpf__bss *bss;
	struct bpf_link *link;
};

FIXTURE_SETUP(path_errno)
{
	char dir[16];

	if (!krsi_active())
		SKIP(return, "the kfuncs are krsi's");
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	self->skel = path_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel) TH_LOG("%s", libbpf_log);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
	self->link = bpf_program__attach(self->skel->progs.fd_atomic);
	ASSERT_NE(NULL, self->link);
}

FIXTURE_TEARDOWN(path_errno)
{
	bpf_link__destroy(self->link);
	path_bpf__destroy(self->skel);
}

/* What the kfunc returns for @fd, which is closed; -1000 if it was not asked. */
static long answer(FIXTURE_DATA(path_errno) * self, int fd, __u64 flags)
{
	if (fd < 0)
		return -2000 - errno;
	self->bss->flags = flags;
	self->bss->calls = 0;
	self->bss->ret = 0;
	memset(self->bss->dst, 'g', sizeof(self->bss->dst));
	if (ioctl(fd, FIOCLEX) || self->bss->calls != 1)
		self->bss->ret = -1000;
	close(fd);
	return self->bss->ret;
}

/* The same error with and without @flags, and nothing that looks like a path. */
static long refused(FIXTURE_DATA(path_errno) * self, int fd, __u64 flags)
{
	int again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	long err = answer(self, fd, 0);

	if (self->bss->dst[0] || answer(self, again, flags) != err || self->bss->dst[0])
		return -3000;
	return err;
}

static int create(const char *path)
{
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0700);
}

TEST_F(path_errno, einval)
{
	__u64 flags;

	for (flags = 8; flags; flags <<= 1)
		EXPECT_EQ(-EINVAL, answer(self, create("/tmp/file"), flags | TRUSTED_MOUNT));
	EXPECT_EQ(-EINVAL, answer(self, create("/tmp/file"), TASK_ROOT | TRUSTED_MOUNT));
	self->skel->data->size = 0;
	EXPECT_EQ(-EINVAL, answer(self, create("/tmp/file"), 0));
}

TEST_F(path_errno, enametoolong)
{
	self->skel->data->size = 9;
	EXPECT_EQ(-ENAMETOOLONG, refused(self, create("/tmp/file"), TRUSTED_MOUNT));
	self->skel->data->size = 10;
	EXPECT_EQ(10, answer(self, create("/tmp/file"), TRUSTED_MOUNT));
}

TEST_F(path_errno, enoent)
{
	int fd = create("/tmp/file");

	ASSERT_EQ(0, unlink("/tmp/file"));
	EXPECT_EQ(-ENOENT, refused(self, fd, TRUSTED_MOUNT));
	fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	EXPECT_EQ(-ENOENT, refused(self, fd, TRUSTED_MOUNT));
	fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	EXPECT_LT(0, answer(self, fd, TRUSTED_MOUNT | DELETED));
}

/* Never had a path, and never will. */
TEST_F(path_errno, eopnotsupp)
{
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(-EOPNOTSUPP, refused(self, fds[0], TRUSTED_MOUNT));
	EXPECT_EQ(-EOPNOTSUPP, refused(self, fds[1], TRUSTED_MOUNT));
	EXPECT_EQ(-EOPNOTSUPP, refused(self, socket(AF_UNIX, SOCK_STREAM, 0), TRUSTED_MOUNT));
	EXPECT_EQ(-EOPNOTSUPP, refused(self, memfd_create("krsi", 0), TRUSTED_MOUNT));
	/* On mounts that the kernel keeps to itself. */
	EXPECT_EQ(-EOPNOTSUPP, refused(self, mq_open("/krsi", O_CREAT | O_RDWR, 0600, NULL),
				       TRUSTED_MOUNT));
	mq_unlink("/krsi");
}

/* What an overlay opens in its layers. */
TEST_F(path_errno, eopnotsupp_overlay)
{
	static const char *const dirs[] = { "/tmp/lower", "/tmp/upper", "/tmp/work",
					    "/tmp/merged" };
	int i, fd;

	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		ASSERT_EQ(0, mkdir(dirs[i], 0700));
	ASSERT_EQ(0, mkdir("/tmp/lower/dir", 0700));
	close(create("/tmp/lower/dir/file"));
	ASSERT_EQ(0, mount("overlay", "/tmp/merged", "overlay", 0,
			   "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work"));
	bpf_link__destroy(self->link);
	self->link = bpf_program__attach(self->skel->progs.opened);
	ASSERT_NE(NULL, self->link);
	self->bss->flags = TRUSTED_MOUNT;
	memset(self->bss->round_ret, 0, sizeof(self->bss->round_ret));
	self->bss->calls = 0;
	fd = open("/tmp/merged/dir/file", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	close(fd);
	/* The copy-up opens both layers' files, then there is the one that was asked for. */
	ASSERT_LE(2, self->bss->calls);
	for (i = 0; i < self->bss->calls && i < 4; i++) {
		if (self->bss->round_ret[i] != -EOPNOTSUPP)
			EXPECT_STREQ("/tmp/merged/dir/file", self->bss->round_dst[i])
				TH_LOG("%lld", self->bss->round_ret[i]);
	}
	EXPECT_TRUE(self->bss->round_ret[0] == -EOPNOTSUPP ||
		    self->bss->round_ret[1] == -EOPNOTSUPP);
	umount2("/tmp/merged", MNT_DETACH);
}

TEST_F(path_errno, exdev)
{
	int fd;

	ASSERT_EQ(0, mkdir("/tmp/a", 0700));
	ASSERT_EQ(0, mkdir("/tmp/a/b", 0700));
	ASSERT_EQ(0, mkdir("/tmp/c", 0700));
	close(create("/tmp/a/b/file"));
	ASSERT_EQ(0, mount("/tmp/a/b", "/tmp/c", NULL, MS_BIND, NULL));
	fd = open("/tmp/c/file", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(0, rename("/tmp/a/b/file", "/tmp/a/file"));
	EXPECT_EQ(-EXDEV, refused(self, fd, TRUSTED_MOUNT));
	fd = create("/tmp/a/outside");
	ASSERT_EQ(0, chroot("/tmp/c"));
	EXPECT_EQ(-EXDEV, answer(self, fd, TASK_ROOT));
}

TEST_F(path_errno, estale)
{
	int mnt, fd;

	ASSERT_EQ(0, mkdir("/tmp/mnt", 0700));
	close(create("/tmp/file"));
	ASSERT_EQ(0, mount("krsi", "/tmp/mnt", "tmpfs", 0, NULL));
	fd = create("/tmp/mnt/file");
	ASSERT_EQ(0, umount2("/tmp/mnt", MNT_DETACH));
	EXPECT_EQ(-ESTALE, refused(self, fd, TRUSTED_MOUNT));
	/* Not attached yet, so the path is unknown. */
	mnt = syscall(SYS_open_tree, AT_FDCWD, "/tmp", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	ASSERT_LE(0, mnt);
	fd = openat(mnt, "file", O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(-ESTALE, refused(self, fd, TRUSTED_MOUNT));
	close(mnt);
}

static bool enter_user_namespace(void)
{
	return !unshare(CLONE_NEWUSER | CLONE_NEWNS) &&
	       write_text("/proc/self/uid_map", "0 0 1") &&
	       write_text("/proc/self/setgroups", "deny") &&
	       write_text("/proc/self/gid_map", "0 0 1");
}

/* In a mount namespace of its own, an unprivileged task chooses paths. */
TEST_F(path_errno, eperm)
{
	static const char ok[] = "/tmp/bin/ok";

	ASSERT_EQ(0, mkdir("/tmp/bin", 0755));
	close(create(ok));
	close(create("/tmp/evil"));
	EXPECT_EQ(sizeof(ok), answer(self, create(ok), TRUSTED_MOUNT));
	EXPECT_STREQ(ok, self->bss->dst);
	/* A bind mount in the initial namespaces requires privileges. */
	ASSERT_EQ(0, mount("/tmp/evil", ok, NULL, MS_BIND, NULL));
	EXPECT_EQ(sizeof(ok), answer(self, create(ok), TRUSTED_MOUNT));
	ASSERT_EQ(0, umount(ok));

	ASSERT_TRUE(enter_user_namespace());
	ASSERT_EQ(0, mount("/tmp/evil", ok, NULL, MS_BIND, NULL));
	EXPECT_EQ(sizeof(ok), answer(self, create(ok), 0));
	EXPECT_STREQ(ok, self->bss->dst);
	EXPECT_EQ(-EPERM, answer(self, create(ok), TRUSTED_MOUNT));
	EXPECT_STREQ("", self->bss->dst);
	EXPECT_EQ(-EPERM, answer(self, create(ok), TRUSTED_MOUNT | DELETED));
	/* Also for older mounts: these are copies, which the task can change. */
	EXPECT_EQ(-EPERM, answer(self, create("/tmp/evil"), TRUSTED_MOUNT));
}

/* A file that was opened on the system's mount has the path of that mount. */
TEST_F(path_errno, opened_before)
{
	static const char ok[] = "/tmp/ok";
	int fd = create(ok), holder;

	close(create("/tmp/evil"));
	/* Keeps the old namespace alive. */
	holder = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, holder);
	ASSERT_TRUE(enter_user_namespace());
	ASSERT_EQ(0, mount("/tmp/evil", ok, NULL, MS_BIND, NULL));
	EXPECT_EQ(sizeof(ok), answer(self, fd, TRUSTED_MOUNT));
	close(holder);
}

/* fusermount mounts for every user, in the initial namespaces. */
TEST_F(path_errno, eperm_fuse)
{
	struct fuse_test *fuse;

	ASSERT_EQ(0, mkdir("/tmp/fuse", 0700));
	fuse = fuse_mount("/tmp/fuse", "user.none", "");
	ASSERT_NE(NULL, fuse);
	EXPECT_EQ(sizeof("/tmp/fuse/a"), answer(self, open("/tmp/fuse/a", O_RDONLY), 0));
	EXPECT_EQ(-EPERM, answer(self, open("/tmp/fuse/a", O_RDONLY), TRUSTED_MOUNT));
	fuse_end(fuse, "/tmp/fuse");
}

static long user_namespace_mount(FIXTURE_DATA(path_errno) * self)
{
	char path[32];
	int done[2], ready[2], fs, mnt, status;
	pid_t child;

	if (pipe(done) || pipe(ready))
		return -4000;
	child = fork();
	if (!child) {
		if (!enter_user_namespace())
			_exit(1);
		fs = syscall(SYS_fsopen, "tmpfs", 0);
		if (fs < 0 || syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0))
			_exit(2);
		mnt = syscall(SYS_fsmount, fs, 0, 0);
		if (mnt < 0 || dup2(mnt, 100) != 100)
			_exit(3);
		status = write(ready[1], "", 1);
		_exit(read(done[0], path, 1) < 0);
	}
	if (read(ready[0], path, 1) != 1)
		return -4001;
	mnt = syscall(SYS_pidfd_open, child, 0);
	fs = syscall(SYS_pidfd_getfd, mnt, 100, 0);
	status = syscall(SYS_move_mount, fs, "", AT_FDCWD, "/tmp/mnt", MOVE_MOUNT_F_EMPTY_PATH);
	status = status ? -errno : write(done[1], "", 1);
	waitpid(child, &mnt, 0);
	return status;
}

/* A file system of a user namespace is untrusted also where root attaches it. */
TEST_F(path_errno, eperm_of_users_file_system)
{
	ASSERT_EQ(0, mkdir("/tmp/mnt", 0700));
	ASSERT_EQ(1, user_namespace_mount(self));
	EXPECT_EQ(sizeof("/tmp/mnt/file"), answer(self, create("/tmp/mnt/file"), 0));
	EXPECT_EQ(-EPERM, answer(self, create("/tmp/mnt/file"), TRUSTED_MOUNT));
}

TEST_HARNESS_MAIN
