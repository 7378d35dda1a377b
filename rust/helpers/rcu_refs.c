// SPDX-License-Identifier: GPL-2.0
/*
 * References on objects that were found under RCU and may be about to be freed.
 */

#include <linux/cred.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>

__rust_helper bool rust_helper_refcount_inc_not_zero(refcount_t *r)
{
	return refcount_inc_not_zero(r);
}

__rust_helper const struct cred *
rust_helper_get_cred_rcu(const struct cred *cred)
{
	return get_cred_rcu(cred);
}

__rust_helper struct task_struct *
rust_helper_task_real_parent_rcu(struct task_struct *task)
{
	return rcu_dereference(task->real_parent);
}

__rust_helper const struct cred *
rust_helper_task_real_cred_rcu(struct task_struct *task)
{
	return rcu_dereference(task->real_cred);
}
