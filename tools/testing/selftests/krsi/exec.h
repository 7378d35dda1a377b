/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests about programs that are about to run share: running one,
 * putting its dump together, and seeing what it got.
 */

#ifndef _KRSI_EXEC_H
#define _KRSI_EXEC_H

#include "../../../../include/uapi/linux/krsi.h"
#include "common.h"

/* A program that only stops, for this machine and for its 32-bit mode. */
#define IDLE "./exec_idle"
#define IDLE32 "./exec_idle32"

struct bytes {
	char *data;
	size_t len;
	size_t room;
};

static inline void bytes_add(struct bytes *bytes, const void *data, size_t len)
{
	if (bytes->len + len > bytes->room) {
		bytes->room = (bytes->len + len) * 2;
		bytes->data = realloc(bytes->data, bytes->room);
		if (!bytes->data)
			abort();
	}
	memcpy(bytes->data + bytes->len, data, len);
	bytes->len += len;
}

static inline void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	memset(bytes, 0, sizeof(*bytes));
}

static inline struct bytes file_bytes(const char *path)
{
	static char buf[1 << 16];
	struct bytes bytes = {};
	ssize_t len;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return bytes;
	while ((len = read(fd, buf, sizeof(buf))) > 0)
		bytes_add(&bytes, buf, len);
	close(fd);
	return bytes;
}

static inline struct bytes proc_bytes(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return file_bytes(path);
}

/* A dump, put together from its records. */
struct dump {
	__u64 exec_id;
	__u64 total;
	__u32 argc;
	__u32 envc;
	__u32 flags;
	__u32 records;
	struct bytes bytes;
};

struct dumps {
	int count;
	/* What was wrong with a record. */
	const char *error;
	struct dump dump[8];
};

static inline void dumps_clear(struct dumps *dumps)
{
	while (dumps->count)
		bytes_free(&dumps->dump[--dumps->count].bytes);
	memset(dumps, 0, sizeof(*dumps));
}

/* Adds a record; dumps of several programs may be mixed. */
static inline int dumps_record(void *ctx, void *data, size_t size)
{
	const struct krsi_exec_record *record = data;
	struct dumps *dumps = ctx;
	struct dump *dump;
	int i;

	/* Perf events pad. */
	if (size < sizeof(*record) || size > 4096 ||
	    sizeof(*record) + record->len > KRSI_EXEC_RECORD_MAX ||
	    size < sizeof(*record) + record->len || !record->exec_id) {
		dumps->error = "size";
		return 0;
	}
	for (i = 0; i < dumps->count; i++)
		if (dumps->dump[i].exec_id == record->exec_id)
			break;
	if (i == ARRAY_SIZE(dumps->dump)) {
		dumps->error = "too many";
		return 0;
	}
	dump = &dumps->dump[i];
	if (i == dumps->count) {
		dumps->count++;
		dump->exec_id = record->exec_id;
		dump->argc = record->argc;
		dump->envc = record->envc;
	}
	if (dump->argc != record->argc || dump->envc != record->envc)
		dumps->error = "counts differ";
	if (record->offset != dump->bytes.len)
		dumps->error = "offset";
	if (dump->flags & KRSI_EXEC_LAST)
		dumps->error = "a record after the last";
	if (dump->records && record->total != dump->total &&
	    !(record->flags & KRSI_EXEC_CHANGED))
		dumps->error = "total";
	dump->total = record->total;
	dump->flags = record->flags;
	dump->records++;
	bytes_add(&dump->bytes, record + 1, record->len);
	if (dump->flags & KRSI_EXEC_LAST && dump->bytes.len != dump->total)
		dumps->error = "length";
	return 0;
}

/* How many bytes @count strings take from @from on; more than there are if they do not end. */
static inline size_t strings_len(const struct bytes *bytes, size_t from, __u32 count)
{
	const char *p = bytes->data + from, *end = bytes->data + bytes->len;

	while (count--) {
		p = p < end ? memchr(p, '\0', end - p) : NULL;
		if (!p++)
			return bytes->len + 1;
	}
	return p - (bytes->data + from);
}

/* Waits until child @pid, which executes IDLE, has started; -ECHILD if it died. */
static inline int started(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		return -ECHILD;
	return 0;
}

/*
 * Executes @path, which ends in IDLE, as a child, in the memory of this process
 * until then: others can go on writing the strings. Returns its pid, or a
 * negative errno: -ECHILD if the program died before it ran.
 */
static inline pid_t start(const char *path, char *const *argv, char *const *envp)
{
	static volatile int error;
	pid_t pid;

	error = 0;
	pid = vfork();
	if (!pid) {
		execve(path, argv, envp);
		error = errno;
		_exit(127);
	}
	if (pid < 0)
		return -errno;
	if (!error)
		return started(pid) ?: pid;
	waitpid(pid, NULL, 0);
	return -error;
}

static inline int stop(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

#endif /* _KRSI_EXEC_H */
