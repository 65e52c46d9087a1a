#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Build the debug kernel: the sources of the stock kernel that NLB_KERNEL
# names, with the options of scripts/debug-kernel.config. In the cache:
#   kernels/RELEASE-debug/build   its build tree, for modules too
#   kernels/RELEASE-debug/image   the kernel and its modules, as in a stock one
# It calls itself RELEASE-debug. Prints that release. Seven minutes on two
# processors; only NLB_KERNEL=debug asks for it.

. "$(dirname "$0")/lib.sh"

FRAGMENT=$NLB_ROOT/scripts/debug-kernel.config

# kernel_make BUILD ARG…: make in a build directory that is shown to it under
# its final name, since kbuild records names. The compiler is clang: with
# another one KASAN and Rust exclude each other.
kernel_make() {
	local build=$1
	shift
	clean_run -B "$build:$kernel/build" \
		make --no-print-directory -j"$(nproc)" -C "$source" \
		O="$kernel/build" CC=clang "$@"
}

# configure BUILD: the fragment, and "no" for everything else.
configure() {
	local build=$1 suffix
	suffix=${release#"$(sed -nE '1,6{s/^(VERSION|PATCHLEVEL|SUBLEVEL) = //p}' \
		"$source/Makefile" | paste -sd.)"}
	{
		cat "$FRAGMENT"
		printf 'CONFIG_LOCALVERSION="%s"\n' "$suffix"
		printf '# CONFIG_LOCALVERSION_AUTO is not set\n'
	} >"$build/.config.wanted"
	cp "$build/.config.wanted" "$build/allno.config"
	logged "$NLB_CACHE/log/$release-config.log" \
		kernel_make "$build" KCONFIG_ALLCONFIG="$kernel/build/allno.config" allnoconfig
	check_config "$build"
}

# check_config BUILD: kconfig drops silently what lacks a dependency, and a
# debug kernel without its checks would pass everything.
check_config() {
	local build=$1 lost
	lost=$(grep -E '^(CONFIG_|# CONFIG_.* is not set)' "$build/.config.wanted" |
		grep -vxFf "$build/.config" || :)
	# An option that is off may also be absent, with what it depends on.
	lost=$(while IFS= read -r line; do
		case $line in
		'# '*) if grep -q "^${line:2:-11}=" "$build/.config"; then echo "$line"; fi ;;
		*) echo "$line" ;;
		esac
	done < <(printf '%s' "${lost:+$lost$'\n'}"))
	[ -z "$lost" ] || die "kconfig does not accept these lines of $FRAGMENT:"$'\n'"$lost"
}

make_build() {
	local build=$1 log=$NLB_CACHE/log/$release-build.log began=$SECONDS
	mkdir "$build"
	configure "$build"
	logged "$log" kernel_make "$build" all
	say "set-up: $release: built in $((SECONDS - began)) s"
	# Modules are built against headers, metadata and tools; the kernel's
	# own objects are ten times as large.
	find "$build" \( -path "$build/scripts" -o -path "$build/tools" -o -path "$build/rust" \) -prune \
		-o \( -name '*.o' -o -name '*.a' -o -name '.tmp_vmlinux*' \) -type f -exec rm -- {} +
}

# make_image DEST: the shape that unpacked Debian packages have.
make_image() {
	local dest=$1 log=$NLB_CACHE/log/$release-install.log
	mkdir "$dest"
	logged "$log" kernel_make "$kernel/build" INSTALL_MOD_PATH="$kernel/build/.modules" modules_install
	mv -- "$kernel/build/.modules/lib" "$dest/lib"
	rm -rf -- "$kernel/build/.modules" "$dest/lib/modules/$release/build"
	cp "$kernel/build/arch/x86/boot/bzImage" "$dest/vmlinuz"
	/sbin/depmod --basedir "$dest" "$release"
}

enter_tree "$@"
stock=$("$NLB_ROOT/scripts/kernel-release.sh")
stock=${stock%-debug}
NLB_KERNEL=$stock "$NLB_ROOT/scripts/setup-kernel.sh" >/dev/null
source=$(realpath -- "$NLB_CACHE/kernels/$stock/source")
release=$stock-debug
kernel=$NLB_CACHE/kernels/$release
mkdir -p "$kernel"

# The numbers are to be raised when a function above changes what it makes.
options=$(sha256sum <"$FRAGMENT" | cut -c1-16)
step "$kernel/build" "1 $options" "$release: the debug kernel (7 minutes)" make_build
step "$kernel/image" "1 $options" "$release: its image and modules" make_image
printf '%s\n' "$release"
