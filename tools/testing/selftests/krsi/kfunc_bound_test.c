// SPDX-License-Identifier: GPL-2.0
/*
 * Kfuncs of KRSI, and others that depend on the hook, are not called at another
 * hook: neither through a tail call nor by a program that replaces a function.
 */

#include "common.h"
#include "kfunc_bound.skel.h"

/* Loads some programs of the object, which use @map if it is not -1. */
static int load(struct kfunc_bound_bpf **skel, const char *const *names, int map)
{
	struct bpf_program *prog;
	int err;

	*skel = kfunc_bound_bpf__open();
	if (!*skel)
		return -errno;
	bpf_object__for_each_program(prog, (*skel)->obj)
		bpf_program__set_autoload(prog, false);
	for (; *names; names++) {
		prog = bpf_object__find_program_by_name((*skel)->obj, *names);
		if (!prog)
			return -ENOENT;
		bpf_program__set_autoload(prog, true);
	}
	if (map >= 0)
		bpf_map__reuse_fd((*skel)->maps.callees, map);
	err = kfunc_bound_bpf__load(*skel);
	return err;
}

static int set_callee(struct kfunc_bound_bpf *skel, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(skel->obj, name);
	__u32 key = 0, fd;

	if (!prog)
		return -ENOENT;
	fd = bpf_program__fd(prog);
	return bpf_map_update_elem(bpf_map__fd(skel->maps.callees), &key, &fd, 0);
}

FIXTURE(bound)
{
	struct kfunc_bound_bpf *skel, *other;
};

FIXTURE_VARIANT(bound)
{
	/* Programs that use the map, one or two. */
	const char *callers[3];
	const char *callee;
	int err;
};

#define BOUND(name, callee_, err_, ...)		\
FIXTURE_VARIANT_ADD(bound, name) {		\
	.callers = { __VA_ARGS__ },		\
	.callee = #callee_,			\
	.err = err_,				\
}

/* clang-format off */
/* Each kfunc at its own hook, and from another. */
#define KFUNC(callee)						\
	BOUND(callee##_own, callee, 0, "call_open");		\
	BOUND(callee##_other, callee, -EINVAL, "call_receive")

KFUNC(path);
KFUNC(inode_blob);
KFUNC(file_blob);
KFUNC(cred_blob);
KFUNC(superblock);
KFUNC(task);
KFUNC(audit);
KFUNC(in_static);
KFUNC(in_global);
KFUNC(in_loop);

/* Programs without one go on in those of another hook. */
BOUND(plain_own, plain_open, 0, "call_open");
BOUND(plain_other, plain_open, 0, "call_receive");
BOUND(plain_both, plain_open, 0, "call_open", "call_receive");
BOUND(common_other, common_open, 0, "call_receive");

/* Each caller counts, not the first alone. */
BOUND(second_caller, path, -EINVAL, "call_open", "call_receive");
BOUND(first_caller, path, -EINVAL, "call_receive", "call_open");
/* A caller's kfunc binds the map, too. */
BOUND(caller_own, plain_open, 0, "call_with_path");
BOUND(caller_other, plain_receive, -EINVAL, "call_with_path");

BOUND(released_own, released_inode, 0, "call_release");
BOUND(released_other, released_inode, -EINVAL, "call_free");
BOUND(xattr_own, remove_xattr, 0, "call_unlink");
BOUND(xattr_other, remove_xattr, -EINVAL, "call_rmdir");
BOUND(save_own, save_slot, 0, "call_unlink");
BOUND(save_other, save_slot, -EINVAL, "call_rmdir");
/* clang-format on */

FIXTURE_SETUP(bound)
{
	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "the kfuncs are krsi's");
}

FIXTURE_TEARDOWN(bound)
{
	kfunc_bound_bpf__destroy(self->skel);
	kfunc_bound_bpf__destroy(self->other);
}

/* The callers are there before the callee. */
TEST_F(bound, callers_first)
{
	const char *names[4] = { variant->callee };

	names[1] = variant->callers[0];
	names[2] = variant->callers[1];
	ASSERT_EQ(0, load(&self->skel, names, -1)) TH_LOG("%s", libbpf_log);
	EXPECT_EQ(variant->err, set_callee(self->skel, variant->callee));
}

/* The callee is there before the callers, which are then refused. */
TEST_F(bound, callee_first)
{
	const char *names[2] = { variant->callee };
	int map;

	ASSERT_EQ(0, load(&self->skel, names, -1)) TH_LOG("%s", libbpf_log);
	ASSERT_EQ(0, set_callee(self->skel, variant->callee));
	map = bpf_map__fd(self->skel->maps.callees);
	EXPECT_EQ(variant->err, load(&self->other, variant->callers, map));
}

/* What is allowed works. */
TEST(runs)
{
	static const char *const names[] = { "call_open", "path", NULL };
	struct kfunc_bound_bpf *skel;
	struct bpf_link *link;
	int fd;

	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "the kfuncs are krsi's");
	ASSERT_EQ(0, load(&skel, names, -1)) TH_LOG("%s", libbpf_log);
	ASSERT_EQ(0, set_callee(skel, "path"));
	link = bpf_program__attach(skel->progs.call_open);
	ASSERT_NE(NULL, link);
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	EXPECT_LE(0, fd);
	close(fd);
	EXPECT_LT(1, skel->bss->answer);
	EXPECT_EQ(0, bpf_link__destroy(link));
	kfunc_bound_bpf__destroy(skel);
}

/* A replacement is of no hook. */
TEST(replacements)
{
	static const struct {
		const char *prog, *kfunc;
	} rows[] = {
		{ "replace_task", "krsi_task_cred" },
		{ "replace_blob", "krsi_task_blob" },
		{ "replace_path", "krsi_path" },
		{ "replace_audit", "krsi_audit_log" },
		{ "replace_exec", "krsi_bprm_read" },
	};
	static const char *const names[] = { "calls_replaceable", NULL };
	struct kfunc_bound_bpf *target, *skel;
	struct bpf_program *prog;
	static char log[65536];
	char expected[128];
	int i;

	REQUIRE_LSM();
	if (!krsi_active())
		SKIP(return, "the kfuncs are krsi's");
	ASSERT_EQ(0, load(&target, names, -1)) TH_LOG("%s", libbpf_log);
	for (i = 0; i < 5; i++) {
		skel = kfunc_bound_bpf__open();
		ASSERT_NE(NULL, skel);
		ASSERT_TRUE(load_only(skel->obj, rows[i].prog));
		prog = bpf_object__find_program_by_name(skel->obj, rows[i].prog);
		ASSERT_EQ(0, bpf_program__set_attach_target(prog,
			bpf_program__fd(target->progs.calls_replaceable), "replaceable"));
		log[0] = '\0';
		ASSERT_EQ(0, bpf_program__set_log_buf(prog, log, sizeof(log)));
		bpf_program__set_log_level(prog, 1);
		EXPECT_EQ(-EACCES, kfunc_bound_bpf__load(skel));
		snprintf(expected, sizeof(expected), "calling kernel function %s is not allowed",
			 rows[i].kfunc);
		EXPECT_NE(NULL, strstr(log, expected)) TH_LOG("%s: %s", rows[i].prog, log);
		kfunc_bound_bpf__destroy(skel);
	}
	kfunc_bound_bpf__destroy(target);
}

TEST_HARNESS_MAIN
