// SPDX-License-Identifier: GPL-2.0
/*
 * Every source of a pointer that the verifier of Linux 7.3 may trust, what keeps
 * the object, and what KRSI's kfuncs, which return writable memory of it, make
 * of the pointer. The same table is in Documentation/bpf/krsi-kfuncs-refs.rst.
 *
 * source				kept by			verdict
 * arguments of a hook			the hook's caller	accept
 * ... of a hook that frees it		nothing			reject
 * bpf_get_current_task_btf()		the task runs		accept
 * KF_ACQUIRE kfuncs			the reference		until its release
 * kptr taken by bpf_kptr_xchg()	the reference		until its release
 * kptr read from a map			nothing, or RCU		reject
 * trusted fields			what they are in	as long as that
 * other fields				nothing			reject
 * fields of what RCU protects		nothing			reject
 * __rcu fields, KF_RCU_PROTECTED	the RCU section		KF_RCU kfuncs only
 * iterators, _next()			the iterator		until the next step
 * iterators with KF_RCU_PROTECTED	the RCU section		KF_RCU kfuncs only
 * other kfuncs				their argument		as long as that
 * helpers				nothing known		reject
 * callbacks of helpers			nothing known		reject
 * arguments of global functions	the caller		as what is passed
 * bpf_rdonly_cast(), __arg_untrusted	nothing			reject
 * per-CPU variables			the kernel		reject
 * local kptrs, map values, stack	-			other types: reject
 * struct_ops, tp_btf, iterator programs -			no LSM programs: reject
 */

#include "kfunc_trust.bpf.h"

char LICENSE[] SEC("license") = "GPL";

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;

/* Arguments of hooks. */

SEC("lsm.s/inode_unlink") __accept
int BPF_PROG(argument, struct inode *dir, struct dentry *dentry)
{
	label_inode(dir);
	return 0;
}

SEC("lsm/task_free") NOT_TRUSTED
int BPF_PROG(argument_freed, struct task_struct *task)
{
	label_task(task);
	return 0;
}

/* The current task. */

SEC("lsm.s/file_open") __accept
int BPF_PROG(current_task, struct file *file)
{
	label_task(bpf_get_current_task_btf());
	return 0;
}

/* Trusted fields, and others. */

SEC("lsm.s/inode_unlink") __accept
int BPF_PROG(field_of_dentry, struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = dentry->d_inode;

	if (inode)
		label_inode(inode);
	return 0;
}

SEC("lsm.s/bprm_check_security") __accept
int BPF_PROG(field_of_bprm, struct linux_binprm *bprm)
{
	label_inode(bprm->file->f_inode);
	return 0;
}

SEC("lsm.s/socket_listen") __accept
int BPF_PROG(field_of_socket, struct socket *sock, int backlog)
{
	struct sock *sk = sock->sk;

	if (sk)
		label_sock(sk);
	return 0;
}

SEC("lsm/file_mprotect") __accept
int BPF_PROG(field_of_vma, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot)
{
	struct file *file = vma->vm_file;

	if (file)
		label_inode(file->f_inode);
	return 0;
}

SEC("lsm/inode_unlink") NOT_TRUSTED
int BPF_PROG(other_field, struct inode *dir, struct dentry *dentry)
{
	label_inode(dentry->d_parent->d_inode);
	return 0;
}

SEC("lsm.s/file_open") NOT_TRUSTED
int BPF_PROG(other_field_sleepable, struct file *file)
{
	label_task(bpf_get_current_task_btf()->real_parent);
	return 0;
}

/* What RCU protects, and what that leads to. */

SEC("lsm/file_open") NOT_TRUSTED
int BPF_PROG(rcu_field, struct file *file)
{
	label_task(bpf_get_current_task_btf()->real_parent);
	return 0;
}

SEC("lsm/file_open") __accept
int BPF_PROG(rcu_field_taken, struct file *file)
{
	struct task_struct *leader;

	leader = krsi_task_group_leader(bpf_get_current_task_btf()->real_parent);
	if (!leader)
		return 0;
	label_task(leader);
	bpf_task_release(leader);
	return 0;
}

/* The file can be freed, and reused, in the section. */
SEC("lsm/file_mprotect") NOT_TRUSTED
int BPF_PROG(field_of_rcu_file, struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	struct file *file;

	if (!mm)
		return 0;
	file = mm->exe_file;
	if (file)
		label_inode(file->f_inode);
	return 0;
}

/* References. */

SEC("lsm.s/file_open") __accept
int BPF_PROG(reference, struct file *file)
{
	struct file *exe = bpf_get_task_exe_file(bpf_get_current_task_btf());

	if (!exe)
		return 0;
	label_inode(exe->f_inode);
	bpf_put_file(exe);
	return 0;
}

SEC("lsm.s/file_open") __reject("R1 is scalar expected STRUCT inode")
int BPF_PROG(reference_released, struct file *file)
{
	struct file *exe = bpf_get_task_exe_file(bpf_get_current_task_btf());
	struct inode *inode;

	if (!exe)
		return 0;
	inode = exe->f_inode;
	bpf_put_file(exe);
	label_inode(inode);
	return 0;
}

SEC("lsm.s/file_open") NOT_MEMORY
int BPF_PROG(reference_memory_released, struct file *file)
{
	struct file *exe = bpf_get_task_exe_file(bpf_get_current_task_btf());
	__u64 *blob;

	if (!exe)
		return 0;
	blob = KRSI_BLOB(inode, exe->f_inode, slot, __u64);
	bpf_put_file(exe);
	write_to(blob);
	return 0;
}

/* References in maps. */

struct elem {
	struct task_struct __kptr * task;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct elem);
} elems SEC(".maps");

static __always_inline struct elem *the_elem(void)
{
	int key = 0;

	return bpf_map_lookup_elem(&elems, &key);
}

SEC("lsm.s/file_open") __accept
int BPF_PROG(kptr_taken, struct file *file)
{
	struct elem *elem = the_elem();
	struct task_struct *task;

	if (!elem)
		return 0;
	task = bpf_kptr_xchg(&elem->task, NULL);
	if (!task)
		return 0;
	label_task(task);
	bpf_task_release(task);
	return 0;
}

SEC("lsm.s/file_open") NOT_MEMORY
int BPF_PROG(kptr_put, struct file *file)
{
	struct task_struct *task = bpf_task_acquire(bpf_get_current_task_btf());
	struct elem *elem = the_elem();
	__u64 *blob;

	if (!task)
		return 0;
	if (!elem) {
		bpf_task_release(task);
		return 0;
	}
	blob = KRSI_BLOB(task, task, slot, __u64);
	task = bpf_kptr_xchg(&elem->task, task);
	if (task)
		bpf_task_release(task);
	write_to(blob);
	return 0;
}

SEC("lsm.s/file_open") NOT_TRUSTED
int BPF_PROG(kptr_read, struct file *file)
{
	struct elem *elem = the_elem();
	struct task_struct *task;

	if (!elem)
		return 0;
	task = elem->task;
	if (task)
		label_task(task);
	return 0;
}

SEC("lsm.s/file_open") NOT_TRUSTED
int BPF_PROG(kptr_read_rcu, struct file *file)
{
	struct elem *elem = the_elem();
	struct task_struct *task;

	if (!elem)
		return 0;
	bpf_rcu_read_lock();
	task = elem->task;
	if (task)
		label_task(task);
	bpf_rcu_read_unlock();
	return 0;
}

/* Kfuncs that return a pointer without a reference. */

SEC("lsm.s/file_open") __accept
int BPF_PROG(kfunc_of_argument, struct file *file)
{
	struct inode *inode = bpf_real_data_inode(file);

	if (inode)
		label_inode(inode);
	return 0;
}

SEC("lsm.s/file_open") __accept
int BPF_PROG(kfunc_of_reference, struct file *file)
{
	struct file *exe = bpf_get_task_exe_file(bpf_get_current_task_btf());
	struct inode *inode;

	if (!exe)
		return 0;
	inode = bpf_real_data_inode(exe);
	if (inode)
		label_inode(inode);
	bpf_put_file(exe);
	return 0;
}

SEC("lsm.s/file_open") __reject("R1 is scalar expected STRUCT inode")
int BPF_PROG(kfunc_of_reference_released, struct file *file)
{
	struct file *exe = bpf_get_task_exe_file(bpf_get_current_task_btf());
	struct inode *inode;

	if (!exe)
		return 0;
	inode = bpf_real_data_inode(exe);
	bpf_put_file(exe);
	if (inode)
		label_inode(inode);
	return 0;
}

/* Helpers, and what they call back with. */

SEC("lsm/file_open") NOT_TRUSTED
int BPF_PROG(helper, struct file *file)
{
	struct socket *sock = bpf_sock_from_file(file);

	if (sock && sock->sk)
		label_sock(sock->sk);
	return 0;
}

static long on_vma(struct task_struct *task, struct vm_area_struct *vma, void *ctx)
{
	struct file *file = vma->vm_file;

	if (file)
		label_file(file);
	return 0;
}

SEC("lsm/file_open") NOT_TRUSTED
int BPF_PROG(callback, struct file *file)
{
	bpf_find_vma(bpf_get_current_task_btf(), 0, on_vma, NULL, 0);
	return 0;
}

extern const struct rq runqueues __ksym;

SEC("lsm/file_open") NOT_TRUSTED
int BPF_PROG(percpu_variable, struct file *file)
{
	struct rq *rq = bpf_this_cpu_ptr(&runqueues);

	label_task(rq->curr);
	return 0;
}

/* Global functions. */

/* What a function returned: an errno would be one of any size to the verifier. */
__u32 seen;

__noinline int global_label(struct inode *inode __arg_trusted)
{
	label_inode(inode);
	return 0;
}

__noinline int global_label_nullable(struct inode *inode __arg_trusted __arg_nullable)
{
	if (inode)
		label_inode(inode);
	return 0;
}

__noinline int global_outer(struct inode *inode __arg_trusted)
{
	return global_label(inode);
}

__noinline int global_parent(struct task_struct *task __arg_trusted)
{
	struct task_struct *parent = krsi_task_real_parent(task);

	if (parent)
		bpf_task_release(parent);
	return 0;
}

__noinline int global_read(struct inode *inode __arg_trusted)
{
	return inode->i_ino & 1;
}

SEC("lsm/inode_unlink") __accept
int BPF_PROG(global_trusted, struct inode *dir, struct dentry *dentry)
{
	global_label(dir);
	global_outer(dir);
	global_label_nullable(NULL);
	global_label_nullable(dentry->d_inode);
	seen = global_read(dir);
	return 0;
}

SEC("lsm/inode_unlink") NOT_TRUSTED
int BPF_PROG(global_walked, struct inode *dir, struct dentry *dentry)
{
	return global_label(dentry->d_parent->d_inode) ? -EPERM : 0;
}

SEC("lsm/inode_unlink") NOT_TRUSTED
int BPF_PROG(global_walked_outer, struct inode *dir, struct dentry *dentry)
{
	return global_outer(dentry->d_parent->d_inode) ? -EPERM : 0;
}

SEC("lsm/file_open") NOT_TRUSTED
int BPF_PROG(global_walked_task, struct file *file)
{
	return global_parent(bpf_get_current_task_btf()->last_wakee) ? -EPERM : 0;
}

/* Functions that call none of these kfuncs take what they always have. */
SEC("lsm/inode_unlink") __accept
int BPF_PROG(global_walked_read, struct inode *dir, struct dentry *dentry)
{
	seen = global_read(dentry->d_parent->d_inode);
	return 0;
}

/* What claims no trust, and other types. */

SEC("lsm/file_open") NOT_TRUSTED
int BPF_PROG(cast, struct file *file)
{
	label_inode(bpf_rdonly_cast(file->f_inode, bpf_core_type_id_kernel(struct inode)));
	return 0;
}

SEC("lsm/file_open") __reject("expected STRUCT task_struct")
int BPF_PROG(map_value, struct file *file)
{
	struct elem *elem = the_elem();

	if (elem)
		label_task((void *)elem);
	return 0;
}

SEC("lsm/file_open") __reject("expected STRUCT task_struct")
int BPF_PROG(stack, struct file *file)
{
	__u64 fake[8] = {};

	label_task((void *)fake);
	return 0;
}

SEC("lsm/file_open") __reject("expected STRUCT task_struct")
int BPF_PROG(context, struct file *file)
{
	label_task((void *)ctx);
	return 0;
}

/* Programs of other types, which look for kfuncs in the same place. */

SEC("tp_btf/sched_switch") __reject("calling kernel function krsi_task_blob is not allowed")
int BPF_PROG(tracepoint, bool preempt, struct task_struct *prev)
{
	label_task(prev);
	return 0;
}

SEC("iter/task") __reject("calling kernel function krsi_task_blob is not allowed")
int iterator_program(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		label_task(task);
	return 0;
}
