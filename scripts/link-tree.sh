#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# link-tree.sh [--copy] TREE: links KRSI's files into the Linux tree TREE at
# their own paths, one symbolic link a file, and removes the links of files
# that are gone. With --copy, copies instead: the tree of the exported series.

. "$(dirname "$0")/lib.sh"

copy=
if [ "$1" = --copy ]; then
	copy=y
	shift
fi
tree=$1

# krsi_files: 'PATH-HERE PATH-IN-LINUX' for every file that the series adds.
# The root Kbuild and Kconfig are security/krsi's own there.
krsi_files() {
	echo "Kbuild security/krsi/Kbuild"
	echo "Kconfig security/krsi/Kconfig"
	local dir
	cd "$TOP"
	for dir in arch security kernel rust include samples tools Documentation; do
		[ ! -d "$dir" ] || find "$dir" -type f ! -path '*/target/*'
	done | sort | sed 's/.*/& &/'
}

if [ -n "$copy" ]; then
	krsi_files | while read -r from to; do
		install -D -m "$(stat -c %a "$TOP/$from")" "$TOP/$from" "$tree/$to"
	done
	exit
fi

krsi_files | while read -r from to; do
	target=$(realpath -s --relative-to="$tree/$(dirname "$to")" "$TOP/$from")
	[ "$(readlink "$tree/$to" 2>/dev/null)" = "$target" ] && continue
	mkdir -p "$tree/$(dirname "$to")"
	ln -sfn "$target" "$tree/$to"
done
krsi_files | cut -d ' ' -f 2 | sort >"$tree/.krsi-links.new"
if [ -f "$tree/.krsi-links" ]; then
	comm -23 "$tree/.krsi-links" "$tree/.krsi-links.new" | while read -r gone; do
		rm -f "$tree/$gone"
	done
fi
mv "$tree/.krsi-links.new" "$tree/.krsi-links"
