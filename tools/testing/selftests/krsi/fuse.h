/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A FUSE file system that has one empty file, "a", with one extended attribute,
 * served by a child of the test.
 */

#ifndef _KRSI_TEST_FUSE_H
#define _KRSI_TEST_FUSE_H

#include <linux/fuse.h>
#include <sys/mman.h>

#include "common.h"

/* The number of the file's inode; that of the root is 1. */
#define FUSE_FILE 2

struct fuse_test {
	const char *name;	/* of the attribute */
	const char *value;
	int fail;		/* so often it cannot be read */
	pid_t server;
};

static inline void fuse_attr(struct fuse_attr *attr, __u64 node)
{
	attr->ino = node;
	attr->mode = node == FUSE_FILE ? S_IFREG | 0600 : S_IFDIR | 0700;
	attr->nlink = 1;
	attr->blksize = 4096;
}

/* What the file system says to a request: bytes in @out, or a negative errno. */
static inline int fuse_answer(struct fuse_test *test, const struct fuse_in_header *in, void *out)
{
	const void *arg = in + 1;

	switch (in->opcode) {
	case FUSE_INIT: {
		const struct fuse_init_in *init = arg;
		struct fuse_init_out *answer = out;

		answer->major = FUSE_KERNEL_VERSION;
		answer->minor = init->minor;
		answer->max_write = 4096;
		return sizeof(*answer);
	}
	case FUSE_LOOKUP: {
		struct fuse_entry_out *answer = out;

		if (strcmp(arg, "a"))
			return -ENOENT;
		answer->nodeid = FUSE_FILE;
		fuse_attr(&answer->attr, FUSE_FILE);
		return sizeof(*answer);
	}
	case FUSE_GETATTR: {
		struct fuse_attr_out *answer = out;

		fuse_attr(&answer->attr, in->nodeid);
		return sizeof(*answer);
	}
	case FUSE_GETXATTR: {
		const struct fuse_getxattr_in *get = arg;
		size_t len = strlen(test->value);

		if (in->nodeid != FUSE_FILE || strcmp((const char *)(get + 1), test->name))
			return -ENODATA;
		if (test->fail) {
			test->fail--;
			return -EIO;
		}
		if (!get->size) {
			((struct fuse_getxattr_out *)out)->size = len;
			return sizeof(struct fuse_getxattr_out);
		}
		if (get->size < len)
			return -ERANGE;
		memcpy(out, test->value, len);
		return len;
	}
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		return sizeof(struct fuse_open_out);
	case FUSE_STATFS:
		return sizeof(struct fuse_statfs_out);
	case FUSE_READ:
	case FUSE_READDIR:
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		return 0;
	}
	return -ENOSYS;
}

static inline void fuse_serve(struct fuse_test *test, int dev)
{
	/* Not less than the kernel wants to have space for. */
	static char request[FUSE_MIN_READ_BUFFER + 4096];
	struct {
		struct fuse_out_header header;
		char bytes[4096];
	} reply;
	const struct fuse_in_header *in = (const void *)request;
	int ret;

	while (read(dev, request, sizeof(request)) > 0) {
		if (in->opcode == FUSE_FORGET || in->opcode == FUSE_BATCH_FORGET ||
		    in->opcode == FUSE_INTERRUPT)
			continue;
		memset(&reply, 0, sizeof(reply));
		ret = fuse_answer(test, in, reply.bytes);
		reply.header.unique = in->unique;
		reply.header.error = ret < 0 ? ret : 0;
		reply.header.len = sizeof(reply.header) + (ret < 0 ? 0 : ret);
		if (write(dev, &reply, reply.header.len) < 0 && errno != ENOENT)
			break;
	}
	_exit(0);
}

/* Mounts it; NULL on error. What the test changes in it the server sees. */
static inline struct fuse_test *fuse_mount(const char *dir, const char *name, const char *value)
{
	struct fuse_test *test;
	char options[64];
	pid_t server;
	int dev;

	test = mmap(NULL, sizeof(*test), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (test == MAP_FAILED || dev < 0)
		return NULL;
	test->name = name;
	test->value = value;
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", dev);
	if (mount("krsi", dir, "fuse", 0, options))
		return NULL;
	server = fork();
	if (!server)
		fuse_serve(test, dev);
	close(dev);
	test->server = server;
	return server < 0 ? NULL : test;
}

/* Ends the server; its file system then has nothing more to say. */
static inline void fuse_end(struct fuse_test *test, const char *dir)
{
	umount2(dir, MNT_DETACH);
	kill(test->server, SIGKILL);
	waitpid(test->server, NULL, 0);
	munmap(test, sizeof(*test));
}

#endif /* _KRSI_TEST_FUSE_H */
