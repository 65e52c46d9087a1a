#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# setup-system.sh [VARIANT]: make a disk with an ordinary Debian 13: systemd,
# the stock backports kernel from its package, and the initial file system that
# initramfs-tools makes there. In the cache:
#   system/RELEASE/VARIANT/disk       an ext4 file system, 4 GiB, mostly holes
#   system/RELEASE/VARIANT/vmlinuz    what that system has in /boot; guests
#   system/RELEASE/VARIANT/initrd     are started with these two
#   system/RELEASE/VARIANT/client     programs for the client, with their libraries
# Guests write to copies of the disk (qemu-tests/nlbtest/system.py). VARIANT
# names the packages that it has besides (packages.sh). NLB_KERNEL chooses the
# kernel (kernel-release.sh). Prints the directory.

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-apt.sh"

UNITS=$NLB_ROOT/qemu-tests/system

DISK_SIZE=4G

# make_ext4 DIR IMAGE: a file system that guests boot from. Nothing in it is
# left for the guest's kernel to initialise.
make_ext4() {
	truncate -s "$DISK_SIZE" "$2"
	"$NLB_ROOT/scripts/enter.sh" mke2fs -q -F -t ext4 -L nlb-system -m 0 \
		-E assume_storage_prezeroed=1,lazy_itable_init=0,lazy_journal_init=0 -d "$1" "$2"
}

# systemctl_in TREE ARG…: it warns that it has no /proc there, and needs none.
systemctl_in() {
	local tree=$1
	shift
	SYSTEMD_LOG_LEVEL=err chroot "$tree" systemctl --quiet "$@"
}

# configure TREE: what an installer would have done, and the two units of ours.
configure() {
	local tree=$1
	printf 'LABEL=nlb-system / ext4 errors=remount-ro 0 1\n' >"$tree/etc/fstab"
	printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >"$tree/etc/hosts"
	# Each guest makes an id of its own. An empty file, unlike none, does not
	# make systemd set all units to their presets.
	: >"$tree/etc/machine-id"
	# People may log in on the console.
	chroot "$tree" passwd --quiet --delete root
	cp "$UNITS"/*.service "$tree/etc/systemd/system/"
	systemctl_in "$tree" enable systemd-networkd nlb-seed nlb-agent
	# shellcheck disable=SC2086 # a list of words
	[ -z "${system_idle[$variant]:-}" ] || systemctl_in "$tree" disable ${system_idle[$variant]}
}

# copy_client TREE DIR: the client's programs, with the libraries that they have there.
copy_client() {
	local tree=$1 dir=$2 program library
	mkdir "$dir" "$dir/bin" "$dir/lib"
	for program in ${system_client[$variant]}; do
		cp "$tree/usr/bin/$program" "$dir/bin/"
		chroot "$tree" ldd "/usr/bin/$program" | awk '$2 == "=>" { print $3 }' | while read -r library; do
			case $library in
			*/libc.so.* | */libm.so.*) ;; # they belong to the loader of the machine
			*) cp -L "$tree$library" "$dir/lib/" ;;
			esac
		done
	done
}

make_system() {
	local dest=$1 tree=$1.tree
	# shellcheck disable=SC2086 # a list of words
	debian_tree "system-$release-$variant" "$tree" "${system_packages[@]}" ${system_variants[$variant]} \
		"linux-image-$release/$NLB_SUITE-backports"
	configure "$tree"
	rm -rf --one-file-system -- "${tree:?}"/{var/cache/apt,var/lib/apt/lists,dev}/*
	mkdir "$dest"
	cp -L "$tree/boot/vmlinuz-$release" "$dest/vmlinuz"
	cp -L "$tree/boot/initrd.img-$release" "$dest/initrd"
	[ -z "${system_client[$variant]:-}" ] || copy_client "$tree" "$dest/client"
	make_ext4 "$tree" "$dest/disk"
	rm -rf --one-file-system -- "$tree"
}

variant=${1:-networkd}
[ -n "${system_variants[$variant]+known}" ] ||
	die "there is no system $variant: these are known: ${!system_variants[*]}"
cd "$NLB_ROOT"
need_root "making a guest's disk"
"$NLB_ROOT/scripts/enter.sh" --ready
release=$("$NLB_ROOT/scripts/kernel-release.sh")
case $release in
*-debug) die "a system is made of Debian's packages, and $release is none: unset NLB_KERNEL" ;;
esac

# The number is raised when a function above changes what it makes.
system=$NLB_CACHE/system/$release/$variant
step "$system" "1 $NLB_SUITE ${system_packages[*]} ${system_variants[$variant]}${system_idle[$variant]:+ less ${system_idle[$variant]}}${system_client[$variant]:+ with ${system_client[$variant]}} $(cat "$UNITS"/*.service | sha256sum | cut -c1-16)" \
	"$release: a Debian 13 system ($variant)" make_system
printf '%s\n' "$system"
