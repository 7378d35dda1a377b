// SPDX-License-Identifier: GPL-2.0
/*
 * The kfunc that writes a program's decision to the audit log. C parts: its BTF
 * and its filter. See security/krsi/audit.rs for the implementation.
 */

#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/krsi.h>

#include "krsi_kfuncs.h"

__bpf_kfunc_start_defs();

/**
 * krsi_audit_log - write an audit record of a decision
 * @event: the decision and the rule that made it
 * @event__sz: size of a struct krsi_audit_event
 * @object: text that describes the object, such as a path or an address. Ends
 * at a NUL or after @object__sz bytes
 * @object__sz: size of @object in bytes, at least 1
 * @aux: the calling program, which the verifier passes
 *
 * The record belongs to the audit event of the current system call. The keys
 * are added to the record of that system call.
 *
 * Context: any but NMI; on PREEMPT_RT, with preemption and interrupts enabled.
 * In an interrupt, the record names no task.
 * Return:
 * * 0: the record was written, or audit is disabled, excludes the record, or is
 *   the current task
 * * -EINVAL: invalid size, verdict or flags, or a key without a NUL
 * * -EAGAIN: audit's backlog is full
 * * -ENOMEM
 * * -EOPNOTSUPP: called in an NMI, or on PREEMPT_RT with preemption or
 *   interrupts disabled
 */
__bpf_kfunc int krsi_audit_log(const struct krsi_audit_event *event,
			       u32 event__sz, const char *object,
			       u32 object__sz, struct bpf_prog_aux *aux)
{
	BTF_TYPE_EMIT_ENUM(KRSI_AUDIT_KILL);

	return krsi_audit_write(event, event__sz, object, object__sz, aux);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(krsi_audit_kfuncs)
BTF_ID_FLAGS(func, krsi_audit_log, KF_IMPLICIT_ARGS | KRSI_HOOK_KFUNC)
BTF_KFUNCS_END(krsi_audit_kfuncs)

/* Called for every kfunc of every program of a tracing type. */
static int krsi_audit_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
	int hook;

	if (!btf_id_set8_contains(&krsi_audit_kfuncs, kfunc_id))
		return 0;
	hook = krsi_kfunc_hook(prog);
	if (hook < 0)
		return hook;
	return krsi_audit_allowed(hook) ? 0 : -EACCES;
}

static const struct btf_kfunc_id_set krsi_audit_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &krsi_audit_kfuncs,
	.filter = krsi_audit_filter,
};

/* If KRSI is not active, a policy that needs the kfunc must fail to load. */
static int __init krsi_audit_init(void)
{
	if (!krsi_active())
		return 0;
	return krsi_register_kfuncs(BPF_PROG_TYPE_LSM, &krsi_audit_kfunc_set);
}
late_initcall(krsi_audit_init);
