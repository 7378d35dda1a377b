// SPDX-License-Identifier: GPL-2.0
/*
 * A program decides: on hooks of every kind, an action is allowed, denied with
 * the program's own errno, and allowed again once the program is detached.
 */

#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "attach.skel.h"
#include "common.h"

static int use_bpf(void)
{
	__u32 id;

	return OK(bpf_prog_get_next_id(0, &id));
}

static int use_exec(void)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		execl("/bin/true", "true", NULL);
		_exit(errno);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

static int use_ioctl(void)
{
	int fd, ret, n;

	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ret = OK(ioctl(fd, FIONREAD, &n));
	close(fd);
	return ret;
}

static int use_open(void)
{
	int fd;

	fd = OK(open("/dev/null", O_RDONLY | O_CLOEXEC));
	if (fd >= 0)
		close(fd);
	return fd;
}

static int use_key(void)
{
	static int number;
	char name[32];

	/* A new one each time: an old one would be updated. */
	snprintf(name, sizeof(name), "krsi_test%d", number++);
	/* KEY_SPEC_PROCESS_KEYRING */
	return OK(syscall(SYS_add_key, "user", name, "x", 1, -2));
}

static int use_mmap(void)
{
	void *p;

	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	munmap(p, 4096);
	return 0;
}

static int use_mkdir(void)
{
	int ret;

	ret = OK(mkdir("/tmp/dir", 0700));
	rmdir("/tmp/dir");
	return ret;
}

static int use_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.size = sizeof(attr),
	};
	int fd;

	fd = OK(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
	if (fd >= 0)
		close(fd);
	return fd;
}

static int use_ptrace(void)
{
	pid_t pid;
	int ret;

	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	ret = OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return ret;
}

static int use_mount(void)
{
	int ret;

	ret = OK(mount("krsi", "/tmp", "tmpfs", 0, NULL));
	if (!ret)
		umount("/tmp");
	return ret;
}

static int use_bind(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd, ret;

	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ret = OK(bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	close(fd);
	return ret;
}

static int use_socket(void)
{
	int fd;

	fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
	if (fd >= 0)
		close(fd);
	return fd;
}

static int use_getpgid(void)
{
	return OK(getpgid(getpid()));
}

static int use_nice(void)
{
	return OK(setpriority(PRIO_PROCESS, 0, 1));
}

static int use_uring(void)
{
	struct io_uring_params params = {};
	int fd;

	fd = OK(syscall(SYS_io_uring_setup, 4, &params));
	if (fd >= 0)
		close(fd);
	return fd;
}

static int unshare_user(void *arg)
{
	return unshare(CLONE_NEWUSER) ? errno : 0;
}

static int use_userns(void)
{
	return -in_child(unshare_user, NULL);
}

FIXTURE(attach)
{
	struct attach_bpf *skel;
	struct bpf_program *prog;
	struct bpf_link *link;
};

FIXTURE_VARIANT(attach)
{
	const char *hook;
	int (*action)(void);
};

/* clang-format off */
#define HOOK(name, act)					\
FIXTURE_VARIANT_ADD(attach, name) {			\
	.hook = #name,					\
	.action = act,					\
}

HOOK(bpf, use_bpf);
HOOK(bprm_check_security, use_exec);
HOOK(file_ioctl, use_ioctl);
HOOK(file_open, use_open);
HOOK(key_alloc, use_key);
HOOK(mmap_file, use_mmap);
HOOK(path_mkdir, use_mkdir);
HOOK(perf_event_open, use_perf);
HOOK(ptrace_access_check, use_ptrace);
HOOK(sb_mount, use_mount);
HOOK(socket_bind, use_bind);
HOOK(socket_create, use_socket);
HOOK(task_getpgid, use_getpgid);
HOOK(task_setnice, use_nice);
HOOK(uring_allowed, use_uring);
HOOK(userns_create, use_userns);
/* clang-format on */

FIXTURE_SETUP(attach)
{
	char dir[16];

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));

	self->skel = attach_bpf__open();
	ASSERT_NE(NULL, self->skel);
	ASSERT_TRUE(load_only(self->skel->obj, variant->hook));
	ASSERT_EQ(0, attach_bpf__load(self->skel));
	self->skel->bss->target = getpid();

	self->prog = bpf_object__find_program_by_name(self->skel->obj, variant->hook);
	ASSERT_NE(NULL, self->prog);
}

FIXTURE_TEARDOWN(attach)
{
	bpf_link__destroy(self->link);
	attach_bpf__destroy(self->skel);
}

/* A loaded program decides nothing before it is attached. */
TEST_F(attach, loaded_only)
{
	self->skel->bss->verdict = -EPERM;
	EXPECT_LE(0, variant->action());
	EXPECT_EQ(0, self->skel->bss->calls);
}

TEST_F(attach, allow_deny_detach)
{
	self->link = bpf_program__attach(self->prog);
	ASSERT_NE(NULL, self->link);

	EXPECT_LE(0, variant->action());
	EXPECT_LT(0, self->skel->bss->calls);

	self->skel->bss->calls = 0;
	self->skel->bss->verdict = -EPERM;
	EXPECT_EQ(-EPERM, variant->action());
	EXPECT_LT(0, self->skel->bss->calls);

	/* The verdict is the errno, whatever it is. */
	self->skel->bss->verdict = -KRSI_ERRNO;
	EXPECT_EQ(-KRSI_ERRNO, variant->action());

	ASSERT_EQ(0, bpf_link__destroy(self->link));
	self->link = NULL;
	self->skel->bss->calls = 0;
	EXPECT_LE(0, variant->action());
	EXPECT_EQ(0, self->skel->bss->calls);
}

TEST_HARNESS_MAIN
