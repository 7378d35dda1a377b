// SPDX-License-Identifier: GPL-2.0
/*
 * Inline fast paths of rcu_read_lock() and rcu_read_unlock(), for short and hot
 * readers. Debug kernels, and kernels without preemptible RCU, use the ordinary
 * functions.
 */

#include <linux/krsi.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#if defined(CONFIG_SECURITY_KRSI) && defined(CONFIG_PREEMPT_RCU) && \
	!defined(CONFIG_DEBUG_LOCK_ALLOC) && !defined(CONFIG_PROVE_RCU) && \
	!defined(CONFIG_RCU_STRICT_GRACE_PERIOD) && !defined(MODULE)
__rust_helper void rust_helper_inline_rcu_read_lock(void)
{
	WRITE_ONCE(current->rcu_read_lock_nesting,
		   READ_ONCE(current->rcu_read_lock_nesting) + 1);
	barrier();	/* Critical section after the increment. */
}

__rust_helper void rust_helper_inline_rcu_read_unlock(void)
{
	int nesting;

	barrier();	/* Critical section before the decrement. */
	nesting = READ_ONCE(current->rcu_read_lock_nesting) - 1;
	WRITE_ONCE(current->rcu_read_lock_nesting, nesting);
	if (nesting)
		return;
	barrier();	/* Leave before testing for waiting grace periods. */
	if (unlikely(READ_ONCE(current->rcu_read_unlock_special.s)))
		krsi_rcu_read_unlock_slow();
}
#else
__rust_helper void rust_helper_inline_rcu_read_lock(void)
{
	rcu_read_lock();
}

__rust_helper void rust_helper_inline_rcu_read_unlock(void)
{
	rcu_read_unlock();
}
#endif
