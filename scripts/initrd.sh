#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# initrd.sh FILE [BOOTCONFIG]: makes FILE, an initial RAM disk whose /init mounts
# the VM's root and goes on there; for scripts/vm, as INITRD=. The file
# BOOTCONFIG is appended, as Linux's own tool does it.

. "$(dirname "$0")/lib.sh"

[ $# = 1 ] || [ $# = 2 ] || die "usage: scripts/initrd.sh FILE [BOOTCONFIG]"
[ -d "$LINUX/tools/bootconfig" ] || die "there is no Linux in build/linux; run: make kernel"

mkdir -p "$BUILD/initrd/root/root"
[ $# = 1 ] || cp "$2" "$BUILD/initrd/bootconfig.conf"
# shellcheck disable=SC2016 # expanded in the build root
logged "$BUILD/log/initrd.log" "$TOP/scripts/enter" sh -ec '
	cd build/initrd
	gcc -static -O2 -Wall -Wextra -o root/init /krsi/scripts/vm.d/switch_root.c
	(cd root && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0) >initrd
	[ "$1" = 1 ] || {
		make -C /krsi/build/linux/tools/bootconfig CC=gcc OUTPUT=/krsi/build/initrd/
		./bootconfig -a bootconfig.conf initrd
	}
' sh "$#"
cp "$BUILD/initrd/initrd" "$1"
