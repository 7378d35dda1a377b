// SPDX-License-Identifier: GPL-2.0
/*
 * Which kfuncs may be called from where, each beside what the verifier says:
 * the table of Documentation/bpf/krsi-kfuncs.rst. A program of a hook, in itself
 * or in a callback that it waits for, may call all that the hook allows.
 * Timers, work queues and task work come later and elsewhere.
 */

#include "kfuncs.bpf.h"

char LICENSE[] SEC("license") = "GPL";

int bpf_wq_init(struct bpf_wq *wq, void *p__map, unsigned int flags) __ksym;
int bpf_wq_set_callback(struct bpf_wq *wq, int (*callback)(void *map, int *key, void *value),
			unsigned int flags) __ksym;
int bpf_task_work_schedule_signal(struct task_struct *task, struct bpf_task_work *tw,
				  void *map__map,
				  int (*callback)(struct bpf_map *map, void *key, void *value))
	__ksym;

KRSI_SLOT(slot) = 1;

static char buf[64];

struct timer_elem {
	struct bpf_timer timer;
};

struct wq_elem {
	struct bpf_wq wq;
};

struct work_elem {
	struct bpf_task_work work;
};

#define ARRAY(name, elem)				\
struct {						\
	__uint(type, BPF_MAP_TYPE_ARRAY);		\
	__uint(max_entries, 1);				\
	__type(key, int);				\
	__type(value, struct elem);			\
} name SEC(".maps")

ARRAY(timers, timer_elem);
ARRAY(wqs, wq_elem);
ARRAY(works, work_elem);

/* What each row calls. The arguments are looked at last. */
static __always_inline void do_path(void)
{
	krsi_path(NULL, buf, sizeof(buf), 0);
}

static __always_inline void do_path_at(void)
{
	krsi_path_at(NULL, NULL, buf, sizeof(buf), 0);
}

static __always_inline void do_file_path(void)
{
	krsi_file_path(NULL, buf, sizeof(buf), 0);
}

static __always_inline void do_bprm_path(void)
{
	krsi_bprm_path(NULL, buf, sizeof(buf), 0);
}

static __always_inline void do_path_dentry(void)
{
	krsi_path_dentry(NULL);
}

static __always_inline void do_dentry_parent(void)
{
	krsi_dentry_parent(NULL);
}

static __always_inline void do_inode_sb(void)
{
	krsi_inode_sb(NULL);
}

static __always_inline void do_audit_log(void)
{
	struct krsi_audit_event event = {};

	krsi_audit_log(&event, sizeof(event), buf, 1);
}

static __always_inline void do_inode_blob(void)
{
	KRSI_BLOB(inode, NULL, slot, __u64);
}

static __always_inline void do_path_inode_blob(void)
{
	KRSI_BLOB(path_inode, NULL, slot, __u64);
}

static __always_inline void do_current_cred_blob(void)
{
	KRSI_CURRENT_CRED_BLOB(slot, __u64);
}

static __always_inline void do_bprm_cred_blob(void)
{
	KRSI_BLOB(bprm_cred, NULL, slot, __u64);
}

static __always_inline void do_inode_blob_save(void)
{
	krsi_inode_blob_save(NULL, slot);
}

static __always_inline void do_inode_blob_restore(void)
{
	krsi_inode_blob_restore(NULL, slot);
}

static __always_inline void do_bprm_read(void)
{
	krsi_bprm_read(NULL, 0, buf, sizeof(buf));
}

static __always_inline void do_bprm_arg(void)
{
	krsi_bprm_arg(NULL, 0, buf, sizeof(buf));
}

static __always_inline void do_bprm_env(void)
{
	krsi_bprm_env(NULL, "A", buf, sizeof(buf));
}

/* References, and blobs of what a reference holds. */
static __always_inline void do_task(void)
{
	struct task_struct *parent = krsi_task_real_parent(bpf_get_current_task_btf());

	if (parent) {
		KRSI_BLOB(task, parent, slot, __u64);
		bpf_task_release(parent);
	}
}

static __always_inline void do_leader(void)
{
	struct task_struct *leader = krsi_task_group_leader(bpf_get_current_task_btf());

	if (leader)
		bpf_task_release(leader);
}

static __always_inline void do_cred(void)
{
	const struct cred *cred = krsi_task_cred(bpf_get_current_task_btf());

	if (cred) {
		KRSI_BLOB(cred, cred, slot, __u64);
		krsi_cred_put(cred);
	}
}

static __always_inline void do_nothing(void)
{
}

#define TIMER(row, hook, verdict)					\
static int timer_cb_##row(void *map, int *key, struct timer_elem *elem)	\
{									\
	do_##row();							\
	return 0;							\
}									\
SEC("lsm/" #hook) verdict						\
int timer_##row(void *ctx)						\
{									\
	struct timer_elem *elem;					\
	int key = 0;							\
									\
	elem = bpf_map_lookup_elem(&timers, &key);			\
	if (!elem)							\
		return 0;						\
	bpf_timer_init(&elem->timer, &timers, 1 /* CLOCK_MONOTONIC */);	\
	bpf_timer_set_callback(&elem->timer, timer_cb_##row);		\
	return 0;							\
}

#define WQ(row, hook, verdict)						\
static int wq_cb_##row(void *map, int *key, void *value)		\
{									\
	do_##row();							\
	return 0;							\
}									\
SEC("lsm.s/" #hook) verdict						\
int wq_##row(void *ctx)							\
{									\
	struct wq_elem *elem;						\
	int key = 0;							\
									\
	elem = bpf_map_lookup_elem(&wqs, &key);				\
	if (!elem)							\
		return 0;						\
	bpf_wq_init(&elem->wq, &wqs, 0);				\
	bpf_wq_set_callback(&elem->wq, wq_cb_##row, 0);			\
	return 0;							\
}

#define WORK(row, hook, verdict)					\
static int work_cb_##row(struct bpf_map *map, void *key, void *value)	\
{									\
	do_##row();							\
	return 0;							\
}									\
SEC("lsm.s/" #hook) verdict						\
int work_##row(void *ctx)						\
{									\
	struct work_elem *elem;						\
	int key = 0;							\
									\
	elem = bpf_map_lookup_elem(&works, &key);			\
	if (!elem)							\
		return 0;						\
	bpf_task_work_schedule_signal(bpf_get_current_task_btf(),	\
				      &elem->work, &works, work_cb_##row); \
	return 0;							\
}

#define LATER(row, hook, verdict)	\
	TIMER(row, hook, verdict)	\
	WQ(row, hook, verdict)		\
	WORK(row, hook, verdict)

#define SLEEPING_LATER(row, hook, verdict)	\
	WQ(row, hook, verdict)			\
	WORK(row, hook, verdict)

#define NOT_LATER(kfunc) __reject("kernel func " #kfunc " is not allowed in async callbacks")

LATER(path, file_open, NOT_LATER(krsi_path))
LATER(path_at, file_open, NOT_LATER(krsi_path_at))
LATER(file_path, file_open, NOT_LATER(krsi_file_path))
LATER(bprm_path, file_open, NOT_LATER(krsi_bprm_path))
LATER(path_dentry, file_open, NOT_LATER(krsi_path_dentry))
LATER(dentry_parent, file_open, NOT_LATER(krsi_dentry_parent))
LATER(inode_sb, file_open, NOT_LATER(krsi_inode_sb))
LATER(audit_log, file_open, NOT_LATER(krsi_audit_log))
LATER(inode_blob, file_open, NOT_LATER(krsi_inode_blob))
LATER(path_inode_blob, file_open, NOT_LATER(krsi_path_inode_blob))
LATER(current_cred_blob, file_open, NOT_LATER(krsi_current_cred_blob))
LATER(bprm_cred_blob, file_open, NOT_LATER(krsi_bprm_cred_blob))
SLEEPING_LATER(inode_blob_save, file_open, NOT_LATER(krsi_inode_blob_save))
SLEEPING_LATER(inode_blob_restore, file_open, NOT_LATER(krsi_inode_blob_restore))
SLEEPING_LATER(bprm_read, bprm_check_security, NOT_LATER(krsi_bprm_read))
SLEEPING_LATER(bprm_arg, bprm_check_security, NOT_LATER(krsi_bprm_arg))
SLEEPING_LATER(bprm_env, bprm_check_security, NOT_LATER(krsi_bprm_env))
LATER(task, file_open, __accept)
LATER(leader, file_open, __accept)
LATER(cred, file_open, __accept)
LATER(nothing, file_open, __accept)

/* A kfunc that sleeps is none for timers in the first place. */
TIMER(bprm_read, bprm_check_security,
	__reject("program must be sleepable to call sleepable kfunc krsi_bprm_read"))

/* Through a global function, which the verifier looks at alone. */
__noinline int global_path(struct file *file __arg_trusted __arg_nullable)
{
	return file ? krsi_file_path(file, buf, sizeof(buf), 0) : 0;
}

__noinline int global_outer(int unused)
{
	barrier_var(unused);
	return global_path(NULL);
}

__noinline int global_plain(int value)
{
	barrier_var(value);
	return value;
}

static __always_inline void do_global(void)
{
	global_path(NULL);
}

static __always_inline void do_global_outer(void)
{
	global_outer(0);
}

static __always_inline void do_global_plain(void)
{
	global_plain(0);
}

LATER(global, file_open,
	__reject("global function global_path() is not allowed in async callbacks"))
LATER(global_outer, file_open,
	__reject("global function global_outer() is not allowed in async callbacks"))
LATER(global_plain, file_open, __accept)

/*
 * cyclic_outer() calls the kfunc through a function that sets a timer, whose
 * callback calls cyclic_outer(): no order of visits has complete results first.
 */
static int cyclic_callback(void *map, int *key, struct timer_elem *elem);

__noinline int cyclic_inner(int value)
{
	struct timer_elem *elem;
	int zero = 0;

	barrier_var(value);
	value += global_path(NULL);
	elem = bpf_map_lookup_elem(&timers, &zero);
	if (elem)
		bpf_timer_set_callback(&elem->timer, cyclic_callback);
	return value;
}

__noinline int cyclic_outer(int value)
{
	barrier_var(value);
	return cyclic_inner(value);
}

static int cyclic_callback(void *map, int *key, struct timer_elem *elem)
{
	cyclic_outer(0);
	return 0;
}

/*
 * The check of the control flow visits the call first, and finds no callback that
 * is complete. The check for recursion visits the target of the jump first, and
 * does not mind the reference from cyclic_inner() back to the callback.
 */
SEC("lsm/file_open")
__reject("global function cyclic_outer() is not allowed in async callbacks")
int BPF_PROG(cyclic, struct file *file)
{
	struct timer_elem *elem;
	int zero = 0;

	elem = bpf_map_lookup_elem(&timers, &zero);
	if (!elem)
		return 0;
	asm volatile goto("if %[flags] == 0x1234 goto %l[later]"
			  : : [flags] "r"(file->f_flags) : : later);
	return cyclic_inner(0) & 1 ? -EPERM : 0;
later:
	bpf_timer_set_callback(&elem->timer, cyclic_callback);
	return 0;
}

SEC("lsm/file_open") __accept
int BPF_PROG(now_global, struct file *file)
{
	return global_path(file) ? 0 : -EPERM;
}

/* Callbacks that the program waits for are a part of it. */
struct asked {
	struct file *file;
};

static long loop_path(__u64 i, struct asked *asked)
{
	krsi_file_path(asked->file, buf, sizeof(buf), 0);
	return 0;
}

#define NOW(name, section)					\
SEC(section) __accept						\
int BPF_PROG(now_##name, struct file *file)			\
{								\
	struct asked asked = { file };				\
								\
	krsi_path(&file->f_path, buf, sizeof(buf), 0);		\
	KRSI_BLOB(inode, file->f_inode, slot, __u64);		\
	KRSI_CURRENT_CRED_BLOB(slot, __u64);			\
	do_audit_log();						\
	do_task();						\
	do_cred();						\
	bpf_loop(2, loop_path, &asked, 0);			\
	return 0;						\
}

NOW(atomic, "lsm/file_open")
NOW(sleepable, "lsm.s/file_open")

/* Hooks that are called in softirqs, or with interrupts disabled. */
SEC("lsm/socket_sock_rcv_skb") __reject("calling kernel function krsi_file_path is not allowed")
int BPF_PROG(softirq_path, struct sock *sk, struct sk_buff *skb)
{
	krsi_file_path(NULL, buf, sizeof(buf), 0);
	return 0;
}

SEC("lsm/file_send_sigiotask") __reject("calling kernel function krsi_path is not allowed")
int BPF_PROG(sigio_path, struct task_struct *tsk, struct fown_struct *fown, int sig)
{
	krsi_path(NULL, buf, sizeof(buf), 0);
	return 0;
}

SEC("lsm/socket_sock_rcv_skb") __accept
int BPF_PROG(softirq_blob, struct sock *sk, struct sk_buff *skb)
{
	KRSI_BLOB(sock, sk, slot, __u64);
	do_task();
	do_audit_log();
	return 0;
}

/* With a lock, where other kfuncs are refused, too. */
struct locked_elem {
	struct bpf_spin_lock lock;
};

ARRAY(locked, locked_elem);

SEC("lsm/file_open")
__reject("function calls are not allowed while holding a lock")
int BPF_PROG(spin_locked, struct file *file)
{
	struct locked_elem *elem;
	int key = 0;

	elem = bpf_map_lookup_elem(&locked, &key);
	if (!elem)
		return 0;
	bpf_spin_lock(&elem->lock);
	krsi_path(&file->f_path, buf, sizeof(buf), 0);
	bpf_spin_unlock(&elem->lock);
	return 0;
}
