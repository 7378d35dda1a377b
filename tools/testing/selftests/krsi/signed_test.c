// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that are loaded with a signature: what the hooks bpf_prog_load and
 * bpf_prog see of it is the same whichever LSM runs programs there, and their
 * verdicts are enforced.
 */

#include <linux/keyctl.h>
#include <sys/prctl.h>

#include "common.h"
#include "progs/signed.h"
#include "sha256.h"
#include "signed.skel.h"

/* What the system's <linux/bpf.h> may not have yet, from bpf_attr. */
struct load_attr {
	__u32 prog_type;
	__u32 insn_cnt;
	__u64 insns;
	__u64 license;
	__u64 log[2];
	__u32 kern_version;
	__u32 prog_flags;
	char prog_name[16];
	__u32 prog_ifindex;
	__u32 expected_attach_type;
	__u64 btf[4];
	__u32 line_info_cnt;
	__u32 attach_btf_id;
	__u64 attach_prog_fd;
	__u64 fd_array;
	__u64 core_relos;
	__u32 core_relo_rec_size;
	__u32 log_true_size;
	__s32 prog_token_fd;
	__u32 fd_array_cnt;
	__u64 signature;
	__u32 signature_size;
	__s32 keyring_id;
};

struct map_attr {
	__u32 map_type;
	__u32 key_size;
	__u32 value_size;
	__u32 max_entries;
	__u32 unused[3];
	char map_name[16];
	__u32 btf[5];
	__u64 map_extra;
	__u32 fds[2];
	__u64 excl_prog_hash;
	__u32 excl_prog_hash_size;
};

/* As many instructions as sha256() takes. */
#define INSNS 8
#define PAYLOAD "/tmp/payload"
#define SIGNATURE "/tmp/signature"

FIXTURE(signed_load)
{
	struct signed_bpf *skel;
	struct signed_bpf__bss *bss;
	struct bpf_link *link[3];
	struct bpf_insn insns[INSNS];
	char signature[4096];
	/* A keyring in the session's one, which has the key. */
	int session;
	int ring;
};

static int keyctl(int command, unsigned long arg2, unsigned long arg3)
{
	return OK(syscall(SYS_keyctl, command, arg2, arg3, 0, 0));
}

static int add_key(const char *type, const char *name, const void *data, size_t size, int ring)
{
	return OK(syscall(SYS_add_key, type, name, data, size, ring));
}

static int read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, buf, size);
	close(fd);
	return len < 0 ? -errno : len;
}

FIXTURE_SETUP(signed_load)
{
	char dir[16], key[4096];
	int len, i;

	REQUIRE_LSM();
	ASSERT_EQ(0, private_dir(dir, sizeof(dir)));
	/* A session of its own, so that no key of others is found. */
	self->session = keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0);
	ASSERT_LT(0, self->session);
	self->ring = add_key("keyring", "krsi", NULL, 0, self->session);
	ASSERT_LT(0, self->ring);
	len = read_file("signing_key.der", key, sizeof(key));
	ASSERT_LT(0, len);
	ASSERT_LT(0, add_key("asymmetric", "krsi", key, len, self->ring));

	self->skel = signed_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel) TH_LOG("%s", libbpf_log);
	self->bss = self->skel->bss;
	/* The oldest runs last: all have seen a program that it denies. */
	self->link[0] = bpf_program__attach(self->skel->progs.load_sleepable);
	self->link[1] = bpf_program__attach(self->skel->progs.load_atomic);
	self->link[2] = bpf_program__attach(self->skel->progs.loaded);
	for (i = 0; i < ARRAY_SIZE(self->link); i++)
		ASSERT_NE(NULL, self->link[i]);
	for (i = 0; i < INSNS; i++)
		self->insns[i] = return_0[i == INSNS - 1];
	self->bss->target = getpid();
}

FIXTURE_TEARDOWN(signed_load)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(self->link); i++)
		bpf_link__destroy(self->link[i]);
	signed_bpf__destroy(self->skel);
}

/* Signs @data and then @more; returns the size of the signature. */
static int make_signature(struct __test_metadata *const _metadata, FIXTURE_DATA(signed_load) * self,
			  const void *data, size_t size, const void *more, size_t more_size)
{
	int fd = open(PAYLOAD, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ASSERT_LE(0, fd);
	ASSERT_EQ(size, write(fd, data, size));
	ASSERT_EQ(more_size, write(fd, more, more_size));
	close(fd);
	ASSERT_EQ(0, system("openssl cms -sign -binary -nocerts -noattr -nosmimecap -md sha256 "
			    "-signer signing_key.pem -in " PAYLOAD " -outform DER -out " SIGNATURE))
		TH_LOG("openssl cannot sign");
	return read_file(SIGNATURE, self->signature, sizeof(self->signature));
}

static struct load_attr load_attr(FIXTURE_DATA(signed_load) * self, int size, int keyring_id)
{
	return (struct load_attr){
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = INSNS,
		.insns = (__u64)self->insns,
		.license = (__u64)"GPL",
		.signature = size ? (__u64)self->signature : 0,
		.signature_size = size,
		.keyring_id = keyring_id,
	};
}

/* Loads with @attr; what the hooks see is of this one alone. */
static int load(FIXTURE_DATA(signed_load) * self, const struct load_attr *attr)
{
	memset(&self->bss->atomic, 0, sizeof(self->bss->atomic));
	memset(&self->bss->sleepable, 0, sizeof(self->bss->sleepable));
	memset(&self->bss->ready, 0, sizeof(self->bss->ready));
	return OK(syscall(SYS_bpf, BPF_PROG_LOAD, attr, sizeof(*attr)));
}

static int load_signed(FIXTURE_DATA(signed_load) * self, int size, int keyring_id)
{
	struct load_attr attr = load_attr(self, size, keyring_id);

	return load(self, &attr);
}

/* Both programs at bpf_prog_load saw @seen, once; one at bpf_prog saw @loads programs. */
static void expect_seen(struct __test_metadata *const _metadata, FIXTURE_DATA(signed_load) * self,
			const struct seen *seen, int loads)
{
	EXPECT_EQ(0, memcmp(&self->bss->atomic, &self->bss->sleepable, sizeof(*seen)));
	EXPECT_EQ(1, self->bss->sleepable.calls);
	EXPECT_EQ(0, self->bss->sleepable.id);
	EXPECT_EQ(seen->type, self->bss->sleepable.type);
	EXPECT_EQ(seen->insn_cnt, self->bss->sleepable.insn_cnt);
	EXPECT_EQ(seen->signature_size, self->bss->sleepable.signature_size);
	EXPECT_EQ(seen->keyring_id, self->bss->sleepable.keyring_id);
	EXPECT_EQ(seen->keyring_serial, self->bss->sleepable.keyring_serial);
	EXPECT_EQ(seen->verified, self->bss->sleepable.verified);
	EXPECT_EQ(!seen->verified, self->bss->sleepable.unsigned_);
	EXPECT_EQ(seen->verified, self->bss->sleepable.user_keyring);
	EXPECT_EQ(!seen->verified, self->bss->sleepable.no_keyring);
	EXPECT_EQ(seen->kernel, self->bss->sleepable.kernel);

	EXPECT_EQ(loads, self->bss->ready.calls);
	if (!loads)
		return;
	EXPECT_LT(0, self->bss->ready.id);
	EXPECT_EQ(seen->verified, self->bss->ready.verified);
	EXPECT_EQ(seen->verified, self->bss->ready.user_keyring);
	EXPECT_EQ(seen->keyring_serial, self->bss->ready.keyring_serial);
}

static void expect_unseen(struct __test_metadata *const _metadata, FIXTURE_DATA(signed_load) * self)
{
	EXPECT_EQ(0, self->bss->atomic.calls);
	EXPECT_EQ(0, self->bss->sleepable.calls);
	EXPECT_EQ(0, self->bss->ready.calls);
}

TEST_F(signed_load, without_signature)
{
	const struct seen seen = { .type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = INSNS };
	int fd = load_signed(self, 0, 0);

	ASSERT_LE(0, fd);
	expect_seen(_metadata, self, &seen, 1);
	close(fd);

	self->bss->require = true;
	EXPECT_EQ(-EPERM, load_signed(self, 0, 0));
	expect_seen(_metadata, self, &seen, 0);
}

TEST_F(signed_load, with_keyring)
{
	struct seen seen = {
		.type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = INSNS,
		.keyring_id = self->ring,
		.keyring_serial = self->ring,
		.verified = true,
	};
	int size, fd;

	size = make_signature(_metadata, self, self->insns, sizeof(self->insns), NULL, 0);
	ASSERT_LT(0, size);
	seen.signature_size = size;
	self->bss->require = true;
	self->bss->require_serial = self->ring;
	fd = load_signed(self, size, self->ring);
	ASSERT_LE(0, fd);
	expect_seen(_metadata, self, &seen, 1);
	close(fd);

	/* The key is found through the session's keyring, which is another. */
	seen.keyring_id = KEY_SPEC_SESSION_KEYRING;
	seen.keyring_serial = self->session;
	EXPECT_EQ(-EACCES, load_signed(self, size, KEY_SPEC_SESSION_KEYRING));
	expect_seen(_metadata, self, &seen, 0);
	self->bss->require_serial = self->session;
	fd = load_signed(self, size, KEY_SPEC_SESSION_KEYRING);
	ASSERT_LE(0, fd);
	expect_seen(_metadata, self, &seen, 1);
	close(fd);
}

/* What is wrong is rejected before the hook is called. */
TEST_F(signed_load, with_wrong_signature)
{
	int size, empty, fd;

	size = make_signature(_metadata, self, self->insns, sizeof(self->insns), NULL, 0);
	ASSERT_LT(0, size);
	empty = add_key("keyring", "krsi_empty", NULL, 0, self->session);
	ASSERT_LT(0, empty);
	EXPECT_EQ(-ENOKEY, load_signed(self, size, empty));
	expect_unseen(_metadata, self);
	EXPECT_EQ(-EINVAL, load_signed(self, size, 0x7fffffff));
	expect_unseen(_metadata, self);

	self->insns[0].imm = 1;
	EXPECT_EQ(-EKEYREJECTED, load_signed(self, size, self->ring));
	expect_unseen(_metadata, self);

	self->insns[0].imm = 0;
	fd = load_signed(self, size, self->ring);
	EXPECT_LE(0, fd);
	EXPECT_TRUE(self->bss->sleepable.verified);
	close(fd);
}

/* The signature covers maps of the program alone. */
TEST_F(signed_load, with_map)
{
	const struct seen seen = {
		.type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = INSNS,
		.keyring_id = self->ring,
		.keyring_serial = self->ring,
		.verified = true,
	};
	unsigned char digest[SHA256_SIZE];
	struct map_attr map_attr = {
		.map_type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 1,
		.excl_prog_hash = (__u64)digest,
		.excl_prog_hash_size = sizeof(digest),
	};
	__u64 value = 0x6b727369, other = 1;
	struct load_attr attr;
	int size, fd, key = 0;
	int map[2];

	sha256((unsigned char *)self->insns, sizeof(self->insns), digest);
	for (fd = 0; fd < 2; fd++) {
		map[fd] = OK(syscall(SYS_bpf, BPF_MAP_CREATE, &map_attr, sizeof(map_attr)));
		ASSERT_LE(0, map[fd]);
		ASSERT_EQ(0, bpf_map_update_elem(map[fd], &key, fd ? &other : &value, 0));
		ASSERT_EQ(0, bpf_map_freeze(map[fd]));
	}
	size = make_signature(_metadata, self, self->insns, sizeof(self->insns), &value,
			      sizeof(value));
	ASSERT_LT(0, size);
	attr = load_attr(self, size, self->ring);
	attr.fd_array_cnt = 1;
	attr.fd_array = (__u64)&map[1];
	EXPECT_EQ(-EKEYREJECTED, load(self, &attr));
	expect_unseen(_metadata, self);

	attr.fd_array = (__u64)&map[0];
	fd = load(self, &attr);
	ASSERT_LE(0, fd);
	EXPECT_EQ(size, self->bss->sleepable.signature_size);
	self->bss->atomic.signature_size = 0;
	self->bss->sleepable.signature_size = 0;
	expect_seen(_metadata, self, &seen, 1);
	close(fd);
}

/* The hook is told that the kernel loads, with or without a signature. */
TEST_F(signed_load, from_the_kernel)
{
	struct seen seen = {
		.type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = INSNS,
		.kernel = true,
	};
	int loader = bpf_program__fd(self->skel->progs.load_from_kernel), size;
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	self->bss->insn_cnt = INSNS;
	memcpy(self->bss->insns, self->insns, sizeof(self->insns));
	ASSERT_EQ(0, bpf_prog_test_run_opts(loader, &opts));
	EXPECT_LE(0, self->bss->load_ret);
	expect_seen(_metadata, self, &seen, 1);

	self->bss->require = true;
	memset(&self->bss->ready, 0, sizeof(self->bss->ready));
	self->bss->atomic.calls = 0;
	self->bss->sleepable.calls = 0;
	ASSERT_EQ(0, bpf_prog_test_run_opts(loader, &opts));
	EXPECT_EQ(-EPERM, self->bss->load_ret);
	expect_seen(_metadata, self, &seen, 0);

	size = make_signature(_metadata, self, self->insns, sizeof(self->insns), NULL, 0);
	ASSERT_LT(0, size);
	memcpy(self->bss->signature, self->signature, size);
	self->bss->signature_size = size;
	self->bss->keyring_id = self->ring;
	self->bss->atomic.calls = 0;
	self->bss->sleepable.calls = 0;
	ASSERT_EQ(0, bpf_prog_test_run_opts(loader, &opts));
	EXPECT_LE(0, self->bss->load_ret);
	seen.signature_size = size;
	seen.keyring_id = self->ring;
	seen.keyring_serial = self->ring;
	seen.verified = true;
	expect_seen(_metadata, self, &seen, 1);
}

/* An LSM program that is signed itself, and then decides. */
TEST_F(signed_load, lsm_program)
{
	const struct bpf_program *deny = self->skel->progs.deny;
	size_t len = bpf_program__insn_cnt(deny);
	struct load_attr attr;
	int size, fd, link;

	size = make_signature(_metadata, self, bpf_program__insns(deny),
			      len * sizeof(struct bpf_insn), NULL, 0);
	ASSERT_LT(0, size);
	attr = load_attr(self, size, self->ring);
	attr.prog_type = BPF_PROG_TYPE_LSM;
	attr.expected_attach_type = BPF_LSM_MAC;
	attr.attach_btf_id = hook_btf_id("task_getpgid");
	attr.insns = (__u64)bpf_program__insns(deny);
	attr.insn_cnt = len;
	self->bss->require = true;
	fd = load(self, &attr);
	ASSERT_LE(0, fd);
	EXPECT_EQ(BPF_PROG_TYPE_LSM, self->bss->sleepable.type);
	EXPECT_TRUE(self->bss->ready.verified);

	link = attach_fd(fd);
	ASSERT_LE(0, link);
	EXPECT_LT(0, getpgid(getpid()));
	ASSERT_EQ(0, prctl(PR_SET_NAME, "+signed"));
	EXPECT_EQ(-KRSI_ERRNO, OK(getpgid(getpid())));
	close(link);
	close(fd);
}

TEST_HARNESS_MAIN
