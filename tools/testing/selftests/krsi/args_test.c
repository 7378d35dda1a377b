// SPDX-License-Identifier: GPL-2.0
/*
 * The context of a program: its hook's arguments as the hook's caller gave
 * them, however many and wide they are, and the link's cookie.
 */

#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/xattr.h>

#include "args.skel.h"
#include "common.h"

FIXTURE(args)
{
	struct args_bpf *skel;
	struct args_bpf__bss *bss;
	struct bpf_link *link;
};

FIXTURE_SETUP(args)
{
	char dir[16];

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	self->skel = args_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
	self->bss->ret_seen = -1;
	self->bss->func_ret = -1;
}

FIXTURE_TEARDOWN(args)
{
	bpf_link__destroy(self->link);
	args_bpf__destroy(self->skel);
}

static void attach(struct __test_metadata *const _metadata, FIXTURE_DATA(args) * self,
		   const char *hook)
{
	ASSERT_TRUE(load_only(self->skel->obj, hook));
	ASSERT_EQ(0, args_bpf__load(self->skel));
	self->link = bpf_program__attach(bpf_object__find_program_by_name(self->skel->obj, hook));
	ASSERT_NE(NULL, self->link);
}

/* What holds for every hook: see by_index() in the program. */
#define EXPECT_CONTEXT(cnt) do {				\
	EXPECT_EQ(1, self->bss->calls);				\
	EXPECT_EQ(cnt, self->bss->arg_cnt);			\
	EXPECT_EQ(-EINVAL, self->bss->err_beyond);		\
	EXPECT_EQ(0, self->bss->err_ret);			\
	EXPECT_EQ(0, self->bss->cookie);			\
} while (0)

/* Before the first program and after one that allowed, it is 0. */
#define EXPECT_NO_RET() do {					\
	EXPECT_EQ(0, self->bss->func_ret);			\
	EXPECT_EQ(0, self->bss->ret_seen);			\
} while (0)

static int setup_uring(__u32 flags)
{
	struct io_uring_params params = { .flags = flags };
	int fd;

	fd = OK(syscall(SYS_io_uring_setup, 4, &params));
	if (fd >= 0)
		close(fd);
	return fd;
}

static int create_tun(void)
{
	struct ifreq ifr = { .ifr_name = "krsi%d", .ifr_flags = IFF_TUN };
	int fd, ret;

	fd = OK(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
	if (fd < 0)
		return fd;
	ret = OK(ioctl(fd, TUNSETIFF, &ifr));
	close(fd);
	return ret;
}

TEST_F(args, none_uring_allowed)
{
	attach(_metadata, self, "uring_allowed");
	EXPECT_LE(0, setup_uring(0));
	EXPECT_CONTEXT(0);
	EXPECT_NO_RET();
	self->bss->verdict = -KRSI_ERRNO;
	EXPECT_EQ(-KRSI_ERRNO, setup_uring(0));
}

TEST_F(args, none_uring_sqpoll)
{
	attach(_metadata, self, "uring_sqpoll");
	EXPECT_LE(0, setup_uring(IORING_SETUP_SQPOLL));
	EXPECT_CONTEXT(0);
	self->bss->verdict = -KRSI_ERRNO;
	EXPECT_EQ(-KRSI_ERRNO, setup_uring(IORING_SETUP_SQPOLL));
}

TEST_F(args, none_tun_dev_create)
{
	if (access("/dev/net/tun", F_OK))
		SKIP(return, "there is no /dev/net/tun");
	ASSERT_EQ(0, create_tun());
	attach(_metadata, self, "tun_dev_create");
	EXPECT_EQ(0, create_tun());
	EXPECT_CONTEXT(0);
	self->bss->verdict = -KRSI_ERRNO;
	EXPECT_EQ(-KRSI_ERRNO, create_tun());
}

TEST_F(args, none_void_secmark_refcount_inc)
{
	attach(_metadata, self, "secmark_refcount_inc");
	EXPECT_LE(0, setup_uring(0));
}

TEST_F(args, none_void_initramfs_populated)
{
	attach(_metadata, self, "initramfs_populated");
	EXPECT_LE(0, setup_uring(0));
}

TEST_F(args, one_task_getpgid)
{
	attach(_metadata, self, "task_getpgid");
	EXPECT_LT(0, getpgid(getpid()));
	EXPECT_CONTEXT(1);
	EXPECT_NO_RET();
}

TEST_F(args, sixteen_bytes_socket_getpeersec_stream)
{
	socklen_t len = 47;
	char label[64];
	int sv[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	attach(_metadata, self, "socket_getpeersec_stream");
	EXPECT_EQ(-ENOPROTOOPT, OK(getsockopt(sv[0], SOL_SOCKET, SO_PEERSEC, label, &len)));

	/* Each of the two structures takes two slots. */
	EXPECT_CONTEXT(6);
	EXPECT_NO_RET();
	EXPECT_EQ(SOCK_STREAM, self->bss->sock_type);
	EXPECT_EQ((__u64)label, self->bss->optval);
	EXPECT_FALSE(self->bss->optval_is_kernel);
	EXPECT_EQ((__u64)&len, self->bss->optlen);
	EXPECT_FALSE(self->bss->optlen_is_kernel);
	EXPECT_EQ(47, self->bss->stream_len);

	EXPECT_EQ((__u64)label, self->bss->arg[1]);
	EXPECT_EQ(0, self->bss->arg[2] & 1);
	EXPECT_EQ((__u64)&len, self->bss->arg[3]);
	EXPECT_EQ(0, self->bss->arg[4] & 1);
	EXPECT_EQ(47, (__u32)self->bss->arg[5]);
	close(sv[0]);
	close(sv[1]);
}

TEST_F(args, six_inode_setxattr)
{
	int fd;

	fd = open("/tmp/file", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	ASSERT_LE(0, fd);
	attach(_metadata, self, "inode_setxattr");
	EXPECT_EQ(0, fsetxattr(fd, "trusted.krsi", "value", 5, XATTR_CREATE));
	EXPECT_CONTEXT(6);
	EXPECT_NO_RET();
	EXPECT_STREQ("trusted.krsi", self->bss->xattr_name);
	EXPECT_STREQ("value", self->bss->xattr_value);
	EXPECT_EQ(5, self->bss->xattr_size);
	EXPECT_EQ(XATTR_CREATE, self->bss->xattr_flags);
	EXPECT_EQ(S_IFREG | 0640, self->bss->xattr_mode);
	close(fd);
}

TEST_F(args, six_void_key_post_create_or_update)
{
	attach(_metadata, self, "key_post_create_or_update");
	/* There is no verdict to return. */
	self->bss->verdict = -EPERM;
	/* KEY_SPEC_PROCESS_KEYRING */
	ASSERT_LT(0, syscall(SYS_add_key, "user", "krsi_test", "payload", 7, -2));
	EXPECT_CONTEXT(6);
	EXPECT_STREQ("payload", self->bss->key_payload);
	EXPECT_EQ(7, self->bss->key_payload_len);
	EXPECT_TRUE(self->bss->key_created);

	ASSERT_LT(0, syscall(SYS_add_key, "user", "krsi_test", "other", 5, -2));
	EXPECT_EQ(5, self->bss->key_payload_len);
	EXPECT_FALSE(self->bss->key_created);
}

TEST_F(args, narrow_path_mkdir)
{
	attach(_metadata, self, "path_mkdir");
	umask(0);
	EXPECT_EQ(0, mkdir("/tmp/narrow", 01751));
	EXPECT_CONTEXT(3);
	EXPECT_EQ(01751, self->bss->mkdir_mode & 07777);
	EXPECT_STREQ("narrow", self->bss->mkdir_name);
}

TEST_F(args, four_task_kill)
{
	pid_t pid;

	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	attach(_metadata, self, "task_kill");
	self->bss->verdict = -EPERM;
	EXPECT_EQ(-EPERM, OK(kill(pid, SIGUSR1)));
	EXPECT_CONTEXT(4);
	EXPECT_EQ(pid, self->bss->kill_pid);
	EXPECT_EQ(SIGUSR1, self->bss->kill_sig);

	self->bss->verdict = 0;
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_F(args, five_task_prctl)
{
	attach(_metadata, self, "task_prctl");
	self->bss->verdict = -KRSI_ERRNO;
	EXPECT_EQ(-KRSI_ERRNO, OK(prctl(0x6b727369, ~0UL, 1UL << 63, 3UL, 0x123456789abcdefUL)));
	EXPECT_CONTEXT(5);
	EXPECT_NO_RET();
	EXPECT_EQ(0x6b727369, (__u32)self->bss->arg[0]);
	EXPECT_EQ(~0ULL, self->bss->arg[1]);
	EXPECT_EQ(1ULL << 63, self->bss->arg[2]);
	EXPECT_EQ(3, self->bss->arg[3]);
	EXPECT_EQ(0x123456789abcdefULL, self->bss->arg[4]);
}

TEST_F(args, cookie)
{
	LIBBPF_OPTS(bpf_trace_opts, opts, .cookie = 0xfedcba9876543210ULL);

	ASSERT_TRUE(load_only(self->skel->obj, "task_getpgid"));
	ASSERT_EQ(0, args_bpf__load(self->skel));
	self->link = bpf_program__attach_trace_opts(self->skel->progs.task_getpgid, &opts);
	if (!self->link) {
		/* That function takes LSM programs since libbpf 1.1 only. */
		SKIP(return, "libbpf gives LSM programs no cookie");
	}
	EXPECT_LT(0, getpgid(getpid()));
	EXPECT_EQ(0xfedcba9876543210ULL, self->bss->cookie);

	/* A link made anew has a cookie anew. */
	ASSERT_EQ(0, bpf_link__destroy(self->link));
	self->link = bpf_program__attach(self->skel->progs.task_getpgid);
	ASSERT_NE(NULL, self->link);
	EXPECT_LT(0, getpgid(getpid()));
	EXPECT_EQ(0, self->bss->cookie);
}

TEST_HARNESS_MAIN
