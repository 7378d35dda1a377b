// SPDX-License-Identifier: GPL-2.0
/*
 * What iterators return, and what that leads to: a part of the table in
 * kfunc_trust.bpf.c.
 */

#include "kfunc_trust.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define ITER_ALL_PROCS 0
/* An empty argument of a macro. */
#define NOTHING

extern int bpf_iter_task_vma_new(struct bpf_iter_task_vma *it, struct task_struct *task,
				 __u64 addr) __ksym;
extern struct vm_area_struct *bpf_iter_task_vma_next(struct bpf_iter_task_vma *it) __ksym;
extern void bpf_iter_task_vma_destroy(struct bpf_iter_task_vma *it) __ksym;
extern int bpf_iter_css_task_new(struct bpf_iter_css_task *it, struct cgroup_subsys_state *css,
				 unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_css_task_next(struct bpf_iter_css_task *it) __ksym;
extern void bpf_iter_css_task_destroy(struct bpf_iter_css_task *it) __ksym;
extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task,
			     unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;
extern int bpf_dynptr_from_file(struct file *file, __u32 flags, struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_file_discard(struct bpf_dynptr *ptr) __ksym;
extern struct cgroup *bpf_cgroup_from_id(u64 cgid) __ksym;

/* Iterators: what they return stays until their next step. */

SEC("lsm.s/file_open") __accept
int BPF_PROG(iterator, struct file *file)
{
	struct bpf_iter_task_vma it;
	struct vm_area_struct *vma;
	struct file *mapped;

	bpf_iter_task_vma_new(&it, bpf_get_current_task_btf(), 0);
	while ((vma = bpf_iter_task_vma_next(&it))) {
		mapped = vma->vm_file;
		if (mapped)
			label_inode(mapped->f_inode);
	}
	bpf_iter_task_vma_destroy(&it);
	return 0;
}

/* The dynptr has no reference to the file and would outlive the iterator. */
SEC("lsm.s/file_open") __reject("bpf_dynptr_from_file needs a file that the program holds")
int BPF_PROG(iterator_dynptr, struct file *file)
{
	struct bpf_iter_task_vma it;
	struct vm_area_struct *vma;
	struct bpf_dynptr text;
	struct file *mapped;

	bpf_iter_task_vma_new(&it, bpf_get_current_task_btf(), 0);
	vma = bpf_iter_task_vma_next(&it);
	mapped = vma ? vma->vm_file : NULL;
	if (mapped) {
		bpf_dynptr_from_file(mapped, 0, &text);
		bpf_dynptr_file_discard(&text);
	}
	bpf_iter_task_vma_destroy(&it);
	return 0;
}

SEC("lsm.s/file_open") __accept
int BPF_PROG(dynptr, struct file *file)
{
	struct bpf_dynptr text;

	bpf_dynptr_from_file(file, 0, &text);
	bpf_dynptr_file_discard(&text);
	return 0;
}

/* The memory that an iterator returns is part of it, for any number of steps. */
SEC("lsm/file_open") __accept
int BPF_PROG(iterator_of_numbers, struct file *file)
{
	int *first, *second, sum = 0;
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 3);
	first = bpf_iter_num_next(&it);
	second = bpf_iter_num_next(&it);
	if (first && second)
		sum = *first + *second;
	bpf_iter_num_destroy(&it);
	return sum > 5 ? -EPERM : 0;
}

/* Does @found with the first mapped file, and @late after the iterator's end. */
#define ITERATOR_ENDS(name, verdict, found, late)				\
SEC("lsm.s/file_open") verdict							\
int BPF_PROG(name, struct file *file)						\
{										\
	struct bpf_iter_task_vma it;						\
	struct vm_area_struct *vma, *found_vma = NULL;				\
	struct inode *inode = NULL;						\
	struct file *mapped = NULL;						\
	__u64 *blob = NULL;							\
	__u64 start = 0;							\
										\
	bpf_iter_task_vma_new(&it, bpf_get_current_task_btf(), 0);		\
	while ((vma = bpf_iter_task_vma_next(&it))) {				\
		mapped = vma->vm_file;						\
		if (mapped) {							\
			found;							\
			break;							\
		}								\
	}									\
	bpf_iter_task_vma_destroy(&it);						\
	late;									\
	return inode && found_vma && start && blob ? -EPERM : 0;		\
}

ITERATOR_ENDS(iterator_ended_vma, NOT_TRUSTED, found_vma = vma,
	      if (found_vma) label_file(found_vma->vm_file))
ITERATOR_ENDS(iterator_ended_file, NOT_TRUSTED, NOTHING,
	      if (mapped) label_file(mapped))
ITERATOR_ENDS(iterator_ended_inode, NOT_TRUSTED, inode = mapped->f_inode,
	      if (inode) label_inode(inode))
ITERATOR_ENDS(iterator_ended_blob, NOT_MEMORY,
	      blob = KRSI_BLOB(inode, mapped->f_inode, slot, __u64), write_to(blob))
ITERATOR_ENDS(iterator_ended_inode_of_kfunc, NOT_TRUSTED, inode = bpf_real_data_inode(mapped),
	      if (inode) label_inode(inode))
/* It can still be read. */
ITERATOR_ENDS(iterator_ended_read, __accept, found_vma = vma,
	      if (found_vma) start = found_vma->vm_start)

/* The step puts the file that the iterator held. */
SEC("lsm.s/file_open") NOT_TRUSTED
int BPF_PROG(iterator_stepped, struct file *file)
{
	struct bpf_iter_task_vma it;
	struct inode *inode = NULL;
	struct vm_area_struct *vma;
	struct file *mapped;

	bpf_iter_task_vma_new(&it, bpf_get_current_task_btf(), 0);
	vma = bpf_iter_task_vma_next(&it);
	if (vma) {
		mapped = vma->vm_file;
		if (mapped)
			inode = mapped->f_inode;
	}
	bpf_iter_task_vma_next(&it);
	if (inode)
		label_inode(inode);
	bpf_iter_task_vma_destroy(&it);
	return 0;
}

/* Of two iterators, the one that goes on takes nothing from the other. */
SEC("lsm.s/file_open") __accept
int BPF_PROG(iterator_of_two, struct file *file)
{
	struct bpf_iter_task_vma it, other;
	struct vm_area_struct *vma;
	struct file *mapped;

	bpf_iter_task_vma_new(&it, bpf_get_current_task_btf(), 0);
	vma = bpf_iter_task_vma_next(&it);
	if (vma) {
		mapped = vma->vm_file;
		bpf_iter_task_vma_new(&other, bpf_get_current_task_btf(), 0);
		bpf_iter_task_vma_next(&other);
		bpf_iter_task_vma_destroy(&other);
		if (mapped)
			label_inode(mapped->f_inode);
	}
	bpf_iter_task_vma_destroy(&it);
	return 0;
}

static __noinline void end(struct bpf_iter_task_vma *it)
{
	bpf_iter_task_vma_destroy(it);
}

/* Wherever the destructor is called. */
SEC("lsm.s/file_open") NOT_TRUSTED
int BPF_PROG(iterator_ended_elsewhere, struct file *file)
{
	struct bpf_iter_task_vma it;
	struct vm_area_struct *vma;
	struct file *mapped = NULL;

	bpf_iter_task_vma_new(&it, bpf_get_current_task_btf(), 0);
	vma = bpf_iter_task_vma_next(&it);
	if (vma)
		mapped = vma->vm_file;
	end(&it);
	if (mapped)
		label_file(mapped);
	return 0;
}

#define CSS_TASK(name, verdict, body, late)				\
SEC("lsm.s/file_open") verdict						\
int BPF_PROG(name, struct file *file)					\
{									\
	struct task_struct *task, *found = NULL;			\
	struct bpf_iter_css_task it;					\
	struct cgroup *cgroup;						\
									\
	cgroup = bpf_cgroup_from_id(1);					\
	if (!cgroup)							\
		return 0;						\
	bpf_iter_css_task_new(&it, &cgroup->self, 0);			\
	while ((task = bpf_iter_css_task_next(&it))) {			\
		body;							\
	}								\
	bpf_iter_css_task_destroy(&it);					\
	late;								\
	bpf_cgroup_release(cgroup);					\
	return found == bpf_get_current_task_btf() ? -EPERM : 0;	\
}

CSS_TASK(css_task, __accept, label_task(task), NOTHING)
CSS_TASK(css_task_ended, NOT_TRUSTED, found = task; break,
	 if (found) label_task(found))
CSS_TASK(css_task_stepped, NOT_TRUSTED, if (found) label_task(found); found = task, NOTHING)
/* A reference keeps it. */
CSS_TASK(css_task_taken, __accept, found = bpf_task_acquire(task); break,
	 if (found) { label_task(found); bpf_task_release(found); found = NULL; })

#define RCU_TASK(name, verdict, use)				\
SEC("lsm.s/file_open") verdict					\
int BPF_PROG(name, struct file *file)				\
{								\
	struct task_struct *task, *parent;			\
	struct bpf_iter_task it;				\
								\
	bpf_rcu_read_lock();					\
	bpf_iter_task_new(&it, NULL, ITER_ALL_PROCS);		\
	while ((task = bpf_iter_task_next(&it))) {		\
		use;						\
	}							\
	bpf_iter_task_destroy(&it);				\
	bpf_rcu_read_unlock();					\
	return 0;						\
}

RCU_TASK(rcu_iterator, NOT_TRUSTED, parent = task; label_task(parent))
RCU_TASK(rcu_iterator_taken, __accept, parent = krsi_task_real_parent(task);
	 if (parent) { label_task(parent); bpf_task_release(parent); })

/* A file that RCU protects can be freed, and reused, in the section. */
SEC("lsm.s/file_open") NOT_TRUSTED
int BPF_PROG(field_of_rcu_file_later, struct file *opened)
{
	struct bpf_iter_task_vma it;
	struct vm_area_struct *vma;
	struct inode *inode = NULL;
	struct mm_struct *mm;
	struct file *file;

	bpf_iter_task_vma_new(&it, bpf_get_current_task_btf(), 0);
	vma = bpf_iter_task_vma_next(&it);
	if (vma) {
		mm = vma->vm_mm;
		if (mm) {
			bpf_rcu_read_lock();
			file = mm->exe_file;
			if (file)
				inode = file->f_inode;
			bpf_rcu_read_unlock();
			if (inode)
				label_inode(inode);
		}
	}
	bpf_iter_task_vma_destroy(&it);
	return 0;
}
