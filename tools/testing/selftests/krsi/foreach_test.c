// SPDX-License-Identifier: GPL-2.0
/*
 * security/security.c walks some hooks by itself, with lsm_for_each_hook(), and
 * calls what the LSM registered without going through the static call. There,
 * too, a program runs and decides. (That 0 means the default is tested in
 * defaults_test.c, for xfrm_state_pol_flow_match all there is; programs may not
 * be on vm_enough_memory, getselfattr, getprocattr and setprocattr, see
 * reject_test.c.)
 */

#include <linux/lsm.h>
#include <sys/prctl.h>

#include "common.h"
#include "defaults.skel.h"

FIXTURE(foreach)
{
	struct defaults_bpf *skel;
	struct bpf_link *link;
};

FIXTURE_VARIANT(foreach)
{
	const char *hook;
	int (*action)(void);
	/* What the action returns when nobody objects. */
	int usual;
};

static int use_parse_param(void)
{
	int fs, ret;

	fs = OK(fsopen("tmpfs", FSOPEN_CLOEXEC));
	if (fs < 0)
		return fs;
	ret = OK(fsconfig(fs, FSCONFIG_SET_STRING, "size", "1m", 0));
	close(fs);
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

static int use_prctl(void)
{
	return OK(prctl(PR_GET_DUMPABLE));
}

/* The id of the LSM that runs programs: its place in the list is the same. */
static __u64 program_lsm_id(void)
{
	char list[256], *name, *save;
	__u64 ids[32];
	__u32 size = sizeof(ids);
	int i = 0, cnt;

	cnt = syscall(SYS_lsm_list_modules, ids, &size, 0);
	if (cnt < 0 || !read_text(SECURITYFS "/lsm", list, sizeof(list)))
		return LSM_ID_UNDEF;
	for (name = strtok_r(list, ",\n", &save); name && i < cnt;
	     name = strtok_r(NULL, ",\n", &save), i++)
		if (!strcmp(name, "bpf") || !strcmp(name, "krsi"))
			return ids[i];
	return LSM_ID_UNDEF;
}

static int use_setselfattr(void)
{
	struct lsm_ctx ctx = {
		.id = program_lsm_id(),
		.len = sizeof(ctx),
	};

	if (ctx.id == LSM_ID_UNDEF)
		return -ENOENT;
	return OK(syscall(SYS_lsm_set_self_attr, LSM_ATTR_CURRENT, &ctx, sizeof(ctx), 0));
}

/* clang-format off */
FIXTURE_VARIANT_ADD(foreach, fs_context_parse_param) {
	.hook = "fs_context_parse_param",
	.action = use_parse_param,
};

FIXTURE_VARIANT_ADD(foreach, sb_set_mnt_opts) {
	.hook = "sb_set_mnt_opts",
	.action = use_mount,
};

FIXTURE_VARIANT_ADD(foreach, setselfattr) {
	.hook = "setselfattr",
	.action = use_setselfattr,
	.usual = -EOPNOTSUPP,
};

FIXTURE_VARIANT_ADD(foreach, task_prctl) {
	.hook = "task_prctl",
	.action = use_prctl,
	.usual = 1,
};
/* clang-format on */

FIXTURE_SETUP(foreach)
{
	struct bpf_program *prog;
	char dir[16];

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	ASSERT_EQ(variant->usual, variant->action());

	self->skel = defaults_bpf__open();
	ASSERT_NE(NULL, self->skel);
	ASSERT_TRUE(load_only(self->skel->obj, variant->hook));
	ASSERT_EQ(0, defaults_bpf__load(self->skel));
	self->skel->bss->target = getpid();
	prog = bpf_object__find_program_by_name(self->skel->obj, variant->hook);
	self->link = bpf_program__attach(prog);
	ASSERT_NE(NULL, self->link);
}

FIXTURE_TEARDOWN(foreach)
{
	bpf_link__destroy(self->link);
	defaults_bpf__destroy(self->skel);
}

TEST_F(foreach, runs_and_decides)
{
	EXPECT_EQ(variant->usual, variant->action());
	EXPECT_LT(0, self->skel->bss->calls);

	self->skel->bss->verdict = -EPERM;
	EXPECT_EQ(-EPERM, variant->action());
	self->skel->bss->verdict = -KRSI_ERRNO;
	EXPECT_EQ(-KRSI_ERRNO, variant->action());

	ASSERT_EQ(0, bpf_link__destroy(self->link));
	self->link = NULL;
	self->skel->bss->calls = 0;
	EXPECT_EQ(variant->usual, variant->action());
	EXPECT_EQ(0, self->skel->bss->calls);
}

TEST_HARNESS_MAIN
