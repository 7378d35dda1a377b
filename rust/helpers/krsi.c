// SPDX-License-Identifier: GPL-2.0

#include <linux/fs.h>
#include <linux/krsi.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#ifdef CONFIG_SECURITY_KRSI
__rust_helper void rust_helper_krsi_count_call(unsigned int hook)
{
	this_cpu_inc(krsi_counters.calls[hook]);
}

__rust_helper void rust_helper_krsi_uncount_call(unsigned int hook)
{
	this_cpu_dec(krsi_counters.calls[hook]);
}

__rust_helper void rust_helper_krsi_count_denial(unsigned int hook)
{
	this_cpu_inc(krsi_counters.denials[hook]);
}

/* Sums over the CPUs; not a snapshot. */
__rust_helper u64 rust_helper_krsi_calls(unsigned int hook)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(krsi_counters, cpu).calls[hook]);
	return sum;
}

__rust_helper u64 rust_helper_krsi_denials(unsigned int hook)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(krsi_counters, cpu).denials[hook]);
	return sum;
}

/* The caller frees the memory with kfree(). */
__rust_helper void *rust_helper_krsi_zalloc_nofs(size_t size)
{
	return kzalloc(size, GFP_NOFS);
}

__rust_helper void rust_helper_krsi_warn_xattr(const struct inode *inode,
					       const char *name, int error)
{
	pr_warn_ratelimited("krsi: %s: inode %llu: cannot read %s: error %d; nobody can access the slot\n",
			    inode->i_sb->s_id, (u64)inode->i_ino, name, -error);
}

__rust_helper void rust_helper_krsi_log_untrusted(const struct super_block *sb)
{
	pr_info_ratelimited("krsi: %s (%s): untrusted attributes are not read as labels; see xattr_trust\n",
			    sb->s_id, sb->s_type->name);
}

/* Called with interrupts disabled. */
__rust_helper struct krsi_boot_cpu *rust_helper_krsi_this_boot_cpu(void)
{
	return this_cpu_ptr(&krsi_boot_cpu);
}
#endif
