// SPDX-License-Identifier: GPL-2.0

#include <linux/audit.h>
#include <linux/audit_key.h>
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/preempt.h>
#include <linux/sched.h>

__rust_helper bool rust_helper_in_task(void)
{
	return in_task();
}

__rust_helper bool rust_helper_in_nmi(void)
{
	return in_nmi();
}

#ifdef CONFIG_AUDIT
__rust_helper struct audit_context *rust_helper_audit_context(void)
{
	return audit_context();
}

/*
 * Like audit_log_task_info(), but takes neither siglock nor the locks of a
 * path, and calls no LSM.
 */
__rust_helper void rust_helper_audit_log_subject(struct audit_buffer *ab)
{
	const struct cred *cred = current_cred();
	char comm[sizeof(current->comm)];

	audit_log_format(ab,
			 " ppid=%d pid=%d auid=%u uid=%u gid=%u euid=%u suid=%u fsuid=%u",
			 task_ppid_nr(current), task_tgid_nr(current),
			 from_kuid(&init_user_ns, audit_get_loginuid(current)),
			 from_kuid(&init_user_ns, cred->uid),
			 from_kgid(&init_user_ns, cred->gid),
			 from_kuid(&init_user_ns, cred->euid),
			 from_kuid(&init_user_ns, cred->suid),
			 from_kuid(&init_user_ns, cred->fsuid));
	audit_log_format(ab, " egid=%u sgid=%u fsgid=%u ses=%u comm=",
			 from_kgid(&init_user_ns, cred->egid),
			 from_kgid(&init_user_ns, cred->sgid),
			 from_kgid(&init_user_ns, cred->fsgid),
			 audit_get_sessionid(current));
	audit_log_untrustedstring(ab, get_task_comm(comm, current));
}

#ifndef CONFIG_AUDITSYSCALL
__rust_helper int rust_helper_audit_add_key(const char *key)
{
	return audit_add_key(key);
}
#endif
#endif

/* Returns the length, or -E2BIG if the path was truncated. */
__rust_helper int rust_helper_current_cgroup_path(char *buf, size_t size)
{
#ifdef CONFIG_CGROUPS
	int len;

	rcu_read_lock();
	len = cgroup_path(task_dfl_cgroup(current), buf, size);
	rcu_read_unlock();
	return len;
#else
	return -ENOENT;
#endif
}
