// SPDX-License-Identifier: GPL-2.0
/*
 * Labels of inodes that last: they are saved to extended attributes, come back
 * when the file system is mounted again, are there from the inode's creation on,
 * and are nobody's else to change. To be run on a machine booted with the
 * krsi.blob= and krsi.xattrs= that scripts/test.sh has.
 */

#include <linux/capability.h>
#include <linux/ext4.h>
#include <sys/xattr.h>

#include "blob.h"
#include "boot/boot.h"
#include "fuse.h"
#include "image.h"
#include "blob_xattr.skel.h"

#define LABEL 0x6c6162656c21ULL
#define ATTRIBUTE "security.krsi.kept"
/* Lists the trusted file systems: see blob_trust_test. */
#define TRUST SECURITYFS "/krsi/xattr_trust"

FIXTURE(kept)
{
	struct blob_xattr_bpf *skel;
	struct bpf_link *link[4];
	int links;
};

/* The file system that the test is on. */
FIXTURE_VARIANT(kept)
{
	const char *type;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(kept, tmpfs) { .type = "tmpfs" };
FIXTURE_VARIANT_ADD(kept, ext4) { .type = "ext4" };
FIXTURE_VARIANT_ADD(kept, overlay) { .type = "overlay" };
/* clang-format on */

static bool lasts(const FIXTURE_VARIANT(kept) * variant)
{
	return strcmp(variant->type, "tmpfs");
}

/* Has the file system on /tmp/m, anew; 0 or a negative errno. */
static int mount_it(const FIXTURE_VARIANT(kept) * variant)
{
	const char *options = NULL;

	if (!strcmp(variant->type, "ext4"))
		return image_mount("/tmp/image", "/tmp/m");
	if (lasts(variant))
		options = "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work";
	return mount("krsi", "/tmp/m", variant->type, 0, options) ? -errno : 0;
}

FIXTURE_SETUP(kept)
{
	static const char *const dirs[] = { "/tmp/m", "/tmp/lower", "/tmp/upper", "/tmp/work" };
	char dir[16];
	int i;

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (blob_reserved("inode") <= 0)
		SKIP(return, "boot with krsi.blob=inode:..., as scripts/test.sh does");
	ASSERT_TRUE(write_text(TRUST, "type=ext4"));
	ASSERT_TRUE(write_text(TRUST, "type=overlay"));
	ASSERT_EQ(0, blob_command("claim inode kept 8 xattr=yes"));
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		ASSERT_EQ(0, mkdir(dirs[i], 0700));
	ASSERT_EQ(0, image_make("/tmp/image", false));
	ASSERT_EQ(0, mount_it(variant)) TH_LOG("%s", variant->type);
	self->skel = blob_xattr_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->skel->rodata->kept = blob_slot("inode", "kept");
	ASSERT_NE(0, self->skel->rodata->kept);
	self->skel->bss->target = getpid();
}

FIXTURE_TEARDOWN(kept)
{
	while (self->links)
		bpf_link__destroy(self->link[--self->links]);
	blob_xattr_bpf__destroy(self->skel);
	umount2("/tmp/m", MNT_DETACH);
}

static int remount(const FIXTURE_VARIANT(kept) * variant)
{
	return umount("/tmp/m") ? -errno : mount_it(variant);
}

/* Loads the programs that are named, and attaches them. */
static void attach(struct __test_metadata *const _metadata, FIXTURE_DATA(kept) * self,
		   const char *const *names)
{
	struct bpf_program *prog;
	int i;

	for (i = 0; names[i]; i++) {
		prog = bpf_object__find_program_by_name(self->skel->obj, names[i]);
		ASSERT_NE(NULL, prog) TH_LOG("no program %s", names[i]);
		bpf_program__set_autoload(prog, true);
	}
	ASSERT_EQ(0, blob_xattr_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	for (i = 0; names[i]; i++) {
		prog = bpf_object__find_program_by_name(self->skel->obj, names[i]);
		self->link[self->links] = bpf_program__attach(prog);
		ASSERT_NE(NULL, self->link[self->links]);
		self->links++;
	}
}

#define ATTACH(...) attach(_metadata, self, (const char *const[]){ __VA_ARGS__, NULL })

/* What the label of a file was when it was opened; -1 if nobody could access it. */
static long long label_seen(FIXTURE_DATA(kept) * self, const char *path, int flags)
{
	int fd;

	self->skel->bss->seen = -1;
	self->skel->bss->next = true;
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return self->skel->bss->seen;
}

/* The same; makes the file if there is none. */
static long long label_of(FIXTURE_DATA(kept) * self, const char *path)
{
	return label_seen(self, path, O_RDWR | O_CREAT);
}

/* Gives a file a label. */
static void set_label(FIXTURE_DATA(kept) * self, const char *path, __u64 label)
{
	self->skel->bss->label = label;
	label_of(self, path);
	self->skel->bss->label = 0;
}

static int save(FIXTURE_DATA(kept) * self, const char *path)
{
	self->skel->bss->result = 1;
	self->skel->bss->save = true;
	getxattr(path, "user.none", NULL, 0);
	return self->skel->bss->result;
}

static int restore(FIXTURE_DATA(kept) * self, const char *path)
{
	self->skel->bss->result = 1;
	self->skel->bss->restore = true;
	getxattr(path, "user.none", NULL, 0);
	return self->skel->bss->result;
}

/* What the attribute has; -1 if it has not the length of a label, else an errno. */
static long long stored(const char *path)
{
	long long value;
	ssize_t len;

	len = getxattr(path, ATTRIBUTE, &value, sizeof(value));
	return len == sizeof(value) ? value : len < 0 ? -errno : -1;
}

TEST_F(kept, saved)
{
	int fd;

	ATTACH("use", "clear", "keep");
	EXPECT_EQ(0, label_of(self, "/tmp/m/a"));
	EXPECT_EQ(-ENODATA, stored("/tmp/m/a"));
	set_label(self, "/tmp/m/a", LABEL);
	EXPECT_EQ(LABEL, label_of(self, "/tmp/m/a"));
	EXPECT_EQ(-ENODATA, stored("/tmp/m/a"));
	ASSERT_EQ(0, save(self, "/tmp/m/a"));
	EXPECT_EQ(LABEL, stored("/tmp/m/a"));
	EXPECT_EQ(LABEL, label_of(self, "/tmp/m/a"));

	/* No label, no attribute. */
	fd = open("/tmp/m/a", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, FIOCLEX));
	close(fd);
	EXPECT_EQ(0, label_of(self, "/tmp/m/a"));
	EXPECT_EQ(LABEL, stored("/tmp/m/a"));
	EXPECT_EQ(0, save(self, "/tmp/m/a"));
	EXPECT_EQ(-ENODATA, stored("/tmp/m/a"));
	EXPECT_EQ(0, save(self, "/tmp/m/a"));
}

TEST_F(kept, restored)
{
	if (!lasts(variant))
		SKIP(return, "nothing on it lasts");
	ATTACH("use", "keep");
	set_label(self, "/tmp/m/a", LABEL);
	ASSERT_EQ(0, save(self, "/tmp/m/a"));
	set_label(self, "/tmp/m/b", LABEL);
	ASSERT_EQ(0, remount(variant));
	EXPECT_EQ(LABEL, label_of(self, "/tmp/m/a"));
	/* It was not saved. */
	EXPECT_EQ(0, label_of(self, "/tmp/m/b"));
	EXPECT_EQ(0, self->skel->bss->missing);

	/* A label that was changed stays while the inode does. */
	set_label(self, "/tmp/m/a", LABEL + 1);
	ASSERT_EQ(0, link("/tmp/m/a", "/tmp/m/c"));
	EXPECT_EQ(LABEL + 1, label_of(self, "/tmp/m/c"));
	EXPECT_EQ(0, restore(self, "/tmp/m/a"));
	EXPECT_EQ(LABEL + 1, label_of(self, "/tmp/m/a"));
	ASSERT_EQ(0, remount(variant));
	EXPECT_EQ(LABEL, label_of(self, "/tmp/m/c"));
}

/* The label is in the attribute as soon as there is a file, and nobody saved it. */
TEST_F(kept, created)
{
	ATTACH("use", "create");
	self->skel->bss->label = LABEL;
	ASSERT_EQ(0, mkdir("/tmp/m/dir", 0700));
	ASSERT_EQ(0, mknod("/tmp/m/dir/fifo", S_IFIFO | 0600, 0));
	ASSERT_EQ(0, symlink("nowhere", "/tmp/m/dir/link"));
	ASSERT_EQ(LABEL, label_of(self, "/tmp/m/dir/a"));
	self->skel->bss->label = 0;
	EXPECT_EQ(0, self->skel->bss->missing);
	EXPECT_EQ(LABEL, stored("/tmp/m/dir"));
	EXPECT_EQ(LABEL, stored("/tmp/m/dir/fifo"));
	EXPECT_EQ(LABEL, stored("/tmp/m/dir/a"));
	EXPECT_EQ(sizeof(__u64), lgetxattr("/tmp/m/dir/link", ATTRIBUTE, NULL, 0));
	EXPECT_EQ(LABEL, label_of(self, "/tmp/m/dir/a"));
	/* Without a label no attribute. */
	EXPECT_EQ(0, label_of(self, "/tmp/m/dir/b"));
	EXPECT_EQ(-ENODATA, stored("/tmp/m/dir/b"));
	if (!lasts(variant))
		return;
	ASSERT_EQ(0, remount(variant));
	EXPECT_EQ(LABEL, label_of(self, "/tmp/m/dir/a"));
	EXPECT_EQ(0, label_of(self, "/tmp/m/dir/b"));
}

/* Nobody can access a label of which it is not known what it is. */
TEST_F(kept, unreadable)
{
	if (!lasts(variant))
		SKIP(return, "nothing on it lasts");
	ATTACH("use", "keep");
	set_label(self, "/tmp/m/a", LABEL);
	ASSERT_EQ(0, save(self, "/tmp/m/a"));
	ASSERT_EQ(0, setxattr("/tmp/m/a", ATTRIBUTE, "1234567", 7, 0));
	ASSERT_EQ(0, link("/tmp/m/a", "/tmp/m/b"));
	ASSERT_EQ(0, remount(variant));
	EXPECT_EQ(-1, label_of(self, "/tmp/m/a"));
	EXPECT_EQ(-1, label_of(self, "/tmp/m/b"));
	EXPECT_EQ(2, self->skel->bss->missing);
	EXPECT_EQ(-ENODATA, save(self, "/tmp/m/a"));
	EXPECT_EQ(-EINVAL, restore(self, "/tmp/m/a"));
	ASSERT_EQ(0, setxattr("/tmp/m/a", ATTRIBUTE, "123456789", 9, 0));
	EXPECT_GT(0, restore(self, "/tmp/m/a"));
	EXPECT_EQ(-1, label_of(self, "/tmp/m/a"));
	EXPECT_TRUE(logged("cannot read " ATTRIBUTE));

	ASSERT_EQ(0, setxattr("/tmp/m/a", ATTRIBUTE, "12345678", 8, 0));
	EXPECT_EQ(0, restore(self, "/tmp/m/a"));
	EXPECT_EQ(0x3837363534333231, label_of(self, "/tmp/m/a"));
}

/* The root of a file system that is mounted is known before anybody finds it. */
TEST_F(kept, root)
{
	ATTACH("keep");
	if (lasts(variant)) {
		ASSERT_EQ(0, setxattr("/tmp/m", ATTRIBUTE, "12345678", 8, 0));
		ASSERT_EQ(0, remount(variant));
		EXPECT_EQ(0, save(self, "/tmp/m"));
		EXPECT_EQ(0x3837363534333231, stored("/tmp/m"));
		ASSERT_EQ(0, setxattr("/tmp/m", ATTRIBUTE, "87654321", 8, 0));
	}
	EXPECT_EQ(0, save(self, "/tmp/m"));
	EXPECT_EQ(lasts(variant) ? 0x3837363534333231 : -ENODATA, stored("/tmp/m"));
}

/* Where the hook's caller has the lock. */
TEST_F(kept, locked)
{
	ATTACH("use", "keep_locked");
	set_label(self, "/tmp/m/a", LABEL);
	self->skel->bss->save = true;
	self->skel->bss->result = 1;
	EXPECT_EQ(0, setxattr("/tmp/m/a", "security.other", "1", 1, 0));
	EXPECT_EQ(0, self->skel->bss->result);
	EXPECT_EQ(LABEL, stored("/tmp/m/a"));
}

static bool drop_mac_admin(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return false;
	data[CAP_MAC_ADMIN / 32].effective &= ~(1U << (CAP_MAC_ADMIN % 32));
	return !syscall(SYS_capset, &header, data);
}

TEST_F(kept, permission)
{
	ATTACH("use", "keep");
	set_label(self, "/tmp/m/a", LABEL);
	ASSERT_EQ(0, save(self, "/tmp/m/a"));
	ASSERT_EQ(0, setxattr("/tmp/m/a", "security.krsi.other", "1", 1, 0));
	ASSERT_EQ(0, removexattr("/tmp/m/a", "security.krsi.other"));

	ASSERT_TRUE(drop_mac_admin());
	EXPECT_EQ(-EPERM, OK(setxattr("/tmp/m/a", ATTRIBUTE, "12345678", 8, 0)));
	EXPECT_EQ(-EPERM, OK(setxattr("/tmp/m/a", "security.krsi.", "1", 1, 0)));
	EXPECT_EQ(-EPERM, OK(setxattr("/tmp/m/a", "security.krsi.other", "1", 1, 0)));
	EXPECT_EQ(-EPERM, OK(removexattr("/tmp/m/a", ATTRIBUTE)));
	/* Others are no concern of KRSI's. */
	EXPECT_EQ(0, setxattr("/tmp/m/a", "security.krsi", "1", 1, 0));
	EXPECT_EQ(LABEL, stored("/tmp/m/a"));
	/* The policy may, whoever it runs for. */
	set_label(self, "/tmp/m/a", LABEL + 1);
	EXPECT_EQ(0, save(self, "/tmp/m/a"));
	EXPECT_EQ(LABEL + 1, stored("/tmp/m/a"));
}

static bool enter_user_namespace(void)
{
	return !unshare(CLONE_NEWUSER | CLONE_NEWNS) &&
	       write_text("/proc/self/uid_map", "0 0 1") &&
	       write_text("/proc/self/setgroups", "deny") &&
	       write_text("/proc/self/gid_map", "0 0 1");
}

/* Whoever mounts a file system in a user namespace has no say in labels. */
TEST_F(kept, user_namespace)
{
	ATTACH("use", "keep", "create");
	ASSERT_TRUE(enter_user_namespace());
	ASSERT_EQ(0, mount("krsi", "/tmp/work", "tmpfs", 0, NULL));
	set_label(self, "/tmp/work/a", LABEL);
	EXPECT_EQ(LABEL, label_of(self, "/tmp/work/a"));
	EXPECT_EQ(-EPERM, OK(setxattr("/tmp/work/a", ATTRIBUTE, "12345678", 8, 0)));
	EXPECT_EQ(0, setxattr("/tmp/work/a", "security.other", "1", 1, 0));
	/* It is in memory, where the policy keeps labels as anywhere. */
	EXPECT_EQ(0, save(self, "/tmp/work/a"));
	EXPECT_EQ(LABEL, stored("/tmp/work/a"));
	EXPECT_EQ(0, save(self, "/tmp/work"));
	EXPECT_EQ(0, self->skel->bss->missing);
}

/* An overlay does not hide the label of what it shows. */
TEST_F(kept, user_namespace_overlay)
{
	const char *options = "lowerdir=/tmp/m:/tmp/lower";

	ATTACH("use", "keep");
	set_label(self, "/tmp/m/a", LABEL);
	ASSERT_EQ(0, save(self, "/tmp/m/a"));
	ASSERT_TRUE(enter_user_namespace());
	ASSERT_EQ(0, mount("krsi", "/tmp/work", "overlay", 0, options));
	EXPECT_EQ(-1, label_seen(self, "/tmp/work/a", O_RDONLY));
	EXPECT_EQ(1, self->skel->bss->missing);
	EXPECT_EQ(-EPERM, restore(self, "/tmp/work/a"));
	EXPECT_EQ(-1, label_seen(self, "/tmp/work/a", O_RDONLY));
	EXPECT_EQ(LABEL, label_of(self, "/tmp/m/a"));
}

/* What serves a FUSE file system has no say either, whoever has mounted it. */
TEST_F(kept, fuse)
{
	struct fuse_test *fuse;

	ATTACH("use", "keep");
	fuse = fuse_mount("/tmp/work", ATTRIBUTE, "12345678");
	ASSERT_NE(NULL, fuse);
	EXPECT_EQ(0x3837363534333231, stored("/tmp/work/a"));
	EXPECT_EQ(-1, label_seen(self, "/tmp/work/a", O_RDONLY));
	EXPECT_EQ(1, self->skel->bss->missing);
	EXPECT_EQ(-EPERM, restore(self, "/tmp/work/a"));
	EXPECT_EQ(-ENODATA, save(self, "/tmp/work/a"));
	EXPECT_EQ(-1, label_seen(self, "/tmp/work/a", O_RDONLY));
	fuse_end(fuse, "/tmp/work");
}

/* An error that is gone the next time makes no label unreachable. */
TEST_F(kept, tried_again)
{
	const char *options = "lowerdir=/tmp/work:/tmp/lower";
	struct fuse_test *fuse;
	struct stat st;

	if (strcmp(variant->type, "overlay"))
		SKIP(return, "no overlay");
	ATTACH("use", "keep");
	ASSERT_EQ(0, umount("/tmp/m"));
	fuse = fuse_mount("/tmp/work", ATTRIBUTE, "12345678");
	ASSERT_NE(NULL, fuse);
	ASSERT_EQ(0, mount("krsi", "/tmp/m", "overlay", 0, options));
	fuse->fail = 2;
	ASSERT_EQ(0, stat("/tmp/m/a", &st));
	EXPECT_EQ(1, fuse->fail);
	/* Again in vain. */
	EXPECT_EQ(-1, label_seen(self, "/tmp/m/a", O_RDONLY));
	EXPECT_EQ(0, fuse->fail);
	EXPECT_EQ(0x3837363534333231, label_seen(self, "/tmp/m/a", O_RDONLY));
	/* Once it is known nobody is asked. */
	fuse->fail = 1;
	EXPECT_EQ(0x3837363534333231, label_seen(self, "/tmp/m/a", O_RDONLY));
	EXPECT_EQ(1, fuse->fail);
	umount("/tmp/m");
	fuse_end(fuse, "/tmp/work");
}

#define MAKER "security.krsi.maker"

/* Which process made a file, as it says when it is opened; -1 if nobody can tell. */
static long long maker_of(FIXTURE_DATA(kept) * self, const char *path, int flags)
{
	int fd;

	memset(&self->skel->bss->maker, 0, sizeof(self->skel->bss->maker));
	self->skel->bss->next = true;
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return self->skel->bss->maker.magic == BOOT_MAKER ? self->skel->bss->maker.pid : -1;
}

/* A boot program's slot that lasts: who has made a file is known after it was away. */
TEST_F(kept, boot_slot)
{
	struct boot_maker maker;
	struct fuse_test *fuse;
	int fd, status;
	pid_t child;

	if (blob_slot("inode", "maker") < 0)
		SKIP(return, "boot programs without boot/kept.bpf.o");
	self->skel->rodata->maker_slot = blob_slot("inode", "maker");
	ATTACH("look");
	EXPECT_EQ(getpid(), maker_of(self, "/tmp/m/a", O_RDWR | O_CREAT));
	child = fork();
	if (!child) {
		fd = open("/tmp/m/b", O_RDWR | O_CREAT, 0600);
		_exit(fd < 0 || mkdir("/tmp/m/dir", 0700));
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	EXPECT_EQ(child, maker_of(self, "/tmp/m/b", O_RDWR));
	EXPECT_EQ(child, maker_of(self, "/tmp/m/dir", O_RDONLY));
	ASSERT_EQ(sizeof(maker), getxattr("/tmp/m/b", MAKER, &maker, sizeof(maker)));
	EXPECT_EQ(BOOT_MAKER, maker.magic);
	EXPECT_EQ(child, maker.pid);
	/* Older than the programs. */
	EXPECT_EQ(0, maker_of(self, "/dev/null", O_RDONLY));
	/* Not the system's to say. */
	fuse = fuse_mount("/tmp/work", MAKER, "1234567812345678");
	ASSERT_NE(NULL, fuse);
	EXPECT_EQ(-1, maker_of(self, "/tmp/work/a", O_RDONLY));
	EXPECT_EQ(1, self->skel->bss->missing);
	fuse_end(fuse, "/tmp/work");
	if (!lasts(variant))
		return;

	ASSERT_EQ(0, removexattr("/tmp/m/a", MAKER));
	ASSERT_EQ(0, remount(variant));
	EXPECT_EQ(child, maker_of(self, "/tmp/m/b", O_RDWR));
	EXPECT_EQ(child, maker_of(self, "/tmp/m/dir", O_RDONLY));
	/* Without an attribute there is what the program has made of it. */
	EXPECT_EQ(0, maker_of(self, "/tmp/m/a", O_RDWR));
	EXPECT_EQ(1, self->skel->bss->missing);
}

/* A label goes to the upper layer with the file. */
TEST_F(kept, copied_up)
{
	int fd;

	if (strcmp(variant->type, "overlay"))
		SKIP(return, "no overlay");
	ASSERT_EQ(0, umount("/tmp/m"));
	fd = open("/tmp/lower/a", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	close(fd);
	ASSERT_EQ(0, setxattr("/tmp/lower/a", ATTRIBUTE, "12345678", 8, 0));
	ASSERT_EQ(0, mount_it(variant));
	ATTACH("use", "keep");
	EXPECT_EQ(-ENOENT, stored("/tmp/upper/a"));
	EXPECT_EQ(0x3837363534333231, label_of(self, "/tmp/m/a"));
	EXPECT_EQ(0x3837363534333231, stored("/tmp/upper/a"));
	set_label(self, "/tmp/m/a", LABEL);
	EXPECT_EQ(0, save(self, "/tmp/m/a"));
	EXPECT_EQ(LABEL, stored("/tmp/upper/a"));
	EXPECT_EQ(0x3837363534333231, stored("/tmp/lower/a"));
}

/* An inode that is older than the slot is out of reach until it is asked for, or opened. */
TEST_F(kept, older)
{
	char name[32];
	int fd;

	ASSERT_EQ(0, mkdir("/tmp/m/a", 0700));
	fd = open("/tmp/m/c", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	close(fd);
	snprintf(name, sizeof(name), "kept-%s", variant->type);
	ASSERT_EQ(0, blob_command("claim inode %s 8 xattr=yes", name));
	self->skel->rodata->kept = blob_slot("inode", name);
	ASSERT_LT(0, self->skel->rodata->kept);
	ATTACH("use", "keep");
	EXPECT_EQ(-ENODATA, save(self, "/tmp/m/a"));
	EXPECT_EQ(0, restore(self, "/tmp/m/a"));
	EXPECT_EQ(0, save(self, "/tmp/m/a"));
	EXPECT_EQ(0, label_of(self, "/tmp/m/c"));
	/* One that is made now is not. */
	EXPECT_EQ(0, label_of(self, "/tmp/m/b"));
	EXPECT_EQ(0, self->skel->bss->missing);
}

/*
 * The device of a file system with a journal is cut off, and the file system
 * mounted again: whatever file is there then has the label that it was made with.
 */
struct large {
	__u64 words[8];
};

FIXTURE(crash)
{
	struct blob_xattr_bpf *skel;
	struct bpf_link *link[2];
};

FIXTURE_VARIANT(crash)
{
	__u32 how;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(crash, log_is_lost) { .how = EXT4_GOING_FLAGS_NOLOGFLUSH };
FIXTURE_VARIANT_ADD(crash, log_is_written) { .how = EXT4_GOING_FLAGS_LOGFLUSH };
/* clang-format on */

FIXTURE_SETUP(crash)
{
	char dir[16];

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (blob_reserved("inode") <= 0)
		SKIP(return, "boot with krsi.blob=inode:..., as scripts/test.sh does");
	ASSERT_TRUE(write_text(TRUST, "type=ext4"));
	ASSERT_EQ(0, blob_command("claim inode crash %zu xattr=yes", sizeof(struct large)));
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	ASSERT_EQ(0, mkdir("/tmp/m", 0700));
	self->skel = blob_xattr_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->skel->rodata->large = blob_slot("inode", "crash");
	self->skel->bss->target = getpid();
	bpf_program__set_autoload(self->skel->progs.large_create, true);
	bpf_program__set_autoload(self->skel->progs.large_keep, true);
	ASSERT_EQ(0, blob_xattr_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	self->link[0] = bpf_program__attach(self->skel->progs.large_create);
	ASSERT_NE(NULL, self->link[0]);
	self->link[1] = bpf_program__attach(self->skel->progs.large_keep);
	ASSERT_NE(NULL, self->link[1]);
}

FIXTURE_TEARDOWN(crash)
{
	bpf_link__destroy(self->link[0]);
	bpf_link__destroy(self->link[1]);
	blob_xattr_bpf__destroy(self->skel);
	umount2("/tmp/m", MNT_DETACH);
}

static int cut_off(__u32 how)
{
	int fd = open("/tmp/m", O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = ioctl(fd, EXT4_IOC_SHUTDOWN, &how) ? -errno : 0;
	close(fd);
	if (!ret && umount("/tmp/m"))
		ret = -errno;
	return ret ?: image_mount("/tmp/image", "/tmp/m");
}

/* What is stored of a file: 1 if it is the label, all of it; -errno if nothing. */
static int large_stored(const char *path, __u64 label)
{
	struct large value;
	ssize_t len;
	int i;

	len = getxattr(path, "security.krsi.crash", &value, sizeof(value));
	if (len < 0)
		return -errno;
	for (i = 0; i < ARRAY_SIZE(value.words); i++)
		if (len != sizeof(value) || value.words[i] != label)
			return 0;
	return 1;
}

/* What is written by itself can be lost by itself: this test would notice. */
TEST_F(crash, not_atomic)
{
	int fd;

	ASSERT_EQ(0, image_make("/tmp/image", true));
	ASSERT_EQ(0, image_mount("/tmp/image", "/tmp/m"));
	fd = open("/tmp/m/a", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fsync(fd));
	close(fd);
	self->skel->bss->label = LABEL;
	self->skel->bss->save = true;
	EXPECT_EQ(-ENODATA, OK(getxattr("/tmp/m/a", "user.none", NULL, 0)));
	EXPECT_EQ(0, self->skel->bss->result);
	EXPECT_EQ(1, large_stored("/tmp/m/a", LABEL));
	ASSERT_EQ(0, cut_off(variant->how));
	EXPECT_EQ(variant->how == EXT4_GOING_FLAGS_LOGFLUSH ? 1 : -ENODATA,
		  large_stored("/tmp/m/a", LABEL));
}

#define CRASH_ROUNDS 12
#define CRASH_FILES 400

/* Makes files until it is cut off; how many is in @made, for the parent. */
static int make_files(struct blob_xattr_bpf__bss *bss)
{
	char path[32];
	int fd;

	for (bss->made = 0; bss->made < CRASH_FILES; bss->made++) {
		snprintf(path, sizeof(path), "/tmp/m/%llu", bss->made);
		bss->label = LABEL + bss->made;
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return errno != EIO && errno != EROFS;
		close(fd);
	}
	return 0;
}

/* Has the journal written all the time, so that there are many transactions. */
static int commit(void)
{
	int fd = open("/tmp/m", O_RDONLY | O_CLOEXEC);

	while (!syncfs(fd))
		;
	return 0;
}

TEST_F(crash, labels_are_there_with_the_file)
{
	struct blob_xattr_bpf__bss *bss = self->skel->bss;
	int round, i, is, status, there = 0, lost = 0;
	pid_t maker, committer;
	char path[32];

	for (round = 0; round < CRASH_ROUNDS; round++) {
		ASSERT_EQ(0, image_make("/tmp/image", true));
		ASSERT_EQ(0, image_mount("/tmp/image", "/tmp/m"));
		bss->made = 0;
		committer = fork();
		if (!committer)
			_exit(commit());
		maker = fork();
		if (!maker)
			_exit(make_files(bss));
		/* Another moment each time. */
		ASSERT_TRUE(WAIT_FOR(bss->made > round * 5, 60));
		usleep(round * 1700);
		i = open("/tmp/m", O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, i);
		EXPECT_EQ(0, ioctl(i, EXT4_IOC_SHUTDOWN, &variant->how));
		close(i);
		EXPECT_EQ(maker, waitpid(maker, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_EQ(committer, waitpid(committer, &status, 0));
		ASSERT_EQ(0, umount("/tmp/m"));
		bss->label = 0;
		ASSERT_EQ(0, image_mount("/tmp/image", "/tmp/m"));

		for (i = 0; i < bss->made; i++) {
			snprintf(path, sizeof(path), "/tmp/m/%d", i);
			is = large_stored(path, LABEL + i);
			EXPECT_TRUE(is == 1 || is == -ENOENT)
				TH_LOG("round %d, file %d: %d", round, i, is);
			there += is == 1;
			lost += is == -ENOENT;
		}
		ASSERT_EQ(0, umount("/tmp/m"));
	}
	EXPECT_LT(0, there);
	EXPECT_TRUE(variant->how == EXT4_GOING_FLAGS_LOGFLUSH || lost > 0);
	EXPECT_EQ(0, bss->missing);
	TH_LOG("%d files had their labels, %d were lost with them", there, lost);
}

FIXTURE(reject)
{
	struct blob_xattr_bpf *skel;
	char log[65536];
};

FIXTURE_VARIANT(reject)
{
	const char *prog;
	const char *reason;
};

/* clang-format off */
#define REJECT(name, why)			\
FIXTURE_VARIANT_ADD(reject, name) {		\
	.prog = "reject_" #name,		\
	.reason = why,				\
}

REJECT(locked, "calling kernel function krsi_inode_blob_save is not allowed");
REJECT(locked_acl, "calling kernel function krsi_inode_blob_save is not allowed");
REJECT(unlocked, "calling kernel function krsi_inode_blob_save_locked is not allowed");
REJECT(atomic, "program must be sleepable to call sleepable kfunc krsi_inode_blob_save");
/* clang-format on */

FIXTURE_SETUP(reject)
{
	if (!krsi_active())
		SKIP(return, "krsi is not active");
	self->skel = blob_xattr_bpf__open();
	ASSERT_NE(NULL, self->skel);
}

FIXTURE_TEARDOWN(reject)
{
	blob_xattr_bpf__destroy(self->skel);
}

TEST_F(reject, load)
{
	EXPECT_GT(0, load_logged(self->skel->obj, variant->prog, self->log,
				 sizeof(self->log)));
	EXPECT_NE(NULL, strstr(self->log, variant->reason))
		TH_LOG("expected '%s':\n%s", variant->reason, self->log);
}

FIXTURE(claims) {};

FIXTURE_SETUP(claims)
{
	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (blob_reserved("inode") <= 0)
		SKIP(return, "boot with krsi.blob=inode:..., as scripts/test.sh does");
}

FIXTURE_TEARDOWN(claims)
{
}

/* After the other tests, which have slots of these names. */
TEST_F(claims, as_many_as_reserved)
{
	long long free;

	ASSERT_EQ(0, blob_command("claim inode kept 8 xattr=yes"));
	free = blob_free("inode");
	EXPECT_EQ(0, blob_command("claim inode kept 8 xattr=yes\n"));
	EXPECT_EQ(-EEXIST, blob_command("claim inode kept 8"));
	EXPECT_EQ(-EINVAL, blob_command("claim cred kept 8 xattr=yes"));
	EXPECT_EQ(-EINVAL, blob_command("claim inode kept 8 xattr=no"));
	EXPECT_EQ(free, blob_free("inode"));
	/* Five in all: see scripts/test.sh. */
	EXPECT_EQ(0, blob_command("claim inode crash %zu xattr=yes", sizeof(struct large)));
	EXPECT_EQ(0, blob_command("claim inode kept-tmpfs 8 xattr=yes"));
	EXPECT_EQ(0, blob_command("claim inode kept-ext4 8 xattr=yes"));
	EXPECT_EQ(0, blob_command("claim inode kept-overlay 8 xattr=yes"));
	EXPECT_EQ(-ENOSPC, blob_command("claim inode kept-more 8 xattr=yes"));
	EXPECT_EQ(-1, blob_slot("inode", "kept-more"));
	/* What is released is not used again. */
	EXPECT_EQ(0, blob_command("release inode kept-overlay"));
	EXPECT_EQ(-ENOSPC, blob_command("claim inode kept-overlay 8 xattr=yes"));
}

/* What the parameter says that makes no sense is logged. */
TEST_F(claims, boot_parameter)
{
	char cmdline[4096];

	ASSERT_TRUE(read_text("/proc/cmdline", cmdline, sizeof(cmdline)));
	if (!strstr(cmdline, "krsi.xattrs=many"))
		SKIP(return, "the parameter makes sense");
	EXPECT_TRUE(logged("krsi.xattrs: ignoring \"17\": not a number up to 16"));
	EXPECT_TRUE(logged("krsi.xattrs: ignoring \"many\": not a number up to 16"));
}

TEST_HARNESS_MAIN
