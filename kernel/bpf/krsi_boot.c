// SPDX-License-Identifier: GPL-2.0
/*
 * C parts of KRSI's boot programs: the boot parameters, the per-CPU state, and
 * the type for the verifier, which must be in BTF. See
 * Documentation/security/krsi-boot.rst.
 */

#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/krsi.h>
#include <linux/krsi_boot.h>
#include <linux/kthread.h>
#include <linux/percpu.h>
#include <linux/security.h>

#include "krsi_kfuncs.h"

DEFINE_PER_CPU(struct krsi_boot_cpu, krsi_boot_cpu);

/*
 * A file that is being allocated. This is a separate type because the verifier
 * assumes that f_inode of a struct file is valid, while here it is still that
 * of the previous file at the same address.
 */
struct krsi_new_file {
	struct file file;
};

static int __init krsi_boot_param(char *mode)
{
	krsi_boot_setup(mode);
	return 1;
}
__setup("krsi.boot=", krsi_boot_param);

#ifdef CONFIG_SECURITY_KRSI_KUNIT_TEST
static int __init krsi_boot_fail_param(char *object)
{
	krsi_boot_fail_setup(object);
	return 1;
}
__setup("krsi.boot_fail=", krsi_boot_fail_param);

/* Whether to load the image's objects that the kernel must reject. */
bool krsi_boot_refused;

static int __init krsi_boot_refused_param(char *unused)
{
	krsi_boot_refused = true;
	return 1;
}
__setup("krsi.boot_refused", krsi_boot_refused_param);

static bool krsi_boot_objects;

static int __init krsi_boot_objects_param(char *unused)
{
	krsi_boot_objects = true;
	return 1;
}
__setup("krsi.boot_objects", krsi_boot_objects_param);

static int krsi_boot_task(void *unused)
{
	return 0;
}

static const struct file_operations krsi_boot_file_ops;

/**
 * krsi_boot_make_objects - create a task that never runs and a securityfs file
 *
 * For tests. Does nothing without the boot parameter krsi.boot_objects. Both
 * objects are never freed.
 *
 * Context: may sleep.
 */
void krsi_boot_make_objects(void)
{
	static unsigned int count;
	char name[24];

	if (!krsi_boot_objects)
		return;
	kthread_create(krsi_boot_task, NULL, "krsi-boot-task");
	snprintf(name, sizeof(name), "krsi-boot-file-%u", count++);
	securityfs_create_file(name, 0604, NULL, NULL, &krsi_boot_file_ops);
}
#endif

/*
 * The kfuncs of boot programs, in the order of krsi_boot_kfunc_names. A search
 * for the names in BTF would take longer than the rest of loading a program.
 */
BTF_ID_LIST(krsi_boot_kfunc_ids)
BTF_ID(func, krsi_current_cred_blob)
#define KRSI_BOOT_KFUNC(CLASS) BTF_ID(func, krsi_##CLASS##_blob)
#include "krsi_boot_kfuncs.h"
#undef KRSI_BOOT_KFUNC

static const char *const krsi_boot_kfunc_names[] = {
	"krsi_current_cred_blob",
#define KRSI_BOOT_KFUNC(CLASS) "krsi_" #CLASS "_blob",
#include "krsi_boot_kfuncs.h"
#undef KRSI_BOOT_KFUNC
};

/**
 * krsi_blob_kfunc_id - find a kfunc that boot programs can call
 * @name: its name, not terminated
 * @len: length of the name
 *
 * Context: any.
 * Return: the BTF id, or 0 if no such kfunc exists.
 */
u32 krsi_blob_kfunc_id(const char *name, size_t len)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(krsi_boot_kfunc_names); i++)
		if (strlen(krsi_boot_kfunc_names[i]) == len &&
		    !memcmp(krsi_boot_kfunc_names[i], name, len))
			return krsi_boot_kfunc_ids[i];
	return 0;
}

/*
 * Whether boot programs can call a kfunc. They cannot sleep, so they cannot
 * save slots in extended attributes.
 */
bool krsi_boot_kfunc(u32 kfunc_id)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(krsi_boot_kfunc_names); i++)
		if (krsi_boot_kfunc_ids[i] == kfunc_id)
			return true;
	return false;
}

BTF_ID_LIST_SINGLE(krsi_blob_ops_id, struct, krsi_blob_ops)

/**
 * krsi_boot_struct_id - get the structure that boot programs implement
 *
 * Context: any.
 * Return: the BTF id of struct krsi_blob_ops, 0 if the kernel has no BTF.
 */
u32 krsi_boot_struct_id(void)
{
	return krsi_blob_ops_id[0];
}

static const struct bpf_func_proto *
krsi_boot_func_proto(enum bpf_func_id func_id, const struct bpf_prog *prog)
{
	if (!krsi_boot_helper_allowed(func_id))
		return NULL;
	if (func_id == BPF_FUNC_ktime_get_coarse_ns)
		return &bpf_ktime_get_coarse_ns_proto;
	return bpf_base_func_proto(func_id, prog);
}

/* Kernel objects are read-only; programs can write to blobs only. */
static int krsi_boot_struct_access(struct bpf_verifier_log *log,
				   const struct bpf_reg_state *reg, int off,
				   int size)
{
	bpf_log(log, "boot programs can write to blobs only\n");
	return -EACCES;
}

static const struct bpf_verifier_ops krsi_boot_verifier_ops = {
	.get_func_proto = krsi_boot_func_proto,
	.is_valid_access = bpf_tracing_btf_ctx_access,
	.btf_struct_access = krsi_boot_struct_access,
};

static int krsi_boot_init_btf(struct btf *btf)
{
	return 0;
}

/* Called for each program that is loaded. Rejects those not in the image. */
static int krsi_boot_check_member(const struct btf_type *t,
				  const struct btf_member *member,
				  const struct bpf_prog *prog)
{
	return krsi_boot_loading() ? 0 : -EPERM;
}

static int krsi_boot_init_member(const struct btf_type *t,
				 const struct btf_member *member, void *kdata,
				 const void *udata)
{
	return 0;
}

static int krsi_boot_validate(void *kdata)
{
	return -EPERM;
}

static int krsi_boot_reg(void *kdata, struct bpf_link *link)
{
	return -EPERM;
}

static void krsi_boot_unreg(void *kdata, struct bpf_link *link)
{
}

/* The verifier reads from an argument's name that it can be NULL. */
static void krsi_blob_ops__cred(struct cred *cred,
				const struct cred *old__nullable, u32 how)
{
}

static void krsi_blob_ops__task(struct task_struct *task, u64 clone_flags,
				u32 how)
{
}

static void krsi_blob_ops__inode_create(struct inode *inode, struct inode *dir,
					u32 how)
{
}

#define KRSI_POINT(NAME, TYPE)						\
static void krsi_blob_ops__##NAME(struct TYPE *object, u32 how)		\
{									\
}

KRSI_POINT(file, krsi_new_file)
KRSI_POINT(backing_file, krsi_new_file)
KRSI_POINT(inode, inode)
KRSI_POINT(superblock, super_block)
KRSI_POINT(sock, sock)
KRSI_POINT(ipc, kern_ipc_perm)
KRSI_POINT(msg_msg, msg_msg)
KRSI_POINT(key, key)
KRSI_POINT(bdev, block_device)
KRSI_POINT(perf_event, perf_event)
KRSI_POINT(bpf_map, bpf_map)
KRSI_POINT(bpf_prog, bpf_prog)
KRSI_POINT(bpf_token, bpf_token)
KRSI_POINT(inode_instantiate, inode)

static struct krsi_blob_ops krsi_boot_stubs = {
	.cred = krsi_blob_ops__cred,
	.task = krsi_blob_ops__task,
	.file = krsi_blob_ops__file,
	.backing_file = krsi_blob_ops__backing_file,
	.inode = krsi_blob_ops__inode,
	.superblock = krsi_blob_ops__superblock,
	.sock = krsi_blob_ops__sock,
	.ipc = krsi_blob_ops__ipc,
	.msg_msg = krsi_blob_ops__msg_msg,
	.key = krsi_blob_ops__key,
	.bdev = krsi_blob_ops__bdev,
	.perf_event = krsi_blob_ops__perf_event,
	.bpf_map = krsi_blob_ops__bpf_map,
	.bpf_prog = krsi_blob_ops__bpf_prog,
	.bpf_token = krsi_blob_ops__bpf_token,
	.inode_create = krsi_blob_ops__inode_create,
	.inode_instantiate = krsi_blob_ops__inode_instantiate,
};

static struct bpf_struct_ops krsi_boot_ops = {
	.verifier_ops = &krsi_boot_verifier_ops,
	.init = krsi_boot_init_btf,
	.check_member = krsi_boot_check_member,
	.init_member = krsi_boot_init_member,
	.validate = krsi_boot_validate,
	.reg = krsi_boot_reg,
	.unreg = krsi_boot_unreg,
	.name = "krsi_blob_ops",
	.cfi_stubs = &krsi_boot_stubs,
	.owner = THIS_MODULE,
};

static int __init krsi_boot_init(void)
{
	if (!krsi_active())
		return 0;
	return register_bpf_struct_ops(&krsi_boot_ops, krsi_blob_ops);
}
late_initcall(krsi_boot_init);
