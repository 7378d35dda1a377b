#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# Bootstraps the build root: a Debian 13 tree in the cache with the tools that
# Linux 7.3 needs. Does nothing when it is there and the package list is the
# same, and installs packages that the list gained. The host needs mmdebstrap
# and nothing else. With --remove, removes the whole cache.

. "$(dirname "$0")/lib.sh"

SUITE=trixie

[ "$(uname -m)" = x86_64 ] ||
	die "unsupported architecture $(uname -m): KRSI is developed and tested on x86_64"

ns=()
[ "$(id -u)" = 0 ] || ns=(unshare --user --map-root-user --map-auto)

# unused: gives up when a command runs in the root, each of which holds a
# shared lock (scripts/enter): what it uses must not be removed beneath it.
unused() {
	mkdir -p "$CACHE"
	exec 9>>"$ROOT.lock"
	flock --nonblock 9 ||
		die "the build root in $CACHE is in use (a build or a VM); wait for it to end, or end it"
}

if [ "${1-}" = --remove ]; then
	[ -d "$CACHE" ] || exit 0
	unused
	"${ns[@]}" rm -rf --one-file-system "$CACHE"
	exit 0
fi

mapfile -t packages < <(sed 's/[[:space:]]*#.*//; /^$/d' "$TOP/scripts/packages" | sort)
key=$SUITE:$(printf '%s ' "${packages[@]}")
fresh "$ROOT.stamp" "$key" && exit 0

apt_options=()
if [ -n "${KRSI_IGNORE_VALID_UNTIL:-}" ]; then
	warn "not checking that the mirror's Release files are current"
	apt_options+=(-o 'Acquire::Check-Valid-Until=false')
fi

# A root of this suite only lacks packages: commands that use it go on.
if [ -f "$ROOT.stamp" ] && [ "$(cut -d : -f 1 "$ROOT.stamp")" = "$SUITE" ]; then
	stage "Installing new packages in the build root"
	logged "$BUILD/log/root.log" "$TOP/scripts/enter" apt-get "${apt_options[@]}" update
	logged "$BUILD/log/root.log" "$TOP/scripts/enter" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends "${packages[@]}"
	echo "$key" >"$ROOT.stamp"
	exit 0
fi

stage "Checking this machine"
need_kib=$((25 * 1024 * 1024))
mkdir -p "$CACHE" "$BUILD" ||
	die "cannot write to $CACHE; set KRSI_CACHE to a directory that you can write to"
for dir in "$CACHE" "$BUILD"; do
	free_kib=$(df --output=avail -k "$dir" | tail -n 1)
	[ "$free_kib" -ge "$need_kib" ] ||
		die "$dir has $((free_kib / 1024 / 1024)) GiB free and 25 are needed; free some or set KRSI_CACHE"
done
mem_kib=$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)
[ "$mem_kib" -ge $((5 * 1024 * 1024)) ] ||
	die "this machine has $((mem_kib / 1024)) MiB of memory; linking Linux with BTF needs 5 GiB"

if ! command -v mmdebstrap >/dev/null; then
	[ "$(id -u)" = 0 ] ||
		die "mmdebstrap is missing; run: sudo apt-get install mmdebstrap uidmap"
	stage "Installing mmdebstrap"
	logged "$BUILD/log/apt.log" apt-get update
	logged "$BUILD/log/apt.log" apt-get install -y --no-install-recommends mmdebstrap
fi

if [ "$(id -u)" != 0 ]; then
	"${ns[@]}" true 2>/dev/null ||
		die "user namespaces with subordinate ids do not work for $(id -un): install uidmap, add $(id -un) to /etc/subuid and /etc/subgid, or run as root"
fi

# The mirror is the one that this machine's apt uses.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN)' 'Created-By: Packages' |
	awk '$2 == "Debian" && $1 !~ /security/ { print $1; exit }')
[ -n "$mirror" ] ||
	die "apt on this machine knows no Debian mirror; add one to /etc/apt/sources.list and run apt-get update"

stage "Bootstrapping the Debian 13 build root (${#packages[@]} packages)"
unused
rm -f "$ROOT.stamp"
"${ns[@]}" rm -rf --one-file-system "$ROOT"
list=$(IFS=,; echo "${packages[*]}")
log=$BUILD/log/root.log
# bootstrap: as an ordinary user, through an archive that is unpacked in the
# user namespace that scripts/enter makes, so that root there owns what it
# should: mmdebstrap's own namespace maps ids otherwise.
bootstrap() {
	local options=(--variant=apt ${apt_options[1]:+"--aptopt=${apt_options[1]/=/ }"}
		"--include=ca-certificates,$list" "$SUITE")
	local sources=("deb $mirror $SUITE main" "deb $mirror $SUITE-updates main"
		"deb $mirror $SUITE-backports main")
	if [ "$(id -u)" = 0 ]; then
		mmdebstrap --mode=root --format=directory "${options[@]}" "$ROOT" "${sources[@]}"
	else
		mkdir -p "$ROOT"
		mmdebstrap --mode=unshare --format=tar "${options[@]}" - "${sources[@]}" |
			"${ns[@]}" tar -x -C "$ROOT" --numeric-owner --exclude='./dev/*'
	fi
}
if ! (logged "$log" bootstrap); then
	grep -qi 'valid-until\|not valid yet\|is expired' "$log" &&
		die "a Release file of the mirror is past its date; use a current mirror, or set KRSI_IGNORE_VALID_UNTIL=1 to accept it"
	grep -qi 'could not resolve\|connection\|unable to connect' "$log" &&
		die "the Debian mirror cannot be reached; check the network and apt's proxy settings"
	die "the build root could not be made; see ${log#"$TOP"/}"
fi
# Mount points that scripts/enter binds.
"${ns[@]}" mkdir -p "$ROOT$IN_TOP" "$ROOT$IN_CACHE" "$ROOT/share" "$ROOT/overlay"
echo "$key" >"$ROOT.stamp"
