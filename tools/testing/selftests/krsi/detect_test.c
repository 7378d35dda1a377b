// SPDX-License-Identifier: GPL-2.0
/*
 * Clients find out in many ways whether BPF LSM programs are enforced, before
 * they load any. Each way must give the answer that enforcing a program gives,
 * whichever LSM runs the programs.
 */

#include <linux/lsm.h>
#include <regex.h>

#include "common.h"

#ifndef LSM_ID_KRSI
#define LSM_ID_KRSI 114
#endif
#ifndef SYS_lsm_get_self_attr
#define SYS_lsm_get_self_attr 459
#define SYS_lsm_set_self_attr 460
#define SYS_lsm_list_modules 461
#endif

#define MAX_LSMS 32

static const struct {
	__u64 id;
	const char *name;
} known[] = {
	{ LSM_ID_CAPABILITY, "capability" },
	{ LSM_ID_SELINUX, "selinux" },
	{ LSM_ID_SMACK, "smack" },
	{ LSM_ID_TOMOYO, "tomoyo" },
	{ LSM_ID_APPARMOR, "apparmor" },
	{ LSM_ID_YAMA, "yama" },
	{ LSM_ID_LOADPIN, "loadpin" },
	{ LSM_ID_SAFESETID, "safesetid" },
	{ LSM_ID_LOCKDOWN, "lockdown" },
	{ LSM_ID_BPF, "bpf" },
	{ LSM_ID_LANDLOCK, "landlock" },
	{ LSM_ID_IMA, "ima" },
	{ LSM_ID_EVM, "evm" },
	{ LSM_ID_IPE, "ipe" },
	{ LSM_ID_KRSI, "krsi" },
};

static const char *name_of(__u64 id)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].id == id)
			return known[i].name;
	return "?";
}

/* What lsm_set_self_attr(2) returns for @id. */
static int set_self_attr(__u64 id)
{
	struct lsm_ctx ctx = { .id = id, .len = sizeof(ctx) };

	return OK(syscall(SYS_lsm_set_self_attr, LSM_ATTR_CURRENT, &ctx, sizeof(ctx), 0));
}

/* What lsm_get_self_attr(2) returns for @id alone. */
static int get_self_attr(__u64 id)
{
	char attr[256] __attribute__((aligned(__alignof__(struct lsm_ctx)))) = {};
	__u32 size = sizeof(attr);

	((struct lsm_ctx *)attr)->id = id;
	return OK(syscall(SYS_lsm_get_self_attr, LSM_ATTR_CURRENT, attr, &size, LSM_FLAG_SINGLE));
}

/* Loads a program that has lsm_set_self_attr(2) fail, which no other task calls. */
static int load_denial(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = -KRSI_ERRNO },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return load_insns(insns, 2, hook_btf_id("setselfattr"), "GPL", 0, NULL, 0);
}

static bool enforces(void)
{
	int prog = load_denial();
	int link = attach_fd(prog);
	bool enforced;

	enforced = set_self_attr(LSM_ID_BPF) == -KRSI_ERRNO;
	if (link >= 0)
		close(link);
	close(prog);
	return enforced;
}

static int list_modules(__u64 *ids)
{
	__u32 size = MAX_LSMS * sizeof(*ids);

	return OK(syscall(SYS_lsm_list_modules, ids, &size, 0));
}

static bool syscall_names(__u64 id)
{
	__u64 ids[MAX_LSMS];
	int count = list_modules(ids);

	while (count-- > 0)
		if (ids[count] == id)
			return true;
	return false;
}

FIXTURE(detect)
{
	char list[256];
	bool enforced;
};

FIXTURE_SETUP(detect)
{
	lsm_active("krsi");	/* mounts securityfs */
	ASSERT_TRUE(read_text(SECURITYFS "/lsm", self->list, sizeof(self->list)));
	self->enforced = enforces();
	EXPECT_EQ(self->enforced, krsi_active() || bpf_active());
}

FIXTURE_TEARDOWN(detect)
{
}

/* systemd, Tetragon: the list is split at commas. */
TEST_F(detect, exact_word)
{
	EXPECT_EQ(self->enforced, in_list(self->list, "bpf"));
}

TEST_F(detect, well_formed)
{
	EXPECT_FALSE(in_list(self->list, "bp"));
	EXPECT_EQ(NULL, strchr(self->list, '\n'));
	EXPECT_EQ(NULL, strstr(self->list, ",,"));
}

TEST_F(detect, substring)
{
	EXPECT_EQ(self->enforced, !!strstr(self->list, "bpf"));
}

TEST_F(detect, between_commas)
{
	char padded[sizeof(self->list) + 2];

	snprintf(padded, sizeof(padded), ",%s,", self->list);
	EXPECT_EQ(self->enforced, !!strstr(padded, ",bpf,"));
	/* As it is, a list that ends with bpf is not found. */
	if (krsi_active())
		EXPECT_NE(NULL, strstr(self->list, ",bpf,"));
}

static const char * const patterns[] = {
	"bpf",
	"(^|,)bpf(,|$)",
	"\\bbpf\\b",
	"[[:<:]]bpf[[:>:]]",
	".*,?bpf,?.*",
};

TEST_F(detect, regular_expression)
{
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		regex_t regex;

		/* The C library may lack an extension. */
		if (regcomp(&regex, patterns[i], REG_EXTENDED | REG_NOSUB))
			continue;
		EXPECT_EQ(self->enforced, !regexec(&regex, self->list, 0, NULL, 0))
			TH_LOG("%s", patterns[i]);
		regfree(&regex);
	}
}

TEST_F(detect, system_call)
{
	EXPECT_EQ(self->enforced, syscall_names(LSM_ID_BPF));
	EXPECT_EQ(krsi_active(), syscall_names(LSM_ID_KRSI));
}

/* The system call and the file agree on names, order and number. */
TEST_F(detect, system_call_and_file)
{
	char names[sizeof(self->list)] = "";
	__u64 ids[MAX_LSMS];
	int count = list_modules(ids);

	ASSERT_LT(0, count);
	for (int i = 0; i < count; i++) {
		strcat(names, i ? "," : "");
		strcat(names, name_of(ids[i]));
	}
	EXPECT_STREQ(self->list, names);
}

/* The size that the system call reports is exactly sufficient. */
TEST_F(detect, system_call_size)
{
	__u64 ids[MAX_LSMS];
	int count = list_modules(ids);
	__u32 size = 0;

	ASSERT_LT(0, count);
	EXPECT_EQ(-E2BIG, OK(syscall(SYS_lsm_list_modules, ids, &size, 0)));
	EXPECT_EQ(count * sizeof(*ids), size);
	EXPECT_EQ(count, OK(syscall(SYS_lsm_list_modules, ids, &size, 0)));
	size -= sizeof(*ids);
	EXPECT_EQ(-E2BIG, OK(syscall(SYS_lsm_list_modules, ids, &size, 0)));
}

/* A container has no securityfs, and mounting it is not permitted. */
TEST_F(detect, without_securityfs)
{
	char list[16];

	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, umount2(SECURITYFS, MNT_DETACH));
	ASSERT_FALSE(read_text(SECURITYFS "/lsm", list, sizeof(list)));
	EXPECT_EQ(self->enforced, syscall_names(LSM_ID_BPF));
	EXPECT_EQ(self->enforced, enforces());
}

TEST_F(detect, without_privileges)
{
	char list[sizeof(self->list)];

	ASSERT_EQ(0, setresgid(65534, 65534, 65534));
	ASSERT_EQ(0, setresuid(65534, 65534, 65534));
	EXPECT_EQ(self->enforced, syscall_names(LSM_ID_BPF));
	ASSERT_TRUE(read_text(SECURITYFS "/lsm", list, sizeof(list)));
	EXPECT_STREQ(self->list, list);
}

/* The configuration says what is possible, not what was booted. */
TEST_F(detect, configuration)
{
	EXPECT_EQ(0, system("zcat /proc/config.gz | grep -qx CONFIG_BPF_LSM=y"));
	EXPECT_EQ(0, system("zcat /proc/config.gz | grep -Eqx 'CONFIG_LSM=\"(.*,)?bpf(,.*)?\"'"));
}

TEST_F(detect, kernel_log)
{
	EXPECT_EQ(self->enforced, kernel_log_has("LSM support for eBPF active"));
}

/* libbpf and bpftool test whether programs can be loaded, which needs no LSM. */
TEST_F(detect, libbpf_probe)
{
	EXPECT_EQ(1, libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_LSM, NULL));
	EXPECT_LT(0, hook_btf_id("file_open"));
}

/* The LSM that runs programs answers to every ID that it is listed under. */
TEST_F(detect, self_attr)
{
	int prog, link;

	/* Without a program there is no attribute, under either ID. */
	EXPECT_EQ(-EOPNOTSUPP, get_self_attr(LSM_ID_BPF));
	EXPECT_EQ(-EOPNOTSUPP, get_self_attr(LSM_ID_KRSI));
	EXPECT_EQ(-EOPNOTSUPP, set_self_attr(LSM_ID_BPF));
	EXPECT_EQ(-EOPNOTSUPP, set_self_attr(LSM_ID_KRSI));

	prog = load_denial();
	ASSERT_LE(0, prog);
	link = attach_fd(prog);
	ASSERT_EQ(self->enforced, link >= 0);
	EXPECT_EQ(self->enforced ? -KRSI_ERRNO : -EOPNOTSUPP, set_self_attr(LSM_ID_BPF));
	EXPECT_EQ(krsi_active() ? -KRSI_ERRNO : -EOPNOTSUPP, set_self_attr(LSM_ID_KRSI));
	EXPECT_EQ(-EOPNOTSUPP, set_self_attr(LSM_ID_YAMA));
	EXPECT_EQ(-EOPNOTSUPP, set_self_attr(LSM_ID_UNDEF));
	if (link >= 0)
		close(link);
	EXPECT_EQ(-EOPNOTSUPP, set_self_attr(LSM_ID_BPF));
	close(prog);
}

TEST_HARNESS_MAIN
