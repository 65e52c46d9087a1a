# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: replayed, altered and forged heartbeats, and a flood of them: none accepted, nothing changes
# clock: counted
# timeout: 900

cluster 3
recording=/run/test/heartbeats.pcap
background c recorder tcpdump -i eth0 -n -s 0 -U --immediate-mode -w "$recording" ether proto 0x88b5
wait_until 10 logged_line recorder 'listening on'
# A reboot of host 3 is in the recording: two incarnations of it.
adm h3 stop eth0
wait_agree 10 1 2
adm h3 start eth0
wait_agree 20 1 2 3
steady 2000 true
kill_background recorder

ACCEPTED="heartbeat change map-request map-part weights other-path not-for-us"
REFUSED="not-fresh duplicate-id malformed-frame-length malformed-magic malformed-host-id other-cluster own-echo stale unknown-key bad-stamp over-budget bad-tag version malformed-body"

# counts NAME…: the sums of these counters of host 1, one in each line.
counts() {
	adm h1 -j counters eth0 --all | jq -r --arg names "$*" '.counters as $c | [$names | split(" ")[] | $c[.] // 0] | .[]'
}

# sum NAME…: their sum.
sum() {
	counts "$@" | awk '{ n += $1 } END { print n + 0 }'
}

# sent_by_peers: how many frames the other hosts have sent on the segment.
sent_by_peers() {
	local n total=0
	for n in 2 3; do
		total=$((total + $(counter "h$n" frame-sent)))
	done
	printf '%s\n' "$total"
}

# attack NAME EXPECTED ARG…: send frames, look at the cluster the whole time,
# and see that what host 1 accepted is no more than what its peers have sent,
# and that refusals are counted under one of the names EXPECTED.
attack() {
	local name=$1 expected=$2 accepted refused peers sent
	shift 2
	# In this order, so that frames under way make the sums too small.
	peers=$(sent_by_peers)
	# shellcheck disable=SC2086
	accepted=$(sum $ACCEPTED)
	# shellcheck disable=SC2086
	refused=$(sum $expected)
	on c tt replay --dev eth0 --file "$recording" --ethertype 88b5 "$@" >"/run/test/$name.json"
	note "$name: $(cat "/run/test/$name.json")"
	check "$name: the same members" steady 1500 agree 1 2 3
	same "$name: the same generation" "$generation" "$(generation h1)"
	# shellcheck disable=SC2086
	accepted=$(($(sum $ACCEPTED) - accepted))
	peers=$(($(sent_by_peers) - peers))
	check "$name: accepted $accepted, and peers have sent $peers" [ "$accepted" -le "$((peers + 2))" ]
	sent=$(field "$name" .sent)
	# shellcheck disable=SC2086
	refused=$(($(sum $expected) - refused))
	within "$name: refused as ${expected// / or }" "$refused" "$((sent * 98 / 100))" "$((sent + sent / 10 + 100))"
}

generation=$(generation h1)
load busy --sources 60 --interval-ms 20 --timeout-ms 5000

# Own frames of host 1 are among the recorded ones. An incarnation that is gone
# is judged by its proof of freshness, within a budget.
attack replayed "stale own-echo not-fresh duplicate-id over-budget" --count 2000 --rate 4000
attack altered-header "$REFUSED" --count 2000 --rate 4000 --alter 3 --part header
attack altered-body "stale own-echo bad-tag over-budget" --count 2000 --rate 4000 --alter 3 --part body
attack newer "bad-stamp own-echo" --count 2000 --rate 4000 --ahead 100000
note "$(adm h1 counters eth0)"

# As fast as it goes: 50,000 in a second of the guest's time, or whatever the
# sender itself can do in it.
flood=$((${LONG:+500000} + 50000))
attack flood "bad-stamp own-echo" --count "$flood" --rate 50000 --ahead 100000
note "flood: $(field flood '.sent / .seconds | floor') frames in a second"
load_end busy
same "failed requests" 0 "$(field busy '.requests - .answered')"

# Recorded frames of a host that is gone do not bring it back.
crash 3
wait_agree 10 1 2
generation=$(generation h1)
on c tt replay --dev eth0 --file "$recording" --ethertype 88b5 --count 2000 --rate 2000 >/run/test/dead.json
check "a dead host's recorded frames: still two members" steady 1500 agree 1 2
same "a dead host's recorded frames: the same generation" "$generation" "$(generation h1)"
note "$(adm h1 counters eth0)"
