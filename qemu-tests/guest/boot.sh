#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# The first program of a guest, run from the initial file system: mounts the
# shared read-only userland with a tmpfs over it, moves the per-run files
# (/nlb: module, tools, tests) there, and hands over to /nlb/init.

bb=/bin/busybox

# stop TEXT: without its root file system a guest can only end.
stop() {
	echo "boot: $1" >/dev/console
	$bb poweroff -f
}

$bb mount -t devtmpfs dev /dev
while read -r module; do
	$bb insmod "$module" || stop "cannot load $module"
done </modules/order

# The disks appear in the order of the command line: userland, modules; virtio's
# as soon as their driver has loaded, those of persistent memory a little later.
userland=/dev/vda modules=/dev/vdb tries=100
if [ ! -b $userland ]; then
	userland=/dev/pmem0 modules=/dev/pmem1
	until [ -b $userland ] && [ -b $modules ]; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || stop "no disks"
		$bb usleep 100000
	done
fi
$bb mount -t ext4 -o ro,noload $userland /low || stop "no userland on $userland"
$bb mount -t tmpfs -o mode=755 root /rw
$bb mkdir /rw/upper /rw/work
$bb mount -t overlay -o lowerdir=/low,upperdir=/rw/upper,workdir=/rw/work overlay /new ||
	stop "cannot mount the overlay"

$bb mount -t proc proc /proc
release=$($bb uname -r)
$bb mkdir -p "/new/usr/lib/modules/$release"
$bb mount -t ext4 -o ro,noload $modules "/new/usr/lib/modules/$release" ||
	stop "no kernel modules on /dev/vdb"
$bb cp -a /nlb/. /new/nlb/ || stop "no per-run files"
$bb umount /proc
$bb mount -o move /dev /new/dev
exec $bb switch_root /new /nlb/init
