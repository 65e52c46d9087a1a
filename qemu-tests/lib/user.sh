# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Other users than root, and user namespaces of theirs.

PARAMETERS=/sys/module/nlb/parameters

# as_user UID NS CMD…: without any capability, in a network namespace.
as_user() {
	local uid=$1 ns=$2
	shift 2
	on "$ns" setpriv --reuid "$uid" --regid "$uid" --clear-groups --inh-caps=-all --bounding-set=-all "$@"
}

# as_user_root UID NS CMD…: as root of a user namespace that the user has made, but in this network namespace.
as_user_root() {
	local uid=$1 ns=$2
	shift 2
	on "$ns" setpriv --reuid "$uid" --regid "$uid" --clear-groups unshare --user --map-root-user "$@"
}

# container NAME UID: a user namespace that the user has made, with a network namespace of its own in which there are
# eth0, eth1, eth2 and eth3, until the scenario ends.
container() {
	local name=$1 uid=$2
	# shellcheck disable=SC2016 # the inner shell expands it
	setpriv --reuid "$uid" --regid "$uid" --clear-groups unshare --user --map-root-user --net bash -c '
		for dev in eth0 eth1 eth2 eth3; do
			ip link add "$dev" type dummy
			ip link set "$dev" arp on multicast on up
		done
		echo made
		exec sleep infinity' >"/run/test/$name.log" 2>&1 &
	printf '%s\n' "$!" >"/run/test/$name.pid"
	defer kill_background "$name"
	wait_until 20 logged_line "$name" made
}

# in_container NAME CMD…: as root there.
in_container() {
	local name=$1
	shift
	nsenter --target "$(<"/run/test/$name.pid")" --user --net --setuid 0 --setgid 0 -- "$@"
}

# outcome FILE OPERATION: what "tt ask" said of it.
outcome() {
	awk -F '\t' -v name="$2" '$1 == name { print $2 }' "$1"
}
