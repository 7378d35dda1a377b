#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# cargo.sh COMMAND...: cargo for tools/krsi, or for the crate in CRATE=, in
# the build root. Artifacts are in build/cargo, downloads in the cache.

. "$(dirname "$0")/lib.sh"

# How this machine reaches a registry crosses over: a mirror that its cargo is
# configured for, and the certificates that it trusts, which a proxy may need.
# Nothing else does: paths and flags of the host mean nothing in the root, and
# its tokens are not needed.
home=$CACHE/cargo
mkdir -p "$home"
# update FILE: FILE becomes what stdin has, in one step.
update() {
	cat >"$1.$$"
	if cmp -s "$1.$$" "$1"; then rm "$1.$$"; else mv "$1.$$" "$1"; fi
}
for config in "${CARGO_HOME:-$HOME/.cargo}"/config{.toml,}; do
	[ -f "$config" ] || continue
	awk '/^\[/ { keep = /^\[ *(source|registry|registries|http|net) *[].]/ }
		keep && !/^[ \t"]*token/' "$config"
	break
done | update "$home/config.toml"
cainfo=${CARGO_HTTP_CAINFO:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}
cargo=(env -C "$IN_TOP/${CRATE:-tools/krsi}" "CARGO_TARGET_DIR=$IN_TOP/build/cargo")
if [ -r "$cainfo" ]; then
	update "$home/ca.crt" <"$cainfo"
	cargo+=("CARGO_HTTP_CAINFO=$IN_CACHE/cargo/ca.crt")
fi

exec "$TOP/scripts/enter" "${cargo[@]}" cargo "$@"
