// SPDX-License-Identifier: GPL-2.0
/*
 * Tests which file systems are trusted, so that KRSI reads labels from their
 * attributes: only those that the admin names or a policy trusts, and never
 * those of unprivileged users. Run before tests that name ext4.
 */

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/xattr.h>

#include "blob.h"
#include "image.h"
#include "blob_trust.skel.h"

#define ATTRIBUTE "security.krsi.kept"
#define TRUST SECURITYFS "/krsi/xattr_trust"
#define LABEL 0x3837363534333231LL
#define UUID "6b727369-0123-4567-89ab-cdef00000001"

/* include/linux/krsi_blob.h */
enum { KRSI_XATTR_TRUST = 1, KRSI_XATTR_DISTRUST = 2 };

FIXTURE(trust)
{
	struct blob_trust_bpf *skel;
	struct bpf_link *link[4];
};

static bool named(const char *name)
{
	char text[4096], line[64];

	snprintf(line, sizeof(line), "%s\n", name);
	return read_text(TRUST, text, sizeof(text)) && strstr(text, line);
}

static int name(const char *name)
{
	int fd = open(TRUST, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, name, strlen(name)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

FIXTURE_SETUP(trust)
{
	static const char *const dirs[] = { "/tmp/m", "/tmp/upper", "/tmp/work", "/tmp/merged" };
	char dir[16];
	int i;

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (blob_reserved("inode") <= 0 || blob_reserved("superblock") <= 0)
		SKIP(return, "boot with krsi.blob=inode:..., as scripts/test.sh does");
	if (named("type=ext4") || named("all"))
		SKIP(return, "ext4 is trusted already");
	ASSERT_EQ(0, blob_command("claim inode kept 8 xattr=yes"));
	ASSERT_EQ(0, blob_command("claim superblock xattr_trust 8"));
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		ASSERT_EQ(0, mkdir(dirs[i], 0755));
	ASSERT_EQ(0, image_make("/tmp/image", false));
	ASSERT_EQ(0, image_mount("/tmp/image", "/tmp/m"));
	i = open("/tmp/m/a", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	ASSERT_LE(0, i);
	ASSERT_EQ(1, write(i, "x", 1));
	close(i);
	/* A label that another system may have written. */
	ASSERT_EQ(0, setxattr("/tmp/m/a", ATTRIBUTE, "12345678", 8, 0));
	ASSERT_EQ(0, umount("/tmp/m"));

	self->skel = blob_trust_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->skel->rodata->kept = blob_slot("inode", "kept");
	self->skel->rodata->trust = blob_slot("superblock", "xattr_trust");
	self->skel->bss->target = getpid();
	bpf_program__set_autoload(self->skel->progs.decide, true);
	ASSERT_EQ(0, blob_trust_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	self->link[0] = bpf_program__attach(self->skel->progs.decide);
	self->link[1] = bpf_program__attach(self->skel->progs.look);
	self->link[2] = bpf_program__attach(self->skel->progs.ask);
	self->link[3] = bpf_program__attach(self->skel->progs.look_ioctl);
	ASSERT_NE(NULL, self->link[0]);
	ASSERT_NE(NULL, self->link[1]);
	ASSERT_NE(NULL, self->link[2]);
	ASSERT_NE(NULL, self->link[3]);
}

FIXTURE_TEARDOWN(trust)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(self->link); i++)
		bpf_link__destroy(self->link[i]);
	blob_trust_bpf__destroy(self->skel);
	umount2("/tmp/merged", MNT_DETACH);
	umount2("/tmp/m", MNT_DETACH);
}

/* Returns the label of a file, or -1 if it is inaccessible to programs. */
static long long label(FIXTURE_DATA(trust) * self, const char *path, int flags)
{
	int fd;

	self->skel->bss->seen = -1;
	self->skel->bss->next = true;
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return self->skel->bss->seen;
}

static int restore(FIXTURE_DATA(trust) * self, const char *path)
{
	self->skel->bss->result = 1;
	self->skel->bss->restore = true;
	getxattr(path, "user.none", NULL, 0);
	return self->skel->bss->result;
}

/* Mounts the image. The policy writes @decision to the slot of the superblock. */
static int mount_image(FIXTURE_DATA(trust) * self, __u64 decision)
{
	self->skel->bss->decision = decision;
	self->skel->bss->decided = 0;
	return image_mount("/tmp/image", "/tmp/m") ?: self->skel->bss->decided - 1;
}

TEST_F(trust, disks_are_untrusted)
{
	ASSERT_EQ(0, mount_image(self, 0));
	EXPECT_EQ(-1, label(self, "/tmp/m/a", O_RDONLY));
	EXPECT_EQ(-EPERM, restore(self, "/tmp/m/a"));
	EXPECT_EQ(-1, label(self, "/tmp/m/a", O_RDONLY));
	/* A missing attribute is not trusted either. */
	EXPECT_EQ(-EPERM, restore(self, "/tmp/m"));
	EXPECT_TRUE(logged("(ext4): untrusted attributes are not read as labels"));
	/* Every task can read the attribute. */
	EXPECT_EQ(8, getxattr("/tmp/m/a", ATTRIBUTE, NULL, 0));
}

/* The policy decides before the first label is read, which is that of the root. */
TEST_F(trust, policy_trusts)
{
	ASSERT_EQ(0, mount_image(self, KRSI_XATTR_TRUST));
	EXPECT_EQ(LABEL, label(self, "/tmp/m/a", O_RDONLY));
	EXPECT_EQ(0, label(self, "/tmp/m", O_RDONLY | O_DIRECTORY));
	EXPECT_EQ(0, self->skel->bss->missing);
	ASSERT_EQ(0, setxattr("/tmp/m", ATTRIBUTE, "12345678", 8, 0));
	ASSERT_EQ(0, umount("/tmp/m"));
	ASSERT_EQ(0, mount_image(self, KRSI_XATTR_TRUST));
	EXPECT_EQ(LABEL, label(self, "/tmp/m", O_RDONLY | O_DIRECTORY));
	/* The decision ends with the superblock. */
	ASSERT_EQ(0, umount("/tmp/m"));
	ASSERT_EQ(0, mount_image(self, 0));
	EXPECT_EQ(-1, label(self, "/tmp/m/a", O_RDONLY));
}

/* A read-only image of another system, as squashfs would be. */
TEST_F(trust, read_only_disk)
{
	self->skel->bss->decision = 0;
	ASSERT_EQ(0, image_mount_flags("/tmp/image", "/tmp/m", MS_RDONLY));
	EXPECT_EQ(-1, label(self, "/tmp/m/a", O_RDONLY));
	EXPECT_EQ(-EPERM, restore(self, "/tmp/m/a"));
	ASSERT_EQ(0, umount("/tmp/m"));
	self->skel->bss->decision = KRSI_XATTR_TRUST;
	ASSERT_EQ(0, image_mount_flags("/tmp/image", "/tmp/m", MS_RDONLY));
	EXPECT_EQ(LABEL, label(self, "/tmp/m/a", O_RDONLY));
}

static void set_uuid(struct __test_metadata *const _metadata)
{
	static const unsigned char uuid[16] = { 'k', 'r', 's', 'i', 1, 0x23, 0x45, 0x67, 0x89,
						0xab, 0xcd, 0xef, 0, 0, 0, 1 };
	int fd = open("/tmp/image", O_WRONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_EQ(16, pwrite(fd, uuid, 16, 1024 + 104));
	close(fd);
}

TEST_F(trust, admin_names_a_disk)
{
	ASSERT_EQ(0, mount_image(self, 0));
	EXPECT_EQ(-1, label(self, "/tmp/m/a", O_RDONLY));
	ASSERT_EQ(0, umount("/tmp/m"));
	ASSERT_EQ(0, name("uuid=" UUID));
	EXPECT_TRUE(named("uuid=" UUID));
	ASSERT_EQ(0, name("uuid=" UUID "\n"));
	/* Another disk. */
	ASSERT_EQ(0, mount_image(self, 0));
	EXPECT_EQ(-1, label(self, "/tmp/m/a", O_RDONLY));
	ASSERT_EQ(0, umount("/tmp/m"));
	set_uuid(_metadata);
	ASSERT_EQ(0, mount_image(self, 0));
	EXPECT_EQ(LABEL, label(self, "/tmp/m/a", O_RDONLY));
	ASSERT_EQ(0, umount("/tmp/m"));
	/* A policy that distrusts the file system wins. */
	ASSERT_EQ(0, mount_image(self, KRSI_XATTR_DISTRUST));
	EXPECT_EQ(-1, label(self, "/tmp/m/a", O_RDONLY));
	EXPECT_EQ(-EPERM, restore(self, "/tmp/m/a"));
}

TEST_F(trust, invalid_names)
{
	static const char *const names[] = { "", "none", "type=", "dev=a b", "uuid=1", "fs=ext4",
					     "all=yes" };
	int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		EXPECT_EQ(-EINVAL, name(names[i])) TH_LOG("%s", names[i]);
	/* The slot has one valid size. */
	EXPECT_EQ(0, blob_command("release superblock xattr_trust"));
	EXPECT_EQ(-EINVAL, blob_command("claim superblock xattr_trust 4"));
	EXPECT_EQ(0, blob_command("claim superblock xattr_trust 8"));
}

static bool enter_user_namespace(void)
{
	return !unshare(CLONE_NEWUSER | CLONE_NEWNS) &&
	       write_text("/proc/self/uid_map", "0 0 1") &&
	       write_text("/proc/self/setgroups", "deny") &&
	       write_text("/proc/self/gid_map", "0 0 1");
}

/* A policy cannot make KRSI trust attributes that users choose. */
TEST_F(trust, users_overlay_is_untrusted)
{
	ASSERT_EQ(0, mount_image(self, KRSI_XATTR_TRUST));
	ASSERT_TRUE(enter_user_namespace());
	ASSERT_EQ(0, mount("krsi", "/tmp/merged", "overlay", 0, "lowerdir=/tmp/m:/tmp/upper"));
	EXPECT_EQ(-1, label(self, "/tmp/merged/a", O_RDONLY));
	EXPECT_EQ(LABEL, label(self, "/tmp/m/a", O_RDONLY));
}

/* A rootless overlay copies a labelled file up without the label. */
TEST_F(trust, rootless_copy_up)
{
	const char *options = "lowerdir=/tmp/m,upperdir=/tmp/own/u,workdir=/tmp/own/w,userxattr";
	int fd;

	ASSERT_EQ(0, mount_image(self, KRSI_XATTR_TRUST));
	ASSERT_EQ(0, mkdir("/tmp/own", 0755));
	ASSERT_TRUE(enter_user_namespace());
	ASSERT_EQ(0, mount("krsi", "/tmp/own", "tmpfs", 0, NULL));
	ASSERT_EQ(0, mkdir("/tmp/own/u", 0755));
	ASSERT_EQ(0, mkdir("/tmp/own/w", 0755));
	ASSERT_EQ(0, mount("krsi", "/tmp/merged", "overlay", 0, options));
	fd = open("/tmp/merged/a", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd) TH_LOG("%s", strerror(errno));
	ASSERT_EQ(1, write(fd, "y", 1));
	close(fd);
	EXPECT_EQ(-ENODATA, OK(getxattr("/tmp/own/u/a", ATTRIBUTE, NULL, 0)));
	EXPECT_EQ(0, label(self, "/tmp/own/u/a", O_RDONLY));
	EXPECT_EQ(LABEL, label(self, "/tmp/m/a", O_RDONLY));
	/* Users still cannot write labels. */
	EXPECT_EQ(-EPERM, OK(setxattr("/tmp/merged/a", ATTRIBUTE, "12345678", 8, 0)));
}

/* A copy-up does not turn an attribute of an untrusted layer into a label. */
TEST_F(trust, copy_up_from_a_disk)
{
	const char *options = "lowerdir=/tmp/m,upperdir=/tmp/upper,workdir=/tmp/work";
	int fd, times;

	for (times = 0; times < 2; times++) {
		ASSERT_EQ(0, mount_image(self, times ? KRSI_XATTR_TRUST : 0));
		self->skel->bss->decision = 0;
		ASSERT_EQ(0, mount("krsi", "/tmp/merged", "overlay", 0, options));
		fd = open("/tmp/merged/a", O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fd);
		close(fd);
		EXPECT_EQ(times ? 8 : -ENODATA, OK(getxattr("/tmp/upper/a", ATTRIBUTE, NULL, 0)));
		ASSERT_EQ(0, umount("/tmp/merged"));
		ASSERT_EQ(0, umount("/tmp/m"));
		ASSERT_EQ(0, unlink("/tmp/upper/a"));
	}
}

/* Invalid items of the boot parameter are logged and ignored. */
TEST(boot_parameter)
{
	char cmdline[4096];

	ASSERT_TRUE(read_text("/proc/cmdline", cmdline, sizeof(cmdline)));
	if (!krsi_active() || !strstr(cmdline, "krsi.xattr_trust=type=overlay,nonsense"))
		SKIP(return, "boot with krsi.xattr_trust=, as scripts/test.sh does");
	EXPECT_TRUE(named("type=overlay"));
	EXPECT_TRUE(logged("krsi.xattr_trust: ignoring \"nonsense\": "
			   "not all, type=, dev= or uuid="));
}

/* No program decides on the kernel's own mount of sockets. */
TEST_F(trust, sockets_are_accessible)
{
	int fd, bytes;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, fd);
	self->skel->bss->seen = -1;
	self->skel->bss->next = true;
	ioctl(fd, FIONREAD, &bytes);
	EXPECT_FALSE(self->skel->bss->next);
	EXPECT_EQ(0, self->skel->bss->missing);
	EXPECT_EQ(0, self->skel->bss->seen);
	close(fd);
}

TEST_HARNESS_MAIN
