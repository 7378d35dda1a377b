// SPDX-License-Identifier: GPL-2.0
/*
 * The kfuncs that give programs pointers: what they find, that it is kept, and
 * how the verifier keeps programs from losing it or using it too long.
 */

#include <linux/magic.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "common.h"
#include "refs.skel.h"
#include "refs_reject.skel.h"
#include "verdict.h"

FIXTURE(refs)
{
	struct refs_bpf *skel;
	struct refs_bpf__bss *bss;
};

FIXTURE_SETUP(refs)
{
	char dir[16];

	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "the kfuncs are krsi's");
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	self->skel = refs_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->bss = self->skel->bss;
	self->bss->target = getpid();
	self->bss->subject = getpid();
}

FIXTURE_TEARDOWN(refs)
{
	refs_bpf__destroy(self->skel);
}

/* Makes the programs of userns_create run once; the namespace is a child's. */
static int new_userns(void *self)
{
	struct refs_bpf__bss *bss = self;

	bss->target = getpid();
	return !!unshare(CLONE_NEWUSER);
}

static void ask(struct __test_metadata *const _metadata, FIXTURE_DATA(refs) * self,
		struct bpf_program *prog)
{
	struct bpf_link *link;

	self->bss->calls = 0;
	self->bss->parent = 0;
	self->bss->grandparent = 0;
	self->bss->leader = 0;
	self->bss->uid = -1;
	self->bss->euid = -1;
	self->bss->cap = -1;
	link = bpf_program__attach(prog);
	ASSERT_NE(NULL, link);
	ASSERT_EQ(0, in_child(new_userns, self->bss));
	ASSERT_EQ(0, bpf_link__destroy(link));
	EXPECT_EQ(1, self->bss->calls);
}

/* What is around a thread of a process with other credentials, and a parent. */
struct thread {
	int ready[2], go[2];
	pid_t tid;
	/* Of only this thread: the system call does not do what libc's does. */
	uid_t uid, euid;
};

static void *thread_main(void *arg)
{
	struct thread *thread = arg;
	char byte = 0;
	pid_t tid = syscall(SYS_gettid);

	if (syscall(SYS_setresuid, thread->uid, thread->euid, -1))
		tid = -1;
	if (write(thread->ready[1], &tid, sizeof(tid)) != sizeof(tid))
		return NULL;
	if (read(thread->go[0], &byte, 1) < 0)
		return NULL;
	return NULL;
}

static void expect_thread(struct __test_metadata *const _metadata, FIXTURE_DATA(refs) * self,
			  struct bpf_program *prog)
{
	struct thread thread = { .uid = 4711, .euid = 4712 };
	pthread_t pthread;
	pid_t pid, tid;

	ASSERT_EQ(0, pipe(thread.ready));
	ASSERT_EQ(0, pipe(thread.go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (pthread_create(&pthread, NULL, thread_main, &thread))
			_exit(1);
		pthread_join(pthread, NULL);
		_exit(0);
	}
	ASSERT_EQ(sizeof(tid), read(thread.ready[0], &tid, sizeof(tid)));
	ASSERT_LT(0, tid);
	ASSERT_NE(pid, tid);

	self->bss->subject = tid;
	ask(_metadata, self, prog);
	EXPECT_EQ(getpid(), self->bss->parent);
	EXPECT_EQ(getppid(), self->bss->grandparent);
	EXPECT_EQ(pid, self->bss->leader);
	EXPECT_EQ(4711, self->bss->uid);
	EXPECT_EQ(4712, self->bss->euid);
	EXPECT_EQ(0, self->bss->cap);

	/* The process's other thread is what it was. */
	self->bss->subject = pid;
	ask(_metadata, self, prog);
	EXPECT_EQ(getpid(), self->bss->parent);
	EXPECT_EQ(pid, self->bss->leader);
	EXPECT_EQ(0, self->bss->uid);
	EXPECT_EQ(0, self->bss->euid);
	EXPECT_EQ(1, self->bss->cap);

	ASSERT_EQ(1, write(thread.go[1], "", 1));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_F(refs, task)
{
	expect_thread(_metadata, self, self->skel->progs.task_atomic);
	expect_thread(_metadata, self, self->skel->progs.task_sleepable);
}

TEST_F(refs, parent_of_rcu_pointer)
{
	ask(_metadata, self, self->skel->progs.task_rcu);
	EXPECT_EQ(getppid(), self->bss->grandparent);
}

static int orphan(void *arg)
{
	int *ready = arg;
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	if (write(ready[1], &pid, sizeof(pid)) != sizeof(pid))
		return 1;
	return pid < 0;
}

/* Nothing holds the idle task, the parent of the first process. A warning would be in the log. */
TEST_F(refs, idle_task)
{
	self->bss->subject = 1;
	ask(_metadata, self, self->skel->progs.task_atomic);
	EXPECT_TRUE(self->bss->no_parent);
	EXPECT_EQ(1, self->bss->leader);
	ask(_metadata, self, self->skel->progs.task_sleepable);
	EXPECT_TRUE(self->bss->no_parent);
}

/* The parent ends, and the first process, or a subreaper, is the parent now. */
TEST_F(refs, reparented)
{
	int ready[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_EQ(0, in_child(orphan, ready));
	ASSERT_EQ(sizeof(pid), read(ready[0], &pid, sizeof(pid)));
	self->bss->subject = pid;
	ask(_metadata, self, self->skel->progs.task_atomic);
	EXPECT_EQ(getpid(), self->bss->parent);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

/* A zombie has relatives; a task that was reaped has not, but credentials. */
TEST_F(refs, dead)
{
	siginfo_t info;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(setresuid(4711, 4711, 4711));
	ASSERT_EQ(0, waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	ASSERT_EQ(0, info.si_status);
	self->bss->subject = pid;
	ask(_metadata, self, self->skel->progs.keep);
	ask(_metadata, self, self->skel->progs.task_atomic);
	EXPECT_EQ(getpid(), self->bss->parent);
	EXPECT_EQ(pid, self->bss->leader);
	EXPECT_EQ(4711, self->bss->uid);

	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ask(_metadata, self, self->skel->progs.look_at_kept);
	EXPECT_TRUE(self->bss->no_parent);
	EXPECT_TRUE(self->bss->no_leader);
	EXPECT_EQ(0, self->bss->parent);
	EXPECT_EQ(0, self->bss->leader);
	EXPECT_EQ(4711, self->bss->uid);
	EXPECT_EQ(4711, self->bss->euid);
}

/* Credentials that are left in a map are given back with the map. */
TEST_F(refs, left_in_map)
{
	ask(_metadata, self, self->skel->progs.keep);
	ask(_metadata, self, self->skel->progs.keep);
}

TEST_F(refs, task_being_made)
{
	struct bpf_link *link;
	pid_t pid;

	link = bpf_program__attach(self->skel->progs.task_new);
	ASSERT_NE(NULL, link);
	pid = fork();
	if (!pid)
		_exit(0);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(0, bpf_link__destroy(link));
	EXPECT_EQ(1, self->bss->calls);
	EXPECT_TRUE(self->bss->no_parent);
	EXPECT_TRUE(self->bss->no_leader);
	EXPECT_EQ(0, self->bss->parent);
	EXPECT_EQ(1, self->bss->cap);
}

/* References are taken while the credentials are changed all the time. */
static void *change_creds(void *stop)
{
	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED)) {
		setfsuid(4711);
		setfsuid(0);
		syscall(SYS_setresuid, 4711, -1, -1);
		syscall(SYS_setresuid, 0, -1, -1);
	}
	return NULL;
}

TEST_F_TIMEOUT(refs, race, 300)
{
	struct bpf_link *link, *second;
	bool stop = false;
	pthread_t thread;
	int i, fd;

	link = bpf_program__attach(self->skel->progs.task_atomic);
	ASSERT_NE(NULL, link);
	second = bpf_program__attach(self->skel->progs.task_sleepable);
	ASSERT_NE(NULL, second);
	ASSERT_EQ(0, pthread_create(&thread, NULL, change_creds, &stop));
	for (i = 0; i < 50; i++) {
		pid_t pid;

		fd = getpid();
		pid = fork();
		if (!pid)
			_exit(new_userns(self->bss));
		self->bss->subject = i & 1 ? pid : fd;
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_LE(100, self->bss->calls);
	EXPECT_EQ(0, bpf_link__destroy(second));
	EXPECT_EQ(0, bpf_link__destroy(link));
}

static void open_once(struct __test_metadata *const _metadata, FIXTURE_DATA(refs) * self,
		      struct bpf_program *prog, const char *path)
{
	struct bpf_link *link;
	int fd;

	self->bss->calls = 0;
	self->bss->magic = 0;
	self->bss->depth = 0;
	memset(self->bss->name, 0, sizeof(self->bss->name));
	memset(self->bss->parent_name, 0, sizeof(self->bss->parent_name));
	link = bpf_program__attach(prog);
	ASSERT_NE(NULL, link);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT_LE(0, fd);
	ASSERT_EQ(0, bpf_link__destroy(link));
	close(fd);
	EXPECT_EQ(1, self->bss->calls);
}

static void expect_file(struct __test_metadata *const _metadata, FIXTURE_DATA(refs) * self,
			struct bpf_program *prog)
{
	open_once(_metadata, self, prog, "/tmp/one/two/file");
	EXPECT_STREQ("file", self->bss->name);
	EXPECT_STREQ("two", self->bss->parent_name);
	EXPECT_STREQ("/", self->bss->top_name);
	EXPECT_EQ(3, self->bss->depth);
	EXPECT_EQ(TMPFS_MAGIC, self->bss->magic);

	/* The root of a filesystem has no parent, whatever it is mounted on. */
	open_once(_metadata, self, prog, "/tmp");
	EXPECT_STREQ("/", self->bss->name);
	EXPECT_STREQ("", self->bss->parent_name);
	EXPECT_EQ(0, self->bss->depth);

	open_once(_metadata, self, prog, "/proc/self/status");
	EXPECT_EQ(PROC_SUPER_MAGIC, self->bss->magic);
}

TEST_F(refs, file)
{
	int fd;

	ASSERT_EQ(0, mkdir("/tmp/one", 0700));
	ASSERT_EQ(0, mkdir("/tmp/one/two", 0700));
	fd = open("/tmp/one/two/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	close(fd);
	expect_file(_metadata, self, self->skel->progs.file_atomic);
	expect_file(_metadata, self, self->skel->progs.file_sleepable);
}

TEST_F(refs, no_inode)
{
	struct bpf_link *link = bpf_program__attach(self->skel->progs.anon_inode);
	int fd;

	ASSERT_NE(NULL, link);
	fd = memfd_create("krsi", MFD_CLOEXEC);
	EXPECT_LE(0, fd);
	close(fd);
	ASSERT_EQ(0, bpf_link__destroy(link));
	EXPECT_EQ(1, self->bss->calls);
	EXPECT_TRUE(self->bss->no_sb);
}

TEST_F(refs, unlink)
{
	struct bpf_link *link;
	int fd;

	ASSERT_EQ(0, mkdir("/tmp/dir", 0700));
	fd = open("/tmp/dir/gone", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	link = bpf_program__attach(self->skel->progs.unlinked);
	ASSERT_NE(NULL, link);
	EXPECT_EQ(0, unlink("/tmp/dir/gone"));
	ASSERT_EQ(0, bpf_link__destroy(link));
	EXPECT_STREQ("gone", self->bss->name);
	EXPECT_STREQ("dir", self->bss->parent_name);
	close(fd);
}

/* What is in no tree has no directory entry that RCU would keep. */
TEST_F(refs, pseudo_files)
{
	struct bpf_link *link;
	int fds[4], i;

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds + 2));
	link = bpf_program__attach(self->skel->progs.file_any);
	ASSERT_NE(NULL, link);
	for (i = 0; i < 4; i++) {
		self->bss->no_dentry = false;
		EXPECT_LE(0, fcntl(fds[i], F_GETFL));
		EXPECT_TRUE(self->bss->no_dentry);
		EXPECT_EQ(i < 2 ? PIPEFS_MAGIC : SOCKFS_MAGIC, self->bss->magic);
		close(fds[i]);
	}
	EXPECT_EQ(4, self->bss->calls);
	EXPECT_EQ(0, bpf_link__destroy(link));
}

/* They are many, for a slow machine. */
FIXTURE(verdicts)
{
};

FIXTURE_SETUP(verdicts)
{
}

FIXTURE_TEARDOWN(verdicts)
{
}

TEST_F_TIMEOUT(verdicts, programs, 600)
{
	const void *elf;
	size_t size;

	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "the kfuncs are krsi's");
	elf = refs_reject_bpf__elf_bytes(&size);
	EXPECT_LE(40, check_verdicts(_metadata, elf, size));
}

/* Nobody but krsi offers them. */
TEST(only_krsi)
{
	struct refs_bpf *skel;

	REQUIRE_LSM();
	skel = refs_bpf__open();
	ASSERT_NE(NULL, skel);
	EXPECT_EQ(krsi_active(), refs_bpf__load(skel) == 0);
	refs_bpf__destroy(skel);
}

TEST_HARNESS_MAIN
