/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file in which slots are claimed.
 */

#ifndef _KRSI_TEST_BLOB_H
#define _KRSI_TEST_BLOB_H

#include <sys/klog.h>

#include "common.h"

#define BLOBS SECURITYFS "/krsi/blobs"

/* Writes one command; 0 or a negative errno. */
static inline int __attribute__((format(printf, 1, 2)))
blob_command(const char *fmt, ...)
{
	char line[512];
	va_list args;
	int fd, len, ret;

	va_start(args, fmt);
	len = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	fd = open(BLOBS, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, line, len);
	ret = ret < 0 ? -errno : ret == len ? 0 : -EIO;
	close(fd);
	return ret;
}

/* The value of a field of the line that has all of @match; -1 without one. */
static inline long long blob_field(const char *field, const char *class, const char *name,
				   const char *state)
{
	static char text[131072];
	char want[3][64], *line, *save, *at;

	if (!read_text(BLOBS, text, sizeof(text)))
		return -1;
	snprintf(want[0], sizeof(want[0]), "class=%s ", class);
	snprintf(want[1], sizeof(want[1]), " name=%s ", name ?: "");
	snprintf(want[2], sizeof(want[2]), " state=%s", state ?: "");
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!strstr(line, want[0]) || !name == !!strncmp(line, "class=", 6))
			continue;
		if (name && (!strstr(line, want[1]) || !strstr(line, want[2])))
			continue;
		at = strstr(line, field);
		if (at)
			return strtoll(at + strlen(field), NULL, 10);
	}
	return -1;
}

static inline long long blob_reserved(const char *class)
{
	return blob_field("reserved=", class, NULL, NULL);
}

static inline long long blob_free(const char *class)
{
	return blob_field("free=", class, NULL, NULL);
}

/* The number of a live slot. */
static inline long long blob_slot(const char *class, const char *name)
{
	return blob_field("slot=", class, name, "live");
}

/* True if the kernel's log has @text. */
static inline bool logged(const char *text)
{
	static char log[8 << 20];
	int len = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log) - 1);

	if (len < 0)
		return false;
	log[len] = '\0';
	return strstr(log, text);
}

#endif /* _KRSI_TEST_BLOB_H */
