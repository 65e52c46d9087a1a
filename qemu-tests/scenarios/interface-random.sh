# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: random events of interfaces under traffic: nothing hangs, nothing is lost
# clock: real
# cpus: 2
# timeout: 300
# long-timeout: 1500
#
# Two hosts are hit at the same time, each by events of its own; the third one
# serves on. LONG=1 makes it 1,000 events instead of 100. The log tells the
# seed; SEED=n repeats the events, though not how the two hosts' interleave.

EVENTS=${LONG:+1000}
EVENTS=${EVENTS:-100}
note "seed $SEED, $EVENTS events"

hosts 3
add_netns o2
add_netns o3
load_module
serve 1
join 1
for k in 2 3; do
	join "$k"
done
wait_converged 3
load busy --sources 200 --interval-ms 25 --timeout-ms 1000

# What follows is of one host, K, whose interface is to be eth0 in hK. Anything
# may be missing, so commands may fail; what must hold is checked by name.

port_is_gone() {
	! ip -n sw link show "p$K" >/dev/null 2>&1
}
trouble() {
	note "host $K, event $EVENT: $*" >>"/run/test/trouble$K"
}
# up DEV: a cluster on some interface; "test" with the others on eth0.
up() {
	local name=test
	[ "$1" = eth0 ] || name=other
	adm "h$K" up "$1" --cluster "$name" --host-id "$K" --vip "$VIP" --vip "$VIP6" --key-file "$KEY_FILE" \
		--mode "${MODES[RANDOM % 3]}" --affinity none
}
MODES=(unicast multicast igmp)

# mend: the namespace, the cable, the address, the cluster, as far as missing.
mend() {
	[ -e "/run/netns/h$K" ] || { ip netns add "h$K" && ip -n "h$K" link set lo up; }
	if ! ip -n "h$K" link show eth0; then
		wait_until 20 port_is_gone || trouble "the port of a deleted interface did not go"
		plug "h$K" eth0 "p$K" "$(host_mac "$K")"
	fi
	ip -n sw link set "p$K" master br0 up
	ip -n "h$K" link set eth0 nomaster
	ip -n "h$K" link set eth0 mtu 1500 up
	ip -n "h$K" addr replace "10.0.0.$K/16" dev eth0
	ip -n "h$K" route replace "$SOURCES" via "$CLIENT"
	adm "h$K" show eth0 || up eth0 || :
}

event_rename() {
	ip -n "h$K" link set eth0 name "lan$1"
	adm "h$K" show "lan$1"
	ip -n "h$K" link set "lan$1" name eth0
}
event_down() { ip -n "h$K" link set eth0 down; }
event_up() { ip -n "h$K" link set eth0 up; adm "h$K" start eth0; }
event_cable() { ip -n sw link set "p$K" down; ip -n sw link set "p$K" up; }
event_cut() { ip -n sw link set "p$K" nomaster; }
event_mtu() { ip -n "h$K" link set eth0 mtu $((1280 + $1 % 700)); }
event_mac() { ip -n "h$K" link set eth0 address "02:00:00:00:$(printf '%02x' $((RANDOM % 256))):0$K"; }
event_move() { ip -n "h$K" link set eth0 netns "o$K"; ip -n "o$K" link set eth0 netns "h$K"; }
event_move_up() {
	ip -n "h$K" link set eth0 netns "o$K"
	ip -n "o$K" link set eth0 up
	adm "o$K" up eth0 --cluster test --host-id "$K" --vip "$VIP" --key-file "$KEY_FILE"
	ip -n "o$K" link set eth0 netns "h$K"
}
event_delete() { ip -n "h$K" link del eth0; }
event_delete_peer() { ip -n sw link del "p$K"; }
event_netns() { del_netns "h$K"; }
event_flush() { ip -n "h$K" addr flush dev eth0; }
event_promisc() { ip -n "h$K" link set eth0 promisc on; ip -n "h$K" link set eth0 promisc off allmulticast on; }
event_noarp() { ip -n "h$K" link set eth0 arp off; ip -n "h$K" link set eth0 arp on; }
event_leave() { adm "h$K" down eth0; }
event_again() { adm "h$K" down eth0; up eth0; }
event_stop() { adm "h$K" stop eth0; adm "h$K" start eth0; }
event_drain() { adm "h$K" drain eth0; }
event_weight() { adm "h$K" set eth0 --weight "$((RANDOM % 100 + 1))"; }
event_group() { ip -n "h$K" link set eth0 group $(($1 % 100)); ip -n "h$K" link set eth0 txqueuelen $((100 + $1 % 100)); }
# A device on top of eth0, with a cluster of its own, which goes first or with its parent.
on_top() {
	ip -n "h$K" link add link eth0 name top "$@"
	ip -n "h$K" link set top up
	up top
	case $((RANDOM % 4)) in
	0) ip -n "h$K" link del top ;;
	1) ip -n "h$K" link del eth0 ;;
	2) ip -n "h$K" link set top netns "o$K"; ip -n "o$K" link del top ;;
	3) ip -n "h$K" link set eth0 down; ip -n "h$K" link del top ;;
	esac
}
event_vlan() { on_top type vlan id $((1 + $1 % 4000)); }
event_macvlan() { on_top type macvlan mode bridge; }
event_passthru() { on_top type macvlan mode passthru; }
# A device that eth0 becomes a port of, with the cluster on either.
master() {
	ip -n "h$K" link add top "$@"
	[ "$2" != team ] ||
		on "h$K" tt team --ifindex "$(ip -n "h$K" -j link show top | jq '.[0].ifindex')" --mode roundrobin
	[ $((RANDOM % 2)) = 0 ] || ip -n "h$K" link set eth0 down
	ip -n "h$K" link set eth0 master top
	ip -n "h$K" link set eth0 up
	ip -n "h$K" link set top up
	up top
	case $((RANDOM % 4)) in
	0) ip -n "h$K" link del top ;;
	1) ip -n "h$K" link del eth0; ip -n "h$K" link del top ;;
	2) ip -n "h$K" link set eth0 nomaster; ip -n "h$K" link del top ;;
	3) ip -n "h$K" link set top down; ip -n "h$K" link set eth0 netns "o$K"; ip -n "o$K" link set eth0 netns "h$K"; ip -n "h$K" link del top ;;
	esac
}
event_bond() { master type bond mode active-backup miimon 100; }
event_bridge() { master type bridge mcast_snooping $((RANDOM % 2)); }
event_team() { master type team; }
event_vrf() { master type vrf table $((10 + K)); }

mapfile -t KINDS < <(compgen -A function event_ | grep -vx event_ms)
# events COUNT: that many, and what they were to a log.
events() {
	local kind n
	trap - ERR
	set +eE
	for ((EVENT = 1; EVENT <= $1; EVENT++)); do
		kind=${KINDS[RANDOM % ${#KINDS[@]}]} n=$RANDOM
		printf '%s %s\n' "$(now_ms)" "${kind#event_}"
		"$kind" "$n"
		# Now and then another event meets what this one has left.
		[ $((RANDOM % 3)) = 0 ] || mend
	done
	mend
} >"/run/test/events$K.log" 2>&1

workers=()
for K in 2 3; do
	: >"/run/test/trouble$K"
	(
		DEFERRED=()
		trap - EXIT
		RANDOM=$((SEED + K))
		events $((EVENTS / 2))
	) &
	workers+=("$!")
done
wait "${workers[@]}"
for K in 2 3; do
	note "host $K: $(grep -cE '^[0-9]+ [a-z_]+$' "/run/test/events$K.log") events," \
		"by kind: $(sed -nE 's/^[0-9]+ ([a-z_]+)$/\1/p' "/run/test/events$K.log" | sort | uniq -c | awk '{ printf "%s %s, ", $2, $1 }')"
	same "host $K: troubles" "" "$(cat "/run/test/trouble$K")"
	same "host $K: events" $((EVENTS / 2)) "$(grep -cE '^[0-9]+ [a-z_]+$' "/run/test/events$K.log")"
done

# The namespaces go at once, with whatever is in them.
del_netns o2
del_netns o3
for K in 2 3; do
	del_netns "h$K"
	check "host $K: its namespace goes" wait_until 20 port_is_gone
done
check "host 1 goes on alone" wait_agree 30 1
load_end busy
requests 200 alone
same "host 1 answers everything" 200 "$(field alone .answered)"

# And everything can be made anew.
for k in 2 3; do
	add_host "$k"
	serve "$k"
	join "$k"
done
check "the hosts made anew are members" wait_agree 30 1 2 3
requests 300 anew
same "all answered" 300 "$(field anew .answered)"
same "by all" 3 "$(field anew '.hosts | length')"
