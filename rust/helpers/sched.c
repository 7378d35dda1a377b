// SPDX-License-Identifier: GPL-2.0

#include <linux/irqflags.h>
#include <linux/krsi.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

/*
 * Not named after the C functions: bindgen would prefer the out-of-line
 * versions of these, which exist for modules.
 */
__rust_helper void rust_helper_inline_migrate_disable(void)
{
	migrate_disable();
}

#if defined(CONFIG_SECURITY_KRSI) && defined(CONFIG_SMP) && \
	!defined(CONFIG_DEBUG_PREEMPT) && !defined(MODULE)
/* Like migrate_enable(), but calls its own slow path. */
__rust_helper void rust_helper_inline_migrate_enable(void)
{
	struct task_struct *p = current;

	if (p->migration_disabled > 1) {
		p->migration_disabled--;
		return;
	}

	guard(preempt)();
	if (unlikely(p->cpus_ptr != &p->cpus_mask))
		krsi_migrate_enable_slow();
	barrier();	/* As in __migrate_enable(). */
	p->migration_disabled = 0;
	this_rq_pinned()--;
}
#else
__rust_helper void rust_helper_inline_migrate_enable(void)
{
	migrate_enable();
}
#endif

__rust_helper void rust_helper_might_fault(void)
{
	might_fault();
}

__rust_helper bool rust_helper_preemptible(void)
{
	return preemptible();
}

__rust_helper unsigned long rust_helper_local_irq_save(void)
{
	unsigned long flags;

	local_irq_save(flags);
	return flags;
}

__rust_helper void rust_helper_local_irq_restore(unsigned long flags)
{
	local_irq_restore(flags);
}
