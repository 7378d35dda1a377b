/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A dm-verity device, which is what the hook bdev_setintegrity is called for:
 * each time that it is resumed. Nothing is ever read from it, so the digest need
 * not be right.
 */

#ifndef _KRSI_TEST_VERITY_H
#define _KRSI_TEST_VERITY_H

#include <linux/dm-ioctl.h>
#include <sys/sysmacros.h>

#include "image.h"

#define VERITY_NAME "krsi-test"
#define VERITY_BLOCK 4096

/* One command about the device, with its table if there is one; 0 or a negative errno. */
static inline int verity_command(unsigned long command, __u32 flags, const char *table)
{
	struct {
		struct dm_ioctl head;
		struct dm_target_spec target;
		char table[256];
	} message = {
		.head = {
			.version = { DM_VERSION_MAJOR },
			.data_size = sizeof(message),
			.data_start = offsetof(typeof(message), target),
			.target_count = !!table,
			.flags = flags,
			.name = VERITY_NAME,
		},
		.target = {
			.length = VERITY_BLOCK / 512,
			.target_type = "verity",
		},
	};
	int fd, ret;

	if (table)
		snprintf(message.table, sizeof(message.table), "%s", table);
	fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = ioctl(fd, command, &message) ? -errno : 0;
	close(fd);
	return ret;
}

/* Starts the device, or starts it again. Calls the hook. */
static inline int verity_resume(void)
{
	return verity_command(DM_DEV_SUSPEND, 0, NULL);
}

static inline int verity_suspend(void)
{
	return verity_command(DM_DEV_SUSPEND, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG, NULL);
}

static inline int verity_remove(void)
{
	return verity_command(DM_DEV_REMOVE, 0, NULL);
}

/* Makes the device, on a file that is made for it, and does not start it. */
static inline int verity_make(const char *file)
{
	char path[32], table[256];
	struct stat st;
	int fd, ret;

	fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ret = ftruncate(fd, 2 * VERITY_BLOCK) ? -errno : 0;
	close(fd);
	if (ret)
		return ret;
	fd = loop_open(file, path, sizeof(path));
	if (fd < 0)
		return fd;
	/* A block of data, and where its hash would be. */
	if (fstat(fd, &st)) {
		ret = -errno;
	} else {
		snprintf(table, sizeof(table), "1 %u:%u %u:%u %d %d 1 1 sha256 %064d -",
			 major(st.st_rdev), minor(st.st_rdev), major(st.st_rdev),
			 minor(st.st_rdev), VERITY_BLOCK, VERITY_BLOCK, 0);
		ret = verity_command(DM_DEV_CREATE, 0, NULL);
	}
	if (!ret) {
		ret = verity_command(DM_TABLE_LOAD, DM_READONLY_FLAG, table);
		if (ret)
			verity_remove();
	}
	close(fd);
	return ret;
}

#endif /* _KRSI_TEST_VERITY_H */
