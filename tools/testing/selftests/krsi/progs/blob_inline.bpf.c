// SPDX-License-Identifier: GPL-2.0
/*
 * Calls for slots that the verifier replaces, and such that it must not.
 */

#include "krsi.bpf.h"
#include "krsi_blob.bpf.h"

char LICENSE[] SEC("license") = "GPL";

KRSI_SLOT(first);
KRSI_SLOT(second);

/* Of the slot that a program is to take if it has the choice. */
bool choose;
/* What the slot has that is asked for, and what the other one has. */
__u64 one = 1, two = 2;
/* What a program found: 0 for nothing. */
__u64 seen;

/* Gives both slots of an inode their value. */
SEC("?lsm/file_open")
int BPF_PROG(fill, struct file *file)
{
	__u64 *blob;

	if (!on_target())
		return 0;
	blob = KRSI_BLOB(inode, file->f_inode, first, __u64);
	if (blob)
		*blob = one;
	blob = KRSI_BLOB(inode, file->f_inode, second, __u64);
	if (blob)
		*blob = two;
	return 0;
}

/* Two paths to one call, each with a constant of its own. */
SEC("?lsm/file_open")
int BPF_PROG(two_paths, struct file *file)
{
	__u32 slot = first;
	__u64 *blob;

	if (!on_target())
		return 0;
	if (choose)
		slot = second;
	barrier_var(slot);
	blob = KRSI_BLOB(inode, file->f_inode, slot, __u64);
	seen = blob ? *blob : 0;
	return 0;
}

/* The same on both paths. */
SEC("?lsm/file_open")
int BPF_PROG(one_constant, struct file *file)
{
	__u32 slot = first;
	__u64 *blob;

	if (!on_target())
		return 0;
	if (choose) {
		seen = two;
		slot = first;
	}
	barrier_var(slot);
	blob = KRSI_BLOB(inode, file->f_inode, slot, __u64);
	seen = blob ? *blob : 0;
	return 0;
}

/* A function that is called for both. */
static __noinline __u64 read_slot(struct inode *inode, __u32 slot)
{
	__u64 *blob = KRSI_BLOB(inode, inode, slot, __u64);

	return blob ? *blob : 0;
}

SEC("?lsm/file_open")
int BPF_PROG(function, struct file *file)
{
	if (!on_target())
		return 0;
	seen = read_slot(file->f_inode, first) << 32 | read_slot(file->f_inode, second);
	return 0;
}

/* A function that has its constant itself. */
static __noinline __u64 read_second(struct inode *inode)
{
	__u64 *blob = KRSI_BLOB(inode, inode, second, __u64);

	return blob ? *blob : 0;
}

SEC("?lsm.s/file_open")
int BPF_PROG(function_constant, struct file *file)
{
	if (!on_target())
		return 0;
	seen = read_second(file->f_inode);
	return 0;
}

/* The slot's number is wanted for more than the call. */
SEC("?lsm/file_open")
int BPF_PROG(number_is_read, struct file *file)
{
	register __u32 slot asm("r2") = first;
	register void *inode asm("r1") = file->f_inode;
	register __u64 copy asm("r6");
	__u64 *blob;

	if (!on_target())
		return 0;
	slot = first;
	inode = file->f_inode;
	asm volatile("w3 = 8\n"
		     "r6 = r2\n"
		     "call %[get]\n"
		     "%[blob] = r0\n"
		     : [blob] "=r"(blob), "=r"(copy), "+r"(slot), "+r"(inode)
		     : [get] "i"(krsi_inode_blob)
		     : "r0", "r3", "r4", "r5");
	if (blob)
		seen = *blob << 32 | (copy == first);
	return 0;
}

/* In front of the call, what is there of another inode is loaded, and nobody reads it. */
SEC("?lsm/file_open")
int BPF_PROG(load_that_can_fault, struct file *file)
{
	register void *inode asm("r1");
	struct dentry *parent;
	__u64 *blob, number;

	if (!on_target())
		return 0;
	number = first;
	parent = file->f_path.dentry->d_parent;
	inode = file->f_inode;
	asm volatile("r2 = *(u32 *)(%[parent] + 0)\n"
		     "r2 = %[number]\n"
		     "r3 = 8\n"
		     "call %[get]\n"
		     "%[blob] = r0\n"
		     : [blob] "=r"(blob), "+r"(inode)
		     : [parent] "r"(parent), [number] "r"(number), [get] "i"(krsi_inode_blob)
		     : "r0", "r2", "r3", "r4", "r5");
	seen = blob ? *blob : 0;
	return 0;
}

/* The test for NULL is also for those who do not call. */
SEC("?lsm/file_open")
int BPF_PROG(shared_test, struct file *file)
{
	__u64 number, skip, value;
	void *inode;

	if (!on_target())
		return 0;
	number = first;
	skip = choose;
	inode = file->f_inode;
	asm volatile("r0 = 0\n"
		     "if %[skip] != 0 goto l0_%=\n"
		     "r1 = %[inode]\n"
		     "r2 = %[number]\n"
		     "r3 = 8\n"
		     "call %[get]\n"
		     "l0_%=: if r0 == 0 goto l1_%=\n"
		     "r0 = *(u64 *)(r0 + 0)\n"
		     "l1_%=: %[value] = r0\n"
		     : [value] "=r"(value)
		     : [skip] "r"(skip), [inode] "r"(inode), [number] "r"(number),
		       [get] "i"(krsi_inode_blob)
		     : "r0", "r1", "r2", "r3", "r4", "r5");
	seen = 100 + value;
	return 0;
}

/* Asked for in a loop, of which the verifier sees every turn. */
SEC("?lsm/file_open")
int BPF_PROG(loop, struct file *file)
{
	__u64 *blob, sum = 0;
	int i;

	if (!on_target())
		return 0;
	bpf_for(i, 0, 3) {
		blob = KRSI_BLOB(inode, file->f_inode, second, __u64);
		sum += blob ? *blob : 0;
	}
	seen = sum;
	return 0;
}

/* The same, where NULL leads back to the beginning of the loop. */
SEC("?lsm/file_open")
int BPF_PROG(loop_back, struct file *file)
{
	__u64 *blob, sum = 0;
	int i;

	if (!on_target())
		return 0;
	bpf_for(i, 0, 3) {
		blob = KRSI_BLOB(inode, file->f_inode, second, __u64);
		if (!blob)
			continue;
		sum += *blob;
		seen = sum;
	}
	return 0;
}
