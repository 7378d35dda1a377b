#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
#
# boot_test.sh: tests what checks boot programs when a kernel is built: its unit
# tests, with the objects in build/boot, and that it refuses each of the
# programs in the selftests' boot/refused with the message beside the program.
# Writes what `cargo test` would.

. "$(dirname "$0")/lib.sh"

"$TOP/scripts/boot.sh"
# shellcheck disable=SC2016 # expanded in the build root
exec "$TOP/scripts/enter" bash -c '
	set -u
	out=build/boot/test
	tool=security/krsi/boot/krsi-boot-check.rs
	failed=0
	mkdir -p $out

	rustc --edition 2021 -O --test -C debug-assertions -C overflow-checks \
		-o $out/unit $tool && rustc --edition 2021 -O -o $out/check $tool || exit 1
	KRSI_BOOT_OBJECTS=build/boot $out/unit 2>&1 || failed=1

	# compiled SOURCE OBJECT: compiles SOURCE with the flags that it names.
	compiled() {
		local flags
		read -ra flags < <(sed -n "s,^/\* Flags: \(.*\) \*/$,\1,p" "$1"; echo)
		clang -g -O2 --target=bpfel -mcpu=v3 -w -Isamples/krsi "${flags[@]}" -c "$1" -o "$2"
	}

	# refused NAME MESSAGE OBJECT...: the tool refuses the last of the objects
	# with MESSAGE, a pattern, and so does nothing else.
	refused() {
		local name=$1 message=$2 said status=0 last=${*: -1}
		shift 2
		said=$($out/check -q "$@" 2>&1) || status=$?
		# shellcheck disable=SC2053 # a pattern
		if [ $status = 1 ] && [[ $said == "$last: error: "$message ]]; then
			echo "test refused::$name ... ok"
		else
			echo "test refused::$name ... FAILED"
			echo "status $status: $said"
			failed=1
		fi
	}

	sources=(tools/testing/selftests/krsi/boot/refused/*.bpf.c)
	echo "running $((${#sources[@]} + 4)) tests"
	for source in "${sources[@]}"; do
		name=$(basename "$source" .bpf.c)
		object=$out/$name.bpf.o
		message=$(sed -n "s,^/\* Refused: \(.*\) \*/$,\1,p" "$source")
		if [ -z "$message" ] || ! compiled "$source" "$object"; then
			echo "test refused::$name ... FAILED"
			failed=1
			continue
		fi
		refused "$name" "$message" "$object"
	done

	head -c 4000 build/boot/label.bpf.o >$out/truncated.bpf.o
	refused truncated "a truncated ELF object: a part lies beyond the end" $out/truncated.bpf.o
	refused not_elf "not an ELF object" "$tool"
	cp build/boot/inherit.bpf.o $out/copy.bpf.o
	refused same_slot "section .krsi.slots: slot depth: class cred has a slot of this name*" \
		build/boot/inherit.bpf.o $out/copy.bpf.o
	refused missing "No such file or directory*" $out/missing.bpf.o
	exit $failed'
