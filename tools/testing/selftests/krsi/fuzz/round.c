// SPDX-License-Identifier: GPL-2.0
/*
 * Rounds: starts the workers, watches them and the kernel's log, and makes a
 * round that fails shorter.
 */

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

/* Without progress for so long a worker is stuck. */
#define STUCK_SECONDS 180

static int kmsg = -1;
static regex_t complaint;
static char complaint_text[512];

struct shared *shared_new(void)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return shared == MAP_FAILED ? NULL : shared;
}

int rounds_init(char *why, size_t size)
{
	/* As in scripts/ktap.py. */
	static const char pattern[] =
		"^(WARNING: |BUG: |Oops|INFO: (task |rcu|trying to register|lockdep is turned off)|"
		"rcu: INFO: .*(stall|detected)|Kernel panic|general protection fault|kernel BUG|"
		"UBSAN: |ODEBUG: |rust_kernel: panicked|refcount_t: |list_(add|del) corruption|"
		"DEBUG_LOCKS_WARN_ON|watchdog: |workqueue: .*lockup|unchecked MSR)";
	struct rlimit limit = { 4096, 4096 };
	int ret;

	setrlimit(RLIMIT_NOFILE, &limit);
	mkdir("/sys/fs/bpf", 0755);
	if (access("/sys/fs/bpf", W_OK))
		mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL);
	if (mkdir(BPFFS, 0700) && errno != EEXIST) {
		mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL);
		mkdir(BPFFS, 0700);
	}
	if (mkdir(CGROUPS, 0755) && errno != EEXIST) {
		mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);
		mkdir(CGROUPS, 0755);
	}
	if (access(BPFFS, W_OK) || access(CGROUPS, W_OK)) {
		snprintf(why, size, "no bpffs or no cgroup2: %s", strerror(errno));
		return -ENOENT;
	}
	ret = hooks_init();
	if (!ret)
		ret = kfuncs_init();
	if (ret) {
		snprintf(why, size, "the kernel's BTF, or securityfs, cannot be read: %s",
			 strerror(-ret));
		return ret;
	}
	slots_claim();
	if (regcomp(&complaint, pattern, REG_EXTENDED | REG_NOSUB))
		return -EINVAL;
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
	return 0;
}

/* True if the kernel has complained since the last call. */
static bool complained(void)
{
	char line[8192], *text;
	ssize_t len;

	for (;;) {
		len = kmsg < 0 ? -1 : read(kmsg, line, sizeof(line) - 1);
		/* Messages were overwritten. */
		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			return false;
		line[len] = '\0';
		text = strchr(line, ';');
		if (!text || regexec(&complaint, text + 1, 0, NULL, 0))
			continue;
		snprintf(complaint_text, sizeof(complaint_text), "%.500s", text + 1);
		return true;
	}
}

static int count(int (*next)(__u32 id, __u32 *found))
{
	__u32 id = 0;
	int n = 0;

	while (!next(id, &id))
		n++;
	return n;
}

struct counts {
	int progs;
	int links;
	int maps;
	int attached;
};

static struct counts counts_now(void)
{
	return (struct counts){
		count(bpf_prog_get_next_id), count(bpf_link_get_next_id),
		count(bpf_map_get_next_id), securityfs_programs(),
	};
}

/* True if all that the round has made is gone, after a minute at most. */
static bool nothing_left(const struct counts *before, char *why, size_t size)
{
	struct counts now;

	for (int i = 0; i < 1200; i++) {
		now = counts_now();
		if (now.progs <= before->progs && now.links <= before->links &&
		    now.maps <= before->maps && now.attached <= before->attached)
			return true;
		usleep(50000);
	}
	snprintf(why, size, "left: %d programs, %d links, %d maps, %d attached",
		 now.progs - before->progs, now.links - before->links, now.maps - before->maps,
		 now.attached - before->attached);
	return false;
}

static void kill_workers(pid_t *pids)
{
	for (int i = 0; i < WORKERS; i++)
		if (pids[i] > 0)
			kill(pids[i], SIGKILL);
	for (int i = 0; i < WORKERS; i++)
		if (pids[i] > 0)
			waitpid(pids[i], NULL, 0);
}

static enum result judge(struct per_worker *worker, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) <= RESULT_ERROR)
		return WEXITSTATUS(status);
	snprintf(worker->why, sizeof(worker->why), "the worker ended with status %x", status);
	return RESULT_ERROR;
}

/* Waits for the workers, as long as they go on. */
static enum result watch(struct round *round, pid_t *pids)
{
	struct shared *shared = round->shared;
	enum result result = RESULT_OK;
	int at[WORKERS] = {}, left = WORKERS, status;
	time_t moved = time(NULL);

	while (left && result == RESULT_OK) {
		usleep(20000);
		if (complained()) {
			snprintf(shared->worker[0].why, sizeof(shared->worker[0].why),
				 "the kernel says: %s", complaint_text);
			return RESULT_COMPLAINT;
		}
		for (int i = 0; i < WORKERS; i++) {
			if (pids[i] <= 0)
				continue;
			if (shared->worker[i].at != at[i]) {
				at[i] = shared->worker[i].at;
				moved = time(NULL);
			}
			if (waitpid(pids[i], &status, WNOHANG) != pids[i])
				continue;
			pids[i] = 0;
			left--;
			moved = time(NULL);
			if (result == RESULT_OK)
				result = judge(&shared->worker[i], status);
		}
		if (time(NULL) - moved > STUCK_SECONDS) {
			int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

			if (fd >= 0 && write(fd, "w", 1) == 1)
				sleep(1);
			snprintf(shared->worker[0].why, sizeof(shared->worker[0].why),
				 "no worker went on for %d s", STUCK_SECONDS);
			return RESULT_COMPLAINT;
		}
	}
	return result;
}

static void reset(struct shared *shared)
{
	for (int i = 0; i < WORKERS; i++) {
		shared->worker[i].pid = 0;
		shared->worker[i].at = 0;
		shared->worker[i].why[0] = '\0';
		memset(shared->worker[i].recent, 0, sizeof(shared->worker[i].recent));
		for (int j = 0; j < RELAYS; j++)
			shared->relay_on[i][j] = 0;
	}
	shared->ready = 0;
}

enum result round_run(struct round *round)
{
	struct per_worker *first = &round->shared->worker[0];
	struct counts before = counts_now();
	pid_t pids[WORKERS] = {};
	enum result result;

	reset(round->shared);
	fflush(NULL);
	for (int i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(worker_run(round, i));
	}
	result = watch(round, pids);
	kill_workers(pids);
	for (int i = 0; i < WORKERS; i++)
		worker_clean(i);
	if (result == RESULT_OK && !nothing_left(&before, first->why, sizeof(first->why)))
		result = RESULT_WRONG;
	if (result <= RESULT_WRONG && complained()) {
		snprintf(first->why, sizeof(first->why), "the kernel says: %s", complaint_text);
		result = RESULT_COMPLAINT;
	}
	return result;
}

static int ops_left(const struct round *round)
{
	int n = 0;

	for (int i = 0; i < WORKERS; i++)
		for (int j = 0; j < round->ops; j++)
			n += !round->shared->skip[i][j];
	return n;
}

/*
 * Leaves out as many operations as it can while the oracle still disagrees. The
 * last run is one that fails.
 */
enum result round_shrink(struct round *round, int seconds)
{
	struct shared *shared = round->shared;
	time_t end = time(NULL) + seconds;
	bool kept[WORKERS][ROUND_OPS];

	/* Nothing after the operation that failed matters. */
	for (int i = 0; i < WORKERS; i++)
		for (int j = shared->worker[i].at + 1; j < round->ops; j++)
			shared->skip[i][j] = true;
	if (round_run(round) != RESULT_WRONG)
		memset(shared->skip, 0, sizeof(shared->skip));
	for (int size = round->ops / 2; size && time(NULL) < end; size /= 2) {
		for (int i = 0; i < WORKERS; i++) {
			for (int j = 0; j < round->ops && time(NULL) < end; j += size) {
				bool any = false;

				memcpy(kept, shared->skip, sizeof(kept));
				for (int n = j; n < j + size && n < round->ops; n++) {
					any |= !shared->skip[i][n];
					shared->skip[i][n] = true;
				}
				if (any && round_run(round) != RESULT_WRONG)
					memcpy(shared->skip, kept, sizeof(kept));
			}
		}
	}
	printf("# %d operations are left\n", ops_left(round));
	return round_run(round);
}

/* Shows why a round has failed, and what the workers did last. */
void round_show(const struct round *round)
{
	struct shared *shared = round->shared;

	printf("# seed %llu\n", (unsigned long long)round->seed);
	for (int i = 0; i < WORKERS; i++) {
		struct per_worker *worker = &shared->worker[i];

		printf("# worker %d, operation %d: %s\n", i, worker->at,
		       worker->why[0] ? worker->why : "-");
		for (int n = 1; n <= RECENT_OPS; n++) {
			const char *text = worker->recent[(worker->at + n) % RECENT_OPS];

			if (text[0])
				printf("#   %s\n", text);
		}
	}
	fflush(stdout);
}
