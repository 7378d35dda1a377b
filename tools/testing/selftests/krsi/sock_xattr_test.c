// SPDX-License-Identifier: GPL-2.0
/*
 * bpf_sock_read_xattr() in programs of an LSM: a policy reads what a socket was
 * labelled with, and its verdict is enforced.
 */

#include <netinet/in.h>
#include <sys/socket.h>

#include "common.h"
#include "sock_xattr.skel.h"

/* As in progs/sock_xattr.bpf.c. */
enum reader {
	ATOMIC,
	SLEEPABLE,
	CGROUP,
	UNFINISHED,
};

#define IN "/tmp/in"

FIXTURE(sock_xattr)
{
	struct sock_xattr_bpf *skel;
	struct sock_xattr_bpf__bss *bss;
	int cgroup;
	int fd;
};

FIXTURE_SETUP(sock_xattr)
{
	char dir[16];

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	ASSERT_EQ(0, mount("cgroup2", "/tmp", "cgroup2", 0, NULL));
	/* Of an earlier run that was killed. */
	rmdir(IN);
	ASSERT_EQ(0, mkdir(IN, 0755));
	ASSERT_TRUE(write_text(IN "/cgroup.procs", "0"));
	self->cgroup = open(IN, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, self->cgroup);

	self->skel = sock_xattr_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel) TH_LOG("%s", libbpf_log);
	self->bss = self->skel->bss;
	self->skel->links.on_connect =
		bpf_program__attach_cgroup(self->skel->progs.on_connect, self->cgroup);
	ASSERT_NE(NULL, self->skel->links.on_connect);
	bpf_program__set_autoattach(self->skel->progs.on_connect, false);
	ASSERT_EQ(0, sock_xattr_bpf__attach(self->skel));
	self->bss->target = getpid();
	self->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(sock_xattr)
{
	close(self->fd);
	sock_xattr_bpf__destroy(self->skel);
	close(self->cgroup);
	write_text("/tmp/cgroup.procs", "0");
	rmdir(IN);
}

static int label(FIXTURE_DATA(sock_xattr) * self, const char *value)
{
	return OK(fsetxattr(self->fd, "user.krsi", value, strlen(value), 0));
}

/* An abstract name that the kernel chooses. */
static int try_bind(FIXTURE_DATA(sock_xattr) * self)
{
	struct sockaddr addr = { .sa_family = AF_UNIX };

	return OK(bind(self->fd, &addr, sizeof(addr.sa_family)));
}

/* No such name: -ECONNREFUSED if it is allowed. */
static int try_connect(FIXTURE_DATA(sock_xattr) * self)
{
	struct sockaddr addr = { .sa_family = AF_UNIX, .sa_data = "\0absent" };

	return OK(connect(self->fd, &addr, sizeof(addr)));
}

static void expect_read(struct __test_metadata *const _metadata, FIXTURE_DATA(sock_xattr) * self,
			enum reader reader, const char *value)
{
	EXPECT_EQ(strlen(value), self->bss->ret[reader]);
	EXPECT_STREQ(value, self->bss->value[reader]);
}

TEST_F(sock_xattr, reads)
{
	/* There was none when the socket was made: it had no file. */
	EXPECT_EQ(1, self->bss->calls[UNFINISHED]);
	EXPECT_EQ(-EOPNOTSUPP, self->bss->ret[UNFINISHED]);

	ASSERT_EQ(0, label(self, "allow"));
	EXPECT_EQ(-ECONNREFUSED, try_connect(self));
	expect_read(_metadata, self, CGROUP, "allow");
	EXPECT_EQ(0, try_bind(self));
	expect_read(_metadata, self, SLEEPABLE, "allow");
	EXPECT_EQ(0, listen(self->fd, 1));
	expect_read(_metadata, self, ATOMIC, "allow");
	EXPECT_EQ(-ENODATA, self->bss->absent);
	EXPECT_EQ(-EPERM, self->bss->forbidden);
	EXPECT_EQ(-ERANGE, self->bss->too_small);
	EXPECT_EQ(1, self->bss->calls[ATOMIC]);
	EXPECT_EQ(1, self->bss->calls[SLEEPABLE]);
	EXPECT_EQ(1, self->bss->calls[CGROUP]);
}

TEST_F(sock_xattr, decides)
{
	ASSERT_EQ(0, label(self, "deny"));
	EXPECT_EQ(-KRSI_ERRNO, try_connect(self));
	EXPECT_EQ(-KRSI_ERRNO, try_bind(self));
	ASSERT_EQ(0, label(self, "den"));
	EXPECT_EQ(-ECONNREFUSED, try_connect(self));
	EXPECT_EQ(0, try_bind(self));
	ASSERT_EQ(0, label(self, "deny"));
	EXPECT_EQ(-KRSI_ERRNO, OK(listen(self->fd, 1)));

	ASSERT_EQ(0, OK(fremovexattr(self->fd, "user.krsi")));
	EXPECT_EQ(0, listen(self->fd, 1));
	EXPECT_EQ(-ENODATA, self->bss->ret[ATOMIC]);
	EXPECT_EQ(2, self->bss->calls[ATOMIC]);
}

TEST_HARNESS_MAIN
