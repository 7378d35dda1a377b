#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel.sh [VARIANT [TARGET...]]: configures and builds the kernel; leaves
# build/bzImage, build/vmlinux and build/config, those of a variant in
# build/VARIANT/. With a TARGET of Linux's make, only that is built. Variants are
#
#	debug		lockdep and the like, and allocations that fail on request
#	kasan		KASAN, kmemleak and UBSAN
#	kcsan		KCSAN
#	fuzz		KASAN and lockdep, for make fuzz-kernel
#	without		no KRSI
#	bench-boot	many boot programs
#	upstream	what Linux's own tests ask for, for make test-upstream
#
# BOOT_PROGRAMS= names the boot programs to be part of it, as
# CONFIG_SECURITY_KRSI_BOOT_PROGRAMS does, instead of those that the variant has.

. "$(dirname "$0")/lib.sh"

variant=${1-}
targets=("${@:2}")
out=$BUILD${variant:+/$variant}
obj=$BUILD/obj${variant:+-$variant}
in_obj=$IN_TOP/build/obj${variant:+-$variant}
jobs=${JOBS:-$(nproc)}
case $variant in
'') fragments=(base.config krsi.config) ;;
debug | kasan | kcsan | fuzz) fragments=(base.config krsi.config test.config "$variant.config") ;;
bench-boot) fragments=(base.config krsi.config bench-boot.config) ;;
without) fragments=(base.config) ;;
upstream) fragments=(base.config krsi.config upstream.config) ;;
*) die "there is no kernel '$variant': usage: kernel.sh [debug|kasan|kcsan|fuzz|without|bench-boot|upstream]" ;;
esac

"$TOP/scripts/source.sh"
[ "$variant" = without ] || "$TOP/scripts/boot.sh"
mkdir -p "$obj" "$out"

make=(make -C "$IN_TOP/build/linux" "O=$in_obj" LLVM=1 "CC=ccache clang" "-j$jobs"
	KBUILD_BUILD_USER=krsi KBUILD_BUILD_HOST=krsi
	"KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970")

fragments=("${fragments[@]/#/scripts/config/}")
if [ -n "${BOOT_PROGRAMS+set}" ] && [ "$variant" != without ]; then
	echo "CONFIG_SECURITY_KRSI_BOOT_PROGRAMS=\"$BOOT_PROGRAMS\"" >"$obj/boot.config"
	fragments+=("${obj#"$TOP/"}/boot.config")
fi

# Of these, options may be lost: the tests skip what they then cannot test.
asked=("${fragments[@]}")
if [ "$variant" = upstream ]; then
	fragments=(build/linux/tools/testing/selftests/{bpf,lsm,landlock,net/af_unix}/config
		"${fragments[@]}")
fi

key=$(cd "$TOP" && cat "${fragments[@]}" Kconfig | sha256sum)
if ! fresh "$obj/.krsi-config" "$key" || [ ! -f "$obj/.config" ]; then
	stage "Configuring the kernel${variant:+ ($variant)}"
	log=$BUILD/log/config${variant:+-$variant}.log
	logged "$log" "$TOP/scripts/enter" sh -ec '
		obj=$1; shift; n=$1; shift
		fragments=; while [ "$n" -gt 0 ]; do fragments="$fragments /krsi/$1"; shift; n=$((n - 1)); done
		"$@" tinyconfig
		cp "$obj/.config" "$obj/.config.base"
		/krsi/build/linux/scripts/kconfig/merge_config.sh -m -O "$obj" "$obj/.config.base" $fragments
		"$@" olddefconfig
	' sh "$in_obj" "${#fragments[@]}" "${fragments[@]}" "${make[@]}"
	# Kconfig drops an option silently when a dependency is missing.
	lost=$(cd "$TOP" && cat "${asked[@]}" |
		awk -F= '/^CONFIG_/ { v[$1] = $0 } END { for (k in v) print v[k] }' |
		grep -vxFf "$obj/.config" || :)
	[ -z "$lost" ] || die "the configuration lost $(echo "$lost" | tr '\n' ' '); a dependency is missing (see 'make -C build/linux rustavailable' for Rust)"
	echo "$key" >"$obj/.krsi-config"
fi

log=$BUILD/log/kernel${variant:+-$variant}.log
if [ ${#targets[@]} -gt 0 ]; then
	stage "Building parts of the kernel${variant:+ ($variant)} with $jobs jobs"
	logged "$log" "$TOP/scripts/enter" "${make[@]}" "${targets[@]}"
	exit
fi
stage "Building the kernel${variant:+ ($variant)} with $jobs jobs"
logged "$log" "$TOP/scripts/enter" "${make[@]}" bzImage
cp "$obj/arch/x86/boot/bzImage" "$out/bzImage"
ln -f "$obj/vmlinux" "$out/vmlinux"
cp "$obj/.config" "$out/config"
stage "Built ${out#"$TOP"/}/bzImage ($(stat -c %s "$out/bzImage" | numfmt --to=iec))"
