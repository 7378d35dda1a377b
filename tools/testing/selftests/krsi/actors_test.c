// SPDX-License-Identifier: GPL-2.0
/*
 * What each actor of Documentation/security/krsi-threat-model.rst can and cannot
 * do to a policy. Some claims have their tests elsewhere; the document names them.
 */

#include <linux/capability.h>
#include <sys/prctl.h>

#include "common.h"
#include "token.h"

#define USER 65534
#define PIN "/sys/fs/bpf/krsi-actors"
#define BLOBS SECURITYFS "/krsi/blobs"

/* The policy: denies every getsid(). */
static const struct bpf_insn deny[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = -KRSI_ERRNO },
	{ .code = BPF_JMP | BPF_EXIT },
};

FIXTURE(actors)
{
	int id;
	int prog;
	int link;
	__u32 link_id;
};

FIXTURE_SETUP(actors)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	if (!krsi_active())
		SKIP(return, "KRSI is not active");
	self->id = hook_btf_id("task_getsid");
	ASSERT_LT(0, self->id);
	self->prog = load_insns(deny, ARRAY_SIZE(deny), self->id, "GPL", 0, NULL, 0);
	ASSERT_LE(0, self->prog);
	self->link = attach_fd(self->prog);
	ASSERT_LE(0, self->link);
	ASSERT_EQ(0, bpf_link_get_info_by_fd(self->link, &info, &len));
	self->link_id = info.id;
	if (access("/sys/fs/bpf", W_OK) || bpf_obj_pin(self->link, PIN))
		ASSERT_TRUE(!mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0755") &&
			    !bpf_obj_pin(self->link, PIN));
}

/* The test may not be allowed to. */
FIXTURE_TEARDOWN_PARENT(actors)
{
	unlink(PIN);
}

static bool denied(void)
{
	return OK(getsid(getpid())) == -KRSI_ERRNO;
}

/* Leaves the process nothing but @caps, as user USER. */
static bool become_user(__u64 caps)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ caps, caps, 0 }, { caps >> 32, caps >> 32, 0 },
	};

	return !prctl(PR_SET_KEEPCAPS, 1) && !setgid(USER) && !setuid(USER) &&
	       !syscall(SYS_capset, &header, data);
}

/* Nothing that a policy rests on can be read, replaced or removed. */
static void cannot_touch(struct __test_metadata *const _metadata, FIXTURE_DATA(actors) * self)
{
	static const char *const files[] = { "status", "hooks", "blobs", "boot" };
	char path[64];
	int i;

	/* What was inherited is not what is tested. */
	close(self->link);
	close(self->prog);
	self->link = -1;
	EXPECT_TRUE(denied());
	EXPECT_EQ(-EPERM, bpf_link_get_fd_by_id(self->link_id));
	EXPECT_GT(0, bpf_obj_get(PIN));
	EXPECT_GT(0, OK(unlink(PIN)));
	EXPECT_GT(0, OK(rename(PIN, PIN "2")));
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), SECURITYFS "/krsi/%s", files[i]);
		EXPECT_EQ(-EACCES, OK(open(path, O_RDONLY | O_CLOEXEC))) TH_LOG("%s", path);
	}
	EXPECT_EQ(-EACCES, OK(open(BLOBS, O_WRONLY | O_CLOEXEC)));
	/* That the policy is in force is no secret. */
	EXPECT_TRUE(read_text(SECURITYFS "/krsi/version", path, sizeof(path)));
	EXPECT_TRUE(denied());
}

TEST_F(actors, user)
{
	ASSERT_TRUE(become_user(0));
	EXPECT_EQ(-EPERM, load_insns(return_0, 2, self->id, "GPL", 0, NULL, 0));
	cannot_touch(_metadata, self);
}

/* All capabilities, but in a namespace that the user has made. */
TEST_F(actors, user_namespace)
{
	ASSERT_TRUE(become_user(0));
	ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
	ASSERT_EQ(0, unshare(CLONE_NEWUSER | CLONE_NEWNS));
	ASSERT_TRUE(write_text("/proc/self/uid_map", "0 65534 1"));
	ASSERT_EQ(0, getuid());
	EXPECT_EQ(-EPERM, load_insns(return_0, 2, self->id, "GPL", 0, NULL, 0));
	cannot_touch(_metadata, self);
	/* Hiding securityfs changes what the user sees, not what is decided. */
	EXPECT_EQ(0, mount("actors", "/sys/kernel", "tmpfs", 0, NULL));
	EXPECT_TRUE(denied());
}

/* Two of them make a policy; they do not unmake that of others. */
TEST_F(actors, cap_bpf)
{
	int prog, link;

	ASSERT_TRUE(become_user(1ULL << CAP_BPF | 1ULL << CAP_PERFMON));
	prog = load_insns(return_0, 2, self->id, "GPL", 0, NULL, 0);
	ASSERT_LE(0, prog);
	link = attach_fd(prog);
	EXPECT_LE(0, link);
	/* It is the newest, and allows; the older one still denies. */
	EXPECT_TRUE(denied());
	close(link);
	close(prog);
	cannot_touch(_metadata, self);
}

TEST_F(actors, cap_bpf_alone)
{
	ASSERT_TRUE(become_user(1ULL << CAP_BPF));
	EXPECT_EQ(-EPERM, load_insns(return_0, 2, self->id, "GPL", 0, NULL, 0));
	cannot_touch(_metadata, self);
}

/* A file descriptor of a program is the right to attach it. */
TEST_F(actors, program_was_handed_over)
{
	int prog, link;

	prog = load_insns(return_0, 2, self->id, "GPL", 0, NULL, 0);
	ASSERT_LE(0, prog);
	ASSERT_TRUE(become_user(0));
	link = attach_fd(prog);
	EXPECT_LE(0, link);
	EXPECT_TRUE(denied());
	close(link);
	EXPECT_TRUE(denied());
}

static int load_with(int token, enum bpf_prog_type type, int id)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		.expected_attach_type = id ? BPF_LSM_MAC : 0,
		.attach_btf_id = id,
		.prog_flags = BPF_F_TOKEN_FD,
		.token_fd = token,
	);

	return bpf_prog_load(type, "krsi_test", "GPL", return_0, 2, &opts);
}

static int token_btf_id;

/* The token allows programs of every type: policies for the whole system too. */
static int use_any(int token)
{
	int prog = load_with(token, BPF_PROG_TYPE_LSM, token_btf_id), link, fd;

	if (prog < 0)
		return 2;
	link = attach_fd(prog);
	if (link < 0)
		return 3;
	/* An older program still denies. */
	if (!denied())
		return 4;
	/* It is no right over what others have attached. */
	if (bpf_link_get_fd_by_id(1) != -EPERM)
		return 5;
	/* User 0 can open the file, but not write to it. */
	fd = open(BLOBS, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, "claim inode actors 8", 20) > 0 ? 6 : 0;
}

TEST_F(actors, token)
{
	token_btf_id = self->id;
	EXPECT_EQ(0, with_token(use_any));
	EXPECT_TRUE(denied());
}

static int use_other(int token)
{
	int prog = load_with(token, BPF_PROG_TYPE_SOCKET_FILTER, 0);

	if (prog < 0)
		return 2;
	return load_with(token, BPF_PROG_TYPE_LSM, token_btf_id) == -EPERM ? 0 : 3;
}

TEST_F(actors, token_without_lsm)
{
	token_btf_id = self->id;
	token_progs = "socket_filter";
	EXPECT_EQ(0, with_token(use_other));
	token_progs = "any";
}

/* Root can detach, which is seen at once. */
TEST_F(actors, root)
{
	int link;

	EXPECT_TRUE(denied());
	close(self->link);
	self->link = -1;
	EXPECT_TRUE(denied());
	link = bpf_link_get_fd_by_id(self->link_id);
	EXPECT_LE(0, link);
	EXPECT_EQ(-EOPNOTSUPP, bpf_link_detach(link));
	close(link);
	EXPECT_EQ(0, unlink(PIN));
	EXPECT_TRUE(WAIT_FOR(!denied(), 60));
}

TEST_HARNESS_MAIN
