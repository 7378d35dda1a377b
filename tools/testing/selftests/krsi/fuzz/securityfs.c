// SPDX-License-Identifier: GPL-2.0
/*
 * KRSI's files in securityfs: what they say about hooks, and commands for slots.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

struct slot slots[SLOTS_MAX];
int slots_count;

/* Returns 0 or -errno. */
static int command(const char *text, size_t len)
{
	int fd = open(KRSI_DIR "/blobs", O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Claims a slot in each class, and finds all that programs can access. */
void slots_claim(void)
{
	char line[512], class[32], text[128];
	FILE *file = fopen(KRSI_DIR "/blobs", "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "class=%31s reserved=", class) != 1)
			continue;
		snprintf(text, sizeof(text), "claim %s fuzz 16%s", class,
			 !strcmp(class, "cred") ? " inherit=copy" : "");
		command(text, strlen(text));
	}
	command("claim inode fuzz-kept 8 xattr=yes", 33);
	if (!file)
		return;
	rewind(file);
	slots_count = 0;
	while (fgets(line, sizeof(line), file) && slots_count < SLOTS_MAX) {
		struct slot *slot = &slots[slots_count];

		if (sscanf(line, "slot=%u class=%31s name=%*s offset=%*u size=%u", &slot->number,
			   slot->class, &slot->size) == 3)
			slots_count++;
	}
	fclose(file);
}

/* Returns how many programs are attached to all hooks, or -1. */
int securityfs_programs(void)
{
	FILE *file = fopen(KRSI_DIR "/status", "re");
	int programs = -1, n;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "programs %d", &n) == 1)
			programs = n;
	if (file)
		fclose(file);
	return programs;
}

static bool line_of(const char *hook, char **line)
{
	FILE *file = fopen(KRSI_DIR "/hooks", "re");
	size_t len = strlen(hook), size = 0;
	bool found = false;

	*line = NULL;
	while (file && !found && getline(line, &size, file) > 0)
		found = !strncmp(*line, hook, len) && (*line)[len] == ' ';
	if (file)
		fclose(file);
	return found;
}

/* Returns the program of the model that has an id, MODEL_SHIM for 0, or -2. */
static int prog_of(const struct worker *w, unsigned long id)
{
	if (!id)
		return MODEL_SHIM;
	for (int i = w->model.nprogs - 1; i >= 0; i--)
		if (w->prog_id[i] == id)
			return i;
	return -2;
}

/*
 * True if the file names the model's programs of a hook in the model's order.
 * It may name others, which the other worker or kfunc_op() has attached.
 */
bool securityfs_agrees(struct worker *w, int hook, char *why, size_t size)
{
	const struct model_hook *h = &w->model.hooks[hook];
	bool found = true, cgroups = hooks[hook].owner >= 0;
	char *line, *p;
	int i = 0, prog, want;

	if (!line_of(hooks[hook].name, &line)) {
		snprintf(why, size, "%s is not in securityfs", hooks[hook].name);
		free(line);
		return false;
	}
	p = strstr(line, "programs=");
	p = p && p[9] != '-' ? p + 9 : NULL;
	while (p && found) {
		prog = prog_of(w, strtoul(p, NULL, 10));
		p = strchr(p, ',');
		p = p ? p + 1 : NULL;
		if (prog == -2 || (prog == MODEL_SHIM && !cgroups))
			continue;
		want = i < h->len ? h->list[i++] : -2;
		found = want == MODEL_SHIM ? prog == MODEL_SHIM :
			want >= 0 && w->model.atts[want].prog == prog;
	}
	if (i < h->len)
		found = false;
	if (!found)
		snprintf(why, size, "securityfs: %.600s: entry %d is not what was attached", line,
			 i);
	free(line);
	return found;
}

/* A claim that was made once for all, or is made until the bytes are used up. */
static void claim(struct worker *w)
{
	static const char *const sizes[] = {
		"0", "1", "8", "16", "1024", "1025", "18446744073709551616", "-1", "x", "",
	};
	static const char *const ends[] = {
		"", " 8", " 16", " 3", " inherit=copy", " inherit=reset", " 4 inherit=copy",
		" xattr=yes", " xattr=no", " 8 8", "\n", "  ", "\t",
	};
	static const char *const classes[] = {
		"cred", "task", "file", "inode", "ipc", "sock", "ib", "dentry", "", "INODE",
	};
	char text[200];
	int ret;

	snprintf(text, sizeof(text), "%s %s %s%d %s%s", rng_chance(&w->rng, 85) ? "claim" : "clam",
		 rng_pick(&w->rng, classes), rng_chance(&w->rng, 90) ? "fuzz-w" : "Fuzz/",
		 rng_below(&w->rng, 3), rng_pick(&w->rng, sizes), rng_pick(&w->rng, ends));
	say(w, "write '%s' to blobs", text);
	ret = command(text, strlen(text));
	if (ret && ret != -EINVAL && ret != -ENODEV && ret != -ENXIO && ret != -ENOSPC &&
	    ret != -EEXIST)
		wrong(w, "the command returns %d", ret);
}

/* A command of any bytes, of any length. */
static void garbage(struct worker *w)
{
	static char text[8192];
	size_t len = rng_below(&w->rng, rng_chance(&w->rng, 20) ? sizeof(text) : 64);
	int ret;

	for (size_t i = 0; i < len; i++)
		text[i] = rng_chance(&w->rng, 50) ? ' ' + rng_below(&w->rng, 95) :
			  rng_below(&w->rng, 256);
	if (rng_chance(&w->rng, 30) && len > 6)
		memcpy(text, "claim ", 6);
	say(w, "write %zu random bytes to blobs", len);
	ret = command(text, len);
	if (len && ret != -EINVAL && ret != -ENODEV)
		wrong(w, "random bytes return %d", ret);
}

/* The slot is the same each time, and cannot be claimed with another size. */
static void claim_again(struct worker *w)
{
	char text[128];
	int ret, n;

	if (!slots_count)
		return;
	n = rng_below(&w->rng, slots_count);
	snprintf(text, sizeof(text), "claim %s fuzz 17", slots[n].class);
	say(w, "claim a slot of %s with another size", slots[n].class);
	ret = command(text, strlen(text));
	if (ret != -EEXIST && ret != -ENXIO && ret != -ENOSPC)
		wrong(w, "the claim returns %d", ret);
	snprintf(text, sizeof(text), "release %s fuzz-none", slots[n].class);
	ret = command(text, strlen(text));
	if (ret != -ENOENT)
		wrong(w, "the release of a slot that is not there returns %d", ret);
}

static void read_all(struct worker *w)
{
	static const char *const files[] = {
		"version", "status", "hooks", "blobs", "boot", "audit",
	};
	static char buf[8192];
	char path[64];
	size_t size = 1 + rng_below(&w->rng, sizeof(buf));
	off_t at = rng_chance(&w->rng, 20) ? rng_below(&w->rng, 100000) : 0;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), KRSI_DIR "/%s", rng_pick(&w->rng, files));
	say(w, "read %s, %zu bytes at a time", path, size);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	for (int i = 0; i < 64; i++) {
		len = pread(fd, buf, size, at);
		if (len <= 0)
			break;
		at += len;
	}
	close(fd);
	/* Root passes the mode; there is nothing to write to. */
	if (strcmp(path, KRSI_DIR "/blobs")) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && write(fd, "x", 1) >= 0)
			wrong(w, "%s can be written to", path);
		if (fd >= 0)
			close(fd);
	}
}

void securityfs_op(struct worker *w)
{
	static void (*const what[])(struct worker *w) = { claim, garbage, claim_again, read_all };

	rng_pick(&w->rng, what)(w);
}
