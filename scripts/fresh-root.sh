#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# fresh-root.sh ROOT PIDFILE: the first process of a fresh machine. It runs in
# new namespaces (scripts/fresh.sh makes them), writes its process id as the
# caller sees it to PIDFILE, makes ROOT the whole file system and idles; all
# processes of the machine end with it. /run/fresh-is-up says that the machine is up.
# Not for direct use: without those namespaces it would change the host.

set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

root=$1
pidfile=$2

# node MODE TYPE MAJOR MINOR NAME: a device node, the same numbers everywhere
# (Documentation/admin-guide/devices.txt).
node() {
	mkdir -p "$root/dev/$(dirname "$5")"
	mknod -m "$1" "$root/dev/$5" "$2" "$3" "$4"
}

# make_dev: the devices of a machine without disks; the host's block devices
# would be a way into its file systems.
make_dev() {
	local number
	mount -t tmpfs -o mode=755 dev "$root/dev"
	node 666 c 1 3 null
	node 666 c 1 5 zero
	node 666 c 1 7 full
	node 666 c 1 8 random
	node 666 c 1 9 urandom
	node 666 c 5 0 tty
	node 666 c 10 200 net/tun
	node 660 c 10 237 loop-control
	for number in {0..7}; do
		node 660 b 7 "$number" "loop$number"
	done
	ln -s /proc/self/fd "$root/dev/fd"
	ln -s /proc/self/fd/0 "$root/dev/stdin"
	ln -s /proc/self/fd/1 "$root/dev/stdout"
	ln -s /proc/self/fd/2 "$root/dev/stderr"
	mkdir "$root/dev/pts" "$root/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$root/dev/pts"
	ln -s pts/ptmx "$root/dev/ptmx"
	mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
}

# The /proc seen here is still the caller's, hence so is the number.
read -r pid _ </proc/self/stat
printf '%s\n' "$pid" >"$pidfile.tmp"
mv -- "$pidfile.tmp" "$pidfile"

echo fresh >/proc/sys/kernel/hostname
mount --bind "$root" "$root"
rm -rf -- "${root:?}"/dev/*
make_dev
mount -t proc proc "$root/proc"
mount -t sysfs sys "$root/sys"
mount -t tmpfs -o mode=755 run "$root/run"
cd "$root"
pivot_root . mnt
# The shell stays, also after "kill -KILL -1": it takes the exit codes of
# processes that lost their parent.
# shellcheck disable=SC2093
exec chroot . /bin/bash -c 'cd / && umount --lazy /mnt && : >/run/fresh-is-up || exit
	while :; do sleep infinity; done' </dev/null
