#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes build/linux, the Linux tree that is built: a pristine copy of Linux 7.3
# with patches/ applied and KRSI's files linked in. KERNEL_SRC= names the
# user's own 7.3 tree, or git clone, to take instead of Debian's package; it is
# copied, never changed.

. "$(dirname "$0")/lib.sh"

WANT=7.3

pristine=$CACHE/linux-$WANT
key=debian

# The version that a tree's Makefile names, e.g. 7.3.
version_of() {
	awk -F ' *= *' '$1 == "VERSION" { v = $2 } $1 == "PATCHLEVEL" { print v "." $2; exit }' "$1/Makefile"
}

if [ -n "${KERNEL_SRC:-}" ]; then
	pristine=$(realpath "$KERNEL_SRC")
	[ -f "$pristine/Makefile" ] || die "KERNEL_SRC=$KERNEL_SRC is not a Linux tree"
	found=$(version_of "$pristine")
	[ "$found" = "$WANT" ] || die "KERNEL_SRC=$KERNEL_SRC is Linux $found; the series applies to $WANT"
	key=$pristine:$(git -C "$pristine" rev-parse HEAD 2>/dev/null || stat -c %Y "$pristine/Makefile")
elif [ ! -f "$pristine/.complete" ]; then
	stage "Downloading the Linux $WANT source (package linux-source-$WANT)"
	mkdir -p "$CACHE/deb"
	update_options=
	[ -z "${KRSI_IGNORE_VALID_UNTIL:-}" ] || update_options='-o Acquire::Check-Valid-Until=false'
	logged "$BUILD/log/source.log" "$TOP/scripts/enter" sh -ec "
		cd $IN_CACHE/deb
		apt-get $update_options -o APT::Sandbox::User=root update
		apt-get -o APT::Sandbox::User=root download linux-source-$WANT"
	stage "Unpacking Linux $WANT"
	rm -rf "$pristine"
	mkdir -p "$pristine"
	logged "$BUILD/log/source.log" "$TOP/scripts/enter" sh -ec "
		cd $IN_CACHE/linux-$WANT
		dpkg-deb --fsys-tarfile $IN_CACHE/deb/linux-source-${WANT}_*.deb |
			tar -xO ./usr/src/linux-source-$WANT.tar.xz |
			tar -xJ --strip-components=1
		rm -f $IN_CACHE/deb/linux-source-${WANT}_*.deb"
	touch "$pristine/.complete"
fi

if ! fresh "$BUILD/linux.stamp" "$key"; then
	stage "Copying Linux $WANT to build/linux"
	rm -rf "$LINUX" "$BUILD/linux.stamp"
	mkdir -p "$LINUX"
	if [ -n "${KERNEL_SRC:-}" ] && git -C "$pristine" rev-parse HEAD >/dev/null 2>&1; then
		git -C "$pristine" archive HEAD | tar -x -C "$LINUX"
	elif [ -n "${KERNEL_SRC:-}" ]; then
		tar -c -C "$pristine" --exclude='*.o' --exclude=.git . | tar -x -C "$LINUX"
	else
		# Hard links: nothing below writes a file in place.
		cp -al "$pristine/." "$LINUX/" 2>/dev/null || cp -a "$pristine/." "$LINUX/"
	fi
	echo "$key" >"$BUILD/linux.stamp"
fi

"$TOP/scripts/apply-patches.sh" "$pristine" "$LINUX"
"$TOP/scripts/link-tree.sh" "$LINUX"
