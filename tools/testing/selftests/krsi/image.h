/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A loop device, and on it an empty file system of the ext family, with or
 * without a journal, made here because there is not always a program that makes
 * one.
 */

#ifndef _KRSI_TEST_IMAGE_H
#define _KRSI_TEST_IMAGE_H

#include <linux/loop.h>
#include <sys/ioctl.h>

#include "common.h"

#define IMAGE_BLOCK 1024
#define IMAGE_BLOCKS 4096
#define IMAGE_INODES 512
#define IMAGE_INODE_SIZE 256
/* The least that the kernel takes, in blocks. */
#define IMAGE_JOURNAL 1024

static inline void put16(unsigned char *at, unsigned int value)
{
	at[0] = value;
	at[1] = value >> 8;
}

static inline void put32(unsigned char *at, unsigned int value)
{
	put16(at, value);
	put16(at + 2, value >> 16);
}

/* The journal is of the other byte order. */
static inline void put32_be(unsigned char *at, unsigned int value)
{
	put16(at, (value >> 24) | (value >> 8 & 0xff00));
	put16(at + 2, (value >> 8 & 0xff) | (value << 8 & 0xff00));
}

static inline void put_bits(unsigned char *bitmap, int from, int to)
{
	for (; from < to; from++)
		bitmap[from / 8] |= 1 << from % 8;
}

/* Makes the inode of an empty journal that begins at block @first. */
static inline void put_journal(unsigned char *inode, unsigned char *journal, int first)
{
	put16(inode + 0, 0100600);
	put32(inode + 4, IMAGE_JOURNAL * IMAGE_BLOCK);
	put16(inode + 26, 1 /* link */);
	put32(inode + 28, IMAGE_JOURNAL * IMAGE_BLOCK / 512);
	put32(inode + 32, 0x80000 /* has extents */);
	put16(inode + 40, 0xf30a);
	put16(inode + 42, 1 /* extent */);
	put16(inode + 44, 4 /* at most */);
	put16(inode + 56, IMAGE_JOURNAL);
	put32(inode + 60, first);
	put16(inode + 128, 32 /* of the fields behind */);

	put32_be(journal + 0, 0xc03b3998);
	put32_be(journal + 4, 4 /* a superblock of version 2 */);
	put32_be(journal + 12, IMAGE_BLOCK);
	put32_be(journal + 16, IMAGE_JOURNAL);
	put32_be(journal + 20, 1 /* the first block of the log */);
	put32_be(journal + 24, 1 /* the first transaction */);
	put32_be(journal + 64, 1 /* file system */);
}

/* Makes a file with an empty file system; 0 or a negative errno. */
static inline int image_make(const char *path, bool journal)
{
	/* In order: nothing, superblock, descriptor, bitmaps, inodes, root, journal. */
	enum { SUPER = 1, GROUP, BLOCK_MAP, INODE_MAP, TABLE };
	const int root = TABLE + IMAGE_INODES * IMAGE_INODE_SIZE / IMAGE_BLOCK;
	const int used = root + (journal ? IMAGE_JOURNAL : 0);
	static unsigned char image[192 * IMAGE_BLOCK];
	unsigned char *super = image + SUPER * IMAGE_BLOCK;
	unsigned char *group = image + GROUP * IMAGE_BLOCK;
	unsigned char *table = image + TABLE * IMAGE_BLOCK;
	unsigned char *inode = table + IMAGE_INODE_SIZE;
	unsigned char *dir = image + root * IMAGE_BLOCK;
	int fd, ret = 0;

	memset(image, 0, sizeof(image));
	put32(super + 0, IMAGE_INODES);
	put32(super + 4, IMAGE_BLOCKS);
	put32(super + 12, IMAGE_BLOCKS - 1 - used);
	put32(super + 16, IMAGE_INODES - 10);
	put32(super + 20, SUPER);
	put32(super + 32, 8 * IMAGE_BLOCK);
	put32(super + 36, 8 * IMAGE_BLOCK);
	put32(super + 40, IMAGE_INODES);
	put16(super + 54, 0xffff);
	put16(super + 56, 0xef53);
	put16(super + 58, 1 /* clean */);
	put16(super + 60, 1 /* goes on after errors */);
	put32(super + 76, 1 /* revision */);
	put32(super + 84, 11 /* the first inode that is not special */);
	put16(super + 88, IMAGE_INODE_SIZE);
	put32(super + 92, 0x8 /* extended attributes */ | (journal ? 0x4 : 0));
	put32(super + 96, 0x2 /* types in directories */ | 0x40 /* extents */);
	put32(super + 224, journal ? 8 : 0 /* the journal's inode */);

	put32(group + 0, BLOCK_MAP);
	put32(group + 4, INODE_MAP);
	put32(group + 8, TABLE);
	put16(group + 12, IMAGE_BLOCKS - 1 - used);
	put16(group + 14, IMAGE_INODES - 10);
	put16(group + 16, 1);

	/* The first bit is block 1; what is behind the end is not free. */
	put_bits(image + BLOCK_MAP * IMAGE_BLOCK, 0, used);
	put_bits(image + BLOCK_MAP * IMAGE_BLOCK, IMAGE_BLOCKS - 1, 8 * IMAGE_BLOCK);
	put_bits(image + INODE_MAP * IMAGE_BLOCK, 0, 10);
	put_bits(image + INODE_MAP * IMAGE_BLOCK, IMAGE_INODES, 8 * IMAGE_BLOCK);

	put16(inode + 0, 040755);
	put32(inode + 4, IMAGE_BLOCK);
	put16(inode + 26, 2 /* links */);
	put32(inode + 28, IMAGE_BLOCK / 512);
	put32(inode + 40, root);
	put16(inode + 128, 32 /* of the fields behind */);

	put32(dir + 0, 2);
	put16(dir + 4, 12);
	memcpy(dir + 6, "\1\2.", 3);
	put32(dir + 12, 2);
	put16(dir + 16, IMAGE_BLOCK - 12);
	memcpy(dir + 18, "\2\2..", 4);

	if (journal)
		put_journal(table + 7 * IMAGE_INODE_SIZE, dir + IMAGE_BLOCK, root + 1);

	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, image, sizeof(image)) != sizeof(image) ||
	    ftruncate(fd, IMAGE_BLOCKS * IMAGE_BLOCK))
		ret = errno ? -errno : -EIO;
	close(fd);
	return ret;
}

/*
 * Has a file on a loop device, which goes when nobody uses it any more. Returns
 * the open device, or a negative errno; @path is the device's.
 */
static inline int loop_open(const char *file, char *path, size_t size)
{
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int control, device = -1, number, ret;

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	config.fd = open(file, O_RDWR | O_CLOEXEC);
	number = control < 0 || (int)config.fd < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
	snprintf(path, size, "/dev/loop%d", number);
	if (number >= 0)
		device = open(path, O_RDWR | O_CLOEXEC);
	ret = device < 0 || ioctl(device, LOOP_CONFIGURE, &config) ? -errno : device;
	if (ret < 0 && device >= 0)
		close(device);
	if ((int)config.fd >= 0)
		close(config.fd);
	if (control >= 0)
		close(control);
	return ret;
}

/* Mounts an image. Returns 0 or a negative errno. Unmounting detaches the device. */
static inline int image_mount_flags(const char *image, const char *dir, unsigned long flags)
{
	int device, ret;
	char path[32];

	device = loop_open(image, path, sizeof(path));
	if (device < 0)
		return device;
	ret = mount(path, dir, "ext4", flags, NULL) ? -errno : 0;
	close(device);
	return ret;
}

static inline int image_mount(const char *image, const char *dir)
{
	return image_mount_flags(image, dir, 0);
}

#endif /* _KRSI_TEST_IMAGE_H */
