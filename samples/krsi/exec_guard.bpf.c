// SPDX-License-Identifier: GPL-2.0
/*
 * exec_guard: denies programs by their arguments.
 *
 *   ssh      with remote forwarding: -R, or -o RemoteForward
 *   python   that serves files: -m http.server
 *   any      with LD_PRELOAD or LD_AUDIT set, and the dynamic loader itself
 *            as a program, which would make all of this moot
 *
 * bprm_check_security is called when the arguments are the kernel's, so they
 * cannot change any more, and once for each round of a script and its
 * interpreter, so it sees "python3 -m http.server" in the first line of a
 * script, too. A program is known by the name of the file that is executed, by
 * the name that the caller gave, and by argv[0]; one of them suffices.
 *
 * Options are read as ssh and python read them: several in one string, values
 * in the same string or in the next, options after the host. Whatever the policy
 * cannot read to the end is denied: strings that are too long, more arguments
 * than it looks at, options that it does not know.
 *
 * Limits. Only arguments decide: RemoteForward in a configuration file, the
 * escape commands of a session, and what a script of python imports are not
 * seen. A copy of ssh or python by another name is another program, and so is
 * any other program that can do the same. Who must not run those needs a policy
 * that allows programs by what they are.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "exec_guard.h"

#define EPERM 1
#define ENOENT 2

/* How many arguments are looked at, and how much of each. */
#define MAX_ARGS 128
#define MAX_ARG 256

/* How much of a program's name is looked at. */
#define NAME 16

char _license[] SEC("license") = "GPL";

extern s64 krsi_bprm_arg(struct linux_binprm *bprm, u32 index, char *dst, u32 dst__sz) __ksym;
extern s64 krsi_bprm_env(struct linux_binprm *bprm, const char *name__str, char *dst,
			 u32 dst__sz) __ksym;

static const char ld_preload[] = "LD_PRELOAD";
static const char ld_audit[] = "LD_AUDIT";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} events SEC(".maps");

/* Denials that the buffer had no room for. They were denied all the same. */
unsigned long long lost;

static __always_inline char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

/* Whether @s begins with @prefix, which is a literal in lower case. */
#define begins_with(s, prefix) ({					\
	bool __same = true;						\
	int __i;							\
									\
	for (__i = 0; __i < (int)sizeof(prefix) - 1; __i++)		\
		__same = __same && lower((s)[__i]) == (prefix)[__i];	\
	__same;								\
})

/* Whether @word, a literal in lower case, is anywhere in @s. */
#define contains(s, word) ({						\
	bool __found = false;						\
	int __at;							\
									\
	bpf_for(__at, 0, MAX_ARG - (int)sizeof(word) + 2)		\
		if (begins_with(&(s)[__at], word)) {			\
			__found = true;					\
			break;						\
		}							\
	__found;							\
})

static __always_inline bool is_one_of(char c, const char *set, int len)
{
	bool found = false;
	int i;

	for (i = 0; i < len; i++)
		found = found || set[i] == c;
	return found;
}

#define one_of(c, set) is_one_of(c, set, sizeof(set) - 1)

/* What a program is. All of these that one of its names says, if they disagree. */
enum program {
	OTHER = 0,
	SSH = 1,
	PYTHON = 2,
	LOADER = 4,
};

/* 3.11, 3.13t and the like, or nothing at all. */
static __always_inline bool is_version(const char *s)
{
	int i;

	for (i = 0; i < NAME - 6 && s[i]; i++)
		if (!one_of(s[i], "0123456789.dmt"))
			return false;
	return true;
}

/* What is named @name, which has at least NAME bytes and no directories. */
static __always_inline enum program program_named(const char *name)
{
	if (begins_with(name, "ssh") && !name[3])
		return SSH;
	if (begins_with(name, "slogin") && !name[6])
		return SSH;
	if (begins_with(name, "python") && is_version(&name[6]))
		return PYTHON;
	if (begins_with(name, "ld-linux") || begins_with(name, "ld.so") ||
	    begins_with(name, "ld-2.") || begins_with(name, "ld64.so") ||
	    begins_with(name, "ld-musl"))
		return LOADER;
	return OTHER;
}

/* As program_named(), of what comes after the last slash; NAME bytes follow. */
static __noinline enum program program_at(const char *path)
{
	int i, start = 0;

	bpf_for(i, 0, MAX_ARG) {
		if (!path[i])
			break;
		if (path[i] == '/')
			start = i + 1;
	}
	if (start < 0 || start > MAX_ARG)
		return OTHER;
	return program_named(path + start);
}

/* Where the policy is in the arguments. */
struct parse {
	bool value;		/* the next argument is the value of an option */
	char option;		/* which */
	bool host;		/* ssh: has its host */
	bool module;		/* python: has its -m */
	bool done;		/* what follows is not for the program itself */
	bool any;		/* nor does it matter what else this one has */
};

/* The value of an option of ssh. */
static __always_inline int ssh_value(char option, const char *value)
{
	/* Wherever it is: ssh takes quotes, spaces and '=' in several places. */
	if (option == 'o' && (contains(value, "remoteforward") || contains(value, "include")))
		return GUARD_FORWARD;
	return GUARD_ALLOWED;
}

#define SSH_FLAGS "1246afgknqstvxyACGKMNTVXY"
#define SSH_VALUES "bceilmopBDEFIJLOPQRSwW"

static __noinline int ssh_arg(struct parse *parse, const char *arg)
{
	bool value = parse->value;
	int i, verdict;

	parse->value = false;
	if (value) {
		verdict = ssh_value(parse->option, arg);
		/*
		 * Some versions of ssh take no value for an option for which
		 * others do: one that looks like an option is read as both.
		 */
		if (verdict || arg[0] != '-' || !arg[1])
			return verdict;
	}
	if (arg[0] != '-' || !arg[1]) {
		/* Options may follow the host; the command ends them. */
		parse->done = parse->host;
		parse->any = parse->host;
		parse->host = true;
		return GUARD_ALLOWED;
	}
	if (arg[1] == '-' && !arg[2]) {
		parse->done = !value;
		return GUARD_ALLOWED;
	}
	bpf_for(i, 1, MAX_ARG - 1) {
		char c = arg[i];

		if (!c)
			break;
		if (c == 'R')
			return GUARD_FORWARD;
		if (one_of(c, SSH_FLAGS))
			continue;
		if (!one_of(c, SSH_VALUES))
			return value ? GUARD_ALLOWED : GUARD_UNKNOWN;
		parse->option = c;
		if (arg[i + 1])
			/* The rest is the value, and harmless to search as a whole. */
			return ssh_value(c, arg);
		parse->value = true;
		break;
	}
	return GUARD_ALLOWED;
}

/* What may not follow -m, be it the module, or an argument of one that runs it. */
static __always_inline int python_module(const char *name)
{
	return contains(name, "http.server") || contains(name, "simplehttpserver") ?
		GUARD_SERVER : GUARD_ALLOWED;
}

#define PYTHON_FLAGS "bBdEhiIOPqRsStuvVx?3"
#define PYTHON_VALUES "cmWXQ"

static __noinline int python_arg(struct parse *parse, const char *arg)
{
	int i;

	if (parse->module)
		/* python -m pdb -m http.server, python -m runpy http.server */
		return python_module(arg);
	if (parse->value) {
		parse->value = false;
		parse->done = parse->option == 'c';
		parse->any = parse->done;
		parse->module = parse->option == 'm';
		return parse->module ? python_module(arg) : GUARD_ALLOWED;
	}
	if (arg[0] != '-' || !arg[1]) {
		/* A script, which may be the module's own file. */
		parse->done = true;
		return contains(arg, "http/server") ? GUARD_SERVER : GUARD_ALLOWED;
	}
	if (arg[1] == '-') {
		/* One of the long options has a value, the others do not. */
		parse->value = begins_with(arg, "--check-hash-based-pycs");
		parse->option = '-';
		/* After a mere "--" there is a script. */
		if (!arg[2] || begins_with(arg, "--help") || begins_with(arg, "--version") ||
		    parse->value)
			return GUARD_ALLOWED;
		return GUARD_UNKNOWN;
	}
	bpf_for(i, 1, MAX_ARG - 1) {
		char c = arg[i];

		if (!c)
			break;
		if (one_of(c, PYTHON_FLAGS))
			continue;
		if (!one_of(c, PYTHON_VALUES))
			return GUARD_UNKNOWN;
		parse->option = c;
		parse->value = !arg[i + 1];
		if (parse->value)
			break;
		parse->done = c == 'c';
		parse->any = parse->done;
		parse->module = c == 'm';
		return parse->module ? python_module(arg) : GUARD_ALLOWED;
	}
	return GUARD_ALLOWED;
}

/* Follows the arguments as far as @program does. */
static __noinline int check_args(struct linux_binprm *bprm, enum program program, __u32 *at)
{
	struct parse parse = {};
	char arg[MAX_ARG];
	int i, verdict;
	s64 len;

	bpf_for(i, 1, MAX_ARGS + 1) {
		*at = i;
		len = krsi_bprm_arg(bprm, i, arg, sizeof(arg));
		if (len == -ENOENT)
			return GUARD_ALLOWED;
		if (len < 0)
			return GUARD_UNREADABLE;
		if (i == MAX_ARGS)
			return GUARD_TOO_MANY;
		verdict = program == SSH ? ssh_arg(&parse, arg) : python_arg(&parse, arg);
		if (verdict)
			return verdict;
		if (len > (s64)sizeof(arg) && !parse.any)
			return GUARD_TOO_LONG;
		if (parse.done)
			return GUARD_ALLOWED;
	}
	return GUARD_TOO_MANY;
}

/* What the names of a program say that it is. */
static __noinline int identify(struct linux_binprm *bprm, __u32 *programs,
			       struct exec_guard_event *event)
{
	char name[MAX_ARG + NAME] = {};
	s64 len;

	/* The file that is executed, without links. */
	bpf_probe_read_kernel_str(event->name, sizeof(event->name),
				  bprm->file->f_path.dentry->d_name.name);
	*programs = program_named(event->name);

	/* The name that the caller, or the first line of a script, has for it. */
	len = bpf_probe_read_kernel_str(name, MAX_ARG, bprm->interp);
	if (len < 0)
		return GUARD_UNREADABLE;
	if (len == MAX_ARG)
		return GUARD_TOO_LONG;
	*programs |= program_at(name);

	len = krsi_bprm_arg(bprm, 0, name, MAX_ARG);
	if (len == -ENOENT)
		return GUARD_ALLOWED;
	if (len < 0)
		return GUARD_UNREADABLE;
	if (len > MAX_ARG)
		return GUARD_TOO_LONG;
	*programs |= program_at(name);
	return GUARD_ALLOWED;
}

static __noinline int preload(struct linux_binprm *bprm)
{
	char value[1];
	s64 len;

	/* Several of them, or some that cannot be read, are as bad as one. */
	len = krsi_bprm_env(bprm, ld_preload, value, sizeof(value));
	if (len == -ENOENT)
		len = krsi_bprm_env(bprm, ld_audit, value, sizeof(value));
	return len == -ENOENT ? GUARD_ALLOWED : GUARD_PRELOAD;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(guard_exec, struct linux_binprm *bprm)
{
	struct exec_guard_event denial = {}, *event;
	__u32 programs = OTHER;

	denial.reason = identify(bprm, &programs, &denial);
	if (!denial.reason)
		denial.reason = preload(bprm);
	if (!denial.reason && programs & LOADER)
		denial.reason = GUARD_LOADER;
	if (!denial.reason && programs & SSH)
		denial.reason = check_args(bprm, SSH, &denial.arg);
	if (!denial.reason && programs & PYTHON)
		denial.reason = check_args(bprm, PYTHON, &denial.arg);
	if (!denial.reason)
		return 0;

	denial.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(denial.comm, sizeof(denial.comm));
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (event) {
		*event = denial;
		bpf_ringbuf_submit(event, 0);
	} else {
		__sync_fetch_and_add(&lost, 1);
	}
	return -EPERM;
}
