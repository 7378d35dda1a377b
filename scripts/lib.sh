# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What every script here shares: where things are, how progress is shown and
# how a script gives up. Sourced, never run.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$TOP/build
CACHE=${KRSI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/krsi}
ROOT=$CACHE/root
LINUX=$BUILD/linux
OBJ=$BUILD/obj
export TOP BUILD CACHE ROOT LINUX OBJ

# The checkout and the cache as seen from within the build root. They are the
# same for every clone, so that ccache hits and debug information agree.
IN_TOP=/krsi
IN_CACHE=/cache
export IN_TOP IN_CACHE

# The time that the user's command started, however many scripts it runs.
: "${KRSI_START:=$(date +%s)}"
export KRSI_START

if [ -t 2 ]; then BOLD=$'\e[1m' RED=$'\e[31m' OFF=$'\e[0m'; else BOLD='' RED='' OFF=''; fi

# stage TEXT: names the step that begins, with the time since the start.
stage() {
	local t=$(($(date +%s) - KRSI_START))
	printf '%s[%02d:%02d] %s%s\n' "$BOLD" $((t / 60)) $((t % 60)) "$*" "$OFF" >&2
}

warn() { printf '%swarning:%s %s\n' "$RED" "$OFF" "$*" >&2; }

# die TEXT: one line that says what is wrong and what to do.
die() {
	printf '%serror:%s %s\n' "$RED" "$OFF" "$*" >&2
	exit 1
}

# logged FILE COMMAND...: runs COMMAND with its output in FILE, showing the
# number of lines so far on a terminal; on failure shows the end of FILE.
logged() {
	local log=$1 pid status=0
	shift
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	# Without a terminal nobody watches: only wait.
	if [ -t 2 ]; then
		while kill -0 "$pid" 2>/dev/null; do
			printf '\r  %s lines in %s' "$(wc -l <"$log")" "${log#"$TOP"/}" >&2
			sleep 1
		done
		printf '\r\e[K' >&2
	fi
	wait "$pid" || status=$?
	if [ "$status" != 0 ]; then
		tail -n "${KRSI_LOG_TAIL:-30}" "$log" >&2
		die "'$1' failed with status $status; the whole output is in ${log#"$TOP"/}"
	fi
}

# fresh STAMP KEY: true if STAMP already holds KEY, i.e. the step is done.
fresh() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }
