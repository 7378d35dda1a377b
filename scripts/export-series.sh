#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# export-series.sh: writes build/series/*.patch, which `git am` applies to a
# Linux 7.3 tree: first KRSI's new files, which nothing refers to yet, then the
# edits of patches/ in their order, then what only users see. So each step
# builds. The result is compared with the tree that is built here.

. "$(dirname "$0")/lib.sh"

pristine=${KERNEL_SRC:-$CACHE/linux-7.3}
series=$BUILD/series
work=$BUILD/series.tmp
in_work=$IN_TOP/build/series.tmp

"$TOP/scripts/source.sh"
stage "Exporting the series"
rm -rf "$series" "$work"
mkdir -p "$series" "$work/repo" "$work/new" "$work/base"
"$TOP/scripts/link-tree.sh" --copy "$work/new"

# A repository of just the files that the series touches: blobs are named
# after their content, so its patches are those of a whole tree.
mapfile -t patches < <(sed 's/[[:space:]]*#.*//; /^$/d' "$TOP/patches/series")
[ ${#patches[@]} -eq 0 ] || (cd "$TOP/patches" && sed -n 's,^+++ b/\([^[:space:]]*\).*,\1,p' "${patches[@]}") |
	sort -u >"$work/edited"
while read -r file; do
	install -D -m "$(stat -c %a "$pristine/$file")" "$pristine/$file" "$work/base/$file"
done <"$work/edited"
(cd "$work/new" && find . -type f -printf '%P\n') | while read -r file; do
	[ ! -e "$pristine/$file" ] || die "$file is new here, but Linux has it: make it a patch"
done
cp -a "$work/base/." "$work/repo"

name=$(git -C "$TOP" config user.name 2>/dev/null || echo KRSI)
email=$(git -C "$TOP" config user.email 2>/dev/null || echo krsi@localhost)
date=$(git -C "$TOP" log -1 --format=%cI 2>/dev/null || date -Iseconds)
in_repo() {
	"$TOP/scripts/enter" env -C "$in_work/repo" GIT_AUTHOR_NAME="$name" GIT_AUTHOR_EMAIL="$email" \
		GIT_AUTHOR_DATE="$date" GIT_COMMITTER_NAME="$name" GIT_COMMITTER_EMAIL="$email" \
		GIT_COMMITTER_DATE="$date" "$@"
}
script=$work/script
commit() { printf 'git add -A && git commit -q --allow-empty-message -F %q\n' "$in_work/$1" >>"$script"; }

# add TEXT PATH...: one commit of the new files beneath PATHs.
added=0
add() {
	local text=$1 path
	local paths=()
	shift
	for path; do
		[ ! -e "$work/new/$path" ] || paths+=("$path")
	done
	[ ${#paths[@]} -gt 0 ] || return 0
	added=$((added + 1))
	printf '%s\n' "$text" >"$work/message.$added"
	printf '(cd %q && cp -a --parents %s %q)\n' "$in_work/new" "${paths[*]@Q}" "$in_work/repo" >>"$script"
	commit "message.$added"
}

echo 'set -e; git init -q -b base .; git add -A; git commit -q -m base; git tag base' >"$script"
add "rust: add abstractions for LSMs that run BPF programs

Safe wrappers, in the kernel crate's style, for what the crate lacks so
far. Nothing uses them yet." rust
add "bpf: add the C side of KRSI

The header that is the contract between KRSI and the BPF core, and the
few functions that BTF or linker sections want in C, or that only assembly
makes as short as they can be." include kernel arch
add "security: add KRSI

Kernel Runtime Security Instrumentation runs the BPF programs that are
attached to LSM hooks, from trampolines written in Rust." security
for patch in "${patches[@]}"; do
	sed '/^---$/,$d; 1s/^Subject: \(\[PATCH[^]]*\] \)\?//' "$TOP/patches/$patch" >"$work/$patch.message"
	printf 'git apply %q\n' "$IN_TOP/patches/$patch" >>"$script"
	commit "$patch.message"
done
add "samples: add a policy for KRSI

An ordinary libbpf loader: it runs the same on the bpf LSM." samples
add "tools: add the krsi command

What a user sees of KRSI at a shell." tools/krsi
add "selftests: add tests for KRSI

Programs with the verdicts that they must get. Those that TEST_BOTH names
have to come out the same on the bpf LSM." tools/testing
add "Documentation: describe KRSI

For users, administrators and readers of the source." Documentation
echo 'git format-patch -q -o /krsi/build/series base' >>"$script"
logged "$BUILD/log/series.log" in_repo sh "$in_work/script"

# A pristine copy again, this time the way a user does it.
mv "$work/repo" "$work/made"
mkdir "$work/repo"
cp -a "$work/base/." "$work/repo"
logged "$BUILD/log/series.log" in_repo sh -ec '
	git init -q -b base .; git add -A; git commit -q -m base
	git am -q /krsi/build/series/*.patch'
find "$work/repo" -type f ! -path '*/.git/*' -printf '%P\n' | while read -r file; do
	cmp -s "$work/repo/$file" "$LINUX/$file" ||
		die "the exported series makes another $file than build/linux has"
done
rm -rf "$work"
stage "Wrote $(find "$series" -name '*.patch' | wc -l) patches to build/series; apply them with: git am build/series/*.patch"
