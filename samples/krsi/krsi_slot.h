/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How loaders find the number of a slot: by claiming it. A slot of that name and
 * size that is there already, as those of boot programs are, is what they get.
 */

#ifndef _SAMPLES_KRSI_SLOT_H
#define _SAMPLES_KRSI_SLOT_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KRSI_BLOBS "/sys/kernel/security/krsi/blobs"

/*
 * krsi_boot_slot - the number of a boot program's slot
 *
 * Returns a negative errno without one: -ENOENT if what has the name is not a
 * boot program's, and so is initialised by nobody.
 */
static inline long long krsi_boot_slot(const char *class, const char *name, size_t size)
{
	char command[128], match[128], *line = NULL;
	long long slot = -ENOENT, number;
	int fd, len, err = 0;
	size_t room = 0;
	FILE *blobs;

	fd = open(KRSI_BLOBS, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = snprintf(command, sizeof(command), "claim %s %s %zu", class, name, size);
	if (write(fd, command, len) != len)
		err = -errno;
	close(fd);
	if (err)
		return err;

	blobs = fopen(KRSI_BLOBS, "re");
	if (!blobs)
		return -errno;
	snprintf(match, sizeof(match), " class=%s name=%s ", class, name);
	while (getline(&line, &room, blobs) > 0)
		if (sscanf(line, "slot=%lld ", &number) == 1 && strstr(line, match) &&
		    strstr(line, " owner=boot ") && strstr(line, " state=live"))
			slot = number;
	free(line);
	fclose(blobs);
	return slot;
}

#endif /* _SAMPLES_KRSI_SLOT_H */
