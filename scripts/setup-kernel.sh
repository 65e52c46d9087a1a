#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Make the tree against which a Rust module for an unmodified Debian kernel
# (NLB_KERNEL, see kernel-release.sh) can be built. In the cache, besides what
# fetch-kernel.sh puts there:
#   kernels/RELEASE/build     what modules are built against (O= of the sources)
# Prints the release.
#
# Debian's header packages lack the Rust metadata (rust/*.rmeta); "build" makes
# it again from the same sources, configuration and compilers.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

# kernel_make BUILD ARG…: make in a build directory that is shown to it under
# its final name, since kbuild records names. Programs that run once in this
# build, macros among them, are not worth the time that optimization takes.
kernel_make() {
	local build=$1
	shift
	clean_run -B "$build:$kernel/build" \
		make --no-print-directory -j"$(nproc)" -C "$source" \
		O="$kernel/build" CC=x86_64-linux-gnu-gcc-14 \
		HOSTRUSTFLAGS=-Copt-level=0 "$@"
}

# configure BUILD: Debian's configuration, with the release's suffix where
# Debian's packaging passes it otherwise, and without Debian's signing keys.
configure() {
	local build=$1 config suffix
	config=$source/scripts/config
	suffix=${release#"$(sed -nE '1,6{s/^(VERSION|PATCHLEVEL|SUBLEVEL) = //p}' \
		"$source/Makefile" | paste -sd.)"}
	cp "$kernel/headers/.config" "$build/.config"
	"$config" --file "$build/.config" \
		--set-str LOCALVERSION "$suffix" --disable LOCALVERSION_AUTO \
		--set-str BUILD_SALT "$release" \
		--set-str MODULE_SIG_KEY '' --set-str SYSTEM_TRUSTED_KEYS ''
	cp "$build/.config" "$build/.config.wanted"
	logged "$NLB_CACHE/log/$release-olddefconfig.log" kernel_make "$build" olddefconfig
	check_config "$build"
}

# check_config BUILD: kconfig drops options silently when a tool is missing
# or differs; a tree with another configuration would make modules that load
# and then crash, so any difference is an error.
check_config() {
	local build=$1 changed
	changed=$(diff <(grep -E '^(CONFIG|# CONFIG)' "$build/.config.wanted" | sort) \
		<(grep -E '^(CONFIG|# CONFIG)' "$build/.config" | sort) |
		grep '^[<>]' || :)
	[ -z "$changed" ] ||
		die "this tool chain changes the configuration of $release:"$'\n'"$changed"
}

# check_metadata BUILD: each Rust symbol that Debian's kernel exports must
# come out of our build under the same mangled name, which hashes the compiler
# and the sources.
check_metadata() {
	local build=$1 theirs ours both
	theirs=$(awk '$3 == "vmlinux" && $2 ~ /^_R/ { print $2 }' \
		"$kernel/headers/Module.symvers" | sort -u)
	ours=$(nm --defined-only "$build"/rust/*.o 2>/dev/null |
		awk '$3 ~ /^_R/ { print $3 }' | sort -u)
	both=$(comm -12 <(printf '%s\n' "$theirs") <(printf '%s\n' "$ours") | wc -l)
	say "set-up: Rust symbols of $release: $both of $(wc -l <<<"$theirs") made again"
	[ "$both" = "$(wc -l <<<"$theirs")" ] ||
		die "the Rust metadata made for $release does not fit the kernel that Debian built"
}

make_build() {
	local build=$1
	mkdir "$build"
	configure "$build"
	logged "$NLB_CACHE/log/$release-prepare.log" kernel_make "$build" modules_prepare
	check_metadata "$build"
	cp "$kernel/headers/Module.symvers" "$build/"
}

enter_tree "$@"
release=$("$NLB_ROOT/scripts/kernel-release.sh")
case $release in *-debug) exec "$NLB_ROOT/scripts/setup-debug-kernel.sh" ;; esac
NLB_KERNEL=$release "$NLB_ROOT/scripts/fetch-kernel.sh" >/dev/null
kernel=$NLB_CACHE/kernels/$release
source=$NLB_CACHE/kernels/source-$(<"$kernel/headers/version")

# The recipes are numbers, to be raised when a function above changes what it makes.
ln -sfn "$source" "$kernel/source"
step "$kernel/build" "4" "$release: Rust metadata (a minute)" make_build
printf '%s\n' "$release"
