// SPDX-License-Identifier: GPL-2.0
/*
 * Links to the functions of many hooks, bpf_lsm_NAME, next to LSM programs: the
 * programs run at each of them, and no verdict is lost while a link is made,
 * fails or goes.
 */

#include <sys/prctl.h>

#include "common.h"
#include "tracing_multi.skel.h"

/* As in progs/tracing_multi.bpf.c. */
enum function {
	GETPGID,
	PRCTL,
	USERNS,
	FOWNER,
	OTHER,
	FUNCTIONS = 8,
};

#define NAMED OTHER
#define MAX_IDS 512

static const char * const hook_names[NAMED] = {
	[GETPGID] = "task_getpgid",
	[PRCTL] = "task_prctl",
	[USERNS] = "userns_create",
	[FOWNER] = "file_set_fowner",
};

/* Set by the fixture, for each of hook_names. */
static int verdicts[NAMED];

FIXTURE(multi)
{
	struct tracing_multi_bpf *skel;
	struct tracing_multi_bpf__bss *bss;
	const struct bpf_program *lsm[NAMED];
	int lsm_link[NAMED];
	__u32 ids[MAX_IDS];
	__u64 cookies[MAX_IDS];
};

FIXTURE_SETUP(multi)
{
	int i;

	REQUIRE_LSM();
	if (attach_type("BPF_TRACE_FSESSION_MULTI") < 0)
		SKIP(return, "the kernel has no links to several functions");
	self->skel = tracing_multi_bpf__open();
	ASSERT_NE(NULL, self->skel);
	bpf_program__set_autoload(self->skel->progs.session, true);
	/* Libbpf has no section name for it yet. */
	ASSERT_EQ(0, bpf_program__set_expected_attach_type(self->skel->progs.session,
							   attach_type("BPF_TRACE_FSESSION")));
	ASSERT_EQ(0, tracing_multi_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	self->bss = self->skel->bss;
	self->lsm[GETPGID] = self->skel->progs.lsm_getpgid;
	self->lsm[PRCTL] = self->skel->progs.lsm_prctl;
	self->lsm[USERNS] = self->skel->progs.lsm_userns;
	self->lsm[FOWNER] = self->skel->progs.lsm_fowner;
	for (i = 0; i < NAMED; i++) {
		self->lsm_link[i] = -1;
		self->ids[i] = hook_btf_id(hook_names[i]);
		self->cookies[i] = i;
	}
	memset(verdicts, 0, sizeof(verdicts));
	self->bss->target = getpid();
}

FIXTURE_TEARDOWN(multi)
{
	tracing_multi_bpf__destroy(self->skel);
}

static void attach_lsm(struct __test_metadata *const _metadata, FIXTURE_DATA(multi) * self, int i)
{
	self->lsm_link[i] = attach_fd(bpf_program__fd(self->lsm[i]));
	ASSERT_LE(0, self->lsm_link[i]);
}

/* Loads @prog for no function in particular, and links it to @cnt of them. */
static int link_multi(const struct bpf_program *prog, const char *type_name, const __u32 *ids,
		      const __u64 *cookies, __u32 cnt)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type(type_name));
	struct {
		__u32 prog_fd;
		__u32 target_fd;
		__u32 attach_type;
		__u32 flags;
		__u64 ids;
		__u64 cookies;
		__u64 cnt;
	} attr = {
		.attach_type = opts.expected_attach_type,
		.ids = (__u64)ids,
		.cookies = (__u64)cookies,
		.cnt = cnt,
	};
	int fd, link;

	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "multi", "GPL", bpf_program__insns(prog),
			   bpf_program__insn_cnt(prog), &opts);
	if (fd < 0)
		return fd;
	attr.prog_fd = fd;
	link = OK(syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr)));
	close(fd);
	return link;
}

static int unshare_user(void *arg)
{
	return unshare(CLONE_NEWUSER) ? errno : 0;
}

/* Calls each hook once; the calls have to have the verdicts. */
static void call_all(struct __test_metadata *const _metadata, FIXTURE_DATA(multi) * self)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	memset(self->bss->entries, 0, sizeof(self->bss->entries));
	memset(self->bss->exits, 0, sizeof(self->bss->exits));
	memset(self->bss->decisions, 0, sizeof(self->bss->decisions));
	self->bss->next = 0;
	EXPECT_EQ(verdicts[GETPGID] ?: getpgid(0), OK(getpgid(getpid())));
	EXPECT_EQ(verdicts[PRCTL] ?: 1, OK(prctl(PR_GET_DUMPABLE)));
	EXPECT_EQ(-verdicts[USERNS], in_child(unshare_user, NULL));
	EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	close(fd);
}

static void set_denied(FIXTURE_DATA(multi) * self, bool denied)
{
	int i;

	for (i = 0; i < FOWNER; i++) {
		self->bss->deny[i] = denied;
		verdicts[i] = denied ? -KRSI_ERRNO : 0;
	}
}

/* Each hook was entered and left that often since the calls began. */
static void expect_traced(struct __test_metadata *const _metadata, FIXTURE_DATA(multi) * self,
			  int entries, int exits)
{
	int i;

	for (i = 0; i < NAMED; i++) {
		EXPECT_EQ(entries, self->bss->entries[i]) TH_LOG("%s", hook_names[i]);
		EXPECT_EQ(exits, self->bss->exits[i]) TH_LOG("%s", hook_names[i]);
	}
}

static void expect_decided(struct __test_metadata *const _metadata, FIXTURE_DATA(multi) * self,
			   int decisions)
{
	int i;

	for (i = 0; i < NAMED; i++)
		EXPECT_EQ(decisions, self->bss->decisions[i]) TH_LOG("%s", hook_names[i]);
}

/* The functions of all hooks; the four that have names come first. Returns how many. */
static int all_functions(struct __test_metadata *const _metadata, FIXTURE_DATA(multi) * self)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_member *m;
	const struct btf_type *t;
	int id, i, j, cnt = NAMED;

	ASSERT_NE(NULL, btf);
	id = btf__find_by_name_kind(btf, "security_list_options", BTF_KIND_UNION);
	ASSERT_LT(0, id);
	t = btf__type_by_id(btf, id);
	for (i = 0, m = btf_members(t); i < btf_vlen(t); i++, m++) {
		id = hook_btf_id(btf__name_by_offset(btf, m->name_off));
		for (j = 0; j < NAMED && self->ids[j] != id; j++)
			;
		if (id < 0 || j < NAMED)
			continue;
		ASSERT_GT(MAX_IDS, cnt);
		self->ids[cnt] = id;
		self->cookies[cnt++] = OTHER;
	}
	btf__free(btf);
	return cnt;
}

FIXTURE_VARIANT(multi)
{
	/* Whether LSM programs are attached before the functions are linked. */
	bool lsm_first;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(multi, lsm_first) {
	.lsm_first = true,
};

FIXTURE_VARIANT_ADD(multi, link_first) {
};
/* clang-format on */

TEST_F_TIMEOUT(multi, all_hooks, 600)
{
	int link = -1, cnt, i;

	cnt = all_functions(_metadata, self);
	ASSERT_LT(200, cnt);
	set_denied(self, true);
	for (i = 0; variant->lsm_first && i < NAMED; i++)
		attach_lsm(_metadata, self, i);
	link = link_multi(self->skel->progs.on_entry, "BPF_TRACE_FENTRY_MULTI", self->ids,
			  self->cookies, cnt);
	ASSERT_LE(0, link) TH_LOG("%d functions: %s", cnt, strerror(-link));
	if (!variant->lsm_first) {
		set_denied(self, false);
		call_all(_metadata, self);
		expect_traced(_metadata, self, 1, 0);
		expect_decided(_metadata, self, 0);
		set_denied(self, true);
		for (i = 0; i < NAMED; i++)
			attach_lsm(_metadata, self, i);
	}

	call_all(_metadata, self);
	expect_traced(_metadata, self, 1, 0);
	expect_decided(_metadata, self, 1);
	EXPECT_LT(0, self->bss->entries[OTHER]);
	for (i = 0; i < NAMED; i++)
		EXPECT_LT(self->bss->entered_at[i], self->bss->decided_at[i]);

	close(link);
	call_all(_metadata, self);
	expect_traced(_metadata, self, 0, 0);
	expect_decided(_metadata, self, 1);
	EXPECT_EQ(0, self->bss->entries[OTHER]);

	set_denied(self, false);
	for (i = 0; i < NAMED; i++)
		close(self->lsm_link[i]);
	call_all(_metadata, self);
	expect_decided(_metadata, self, 0);
}

/* An exit sees what the LSM programs decided, or the hook's default. */
TEST_F(multi, exit)
{
	int link, i;

	for (i = 0; variant->lsm_first && i < NAMED; i++)
		attach_lsm(_metadata, self, i);
	link = link_multi(self->skel->progs.on_exit, "BPF_TRACE_FEXIT_MULTI", self->ids,
			  self->cookies, NAMED);
	ASSERT_LE(0, link) TH_LOG("%s", strerror(-link));
	for (i = 0; !variant->lsm_first && i < NAMED; i++)
		attach_lsm(_metadata, self, i);

	call_all(_metadata, self);
	expect_traced(_metadata, self, 0, 1);
	expect_decided(_metadata, self, 1);
	EXPECT_EQ(0, self->bss->returned[GETPGID]);
	EXPECT_EQ(-ENOSYS, self->bss->returned[PRCTL]);
	EXPECT_EQ(0, self->bss->returned[USERNS]);

	set_denied(self, true);
	call_all(_metadata, self);
	expect_traced(_metadata, self, 0, 1);
	for (i = 0; i < FOWNER; i++) {
		EXPECT_EQ(-KRSI_ERRNO, self->bss->returned[i]);
		EXPECT_LT(self->bss->decided_at[i], self->bss->left_at[i]);
	}

	close(link);
	call_all(_metadata, self);
	expect_traced(_metadata, self, 0, 0);
	expect_decided(_metadata, self, 1);
}

TEST_F(multi, session_and_entry)
{
	int session, entry, i;

	set_denied(self, true);
	for (i = 0; variant->lsm_first && i < NAMED; i++)
		attach_lsm(_metadata, self, i);
	session = link_multi(self->skel->progs.session, "BPF_TRACE_FSESSION_MULTI", self->ids,
			     self->cookies, NAMED);
	ASSERT_LE(0, session) TH_LOG("%s", strerror(-session));
	for (i = 0; !variant->lsm_first && i < NAMED; i++)
		attach_lsm(_metadata, self, i);

	call_all(_metadata, self);
	expect_traced(_metadata, self, 1, 1);
	expect_decided(_metadata, self, 1);
	for (i = 0; i < FOWNER; i++) {
		EXPECT_EQ(-KRSI_ERRNO, self->bss->returned[i]);
		EXPECT_LT(self->bss->entered_at[i], self->bss->decided_at[i]);
		EXPECT_LT(self->bss->decided_at[i], self->bss->left_at[i]);
	}

	/* Another link, to all of these functions but one. */
	entry = link_multi(self->skel->progs.on_entry, "BPF_TRACE_FENTRY_MULTI", self->ids + 1,
			   self->cookies + 1, NAMED - 1);
	ASSERT_LE(0, entry) TH_LOG("%s", strerror(-entry));
	call_all(_metadata, self);
	EXPECT_EQ(1, self->bss->entries[GETPGID]);
	for (i = 1; i < NAMED; i++)
		EXPECT_EQ(2, self->bss->entries[i]);
	expect_decided(_metadata, self, 1);

	close(session);
	call_all(_metadata, self);
	EXPECT_EQ(0, self->bss->entries[GETPGID]);
	for (i = 1; i < NAMED; i++) {
		EXPECT_EQ(1, self->bss->entries[i]);
		EXPECT_EQ(0, self->bss->exits[i]);
	}
	expect_decided(_metadata, self, 1);
	close(entry);
	call_all(_metadata, self);
	expect_traced(_metadata, self, 0, 0);
	expect_decided(_metadata, self, 1);
}

/* A link that fails half-way, at a function that is full, changes nothing. */
TEST_F_TIMEOUT(multi, rollback, 600)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	int filler[MAINLINE_MAX_LINKS + 1], fillers, link, full = 0, fd, i;

	/* Functions are linked in the order of their ids. */
	for (i = 0; i < NAMED; i++)
		if (self->ids[i] > self->ids[full])
			full = i;
	opts.attach_btf_id = self->ids[full];
	/* As many as fit into the image, which depends on mitigations. */
	for (fillers = 0; fillers < ARRAY_SIZE(filler); fillers++) {
		fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "filler", "GPL", return_0,
				   ARRAY_SIZE(return_0), &opts);
		ASSERT_LE(0, fd);
		filler[fillers] = bpf_link_create(fd, 0, BPF_TRACE_FENTRY, NULL);
		close(fd);
		if (filler[fillers] < 0)
			break;
	}
	ASSERT_GT(ARRAY_SIZE(filler), fillers);
	ASSERT_EQ(-E2BIG, filler[fillers]);
	for (i = 0; variant->lsm_first && i < NAMED; i++)
		if (i != full)
			attach_lsm(_metadata, self, i);
	set_denied(self, true);
	if (!variant->lsm_first)
		memset(verdicts, 0, sizeof(verdicts));
	verdicts[full] = 0;

	link = link_multi(self->skel->progs.on_entry, "BPF_TRACE_FENTRY_MULTI", self->ids,
			  self->cookies, NAMED);
	EXPECT_EQ(-E2BIG, link);
	call_all(_metadata, self);
	expect_traced(_metadata, self, 0, 0);
	for (i = 0; i < NAMED; i++)
		EXPECT_EQ(variant->lsm_first && i != full, self->bss->decisions[i]);

	for (i = 0; i < fillers; i++)
		close(filler[i]);
	for (i = 0; i < NAMED; i++)
		if (self->lsm_link[i] < 0)
			attach_lsm(_metadata, self, i);
	set_denied(self, true);
	link = link_multi(self->skel->progs.on_entry, "BPF_TRACE_FENTRY_MULTI", self->ids,
			  self->cookies, NAMED);
	ASSERT_LE(0, link) TH_LOG("%s", strerror(-link));
	call_all(_metadata, self);
	expect_traced(_metadata, self, 1, 0);
	expect_decided(_metadata, self, 1);
	close(link);
	call_all(_metadata, self);
	expect_decided(_metadata, self, 1);
}

TEST_HARNESS_MAIN
