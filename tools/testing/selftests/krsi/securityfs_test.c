// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/security/krsi: what is attached where, and what came of it. The
 * formats are an interface, see Documentation/admin-guide/LSM/krsi.rst.
 */

#include <limits.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

#include "common.h"
#include "order.skel.h"

#define DIR SECURITYFS "/krsi"
#define TEXT_SIZE (1 << 18)

/* The kernel's own; no system call returns it. */
#ifndef ENOPARAM
#define ENOPARAM 519
#endif

struct definition {
	const char *name;
	const char *type;
	int def;
};

/* Every hook that Linux defines, whether or not this kernel enables it. */
#define CONFIG_SECURITY
#define CONFIG_AUDIT
#define CONFIG_BPF_SYSCALL
#define CONFIG_IO_URING
#define CONFIG_KEYS
#define CONFIG_KEY_NOTIFICATIONS
#define CONFIG_PERF_EVENTS
#define CONFIG_SECURITY_INFINIBAND
#define CONFIG_SECURITY_NETWORK
#define CONFIG_SECURITY_NETWORK_XFRM
#define CONFIG_SECURITY_PATH
#define CONFIG_WATCH_QUEUE
#define LSM_RET_VOID 0
#define LSM_HOOK(RET, DEFAULT, NAME, ...) { #NAME, #RET, DEFAULT },
static const struct definition definitions[] = {
#include "../../../../include/linux/lsm_hook_defs.h"
};

#undef LSM_HOOK

static const struct definition *define(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(definitions); i++)
		if (!strcmp(definitions[i].name, name))
			return &definitions[i];
	return NULL;
}

/* A line of "hooks". */
struct line {
	char name[128];
	int sleepable;
	char def[16];
	unsigned long long calls;
	unsigned long long denials;
	char programs[512];
};

static bool parse(const char *text, struct line *line)
{
	int end = 0, found;

	found = sscanf(text, "%127[a-z0-9_] sleepable=%d default=%15s calls=%llu denials=%llu%n",
		       line->name, &line->sleepable, line->def, &line->calls, &line->denials, &end);
	if (found != 5)
		return false;
	text += end;
	return sscanf(text, " programs=%511[^\n]%n", line->programs, &end) == 1 &&
	       text[end] == '\n';
}

FIXTURE(securityfs)
{
	struct order_bpf *skel;
	char *text;
};

FIXTURE_SETUP(securityfs)
{
	if (!krsi_active())
		SKIP(return, "krsi is not active");
	self->text = malloc(TEXT_SIZE);
	ASSERT_NE(NULL, self->text);
	self->skel = order_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel);
	self->skel->bss->target = getpid();
}

FIXTURE_TEARDOWN(securityfs)
{
	order_bpf__destroy(self->skel);
	free(self->text);
}

/* Reads the line of @hook. */
static void read_line(struct __test_metadata *const _metadata, FIXTURE_DATA(securityfs) * self,
		      const char *hook, struct line *line)
{
	const char *p;

	ASSERT_TRUE(read_text(DIR "/hooks", self->text, TEXT_SIZE));
	for (p = self->text; *p; p = strchr(p, '\n') + 1) {
		ASSERT_TRUE(parse(p, line)) TH_LOG("%.200s", p);
		if (!strcmp(line->name, hook))
			return;
	}
	ASSERT_TRUE(false) TH_LOG("no line for %s", hook);
}

/* The number after @key in "status", or -1. */
static long long status_of(FIXTURE_DATA(securityfs) * self, const char *key)
{
	size_t len = strlen(key);
	const char *p;

	if (!read_text(DIR "/status", self->text, TEXT_SIZE))
		return -1;
	for (p = self->text; p && *p; p = strchr(p, '\n'), p += !!p)
		if (!strncmp(p, key, len) && p[len] == ' ')
			return strtoll(p + len + 1, NULL, 10);
	return -1;
}

static struct bpf_prog_info info_of(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &len);
	return info;
}

TEST_F(securityfs, files_are_read_only)
{
	static const char * const files[] = { "version", "hooks", "status" };
	char path[64];
	struct stat st;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), DIR "/%s", files[i]);
		ASSERT_EQ(0, stat(path, &st));
		EXPECT_TRUE(S_ISREG(st.st_mode));
		EXPECT_EQ(0, st.st_mode & 0222);
		EXPECT_EQ(0400, st.st_mode & 0400);
		/* Root may open it for writing, and write nothing. */
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			EXPECT_EQ(-1, write(fd, "x", 1));
			close(fd);
		}
	}
}

TEST_F(securityfs, version)
{
	static const char want[] = "abi 1\nfeatures";
	char *features;

	ASSERT_TRUE(read_text(DIR "/version", self->text, TEXT_SIZE));
	EXPECT_EQ(0, strncmp(self->text, want, strlen(want))) TH_LOG("%s", self->text);
	features = self->text + strlen(want);
	EXPECT_TRUE(*features == ' ' || *features == '\n');
	/* Two lines, no more. */
	EXPECT_EQ(features + strcspn(features, "\n") + 1, self->text + strlen(self->text));
}

TEST_F(securityfs, status_counts)
{
	long long programs, hooks;
	struct bpf_link *link[3];

	ASSERT_TRUE(read_text(DIR "/status", self->text, TEXT_SIZE));
	EXPECT_EQ(0, strncmp(self->text, "lsm krsi\nactive 1\n", 18)) TH_LOG("%s", self->text);

	programs = status_of(self, "programs");
	hooks = status_of(self, "hooks_attached");
	ASSERT_LE(0, programs);
	ASSERT_LE(0, hooks);
	link[0] = bpf_program__attach(self->skel->progs.getpgid0);
	EXPECT_EQ(programs + 1, status_of(self, "programs"));
	EXPECT_EQ(hooks + 1, status_of(self, "hooks_attached"));
	link[1] = bpf_program__attach(self->skel->progs.getpgid1);
	EXPECT_EQ(programs + 2, status_of(self, "programs"));
	EXPECT_EQ(hooks + 1, status_of(self, "hooks_attached"));
	link[2] = bpf_program__attach(self->skel->progs.fowner0);
	EXPECT_EQ(programs + 3, status_of(self, "programs"));
	EXPECT_EQ(hooks + 2, status_of(self, "hooks_attached"));
	bpf_link__destroy(link[0]);
	bpf_link__destroy(link[1]);
	bpf_link__destroy(link[2]);
	EXPECT_EQ(programs, status_of(self, "programs"));
	EXPECT_EQ(hooks, status_of(self, "hooks_attached"));
}

/* One line for each hook of this kernel, and what the kernel knows of it. */
TEST_F_TIMEOUT(securityfs, every_hook_has_a_line, 600)
{
	const struct definition *definition;
	const struct btf_member *m;
	int lines = 0, hooks = 0, id, i, prog;
	const struct btf_type *t;
	struct line line;
	struct btf *btf;
	char name[160], def[16];
	const char *p;

	btf = btf__load_vmlinux_btf();
	ASSERT_NE(NULL, btf);
	id = btf__find_by_name_kind(btf, "security_list_options", BTF_KIND_UNION);
	ASSERT_LT(0, id);
	t = btf__type_by_id(btf, id);
	m = btf_members(t);
	for (i = 0; i < btf_vlen(t); i++)
		hooks += !!define(btf__name_by_offset(btf, m[i].name_off));

	ASSERT_TRUE(read_text(DIR "/hooks", self->text, TEXT_SIZE));
	for (p = self->text; *p; p = strchr(p, '\n') + 1, lines++) {
		ASSERT_TRUE(parse(p, &line)) TH_LOG("%.200s", p);

		definition = define(line.name);
		ASSERT_NE(NULL, definition) TH_LOG("%s", line.name);
		if (!strcmp(definition->type, "void"))
			snprintf(def, sizeof(def), "void");
		else
			snprintf(def, sizeof(def), "%d", definition->def);
		EXPECT_STREQ(def, line.def) TH_LOG("%s", line.name);

		/* The verifier is who knows whether it may sleep. */
		snprintf(name, sizeof(name), "bpf_lsm_%s", line.name);
		id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
		ASSERT_LT(0, id) TH_LOG("%s", line.name);
		prog = load_insns(return_0, 2, id, "GPL", 0, NULL, 0);
		if (prog < 0)
			continue;
		close(prog);
		prog = load_insns(return_0, 2, id, "GPL", BPF_F_SLEEPABLE, NULL, 0);
		EXPECT_EQ(prog >= 0, line.sleepable) TH_LOG("%s", line.name);
		if (prog >= 0)
			close(prog);

		/* No line twice. */
		snprintf(name, sizeof(name), "\n%s sleepable=", line.name);
		EXPECT_EQ(NULL, strstr(strchr(p, '\n'), name)) TH_LOG("%s", line.name);
	}
	EXPECT_EQ(hooks, lines);
	btf__free(btf);
}

TEST_F(securityfs, programs_are_listed)
{
	struct bpf_link *link[2];
	struct line line;
	char want[128];

	read_line(_metadata, self, "task_getpgid", &line);
	EXPECT_STREQ("-", line.programs);

	link[0] = bpf_program__attach(self->skel->progs.getpgid0);
	ASSERT_NE(NULL, link[0]);
	read_line(_metadata, self, "task_getpgid", &line);
	snprintf(want, sizeof(want), "%u:getpgid0", info_of(self->skel->progs.getpgid0).id);
	EXPECT_STREQ(want, line.programs);

	/* In the order in which they run. */
	link[1] = bpf_program__attach(self->skel->progs.getpgid1);
	ASSERT_NE(NULL, link[1]);
	read_line(_metadata, self, "task_getpgid", &line);
	snprintf(want, sizeof(want), "%u:getpgid1,%u:getpgid0",
		 info_of(self->skel->progs.getpgid1).id, info_of(self->skel->progs.getpgid0).id);
	EXPECT_STREQ(want, line.programs);
	/* Nobody else's. */
	read_line(_metadata, self, "task_getsid", &line);
	EXPECT_STREQ("-", line.programs);

	bpf_link__destroy(link[0]);
	bpf_link__destroy(link[1]);
	read_line(_metadata, self, "task_getpgid", &line);
	EXPECT_STREQ("-", line.programs);
}

TEST_F(securityfs, calls_and_denials_count)
{
	struct line before, after;
	struct bpf_link *link;
	int i;

	/* Without a program nothing is counted: nothing runs. */
	read_line(_metadata, self, "task_getpgid", &before);
	EXPECT_LT(0, getpgid(getpid()));
	read_line(_metadata, self, "task_getpgid", &after);
	EXPECT_EQ(before.calls, after.calls);

	link = bpf_program__attach(self->skel->progs.getpgid0);
	ASSERT_NE(NULL, link);
	read_line(_metadata, self, "task_getpgid", &before);
	for (i = 0; i < 10; i++)
		EXPECT_LT(0, getpgid(getpid()));
	read_line(_metadata, self, "task_getpgid", &after);
	EXPECT_LE(before.calls + 10, after.calls);
	EXPECT_EQ(before.denials, after.denials);

	self->skel->bss->verdict[0] = -EPERM;
	for (i = 0; i < 5; i++)
		EXPECT_EQ(-EPERM, OK(getpgid(getpid())));
	read_line(_metadata, self, "task_getpgid", &before);
	EXPECT_LE(after.calls + 5, before.calls);
	EXPECT_EQ(after.denials + 5, before.denials);
	bpf_link__destroy(link);
}

/* The default of this hook is an errno, which denies nothing. */
TEST_F(securityfs, default_is_no_denial)
{
	struct line before, after;
	int prog, link;

	prog = load_insns(return_0, 2, hook_btf_id("task_prctl"), "GPL", 0, NULL, 0);
	ASSERT_LE(0, prog);
	link = attach_fd(prog);
	ASSERT_LE(0, link);
	read_line(_metadata, self, "task_prctl", &before);
	EXPECT_LE(0, prctl(PR_GET_DUMPABLE));
	read_line(_metadata, self, "task_prctl", &after);
	EXPECT_LT(before.calls, after.calls);
	EXPECT_EQ(before.denials, after.denials);
	close(link);
	close(prog);
}

/* However small the reads are, the text is whole. */
/*
 * A program can return any value where the hook returns nothing, also the one
 * that KRSI uses to have the trampoline call the hook's stub.
 */
TEST_F(securityfs, any_return_value_counts)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = 0, .imm = INT_MIN },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int i, prog, link, fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct line before, after;

	prog = load_insns(insns, ARRAY_SIZE(insns), hook_btf_id("file_set_fowner"), "GPL", 0,
			  NULL, 0);
	ASSERT_LE(0, prog);
	link = attach_fd(prog);
	ASSERT_LE(0, link);
	read_line(_metadata, self, "file_set_fowner", &before);
	for (i = 0; i < 10; i++)
		EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	read_line(_metadata, self, "file_set_fowner", &after);
	EXPECT_LE(before.calls + 10, after.calls);
	EXPECT_EQ(before.denials, after.denials);
	close(link);
	close(prog);
	close(fd);
}

TEST_F(securityfs, small_reads)
{
	static char small[TEXT_SIZE];
	size_t total = 0;
	ssize_t len;
	int fd;

	ASSERT_TRUE(read_text(DIR "/status", self->text, TEXT_SIZE));
	fd = open(DIR "/status", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	while ((len = read(fd, small + total, 3)) > 0)
		total += len;
	EXPECT_EQ(0, len);
	EXPECT_STREQ(self->text, small);
	close(fd);
}

TEST_HARNESS_MAIN
