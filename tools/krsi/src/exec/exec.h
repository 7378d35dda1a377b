/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What exec.bpf.c tells the command, besides the records of the kernel's own
 * krsi_bprm_dump(). src/exec/wire.rs has the same.
 *
 * Each begins with a number that is 0, where a record of the kernel has its id.
 */
#ifndef KRSI_EXEC_H
#define KRSI_EXEC_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;

#define PATH_SIZE 4096

enum kind {
	EVENT_BEGIN = 1,
	EVENT_PARENT,
	EVENT_ROUND,
	EVENT_END,
};

struct head {
	u64 zero;
	/* Of the exec; the records of one exec have the same. */
	u64 token;
	u32 kind;
	u32 reserved;
};

/* Who executes what. */
struct begin {
	struct head head;
	/* Of the records with the arguments, or a negative errno. */
	s64 exec_id;
	/* Nanoseconds since boot. */
	u64 time;
	u64 cgroup;
	u32 pid;
	u32 tid;
	u32 ppid;
	u32 uid;
	u32 euid;
	u32 gid;
	u32 auid;
	u32 session;
	char comm[16];
	/* Of @path, with the NUL; a negative errno. One of PATH_SIZE may be cut. */
	s32 path_len;
	u32 reserved;
	/* The file as it was given to the system call. */
	char path[PATH_SIZE];
};

/* A process from which the one that executes comes. */
struct parent {
	struct head head;
	/* 1: the parent. */
	u32 depth;
	u32 pid;
	u32 uid;
	/* As in begin. */
	s32 path_len;
	char comm[16];
	char path[PATH_SIZE];
};

/* What the kernel tries to run: the file, then its interpreter, and so on. */
struct round {
	struct head head;
	u32 number;
	s32 path_len;
	char path[PATH_SIZE];
};

/* Which hook has decided. */
enum hook {
	HOOK_NONE,
	HOOK_CREDS_FOR_EXEC,
	HOOK_CHECK_SECURITY,
	HOOK_CREDS_FROM_FILE,
};

struct end {
	struct head head;
	u64 time;
	/* 0 or a negative errno. */
	s32 result;
	/* Of enum hook; what it said; whether a program of KRSI did, not another LSM. */
	u32 hook;
	s32 verdict;
	u32 by_krsi;
	/* How many records of this exec did not fit the buffer. */
	u32 lost;
	u32 rounds;
};

#endif /* KRSI_EXEC_H */
