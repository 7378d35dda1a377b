// SPDX-License-Identifier: GPL-2.0
/*
 * Labels that programs reach from the argument of a hook: those of the
 * credentials by which a file was opened, of the file system and the device of an
 * inode, and of the directory of a file. To be run on a machine booted with the
 * krsi.blob= that scripts/test.sh has.
 */

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "blob.h"
#include "verity.h"
#include "blob_reach.skel.h"

#define LABEL 0x6c6162656c21ULL

static long long slot(const char *class)
{
	int err = blob_command("claim %s test 8", class);

	return err ? err : blob_slot(class, "test");
}

FIXTURE(reach)
{
	struct blob_reach_bpf *skel;
	struct blob_reach_bpf__bss *bss;
	struct bpf_link *link[3];
	int links;
};

FIXTURE_SETUP(reach)
{
	char dir[16];

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (blob_reserved("inode") <= 0)
		SKIP(return, "boot with krsi.blob=inode:..., as scripts/test.sh does");
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	ASSERT_EQ(0, mkdir("/tmp/m", 0700));
	self->skel = blob_reach_bpf__open();
	ASSERT_NE(NULL, self->skel);
	ASSERT_LT(0, self->skel->rodata->cred_slot = slot("cred"));
	ASSERT_LT(0, self->skel->rodata->inode_slot = slot("inode"));
	ASSERT_LT(0, self->skel->rodata->superblock_slot = slot("superblock"));
	ASSERT_LT(0, self->skel->rodata->bdev_slot = slot("bdev"));
	self->bss = self->skel->bss;
	self->bss->target = getpid();
}

FIXTURE_TEARDOWN(reach)
{
	while (self->links)
		bpf_link__destroy(self->link[--self->links]);
	blob_reach_bpf__destroy(self->skel);
}

/* Loads and attaches the programs that are named, of which the last may be NULL. */
static void attach(struct __test_metadata *const _metadata, FIXTURE_DATA(reach) * self,
		   const char *first, const char *second)
{
	const char *names[] = { first, second };
	struct bpf_program *prog;
	int i;

	for (i = 0; i < 2 && names[i]; i++) {
		prog = bpf_object__find_program_by_name(self->skel->obj, names[i]);
		ASSERT_NE(NULL, prog) TH_LOG("no program %s", names[i]);
		bpf_program__set_autoload(prog, true);
	}
	ASSERT_EQ(0, blob_reach_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	for (i = 0; i < 2 && names[i]; i++) {
		prog = bpf_object__find_program_by_name(self->skel->obj, names[i]);
		self->link[self->links] = bpf_program__attach(prog);
		ASSERT_NE(NULL, self->link[self->links]);
		self->links++;
	}
}

static void forget(FIXTURE_DATA(reach) * self)
{
	self->bss->seen = -1;
	self->bss->found = 0;
	self->bss->missing = 0;
}

struct opener {
	FIXTURE_DATA(reach) * self;
	int socket;
};

/* Opens a file with credentials of its own, and lets the parent use it. */
static int open_labelled(void *arg)
{
	struct opener *opener = arg;
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec data = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int fd;

	opener->self->bss->label = LABEL;
	if (getsid(getpid()) < 0)
		return 1;
	opener->self->bss->label = 0;
	fd = open("/tmp/a", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return 2;
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	return sendmsg(opener->socket, &msg, 0) == 1 ? 0 : 3;
}

static void see_opener(struct __test_metadata *const _metadata, FIXTURE_DATA(reach) * self)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct opener opener = { .self = self };
	int pair[2], fd, own;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	opener.socket = pair[1];
	ASSERT_EQ(0, in_child(open_labelled, &opener));
	ASSERT_EQ(1, recvmsg(pair[0], &msg, MSG_CMSG_CLOEXEC));
	ASSERT_NE(NULL, CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	own = open("/tmp/a", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, own);

	/* Whoever uses it, it was opened by the child, which has ended. */
	forget(self);
	EXPECT_EQ(0, ioctl(fd, FIOCLEX));
	EXPECT_EQ(1, self->bss->found);
	EXPECT_EQ(LABEL, self->bss->seen);
	forget(self);
	EXPECT_EQ(0, ioctl(own, FIOCLEX));
	EXPECT_EQ(1, self->bss->found);
	EXPECT_EQ(0, self->bss->seen);
	EXPECT_EQ(0, self->bss->missing);
	close(fd);
	close(own);
	close(pair[0]);
	close(pair[1]);
}

TEST_F(reach, file_cred)
{
	attach(_metadata, self, "cred_write", "file_cred");
	see_opener(_metadata, self);
}

TEST_F(reach, file_cred_called)
{
	attach(_metadata, self, "cred_write", "file_cred_called");
	see_opener(_metadata, self);
}

/* Opens a file or a directory, so that a program sees its label. */
static long see(FIXTURE_DATA(reach) * self, const char *path)
{
	int fd;

	forget(self);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : close(fd);
}

static void see_superblock(struct __test_metadata *const _metadata, FIXTURE_DATA(reach) * self)
{
	self->bss->label = LABEL;
	ASSERT_EQ(0, mount("krsi", "/tmp/m", "tmpfs", 0, NULL));
	self->bss->label = 0;
	ASSERT_EQ(0, mkdir("/tmp/m/dir", 0700));
	EXPECT_EQ(0, see(self, "/tmp/m"));
	EXPECT_EQ(LABEL, self->bss->seen);
	EXPECT_EQ(0, see(self, "/tmp/m/dir"));
	EXPECT_EQ(LABEL, self->bss->seen);
	/* Of another file system. */
	EXPECT_EQ(0, see(self, "/tmp"));
	EXPECT_EQ(1, self->bss->found);
	EXPECT_EQ(0, self->bss->seen);
	EXPECT_EQ(0, umount("/tmp/m"));
}

TEST_F(reach, superblock)
{
	attach(_metadata, self, "sb_write", "inode_sb");
	see_superblock(_metadata, self);
}

TEST_F(reach, superblock_called)
{
	attach(_metadata, self, "sb_write", "inode_sb_called");
	see_superblock(_metadata, self);
}

/* The label that a dm-verity device gets when it is started, seen of the files on it. */
TEST_F(reach, verity)
{
	struct verity_file of;
	dev_t dev;

	ASSERT_EQ(0, image_make("/tmp/image", false));
	ASSERT_EQ(0, verity_tree("/tmp/image", &of));
	attach(_metadata, self, "bdev_write", "inode_bdev");
	ASSERT_EQ(0, verity_make_on("/tmp/image", &of)) TH_LOG("no dm-verity");
	self->bss->label = LABEL;
	ASSERT_EQ(0, verity_resume());
	self->bss->label = 0;
	ASSERT_EQ(0, verity_number(&dev));
	ASSERT_EQ(0, mknod("/tmp/verity", S_IFBLK | 0600, dev));
	ASSERT_EQ(0, mount("/tmp/verity", "/tmp/m", "ext4", MS_RDONLY, NULL));
	EXPECT_EQ(0, see(self, "/tmp/m"));
	EXPECT_EQ(1, self->bss->found);
	EXPECT_EQ(LABEL, self->bss->seen);
	EXPECT_EQ(0, umount("/tmp/m"));
	EXPECT_EQ(0, verity_remove());

	/* The same file system from a device that nothing has checked. */
	ASSERT_EQ(0, image_mount("/tmp/image", "/tmp/m"));
	EXPECT_EQ(0, see(self, "/tmp/m"));
	EXPECT_EQ(1, self->bss->found);
	EXPECT_EQ(0, self->bss->seen);
	EXPECT_EQ(0, umount("/tmp/m"));

	/* None. */
	EXPECT_EQ(0, see(self, "/tmp"));
	EXPECT_EQ(0, self->bss->found);
	EXPECT_EQ(1, self->bss->missing);
}

static void see_directory(struct __test_metadata *const _metadata, FIXTURE_DATA(reach) * self)
{
	int fd;

	ASSERT_EQ(0, mkdir("/tmp/a", 0700));
	ASSERT_EQ(0, mkdir("/tmp/b", 0700));
	fd = open("/tmp/a/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(0, self->bss->of_dir);
	EXPECT_EQ(0, self->bss->dir_label);

	self->bss->label = LABEL;
	ASSERT_EQ(0, see(self, "/tmp/a"));
	EXPECT_EQ(0, self->bss->of_file);
	EXPECT_EQ(LABEL, self->bss->file_label);
	self->bss->label = LABEL + 1;
	ASSERT_EQ(0, see(self, "/tmp/b"));
	EXPECT_EQ(LABEL + 1, self->bss->file_label);
	self->bss->label = 0;

	ASSERT_EQ(0, see(self, "/tmp/a/file"));
	EXPECT_EQ(0, self->bss->of_file);
	EXPECT_EQ(0, self->bss->file_label);
	EXPECT_EQ(0, self->bss->of_dir);
	EXPECT_EQ(LABEL, self->bss->dir_label);
	/* Another directory has it now. */
	ASSERT_EQ(0, rename("/tmp/a/file", "/tmp/b/file"));
	ASSERT_EQ(0, see(self, "/tmp/b/file"));
	EXPECT_EQ(0, self->bss->of_dir);
	EXPECT_EQ(LABEL + 1, self->bss->dir_label);

	/* No such slot, and not of that size: nothing is left in the buffer. */
	EXPECT_EQ(-EINVAL, self->bss->of_slot);
	EXPECT_EQ(-EINVAL, self->bss->of_size);
	EXPECT_EQ(0, self->bss->error_label);
}

TEST_F(reach, directory)
{
	attach(_metadata, self, "directory", NULL);
	see_directory(_metadata, self);
}

TEST_F(reach, directory_sleepable)
{
	attach(_metadata, self, "directory_sleepable", NULL);
	see_directory(_metadata, self);
}

TEST_F(reach, no_inode)
{
	int fd;

	attach(_metadata, self, "negative", NULL);
	fd = open("/tmp/new", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(-ENOENT, self->bss->of_file);
	EXPECT_EQ(0, self->bss->error_label);
}

FIXTURE(reach_reject)
{
	struct blob_reach_bpf *skel;
	char log[65536];
};

FIXTURE_VARIANT(reach_reject)
{
	const char *prog;
	const char *reason;
};

/* clang-format off */
#define REJECT(name, why)			\
FIXTURE_VARIANT_ADD(reach_reject, name) {	\
	.prog = "reject_" #name,		\
	.reason = why,				\
}

REJECT(unfinished_cred, "calling kernel function krsi_file_cred_blob is not allowed");
REJECT(tail_called_cred, "calling kernel function krsi_file_cred_blob is not allowed");
REJECT(unfinished_sb, "calling kernel function krsi_inode_sb_blob is not allowed");
REJECT(unfinished_bdev, "calling kernel function krsi_inode_bdev_blob is not allowed");
REJECT(walked_sb, "R1 must be referenced or trusted");
REJECT(walked_bdev, "R1 must be referenced or trusted");
REJECT(walked_dentry, "R1 must be");
REJECT(after_section, "R1 must be");
REJECT(tracing, "calling kernel function krsi_file_cred_blob is not allowed");
/* clang-format on */

FIXTURE_SETUP(reach_reject)
{
	if (!krsi_active())
		SKIP(return, "krsi is not active");
	self->skel = blob_reach_bpf__open();
	ASSERT_NE(NULL, self->skel);
}

FIXTURE_TEARDOWN(reach_reject)
{
	blob_reach_bpf__destroy(self->skel);
}

TEST_F(reach_reject, load)
{
	EXPECT_GT(0, load_logged(self->skel->obj, variant->prog, self->log,
				 sizeof(self->log)));
	EXPECT_NE(NULL, strstr(self->log, variant->reason))
		TH_LOG("expected '%s':\n%s", variant->reason, self->log);
}

TEST_HARNESS_MAIN
