# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: clusters in network namespaces of user namespaces are counted for the user that owns them, however they are nested
#
# The limit is user_clusters_max, for all namespaces of a user together.

LIMIT=3
OWNER=1000
OTHER=1001
# Users of the owner's subordinate range, as in /etc/subuid.
FIRST_SUB=100000

# asked PREFIX… -- OPERATION DEV: what "tt ask" says, run by the words of PREFIX.
asked() {
	local run=()
	while [ "$1" != -- ]; do
		run+=("$1")
		shift
	done
	"${run[@]}" tt ask --dev "$3" "$2" | cut -f 2
}

made() {
	same "$1" ok "$(asked "${@:2}")"
}

refused() {
	local got
	got=$(asked "${@:2}")
	if [[ $got == ENOSPC*user_clusters_max* ]]; then
		pass "$1: $got"
	else
		fail "$1: got '$got'"
	fi
}

# nested NAME INNER UID: a user namespace that the user of that number in the container has made there, with a network
# namespace of its own that has eth0.
nested() {
	local outer=$1 name=$2 uid=$3
	# shellcheck disable=SC2016 # the inner shell expands it
	nsenter --target "$(<"/run/test/$outer.pid")" --user --net --setuid "$uid" --setgid "$uid" -- \
		unshare --user --map-root-user --net bash -c '
		ip link add eth0 type dummy
		ip link set eth0 arp on multicast on up
		echo made
		exec sleep infinity' >"/run/test/$name.log" 2>&1 &
	printf '%s\n' "$!" >"/run/test/$name.pid"
	defer kill_background "$name"
	wait_until 20 logged_line "$name" made
}

# ids NAME: gives the container the subordinate users besides its root; the host's root may do so.
ids() {
	local map
	for map in uid_map gid_map; do
		# In one write, as the kernel wants it.
		cat >"/proc/$(<"/run/test/$1.pid")/$map" <<-END
			0 $OWNER 1
			1 $FIRST_SUB 1000
		END
	done
}

# unmapped NAME: a user namespace of the owner that has no users yet.
unmapped() {
	setpriv --reuid "$OWNER" --regid "$OWNER" --clear-groups \
		unshare --user --net bash -c 'echo made; exec sleep infinity' >"/run/test/$1.log" 2>&1 &
	printf '%s\n' "$!" >"/run/test/$1.pid"
	defer kill_background "$1"
	wait_until 20 logged_line "$1" made
}

hosts 1
load_module
echo Y >"$PARAMETERS/allow_user_namespaces"
echo "$LIMIT" >"$PARAMETERS/user_clusters_max"
container one "$OWNER"
container two "$OWNER"
container other "$OTHER"
unmapped wide
ids wide
nested one inner 0
nested wide sub 7
same "the nested namespace belongs to another user" "$((FIRST_SUB + 6))" \
	"$(stat -c %u "/proc/$(<"/run/test/sub.pid")")"

made "first cluster of the owner" in_container one -- cluster-new eth0
made "second" in_container one -- cluster-new eth1
same "another on the same interface" EBUSY "$(asked in_container one -- cluster-new eth1 | cut -d ' ' -f 1)"
made "third, in another namespace" in_container two -- cluster-new eth0
refused "one more there" in_container two -- cluster-new eth1
refused "one more in the first" in_container one -- cluster-new eth2
refused "in a namespace in the namespace" in_container inner -- cluster-new eth0
refused "in a namespace of a subordinate user" in_container sub -- cluster-new eth0
refused "by root of the host, in the owner's namespace" nsenter --target "$(<"/run/test/one.pid")" --net -- cluster-new eth2
made "a cluster of another user" in_container other -- cluster-new eth0
made "a cluster of the host" on h1 -- cluster-new eth0
made "it goes" on h1 -- cluster-del eth0

made "a cluster of the owner goes" in_container one -- cluster-del eth0
made "so there may be one in the namespace of the subordinate user" in_container sub -- cluster-new eth0
refused "and no more" in_container one -- cluster-new eth0

# A container ends with its cluster.
kill_background two
again() {
	[ "$(asked in_container inner -- cluster-new eth0)" = ok ]
}
check "the end of a container gives its cluster back" wait_until 20 again
refused "once" in_container one -- cluster-new eth0

# What is there stays when it is not allowed any more.
echo N >"$PARAMETERS/allow_user_namespaces"
made "without the parameter, a cluster that is there is read" in_container one -- cluster-get eth1
same "and no other is made" EPERM "$(asked in_container one -- cluster-new eth0 | cut -d ' ' -f 1)"
made "and it goes" in_container one -- cluster-del eth1
