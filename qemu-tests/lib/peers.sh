# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# How hosts see each other, be they namespaces or guests. Whoever sources this
# has "shown N EXPRESSION": what jq makes of "nlbadm -j show" at host N.

# relay_options N ID…: words of "nlbadm relay" for host N, one in a line, which
# carry heartbeats to these hosts over the second network.
relay_options() {
	local n=$1 id
	shift
	printf '%s\n' --listen "192.168.0.$n:7946"
	for id in "$@"; do
		[ "$id" = "$n" ] || printf '%s\n' --peer "192.168.0.$id:7946"
	done
}

# paths_are N ID PATHS: whether these are the paths on which host N hears host ID.
paths_are() {
	[ "$(shown "$1" ".[0].hosts[] | select(.host_id == $2).paths | join(\",\")")" = "$3" ]
}

# buckets N ID: how many buckets host ID owns as host N sees it.
buckets() {
	shown "$1" "[.[0].hosts[] | select(.host_id == $2).buckets] | add // 0"
}

buckets_are() {
	[ "$(buckets "$1" "$2")" = "$3" ]
}

# buckets_about COUNT N ID: as many buckets, give or take one.
buckets_about() {
	local got
	got=$(buckets "$2" "$3")
	[ "$got" -ge $(($1 - 1)) ] && [ "$got" -le $(($1 + 1)) ]
}
