// SPDX-License-Identifier: GPL-2.0
/*
 * What keeps a program attached, and what ends that: links, their file
 * descriptors, pins and the processes that hold them.
 */

#include "attach.skel.h"
#include "common.h"

FIXTURE(lifetime)
{
	struct attach_bpf *skel;
	struct bpf_program *prog;
	struct bpf_link *link;
	int prog_fd;
};

static int use_getpgid(void)
{
	return OK(getpgid(getpid()));
}

/* True if calls are denied. */
static bool denied(void)
{
	return use_getpgid() == -EPERM;
}

static bool allowed(void)
{
	return use_getpgid() > 0;
}

static struct attach_bpf *load(pid_t target)
{
	struct attach_bpf *skel;

	skel = attach_bpf__open();
	if (!skel)
		return NULL;
	if (!load_only(skel->obj, "task_getpgid") || attach_bpf__load(skel)) {
		attach_bpf__destroy(skel);
		return NULL;
	}
	skel->bss->target = target;
	skel->bss->verdict = -EPERM;
	return skel;
}

FIXTURE_SETUP(lifetime)
{
	char dir[16];

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	ASSERT_EQ(0, mkdir("/tmp/bpf", 0700));
	ASSERT_EQ(0, mount("bpffs", "/tmp/bpf", "bpf", 0, NULL));

	self->skel = load(getpid());
	ASSERT_NE(NULL, self->skel);
	self->prog = self->skel->progs.task_getpgid;
	self->prog_fd = bpf_program__fd(self->prog);
	ASSERT_TRUE(allowed());
}

FIXTURE_TEARDOWN(lifetime)
{
	bpf_link__destroy(self->link);
	attach_bpf__destroy(self->skel);
	umount("/tmp/bpf");
}

TEST_F(lifetime, twice_is_busy)
{
	int link;

	link = attach_fd(self->prog_fd);
	ASSERT_LE(0, link);
	EXPECT_EQ(-EBUSY, attach_fd(self->prog_fd));
	/* The failure changed nothing. */
	EXPECT_TRUE(denied());
	close(link);
	EXPECT_TRUE(allowed());
}

TEST_F(lifetime, attach_again)
{
	int link, i;

	for (i = 0; i < 5; i++) {
		link = attach_fd(self->prog_fd);
		ASSERT_LE(0, link);
		EXPECT_TRUE(denied());
		ASSERT_EQ(0, close(link));
		EXPECT_TRUE(allowed());
	}
}

/* The last descriptor of a link counts, not the first. */
TEST_F(lifetime, duplicate_keeps_it)
{
	int link, copy;

	link = attach_fd(self->prog_fd);
	ASSERT_LE(0, link);
	copy = dup(link);
	ASSERT_LE(0, copy);
	close(link);
	EXPECT_TRUE(denied());
	close(copy);
	EXPECT_TRUE(allowed());
}

TEST_F(lifetime, descriptor_by_id_keeps_it)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	int link, copy;

	link = attach_fd(self->prog_fd);
	ASSERT_LE(0, link);
	ASSERT_EQ(0, bpf_link_get_info_by_fd(link, &info, &len));
	copy = bpf_link_get_fd_by_id(info.id);
	ASSERT_LE(0, copy);
	close(link);
	EXPECT_TRUE(denied());
	close(copy);
	EXPECT_TRUE(allowed());
	EXPECT_EQ(-ENOENT, bpf_link_get_fd_by_id(info.id));
}

/* The link keeps the program, as the program keeps its maps. */
TEST_F(lifetime, link_keeps_program)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int link, copy;

	ASSERT_EQ(0, bpf_prog_get_info_by_fd(self->prog_fd, &info, &len));
	link = attach_fd(self->prog_fd);
	ASSERT_LE(0, link);
	attach_bpf__destroy(self->skel);
	self->skel = NULL;
	EXPECT_TRUE(denied());
	copy = bpf_prog_get_fd_by_id(info.id);
	EXPECT_LE(0, copy);
	close(copy);
	close(link);
	EXPECT_TRUE(allowed());
	/* Its memory may be freed a grace period later. */
	EXPECT_TRUE(WAIT_FOR((copy = bpf_prog_get_fd_by_id(info.id)) < 0 || close(copy), 60));
}

/* A loader that pins its link and goes. */
static int pin_and_exit(void *arg)
{
	struct attach_bpf *skel = load(*(pid_t *)arg);
	struct bpf_link *link;

	if (!skel)
		return 1;
	link = bpf_program__attach(skel->progs.task_getpgid);
	if (!link)
		return 2;
	if (bpf_link__pin(link, "/tmp/bpf/link"))
		return 3;
	return 0;
}

TEST_F(lifetime, pinned_link_survives_loader)
{
	pid_t target = getpid();
	int link;

	ASSERT_EQ(0, in_child(pin_and_exit, &target));
	EXPECT_TRUE(denied());

	/* Opened and closed again, it is still pinned. */
	link = bpf_obj_get("/tmp/bpf/link");
	ASSERT_LE(0, link);
	close(link);
	EXPECT_TRUE(denied());

	ASSERT_EQ(0, unlink("/tmp/bpf/link"));
	EXPECT_TRUE(WAIT_FOR(allowed(), 60));
}

TEST_F(lifetime, pinned_link_goes_with_bpffs)
{
	pid_t target = getpid();

	ASSERT_EQ(0, in_child(pin_and_exit, &target));
	EXPECT_TRUE(denied());
	ASSERT_EQ(0, umount("/tmp/bpf"));
	EXPECT_TRUE(WAIT_FOR(allowed(), 60));
}

/* A pinned program alone decides nothing. */
TEST_F(lifetime, pinned_program_does_not_run)
{
	int prog, link;

	ASSERT_EQ(0, bpf_program__pin(self->prog, "/tmp/bpf/prog"));
	link = attach_fd(self->prog_fd);
	ASSERT_LE(0, link);
	attach_bpf__destroy(self->skel);
	self->skel = NULL;
	close(link);
	EXPECT_TRUE(allowed());

	/* It can be attached by who opens it. */
	prog = bpf_obj_get("/tmp/bpf/prog");
	ASSERT_LE(0, prog);
	link = attach_fd(prog);
	ASSERT_LE(0, link);
	EXPECT_TRUE(denied());
	close(link);
	close(prog);
	EXPECT_TRUE(allowed());
}

struct loader {
	pid_t pid;
	int ready[2];
};

/* Forks a process that attaches a program, says so and waits. */
static void start_loader(struct __test_metadata *const _metadata, struct loader *loader)
{
	pid_t target = getpid();
	char byte;

	ASSERT_EQ(0, pipe2(loader->ready, O_CLOEXEC));
	loader->pid = fork();
	ASSERT_LE(0, loader->pid);
	if (!loader->pid) {
		struct attach_bpf *skel = load(target);

		if (!skel || !bpf_program__attach(skel->progs.task_getpgid))
			_exit(1);
		if (write(loader->ready[1], "x", 1) != 1)
			_exit(2);
		pause();
		_exit(0);
	}
	close(loader->ready[1]);
	ASSERT_EQ(1, read(loader->ready[0], &byte, 1));
	close(loader->ready[0]);
}

TEST_F(lifetime, killed_loader_detaches)
{
	struct loader loader;
	int status;

	start_loader(_metadata, &loader);
	EXPECT_TRUE(denied());
	ASSERT_EQ(0, kill(loader.pid, SIGKILL));
	ASSERT_EQ(loader.pid, waitpid(loader.pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_TRUE(allowed());
}

/* Of two loaders, one is killed: the other's program decides on. */
TEST_F(lifetime, killed_loader_detaches_only_its_own)
{
	struct loader one, two;

	start_loader(_metadata, &one);
	start_loader(_metadata, &two);
	kill(one.pid, SIGKILL);
	ASSERT_EQ(one.pid, waitpid(one.pid, NULL, 0));
	EXPECT_TRUE(denied());
	kill(two.pid, SIGKILL);
	ASSERT_EQ(two.pid, waitpid(two.pid, NULL, 0));
	EXPECT_TRUE(allowed());
}

/* A descriptor on its way through a socket counts too. */
TEST_F(lifetime, fork_shares_link)
{
	int link;
	pid_t pid;

	link = attach_fd(self->prog_fd);
	ASSERT_LE(0, link);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	close(link);
	EXPECT_TRUE(denied());
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_TRUE(allowed());
}

/* Tracing links, which LSM programs have, are neither updated nor detached. */
TEST_F(lifetime, link_update_is_refused)
{
	struct attach_bpf *other = load(getpid());
	int link;

	ASSERT_NE(NULL, other);
	link = attach_fd(self->prog_fd);
	ASSERT_LE(0, link);
	EXPECT_EQ(-EINVAL, bpf_link_update(link, bpf_program__fd(other->progs.task_getpgid), NULL));
	EXPECT_EQ(-EOPNOTSUPP, bpf_link_detach(link));
	EXPECT_TRUE(denied());
	close(link);
	attach_bpf__destroy(other);
}

TEST_F(lifetime, link_info)
{
	struct bpf_prog_info prog_info = {};
	struct bpf_link_info info = {};
	__u32 len = sizeof(prog_info);
	int link;

	ASSERT_EQ(0, bpf_prog_get_info_by_fd(self->prog_fd, &prog_info, &len));
	EXPECT_EQ(BPF_PROG_TYPE_LSM, prog_info.type);
	EXPECT_EQ(hook_btf_id("task_getpgid"), prog_info.attach_btf_id);

	link = attach_cookie_fd(self->prog_fd, 0x1122334455667788ULL);
	ASSERT_LE(0, link);
	len = sizeof(info);
	ASSERT_EQ(0, bpf_link_get_info_by_fd(link, &info, &len));
	EXPECT_EQ(BPF_LINK_TYPE_TRACING, info.type);
	EXPECT_LT(0, info.id);
	EXPECT_EQ(prog_info.id, info.prog_id);
	EXPECT_EQ(BPF_LSM_MAC, info.tracing.attach_type);
	/* The object is vmlinux' BTF. */
	EXPECT_LT(0, info.tracing.target_obj_id);
	EXPECT_EQ(hook_btf_id("task_getpgid"), info.tracing.target_btf_id);
	close(link);
}

TEST_F(lifetime, link_fdinfo)
{
	char path[64], text[1024], want[64];
	int link;

	link = attach_fd(self->prog_fd);
	ASSERT_LE(0, link);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", link);
	ASSERT_TRUE(read_text(path, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "link_type:\ttracing\n"));
	snprintf(want, sizeof(want), "attach_type:\t%d\n", BPF_LSM_MAC);
	EXPECT_NE(NULL, strstr(text, want));
	snprintf(want, sizeof(want), "target_btf_id:\t%d\n", hook_btf_id("task_getpgid"));
	EXPECT_NE(NULL, strstr(text, want));
	close(link);
}

TEST_F(lifetime, bpftool_lists_link)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	char cmd[64], text[1024];
	size_t size;
	FILE *out;
	int link;

	if (system("bpftool version >/dev/null 2>&1"))
		SKIP(return, "bpftool is not installed");
	link = attach_fd(self->prog_fd);
	ASSERT_LE(0, link);
	ASSERT_EQ(0, bpf_link_get_info_by_fd(link, &info, &len));
	snprintf(cmd, sizeof(cmd), "bpftool link show id %u 2>&1", info.id);
	out = popen(cmd, "r");
	ASSERT_NE(NULL, out);
	size = fread(text, 1, sizeof(text) - 1, out);
	text[size] = '\0';
	/* It also exits with an error if it could not name the processes. */
	pclose(out);
	snprintf(cmd, sizeof(cmd), "%u: tracing  prog %u", info.id, info.prog_id);
	EXPECT_NE(NULL, strstr(text, cmd)) TH_LOG("%s", text);
	EXPECT_NE(NULL, strstr(text, "attach_type lsm_mac")) TH_LOG("%s", text);
	close(link);
}

/* How libbpf attached before kernels had BPF_LINK_CREATE for tracing. */
TEST_F(lifetime, raw_tracepoint_open)
{
	int link;

	EXPECT_EQ(-EINVAL, bpf_raw_tracepoint_open("task_getpgid", self->prog_fd));
	EXPECT_TRUE(allowed());
	link = bpf_raw_tracepoint_open(NULL, self->prog_fd);
	ASSERT_LE(0, link);
	EXPECT_TRUE(denied());
	EXPECT_EQ(-EBUSY, bpf_raw_tracepoint_open(NULL, self->prog_fd));
	close(link);
	EXPECT_TRUE(allowed());
}

/* Libbpf tries bpf_raw_tracepoint_open() where BPF_LINK_CREATE is refused. */
static int create_link(int prog, int target, int type, __u32 btf_id)
{
	union bpf_attr attr = {};

	attr.link_create.prog_fd = prog;
	attr.link_create.target_fd = target;
	attr.link_create.attach_type = type;
	attr.link_create.target_btf_id = btf_id;
	return OK(syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr.link_create)));
}

/* Arguments of BPF_LINK_CREATE and its relatives that make no sense here. */
TEST_F(lifetime, bad_attach_arguments)
{
	int prog = self->prog_fd;

	EXPECT_EQ(-EINVAL, create_link(prog, 0, BPF_TRACE_FENTRY, 0));
	EXPECT_EQ(-EINVAL, create_link(prog, 0, BPF_LSM_CGROUP, 0));
	EXPECT_EQ(-EINVAL, create_link(prog, prog, BPF_LSM_MAC, 0));
	EXPECT_EQ(-EINVAL, create_link(prog, 0, BPF_LSM_MAC, hook_btf_id("file_open")));
	EXPECT_EQ(-EINVAL, create_link(prog, prog, BPF_LSM_MAC, hook_btf_id("file_open")));
	EXPECT_EQ(-EBADF, create_link(-1, 0, BPF_LSM_MAC, 0));
	EXPECT_EQ(-EINVAL, bpf_prog_attach(prog, 0, BPF_LSM_MAC, 0));
	EXPECT_TRUE(allowed());
}

TEST_HARNESS_MAIN
