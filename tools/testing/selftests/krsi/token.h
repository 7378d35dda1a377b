/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A BPF token, which only somebody in a user namespace can make, with a bpffs
 * that somebody outside has delegated to it.
 */

#ifndef _KRSI_TEST_TOKEN_H
#define _KRSI_TEST_TOKEN_H

#include <sys/pidfd.h>

#include "common.h"

/* Makes a token and calls @fn, in a user namespace. Returns what @fn does, or 1. */
static inline int token_child(int to_parent, int from_parent, int (*fn)(int token))
{
	int fs, dir, token;
	char c;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) || !write_text("/proc/self/uid_map", "0 0 1") ||
	    !write_text("/proc/self/setgroups", "deny") ||
	    !write_text("/proc/self/gid_map", "0 0 1"))
		return 1;
	fs = fsopen("bpf", FSOPEN_CLOEXEC);
	if (fs < 0 || write(to_parent, &fs, sizeof(fs)) != sizeof(fs) ||
	    read(from_parent, &c, 1) != 1)
		return 1;
	/* What fsmount() returns stands for a path only. */
	dir = openat(fsmount(fs, FSMOUNT_CLOEXEC, 0), ".", O_RDONLY | O_CLOEXEC);
	token = bpf_token_create(dir, NULL);
	return token < 0 ? 1 : fn(token);
}

/* The types of programs that tokens allow. */
static const char *token_progs __attribute__((unused)) = "any";

/* Lets the process that has the file system @fs do anything, with those programs. */
static inline int token_delegate(pid_t pid, int fs)
{
	static const char *const what[] = {
		"delegate_cmds", "delegate_maps", "delegate_progs", "delegate_attachs",
	};
	int pidfd = pidfd_open(pid, 0), ret = 0, i;

	fs = pidfd < 0 ? -1 : pidfd_getfd(pidfd, fs, 0);
	if (fs < 0)
		ret = -errno;
	for (i = 0; i < ARRAY_SIZE(what) && !ret; i++)
		if (fsconfig(fs, FSCONFIG_SET_STRING, what[i], i == 2 ? token_progs : "any", 0))
			ret = -errno;
	if (!ret && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		ret = -errno;
	if (fs >= 0)
		close(fs);
	if (pidfd >= 0)
		close(pidfd);
	return ret;
}

/* Calls @fn with a token, in a child; returns what it returned: 0, or 1 to 255. */
static inline int with_token(int (*fn)(int token))
{
	int up[2], down[2], status, fs, ret = -1;
	pid_t pid;

	if (pipe2(up, O_CLOEXEC) || pipe2(down, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		close(up[0]);
		close(down[1]);
		_exit(token_child(up[1], down[0], fn));
	}
	close(up[1]);
	close(down[0]);
	if (pid > 0 && read(up[0], &fs, sizeof(fs)) == sizeof(fs))
		ret = token_delegate(pid, fs) || write(down[1], "", 1) != 1 ? -1 : 0;
	/* A child that gets no answer ends. */
	close(up[0]);
	close(down[1]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return ret ?: WEXITSTATUS(status);
}

#endif /* _KRSI_TEST_TOKEN_H */
