# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: who still holds connections of buckets that moved is known, ends by itself, and drainstop waits for it
# timeout: 300

HELD=600

# residue N ID: in how many buckets host ID may hold connections, as host N knows it; nothing while it does not.
residue() {
	adm "h$1" -j show eth0 | jq -r ".[0].hosts[] | select(.host_id == $2).residue // empty"
}

residue_is() {
	[ "$(residue "$1" "$2")" = "$3" ]
}

# residue_agreed ID N…: what host ID says of itself is what these know, and it is no more than it can be.
residue_agreed() {
	local id=$1 own n
	shift
	own=$(residue "$id" "$id")
	[ -n "$own" ] || return 1
	for n in "$@"; do
		residue_is "$n" "$id" "$own" || return 1
	done
}

# own N FIELD: of host N's own cluster.
own() {
	adm "h$1" -j show eth0 | jq -r ".[0].$2 // \"none\""
}

# connections N: TCP connections of the VIP in host N's tables, by its own kernel.
connections() {
	on "h$1" ss -Htan src "$VIP" | grep -vc LISTEN
}

# walked N: its last walk found what its kernel shows, and has cleared all other buckets.
walked() {
	[ "$(own "$1" connections)" = "$(connections "$1")" ] && [ "$(own "$1" residue)" -le "$(connections "$1")" ]
}

cluster 3
check "without a change nobody holds anything" [ "$(residue 1 1)$(residue 1 2)$(residue 1 3)" = 000 ]
capture wire sw pc "tcp port 80 and $TURNS"
background c held tt hold --to "$VIP:80" --from "$SOURCES" --count "$HELD" --interval-ms 2000 \
	--ready /run/test/held.ready --until /run/test/held.end
wait_until 60 test -e /run/test/held.ready
note "held: $(tr '\n' ' ' </run/test/held.ready)"
background h2 events nlbadm -j monitor eth0

# Host 2 drains: its buckets go, its connections stay.
adm h2 drain eth0
check "host 2 owns nothing" wait_until 20 buckets_are 1 2 0
check "a walk tells its connections from the buckets that it has none in" wait_until 20 walked 2
note "host 2: $(connections 2) connections in $(own 2 residue) buckets; $(own 2 walk_seen) looked at in $(own 2 walk_us) µs"
check "it still holds some" [ "$(own 2 residue)" -gt 50 ]
check "the others know as much" wait_until 10 residue_agreed 2 1 3
steady 1200 residue_agreed 2 1 3
owner=$(on h2 ss -Htn state established src "$VIP" | awk 'NR == 1 { print $4 }')
owner=${owner//[\[\]]/}
owner=${owner#::ffff:}
adm h1 -j owner "$owner" "$VIP:80" eth0 >/run/test/owner.json
same "who else holds the bucket of $owner, as host 1 explains it" 2 "$(field owner '.holders | join(" ")')"
# What each host makes of it: the owner leaves it alone, its holder serves it.
packets() {
	adm "h$1" -j owner "$owner" "$VIP:80" eth0 | jq -r '"\(.trace) \(.first) \(.later)"'
}
same "a packet of it on host 2" "socket dropped-not-owner accepted-residual" "$(packets 2)"
same "and on its owner" "none accepted-owner silent-mid-flow" "$(packets "$(field owner .owner)")"
# The map itself tells which buckets.
adm h1 -j buckets eth0 >/run/test/buckets.json
same "buckets that host 2 holds, as host 1 lists them" "$(residue 1 2)" \
	"$(field buckets '[.maps[].residue[] | select(.host_id == 2).buckets] | add')"
same "one of them is that of $owner" true "$(jq --argjson bucket "$(field owner .bucket)" \
	'any(.maps[].residue[] | select(.host_id == 2).ranges[]; .[0] <= $bucket and $bucket <= .[1])' /run/test/buckets.json)"
since=$(field buckets '[.maps[].residue[] | select(.host_id == 2).since_ms] | max')
check "and it is known since when" [ "$since" -gt 1000 ]
adm h1 buckets eth0

# A host that joins learns it.
add_host 4
serve 4
join 4
check "a fourth host joins and takes its share" wait_until 20 buckets_about 1365 1 4
check "and knows what host 2 holds" wait_until 10 residue_agreed 2 1 3 4
check "and what the others let go of for it" wait_until 10 residue_agreed 1 2 3 4

# What comes back to its holder is not residue.
adm h2 start eth0
check "host 2 owns its share again" wait_until 20 buckets_about 1024 1 2

# Host 2 stops after the last of its connections.
adm h2 drainstop eth0
check "host 2 drains" wait_until 20 buckets_are 1 2 0
steady 3000 state_is 2 draining
touch /run/test/held.end
finish held
cp /run/test/held.log /run/test/held.json
note "$(cat /run/test/held.json)"
capture_end wire
same "connections" "$HELD" "$(field held .connections)"
same "broken" 0 "$(field held .broken)"
no_reset wire "resets on the wire"
# TIME_WAIT, if the server closed first, lasts a minute.
check "it stops after the last one" wait_until 90 state_is 2 stopped
check "and says so" wait_until 10 logged_line events '"event":"drained".*"sessions":0'
# What nobody holds any more is silent no more.
for i in 1 3 4; do
	check "host $i holds nothing in the end" wait_until 90 residue_is "$i" "$i" 0
done
check "as the others know" wait_until 10 residue_agreed 1 3 4

# With a timeout it does not wait.
background c rest tt hold --to "$VIP:80" --from "$SOURCES" --count 60 --interval-ms 500 \
	--ready /run/test/rest.ready --until /run/test/rest.end
wait_until 60 test -e /run/test/rest.ready
background h3 events3 nlbadm -j monitor eth0
adm h3 drainstop --timeout 3 eth0
check "a drainstop with a timeout ends with it" wait_until 20 state_is 3 stopped
check "and says what was left" wait_until 10 logged_line events3 '"event":"drained".*"sessions":[1-9]'
