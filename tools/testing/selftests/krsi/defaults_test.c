// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks whose default is not 0. A program that returns 0 has no opinion: the
 * hook must then return its default, because 0 would end the walk of the later
 * LSMs or claim that the LSM did the work. Seen through system calls whose
 * outcome would change; hooks that programs may not use are seen without one.
 */

#include <arpa/inet.h>
#include <linux/lsm.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "common.h"
#include "defaults.skel.h"

#ifndef SCM_SECURITY
#define SCM_SECURITY 0x03
#endif

FIXTURE(defaults)
{
	struct defaults_bpf *skel;
	struct bpf_link *link;
	char dir[16];
};

FIXTURE_SETUP(defaults)
{
	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(self->dir, sizeof(self->dir)));
	self->skel = defaults_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->skel->bss->target = getpid();
}

FIXTURE_TEARDOWN(defaults)
{
	bpf_link__destroy(self->link);
	defaults_bpf__destroy(self->skel);
}

static void attach(struct __test_metadata *const _metadata, FIXTURE_DATA(defaults) * self,
		   const char *hook)
{
	ASSERT_TRUE(load_only(self->skel->obj, hook));
	ASSERT_EQ(0, defaults_bpf__load(self->skel));
	self->link = bpf_program__attach(bpf_object__find_program_by_name(self->skel->obj, hook));
	ASSERT_NE(NULL, self->link);
}

static __u64 take_calls(FIXTURE_DATA(defaults) * self)
{
	__u64 calls = self->skel->bss->calls;

	self->skel->bss->calls = 0;
	return calls;
}

/*
 * Mounts a tmpfs of 1 MB in size with the new mount API; returns its size in
 * bytes or a negative errno.
 */
static long mount_sized(const char *key, const char *value)
{
	struct statfs st;
	int fs, mnt;
	long ret;

	fs = OK(fsopen("tmpfs", FSOPEN_CLOEXEC));
	if (fs < 0)
		return fs;
	ret = OK(fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0));
	if (ret)
		goto out;
	ret = OK(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	if (ret)
		goto out;
	mnt = OK(fsmount(fs, FSMOUNT_CLOEXEC, 0));
	ret = mnt;
	if (mnt < 0)
		goto out;
	ret = OK(fstatfs(mnt, &st));
	if (!ret)
		ret = st.f_blocks * st.f_bsize;
	close(mnt);
out:
	close(fs);
	return ret;
}

/* -ENOPARAM: the parameter is not the LSM's, ask the file system. */
TEST_F(defaults, fs_context_parse_param)
{
	ASSERT_EQ(1 << 20, mount_sized("size", "1m"));
	attach(_metadata, self, "fs_context_parse_param");
	EXPECT_EQ(1 << 20, mount_sized("size", "1m"));
	EXPECT_LT(0, take_calls(self));
	/* Nobody's parameter is still an error. */
	EXPECT_EQ(-EINVAL, mount_sized("krsi_no_such_parameter", "1"));
	EXPECT_LT(0, take_calls(self));
}

/* -ENOSYS: the option is not the LSM's, ask the others and then the core. */
TEST_F(defaults, task_prctl)
{
	char name[16] = {};

	attach(_metadata, self, "task_prctl");
	ASSERT_EQ(0, prctl(PR_SET_NAME, "krsi_default"));
	ASSERT_EQ(0, prctl(PR_GET_NAME, name));
	EXPECT_STREQ("krsi_default", name);
	EXPECT_EQ(1, prctl(PR_GET_DUMPABLE));
	EXPECT_EQ(-1, prctl(0x6b727369));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_LE(4, take_calls(self));
}

/* The walk goes on to Yama, before or after this LSM. */
TEST_F(defaults, task_prctl_reaches_yama)
{
	if (!lsm_active("yama"))
		SKIP(return, "yama is not active");
	attach(_metadata, self, "task_prctl");
	EXPECT_EQ(0, prctl(PR_SET_PTRACER, getppid()));
	/* Yama knows that there is no such process. */
	EXPECT_EQ(-EINVAL, OK(prctl(PR_SET_PTRACER, 0x3fffffff)));
	EXPECT_LT(0, take_calls(self));
}

/* ... and to the capabilities. */
TEST_F(defaults, task_prctl_reaches_capabilities)
{
	attach(_metadata, self, "task_prctl");
	EXPECT_EQ(1, prctl(PR_CAPBSET_READ, 0));
	EXPECT_EQ(0, prctl(PR_SET_KEEPCAPS, 1));
	EXPECT_EQ(1, prctl(PR_GET_KEEPCAPS));
}

/* -EOPNOTSUPP: there is no such attribute. */
TEST_F(defaults, inode_setsecurity)
{
	/* A file of a file system without extended attributes. */
	const char *file = "/proc/self/comm";

	ASSERT_EQ(-EOPNOTSUPP, OK(setxattr(file, "security.krsi", "x", 1, 0)));
	attach(_metadata, self, "inode_setsecurity");
	EXPECT_EQ(-EOPNOTSUPP, OK(setxattr(file, "security.krsi", "x", 1, 0)));
	EXPECT_EQ(1, take_calls(self));

	self->skel->bss->verdict = -EPERM;
	EXPECT_EQ(-EPERM, OK(setxattr(file, "security.krsi", "x", 1, 0)));
}

/* -EOPNOTSUPP: ask the file system for the value. No program may be here. */
TEST_F(defaults, inode_getsecurity)
{
	char value[8] = {};
	int fd;

	fd = open("/tmp/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fsetxattr(fd, "security.krsi", "value", 5, 0));
	EXPECT_EQ(5, fgetxattr(fd, "security.krsi", value, sizeof(value)));
	EXPECT_STREQ("value", value);
	EXPECT_EQ(-ENODATA, OK(fgetxattr(fd, "security.other", value, sizeof(value))));
	close(fd);
}

/* -EOPNOTSUPP: overlayfs copies the attribute. No program may be here. */
TEST_F(defaults, inode_copy_up_xattr)
{
	char value[8] = {};
	int fd;

	ASSERT_EQ(0, mkdir("/tmp/lower", 0700));
	ASSERT_EQ(0, mkdir("/tmp/upper", 0700));
	ASSERT_EQ(0, mkdir("/tmp/work", 0700));
	ASSERT_EQ(0, mkdir("/tmp/merged", 0700));
	fd = open("/tmp/lower/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fsetxattr(fd, "trusted.krsi", "value", 5, 0));
	close(fd);
	ASSERT_EQ(0, mount("overlay", "/tmp/merged", "overlay", 0,
			   "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work"));
	fd = open("/tmp/merged/file", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(5, getxattr("/tmp/upper/file", "trusted.krsi", value, sizeof(value)));
	EXPECT_STREQ("value", value);
	close(fd);
	umount("/tmp/merged");
}

/* -EOPNOTSUPP: no label for a new file. It is created all the same. */
TEST_F(defaults, inode_init_security)
{
	char cmdline[4096];
	int fd;

	ASSERT_TRUE(read_text("/proc/cmdline", cmdline, sizeof(cmdline)));
	attach(_metadata, self, "inode_init_security");
	fd = open("/tmp/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, other_xattrs(fd));
	/*
	 * The framework asks only if an LSM reserves room for attributes, which
	 * bpf does not, and krsi where it is told to.
	 */
	if (!lsm_active("selinux") && !lsm_active("smack"))
		EXPECT_EQ(krsi_active() && strstr(cmdline, "krsi.xattrs="), take_calls(self));
	close(fd);
}

/* -ENOPROTOOPT: the option is unknown. */
TEST_F(defaults, socket_getpeersec_stream)
{
	socklen_t len = 64;
	char label[64];
	int sv[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	EXPECT_EQ(-ENOPROTOOPT, OK(getsockopt(sv[0], SOL_SOCKET, SO_PEERSEC, label, &len)));
	attach(_metadata, self, "socket_getpeersec_stream");
	EXPECT_EQ(-ENOPROTOOPT, OK(getsockopt(sv[0], SOL_SOCKET, SO_PEERSEC, label, &len)));
	EXPECT_EQ(1, take_calls(self));

	self->skel->bss->verdict = -EACCES;
	EXPECT_EQ(-EACCES, OK(getsockopt(sv[0], SOL_SOCKET, SO_PEERSEC, label, &len)));
	close(sv[0]);
	close(sv[1]);
}

/* Sends a byte over @sv; true if it arrives with a security label. */
static bool labelled(int sv[2])
{
	char byte = 'x', control[256];
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;

	if (send(sv[1], &byte, 1, 0) != 1 || recvmsg(sv[0], &msg, 0) != 1)
		return false;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_SECURITY)
			return true;
	return false;
}

static void open_passsec(struct __test_metadata *const _metadata, int sv[2])
{
	int on = 1;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
	ASSERT_EQ(0, setsockopt(sv[0], SOL_SOCKET, SO_PASSSEC, &on, sizeof(on)));
}

/* -EOPNOTSUPP: the id has no label. With 0 the message would carry one. */
TEST_F(defaults, secid_to_secctx)
{
	int sv[2];

	open_passsec(_metadata, sv);
	EXPECT_FALSE(labelled(sv));
	attach(_metadata, self, "secid_to_secctx");
	EXPECT_FALSE(labelled(sv));
	EXPECT_EQ(1, take_calls(self));
	close(sv[0]);
	close(sv[1]);
}

/* -ENOPROTOOPT: the peer has no label. */
TEST_F(defaults, socket_getpeersec_dgram)
{
	int sv[2];

	open_passsec(_metadata, sv);
	attach(_metadata, self, "socket_getpeersec_dgram");
	EXPECT_FALSE(labelled(sv));
	EXPECT_EQ(1, take_calls(self));
	close(sv[0]);
	close(sv[1]);
}

/* -EOPNOTSUPP: no attribute. No program may be on getselfattr. */
TEST_F(defaults, getselfattr)
{
	char buf[256];
	__u32 size = sizeof(buf);

	EXPECT_EQ(-EOPNOTSUPP, OK(syscall(SYS_lsm_get_self_attr, LSM_ATTR_CURRENT, buf, &size, 0)));
}

/* -EINVAL: no attribute. No program may be on getprocattr or setprocattr. */
TEST_F(defaults, getprocattr)
{
	char buf[64];
	int fd;

	fd = open("/proc/self/attr/current", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, OK(read(fd, buf, sizeof(buf))));
	close(fd);
}

TEST_F(defaults, setprocattr)
{
	int fd;

	fd = open("/proc/self/attr/current", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EINVAL, OK(write(fd, "label", 5)));
	close(fd);
}

/*
 * Nothing here makes the kernel call these three (NFS, binder and SELinux
 * would): that a program can be attached is what there is to see.
 */
FIXTURE(unreachable)
{
	struct defaults_bpf *skel;
};

FIXTURE_VARIANT(unreachable)
{
	const char *hook;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(unreachable, dentry_init_security) {
	.hook = "dentry_init_security",
};

FIXTURE_VARIANT_ADD(unreachable, inode_getsecctx) {
	.hook = "inode_getsecctx",
};

FIXTURE_VARIANT_ADD(unreachable, lsmprop_to_secctx) {
	.hook = "lsmprop_to_secctx",
};
/* clang-format on */

FIXTURE_SETUP(unreachable)
{
	REQUIRE_LSM();
	self->skel = defaults_bpf__open();
	ASSERT_NE(NULL, self->skel);
	ASSERT_TRUE(load_only(self->skel->obj, variant->hook));
	ASSERT_EQ(0, defaults_bpf__load(self->skel));
}

FIXTURE_TEARDOWN(unreachable)
{
	defaults_bpf__destroy(self->skel);
}

TEST_F(unreachable, attaches)
{
	struct bpf_program *prog;
	struct bpf_link *link;

	prog = bpf_object__find_program_by_name(self->skel->obj, variant->hook);
	link = bpf_program__attach(prog);
	ASSERT_NE(NULL, link);
	EXPECT_EQ(0, bpf_link__destroy(link));
}

/* 1: the state matches. A packet is then encrypted instead of dropped. */
FIXTURE(xfrm)
{
	struct defaults_bpf *skel;
	struct bpf_link *link;
};

/* Any key does: nobody decrypts for real. */
#define XFRM_KEY "000102030405060708090a0b0c0d0e0f"
#define XFRM_ENDS "src 127.0.0.1 dst 127.0.0.1"
#define XFRM_STATE							\
	" proto esp spi 0x1000 mode transport"				\
	" auth 'hmac(sha256)' 0x" XFRM_KEY XFRM_KEY " enc 'cbc(aes)' 0x" XFRM_KEY

FIXTURE_SETUP(xfrm)
{
	REQUIRE_LSM();
	if (system("ip -V >/dev/null 2>&1"))
		SKIP(return, "ip (iproute2) is not installed");
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	ASSERT_EQ(0, system("ip link set lo up"));
	/* Loopback traffic is exempt unless told otherwise. */
	ASSERT_TRUE(write_text("/proc/sys/net/ipv4/conf/lo/disable_xfrm", "0"));
	ASSERT_TRUE(write_text("/proc/sys/net/ipv4/conf/lo/disable_policy", "0"));
	ASSERT_EQ(0, system("ip xfrm state add " XFRM_ENDS XFRM_STATE));
	ASSERT_EQ(0, system("ip xfrm policy add " XFRM_ENDS " proto udp dir out tmpl " XFRM_ENDS
			    " proto esp mode transport"));

	self->skel = defaults_bpf__open();
	ASSERT_NE(NULL, self->skel);
	ASSERT_TRUE(load_only(self->skel->obj, "xfrm_state_pol_flow_match"));
	ASSERT_EQ(0, defaults_bpf__load(self->skel));
}

FIXTURE_TEARDOWN(xfrm)
{
	bpf_link__destroy(self->link);
	defaults_bpf__destroy(self->skel);
}

/* How many packets the one state has encrypted. */
static int encrypted(void)
{
	int packets = -1;
	FILE *out;

	out = popen("ip -s xfrm state | "
		    "sed -n 's/.*(bytes), *\\([0-9]*\\)(packets).*/\\1/p' | tail -n 1", "r");
	if (!out)
		return -1;
	if (fscanf(out, "%d", &packets) != 1)
		packets = -1;
	pclose(out);
	return packets;
}

/*
 * Sends a packet from a new socket, which looks for a state anew; true if that
 * was encrypted.
 */
static bool send_encrypted(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(4660),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int before = encrypted();
	int sock, ret;

	sock = socket(AF_INET, SOCK_DGRAM, 0);
	ret = sendto(sock, "x", 1, 0, (struct sockaddr *)&addr, sizeof(addr));
	close(sock);
	return ret == 1 && before >= 0 && encrypted() > before;
}

TEST_F(xfrm, state_pol_flow_match)
{
	EXPECT_TRUE(send_encrypted());

	self->link = bpf_program__attach(self->skel->progs.xfrm_state_pol_flow_match);
	ASSERT_NE(NULL, self->link);

	/* Bool hook or not, 0 is no opinion, and the default is "matches". */
	EXPECT_EQ(0, self->skel->bss->verdict);
	EXPECT_TRUE(send_encrypted());
	EXPECT_LT(0, self->skel->bss->flow_matches);

	self->skel->bss->verdict = 1;
	EXPECT_TRUE(send_encrypted());
}

TEST_HARNESS_MAIN
