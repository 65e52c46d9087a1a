# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Connections that transfer all the time while the cluster changes, and the
# wire beside them. Load of new connections runs along, so that "exactly one
# host answers each new flow" is seen at every moment of every change.

# hold COUNT INTERVAL_MS [OPTION…]: so many connections to the VIP, each of
# which sends a message every interval and compares every byte of its echo; and
# a capture of how connections begin and end. From now on until held_end.
hold() {
	local count=$1 interval=$2
	shift 2
	capture wire sw pc "tcp port 80 and $TURNS"
	background c held tt hold --to "$VIP:80" --from "$SOURCES" --count "$count" \
		--interval-ms "$interval" --setup-s $((120 * ${NLB_PATIENCE:-1})) --ready /run/test/held.ready \
		--until /run/test/held.end --end-s $((60 * ${NLB_PATIENCE:-1})) --orders /run/test/held.orders "$@"
	wait_until 150 held_stand
	note "held: $(tr '\n' ' ' </run/test/held.ready)"
}

# held_stand: true once all connections stand; it ends the scenario when they
# cannot.
held_stand() {
	[ ! -e /run/test/held.ready ] || return 0
	if ! kill -0 "$(<"/run/test/held.pid")" 2>/dev/null; then
		cat /run/test/held.log
		fail "the connections came up"
		exit 1
	fi
	return 1
}

# order LINE: what the held connections do next (see "tt hold --help").
order() {
	printf '%s\n' "$*" >>/run/test/held.orders
}

# held_end: all are closed, each by its client first, and the end is part of
# what must not break. The report is /run/test/held.json, that of the wire
# wire.json.
held_end() {
	touch /run/test/held.end
	finish held
	cp /run/test/held.log /run/test/held.json
	note "held: $(cat /run/test/held.json)"
	capture_end wire
	note "wire: $(field wire 'del(.resets) | tojson')"
}

# none_broken COUNT: what must be true of a planned change with so many
# connections, after held_end.
none_broken() {
	same "connections" "$1" "$(field held .connections)"
	same "broken connections" 0 "$(field held .broken)"
	no_reset wire "resets on the wire"
	same "SYNs that two hosts answered" 0 "$(field wire .answered_twice)"
	same "SYNs that nobody answered" 0 "$(field wire .unanswered)"
}
