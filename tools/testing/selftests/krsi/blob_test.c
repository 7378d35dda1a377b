// SPDX-License-Identifier: GPL-2.0
/*
 * Blobs: slots are claimed and released, programs access those of the object
 * that they have and no others, and labels live and die with their object. To
 * be run on a machine booted with the krsi.blob= that scripts/test.sh has.
 */

#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "blob.h"
#include "token.h"
#include "verity.h"
#include "blob.skel.h"

#define LABEL 0x6c6162656c21ULL

static const char *const classes[] = {
	"cred", "task", "file", "backing_file", "inode", "superblock", "sock", "ipc", "msg_msg",
	"key", "bdev", "perf_event", "tun_dev", "ib", "bpf_map", "bpf_prog", "bpf_token",
};

/* Claims the slot that these tests share, and returns its number. */
static long long slot(const char *class, const char *name, const char *rule)
{
	int err = blob_command("claim %s %s 8 %s", class, name, rule);

	return err ? err : blob_slot(class, name);
}

FIXTURE(blob)
{
	struct blob_bpf *skel;
	struct bpf_link *link[4];
	int links;
};

FIXTURE_SETUP(blob)
{
	char dir[16];

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (blob_reserved("inode") <= 0)
		SKIP(return, "boot with krsi.blob=inode:..., as scripts/test.sh does");
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	self->skel = blob_bpf__open();
	ASSERT_NE(NULL, self->skel);
#define SLOT(class) do {							\
	long long __number = slot(#class, "test", "");				\
										\
	ASSERT_LT(0, __number) TH_LOG("no slot of class %s: %lld", #class, __number);	\
	self->skel->rodata->class##_slot = __number;				\
} while (0)
	SLOT(cred);
	SLOT(task);
	SLOT(file);
	SLOT(backing_file);
	SLOT(inode);
	SLOT(superblock);
	SLOT(sock);
	SLOT(ipc);
	SLOT(msg_msg);
	SLOT(key);
	SLOT(bdev);
	SLOT(perf_event);
	SLOT(bpf_map);
	SLOT(bpf_prog);
	SLOT(bpf_token);
#undef SLOT
	self->skel->rodata->cred_reset_slot = slot("cred", "test-reset", "inherit=reset");
	self->skel->bss->target = getpid();
}

FIXTURE_TEARDOWN(blob)
{
	while (self->links)
		bpf_link__destroy(self->link[--self->links]);
	/* Whether the verifier replaced a call or not, the label is the same. */
	if (self->skel && self->skel->bss)
		EXPECT_EQ(0, self->skel->bss->differ);
	blob_bpf__destroy(self->skel);
}

/* Loads the programs that are named, and those only, and attaches them. */
static void attach(struct __test_metadata *const _metadata, FIXTURE_DATA(blob) * self,
		   const char *first, const char *second)
{
	const char *names[2] = { first, second };
	struct bpf_program *prog;
	int i;

	for (i = 0; i < 2 && names[i]; i++) {
		prog = bpf_object__find_program_by_name(self->skel->obj, names[i]);
		ASSERT_NE(NULL, prog) TH_LOG("no program %s", names[i]);
		bpf_program__set_autoload(prog, true);
	}
	ASSERT_EQ(0, blob_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	for (i = 0; i < 2 && names[i]; i++) {
		prog = bpf_object__find_program_by_name(self->skel->obj, names[i]);
		self->link[self->links] = bpf_program__attach(prog);
		ASSERT_NE(NULL, self->link[self->links]);
		self->links++;
	}
}

static void forget(FIXTURE_DATA(blob) * self)
{
	self->skel->bss->seen = -1;
	self->skel->bss->found = 0;
	self->skel->bss->missing = 0;
	self->skel->bss->matched = 0;
}

/* What was in the label that the last call of one program saw; -1 if none. */
#define SEEN(call) ({					\
	forget(self);					\
	call;						\
	EXPECT_EQ(0, self->skel->bss->missing);		\
	(long long)self->skel->bss->seen;		\
})

static long open_close(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : close(fd);
}

static void label_inodes(struct __test_metadata *const _metadata, FIXTURE_DATA(blob) * self)
{
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(open_close("/tmp/a")));
	EXPECT_EQ(LABEL, SEEN(open_close("/tmp/a")));
	EXPECT_EQ(0, SEEN(open_close("/tmp/b")));
	ASSERT_EQ(0, link("/tmp/a", "/tmp/c"));
	EXPECT_EQ(LABEL, SEEN(open_close("/tmp/c")));

	/* A new inode has nothing of an old one. */
	ASSERT_EQ(0, unlink("/tmp/b"));
	EXPECT_EQ(0, SEEN(open_close("/tmp/b")));
}

TEST_F(blob, inode)
{
	attach(_metadata, self, "inode_use", NULL);
	label_inodes(_metadata, self);
}

TEST_F(blob, inode_sleepable)
{
	attach(_metadata, self, "inode_use_sleepable", NULL);
	label_inodes(_metadata, self);
}

TEST_F(blob, path_inode)
{
	attach(_metadata, self, "path_inode_use", "path_inode_check");
	label_inodes(_metadata, self);

	ASSERT_EQ(0, open_close("/tmp/a"));
	forget(self);
	ASSERT_EQ(0, truncate("/tmp/a", 1));
	EXPECT_EQ(LABEL, self->skel->bss->seen);
	EXPECT_EQ(1, self->skel->bss->found);
	EXPECT_EQ(1, self->skel->bss->missing);
	EXPECT_EQ(1, self->skel->bss->matched);
}

/* Many inodes that come and go: none begins with another's label. */
TEST_F(blob, inodes_begin_with_zero)
{
	char path[64];
	int i;

	attach(_metadata, self, "inode_use", NULL);
	self->skel->bss->label = LABEL;
	for (i = 0; i < 2000; i++) {
		snprintf(path, sizeof(path), "/tmp/x%d", i % 7);
		ASSERT_EQ(0, SEEN(open_close(path)));
		ASSERT_EQ(0, unlink(path));
	}
}

TEST_F(blob, file)
{
	int a, b;

	attach(_metadata, self, "file_use", "file_check");
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(a = open("/tmp/a", O_RDWR | O_CREAT | O_CLOEXEC, 0600)));
	ASSERT_LE(0, a);
	/* Another file, though of the same inode. */
	self->skel->bss->label = LABEL + 1;
	EXPECT_EQ(0, SEEN(b = open("/tmp/a", O_RDWR | O_CLOEXEC)));
	EXPECT_EQ(LABEL, SEEN(ioctl(a, FIOCLEX)));
	EXPECT_EQ(LABEL + 1, SEEN(ioctl(b, FIOCLEX)));
	close(a);
	close(b);
}

TEST_F(blob, backing_file)
{
	void *map;
	int fd;

	ASSERT_EQ(0, mkdir("/tmp/lower", 0700));
	ASSERT_EQ(0, mkdir("/tmp/upper", 0700));
	ASSERT_EQ(0, mkdir("/tmp/work", 0700));
	ASSERT_EQ(0, mkdir("/tmp/over", 0700));
	ASSERT_TRUE(open_close("/tmp/lower/a") == 0);
	ASSERT_EQ(0, mount("overlay", "/tmp/over", "overlay", 0,
			   "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work"));
	attach(_metadata, self, "backing_file_use", "backing_file_check");

	self->skel->bss->label = LABEL;
	forget(self);
	fd = open("/tmp/over/a", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, self->skel->bss->found);
	EXPECT_EQ(0, self->skel->bss->seen);
	EXPECT_EQ(0, self->skel->bss->matched);
	forget(self);
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	EXPECT_NE(MAP_FAILED, map);
	EXPECT_EQ(1, self->skel->bss->matched);
	munmap(map, 4096);
	close(fd);
}

TEST_F(blob, superblock)
{
	char mounts[65536];

	ASSERT_EQ(0, mkdir("/tmp/m", 0700));
	attach(_metadata, self, "superblock_use", "superblock_check");
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(ASSERT_EQ(0, mount("krsi", "/tmp/m", "tmpfs", 0, NULL))));
	forget(self);
	ASSERT_TRUE(read_text("/proc/self/mounts", mounts, sizeof(mounts)));
	/* This one of them. */
	EXPECT_LT(1, self->skel->bss->found);
	EXPECT_EQ(0, self->skel->bss->missing);
	EXPECT_EQ(1, self->skel->bss->matched);
	EXPECT_EQ(0, umount("/tmp/m"));
}

TEST_F(blob, sock)
{
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);
	int a, b;

	attach(_metadata, self, "sock_use", "sock_check");
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(a = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
	self->skel->bss->label = 0;
	EXPECT_EQ(0, SEEN(b = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
	EXPECT_EQ(LABEL, SEEN(getsockname(a, (void *)&addr, &len)));
	len = sizeof(addr);
	EXPECT_EQ(0, SEEN(getsockname(b, (void *)&addr, &len)));
	close(a);
	close(b);
}

TEST_F(blob, ipc)
{
	struct msqid_ds ds;
	int a, b;

	attach(_metadata, self, "ipc_use", "ipc_check");
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(a = msgget(IPC_PRIVATE, 0600)));
	self->skel->bss->label = 0;
	EXPECT_EQ(0, SEEN(b = msgget(IPC_PRIVATE, 0600)));
	EXPECT_EQ(LABEL, SEEN(msgctl(a, IPC_STAT, &ds)));
	EXPECT_EQ(0, SEEN(msgctl(b, IPC_STAT, &ds)));
	EXPECT_EQ(0, msgctl(a, IPC_RMID, NULL));
	EXPECT_EQ(0, msgctl(b, IPC_RMID, NULL));
}

/* The hook has no object then, and neither the kernel nor the program minds. */
TEST_F(blob, null_object)
{
	struct msginfo info;

	attach(_metadata, self, "ipc_check", NULL);
	forget(self);
	EXPECT_LE(0, msgctl(0, IPC_INFO, (struct msqid_ds *)&info));
	EXPECT_EQ(0, self->skel->bss->found);
	EXPECT_EQ(1, self->skel->bss->missing);
}

TEST_F(blob, msg_msg)
{
	struct {
		long type;
		char text[8];
	} msg = { 1, "krsi" };
	int queue;

	queue = msgget(IPC_PRIVATE, 0600);
	ASSERT_LE(0, queue);
	attach(_metadata, self, "msg_msg_use", "msg_msg_check");
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(ASSERT_EQ(0, msgsnd(queue, &msg, sizeof(msg.text), 0))));
	self->skel->bss->label = 0;
	EXPECT_EQ(0, SEEN(ASSERT_EQ(0, msgsnd(queue, &msg, sizeof(msg.text), 0))));
	EXPECT_EQ(LABEL, SEEN(msgrcv(queue, &msg, sizeof(msg.text), 0, 0)));
	EXPECT_EQ(0, SEEN(msgrcv(queue, &msg, sizeof(msg.text), 0, 0)));
	EXPECT_EQ(0, msgctl(queue, IPC_RMID, NULL));
}

TEST_F(blob, key)
{
	long key;

	/* The keyring is there before. */
	ASSERT_LE(0, syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL));
	attach(_metadata, self, "key_use", "key_check");
	self->skel->bss->label = LABEL;
	forget(self);
	key = syscall(SYS_add_key, "user", "krsi", "payload", 7, KEY_SPEC_SESSION_KEYRING);
	ASSERT_LE(0, key);
	/* Labelled by one hook and seen by the other. */
	EXPECT_EQ(2, self->skel->bss->found);
	EXPECT_EQ(1, self->skel->bss->matched);
	EXPECT_EQ(0, self->skel->bss->missing);
	EXPECT_EQ(0, syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_SESSION_KEYRING));
}

TEST_F(blob, perf_event)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
	};
	__u64 count;
	int fd;

	attach(_metadata, self, "perf_event_use", "perf_event_check");
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0)));
	ASSERT_LE(0, fd);
	EXPECT_EQ(LABEL, SEEN(read(fd, &count, sizeof(count))));
	close(fd);
}

TEST_F(blob, bpf_map)
{
	int fd;

	attach(_metadata, self, "bpf_map_use", "bpf_map_check");
	self->skel->bss->label = LABEL;
	forget(self);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "krsi", 4, 8, 1, NULL);
	ASSERT_LE(0, fd);
	EXPECT_EQ(2, self->skel->bss->found);
	EXPECT_EQ(1, self->skel->bss->matched);
	EXPECT_EQ(LABEL, self->skel->bss->seen);
	close(fd);
}

TEST_F(blob, bpf_prog)
{
	int fd;

	attach(_metadata, self, "bpf_prog_use", "bpf_prog_check");
	self->skel->bss->label = LABEL;
	forget(self);
	fd = load_insns(return_0, 2, hook_btf_id("task_getsid"), "GPL", 0, NULL, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(2, self->skel->bss->found);
	EXPECT_EQ(1, self->skel->bss->matched);
	EXPECT_EQ(LABEL, self->skel->bss->seen);
	close(fd);
}

TEST_F(blob, bdev)
{
	int round;

	attach(_metadata, self, "bdev_use", NULL);
	self->skel->bss->label = LABEL;
	/* A new device has nothing of the old one. */
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, verity_make("/tmp/data")) TH_LOG("no dm-verity");
		EXPECT_EQ(0, SEEN(EXPECT_EQ(0, verity_resume())));
		EXPECT_EQ(1, self->skel->bss->found);
		EXPECT_EQ(0, verity_suspend());
		EXPECT_EQ(LABEL, SEEN(EXPECT_EQ(0, verity_resume())));
		EXPECT_EQ(0, verity_remove());
	}
}

/* Uses a token for two commands. */
static int use_token(int token)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts,
		.map_flags = BPF_F_TOKEN_FD,
		.token_fd = token,
	);
	int i;

	for (i = 0; i < 2; i++)
		if (bpf_map_create(BPF_MAP_TYPE_ARRAY, "krsi", 4, 8, 1, &opts) < 0)
			return 2;
	return 0;
}

TEST_F(blob, bpf_token)
{
	attach(_metadata, self, "bpf_token_use", "bpf_token_check");
	self->skel->bss->label = LABEL;
	forget(self);
	ASSERT_EQ(0, with_token(use_token));
	/* Labelled once and seen twice. */
	EXPECT_EQ(3, self->skel->bss->found);
	EXPECT_EQ(2, self->skel->bss->matched);
	EXPECT_EQ(0, self->skel->bss->missing);
	EXPECT_EQ(LABEL, self->skel->bss->seen);

	/* A new token has nothing of the old one. */
	self->skel->bss->label = 0;
	forget(self);
	ASSERT_EQ(0, with_token(use_token));
	EXPECT_EQ(3, self->skel->bss->found);
	EXPECT_EQ(2, self->skel->bss->matched);
	EXPECT_EQ(0, self->skel->bss->seen);
}

/* What getpgid() or getsid() of a child sees. */
static int child_pgid(void *arg)
{
	return getpgid(getpid()) < 0;
}

static int child_sid(void *arg)
{
	return getsid(getpid()) < 0;
}

TEST_F(blob, task)
{
	attach(_metadata, self, "task_use", "task_alloc_check");
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(getpgid(getpid())));
	EXPECT_EQ(LABEL, SEEN(getpgid(getpid())));
	/* A child begins with nothing, as the hook of its creation sees already. */
	self->skel->bss->label = 0;
	forget(self);
	ASSERT_EQ(0, in_child(child_pgid, NULL));
	EXPECT_EQ(2, self->skel->bss->found);
	EXPECT_EQ(1, self->skel->bss->matched);
	EXPECT_EQ(0, self->skel->bss->seen);
	EXPECT_EQ(LABEL, SEEN(getpgid(getpid())));
}

TEST_F(blob, task_inherits)
{
	self->skel->rodata->task_slot = slot("task", "test-copy", "inherit=copy");
	attach(_metadata, self, "task_use", "task_alloc_check");
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(getpgid(getpid())));
	forget(self);
	ASSERT_EQ(0, in_child(child_pgid, NULL));
	EXPECT_EQ(2, self->skel->bss->found);
	EXPECT_EQ(1, self->skel->bss->matched);
	EXPECT_EQ(LABEL, self->skel->bss->seen);
}

TEST_F(blob, parent)
{
	attach(_metadata, self, "parent_use", NULL);
	self->skel->bss->label = LABEL;
	ASSERT_EQ(0, in_child(child_pgid, NULL));
	self->skel->bss->label = 0;
	forget(self);
	ASSERT_EQ(0, in_child(child_pgid, NULL));
	EXPECT_EQ(LABEL, self->skel->bss->seen);
}

static int child_setuid(void *arg)
{
	return setuid(65534) || getsid(getpid()) < 0;
}

TEST_F(blob, cred_inherits)
{
	attach(_metadata, self, "cred_use", "cred_prepare_check");
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(getsid(getpid())));
	EXPECT_EQ(LABEL, SEEN(getsid(getpid())));

	/* Programs of the hook see what was inherited. */
	forget(self);
	ASSERT_EQ(0, in_child(child_sid, NULL));
	EXPECT_EQ(2, self->skel->bss->found);
	EXPECT_EQ(1, self->skel->bss->matched);
	EXPECT_EQ(LABEL, self->skel->bss->seen);

	/* New credentials twice, for the fork and for the new user. */
	forget(self);
	ASSERT_EQ(0, in_child(child_setuid, NULL));
	EXPECT_EQ(2, self->skel->bss->matched);
	EXPECT_EQ(LABEL, self->skel->bss->seen);
}

TEST_F(blob, cred_resets)
{
	attach(_metadata, self, "cred_reset_use", NULL);
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(getsid(getpid())));
	EXPECT_EQ(LABEL, SEEN(getsid(getpid())));
	EXPECT_EQ(0, SEEN(ASSERT_EQ(0, in_child(child_sid, NULL))));
	EXPECT_EQ(LABEL, SEEN(getsid(getpid())));
}

static int child_exec(void *arg)
{
	execl("/bin/true", "true", NULL);
	return 1;
}

/* An exec's credentials are labelled before they are anybody's. */
TEST_F(blob, exec)
{
	attach(_metadata, self, "bprm_use", "bprm_committed_check");
	self->skel->bss->label = LABEL;
	forget(self);
	ASSERT_EQ(0, in_child(child_exec, NULL));
	EXPECT_EQ(2, self->skel->bss->found);
	EXPECT_EQ(1, self->skel->bss->missing);
	EXPECT_EQ(1, self->skel->bss->matched);
	EXPECT_EQ(LABEL, self->skel->bss->seen);
}

/* What is inherited through an exec without anybody's doing. */
TEST_F(blob, exec_inherits)
{
	attach(_metadata, self, "cred_use", "bprm_committed_check");
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(getsid(getpid())));
	forget(self);
	ASSERT_EQ(0, in_child(child_exec, NULL));
	EXPECT_EQ(1, self->skel->bss->found);
	EXPECT_EQ(1, self->skel->bss->matched);
}

TEST_F(blob, misuse_finds_nothing)
{
	/* Numbers of slots that are there. */
	attach(_metadata, self, "misuse", NULL);
	forget(self);
	EXPECT_EQ(0, open_close("/tmp/a"));
	EXPECT_EQ(0, self->skel->bss->found);
	EXPECT_EQ(8, self->skel->bss->missing);
}

TEST_F(blob, number_that_was_not_filled_in)
{
	self->skel->rodata->inode_slot = 0;
	attach(_metadata, self, "inode_use", NULL);
	forget(self);
	EXPECT_EQ(0, open_close("/tmp/a"));
	EXPECT_EQ(0, self->skel->bss->found);
	EXPECT_EQ(1, self->skel->bss->missing);
}

TEST_F(blob, released_slot_is_gone)
{
	long long number, fresh;

	number = slot("inode", "passing", "");
	ASSERT_LT(0, number);
	self->skel->rodata->inode_slot = number;
	attach(_metadata, self, "inode_use", NULL);
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(open_close("/tmp/a")));
	EXPECT_EQ(LABEL, SEEN(open_close("/tmp/a")));

	/* The program that found it keeps it, and a call finds it no more. */
	ASSERT_EQ(0, blob_command("release inode passing"));
	EXPECT_EQ(0, self->skel->bss->differ);
	EXPECT_EQ(LABEL, SEEN(open_close("/tmp/a")));
	EXPECT_EQ(1, self->skel->bss->differ);
	bpf_link__destroy(self->link[--self->links]);
	blob_bpf__destroy(self->skel);
	self->skel = blob_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->skel->rodata->inode_slot = number;
	self->skel->bss->target = getpid();
	attach(_metadata, self, "inode_use", NULL);
	forget(self);
	EXPECT_EQ(0, open_close("/tmp/a"));
	EXPECT_EQ(0, self->skel->bss->found);
	EXPECT_EQ(1, self->skel->bss->missing);

	/* The successor has other bytes: the label is not there. */
	fresh = slot("inode", "passing", "");
	EXPECT_LT(0, fresh);
	EXPECT_NE(number, fresh);
	bpf_link__destroy(self->link[--self->links]);
	blob_bpf__destroy(self->skel);
	self->skel = blob_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->skel->rodata->inode_slot = fresh;
	self->skel->bss->target = getpid();
	attach(_metadata, self, "inode_use", NULL);
	EXPECT_EQ(0, SEEN(open_close("/tmp/a")));
	EXPECT_EQ(0, blob_command("release inode passing"));
}

static void *open_often(void *arg)
{
	int i;

	for (i = 0; i < 2000; i++)
		open_close("/tmp/shared");
	return NULL;
}

TEST_F(blob, atomics_count)
{
	pthread_t threads[4];
	int i;

	attach(_metadata, self, "inode_count", NULL);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, open_often, NULL));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	bpf_link__destroy(self->link[--self->links]);
	blob_bpf__destroy(self->skel);
	self->skel = blob_bpf__open();
	ASSERT_NE(NULL, self->skel);
	self->skel->rodata->inode_slot = blob_slot("inode", "test");
	self->skel->bss->target = getpid();
	attach(_metadata, self, "inode_use", NULL);
	EXPECT_EQ(4 * 2000, SEEN(open_close("/tmp/shared")));
}

/* A sandbox is enforced as ever, and the labels beside it are not disturbed. */
TEST_F(blob, landlock)
{
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE,
	};
	int ruleset, status;
	pid_t pid;

	if (!lsm_active("landlock"))
		SKIP(return, "landlock is not active");
	attach(_metadata, self, "inode_use", "cred_use");
	self->skel->bss->label = LABEL;
	EXPECT_EQ(0, SEEN(open_close("/tmp/a")));
	EXPECT_EQ(0, SEEN(getsid(getpid())));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		ruleset = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
		if (ruleset < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    syscall(SYS_landlock_restrict_self, ruleset, 0))
			_exit(1);
		if (open("/tmp/a", O_WRONLY | O_CLOEXEC) >= 0 || errno != EACCES)
			_exit(2);
		if (open("/tmp/a", O_RDONLY | O_CLOEXEC) < 0)
			_exit(3);
		if (getsid(getpid()) < 0 || self->skel->bss->seen != LABEL)
			_exit(4);
		self->skel->bss->label = -1;
		getsid(getpid());
		if (open("/tmp/a", O_WRONLY | O_CLOEXEC) >= 0 || errno != EACCES)
			_exit(5);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	self->skel->bss->label = LABEL;
	EXPECT_EQ(LABEL, SEEN(getsid(getpid())));
	EXPECT_EQ(0, open_close("/tmp/a"));
}

/* tomoyo has a part of the task's blob, and tells what is in it. */
TEST_F(blob, tomoyo)
{
	char before[256], after[256];

	if (!lsm_active("tomoyo"))
		SKIP(return, "tomoyo is not active");
	ASSERT_TRUE(read_text(SECURITYFS "/tomoyo/self_domain", before, sizeof(before)));
	EXPECT_EQ('<', before[0]);
	attach(_metadata, self, "task_use", NULL);
	self->skel->bss->label = -1;
	EXPECT_EQ(0, SEEN(getpgid(getpid())));
	ASSERT_TRUE(read_text(SECURITYFS "/tomoyo/self_domain", after, sizeof(after)));
	EXPECT_STREQ(before, after);
	EXPECT_EQ(-1, SEEN(getpgid(getpid())));
	EXPECT_EQ(0, in_child(child_exec, NULL));
}

FIXTURE(blob_reject)
{
	struct blob_bpf *skel;
	char log[65536];
};

FIXTURE_VARIANT(blob_reject)
{
	const char *prog;
	const char *reason;
};

/* clang-format off */
#define REJECT(name, why)			\
FIXTURE_VARIANT_ADD(blob_reject, name) {	\
	.prog = "reject_" #name,		\
	.reason = why,				\
}

REJECT(wrong_object, "expected pointer to STRUCT inode but R1 has a pointer to STRUCT file");
REJECT(variable_size, "is not a const");
REJECT(out_of_bounds, "invalid access to memory, mem_size=8 off=8 size=1");
REJECT(before, "invalid access to memory, mem_size=8 off=-1 size=1");
REJECT(variable_offset, "register with unbounded min value is not allowed");
REJECT(unchecked, "invalid mem access 'mem_or_null'");
REJECT(number, "R1");
REJECT(rcu_cred, "R1 must be referenced or trusted");
REJECT(walked, "R1 must be referenced or trusted");
REJECT(dying, "R1 must be referenced or trusted");
REJECT(released, "invalid mem access 'scalar'");
REJECT(released_inode, "invalid mem access 'scalar'");
REJECT(tracing, "calling kernel function krsi_task_blob is not allowed");
REJECT(unfinished, "calling kernel function krsi_inode_blob is not allowed");
REJECT(unfinished_path, "calling kernel function krsi_path_inode_blob is not allowed");
REJECT(path_tail_called, "calling kernel function krsi_path_inode_blob is not allowed");
/* clang-format on */

FIXTURE_SETUP(blob_reject)
{
	if (!krsi_active())
		SKIP(return, "krsi is not active");
	self->skel = blob_bpf__open();
	ASSERT_NE(NULL, self->skel);
}

FIXTURE_TEARDOWN(blob_reject)
{
	blob_bpf__destroy(self->skel);
}

TEST_F(blob_reject, load)
{
	EXPECT_GT(0, load_logged(self->skel->obj, variant->prog, self->log,
				 sizeof(self->log)));
	EXPECT_NE(NULL, strstr(self->log, variant->reason))
		TH_LOG("expected '%s':\n%s", variant->reason, self->log);
}

FIXTURE(slots) {};

FIXTURE_SETUP(slots)
{
	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (blob_reserved("inode") <= 0)
		SKIP(return, "boot with krsi.blob=inode:..., as scripts/test.sh does");
}

FIXTURE_TEARDOWN(slots)
{
}

TEST_F(slots, every_class_is_shown)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(classes); i++)
		EXPECT_LE(0, blob_reserved(classes[i])) TH_LOG("%s", classes[i]);
}

/* The size of a structure of the kernel; 0 if there is none. */
static int kernel_size(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
	int size = id < 0 ? 0 : btf__type_by_id(btf, id)->size;

	btf__free(btf);
	return size;
}

/* What KRSI takes of each object of a class. */
static int krsi_size(const char *class)
{
	int boot = blob_field("boot=", class, NULL, NULL);

	/* Slots of boot programs have a state word in front. */
	return blob_reserved(class) + boot + (boot ? 8 : 0);
}

/* An object takes as many bytes more as are reserved. */
TEST_F(slots, memory)
{
	static const char *const others[] = { "selinux", "smack", "apparmor", "ima", "evm" };
	char text[64];
	int i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (lsm_active(others[i]))
			SKIP(return, "%s has parts of the same objects", others[i]);
	if (!read_text("/sys/kernel/slab/lsm_file_cache/aliases", text, sizeof(text)) || atoi(text))
		SKIP(return, "boot with slab_nomerge and SLUB_DEBUG");
	ASSERT_TRUE(read_text("/sys/kernel/slab/lsm_file_cache/object_size", text, sizeof(text)));
	ASSERT_TRUE(lsm_active("landlock"));
	EXPECT_EQ(kernel_size("landlock_file_security") + krsi_size("file"), atoi(text));
	ASSERT_TRUE(read_text("/sys/kernel/slab/lsm_inode_cache/object_size", text, sizeof(text)));
	/* The framework's, and what storage of BPF programs needs. */
	EXPECT_EQ(kernel_size("callback_head") + kernel_size("landlock_inode_security") +
		  kernel_size("bpf_storage_blob") + krsi_size("inode"), atoi(text));
}

TEST_F(slots, claims)
{
	long long number, free;

	free = blob_free("inode");
	ASSERT_LE(16, free);
	ASSERT_EQ(0, blob_command("claim inode claim.1_a-b 12 4\n"));
	number = blob_slot("inode", "claim.1_a-b");
	EXPECT_LT(0, number);
	EXPECT_EQ(12, blob_field(" size=", "inode", "claim.1_a-b", "live"));
	EXPECT_EQ(4, blob_field(" align=", "inode", "claim.1_a-b", "live"));
	EXPECT_EQ(0, blob_field(" offset=", "inode", "claim.1_a-b", "live") % 8);
	EXPECT_EQ(free - 16, blob_free("inode"));

	/* The same once more is the same slot; anything else is not had. */
	EXPECT_EQ(0, blob_command("claim inode claim.1_a-b 12 4"));
	EXPECT_EQ(number, blob_slot("inode", "claim.1_a-b"));
	EXPECT_EQ(-EEXIST, blob_command("claim inode claim.1_a-b 16 4"));
	EXPECT_EQ(-EEXIST, blob_command("claim inode claim.1_a-b 12"));
	EXPECT_EQ(number, blob_slot("inode", "claim.1_a-b"));
	EXPECT_EQ(free - 16, blob_free("inode"));

	/* Its bytes do not come back. */
	EXPECT_EQ(0, blob_command("release inode claim.1_a-b"));
	EXPECT_EQ(-ENOENT, blob_command("release inode claim.1_a-b"));
	EXPECT_EQ(-1, blob_slot("inode", "claim.1_a-b"));
	EXPECT_EQ(number, blob_field("slot=", "inode", "claim.1_a-b", "released"));
	EXPECT_EQ(free - 16, blob_free("inode"));
}

TEST_F(slots, full)
{
	long long free = blob_free("file");

	ASSERT_LE(0, free);
	EXPECT_EQ(-ENOSPC, blob_command("claim file full %lld", free + 1));
	EXPECT_EQ(-ENOSPC, blob_command("claim file full 1024"));
	EXPECT_EQ(free, blob_free("file"));
	EXPECT_EQ(-1, blob_slot("file", "full"));
}

TEST_F(slots, nonsense)
{
	static const struct {
		const char *line;
		int err;
	} lines[] = {
		{ "", -EINVAL },
		{ "\n", -EINVAL },
		{ "claim", -EINVAL },
		{ "claim inode", -EINVAL },
		{ "claim inode a", -EINVAL },
		{ "claim inode a 0", -EINVAL },
		{ "claim inode a 1025", -EINVAL },
		{ "claim inode a 99999999999999999999", -EINVAL },
		{ "claim inode a 8 16", -EINVAL },
		{ "claim inode a 8 inherit=copy", -EINVAL },
		{ "claim cred a 8 inherit=none", -EINVAL },
		{ "claim inode A 8", -EINVAL },
		{ "claim inode ../a 8", -EINVAL },
		{ "claim inode abcdefghijklmnopqrstuvwxyz012345 8", -EINVAL },
		{ "claim inode a 8\nclaim inode b 8\n", -EINVAL },
		{ "claim nothing a 8", -ENODEV },
		{ "claim xattr_count a 8", -ENODEV },
		{ "release inode nobody", -ENOENT },
		{ "release nothing a", -ENODEV },
		{ "drop inode a", -EINVAL },
	};
	char longest[200];
	int i;

	for (i = 0; i < ARRAY_SIZE(lines); i++)
		EXPECT_EQ(lines[i].err, blob_command("%s", lines[i].line))
			TH_LOG("'%s'", lines[i].line);
	memset(longest, ' ', sizeof(longest));
	memcpy(longest, "claim inode a 8", 15);
	longest[sizeof(longest) - 1] = '\0';
	EXPECT_EQ(-EINVAL, blob_command("%s", longest));
	EXPECT_EQ(-1, blob_slot("inode", "a"));
}

/* What a parameter says that makes no sense is logged, and the rest is taken. */
TEST_F(slots, boot_parameter)
{
	static const char *const refused[] = {
		"krsi.blob: ignoring \"nonsense\": not of the form CLASS:BYTES",
		"krsi.blob: ignoring \"dentry:8\": unknown class",
		"krsi.blob: ignoring \"inode:8\": duplicate class",
		"krsi.blob: ignoring \"ib:12\": not a multiple of 8",
		"krsi.blob: ignoring \"ib:4096\": more than 1024 bytes",
	};
	char cmdline[4096];
	int i;

	ASSERT_TRUE(read_text("/proc/cmdline", cmdline, sizeof(cmdline)));
	if (!strstr(cmdline, "nonsense"))
		SKIP(return, "the parameter makes sense");
	for (i = 0; i < ARRAY_SIZE(refused); i++)
		EXPECT_TRUE(logged(refused[i])) TH_LOG("%s", refused[i]);
	EXPECT_EQ(512, blob_reserved("inode"));
	/* The second parameter. */
	EXPECT_EQ(16, blob_reserved("tun_dev"));
	/* The configuration's: what the parameters say of it is refused. */
	EXPECT_EQ(24, blob_reserved("ib"));
	EXPECT_EQ(0, blob_command("claim ib a 8"));
	EXPECT_EQ(0, blob_command("release ib a"));
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

/* Neither one who may nor one who might is enough. */
TEST_F(slots, permission)
{
	static const char line[] = "claim inode forbidden 8";
	int before, after;

	before = open(BLOBS, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, before);
	ASSERT_TRUE(drop_mac_admin());
	/* Opened by somebody who may, written by somebody who may not. */
	EXPECT_EQ(-EPERM, OK(write(before, line, strlen(line))));
	after = open(BLOBS, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, after);
	EXPECT_EQ(-EPERM, OK(write(after, line, strlen(line))));
	EXPECT_EQ(-1, blob_slot("inode", "forbidden"));

	ASSERT_EQ(0, setuid(65534));
	EXPECT_EQ(-EACCES, OK(open(BLOBS, O_RDONLY | O_CLOEXEC)));
}

/* Root of a user namespace is nobody here. */
TEST_F(slots, user_namespace)
{
	static const char line[] = "claim inode forbidden 8";
	int fd;

	fd = open(BLOBS, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, unshare(CLONE_NEWUSER));
	EXPECT_EQ(-EPERM, OK(write(fd, line, strlen(line))));
	EXPECT_EQ(-1, blob_slot("inode", "forbidden"));
}

TEST_HARNESS_MAIN
