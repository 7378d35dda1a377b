// SPDX-License-Identifier: GPL-2.0
/*
 * A program without an opinion on every hook at once: the system works as if
 * there were none, and detaching them leaves nothing behind.
 *
 * The hooks are those of the running kernel: the members of union
 * security_list_options, as its BTF has them.
 */

#include <grp.h>
#include <linux/io_uring.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "common.h"

#define MAX_HOOKS 512

/* Attaching some hundred programs with mainline's trampolines takes its time. */
#define TIMEOUT 600

struct hook {
	const char *name;
	int btf_id;
	int link;
};

FIXTURE(allhooks)
{
	struct btf *btf;
	struct hook hook[MAX_HOOKS];
	int hooks;
	int attached;
	int refused;
	/* The map in which each program counts its calls. */
	int map;
	__u64 *calls;
};

FIXTURE_SETUP(allhooks)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	const struct btf_member *m;
	const struct btf_type *t;
	char func[128], dir[16];
	const char *name;
	int i, id;

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	self->btf = btf__load_vmlinux_btf();
	ASSERT_NE(NULL, self->btf);
	id = btf__find_by_name_kind(self->btf, "security_list_options", BTF_KIND_UNION);
	ASSERT_LT(0, id);
	t = btf__type_by_id(self->btf, id);
	m = btf_members(t);
	for (i = 0; i < btf_vlen(t); i++, m++) {
		name = btf__name_by_offset(self->btf, m->name_off);
		snprintf(func, sizeof(func), "bpf_lsm_%s", name);
		id = btf__find_by_name_kind(self->btf, func, BTF_KIND_FUNC);
		/* Only "lsm_func_addr", which is all of them, has no function. */
		if (id < 0)
			continue;
		ASSERT_GT(MAX_HOOKS, self->hooks);
		self->hook[self->hooks].name = name;
		self->hook[self->hooks].btf_id = id;
		self->hook[self->hooks].link = -1;
		self->hooks++;
	}
	ASSERT_LT(200, self->hooks);

	self->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "calls", sizeof(__u32),
				   MAX_HOOKS * sizeof(__u64), 1, &opts);
	ASSERT_LE(0, self->map);
	self->calls = mmap(NULL, MAX_HOOKS * sizeof(__u64), PROT_READ | PROT_WRITE, MAP_SHARED,
			   self->map, 0);
	ASSERT_NE(MAP_FAILED, self->calls);
}

FIXTURE_TEARDOWN(allhooks)
{
	int i;

	for (i = 0; i < self->hooks; i++)
		if (self->hook[i].link >= 0)
			close(self->hook[i].link);
	close(self->map);
	btf__free(self->btf);
}

/* Loads a program for hook @i that counts its calls and returns 0. */
static int load_counter(FIXTURE_DATA(allhooks) * self, int i, char *log, size_t log_size)
{
	struct bpf_insn insns[] = {
		/* r1 = &calls[i] */
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1,
		  .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = self->map },
		{ .imm = i * sizeof(__u64) },
		/* lock *(u64 *)r1 += 1 */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 1 },
		{ .code = BPF_STX | BPF_DW | BPF_ATOMIC, .dst_reg = 1, .src_reg = 2,
		  .imm = BPF_ADD },
		/* return 0 */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	log[0] = '\0';
	return load_insns(insns, ARRAY_SIZE(insns), self->hook[i].btf_id, "GPL", 0, log, log_size);
}

static void attach_all(struct __test_metadata *const _metadata, FIXTURE_DATA(allhooks) * self)
{
	char log[1024];
	int prog, i;

	for (i = 0; i < self->hooks; i++) {
		prog = load_counter(self, i, log, sizeof(log));
		if (prog < 0) {
			/* Programs may not be on every hook. */
			EXPECT_EQ(-EINVAL, prog);
			EXPECT_NE(NULL, strstr(log, "points to disabled hook"))
				TH_LOG("%s: %s", self->hook[i].name, log);
			self->refused++;
			continue;
		}
		self->hook[i].link = attach_fd(prog);
		EXPECT_LE(0, self->hook[i].link) TH_LOG("%s", self->hook[i].name);
		self->attached += self->hook[i].link >= 0;
		close(prog);
	}
	EXPECT_EQ(self->hooks, self->attached + self->refused);
}

static void detach_all(FIXTURE_DATA(allhooks) * self)
{
	int i;

	for (i = 0; i < self->hooks; i++) {
		if (self->hook[i].link >= 0)
			close(self->hook[i].link);
		self->hook[i].link = -1;
	}
}

/* The number of hooks that were called, which starts anew. */
static int take_called(FIXTURE_DATA(allhooks) * self)
{
	int i, called = 0;

	for (i = 0; i < self->hooks; i++)
		called += !!__atomic_exchange_n(&self->calls[i], 0, __ATOMIC_RELAXED);
	return called;
}

static void *idle_thread(void *arg)
{
	return arg;
}

static void use_processes(struct __test_metadata *const _metadata)
{
	struct rlimit limit;
	pthread_t thread;
	int status;
	pid_t pid;

	ASSERT_EQ(0, pthread_create(&thread, NULL, idle_thread, NULL));
	ASSERT_EQ(0, pthread_join(thread, NULL));

	/* An interpreter, which execs again, with a pipe. */
	pid = fork();
	if (!pid) {
		execl("/bin/sh", "sh", "-c", "test \"$(echo one | cat)\" = one", NULL);
		_exit(127);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));

	pid = fork();
	if (!pid) {
		/* Sessions, users, capabilities and name spaces of its own. */
		if (setsid() < 0 || setgroups(0, NULL) || setgid(65534) || setuid(65534))
			_exit(1);
		if (unshare(CLONE_NEWUSER))
			_exit(2);
		raise(SIGKILL);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));

	EXPECT_EQ(0, setpriority(PRIO_PROCESS, 0, 1));
	EXPECT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_LE(0, getsid(0));
	EXPECT_LT(0, getpgid(getpid()));
	EXPECT_EQ(0, sched_getscheduler(0));
	EXPECT_EQ(0, kill(getpid(), 0));
	/* The default here is not 0: the core answers. */
	EXPECT_EQ(1, prctl(PR_GET_DUMPABLE));
}

static void use_files(struct __test_metadata *const _metadata)
{
	char buf[64];
	struct stat st;
	void *page;
	int fd;

	ASSERT_EQ(0, mkdir("/tmp/dir", 0755));
	fd = open("/tmp/dir/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd);
	EXPECT_EQ(5, write(fd, "hello", 5));
	EXPECT_EQ(5, pread(fd, buf, sizeof(buf), 0));
	EXPECT_EQ(0, memcmp(buf, "hello", 5));
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, page);
	EXPECT_EQ(0, memcmp(page, "hello", 5));
	EXPECT_EQ(0, mprotect(page, 4096, PROT_READ | PROT_WRITE));
	munmap(page, 4096);
	EXPECT_EQ(0, ftruncate(fd, 100));
	EXPECT_EQ(0, fchmod(fd, 0640));
	EXPECT_EQ(0, fchown(fd, 1, 1));
	EXPECT_EQ(0, flock(fd, LOCK_EX));
	EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	EXPECT_EQ(0, fsetxattr(fd, "trusted.krsi", "x", 1, 0));
	EXPECT_EQ(1, fgetxattr(fd, "trusted.krsi", buf, sizeof(buf)));
	EXPECT_EQ(13, other_xattrs(fd));
	EXPECT_EQ(0, fremovexattr(fd, "trusted.krsi"));
	EXPECT_EQ(0, fsetxattr(fd, "security.krsi", "x", 1, 0));
	EXPECT_EQ(1, fgetxattr(fd, "security.krsi", buf, sizeof(buf)));
	EXPECT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(100, st.st_size);
	close(fd);
	EXPECT_EQ(0, link("/tmp/dir/file", "/tmp/dir/link"));
	EXPECT_EQ(0, symlink("file", "/tmp/dir/symlink"));
	EXPECT_EQ(4, readlink("/tmp/dir/symlink", buf, sizeof(buf)));
	EXPECT_EQ(0, access("/tmp/dir/symlink", R_OK));
	EXPECT_EQ(0, rename("/tmp/dir/link", "/tmp/dir/name"));
	EXPECT_EQ(0, mknod("/tmp/dir/fifo", S_IFIFO | 0600, 0));
	fd = inotify_init1(IN_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_LT(0, inotify_add_watch(fd, "/tmp/dir", IN_ALL_EVENTS));
	close(fd);
	EXPECT_EQ(0, unlink("/tmp/dir/file"));
	EXPECT_EQ(0, unlink("/tmp/dir/name"));
	EXPECT_EQ(0, unlink("/tmp/dir/symlink"));
	EXPECT_EQ(0, unlink("/tmp/dir/fifo"));
	EXPECT_EQ(0, rmdir("/tmp/dir"));
}

static void use_mounts(struct __test_metadata *const _metadata)
{
	char buf[64];
	int fd;

	ASSERT_EQ(0, mkdir("/tmp/a", 0755));
	ASSERT_EQ(0, mkdir("/tmp/b", 0755));
	/* The default of parsing parameters is not 0: tmpfs must see them. */
	EXPECT_EQ(0, mount("krsi", "/tmp/a", "tmpfs", 0, "size=1m,mode=0711"));
	EXPECT_EQ(0, mount("/tmp/a", "/tmp/b", NULL, MS_BIND, NULL));
	EXPECT_EQ(0, mount(NULL, "/tmp/b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	EXPECT_EQ(-EROFS, OK(open("/tmp/b/file", O_RDWR | O_CREAT, 0600)));
	EXPECT_EQ(0, umount("/tmp/b"));
	EXPECT_EQ(0, umount("/tmp/a"));
	EXPECT_EQ(0, mount("proc", "/tmp/a", "proc", 0, NULL));
	fd = open("/tmp/a/self/attr/current", O_RDONLY | O_CLOEXEC);
	EXPECT_LE(0, fd);
	EXPECT_EQ(-EINVAL, OK(read(fd, buf, sizeof(buf))));
	close(fd);
	EXPECT_EQ(0, umount("/tmp/a"));
	rmdir("/tmp/a");
	rmdir("/tmp/b");
}

static void use_sockets(struct __test_metadata *const _metadata)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/tmp/socket" };
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	socklen_t len = sizeof(addr);
	int listener, client, server, sv[2], value = 1;
	char buf[16];

	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	listener = socket(AF_INET, SOCK_STREAM, 0);
	ASSERT_LE(0, listener);
	ASSERT_EQ(0, ioctl(listener, SIOCSIFFLAGS, &ifr));
	EXPECT_EQ(0, setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value)));
	ASSERT_EQ(0, bind(listener, (struct sockaddr *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, getsockname(listener, (struct sockaddr *)&addr, &len));
	client = socket(AF_INET, SOCK_STREAM, 0);
	ASSERT_EQ(0, connect(client, (struct sockaddr *)&addr, sizeof(addr)));
	server = accept(listener, NULL, NULL);
	ASSERT_LE(0, server);
	EXPECT_EQ(5, send(client, "hello", 5, 0));
	EXPECT_EQ(5, recv(server, buf, sizeof(buf), 0));
	EXPECT_EQ(0, getpeername(client, (struct sockaddr *)&addr, &len));
	EXPECT_EQ(0, shutdown(client, SHUT_RDWR));
	close(server);
	close(client);
	close(listener);

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	EXPECT_EQ(5, send(sv[0], "hello", 5, 0));
	EXPECT_EQ(5, recv(sv[1], buf, sizeof(buf), 0));
	len = sizeof(buf);
	EXPECT_EQ(-ENOPROTOOPT, OK(getsockopt(sv[0], SOL_SOCKET, SO_PEERSEC, buf, &len)));
	close(sv[0]);
	close(sv[1]);

	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	ASSERT_EQ(0, bind(listener, (struct sockaddr *)&un, sizeof(un)));
	ASSERT_EQ(0, listen(listener, 1));
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	EXPECT_EQ(0, connect(client, (struct sockaddr *)&un, sizeof(un)));
	close(client);
	close(listener);
	unlink("/tmp/socket");
}

static void use_ipc(struct __test_metadata *const _metadata)
{
	struct {
		long type;
		char text[4];
	} msg = { 1, "abc" };
	struct sembuf op = { 0, 1, 0 };
	struct epoll_event event = { .events = EPOLLIN };
	int fds[2], id, epoll;
	char byte;
	void *shm;

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(1, write(fds[1], "x", 1));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	EXPECT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event));
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ(1, read(fds[0], &byte, 1));
	close(epoll);
	close(fds[0]);
	close(fds[1]);

	id = msgget(IPC_PRIVATE, 0600);
	ASSERT_LE(0, id);
	EXPECT_EQ(0, msgsnd(id, &msg, sizeof(msg.text), 0));
	EXPECT_EQ(sizeof(msg.text), msgrcv(id, &msg, sizeof(msg.text), 1, 0));
	EXPECT_EQ(0, msgctl(id, IPC_RMID, NULL));

	id = semget(IPC_PRIVATE, 1, 0600);
	ASSERT_LE(0, id);
	EXPECT_EQ(0, semop(id, &op, 1));
	EXPECT_EQ(0, semctl(id, 0, IPC_RMID));

	id = shmget(IPC_PRIVATE, 4096, 0600);
	ASSERT_LE(0, id);
	shm = shmat(id, NULL, 0);
	EXPECT_NE((void *)-1, shm);
	EXPECT_EQ(0, shmdt(shm));
	EXPECT_EQ(0, shmctl(id, IPC_RMID, NULL));
}

static void use_others(struct __test_metadata *const _metadata)
{
	struct io_uring_params params = {};
	char buf[16];
	long key;
	int fd;

	/* KEY_SPEC_PROCESS_KEYRING, KEYCTL_READ */
	key = syscall(SYS_add_key, "user", "krsi_test", "payload", 7, -2);
	EXPECT_LT(0, key);
	EXPECT_EQ(7, syscall(SYS_keyctl, 11, key, buf, sizeof(buf)));

	fd = syscall(SYS_io_uring_setup, 4, &params);
	EXPECT_LE(0, fd);
	close(fd);

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "krsi_test", 4, 4, 1, NULL);
	EXPECT_LE(0, fd);
	close(fd);

	fd = syscall(SYS_memfd_create, "krsi_test", 1);
	EXPECT_LE(0, fd);
	close(fd);
}

static void use_everything(struct __test_metadata *const _metadata)
{
	use_processes(_metadata);
	use_files(_metadata);
	use_mounts(_metadata);
	use_sockets(_metadata);
	use_ipc(_metadata);
	use_others(_metadata);
}

TEST_F_TIMEOUT(allhooks, system_works, TIMEOUT)
{
	int called;

	use_everything(_metadata);
	EXPECT_EQ(0, take_called(self));

	attach_all(_metadata, self);
	take_called(self);
	use_everything(_metadata);
	called = take_called(self);
	TH_LOG("%d hooks, %d attached, %d refused, %d called", self->hooks, self->attached,
	       self->refused, called);
	EXPECT_LT(100, called);

	detach_all(self);
	take_called(self);
	use_everything(_metadata);
	/* Void or not, none is called any more. */
	EXPECT_EQ(0, take_called(self));
}

/* Everything goes with the process that holds it, in whatever order. */
TEST_F_TIMEOUT(allhooks, killed_holder, TIMEOUT)
{
	int ready[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	if (!pid) {
		attach_all(_metadata, self);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	take_called(self);
	use_everything(_metadata);
	EXPECT_EQ(0, take_called(self));
}

TEST_HARNESS_MAIN
