#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Fetch an unmodified Debian kernel (NLB_KERNEL, see kernel-release.sh) and
# make the tree against which a Rust module for it can be built. In the cache:
#   kernels/RELEASE/image     the kernel and its modules, as Debian ships them
#   kernels/RELEASE/headers   its configuration and Module.symvers
#   kernels/RELEASE/source    the sources of the same version, untouched
#   kernels/RELEASE/build     what modules are built against (O= of source)
# Prints the release.
#
# Debian's header packages lack the Rust metadata (rust/*.rmeta); "build" makes
# it again from the same sources, configuration and compilers.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

# unpack_image DEST: the packages that carry the kernel, and the places of the
# files in them, have changed over time; DEST shows one shape: "vmlinuz" and
# "lib/modules/RELEASE".
unpack_image() {
	local dest=$1 name deb file names=()
	for name in linux-{base,modules,binary,image,binary-unsigned,image-unsigned}-"$release"; do
		if [ -n "$(package_version "$name" "$version")" ]; then
			# The signed and the unsigned image differ in nothing else.
			case $name:${names[*]} in *-unsigned-*:*linux-binary-* | *-unsigned-*:*linux-image-*) continue ;; esac
			names+=("$name")
		fi
	done
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
	/sbin/depmod --basedir "$dest" "$release"
}

unpack_headers() {
	local dest=$1
	fetch_packages "$dest.debs" "$version" "linux-headers-$release"
	dpkg-deb --extract "$dest.debs"/*.deb "$dest.all"
	mkdir "$dest"
	cp "$dest.all/usr/src/linux-headers-$release"/{.config,Module.symvers} "$dest/"
	rm -r -- "$dest.debs" "$dest.all"
	grep -q '^CONFIG_RUST=y' "$dest/.config" ||
		die "kernel $release was built without Rust (CONFIG_RUST is off);" \
			"take one of trixie-backports: 7.2 or newer"
}

unpack_source() {
	local dest=$1 name
	name=linux-source-$(kernel_series "$release")
	fetch_packages "$dest.debs" "$version" "$name"
	mkdir "$dest"
	dpkg-deb --fsys-tarfile "$dest.debs"/*.deb |
		tar --extract --to-stdout --file=- "./usr/src/$name.tar.xz" |
		xz --decompress --threads=0 |
		tar --extract --strip-components=1 --directory="$dest" --file=-
	rm -r -- "$dest.debs"
}

# kernel_make BUILD ARG…: make in the Debian 13 tree, in a build directory
# that is shown there under its final name, since kbuild records names.
kernel_make() {
	local build=$1
	shift
	in_tree -b "$kernel/source" -B "$build:$kernel/build" \
		make --no-print-directory -j"$(nproc)" -C "$kernel/source" \
		O="$kernel/build" CC=x86_64-linux-gnu-gcc-14 "$@"
}

# configure BUILD: Debian's configuration, with the release's suffix where
# Debian's packaging passes it otherwise, and without Debian's signing keys.
configure() {
	local build=$1 config suffix
	config=$kernel/source/scripts/config
	suffix=${release#"$(sed -nE '1,6{s/^(VERSION|PATCHLEVEL|SUBLEVEL) = //p}' \
		"$kernel/source/Makefile" | paste -sd.)"}
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

need_root "make setup"
release=$("$NLB_ROOT/scripts/kernel-release.sh")
case $release in *-debug) exec "$NLB_ROOT/scripts/setup-debug-kernel.sh" ;; esac
kernel=$NLB_CACHE/kernels/$release

# Only a missing step needs the archive's lists, and a warm cache none.
if ! is_done "$kernel/build" "3"; then
	exec 9>"$NLB_CACHE/apt.lock"
	flock 9
	version=$(package_version "linux-headers-$release")
	[ -n "$version" ] || die "the Debian archive no longer has $release:" \
		"unset NLB_KERNEL, or ask for its series ($(kernel_series "$release"))"
	flock -u 9
fi

# The recipes are numbers, to be raised when a function above changes what it makes.
step "$kernel/headers" "1" "$release: configuration" unpack_headers
step "$kernel/source" "1" "$release: sources" unpack_source
step "$kernel/image" "1" "$release: kernel image and modules" unpack_image
"$NLB_ROOT/scripts/setup-tree.sh"
step "$kernel/build" "3" "$release: Rust metadata (a minute)" make_build
printf '%s\n' "$release"
