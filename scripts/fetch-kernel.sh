#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Fetch an unmodified Debian kernel (NLB_KERNEL, see kernel-release.sh). In the
# cache:
#   kernels/RELEASE/image     the kernel and its modules, as Debian ships them
#   kernels/RELEASE/headers   its configuration and Module.symvers
#   kernels/source-VERSION    the sources of the same version, untouched
# Prints the release. It needs nothing but dpkg, apt and xz, so it may run on
# the host while the Debian 13 tree is made.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

# unpack_image DEST: the packages that carry the kernel, and the places of the
# files in them, have changed over time; DEST shows one shape: "vmlinuz" and
# "lib/modules/RELEASE".
unpack_image() {
	local dest=$1 deb file names
	read -ra names < <(image_packages "$release" "$version")
	fetch_packages "$dest.debs" "$version" "${names[@]}"
	mkdir "$dest"
	for deb in "$dest.debs"/*.deb; do
		dpkg-deb --extract "$deb" "$dest"
	done
	rm -r -- "$dest.debs"
	if [ ! -e "$dest/lib" ]; then
		ln -s usr/lib "$dest/lib"
	fi
	for file in "lib/modules/$release/"vmlinuz{.unsigned,} "boot/vmlinuz-$release"; do
		if [ -f "$dest/$file" ]; then
			ln -sf "$file" "$dest/vmlinuz"
		fi
	done
	[ -e "$dest/vmlinuz" ] || die "none of the packages ${names[*]} carries a kernel image"
}

unpack_headers() {
	local dest=$1
	fetch_packages "$dest.debs" "$version" "linux-headers-$release"
	dpkg-deb --extract "$dest.debs"/*.deb "$dest.all"
	mkdir "$dest"
	cp "$dest.all/usr/src/linux-headers-$release"/{.config,Module.symvers} "$dest/"
	printf '%s\n' "$version" >"$dest/version"
	rm -r -- "$dest.debs" "$dest.all"
	grep -q '^CONFIG_RUST=y' "$dest/.config" ||
		die "kernel $release was built without Rust (CONFIG_RUST is off);" \
			"take one of trixie-backports: 7.2 or newer"
}

fetch_source() {
	fetch_packages "$1.debs" "$version" "linux-source-$(kernel_series "$release")"
	mv -T -- "$1.debs"/*.deb "$1"
	rmdir -- "$1.debs"
}

unpack_source() {
	local dest=$1 name
	name=linux-source-$(kernel_series "$release")
	mkdir "$dest"
	dpkg-deb --fsys-tarfile "$source.deb" |
		tar --extract --to-stdout --file=- "./usr/src/$name.tar.xz" |
		xz --decompress --threads=0 |
		tar --extract --strip-components=1 --directory="$dest" --file=-
}

# find_version: that of the kernel's packages. Only a missing step needs the
# archive's lists, and a warm cache none.
find_version() {
	if [ -f "$kernel/headers/version" ]; then
		version=$(<"$kernel/headers/version")
		return
	fi
	exec 9>"$NLB_CACHE/apt.lock"
	flock 9
	version=$(package_version "linux-headers-$release")
	[ -n "$version" ] || die "the Debian archive no longer has $release:" \
		"unset NLB_KERNEL, or ask for its series ($(kernel_series "$release"))"
	flock -u 9
}

release=$("$NLB_ROOT/scripts/kernel-release.sh")
release=${release%-debug}
kernel=$NLB_CACHE/kernels/$release
find_version

# The recipes are numbers, to be raised when a function above changes what it makes.
step "$kernel/headers" "2" "$release: configuration" unpack_headers
step "$kernel/image" "2" "$release: kernel image and modules" unpack_image
source=$NLB_CACHE/kernels/source-$version
step "$source.deb" "1" "$version: sources" fetch_source
step "$source" "2" "$version: unpacking the sources" unpack_source
printf '%s\n' "$release"
