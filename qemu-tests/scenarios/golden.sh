# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the golden packets, into the real hook: each verdict, each reason, each counter
# timeout: 900
#
# The table is made by a second implementation of the packet decision; the same
# one runs against the core in "make test T=unit". The host that is looked at
# has the NIC's MAC of the table, a partner brings it into the states that the
# table speaks of, and nothing but their heartbeats passes between the two.

table=/nlb/golden.table
OWN_MAC=52:54:00:00:00:01
declare -A GOLDEN_IDS=()

# golden_host N MAC: a host of the table's networks, on the segment.
golden_host() {
	add_netns "h$1"
	on "h$1" sysctl -q net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv6.conf.default.router_solicitations=0
	plug "h$1" eth0 "p$1" "$2"
	ip -n "h$1" addr add "192.0.2.$1/24" dev eth0
	ip -n "h$1" addr add "2001:db8::$1/64" dev eth0 nodad
	# It answers packets that it accepts without asking for anybody's MAC:
	# a question would be counted too.
	ip -n "h$1" neigh add 192.0.2.254 lladdr 02:00:00:00:00:fe dev eth0 nud permanent
	ip -n "h$1" neigh add fe80::fe lladdr 02:00:00:00:00:fe dev eth0 nud permanent
	ip -n "h$1" neigh add fe80::1 lladdr 02:00:00:00:00:fe dev eth0 nud permanent
	ip -n "h$1" route add default via 192.0.2.254
	ip -n "h$1" route add default via fe80::fe dev eth0
}

# What was served is not remembered: each packet of the table stands for itself.
#
# golden_up CLUSTER N ID [OPTION…]: host N makes the cluster of the table,
# stopped, with a host id.
golden_up() {
	local name=$1 n=$2 id=$3 options
	shift 3
	read -ra options <<<"$(tt golden --table "$table" options "$name")"
	tt golden --table "$table" rules "$name" >/run/test/golden.toml
	adm "h$n" up eth0 --cluster golden --host-id "$id" --key-file /run/test/golden.key --stopped \
		--period 100ms --rules /run/test/golden.toml --sessions-max 0 "${options[@]}" "$@" \
		2>>/run/test/warnings
	GOLDEN_IDS[$n]=$id
}

# golden_start CLUSTER N: it takes part, with the rules disabled that are to be.
golden_start() {
	local number
	adm "h$2" start eth0
	wait_until 20 takes_part "$2"
	for number in $(tt golden --table "$table" disabled "$1"); do
		adm "h$2" disable "$number" eth0
	done
}

takes_part() {
	members_are "h$1" eth0 "${GOLDEN_IDS[$1]}" || members_are "h$1" eth0 1 2
}

both_agree() {
	members_are h1 eth0 1 2 && members_are h2 eth0 1 2 && [ "$(seen h1)" = "$(seen h2)" ]
}

# give_up N: host N has no load weight any more, and owns nothing.
give_up() {
	adm "h$1" set --weight 0 eth0
	wait_until 20 owns_nothing "$1"
	wait_until 20 both_agree
}

owns_nothing() {
	adm "h$1" -j rules eth0 | jq -e 'all(.rules[]; (.buckets // 0) == 0)' >/dev/null
}

# golden_run CLUSTER N NAME STATE…: all packets of these states to host N, in
# the words of the table: first as if nothing were known of their connections,
# then those of TCP with their connections there.
golden_run() {
	local name=$1 n=$2 what=$3 state states=()
	shift 3
	for state in "$@"; do
		states+=(--state "$state")
	done
	on sw tt golden --table "$table" run --cluster "$name" --dev "p$n" --netns "/run/netns/h$n" \
		"${states[@]}" >/run/test/run.json
	golden_result "$name, $what"
	GOLDEN_FRAMES=$((GOLDEN_FRAMES + $(field run .frames)))
	GOLDEN_RIGHT=$((GOLDEN_RIGHT + $(field run .right)))
	on sw tt golden --table "$table" run --cluster "$name" --dev "p$n" --netns "/run/netns/h$n" \
		--known "${states[@]}" >/run/test/run.json
	golden_result "$name, $what, the connection is known"
	GOLDEN_KNOWN=$((GOLDEN_KNOWN + $(field run .right)))
}

golden_result() {
	local line
	field run '.wrong[]' | while read -r line; do
		note "$1: $line"
	done
	same "$1: right" "$(field run .frames)" "$(field run .right)"
}

# sessions CLUSTER N STATE: host N has connections in the buckets of these packets.
sessions() {
	rm -f /run/test/witness.ready
	background "h$2" witness tt golden --table "$table" witness --cluster "$1" --state "$3" \
		--ready /run/test/witness.ready
	wait_until 60 test -e /run/test/witness.ready
	note "$1: host $2 has $(</run/test/witness.ready) connections of these buckets"
}

# looked N: host N has looked for the connections of what it gave up: no more buckets are left than there are of them.
looked() {
	adm "h$1" -j show eth0 | jq -e '.[0] | .connections != null and .residue <= .connections' >/dev/null
}

# golden_down N…: the cluster is gone on these hosts.
golden_down() {
	local n
	for n in "$@"; do
		adm "h$n" down eth0
	done
}

printf 'key %s\nseed %s\n' "$(head -c 32 /dev/urandom | base64)" "AAECAwQFBgcICQoLDA0ODw==" \
	>/run/test/golden.key
chmod 600 /run/test/golden.key
make_switch
on sw sysctl -q net.ipv6.conf.all.disable_ipv6=1
# Between the two only heartbeats: what they ask each other is not in the table.
on sw nft 'add table bridge quiet; add chain bridge quiet forward { type filter hook forward priority 0; policy drop; }
	add rule bridge quiet forward ether type 0x88b5 accept'
load_module
GOLDEN_FRAMES=0 GOLDEN_RIGHT=0 GOLDEN_KNOWN=0

clusters=$(tt golden --table "$table" clusters)

# in_table CLUSTER STATE: whether the table has packets for that.
in_table() {
	local owner moved others default
	IFS=/ read -r owner moved others default <<<"$2"
	grep -q "cluster=$1 owner=$owner moved=$moved others=$others default=$default " "$table"
}

# Alone: it owns all.
golden_host 1 "$OWN_MAC"
for name in $clusters; do
	golden_up "$name" 1 1
	golden_start "$name" 1
	golden_run "$name" 1 owner all/no/no/yes all/yes/no/yes
	golden_down 1
done

# The first of two that start at once: it owns the lower half.
golden_host 2 02:00:00:00:00:02
for name in $clusters; do
	in_table "$name" lower/no/no/yes || continue
	golden_up "$name" 2 2
	golden_up "$name" 1 1
	adm h2 start eth0
	golden_start "$name" 1
	wait_until 20 both_agree
	golden_run "$name" 1 "lower half" lower/no/no/yes
	golden_down 1 2
done

# It joins without a weight: it owns nothing, and never did.
for name in $clusters; do
	in_table "$name" none/no/no/no || continue
	golden_up "$name" 2 1
	golden_start "$name" 2
	golden_up "$name" 1 2 --weight 0
	golden_start "$name" 1
	wait_until 20 both_agree
	golden_run "$name" 1 "not owner" none/no/no/no
	golden_down 1 2
done

# All that it owned goes to another, and it has connections in these buckets.
for name in $clusters; do
	in_table "$name" none/yes/no/no || continue
	golden_up "$name" 1 2
	golden_start "$name" 1
	sessions "$name" 1 none/yes/no/no
	golden_up "$name" 2 1
	golden_start "$name" 2
	give_up 1
	wait_until 20 looked 1
	golden_run "$name" 1 "moved out" none/yes/no/no
	kill_background witness
	golden_down 1 2
done

# All comes from another, which has connections in these buckets.
for name in $clusters; do
	in_table "$name" all/yes/yes/yes || continue
	golden_up "$name" 2 2
	golden_start "$name" 2
	sessions "$name" 2 all/yes/yes/yes
	golden_up "$name" 1 1
	golden_start "$name" 1
	give_up 2
	golden_run "$name" 1 "moved in" all/yes/yes/yes
	kill_background witness
	golden_down 1 2
done

all=$(tt golden --table "$table" count)
same "packets of the table" "$all" "$GOLDEN_FRAMES"
# "make golden" looks for this line.
if [ "$GOLDEN_RIGHT" = "$all" ]; then
	pass "in the hook: $GOLDEN_RIGHT of $all"
else
	fail "in the hook: $GOLDEN_RIGHT of $all"
fi
note "$GOLDEN_KNOWN of them once more, with their connections there"
