// SPDX-License-Identifier: GPL-2.0
/*
 * /init of the initial RAM disk that scripts/initrd.sh makes: mounts the VM's
 * root over the RAM disk's, which stays beneath, and goes on with the init that
 * machines without a RAM disk have.
 */

#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#define OPTIONS "trans=virtio,version=9p2000.L,cache=loose,msize=512000"
#define INIT "/krsi/scripts/vm.d/init"

int main(int argc, char **argv)
{
	if (mount("root", "/root", "9p", MS_RDONLY, OPTIONS) || chdir("/root") ||
	    mount("devtmpfs", "dev", "devtmpfs", 0, NULL) ||
	    mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/")) {
		perror("init: the root cannot be mounted");
		return 1;
	}
	(void)argc;
	argv[0] = INIT;
	execv(INIT, argv);
	perror("init: " INIT);
	return 1;
}
