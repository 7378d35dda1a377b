// SPDX-License-Identifier: GPL-2.0
/*
 * Boot programs: every object has the label that they give it, new ones from
 * the first moment and old ones when they are first accessed, once; and nobody
 * else can load such programs or take their slots. To be run on a kernel whose
 * image has the programs in boot/.
 */

#include <dirent.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "blob.h"
#include "token.h"
#include "verity.h"
#include "boot/boot.h"
#include "boot.skel.h"

#define BOOT SECURITYFS "/krsi/boot"
#define NEW 1
#define OLD 2

#ifndef NULL_FS_MAGIC
#define NULL_FS_MAGIC 0x4e554c4c
#endif

/* A number in the line of the file that has @match; -1 without. */
static long long boot_field(const char *match, const char *field)
{
	static char text[65536];
	char *line, *save, *at;

	if (!read_text(BOOT, text, sizeof(text)))
		return -1;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!strstr(line, match))
			continue;
		at = strstr(line, field);
		return at ? strtoll(at + strlen(field), NULL, 10) : -1;
	}
	return -1;
}

FIXTURE(boot)
{
	struct boot_bpf *skel;
	struct bpf_link *link;
	struct bpf_link *second;
};

FIXTURE_SETUP(boot)
{
	char dir[16];

	if (!krsi_active())
		SKIP(return, "krsi is not active");
	if (boot_field("mode=", "programs=") <= 0)
		SKIP(return, "the kernel has no boot programs");
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	self->skel = boot_bpf__open();
	ASSERT_NE(NULL, self->skel);
#define SLOT(class) do {							\
	long long __number = blob_slot(#class, "label");			\
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
	self->skel->rodata->create_slot = blob_slot("inode", "create");
	self->skel->rodata->named_slot = blob_slot("inode", "named");
	/* Their numbers are known even if nobody can access them. */
	self->skel->rodata->depth_slot = blob_field("slot=", "cred", "depth", NULL);
	self->skel->rodata->taint_slot = blob_field("slot=", "cred", "taint", NULL);
	self->skel->rodata->generation_slot = blob_field("slot=", "task", "generation", NULL);
	self->skel->bss->target = getpid();
}

FIXTURE_TEARDOWN(boot)
{
	bpf_link__destroy(self->link);
	bpf_link__destroy(self->second);
	boot_bpf__destroy(self->skel);
}

static void attach(struct __test_metadata *const _metadata, FIXTURE_DATA(boot) * self,
		   const char *name)
{
	struct bpf_program *prog;

	ASSERT_TRUE(load_only(self->skel->obj, name));
	ASSERT_EQ(0, boot_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	prog = bpf_object__find_program_by_name(self->skel->obj, name);
	self->link = bpf_program__attach(prog);
	ASSERT_NE(NULL, self->link);
}

/* A label was seen, and nothing was wrong with any. Starts anew. */
static void expect_labelled(struct __test_metadata *const _metadata, FIXTURE_DATA(boot) * self,
			    __u32 how)
{
	struct boot_bpf__bss *bss = self->skel->bss;

	EXPECT_LT(0, bss->found);
	EXPECT_EQ(0, bss->missing);
	EXPECT_EQ(0, bss->wrong);
	EXPECT_EQ(how, bss->seen.how);
	EXPECT_EQ(1, bss->seen.runs);
	EXPECT_EQ(how == NEW ? getpid() : 0, bss->seen.pid);
	bss->found = 0;
	memset(&bss->seen, 0, sizeof(bss->seen));
}

/* Booted such that one of the objects was refused, and the others were not. */
static bool one_is_refused(void)
{
	return boot_field("mode=permissive", "refused=") > 0;
}

TEST_F(boot, tasks)
{
	__u64 generation;
	int pipes[2];
	pid_t child;
	char c;

	attach(_metadata, self, "task");
	/* This process was made by the harness. */
	EXPECT_LT(0, getpgid(getpid()));
	EXPECT_EQ(NEW, self->skel->bss->seen.how);
	self->skel->bss->found = 0;
	generation = self->skel->bss->generation;
	EXPECT_EQ(!one_is_refused(), generation > 0);

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	child = fork();
	if (!child)
		_exit(read(pipes[0], &c, 1) != 1);
	EXPECT_LT(0, getpgid(child));
	expect_labelled(_metadata, self, NEW);
	EXPECT_EQ(one_is_refused() ? 0 : generation + 1, self->skel->bss->generation);
	ASSERT_EQ(1, write(pipes[1], "", 1));
	EXPECT_EQ(child, waitpid(child, NULL, 0));

	/* Older than any program: the first process, and kthreadd. */
	EXPECT_LE(0, getpgid(1));
	expect_labelled(_metadata, self, OLD);
	EXPECT_LE(0, getpgid(2));
	expect_labelled(_metadata, self, OLD);
}

/* How many tasks and inodes the kernel makes while it puts programs in force. */
#define MADE_MEANWHILE 6

/* Whether it was asked to. */
static bool makes_objects(void)
{
	char text[4096];

	return read_text("/proc/cmdline", text, sizeof(text)) &&
	       strstr(text, "krsi.boot_objects");
}

/* What is made while the programs are put in force has its label as well. */
TEST_F(boot, tasks_made_meanwhile)
{
	char text[4096], path[64];
	struct dirent *entry;
	int count = 0;
	DIR *proc;

	if (!makes_objects())
		SKIP(return, "boot with krsi.boot_objects");
	attach(_metadata, self, "task");
	proc = opendir("/proc");
	ASSERT_NE(NULL, proc);
	while ((entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%.16s/comm", entry->d_name);
		if (!read_text(path, text, sizeof(text)) || strcmp(text, "krsi-boot-task\n"))
			continue;
		count++;
		EXPECT_LE(0, getpgid(atoi(entry->d_name)));
	}
	closedir(proc);
	EXPECT_EQ(MADE_MEANWHILE, count);
	EXPECT_EQ(count, self->skel->bss->found);
	EXPECT_EQ(0, self->skel->bss->missing);
	EXPECT_EQ(0, self->skel->bss->wrong);
}

/* So have inodes, from both points that see them. */
TEST_F(boot, inodes_made_meanwhile)
{
	struct boot_bpf__bss *bss;
	char path[64];
	int fd, i;

	if (!makes_objects())
		SKIP(return, "boot with krsi.boot_objects");
	attach(_metadata, self, "named_inode");
	bss = self->skel->bss;
	for (i = 0; i < MADE_MEANWHILE; i++) {
		memset(&bss->named, 0, sizeof(bss->named));
		snprintf(path, sizeof(path), SECURITYFS "/krsi-boot-file-%d", i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, fd) TH_LOG("%s: %s", path, strerror(errno));
		close(fd);
		EXPECT_EQ(i + 1, bss->found);
		EXPECT_EQ(BOOT_MAGIC, bss->named.magic);
		EXPECT_EQ(1, bss->named.runs);
		EXPECT_EQ(0100604, bss->named.mode);
	}
	EXPECT_EQ(0, bss->missing);
	EXPECT_EQ(0, bss->wrong);
}

/*
 * Has a program look when the idle task of the first CPU is current, which it is
 * when a timer expires there.
 */
static void interrupt_idle(struct __test_metadata *const _metadata, FIXTURE_DATA(boot) * self,
			   const char *name)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000,
	};
	int fd;

	signal(SIGIO, SIG_IGN);
	attach(_metadata, self, name);
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	ASSERT_EQ(0, fcntl(fd, F_SETFL, O_ASYNC));
	EXPECT_TRUE(WAIT_FOR(self->skel->bss->found > 1, 60));
	close(fd);
	expect_labelled(_metadata, self, OLD);
}

TEST_F(boot, init_task)
{
	interrupt_idle(_metadata, self, "idle");
}

TEST_F(boot, init_cred)
{
	interrupt_idle(_metadata, self, "idle_cred");
}

static int sid_in_child(void *arg)
{
	return getsid(getpid()) < 0;
}

TEST_F(boot, credentials)
{
	struct boot_bpf__bss *bss;
	__u32 depth;

	attach(_metadata, self, "current_cred");
	bss = self->skel->bss;
	EXPECT_LT(0, getsid(getpid()));
	EXPECT_EQ(0, bss->wrong);
	if (one_is_refused()) {
		/* Not even zeroes. */
		EXPECT_EQ(0, bss->depth.runs);
		EXPECT_EQ(0, bss->has_depth);
		EXPECT_EQ(0, bss->has_taint);
		return;
	}
	EXPECT_EQ(1, bss->depth.runs);
	EXPECT_EQ(0, bss->taint);
	depth = bss->depth.depth;
	bss->new_taint = 7;
	EXPECT_LT(0, getsid(getpid()));
	bss->new_taint = 0;

	/* A child has new ones, which the program derives from these. */
	bss->found = 0;
	EXPECT_EQ(0, in_child(sid_in_child, NULL));
	expect_labelled(_metadata, self, NEW);
	EXPECT_EQ(depth + 1, bss->depth.depth);
	EXPECT_EQ(1, bss->depth.runs);
	EXPECT_EQ(7, bss->taint);
}

static int join_keyring(void)
{
	return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0;
}

static int give_keyring(void *arg)
{
	return join_keyring() || syscall(SYS_keyctl, KEYCTL_SESSION_TO_PARENT);
}

/*
 * Credentials that are made blank, by a child, and become the parent's are the
 * parent's also if a program has looked at them meanwhile.
 */
TEST_F(boot, transferred_credentials)
{
	struct boot_bpf__bss *bss;
	__u32 depth;

	ASSERT_TRUE(load_only(self->skel->obj, "current_cred"));
	bpf_program__set_autoload(self->skel->progs.blank_cred, true);
	ASSERT_EQ(0, boot_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	self->link = bpf_program__attach(self->skel->progs.current_cred);
	ASSERT_NE(NULL, self->link);
	self->second = bpf_program__attach(self->skel->progs.blank_cred);
	ASSERT_NE(NULL, self->second);
	bss = self->skel->bss;
	ASSERT_EQ(0, join_keyring());
	bss->new_taint = 9;
	EXPECT_LT(0, getsid(getpid()));
	bss->new_taint = 0;
	depth = bss->depth.depth;
	EXPECT_EQ(0, bss->blank.runs);
	EXPECT_EQ(0, in_child(give_keyring, NULL));

	/* Nobody had made them yet. */
	EXPECT_EQ(1, bss->blank.runs);
	EXPECT_EQ(OLD, bss->blank.how);
	EXPECT_EQ(0, bss->blank.fact);
	bss->found = 0;
	EXPECT_LT(0, getsid(getpid()));
	EXPECT_EQ(1, bss->seen.fact);
	expect_labelled(_metadata, self, NEW);
	if (one_is_refused())
		return;
	EXPECT_EQ(depth + 1, bss->depth.depth);
	EXPECT_EQ(1, bss->depth.runs);
	EXPECT_EQ(9, bss->taint);
}

TEST_F(boot, inodes)
{
	int fd, i;

	attach(_metadata, self, "inode");
	for (i = 0; i < 100; i++) {
		fd = open("/tmp/a", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		ASSERT_LE(0, fd);
		close(fd);
		/* TMPFS_MAGIC, which takes two pointers to find. */
		EXPECT_EQ(0x01021994, self->skel->bss->seen.fact);
		expect_labelled(_metadata, self, NEW);
		ASSERT_EQ(0, unlink("/tmp/a"));
	}
	/* Made by the kernel's drivers, in a file system that is always there. */
	ASSERT_EQ(0, mount("devtmpfs", "/tmp", "devtmpfs", 0, NULL));
	fd = open("/tmp/null", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	close(fd);
	expect_labelled(_metadata, self, OLD);
}

/* What is known of an inode once it has a name, and a directory that it is made in. */
TEST_F(boot, named_inodes)
{
	struct boot_bpf__bss *bss;
	struct stat st;
	int fd;

	attach(_metadata, self, "named_inode");
	bss = self->skel->bss;
	setfsuid(1234);
	fd = open("/tmp/a", O_RDWR | O_CREAT | O_CLOEXEC, 0604);
	setfsuid(0);
	ASSERT_LE(0, fd);
	close(fd);
	expect_labelled(_metadata, self, NEW);
	EXPECT_EQ(BOOT_MAGIC, bss->named.magic);
	EXPECT_EQ(NEW, bss->named.how);
	EXPECT_EQ(1, bss->named.runs);
	EXPECT_EQ(1234, bss->named.uid);
	EXPECT_EQ(0100604, bss->named.mode);
	ASSERT_EQ(0, stat("/tmp", &st));
	EXPECT_EQ(BOOT_MAGIC, bss->create.magic);
	EXPECT_EQ(st.st_ino, bss->create.dir);
	EXPECT_EQ(getpid(), bss->create.pid);
	EXPECT_EQ(1, bss->create.runs);

	/* Another name is not the first one. */
	ASSERT_EQ(0, link("/tmp/a", "/tmp/b"));
	memset(&bss->named, 0, sizeof(bss->named));
	fd = open("/tmp/b", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(1, bss->named.runs);
	EXPECT_EQ(0100604, bss->named.mode);

	/* One that had its name before there were programs. */
	ASSERT_EQ(0, mkdir("/tmp/dev", 0700));
	ASSERT_EQ(0, mount("devtmpfs", "/tmp/dev", "devtmpfs", 0, NULL));
	fd = open("/tmp/dev/null", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(OLD, bss->seen.how);
	EXPECT_EQ(OLD, bss->named.how);
	EXPECT_EQ(1, bss->named.runs);
	EXPECT_EQ(0, bss->named.uid);
	EXPECT_EQ(0020666, bss->named.mode);
}

/* The root of the kernel's threads, which is not that of any process. */
TEST_F(boot, root_of_kthreads)
{
	int fd;

	attach(_metadata, self, "inode");
	fd = open("/proc/2/root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_EQ(NULL_FS_MAGIC, self->skel->bss->seen.fact);
	expect_labelled(_metadata, self, OLD);
}

/*
 * The mounts beneath the root: what was there before anything was mounted, and
 * the file system that an initial RAM disk is unpacked to, if there was one.
 */
TEST_F(boot, rootfs)
{
	struct mnt_id_req req = {
		.size = MNT_ID_REQ_SIZE_VER0,
		.param = STATMOUNT_MNT_BASIC | STATMOUNT_FS_TYPE,
	};
	bool rootfs = false;
	struct statx stx;
	union {
		struct statmount mount;
		char text[1024];
	} is;
	const char *type;

	ASSERT_EQ(0, statx(AT_FDCWD, "/", 0, STATX_MNT_ID_UNIQUE, &stx));
	attach(_metadata, self, "mount_root");
	is.mount.mnt_parent_id = stx.stx_mnt_id;
	do {
		req.mnt_id = is.mount.mnt_parent_id;
		ASSERT_EQ(0, syscall(SYS_statmount, &req, &is, sizeof(is), 0));
		type = is.mount.str + is.mount.fs_type;
		if (!strcmp(type, "rootfs") || !strcmp(type, "nullfs"))
			expect_labelled(_metadata, self, OLD);
		rootfs |= !strcmp(type, "rootfs");
	} while (is.mount.mnt_parent_id != req.mnt_id);
	/* What everything is mounted on. */
	EXPECT_STREQ("nullfs", type);
	/* Linux unmounts rootfs when it mounts the root by itself. */
	EXPECT_EQ(!access("/sys/firmware/initrd", F_OK), rootfs);
}

TEST_F(boot, files)
{
	int fd;

	attach(_metadata, self, "file");
	fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, self->skel->bss->seen.fact);
	expect_labelled(_metadata, self, NEW);
	close(fd);

	/* The label has the file system's user, who is not always the task's. */
	setfsuid(65534);
	fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(65534, self->skel->bss->seen.fact);
	expect_labelled(_metadata, self, NEW);
	close(fd);
}

TEST_F(boot, backing_files)
{
	int fd;

	ASSERT_EQ(0, mkdir("/tmp/lower", 0700));
	ASSERT_EQ(0, mkdir("/tmp/upper", 0700));
	ASSERT_EQ(0, mkdir("/tmp/work", 0700));
	ASSERT_EQ(0, mkdir("/tmp/over", 0700));
	ASSERT_LE(0, fd = open("/tmp/lower/a", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	close(fd);
	ASSERT_EQ(0, mount("overlay", "/tmp/over", "overlay", 0,
			   "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work"));
	attach(_metadata, self, "backing_file");
	fd = open("/tmp/over/a", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	expect_labelled(_metadata, self, NEW);
	close(fd);
}

TEST_F(boot, superblocks)
{
	char mounts[65536];

	ASSERT_EQ(0, mkdir("/tmp/m", 0700));
	attach(_metadata, self, "superblock");
	ASSERT_EQ(0, mount("krsi", "/tmp/m", "tmpfs", 0, NULL));
	ASSERT_TRUE(read_text("/proc/self/mounts", mounts, sizeof(mounts)));
	/* The last one is the newest. */
	expect_labelled(_metadata, self, NEW);
	EXPECT_EQ(0, umount("/tmp/m"));
}

TEST_F(boot, sockets)
{
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);
	int fd;

	attach(_metadata, self, "sock");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, getsockname(fd, (void *)&addr, &len));
	expect_labelled(_metadata, self, NEW);
	close(fd);
}

/* A connection that comes in is made in an interrupt, whoever is interrupted. */
TEST_F(boot, accepted_sockets)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	int listener, client, accepted;
	socklen_t len = sizeof(addr);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, listener);
	ASSERT_LE(0, client);
	ASSERT_EQ(0, bind(listener, (void *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, getsockname(listener, (void *)&addr, &len));
	ASSERT_EQ(0, connect(client, (void *)&addr, sizeof(addr)));
	accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ASSERT_LE(0, accepted);
	attach(_metadata, self, "sock");
	EXPECT_EQ(0, getsockname(accepted, (void *)&addr, &len));
	expect_labelled(_metadata, self, OLD);
	EXPECT_EQ(0, getsockname(listener, (void *)&addr, &len));
	expect_labelled(_metadata, self, NEW);
	close(accepted);
	close(client);
	close(listener);
}

TEST_F(boot, shared_memory)
{
	struct shmid_ds ds;
	int segment;

	attach(_metadata, self, "shm");
	segment = shmget(IPC_PRIVATE, 4096, 0640);
	ASSERT_LE(0, segment);
	EXPECT_EQ(0, shmctl(segment, IPC_STAT, &ds));
	EXPECT_EQ(0640, self->skel->bss->seen.fact & 0777);
	expect_labelled(_metadata, self, NEW);
	EXPECT_EQ(0, shmctl(segment, IPC_RMID, NULL));
}

TEST_F(boot, semaphores)
{
	int set;

	attach(_metadata, self, "sem");
	set = semget(IPC_PRIVATE, 1, 0604);
	ASSERT_LE(0, set);
	EXPECT_EQ(0, semctl(set, 0, GETVAL));
	EXPECT_EQ(0604, self->skel->bss->seen.fact & 0777);
	expect_labelled(_metadata, self, NEW);
	EXPECT_EQ(0, semctl(set, 0, IPC_RMID));
}

TEST_F(boot, ipc_objects_and_messages)
{
	struct {
		long type;
		char text[8];
	} msg = { 1, "krsi" };
	struct msqid_ds ds;
	int queue;

	attach(_metadata, self, "ipc");
	queue = msgget(IPC_PRIVATE, 0600);
	ASSERT_LE(0, queue);
	EXPECT_EQ(0, msgctl(queue, IPC_STAT, &ds));
	EXPECT_EQ(0600, self->skel->bss->seen.fact & 0777);
	expect_labelled(_metadata, self, NEW);
	EXPECT_EQ(0, msgsnd(queue, &msg, sizeof(msg.text), 0));
	EXPECT_EQ(0, msgctl(queue, IPC_RMID, NULL));
}

TEST_F(boot, messages)
{
	struct {
		long type;
		char text[8];
	} msg = { 1, "krsi" };
	int queue;

	attach(_metadata, self, "msg_msg");
	queue = msgget(IPC_PRIVATE, 0600);
	ASSERT_LE(0, queue);
	EXPECT_EQ(0, msgsnd(queue, &msg, sizeof(msg.text), 0));
	EXPECT_EQ(8, msgrcv(queue, &msg, sizeof(msg.text), 0, 0));
	expect_labelled(_metadata, self, NEW);
	EXPECT_EQ(0, msgctl(queue, IPC_RMID, NULL));
}

TEST_F(boot, keys)
{
	ASSERT_EQ(0, join_keyring());
	attach(_metadata, self, "key");
	ASSERT_LE(0, syscall(SYS_add_key, "user", "krsi", "payload", 7,
			     KEY_SPEC_SESSION_KEYRING));
	expect_labelled(_metadata, self, NEW);
}

TEST_F(boot, perf_events)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
	};
	__u64 count;
	int fd;

	attach(_metadata, self, "perf_event");
	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(8, read(fd, &count, sizeof(count)));
	expect_labelled(_metadata, self, NEW);
	close(fd);
}

TEST_F(boot, bpf_maps)
{
	int fd;

	attach(_metadata, self, "bpf_map");
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "krsi", 4, 8, 3, NULL);
	ASSERT_LE(0, fd);
	EXPECT_EQ(3, self->skel->bss->seen.fact);
	expect_labelled(_metadata, self, NEW);
	close(fd);
}

TEST_F(boot, bpf_progs)
{
	int fd;

	attach(_metadata, self, "bpf_prog");
	fd = load_insns(return_0, 2, hook_btf_id("file_open"), "GPL", 0, NULL, 0);
	ASSERT_LE(0, fd);
	expect_labelled(_metadata, self, NEW);
	close(fd);

	/* The boot programs themselves are older than they. */
	fd = bpf_prog_get_fd_by_id(boot_field("point=inode ", " id="));
	ASSERT_LE(0, fd);
	expect_labelled(_metadata, self, OLD);
	close(fd);
}

TEST_F(boot, block_devices)
{
	int round;

	attach(_metadata, self, "bdev");
	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, verity_make("/tmp/data")) TH_LOG("no dm-verity");
		EXPECT_EQ(0, verity_resume());
		expect_labelled(_metadata, self, NEW);
		EXPECT_EQ(0, verity_remove());
	}
}

static int use_token(int token)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts,
		.map_flags = BPF_F_TOKEN_FD,
		.token_fd = token,
	);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "krsi", 4, 8, 1, &opts) < 0;
}

TEST_F(boot, bpf_tokens)
{
	struct boot_bpf__bss *bss;

	attach(_metadata, self, "bpf_token");
	bss = self->skel->bss;
	ASSERT_EQ(0, with_token(use_token));
	EXPECT_EQ(1, bss->found);
	EXPECT_EQ(0, bss->missing);
	EXPECT_EQ(0, bss->wrong);
	EXPECT_EQ(NEW, bss->seen.how);
	/* Made by a child; and what the token allows, which was delegated. */
	EXPECT_NE(0, bss->seen.pid);
	EXPECT_NE(getpid(), bss->seen.pid);
	EXPECT_EQ(1, bss->seen.fact >> BPF_MAP_CREATE & 1);
}

/* All tasks that are there, of which the kernel's own are old. */
#define MAX_TASKS 512

static struct {
	pthread_barrier_t start;
	pid_t pids[MAX_TASKS];
	int count;
} race;

static void *access_all(void *arg)
{
	cpu_set_t cpu;
	int i;

	CPU_ZERO(&cpu);
	CPU_SET((long)arg, &cpu);
	pthread_setaffinity_np(pthread_self(), sizeof(cpu), &cpu);
	for (i = 0; i < race.count; i++) {
		pthread_barrier_wait(&race.start);
		getpgid(race.pids[i]);
	}
	return NULL;
}

/*
 * Whatever was first accessed by two CPUs at once ran its program once. Where the
 * CPUs are emulated in turn they seldom meet; what they do then, KUnit tests.
 */
TEST_F(boot, concurrent_first_access)
{
	pthread_t threads[2];
	long i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "there is one CPU");
	for (i = 1; i < 32768 && race.count < MAX_TASKS; i++)
		if (syscall(SYS_getpgid, i) >= 0)
			race.pids[race.count++] = i;
	ASSERT_LT(10, race.count);
	attach(_metadata, self, "task");
	ASSERT_EQ(0, pthread_barrier_init(&race.start, NULL, 2));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, access_all, (void *)i));
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_LE(race.count, self->skel->bss->found);
	EXPECT_EQ(0, self->skel->bss->missing);
	EXPECT_EQ(0, self->skel->bss->wrong);
}

/* Only KRSI loads programs for these points, and only at boot. */
TEST_F(boot, others_cannot_load)
{
	static char log[65536];
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		.log_buf = log,
		.log_size = sizeof(log),
		.log_level = 1,
	);
	struct btf *btf = btf__load_vmlinux_btf();
	int id, i;

	ASSERT_NE(NULL, btf);
	id = btf__find_by_name_kind(btf, "krsi_blob_ops", BTF_KIND_STRUCT);
	ASSERT_LT(0, id);
	opts.attach_btf_id = id;
	for (i = 0; i < btf_vlen(btf__type_by_id(btf, id)); i++) {
		opts.expected_attach_type = i;
		opts.prog_flags = i & 1 ? BPF_F_SLEEPABLE : 0;
		EXPECT_EQ(-EPERM, bpf_prog_load(BPF_PROG_TYPE_STRUCT_OPS, "krsi_test", "GPL",
						return_0, 2, &opts)) TH_LOG("%s", log);
	}
	btf__free(btf);
}

/* Not even with programs that are there, which have numbers as all others. */
TEST_F(boot, others_cannot_register)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	struct btf *btf = btf__load_vmlinux_btf(), *own = btf__new_empty();
	const struct btf_type *type;
	char value[4096] = {};
	__u32 zero = 0;
	int map, prog, id;

	ASSERT_NE(NULL, btf);
	id = btf__find_by_name_kind(btf, "bpf_struct_ops_krsi_blob_ops", BTF_KIND_STRUCT);
	ASSERT_LT(0, id);
	type = btf__type_by_id(btf, id);
	ASSERT_GE(sizeof(value), type->size);
	opts.btf_vmlinux_value_type_id = id;
	/* The kernel wants some types, whichever. */
	ASSERT_LT(0, btf__add_int(own, "int", 4, BTF_INT_SIGNED));
	ASSERT_EQ(0, btf__load_into_kernel(own));
	opts.btf_fd = btf__fd(own);
	map = bpf_map_create(BPF_MAP_TYPE_STRUCT_OPS, "krsi", 4, type->size, 1, &opts);
	ASSERT_LE(0, map);
	EXPECT_GT(0, bpf_map_update_elem(map, &zero, value, 0));
	EXPECT_EQ(EPERM, errno);
	prog = bpf_prog_get_fd_by_id(boot_field("point=cred ", " id="));
	ASSERT_LE(0, prog);
	/* What is registered comes behind the state, at a multiple of 64. */
	*(__u64 *)(value + btf_member_bit_offset(type, 1) / 8) = prog;
	EXPECT_GT(0, bpf_map_update_elem(map, &zero, value, 0));
	EXPECT_EQ(EPERM, errno);
	close(prog);
	close(map);
	btf__free(own);
	btf__free(btf);
}

/* There is nothing to trace or to replace in them. */
TEST_F(boot, others_cannot_trace)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	int prog;

	prog = bpf_prog_get_fd_by_id(boot_field("point=cred ", " id="));
	ASSERT_LE(0, prog);
	opts.attach_prog_fd = prog;
	for (opts.attach_btf_id = 1; opts.attach_btf_id < 400; opts.attach_btf_id++) {
		ASSERT_GT(0, bpf_prog_load(BPF_PROG_TYPE_TRACING, "krsi_test", "GPL", return_0, 2,
					   &opts));
		ASSERT_GT(0, bpf_prog_load(BPF_PROG_TYPE_EXT, "krsi_test", "GPL", return_0, 2,
					   &opts));
	}
	close(prog);
}

TEST_F(boot, slots_stay)
{
	long long number = blob_slot("inode", "label");

	EXPECT_EQ(-EPERM, blob_command("release inode label"));
	/* Whoever wants to read it finds it. */
	EXPECT_EQ(0, blob_command("claim inode label %zu", sizeof(struct boot_label)));
	EXPECT_EQ(number, blob_slot("inode", "label"));
	EXPECT_EQ(-EEXIST, blob_command("claim inode label 8"));
	EXPECT_EQ(0, blob_command("claim task generation 8 inherit=reset"));
	EXPECT_EQ(-ENXIO, blob_reserved("key") ? -ENXIO : blob_command("claim key other 8"));
}

/* What the build cannot find out. */
TEST_F(boot, refused_by_the_kernel)
{
	static const struct {
		const char *name;
		const char *reason;
	} objects[] = {
		{ "write_object", "the verifier refuses what it accesses, error -13" },
		{ "out_of_bounds", "the verifier refuses what it accesses, error -13" },
		{ "unchecked", "the verifier refuses what it accesses, error -13" },
		{ "long_loop", "loops too long: the verifier looked at " },
	};
	char text[4096];
	int i;

	ASSERT_TRUE(read_text("/proc/cmdline", text, sizeof(text)));
	if (!strstr(text, "krsi.boot_refused"))
		SKIP(return, "boot with krsi.boot_refused");
	EXPECT_EQ(1 + ARRAY_SIZE(objects), boot_field("mode=permissive", "refused="));
	for (i = 0; i < ARRAY_SIZE(objects); i++) {
		snprintf(text, sizeof(text), "/%s.refused.bpf.o: section krsi.blob/inode: %s: %s",
			 objects[i].name, objects[i].name, objects[i].reason);
		EXPECT_TRUE(logged(text)) TH_LOG("%s", text);
		EXPECT_LT(0, blob_field("slot=", "inode", objects[i].name, "failed"));
	}
}

TEST_F(boot, says_what_is_in_force)
{
	if (one_is_refused()) {
		EXPECT_EQ(23, boot_field("mode=permissive", "programs="));
		EXPECT_EQ(-1, boot_field("program=inherit_cred", " id="));
		EXPECT_LT(0, boot_field("program=label_cred", " id="));
		EXPECT_LT(0, blob_field("slot=", "cred", "depth", "failed"));
		EXPECT_EQ(-EPERM, blob_command("release cred depth"));
		return;
	}
	/* Those of boot/label.bpf.c and boot/inherit.bpf.c, and of samples. */
	EXPECT_EQ(25, boot_field("mode=enforce", "programs="));
	EXPECT_EQ(0, boot_field("mode=enforce", "refused="));
	EXPECT_LT(0, boot_field("point=inode_create program=label_inode_cr", " id="));
	EXPECT_LT(0, boot_field("point=cred program=inherit_cred", " verified="));
	EXPECT_LT(0, blob_field("boot=", "inode", NULL, NULL));
	EXPECT_EQ(0, blob_field("boot=", "tun_dev", NULL, NULL));
}

TEST_HARNESS_MAIN
