// SPDX-License-Identifier: GPL-2.0
/*
 * Who may ask about a program that is about to run: programs that may sleep, on
 * three hooks, under KRSI. Nobody else, not by a tail call either.
 */

#include "exec.h"
#include "exec_reject.skel.h"

FIXTURE(exec_reject)
{
	struct exec_reject_bpf *skel;
	char log[65536];
};

FIXTURE_VARIANT(exec_reject)
{
	const char *prog;
	/* Whether KRSI takes the program; no other LSM does. */
	bool accept;
	const char *reason;
};

/* clang-format off */
#define REJECT(name, why)					\
FIXTURE_VARIANT_ADD(exec_reject, name) {			\
	.prog = #name,						\
	.reason = why,						\
}
#define ACCEPT(name)						\
FIXTURE_VARIANT_ADD(exec_reject, name) {			\
	.prog = #name,						\
	.accept = true,						\
}

#define NOT_ALLOWED " is not allowed"

ACCEPT(check_security);
ACCEPT(creds_for_exec);
ACCEPT(creds_from_file);

#define OTHER_HOOK(kfunc)							\
	REJECT(kfunc##_committing_creds, "krsi_bprm_" #kfunc NOT_ALLOWED);	\
	REJECT(kfunc##_committed_creds, "krsi_bprm_" #kfunc NOT_ALLOWED);	\
	REJECT(kfunc##_file_open, "krsi_bprm_" #kfunc NOT_ALLOWED)

OTHER_HOOK(read);
OTHER_HOOK(arg);
OTHER_HOOK(env);
OTHER_HOOK(dump);

REJECT(cgroup, NOT_ALLOWED);
REJECT(fentry, NOT_ALLOWED);
REJECT(fentry_sleepable, NOT_ALLOWED);
REJECT(fexit_sleepable, NOT_ALLOWED);
REJECT(iterator, NOT_ALLOWED);
REJECT(kprobe, NOT_ALLOWED);
REJECT(system_call, NOT_ALLOWED);
REJECT(socket_filter, NOT_ALLOWED);
REJECT(raw_tracepoint, NOT_ALLOWED);

REJECT(atomic, "program must be sleepable to call sleepable kfunc krsi_bprm_arg");
REJECT(under_rcu, "krsi_bprm_arg is sleepable within rcu_read_lock region");
REJECT(untrusted, "R1 must be referenced or trusted");
REJECT(other_struct, "expected pointer to STRUCT linux_binprm");
REJECT(null_bprm, "Possibly NULL pointer passed to trusted R1");
REJECT(read_only, "write into map forbidden");
REJECT(too_large, "invalid read from stack R3 off=-16 size=17");
REJECT(any_size, "R4 min value is negative");
REJECT(null_dst, "Possibly NULL pointer passed to trusted R3");
REJECT(variable_name, "R2 does not point to a readonly map");
REJECT(map_is_number, "R2 is scalar expected STRUCT bpf_map or map_ptr");
REJECT(map_is_memory, "R2 is map_value expected STRUCT bpf_map or map_ptr");
REJECT(map_is_bprm, "R2 expected pointer to STRUCT bpf_map");
REJECT(map_is_null, "Possibly NULL pointer passed to trusted R2");
REJECT(read_events, "cannot pass map_type 4 into func bpf_perf_event_read");
/* clang-format on */

FIXTURE_SETUP(exec_reject)
{
	self->skel = exec_reject_bpf__open();
	ASSERT_NE(NULL, self->skel);
}

FIXTURE_TEARDOWN(exec_reject)
{
	exec_reject_bpf__destroy(self->skel);
}

TEST_F(exec_reject, load)
{
	const char *reason = krsi_active() ? variant->reason : "";
	int err = load_logged(self->skel->obj, variant->prog, self->log, sizeof(self->log));

	if (variant->accept && krsi_active()) {
		EXPECT_EQ(0, err) TH_LOG("%s", self->log);
		return;
	}
	EXPECT_GT(0, err);
	EXPECT_NE(NULL, strstr(self->log, reason))
		TH_LOG("expected '%s':\n%s%s", reason, self->log, libbpf_log);
	if (variant->accept)
		EXPECT_NE(NULL, strstr(self->log, NOT_ALLOWED)) TH_LOG("%s", self->log);
}

FIXTURE(exec_tailcall)
{
	struct exec_reject_bpf *skel;
	struct bpf_program *caller;
};

FIXTURE_VARIANT(exec_tailcall)
{
	const char *caller;
	bool accept;
};

#define CALLER(name, accept_)					\
FIXTURE_VARIANT_ADD(exec_tailcall, name) {			\
	.caller = #name,					\
	.accept = accept_,					\
}

/* Its hook is the callee's. */
CALLER(call_sleepable, true);
CALLER(call_creds_for_exec, false);
CALLER(call_atomic, false);
CALLER(call_committing, false);
CALLER(call_file_open, false);
CALLER(call_creds_from_file, false);
CALLER(call_fentry, false);

FIXTURE_SETUP(exec_tailcall)
{
	REQUIRE_LSM();
	self->skel = exec_reject_bpf__open();
	ASSERT_NE(NULL, self->skel);
	ASSERT_TRUE(load_only(self->skel->obj, variant->caller));
	bpf_program__set_autoload(self->skel->progs.callee, true);
	self->caller = bpf_object__find_program_by_name(self->skel->obj, variant->caller);
}

FIXTURE_TEARDOWN(exec_tailcall)
{
	exec_reject_bpf__destroy(self->skel);
}

TEST_F(exec_tailcall, into_another_hook)
{
	char *argv[] = { "zero", "one", NULL };
	__u32 key = 0, callee;
	struct bpf_link *link;
	pid_t pid;
	int map;

	if (!krsi_active()) {
		/* The callee is refused. */
		EXPECT_GT(0, exec_reject_bpf__load(self->skel));
		EXPECT_NE(NULL, strstr(libbpf_log, "krsi_bprm_arg" NOT_ALLOWED));
		return;
	}
	ASSERT_EQ(0, exec_reject_bpf__load(self->skel)) TH_LOG("%s", libbpf_log);
	self->skel->bss->target = getpid();
	map = bpf_map__fd(self->skel->maps.callees);
	callee = bpf_program__fd(self->skel->progs.callee);
	if (!variant->accept) {
		EXPECT_EQ(-EINVAL, bpf_map_update_elem(map, &key, &callee, 0));
		return;
	}
	ASSERT_EQ(0, bpf_map_update_elem(map, &key, &callee, 0));
	link = bpf_program__attach(self->caller);
	ASSERT_NE(NULL, link);
	pid = start(IDLE, argv, argv);
	ASSERT_LT(0, pid);
	EXPECT_EQ(SIGKILL, stop(pid));
	EXPECT_EQ(1, self->skel->bss->asked);
	EXPECT_EQ(4, self->skel->bss->number);
	bpf_link__destroy(link);
}

/* Nor by a program that takes the place of a function of another. */
TEST(exec_freplace)
{
	struct exec_reject_bpf *target, *skel;
	static char log[65536];

	REQUIRE_LSM();
	target = exec_reject_bpf__open();
	ASSERT_NE(NULL, target);
	ASSERT_TRUE(load_only(target->obj, "calls_replaceable"));
	ASSERT_EQ(0, exec_reject_bpf__load(target)) TH_LOG("%s", libbpf_log);

	skel = exec_reject_bpf__open();
	ASSERT_NE(NULL, skel);
	ASSERT_TRUE(load_only(skel->obj, "replacement"));
	ASSERT_EQ(0, bpf_program__set_attach_target(skel->progs.replacement,
		bpf_program__fd(target->progs.calls_replaceable), "replaceable"));
	ASSERT_EQ(0, bpf_program__set_log_buf(skel->progs.replacement, log, sizeof(log)));
	bpf_program__set_log_level(skel->progs.replacement, 1);
	EXPECT_GT(0, exec_reject_bpf__load(skel));
	EXPECT_NE(NULL, strstr(log, "krsi_bprm_arg" NOT_ALLOWED)) TH_LOG("%s", log);
	exec_reject_bpf__destroy(skel);
	exec_reject_bpf__destroy(target);
}

TEST_HARNESS_MAIN
