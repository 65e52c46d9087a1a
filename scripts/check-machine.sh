#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Can this machine build nlb and run its guests? Fails in one line that says
# what is missing and what helps, before anything is fetched.
#   check-machine.sh [segments]   with "segments", also what several guests need

. "$(dirname "$0")/lib.sh"

# What a first set-up takes, and what a run leaves, in MiB; the guests of a run.
FIRST_MIB=10240
LATER_MIB=2048
MEMORY_MIB=3500

check_system() {
	local version
	[ "$(uname -s)" = Linux ] && [ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] ||
		die "this machine is not Debian on amd64 (x86-64): set-up needs Debian 12 or 13, amd64"
	command -v apt-get >/dev/null ||
		die "apt-get is missing: set-up needs Debian 12 or 13"
	version=$(sed -nE 's/^VERSION_ID="?([0-9]+).*/\1/p' /etc/os-release)
	if grep -q '^ID=debian' /etc/os-release && [ -n "$version" ] && [ "$version" -lt 12 ]; then
		die "this is Debian $version: set-up needs Debian 12 or 13"
	fi
	need_root "this"
}

# check_room: disk below the cache, and memory.
check_room() {
	local place=$NLB_CACHE wanted=$FIRST_MIB free memory
	if is_done "$NLB_TREE" "$NLB_TREE_RECIPE"; then
		wanted=$LATER_MIB
	fi
	while [ ! -d "$place" ]; do
		place=$(dirname "$place")
	done
	free=$(($(stat -f -c "%a * %S" "$place") / 1048576))
	[ "$free" -ge "$wanted" ] ||
		die "$place has $free MiB of free disk, and set-up needs $wanted:" \
			"make room, or set NLB_CACHE to a directory on a larger disk"
	memory=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
	[ "$memory" -ge "$MEMORY_MIB" ] ||
		die "this machine has $memory MiB of memory, and nlb's guests need $MEMORY_MIB"
}

check_namespaces() {
	unshare --mount --propagation private --net true 2>/dev/null ||
		die "root may not make mount and network namespaces here (a container?):" \
			"use a virtual machine, or a container with all privileges (--privileged)"
}

# check_segments: the kernel must know tun, bridge and veth, or have them as
# modules. Asked by netlink, since no tool for it can be relied on yet.
check_segments() {
	local missing
	if ! { : 3<>/dev/net/tun; } 2>/dev/null; then
		die "/dev/net/tun cannot be opened: load the module tun (modprobe tun)," \
			"and let this container have the device, if it is one"
	fi
	missing=$(unshare --net perl "$NLB_ROOT/scripts/check-links.pl" bridge veth) ||
		die "the kernel of this machine does not make interfaces of type $missing:" \
			"load the module (modprobe ${missing%% *}), on its host if this is a container"
}

check_system
check_room
check_namespaces
if [ "${1:-}" = segments ]; then
	check_segments
fi
