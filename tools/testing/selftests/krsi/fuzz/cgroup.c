// SPDX-License-Identifier: GPL-2.0
/*
 * The cgroups of a worker, and operations on them.
 */

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

/* As model_parent[] has them. */
static const char *const paths[MODEL_CGROUPS] = { "", "/1", "/1/2", "/3" };

void cgroups_make(struct worker *w)
{
	char path[64];

	for (int i = 0; i < MODEL_CGROUPS; i++) {
		snprintf(path, sizeof(path), CGROUPS "/%d%s", w->nr, paths[i]);
		must(w, !mkdir(path, 0755), path);
		w->cgroup_fd[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		must(w, w->cgroup_fd[i] >= 0, path);
	}
	op_join(w);
}

/*
 * Removes a cgroup. A child stays in it until its CPU has switched to another task,
 * which may be after waitpid() has returned it.
 */
static int remove_cgroup(const char *path)
{
	int tries, ret;

	for (tries = 0; (ret = rmdir(path)) && errno == EBUSY && tries < 3000; tries++)
		usleep(10000);
	return ret;
}

/* Removes the cgroups of a worker that has ended. */
void cgroups_remove(int nr)
{
	static const int order[MODEL_CGROUPS] = { 2, 1, 3, 0 };
	char path[64];

	for (int i = 0; i < MODEL_CGROUPS; i++) {
		snprintf(path, sizeof(path), CGROUPS "/%d%s", nr, paths[order[i]]);
		remove_cgroup(path);
	}
}

void op_join(struct worker *w)
{
	int fd;

	w->model.at = rng_below(&w->rng, MODEL_CGROUPS);
	say(w, "join cgroup %d", w->model.at);
	fd = openat(w->cgroup_fd[w->model.at], "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		wrong(w, "joining a cgroup fails: %d", -errno);
	close(fd);
}

/* Removes a cgroup that has no task and no child: its programs go with it. */
void op_rmdir(struct worker *w)
{
	int cgroup = 2 + rng_below(&w->rng, 2);
	struct bpf_link_info info;
	char path[64];
	__u32 len;

	if (w->model.at == cgroup)
		return;
	say(w, "remove cgroup %d", cgroup);
	snprintf(path, sizeof(path), CGROUPS "/%d%s", w->nr, paths[cgroup]);
	if (remove_cgroup(path))
		wrong(w, "removing cgroup %s fails: %d", path, -errno);
	for (int i = w->nheld - 1; i >= 0; i--) {
		struct held *h = &w->held[i];
		int tries = 3000;

		if (w->model.progs[w->model.atts[h->att].prog].kind != KIND_CGROUP ||
		    !w->model.atts[h->att].on || w->model.atts[h->att].cgroup != cgroup)
			continue;
		model_detach(&w->model, h->att);
		if (h->prog_fd >= 0) {
			close(h->prog_fd);
			forget(w, h);
			continue;
		}
		/* Its link says when it has noticed. */
		while (h->fd >= 0 && tries--) {
			memset(&info, 0, sizeof(info));
			len = sizeof(info);
			if (bpf_link_get_info_by_fd(h->fd, &info, &len))
				wrong(w, "a link has no info");
			if (!info.cgroup.cgroup_id)
				break;
			usleep(10000);
		}
		if (h->fd >= 0 && tries < 0)
			wrong(w, "a link keeps its cgroup, which was removed");
	}
	close(w->cgroup_fd[cgroup]);
	if (mkdir(path, 0755))
		wrong(w, "making cgroup %s fails: %d", path, -errno);
	w->cgroup_fd[cgroup] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int hook = 0; hook < hooks_count; hook++)
		if (hooks[hook].owner == w->nr)
			settle(w, hook);
}
