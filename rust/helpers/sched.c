// SPDX-License-Identifier: GPL-2.0

#include <linux/sched.h>
#include <linux/uaccess.h>

__rust_helper void rust_helper_migrate_disable(void)
{
	migrate_disable();
}

__rust_helper void rust_helper_migrate_enable(void)
{
	migrate_enable();
}

__rust_helper void rust_helper_might_fault(void)
{
	might_fault();
}
