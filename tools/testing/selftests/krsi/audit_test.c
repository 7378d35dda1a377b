// SPDX-License-Identifier: GPL-2.0
/*
 * The records that programs write into the audit stream: each field, the system
 * call's own record and its keys, what is refused, and what is lost.
 */

#include "../../../../include/uapi/linux/krsi.h"
#include "common.h"
#include <arpa/inet.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include "audit.skel.h"

#define COUNTERS SECURITYFS "/krsi/audit"

/* Audit's default, 60 s, in ticks of CONFIG_HZ=250. */
#define BACKLOG_WAIT_TIME 15000

/* What one counter says. */
static long long counter(const char *name)
{
	char text[1024], line[64];
	const char *p;

	if (!read_text(COUNTERS, text + 1, sizeof(text) - 1))
		return -1;
	text[0] = '\n';
	snprintf(line, sizeof(line), "\n%s ", name);
	p = strstr(text, line);
	return p ? strtoll(p + strlen(line), NULL, 10) : -1;
}

/* Sets what @mask says of audit's status. */
static int set_audit(__u32 mask, __u32 value)
{
	struct {
		struct nlmsghdr head;
		struct audit_status status;
	} request = {
		.head = { sizeof(request), AUDIT_SET, NLM_F_REQUEST | NLM_F_ACK },
		.status = { .mask = mask, .enabled = value, .backlog_limit = value,
			    .rate_limit = value, .backlog_wait_time = value },
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[512];
	} answer;
	int fd, ret;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	if (fd < 0)
		return -errno;
	ret = OK(send(fd, &request, sizeof(request), 0));
	if (ret > 0)
		ret = OK(recv(fd, &answer, sizeof(answer), 0));
	if (ret > 0)
		ret = answer.head.nlmsg_type == NLMSG_ERROR ? answer.error.error : -EPROTO;
	close(fd);
	return ret;
}

/* Before the harness forks: from then on new tasks have a context. */
static void __attribute__((constructor)) enable_audit(void)
{
	if (krsi_active())
		set_audit(AUDIT_STATUS_ENABLED, 1);
}

struct record {
	int type;
	char text[10000];
};

FIXTURE(audit)
{
	struct audit_bpf *skel;
	int netlink;
	/* The event: what the last KRSI record and that of its system call say. */
	int found;
	struct record krsi[4], syscall;
};

FIXTURE_SETUP(audit)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = AUDIT_NLGRP_READLOG };
	int size = 8 << 20;

	if (!krsi_active())
		SKIP(return, "only KRSI has the kfunc");
	ASSERT_EQ(0, set_audit(AUDIT_STATUS_ENABLED, 1));
	ASSERT_EQ(0, set_audit(AUDIT_STATUS_BACKLOG_LIMIT, 8192));
	self->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	ASSERT_LE(0, self->netlink);
	ASSERT_EQ(0, setsockopt(self->netlink, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)));
	ASSERT_EQ(0, bind(self->netlink, (void *)&addr, sizeof(addr)));

	self->skel = audit_bpf__open_and_load();
	ASSERT_NE(NULL, self->skel) TH_LOG("%s", libbpf_log);
	self->skel->bss->target = getpid();
	self->skel->bss->event_size = sizeof(struct krsi_audit_event);
	self->skel->bss->object_size = sizeof(self->skel->bss->object);
	self->skel->bss->times = 1;
	ASSERT_EQ(0, audit_bpf__attach(self->skel)) TH_LOG("%s", libbpf_log);
}

FIXTURE_TEARDOWN(audit)
{
	audit_bpf__destroy(self->skel);
	if (self->netlink > 0)
		close(self->netlink);
	set_audit(AUDIT_STATUS_BACKLOG_LIMIT, 8192);
	set_audit(AUDIT_STATUS_BACKLOG_WAIT_TIME, BACKLOG_WAIT_TIME);
	set_audit(AUDIT_STATUS_ENABLED, 0);
}

/* The next record; false if none comes for @ms milliseconds. */
static bool next_record(int fd, struct record *record, int ms)
{
	struct timeval wait = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	static char buf[32768];
	struct nlmsghdr *head = (void *)buf;
	ssize_t len;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	len = recv(fd, buf, sizeof(buf) - 1, 0);
	if (len < (ssize_t)sizeof(*head))
		return false;
	buf[len] = '\0';
	record->type = head->nlmsg_type;
	/* The length in the header may be without the header. */
	snprintf(record->text, sizeof(record->text), "%s", (char *)NLMSG_DATA(head));
	return true;
}

/* The number of the event that a record belongs to. */
static long serial(const struct record *record)
{
	const char *p = strchr(record->text, ':');

	return p ? strtol(p + 1, NULL, 10) : -1;
}

static bool is_krsi(const struct record *record)
{
	return record->type == AUDIT_KERNEL_OTHER && strstr(record->text, "lsm=krsi ");
}

/*
 * Collects the KRSI records and, if @with_syscall, the system call's record that
 * belongs to the last of them. Waits up to a minute for @wanted records, and two
 * seconds if none is wanted.
 */
static void collect(FIXTURE_DATA(audit) * self, int wanted, bool with_syscall)
{
	static struct record record;
	int waits = wanted ? 600 : 20;

	self->found = 0;
	self->syscall.text[0] = '\0';
	while (waits) {
		if (wanted && self->found >= wanted && (!with_syscall || self->syscall.text[0]))
			return;
		if (!next_record(self->netlink, &record, 100)) {
			waits--;
			continue;
		}
		if (is_krsi(&record) && self->found < 4)
			self->krsi[self->found++] = record;
		if (record.type == AUDIT_SYSCALL && self->found &&
		    serial(&record) == serial(&self->krsi[self->found - 1]))
			self->syscall = record;
	}
}

/* What comes after the stamp. */
static const char *body(const struct record *record)
{
	const char *p = strstr(record->text, "): ");

	return p ? p + 3 : "";
}

static void set_event(struct krsi_audit_event *event, int verdict, const char *key)
{
	memset(event, 0, sizeof(*event));
	event->rule = 7;
	event->verdict = verdict;
	memcpy(event->key, key, strlen(key));
}

/* What a KRSI record of this process has to be, from hook to "path=". */
static void expect_head(char *text, size_t size, const char *hook, struct bpf_program *prog,
			const char *verdict)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	char tag[17];
	int i;

	bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info, &len);
	for (i = 0; i < 8; i++)
		sprintf(tag + 2 * i, "%02x", info.tag[i]);
	snprintf(text, size,
		 "lsm=krsi hook=%s prog-id=%u prog=\"%s\" prog-tag=%s rule=7 verdict=%s",
		 hook, info.id, bpf_program__name(prog), tag, verdict);
}

/* What it has to be behind the object. */
static void expect_tail(char *text, size_t size, const char *key)
{
	char exe[4096] = {}, comm[32] = {}, cgroup[4096] = {}, auid[32] = {}, ses[32] = {}, *p;

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		exe[0] = '\0';
	read_text("/proc/self/comm", comm, sizeof(comm));
	comm[strcspn(comm, "\n")] = '\0';
	read_text("/proc/self/cgroup", cgroup, sizeof(cgroup));
	p = strstr(cgroup, "0::");
	p = p ? p + 3 : cgroup;
	p[strcspn(p, "\n")] = '\0';
	read_text("/proc/self/loginuid", auid, sizeof(auid));
	read_text("/proc/self/sessionid", ses, sizeof(ses));
	snprintf(text, size,
		 " cgroup=\"%s\" ppid=%d pid=%d auid=%s uid=0 gid=0 euid=0 suid=0 fsuid=0"
		 " egid=0 sgid=0 fsgid=0 ses=%s comm=\"%s\" exe=\"%s\" key=%s",
		 p, getppid(), getpid(), auid, ses, comm, exe, key);
}

TEST_F(audit, fields)
{
	char head[512], tail[9000], whole[10000];
	long long written = counter("written");

	set_event(&self->skel->bss->event, -KRSI_ERRNO, "a-key");
	strcpy(self->skel->bss->object, "/etc/shadow");
	EXPECT_EQ(-KRSI_ERRNO, OK(getpgid(getpid())));
	EXPECT_EQ(0, self->skel->bss->result);
	collect(self, 1, true);
	ASSERT_EQ(1, self->found);
	EXPECT_EQ(written + 1, counter("written"));

	expect_head(head, sizeof(head), "task_getpgid", self->skel->progs.atomic, "deny");
	expect_tail(tail, sizeof(tail), "\"a-key\"");
	/* Not a hook where a program that does not sleep can have a path. */
	snprintf(whole, sizeof(whole), "%s errno=%d path=\"/etc/shadow\"%s", head, KRSI_ERRNO,
		 tail);
	if (strstr(body(&self->krsi[0]), " exe=? ")) {
		char *exe = strstr(whole, " exe=");

		snprintf(exe, 32, " exe=? key=\"a-key\"");
	}
	EXPECT_STREQ(whole, body(&self->krsi[0]));

	/* The system call's record has the key and what came of it. */
	snprintf(whole, sizeof(whole), " success=no exit=%d ", -KRSI_ERRNO);
	EXPECT_NE(NULL, strstr(self->syscall.text, whole)) TH_LOG("%s", self->syscall.text);
	EXPECT_NE(NULL, strstr(self->syscall.text, " key=\"a-key\""))
		TH_LOG("%s", self->syscall.text);
}

TEST_F(audit, sleepable)
{
	char head[512], tail[9000], whole[10000];
	int fd;

	set_event(&self->skel->bss->event, 0, "slept");
	strcpy(self->skel->bss->object, "127.0.0.1:80");
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	EXPECT_LE(0, fd);
	close(fd);
	collect(self, 1, true);
	ASSERT_EQ(1, self->found);
	expect_head(head, sizeof(head), "socket_create", self->skel->progs.sleepable, "allow");
	expect_tail(tail, sizeof(tail), "\"slept\"");
	snprintf(whole, sizeof(whole), "%s object=\"127.0.0.1:80\"%s", head, tail);
	EXPECT_STREQ(whole, body(&self->krsi[0]));
	EXPECT_NE(NULL, strstr(self->syscall.text, " key=\"slept\""))
		TH_LOG("%s", self->syscall.text);
}

TEST_F(audit, kill_and_no_key)
{
	set_event(&self->skel->bss->event, 0, "");
	self->skel->bss->event.flags = 1;
	EXPECT_LE(0, OK(getpgid(getpid())));
	collect(self, 1, true);
	ASSERT_EQ(1, self->found);
	EXPECT_NE(NULL, strstr(body(&self->krsi[0]), " rule=7 verdict=kill cgroup="));
	EXPECT_NE(NULL, strstr(body(&self->krsi[0]), " key=(null)"));
	EXPECT_NE(NULL, strstr(self->syscall.text, " key=(null)"));
}

/* No byte of a program's can pass for another field. */
TEST_F(audit, odd_bytes)
{
	set_event(&self->skel->bss->event, 0, "x\" key=\"y\n\xff");
	strcpy(self->skel->bss->object, "/a b\"\n");
	getpgid(getpid());
	collect(self, 1, true);
	ASSERT_EQ(1, self->found);
	EXPECT_NE(NULL, strstr(body(&self->krsi[0]), " path=2F612062220A "));
	EXPECT_NE(NULL, strstr(body(&self->krsi[0]), " key=7822206B65793D22790AFF"));
	EXPECT_NE(NULL, strstr(self->syscall.text, " key=7822206B65793D22790AFF"));
}

/* One of 8192 bytes without a NUL: what is cut says so, and the record fits auditd. */
TEST_F(audit, long_object)
{
	long long cut = counter("cut");
	const char *p;

	set_event(&self->skel->bss->event, 0, "long");
	memset(self->skel->bss->object, '/', sizeof(self->skel->bss->object));
	getpgid(getpid());
	collect(self, 1, false);
	ASSERT_EQ(1, self->found);
	p = strstr(body(&self->krsi[0]), " path=\"");
	ASSERT_NE(NULL, p);
	EXPECT_EQ(4096, strspn(p + 7, "/"));
	EXPECT_EQ(0, strncmp(p + 7 + 4096, "\" path-len=8192 cgroup=", 23));
	EXPECT_EQ(cut + 1, counter("cut"));

	/* In hexadecimal each byte takes two. */
	memset(self->skel->bss->object, '\n', sizeof(self->skel->bss->object));
	getpgid(getpid());
	collect(self, 1, false);
	ASSERT_EQ(1, self->found);
	p = strstr(body(&self->krsi[0]), " object=0A0A");
	ASSERT_NE(NULL, p);
	EXPECT_NE(NULL, strstr(p, " object-len=8192 "));
	EXPECT_NE(NULL, strstr(p, " key=\"long\""));
	EXPECT_GT(8970, strlen(self->krsi[0].text));
	EXPECT_LT(7900, strlen(self->krsi[0].text));
}

/* They belong to one event, whose record has all keys, each once. */
TEST_F(audit, two_records)
{
	set_event(&self->skel->bss->event, 0, "one");
	set_event(&self->skel->bss->second, 0, "two\1one");
	self->skel->bss->write_second = true;
	getpgid(getpid());
	EXPECT_EQ(0, self->skel->bss->second_result);
	collect(self, 2, true);
	ASSERT_EQ(2, self->found);
	EXPECT_EQ(serial(&self->krsi[0]), serial(&self->krsi[1]));
	/* one\1two\1one */
	EXPECT_NE(NULL, strstr(self->syscall.text, " key=6F6E650174776F016F6E65"))
		TH_LOG("%s", self->syscall.text);

	/* Both are there already. */
	set_event(&self->skel->bss->event, 0, "two\1one");
	set_event(&self->skel->bss->second, 0, "one");
	getpgid(getpid());
	collect(self, 2, true);
	EXPECT_NE(NULL, strstr(self->syscall.text, " key=74776F016F6E65"));
	EXPECT_EQ(NULL, strstr(self->syscall.text, " key=74776F016F6E6501"));

	/* The next system call has nothing of it. */
	self->skel->bss->write_second = false;
	set_event(&self->skel->bss->event, 0, "three");
	getpgid(getpid());
	collect(self, 1, true);
	EXPECT_NE(NULL, strstr(self->syscall.text, " key=\"three\""));
}

/* A rule of audit's own for the same system call. */
TEST_F(audit, beside_a_rule)
{
	ASSERT_EQ(0, system("auditctl -a always,exit -F arch=b64 -S getpgid -k rule >/dev/null"));
	set_event(&self->skel->bss->event, 0, "krsi");
	getpgid(getpid());
	collect(self, 1, true);
	/* rule\1krsi */
	EXPECT_NE(NULL, strstr(self->syscall.text, " key=72756C65016B727369"))
		TH_LOG("%s", self->syscall.text);
	EXPECT_EQ(0, system("auditctl -D >/dev/null"));

	/* A rule against the system call is not one against KRSI's policy. */
	ASSERT_EQ(0, system("auditctl -a never,exit -F arch=b64 -S getpgid >/dev/null"));
	getpgid(getpid());
	collect(self, 1, true);
	EXPECT_EQ(1, self->found);
	EXPECT_NE(NULL, strstr(self->syscall.text, " key=\"krsi\""))
		TH_LOG("%s", self->syscall.text);
	EXPECT_EQ(0, system("auditctl -D >/dev/null"));
}

TEST_F(audit, bad_arguments)
{
	struct krsi_audit_event *event = &self->skel->bss->event;
	long long invalid = counter("invalid");
	int i, bad = 0;

	set_event(event, 0, "bad");
#define REFUSED() ({ getpgid(getpid()); bad++; EXPECT_EQ(-EINVAL, self->skel->bss->result); \
		     self->skel->bss->result = 0; })
	self->skel->bss->event_size = sizeof(*event) - 1;
	REFUSED();
	self->skel->bss->event_size = 0;
	REFUSED();
	self->skel->bss->event_size = sizeof(*event);
	self->skel->bss->object_size = 0;
	REFUSED();
	self->skel->bss->object_size = 1;
	for (i = 1; i < 32; i++) {
		event->flags = 1U << i;
		REFUSED();
	}
	event->flags = 0;
	event->reserved = 1;
	REFUSED();
	event->reserved = 0;
	memset(event->key, 'k', sizeof(event->key));
	REFUSED();
	event->key[sizeof(event->key) - 1] = '\0';
	self->skel->bss->result = 1;
	getpgid(getpid());
	EXPECT_EQ(0, self->skel->bss->result);
	EXPECT_EQ(invalid + bad, counter("invalid"));
	collect(self, 1, true);
	EXPECT_EQ(1, self->found);
	EXPECT_NE(NULL, strstr(self->syscall.text, " key=\"kkkk"));
}

TEST_F(audit, disabled)
{
	long long disabled, written;

	/* Makes a socket, too. */
	ASSERT_EQ(0, set_audit(AUDIT_STATUS_ENABLED, 0));
	disabled = counter("disabled");
	written = counter("written");
	set_event(&self->skel->bss->event, -KRSI_ERRNO, "off");
	self->skel->bss->result = 1;
	EXPECT_EQ(-KRSI_ERRNO, OK(getpgid(getpid())));
	EXPECT_EQ(0, self->skel->bss->result);
	EXPECT_EQ(disabled + 1, counter("disabled"));
	EXPECT_EQ(written, counter("written"));
}

TEST_F(audit, excluded)
{
	long long excluded = counter("excluded");

	ASSERT_EQ(0, system("auditctl -a always,exclude -F msgtype=KERNEL_OTHER >/dev/null"));
	set_event(&self->skel->bss->event, 0, "excluded");
	self->skel->bss->result = 1;
	getpgid(getpid());
	EXPECT_EQ(0, self->skel->bss->result);
	EXPECT_EQ(excluded + 1, counter("excluded"));
	EXPECT_EQ(0, system("auditctl -D >/dev/null"));
	collect(self, 0, false);
	EXPECT_EQ(0, self->found);
}

/* What does not fit the backlog is refused and counted; the rest is there. */
TEST_F(audit, flood)
{
	long long lost = counter("lost_backlog"), memory = counter("lost_memory");
	long long written = counter("written");
	struct audit_bpf *skel = self->skel;

	set_event(&skel->bss->event, 0, "flood");
	skel->bss->times = 0;
	/* The other records would wait, and can miss that the queue was emptied. */
	ASSERT_EQ(0, set_audit(AUDIT_STATUS_BACKLOG_WAIT_TIME, 0));
	ASSERT_EQ(0, set_audit(AUDIT_STATUS_BACKLOG_LIMIT, 4));
	/* The records about the limit are as many as it is: kauditd has to take them first. */
	collect(self, 0, false);
	skel->bss->times = 5000;
	getpgid(getpid());
	skel->bss->times = 0;
	ASSERT_EQ(0, set_audit(AUDIT_STATUS_BACKLOG_LIMIT, 8192));
	EXPECT_EQ(5000, skel->bss->good + skel->bss->bad);
	EXPECT_LT(0, skel->bss->bad);
	EXPECT_LT(0, skel->bss->good);
	/* The reason is found out afterwards, when there may be room again. */
	EXPECT_LT(lost, counter("lost_backlog"));
	EXPECT_EQ(lost + memory + skel->bss->bad,
		  counter("lost_backlog") + counter("lost_memory"));
	EXPECT_EQ(written + skel->bss->good, counter("written"));
}

/* The current task is another: the record must not name it, nor be of its event. */
TEST_F(audit, softirq)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(addr);
	int fd;

	/* Not for socket_create. */
	self->skel->bss->target = 0;
	set_event(&self->skel->bss->event, 0, "soft");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, bind(fd, (void *)&addr, sizeof(addr)));
	ASSERT_EQ(0, getsockname(fd, (void *)&addr, &len));
	self->skel->bss->port = ntohs(addr.sin_port);
	strcpy(self->skel->bss->object, "udp");
	EXPECT_EQ(4, sendto(fd, "krsi", 4, 0, (void *)&addr, len));
	collect(self, 1, false);
	self->skel->bss->port = 0;
	ASSERT_EQ(1, self->found);
	EXPECT_NE(NULL, strstr(body(&self->krsi[0]),
			       " rule=7 verdict=allow object=\"udp\" key=\"soft\""))
		TH_LOG("%s", self->krsi[0].text);
	EXPECT_EQ(NULL, strstr(body(&self->krsi[0]), " pid="));
	close(fd);
}

TEST_HARNESS_MAIN
