/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of KRSI share: which LSM is active, errno-returning system
 * calls, a private directory, and programs that are made of a few instructions.
 */

#ifndef _KRSI_COMMON_H
#define _KRSI_COMMON_H

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>

#include "kselftest_harness.h"

/* A busy host that emulates the machine can take longer than the default of 30 s. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120

#define SECURITYFS "/sys/kernel/security"

/* The links that a mainline BPF trampoline can hold: BPF_MAX_TRAMP_LINKS. */
#define MAINLINE_MAX_LINKS 38

/* An errno that no kernel path under test returns by itself. */
#define KRSI_ERRNO EUCLEAN

#ifndef ENOTSUPP
#define ENOTSUPP 524
#endif

/* OK() turns a system call's result into 0 or more, or a negative errno. */
#define OK(call) ({				\
	long __ret = (call);			\
						\
	__ret < 0 ? -errno : __ret;		\
})

static inline bool read_text(const char *path, char *buf, size_t size)
{
	ssize_t len, total = 0;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (total < (ssize_t)size - 1) {
		len = read(fd, buf + total, size - 1 - total);
		if (len <= 0)
			break;
		total += len;
	}
	close(fd);
	buf[total] = '\0';
	return true;
}

static inline bool write_text(const char *path, const char *text)
{
	ssize_t len;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = write(fd, text, strlen(text));
	close(fd);
	return len == (ssize_t)strlen(text);
}

/* True if @name is one of the comma-separated words of @list. */
static inline bool in_list(const char *list, const char *name)
{
	size_t len = strlen(name);
	const char *p;

	for (p = list; p; p = strchr(p, ',')) {
		if (*p == ',')
			p++;
		if (!strncmp(p, name, len) && (p[len] == ',' || p[len] == '\0' || p[len] == '\n'))
			return true;
	}
	return false;
}

static inline bool lsm_active(const char *name)
{
	char list[256];

	if (!read_text(SECURITYFS "/lsm", list, sizeof(list))) {
		mount("securityfs", SECURITYFS, "securityfs", 0, NULL);
		if (!read_text(SECURITYFS "/lsm", list, sizeof(list)))
			return false;
	}
	return in_list(list, name);
}

static inline bool krsi_active(void)
{
	return lsm_active("krsi");
}

/* True if bpf is listed: it runs programs, or KRSI in its place. */
static inline bool bpf_active(void)
{
	return lsm_active("bpf");
}

/* True if this kernel was built with KRSI, active or not. */
static inline bool krsi_built(void)
{
	return !system("zcat /proc/config.gz 2>/dev/null | grep -q '^CONFIG_SECURITY_KRSI=y'");
}

/*
 * Most tests need an LSM that runs programs. That none is active must not look
 * like success.
 */
#define REQUIRE_LSM()							\
	ASSERT_TRUE(bpf_active() || krsi_active())			\
		TH_LOG("boot with lsm=...,bpf or lsm=...,krsi")

/*
 * Libbpf's messages: shown with KRSI_VERBOSE=1, and the newest ones kept for
 * the tests that are about them.
 */
static char libbpf_log[8192];

static inline int __attribute__((format(printf, 2, 0)))
keep_message(enum libbpf_print_level level, const char *fmt, va_list args)
{
	size_t len = strlen(libbpf_log);
	va_list copy;

	if (level == LIBBPF_DEBUG)
		return 0;
	if (len > sizeof(libbpf_log) / 2)
		len = 0;
	va_copy(copy, args);
	vsnprintf(libbpf_log + len, sizeof(libbpf_log) - len, fmt, copy);
	va_end(copy);
	if (getenv("KRSI_VERBOSE"))
		vfprintf(stderr, fmt, args);
	return 0;
}

static inline void __attribute__((constructor)) set_libbpf_print(void)
{
	libbpf_set_print(keep_message);
}

/* Loads only @name of an object's programs; false if there is none. */
static inline bool load_only(struct bpf_object *obj, const char *name)
{
	struct bpf_program *prog;
	bool found = false;

	bpf_object__for_each_program(prog, obj) {
		bool this = !strcmp(bpf_program__name(prog), name);

		bpf_program__set_autoload(prog, this);
		found |= this;
	}
	return found;
}

/*
 * Loads only @name of an object's programs, with the verifier's messages in @log.
 * Returns 0 or a negative errno of loading; 1 if there is no such program.
 */
static inline int load_logged(struct bpf_object *obj, const char *name, char *log, size_t size)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(obj, name);

	if (!prog || !load_only(obj, name) || bpf_program__set_log_buf(prog, log, size))
		return 1;
	bpf_program__set_log_level(prog, 1);
	return bpf_object__load(obj);
}

/*
 * Attaches a program with no struct bpf_link around it: returns the link's
 * file descriptor, or a negative errno.
 */
static inline int attach_fd(int prog_fd)
{
	return bpf_link_create(prog_fd, 0, BPF_LSM_MAC, NULL);
}

static inline int attach_cookie_fd(int prog_fd, __u64 cookie)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .tracing.cookie = cookie);

	return bpf_link_create(prog_fd, 0, BPF_LSM_MAC, &opts);
}

/* The type id of kernel function bpf_lsm_@hook; the BTF is parsed once. */
static inline int hook_btf_id(const char *hook)
{
	static struct btf *btf;
	char name[128];

	if (!btf)
		btf = btf__load_vmlinux_btf();
	if (!btf)
		return -ENOENT;
	snprintf(name, sizeof(name), "bpf_lsm_%s", hook);
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
}

/* The value of an attach type that the system's headers may not have yet. */
static inline int attach_type(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *t;
	const struct btf_enum *e;
	int id, i, value = -1;

	id = btf__find_by_name_kind(btf, "bpf_attach_type", BTF_KIND_ENUM);
	if (id > 0) {
		t = btf__type_by_id(btf, id);
		e = btf_enum(t);
		for (i = 0; i < btf_vlen(t); i++)
			if (!strcmp(btf__name_by_offset(btf, e[i].name_off), name))
				value = e[i].val;
	}
	btf__free(btf);
	return value;
}

/* The least that is a program. */
static const struct bpf_insn return_0[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

/* Loads @insns as an LSM program for the kernel function @btf_id. */
static inline int load_insns(const struct bpf_insn *insns, size_t cnt, int btf_id,
			     const char *license, __u32 flags, char *log, size_t log_size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		.expected_attach_type = BPF_LSM_MAC,
		.attach_btf_id = btf_id,
		.prog_flags = flags,
		.log_buf = log,
		.log_size = log_size,
		.log_level = log ? 1 : 0,
	);

	return bpf_prog_load(BPF_PROG_TYPE_LSM, "krsi_test", license, insns, cnt, &opts);
}

/* Loads @prog, which libbpf has loaded, again: a program of its own. */
static inline int load_again(const struct bpf_program *prog, const char *hook, __u32 flags)
{
	return load_insns(bpf_program__insns(prog), bpf_program__insn_cnt(prog),
			  hook_btf_id(hook), "GPL", flags, NULL, 0);
}

/* Waits until @cond holds, or about @seconds have passed. */
#define WAIT_FOR(cond, seconds) ({				\
	int __left = (seconds) * 100;				\
								\
	while (!(cond) && __left--)				\
		usleep(10000);					\
	(bool)(cond);						\
})

/* Copies a file as a program. Returns its size, or -1. */
static inline ssize_t copy_file(const char *from, const char *to)
{
	ssize_t len, size = 0;
	char buf[65536];
	int in, out;

	in = open(from, O_RDONLY | O_CLOEXEC);
	out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	while ((len = read(in, buf, sizeof(buf))) > 0 && write(out, buf, len) == len)
		size += len;
	close(in);
	close(out);
	return len ? -1 : size;
}

/*
 * Gives the test mounts of its own and an empty tmpfs in @path; all of it goes
 * with the test's process.
 */
static inline int private_dir(char *path, size_t size)
{
	const char *dir = "/tmp";

	if (unshare(CLONE_NEWNS))
		return -errno;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	if (mount("krsi", dir, "tmpfs", 0, "mode=1777"))
		return -errno;
	snprintf(path, size, "%s", dir);
	return 0;
}

/* True if a line of the kernel log contains @text. */
static inline bool kernel_log_has(const char *text)
{
	static char log[16 << 20];
	/* SYSLOG_ACTION_READ_ALL */
	int len = klogctl(3, log, sizeof(log) - 1);

	if (len < 0)
		return false;
	log[len] = '\0';
	return strstr(log, text);
}

/* Runs @fn in a child; returns what it returned, which must be 0 to 255. */
static inline int in_child(int (*fn)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		_exit(fn(arg));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/*
 * What flistxattr() says, without the attributes that KRSI keeps slots in: which
 * slots there are is up to whoever has claimed some, and to boot programs.
 */
static inline ssize_t other_xattrs(int fd)
{
	char names[1024];
	ssize_t len = flistxattr(fd, names, sizeof(names)), others = 0;
	const char *name;

	if (len < 0)
		return -errno;
	for (name = names; name < names + len; name += strlen(name) + 1)
		if (strncmp(name, "security.krsi.", strlen("security.krsi.")))
			others += strlen(name) + 1;
	return others;
}

#endif /* _KRSI_COMMON_H */
