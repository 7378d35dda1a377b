/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the boot programs of the tests write: for them and for those who look.
 *
 * BPF programs have __u32 and __u64 from elsewhere, and so has everyone else.
 */

#ifndef _KRSI_TEST_BOOT_H
#define _KRSI_TEST_BOOT_H

/* What @magic of a label is, but for the number of the class. */
#define BOOT_MAGIC 0x6b72736962000000ULL

/* The slot "label" of every class. Reset, where objects come from others. */
struct boot_label {
	/* BOOT_MAGIC plus the number of the class in enum krsi_blob_class. */
	__u64 magic;
	/* KRSI_BLOB_NEW or KRSI_BLOB_OLD. */
	__u32 how;
	/* How often the program ran for this object: once. */
	__u32 runs;
	/* The process that made the object, and its exec; 0 if it is old. */
	__u32 pid;
	__u32 exec_id;
	/* A fact about the object, of each class another. */
	__u64 fact;
};

/* The slot "create" of inodes: files that were made in a directory. */
struct boot_create {
	__u64 magic;
	/* Number of the directory. */
	__u64 dir;
	__u32 pid;
	__u32 runs;
};

/* The slot "named" of inodes: those that have got a name. */
struct boot_named {
	__u64 magic;
	__u32 how;
	__u32 runs;
	__u32 uid;
	__u32 mode;
};

/* The slot "depth" of credentials: the program decides what is inherited. */
struct boot_depth {
	/* How many credentials these come from, one from the other. */
	__u32 depth;
	__u32 runs;
};

/* What @magic of a maker is. */
#define BOOT_MAKER 0x6b7273696d616b65ULL

/* The slot "maker" of inodes, which lasts. */
struct boot_maker {
	__u64 magic;
	/* The process that made the file, 0 if it is not known. */
	__u64 pid;
};

#endif /* _KRSI_TEST_BOOT_H */
