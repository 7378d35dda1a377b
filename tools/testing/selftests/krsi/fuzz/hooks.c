// SPDX-License-Identifier: GPL-2.0
/*
 * The hooks of the model, each with a system call that calls it exactly once.
 */

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fuzz.h"

#define OK(call) ({ long __ret = (call); __ret < 0 ? -errno : (int)__ret; })

static int call_getpgid(struct worker *w)
{
	return OK(getpgid(w->pid));
}

static int call_getsid(struct worker *w)
{
	return OK(getsid(w->pid));
}

/* An unknown command. */
static int call_ioctl(struct worker *w)
{
	return OK(ioctl(w->file, 0x6b727369, 0));
}

static int call_statfs(struct worker *w)
{
	struct statfs buf;

	return OK(fstatfs(w->file, &buf));
}

static int call_fowner(struct worker *w)
{
	return OK(fcntl(w->file, F_SETOWN, w->pid));
}

static int call_setxattr(struct worker *w)
{
	return OK(fsetxattr(w->file, "user.fuzz", "x", 1, 0));
}

/* An unknown option. */
static int call_prctl(struct worker *w)
{
	return OK(prctl(0x6b727369, 0, 0, 0, 0));
}

static int call_stat(struct worker *w)
{
	struct stat st;

	return OK(fstat(w->file, &st));
}

static int call_getioprio(struct worker *w)
{
	return OK(syscall(SYS_ioprio_get, 1, 0));
}

static int call_flock(struct worker *w)
{
	return OK(flock(w->file, LOCK_SH | LOCK_NB));
}

struct hook hooks[MODEL_HOOKS] = {
	{ "task_getpgid", 0, call_getpgid },
	{ "file_ioctl", 0, call_ioctl, -ENOTTY },
	{ "file_set_fowner", 0, call_fowner },
	{ "task_getsid", 1, call_getsid },
	{ "sb_statfs", 1, call_statfs },
	{ "inode_post_setxattr", 1, call_setxattr },
	{ "task_prctl", -1, call_prctl, -EINVAL },
	{ "inode_getattr", -1, call_stat },
};

const int hooks_count = MODEL_HOOKS;

struct hook relay_hooks[RELAYS] = {
	{ "task_getioprio", -1, call_getioprio },
	{ "file_lock", -1, call_flock },
};

/* Finds the hook in BTF and in securityfs, which has its facts. */
static int hook_init(struct hook *hook, const struct btf *btf, FILE *list)
{
	const struct btf_type *t;
	char name[64], dflt[16], line[4096];
	int sleepable;

	snprintf(line, sizeof(line), "bpf_lsm_%s", hook->name);
	hook->btf_id = btf__find_by_name_kind(btf, line, BTF_KIND_FUNC);
	if (hook->btf_id < 0)
		return -ENOENT;
	hook->proto = btf__type_by_id(btf, hook->btf_id)->type;
	t = btf__type_by_id(btf, hook->proto);
	hook->args = btf_vlen(t);
	rewind(list);
	while (fgets(line, sizeof(line), list)) {
		if (sscanf(line, "%63s sleepable=%d default=%15s", name, &sleepable, dflt) != 3 ||
		    strcmp(name, hook->name))
			continue;
		hook->sleepable = sleepable;
		hook->returns_void = !strcmp(dflt, "void");
		if (!hook->returns_void)
			hook->dflt = atoi(dflt);
		return 0;
	}
	return -ENOENT;
}

int hooks_init(void)
{
	FILE *list = fopen(KRSI_DIR "/hooks", "re");
	struct btf *btf = btf__load_vmlinux_btf();
	int ret = 0;

	if (!list || !btf)
		ret = -ENOENT;
	for (int i = 0; !ret && i < MODEL_HOOKS; i++)
		ret = hook_init(&hooks[i], btf, list);
	for (int i = 0; !ret && i < RELAYS; i++)
		ret = hook_init(&relay_hooks[i], btf, list);
	if (list)
		fclose(list);
	btf__free(btf);
	return ret;
}

/*
 * Returns the hook's default if the call was allowed, otherwise its errno. The
 * framework goes on to the next LSM where KRSI returns the default.
 */
int hook_call(struct worker *w, const struct hook *hook)
{
	int ret = hook->call(w);

	w->kernel_errno = ret;
	if (hook->allowed ? ret == hook->allowed : ret >= 0)
		return hook->dflt;
	return ret;
}
