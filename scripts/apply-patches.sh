#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# apply-patches.sh PRISTINE TREE: brings TREE's copies of the files that
# patches/ touches to PRISTINE plus the series. Files whose content stays the
# same keep their time stamps, so that a changed patch rebuilds what it touches
# and no more.

. "$(dirname "$0")/lib.sh"

pristine=$1 tree=$2
touched=$tree/.krsi-patched
stage_dir=$(mktemp -d)
trap 'rm -rf "$stage_dir"' EXIT

mapfile -t series < <(sed 's/[[:space:]]*#.*//; /^$/d' "$TOP/patches/series")
files() { sed -n 's,^+++ b/\([^[:space:]]*\).*,\1,p' "$@"; }

now=()
if [ ${#series[@]} -gt 0 ]; then
	mapfile -t now < <(cd "$TOP/patches" && files "${series[@]}" | sort -u)
fi
for file in "${now[@]}"; do
	[ -f "$pristine/$file" ] || die "patches/ edits $file, which this Linux tree does not have"
	mkdir -p "$stage_dir/$(dirname "$file")"
	cp "$pristine/$file" "$stage_dir/$file"
done
for patch in "${series[@]}"; do
	patch -d "$stage_dir" -p1 --quiet --fuzz=0 --no-backup-if-mismatch <"$TOP/patches/$patch" >&2 ||
		die "patches/$patch does not apply to this Linux tree"
done
for file in "${now[@]}"; do
	cmp -s "$stage_dir/$file" "$tree/$file" && continue
	cp "$stage_dir/$file" "$tree/$file.new"
	mv -f "$tree/$file.new" "$tree/$file"
done
# What an earlier series touched and this one does not goes back.
if [ -f "$touched" ]; then
	while read -r file; do
		[ -n "$file" ] || continue
		case " ${now[*]} " in *" $file "*) continue ;; esac
		cp "$pristine/$file" "$tree/$file.new"
		mv -f "$tree/$file.new" "$tree/$file"
	done <"$touched"
fi
printf '%s\n' "${now[@]}" >"$touched"
