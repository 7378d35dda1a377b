/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A dm-verity device, which is what the hook bdev_setintegrity is called for:
 * each time that it is resumed.
 */

#ifndef _KRSI_TEST_VERITY_H
#define _KRSI_TEST_VERITY_H

#include <linux/dm-ioctl.h>
#include <sys/sysmacros.h>

#include "image.h"
#include "sha256.h"

#define VERITY_NAME "krsi-test"
#define VERITY_BLOCK 4096
/* The data's; file systems have no smaller ones. */
#define VERITY_DATA IMAGE_BLOCK

/* Digests in a block of them. */
#define VERITY_FANOUT (VERITY_BLOCK / SHA256_SIZE)

/* What a file has that is the data and, behind it, the tree. */
struct verity_file {
	/* In blocks of data. */
	int blocks;
	unsigned char root[SHA256_SIZE];
};

/*
 * One command about the device, with its table of @blocks blocks if there is one;
 * 0 or a negative errno. @dev: where to leave the device's number, unless NULL.
 */
static inline int verity_ioctl(unsigned long command, __u32 flags, const char *table, int blocks,
			       dev_t *dev)
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
			.length = (__u64)blocks * VERITY_DATA / 512,
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
	if (!ret && dev)
		/* As the kernel packs it. */
		*dev = makedev((message.head.dev >> 8) & 0xfff,
			       (message.head.dev & 0xff) | (message.head.dev >> 12 & 0xfff00));
	return ret;
}

static inline int verity_command(unsigned long command, __u32 flags)
{
	return verity_ioctl(command, flags, NULL, 0, NULL);
}

/* Starts the device, or starts it again. Calls the hook. */
static inline int verity_resume(void)
{
	return verity_command(DM_DEV_SUSPEND, 0);
}

static inline int verity_suspend(void)
{
	return verity_command(DM_DEV_SUSPEND, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG);
}

static inline int verity_remove(void)
{
	return verity_command(DM_DEV_REMOVE, 0);
}

/* Makes the device on a file, and does not start it; 0 or a negative errno. */
static inline int verity_make_on(const char *file, const struct verity_file *of)
{
	char path[32], table[256], root[2 * SHA256_SIZE + 1];
	struct stat st;
	int fd, ret, i;

	for (i = 0; i < SHA256_SIZE; i++)
		sprintf(root + 2 * i, "%02x", of->root[i]);
	fd = loop_open(file, path, sizeof(path));
	if (fd < 0)
		return fd;
	if (fstat(fd, &st)) {
		ret = -errno;
	} else {
		snprintf(table, sizeof(table), "1 %u:%u %u:%u %d %d %d %d sha256 %s -",
			 major(st.st_rdev), minor(st.st_rdev), major(st.st_rdev),
			 minor(st.st_rdev), VERITY_DATA, VERITY_BLOCK, of->blocks,
			 (of->blocks * VERITY_DATA + VERITY_BLOCK - 1) / VERITY_BLOCK, root);
		ret = verity_command(DM_DEV_CREATE, 0);
	}
	if (!ret) {
		ret = verity_ioctl(DM_TABLE_LOAD, DM_READONLY_FLAG, table, of->blocks, NULL);
		if (ret)
			verity_remove();
	}
	close(fd);
	return ret;
}

/*
 * The same, on a file that is made for it. Nothing can be read from it: its
 * digest is not right.
 */
static inline int verity_make(const char *file)
{
	const struct verity_file of = { .blocks = 1 };
	int fd, ret;

	fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	/* A block of data, and where its hash would be. */
	ret = ftruncate(fd, 2 * VERITY_BLOCK) ? -errno : 0;
	close(fd);
	return ret ?: verity_make_on(file, &of);
}

/*
 * Adds its tree, of two levels, to a file with data; 0 or a negative errno. The
 * upper level comes first.
 */
static inline int verity_tree(const char *file, struct verity_file *of)
{
	static unsigned char top[VERITY_BLOCK], level[VERITY_FANOUT * VERITY_BLOCK];
	unsigned char block[VERITY_DATA];
	struct stat st;
	int fd, i, blocks, ret = -EIO;

	memset(top, 0, sizeof(top));
	memset(level, 0, sizeof(level));
	fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	of->blocks = st.st_size / VERITY_DATA;
	blocks = (of->blocks + VERITY_FANOUT - 1) / VERITY_FANOUT;
	if (st.st_size % VERITY_BLOCK || blocks < 2 || blocks > VERITY_FANOUT)
		goto out;
	for (i = 0; i < of->blocks; i++) {
		if (pread(fd, block, sizeof(block), (off_t)i * VERITY_DATA) != sizeof(block))
			goto out;
		sha256(block, sizeof(block), level + i * SHA256_SIZE);
	}
	for (i = 0; i < blocks; i++)
		sha256(level + i * VERITY_BLOCK, VERITY_BLOCK, top + i * SHA256_SIZE);
	sha256(top, sizeof(top), of->root);
	if (pwrite(fd, top, sizeof(top), st.st_size) == sizeof(top) &&
	    pwrite(fd, level, blocks * VERITY_BLOCK, st.st_size + sizeof(top)) ==
	    blocks * VERITY_BLOCK)
		ret = 0;
out:
	close(fd);
	return ret;
}

/* The number of the device, once it is started. */
static inline int verity_number(dev_t *dev)
{
	return verity_ioctl(DM_DEV_STATUS, 0, NULL, 0, dev);
}

#endif /* _KRSI_TEST_VERITY_H */
