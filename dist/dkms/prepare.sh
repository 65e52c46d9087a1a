#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# prepare.sh RELEASE: see to a tree against which DKMS can build nlb.ko
# for a kernel, /var/cache/nlb-dkms/RELEASE/build. DKMS calls it before it makes
# the module.
#
# Where the kernel's headers have their Rust metadata, the tree is theirs. Debian's
# lack it: then it is made from the package linux-source-X.Y of the same
# version, once for each kernel, in a minute or two. What is made for kernels that
# have gone is removed.
#
# What is missing is said in one line, with what helps. The exit code is 1, or
# 77, by which DKMS knows that the module is not for this kernel.

set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root
unset MAKEFLAGS MAKELEVEL MFLAGS KBUILD_OUTPUT ARCH CROSS_COMPILE

CACHE=/var/cache/nlb-dkms

# The first kernel that the module is for.
FIRST=7.2

# Of the sources and what is made of them, at most, in MiB.
ROOM_MIB=600

# The number is raised when this file or lib-metadata.sh changes what is made.
RECIPE=1

here=$(dirname "$(realpath -- "$0")")
# shellcheck source=../../scripts/lib-metadata.sh
. "$here/lib-metadata.sh"

# say TEXT…: a line of the log, which is DKMS's.
say() {
	printf 'nlb: %s\n' "$*"
}

# die TEXT…: say what is wrong and what to do, and fail.
die() {
	fail 1 "$@"
}

# fail CODE TEXT…
fail() {
	local code=$1
	shift
	trap - EXIT
	say "$*" >&2
	tell "$*"
	exit "$code"
}

# tell TEXT: DKMS keeps what its scripts say in a log, and people look at what it
# says itself: the outermost dkms of our ancestors has their terminal.
tell() {
	local pid=$PPID dkms=
	while [ "$pid" -gt 1 ]; do
		if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dkms ]; then
			dkms=$pid
		elif [ -n "$dkms" ]; then
			break
		fi
		pid=$(sed -n 's/^PPid:\t//p' "/proc/$pid/status")
	done
	if [ -n "$dkms" ]; then
		{ printf '\nnlb: %s\n' "$1" >>"/proc/$dkms/fd/2"; } 2>/dev/null || :
	fi
}

# option NAME: a text of the kernel's configuration.
option() {
	sed -n "s/^CONFIG_$1=\"\\(.*\\)\"\$/\\1/p" "$headers/.config"
}

# in_suite PACKAGE…: them, as apt is to be asked for the versions that built this kernel.
in_suite() {
	local suite=
	case $release in
	*+deb13*) suite=/trixie ;;
	esac
	set -- "${@/%/$suite}"
	printf '%s' "$*"
}

check_kernel() {
	local other="boot one of trixie-backports, apt install -t trixie-backports linux-image-amd64 linux-headers-amd64 linux-source"
	[ -f "$headers/.config" ] ||
		die "the headers of kernel $release are missing: apt install linux-headers-$release"
	grep -q '^CONFIG_RUST=y' "$headers/.config" ||
		fail 77 "kernel $release is built without Rust (CONFIG_RUST is off) and gets no nlb.ko: $other"
	[ "$(printf '%s\n' "$FIRST" "$release" | sort -V | head -n 1)" = "$FIRST" ] ||
		fail 77 "kernel $release is older than $FIRST and gets no nlb.ko: $other"
}

# check_program WANTED PACKAGES CMD…: whether what a program says of its version
# is what the kernel was built with.
check_program() {
	local wanted=$1 packages=$2 have
	shift 2
	have=$("$@" --version 2>/dev/null | head -n 1) || have=
	[ "$have" = "$wanted" ] ||
		die "kernel $release was built with \"$wanted\" and ${1##*/} here is \"${have:-missing}\":" \
			"apt install $packages; then dkms autoinstall -k $release"
}

check_compilers() {
	local bindgen
	check_program "$(option RUSTC_VERSION_TEXT)" "$(in_suite rustc rust-src libstd-rust-dev)" rustc
	[ -f "$(rustc --print sysroot)/lib/rustlib/src/rust/library/core/src/lib.rs" ] ||
		die "the sources of Rust's library are missing: apt install $(in_suite rust-src); then dkms autoinstall -k $release"
	check_program "$(option CC_VERSION_TEXT)" "$(in_suite gcc-14)" "$(kernel_compiler)"
	# Kernels before 7.0 do not say which one.
	bindgen=$(option BINDGEN_VERSION_TEXT)
	[ -z "$bindgen" ] || check_program "$bindgen" "$(in_suite bindgen)" bindgen
}

# headers_version: that of the package, nothing if they are of none.
headers_version() {
	dpkg-query --show --showformat='${Version}' "linux-headers-$release" 2>/dev/null || :
}

# check_source: sets "name", of the package and of the directory in its "archive".
check_source() {
	local have
	name=linux-source-$(sed -E 's/^([0-9]+\.[0-9]+).*/\1/' <<<"$release")
	archive=/usr/src/$name.tar.xz
	[ -f "$archive" ] ||
		die "the sources of kernel $release are missing: apt install $name${version:+=$version}; then dkms autoinstall -k $release"
	have=$(dpkg-query --show --showformat='${Version}' "$name" 2>/dev/null || :)
	[ -z "$version" ] || [ "$have" = "$version" ] ||
		die "$name is of version $have, and kernel $release of $version:" \
			"apt install $name=$version; then dkms autoinstall -k $release"
}

check_room() {
	local free
	free=$(($(stat -f -c '%a * %S' "$CACHE") / 1048576))
	[ "$free" -ge "$ROOM_MIB" ] ||
		die "$CACHE has $free MiB of free disk, and the Rust metadata of kernel $release needs $ROOM_MIB:" \
			"make room; then dkms autoinstall -k $release"
}

# unpack: the sources, less what neither the metadata nor a module needs. Most
# are drivers; the metadata have the headers of a few of these.
unpack() {
	local less=(
		'drivers/*.c' 'drivers/*.rs' 'drivers/gpu/*.h' 'drivers/media/*.h' 'drivers/net/*.h'
		'drivers/staging/*.h' 'drivers/scsi/*.h' 'sound/*.[ch]' 'fs/*.[ch]' 'net/*.c'
		'samples/*.c' 'Documentation/*/*' 'tools/testing' 'tools/perf' 'arch/*.dts' 'arch/*.dtsi'
	)
	case $(uname -m) in
	x86_64) less+=('arch/[a-w]*/*.[chS]') ;;
	esac
	rm -rf -- "$source" "$source.tmp"
	mkdir "$source.tmp"
	tar --extract --use-compress-program='xz -T0' --file="$archive" --directory="$source.tmp" --strip-components=1 \
		--anchored --wildcards-match-slash "${less[@]/#/--exclude=$name/}"
	mv -T -- "$source.tmp" "$source"
}

# kernel_make BUILD ARG…
kernel_make() {
	local build=$1
	shift
	make --no-print-directory -j"$(nproc)" -C "$source" O="$build" \
		CC="$(kernel_compiler)" "${metadata_make[@]}" "$@"
}

# remove_old: of kernels that are not here any more, and sources that no kernel uses.
remove_old() {
	local old link used=" "
	for old in "$CACHE"/*/; do
		old=$(basename "$old")
		case $old in
		source-*) ;;
		*) [ -e "/lib/modules/$old" ] || rm -rf -- "${CACHE:?}/$old" ;;
		esac
	done
	for link in "$CACHE"/*/source; do
		[ ! -L "$link" ] || used+="$(readlink "$link") "
	done
	for old in "$CACHE"/source-*/; do
		old=${old%/}
		case $used in
		*" $old "*) ;;
		*) rm -rf -- "$old" ;;
		esac
	done
}

# make_tree: what is made in part has no "ready", and is made anew.
make_tree() {
	local recipe
	recipe="$RECIPE $version $(option RUSTC_VERSION_TEXT)"
	if [ "$(cat "$tree/ready" 2>/dev/null)" = "$recipe" ]; then
		say "the Rust metadata of kernel $release is there"
		return
	fi
	check_source
	rm -rf -- "$tree"
	remove_old
	check_room
	source=$CACHE/source-${version:-$release}
	trap 'tell "the Rust metadata of kernel $release cannot be made: see the log below /var/lib/dkms/nlb"' EXIT
	if [ ! -d "$source" ]; then
		say "unpacking $archive"
		unpack
	fi
	mkdir -p "$tree/build"
	ln -s "$source" "$tree/source"
	say "making the Rust metadata of kernel $release"
	make_metadata "$tree/build"
	printf '%s\n' "$recipe" >"$tree/ready"
	trap - EXIT
}

[ "$#" = 1 ] || { say "usage: prepare.sh RELEASE" >&2 && exit 2; }
release=$1
headers=$(realpath -m -- "/lib/modules/$release/build")
tree=$CACHE/$release
mkdir -p "$CACHE"
exec 9>>"$CACHE/lock"
flock 9
check_kernel
check_compilers
version=$(headers_version)
if [ -f "$headers/rust/libkernel.rmeta" ]; then
	rm -rf -- "$tree"
	mkdir "$tree"
	ln -s "$headers" "$tree/build"
else
	make_tree
fi
