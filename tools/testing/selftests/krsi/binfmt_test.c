// SPDX-License-Identifier: GPL-2.0
/*
 * Interpreters of binfmt_misc, fixed or chosen by a BPF program: which file and
 * which arguments each hook of an exec sees, and that verdicts are enforced.
 */

#include "exec.h"
#include "progs/binfmt.h"
#include "binfmt.skel.h"
#include "binfmt_args.skel.h"
#include "binfmt_ops.skel.h"

#define BINFMT "/tmp/binfmt"
#define BINARY "/tmp/binary.krsi"
#define INTERPRETER "/tmp/interpreter"

/* Of enum bpf_binprm_flags. */
#define FLAG_TRANSPARENT (1 << 3)
#define FLAG_LOADER (1 << 4)

FIXTURE(binfmt)
{
	struct binfmt_bpf *skel;
	struct binfmt_bpf__bss *bss;
	struct binfmt_ops_bpf *ops;
	struct bpf_link *handler;
	ino_t binary;
	ino_t interpreter;
};

FIXTURE_VARIANT(binfmt)
{
	/* How binfmt_misc is told: with these flags, or by a BPF program with those. */
	const char *static_flags;
	__u32 bpf_flags;
	const char *bpf_arg;
	/* The binary is a program, and the interpreter loads it in place of its own. */
	bool loader;
	bool transparent;
	/* The credentials are those of the binary. */
	bool credentials;
	bool keeps_argv0;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(binfmt, plain) {
	.static_flags = "",
};

FIXTURE_VARIANT_ADD(binfmt, credentials) {
	.static_flags = "C",
	.credentials = true,
};

FIXTURE_VARIANT_ADD(binfmt, keeps_argv0) {
	.static_flags = "P",
	.keeps_argv0 = true,
};

FIXTURE_VARIANT_ADD(binfmt, transparent) {
	.static_flags = "T",
	.transparent = true,
};

FIXTURE_VARIANT_ADD(binfmt, transparent_opened_before) {
	.static_flags = "TF",
	.transparent = true,
};

FIXTURE_VARIANT_ADD(binfmt, loader) {
	.static_flags = "L",
	.loader = true,
};

FIXTURE_VARIANT_ADD(binfmt, loader_opened_before) {
	.static_flags = "LF",
	.loader = true,
};

FIXTURE_VARIANT_ADD(binfmt, bpf_plain) {
};

FIXTURE_VARIANT_ADD(binfmt, bpf_with_argument) {
	.bpf_arg = "an option",
};

FIXTURE_VARIANT_ADD(binfmt, bpf_transparent) {
	.bpf_flags = FLAG_TRANSPARENT,
	.transparent = true,
};

FIXTURE_VARIANT_ADD(binfmt, bpf_loader) {
	.bpf_flags = FLAG_LOADER,
	.loader = true,
};
/* clang-format on */

static ino_t ino_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

static bool kernel_has_handlers(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf__find_by_name_kind(btf, "bpf_struct_ops_binfmt_misc_ops", BTF_KIND_STRUCT);

	btf__free(btf);
	return id > 0;
}

static void register_handler(struct __test_metadata *const _metadata, FIXTURE_DATA(binfmt) * self,
			     const FIXTURE_VARIANT(binfmt) * variant)
{
	struct binfmt_ops_bpf__bss *bss;

	self->ops = binfmt_ops_bpf__open_and_load();
	ASSERT_NE(NULL, self->ops) TH_LOG("%s", libbpf_log);
	bss = self->ops->bss;
	strcpy(bss->interpreter, INTERPRETER);
	if (variant->bpf_arg)
		strcpy(bss->arg, variant->bpf_arg);
	bss->flags = variant->bpf_flags;
	bss->first = variant->loader ? 0x7f : 'K';
	bss->target = getpid();
	self->handler = bpf_map__attach_struct_ops(self->ops->maps.handler);
	ASSERT_NE(NULL, self->handler);
}

FIXTURE_SETUP(binfmt)
{
	char dir[16], entry[128];
	int fd;

	REQUIRE_LSM();
	if (!variant->static_flags && !kernel_has_handlers())
		SKIP(return, "the kernel lacks CONFIG_BINFMT_MISC_BPF");
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	ASSERT_EQ(0, mkdir(BINFMT, 0755));
	ASSERT_EQ(0, mount("binfmt_misc", BINFMT, "binfmt_misc", 0, NULL));
	/* Of an earlier run that was killed. */
	write_text(BINFMT "/krsi", "-1");

	ASSERT_LT(0, copy_file(IDLE, INTERPRETER));
	if (variant->loader) {
		ASSERT_LT(0, copy_file("/proc/self/exe", BINARY));
	} else {
		fd = open(BINARY, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
		ASSERT_LE(0, fd);
		ASSERT_EQ(5, write(fd, "KRSI\n", 5));
		close(fd);
	}
	self->binary = ino_of(BINARY);
	self->interpreter = ino_of(INTERPRETER);
	ASSERT_NE(self->binary, self->interpreter);

	if (variant->static_flags) {
		snprintf(entry, sizeof(entry), ":krsi:E::krsi::" INTERPRETER ":%s",
			 variant->static_flags);
	} else {
		register_handler(_metadata, self, variant);
		snprintf(entry, sizeof(entry), ":krsi:B::::krsi:");
	}
	ASSERT_TRUE(write_text(BINFMT "/register", entry)) TH_LOG("%s", strerror(errno));

	self->skel = binfmt_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel) TH_LOG("%s", libbpf_log);
	self->bss = self->skel->bss;
	ASSERT_EQ(0, binfmt_bpf__attach(self->skel));
	self->bss->deny_at = BINFMT_HOOKS;
	self->bss->target = getpid();
}

FIXTURE_TEARDOWN(binfmt)
{
	write_text(BINFMT "/krsi", "-1");
	bpf_link__destroy(self->handler);
	binfmt_ops_bpf__destroy(self->ops);
	binfmt_bpf__destroy(self->skel);
}

static char *argv[] = { "given", "-x", NULL };
static char *const envp[] = { NULL };

/* @hook was called for @cnt files, with as many arguments each. */
static void expect_files(struct __test_metadata *const _metadata, FIXTURE_DATA(binfmt) * self,
			 enum binfmt_hook hook, int cnt, const ino_t *ino, const int *argc)
{
	int i;

	EXPECT_EQ(cnt, self->bss->seen[hook].calls) TH_LOG("hook %d", hook);
	for (i = 0; i < cnt; i++) {
		EXPECT_EQ(ino[i], self->bss->seen[hook].ino[i]) TH_LOG("hook %d, %d", hook, i);
		if (!argc)
			continue;
		EXPECT_EQ(argc[i], self->bss->seen[hook].argc[i])
			TH_LOG("hook %d, %d", hook, i);
	}
}

/* The interpreter gets more arguments, unless it takes the binary otherwise. */
static int last_argc(const FIXTURE_VARIANT(binfmt) * variant)
{
	if (variant->loader || variant->transparent)
		return 2;
	return variant->bpf_arg || variant->keeps_argv0 ? 4 : 3;
}

TEST_F(binfmt, files)
{
	const int argc[] = { 2, last_argc(variant) };
	const ino_t ino[] = { self->binary, self->interpreter };
	const ino_t *last = variant->loader ? &ino[0] : &ino[1];
	pid_t pid = start(BINARY, argv, envp);
	struct bytes cmdline;
	char exe[64], link[64];
	ssize_t len;

	ASSERT_LT(0, pid) TH_LOG("%s", strerror(-pid));
	/* Both are opened, whatever they are then. */
	expect_files(_metadata, self, BINFMT_OPEN, 2, ino, NULL);
	expect_files(_metadata, self, BINFMT_FOR_EXEC, 1, ino, argc);
	/* That of a loader is not checked as a program: it is not executed but loaded. */
	expect_files(_metadata, self, BINFMT_CHECK, variant->loader ? 1 : 2, ino, argc);
	expect_files(_metadata, self, BINFMT_FROM_FILE, 1, variant->credentials ? ino : last,
		     &argc[!variant->loader]);
	expect_files(_metadata, self, BINFMT_COMMITTED, 1, last, &argc[!variant->loader]);

	/* What the process is then. */
	EXPECT_EQ(variant->loader || variant->transparent ? self->binary : self->interpreter,
		  self->bss->exe_ino);
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	len = readlink(link, exe, sizeof(exe) - 1);
	ASSERT_LT(0, len);
	exe[len] = '\0';
	EXPECT_STREQ(variant->loader || variant->transparent ? BINARY : INTERPRETER, exe);
	cmdline = proc_bytes(pid, "cmdline");
	if (variant->loader || variant->transparent) {
		ASSERT_EQ(sizeof("given\0-x"), cmdline.len);
		EXPECT_EQ(0, memcmp("given\0-x", cmdline.data, cmdline.len));
	} else {
		EXPECT_STREQ(INTERPRETER, cmdline.data);
	}
	bytes_free(&cmdline);
	EXPECT_EQ(SIGKILL, stop(pid));
	if (self->ops)
		EXPECT_EQ(1, self->ops->bss->loaded);
}

static void try_denied(struct __test_metadata *const _metadata, FIXTURE_DATA(binfmt) * self,
		       enum binfmt_hook hook, ino_t ino, bool denied)
{
	pid_t pid;

	self->bss->deny_at = hook;
	self->bss->deny_ino = ino;
	pid = start(BINARY, argv, envp);
	EXPECT_TRUE(denied ? pid == -KRSI_ERRNO : pid > 0)
		TH_LOG("hook %d: %s", hook, pid < 0 ? strerror(-pid) : "allowed");
	if (pid > 0)
		EXPECT_EQ(SIGKILL, stop(pid));
}

TEST_F(binfmt, verdicts)
{
	try_denied(_metadata, self, BINFMT_OPEN, self->binary, true);
	try_denied(_metadata, self, BINFMT_FOR_EXEC, self->binary, true);
	try_denied(_metadata, self, BINFMT_CHECK, self->binary, true);
	try_denied(_metadata, self, BINFMT_FROM_FILE, self->binary,
		   variant->loader || variant->credentials);

	try_denied(_metadata, self, BINFMT_OPEN, self->interpreter, true);
	try_denied(_metadata, self, BINFMT_FOR_EXEC, self->interpreter, false);
	try_denied(_metadata, self, BINFMT_CHECK, self->interpreter, !variant->loader);
	try_denied(_metadata, self, BINFMT_FROM_FILE, self->interpreter,
		   !variant->loader && !variant->credentials);
	try_denied(_metadata, self, BINFMT_OPEN, 0, false);
}

static void expect_args(struct __test_metadata *const _metadata, const struct binfmt_args *args,
			int round, const char *path, const char *area, size_t len)
{
	EXPECT_EQ(strlen(path) + 1, args->path_ret[round]);
	EXPECT_STREQ(path, args->path[round]);
	ASSERT_EQ(len, args->area_ret[round]);
	EXPECT_EQ(0, memcmp(area, args->area[round], len));
}

#define CALLERS "given\0-x", sizeof("given\0-x")

/* The strings that the interpreter gets. */
static const char *interpreters_area(const FIXTURE_VARIANT(binfmt) * variant, size_t *len)
{
	static const char callers[] = "given\0-x";
	static const char spliced[] = INTERPRETER "\0" BINARY "\0-x";
	static const char with_argument[] = INTERPRETER "\0an option\0" BINARY "\0-x";
	static const char with_argv0[] = INTERPRETER "\0" BINARY "\0given\0-x";

	if (variant->transparent) {
		*len = sizeof(callers);
		return callers;
	}
	if (variant->bpf_arg) {
		*len = sizeof(with_argument);
		return with_argument;
	}
	if (variant->keeps_argv0) {
		*len = sizeof(with_argv0);
		return with_argv0;
	}
	*len = sizeof(spliced);
	return spliced;
}

TEST_F(binfmt, path_and_arguments)
{
	const struct binfmt_args *check, *from_file;
	struct binfmt_args_bpf *skel;
	const char *area;
	size_t len;
	pid_t pid;

	skel = binfmt_args_bpf__open_and_load();
	/* The kfuncs are KRSI's. */
	if (!krsi_active()) {
		ASSERT_EQ(NULL, skel);
		return;
	}
	ASSERT_NE(NULL, skel) TH_LOG("%s", libbpf_log);
	ASSERT_EQ(0, binfmt_args_bpf__attach(skel));
	skel->bss->target = getpid();
	pid = start(BINARY, argv, envp);
	ASSERT_LT(0, pid) TH_LOG("%s", strerror(-pid));
	EXPECT_EQ(SIGKILL, stop(pid));

	check = &skel->bss->args[BINFMT_CHECK];
	from_file = &skel->bss->args[BINFMT_FROM_FILE];
	EXPECT_EQ(1, skel->bss->args[BINFMT_FOR_EXEC].calls);
	expect_args(_metadata, &skel->bss->args[BINFMT_FOR_EXEC], 0, BINARY, CALLERS);
	EXPECT_EQ(variant->loader ? 1 : 2, check->calls);
	expect_args(_metadata, check, 0, BINARY, CALLERS);
	EXPECT_EQ(1, from_file->calls);
	if (variant->loader) {
		expect_args(_metadata, from_file, 0, BINARY, CALLERS);
	} else {
		area = interpreters_area(variant, &len);
		expect_args(_metadata, check, 1, INTERPRETER, area, len);
		expect_args(_metadata, from_file, 0, INTERPRETER, area, len);
	}
	binfmt_args_bpf__destroy(skel);
}

TEST_HARNESS_MAIN
