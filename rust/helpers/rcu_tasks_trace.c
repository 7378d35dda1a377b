// SPDX-License-Identifier: GPL-2.0

#include <linux/rcupdate_trace.h>

#ifdef CONFIG_TASKS_TRACE_RCU
__rust_helper void rust_helper_rcu_read_lock_trace(void)
{
	rcu_read_lock_trace();
}

__rust_helper void rust_helper_rcu_read_unlock_trace(void)
{
	rcu_read_unlock_trace();
}

__rust_helper void rust_helper_call_rcu_tasks_trace(struct rcu_head *head,
						    rcu_callback_t func)
{
	call_rcu_tasks_trace(head, func);
}

__rust_helper void rust_helper_rcu_barrier_tasks_trace(void)
{
	rcu_barrier_tasks_trace();
}
#endif
