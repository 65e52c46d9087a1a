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
# serves on. LONG=1 makes it 1,000 events instead of 100, LONG=n makes it n. The
# log tells the seed; SEED=n repeats the events, though not how the two hosts'
# interleave.

EVENTS=${LONG:-100}
[ "$EVENTS" != 1 ] || EVENTS=1000
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

# at NAMESPACE VERB WORD…: a line to "tt links", and whether it could be done; TOLD is what it told.
at() {
	local answer
	if ! printf '%s\n' "$*" >&"${LINKS[1]}" || ! read -r -u "${LINKS[0]}" answer TOLD; then
		trouble "tt links has gone at $*"
		return 1
	fi
	[ "$answer" = ok ]
}
port_is_gone() {
	! at sw show "p$K"
}
trouble() {
	note "host $K, event $EVENT: $*" >>"/run/test/trouble$K"
}
# up DEV: a cluster on some interface; "test" with the others on eth0.
up() {
	local name=test
	[ "$1" = eth0 ] || name=other
	at "h$K" run nlbadm up "$1" --cluster "$name" --host-id "$K" --vip "$VIP" --vip "$VIP6" --key-file "$KEY_FILE" \
		--mode "${MODES[RANDOM % 3]}" --affinity none
}
MODES=(unicast multicast igmp)

# mend: the namespace, the cable, the address, the cluster, as far as missing.
mend() {
	[ -e "/run/netns/h$K" ] || { ip netns add "h$K" && at "h$K" set lo up; }
	if ! at "h$K" show eth0; then
		wait_until 20 port_is_gone || trouble "the port of a deleted interface did not go"
		at "h$K" add eth0 veth "$(host_mac "$K")" "p$K" sw
	fi
	at sw set "p$K" master br0
	at sw set "p$K" up
	at "h$K" set eth0 nomaster
	at "h$K" set eth0 mtu 1500
	at "h$K" set eth0 up
	at "h$K" address "10.0.0.$K/16" eth0
	at "h$K" route "$SOURCES" "$CLIENT"
	at "h$K" run nlbadm show eth0 || up eth0 || :
}

event_rename() {
	at "h$K" set eth0 name "lan$1"
	at "h$K" run nlbadm show "lan$1"
	at "h$K" set "lan$1" name eth0
}
event_down() { at "h$K" set eth0 down; }
event_up() { at "h$K" set eth0 up; at "h$K" run nlbadm start eth0; }
event_cable() { at sw set "p$K" down; at sw set "p$K" up; }
event_cut() { at sw set "p$K" nomaster; }
event_mtu() { at "h$K" set eth0 mtu $((1280 + $1 % 700)); }
event_mac() { at "h$K" set eth0 address "02:00:00:00:$(printf '%02x' $((RANDOM % 256))):0$K"; }
event_move() { at "h$K" set eth0 netns "o$K"; at "o$K" set eth0 netns "h$K"; }
event_move_up() {
	at "h$K" set eth0 netns "o$K"
	at "o$K" set eth0 up
	at "o$K" run nlbadm up eth0 --cluster test --host-id "$K" --vip "$VIP" --key-file "$KEY_FILE"
	at "o$K" set eth0 netns "h$K"
}
event_delete() { at "h$K" del eth0; }
event_delete_peer() { at sw del "p$K"; }
event_netns() { del_netns "h$K"; }
event_flush() { at "h$K" run ip addr flush dev eth0; }
event_promisc() { at "h$K" set eth0 promisc on; at "h$K" set eth0 promisc off; at "h$K" set eth0 allmulticast on; }
event_noarp() { at "h$K" set eth0 arp off; at "h$K" set eth0 arp on; }
event_leave() { at "h$K" run nlbadm down eth0; }
event_again() { at "h$K" run nlbadm down eth0; up eth0; }
event_stop() { at "h$K" run nlbadm stop eth0; at "h$K" run nlbadm start eth0; }
event_drain() { at "h$K" run nlbadm drain eth0; }
event_weight() { at "h$K" run nlbadm set eth0 --weight "$((RANDOM % 100 + 1))"; }
event_group() { at "h$K" set eth0 group $(($1 % 100)); at "h$K" set eth0 txqueuelen $((100 + $1 % 100)); }
# A device on top of eth0, with a cluster of its own, which goes first or with its parent.
on_top() {
	at "h$K" add top "$@"
	at "h$K" set top up
	up top
	case $((RANDOM % 4)) in
	0) at "h$K" del top ;;
	1) at "h$K" del eth0 ;;
	2) at "h$K" set top netns "o$K"; at "o$K" del top ;;
	3) at "h$K" set eth0 down; at "h$K" del top ;;
	esac
}
event_vlan() { on_top vlan eth0 $((1 + $1 % 4000)); }
event_macvlan() { on_top macvlan eth0 bridge; }
event_passthru() { on_top macvlan eth0 passthru; }
# A device that eth0 becomes a port of, with the cluster on either.
master() {
	at "h$K" add top "$@"
	if [ "$1" = team ] && at "h$K" show top; then
		at "h$K" run tt team --ifindex "$TOLD" --mode loadbalance
	fi
	# A team takes no port that is up.
	[ "$1" != team ] && [ $((RANDOM % 2)) = 0 ] || at "h$K" set eth0 down
	at "h$K" set eth0 master top
	at "h$K" set eth0 up
	at "h$K" set top up
	up top
	case $((RANDOM % 4)) in
	0) at "h$K" del top ;;
	1) at "h$K" del eth0; at "h$K" del top ;;
	2) at "h$K" set eth0 nomaster; at "h$K" del top ;;
	3) at "h$K" set top down; at "h$K" set eth0 netns "o$K"; at "o$K" set eth0 netns "h$K"; at "h$K" del top ;;
	esac
}
event_bond() { master bond; }
SNOOPING=(snooping flooding)
event_bridge() { master bridge "${SNOOPING[RANDOM % 2]}"; }
event_team() { master team; }
event_vrf() { master vrf $((10 + K)); }

mapfile -t KINDS < <(compgen -A function event_ | grep -vx event_ms)
# events COUNT: that many, and what they were to a log; how far it is to the scenario's.
events() {
	local kind n
	exec {PROGRESS}>&1 >"/run/test/events$K.log" 2>&1
	coproc LINKS { exec tt links; }
	trap - ERR
	set +eE
	for ((EVENT = 1; EVENT <= $1; EVENT++)); do
		kind=${KINDS[RANDOM % ${#KINDS[@]}]} n=$RANDOM
		printf '%s %s\n' "$(now_ms)" "${kind#event_}"
		"$kind" "$n"
		# Now and then another event meets what this one has left.
		[ $((RANDOM % 3)) = 0 ] || mend
		[ $((EVENT % 25)) != 0 ] || note "host $K: $EVENT events, at $(($(now_ms) / 1000)) s" >&"$PROGRESS"
	done
	mend
}

EVENT=none
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
coproc LINKS { exec tt links; }
defer kill "$LINKS_PID"
for K in 2 3; do
	note "host $K: $(grep -cE '^[0-9]+ [a-z_]+$' "/run/test/events$K.log") events," \
		"by kind: $(sed -nE 's/^[0-9]+ ([a-z_]+)$/\1/p' "/run/test/events$K.log" | sort | uniq -c | awk '{ printf "%s %s, ", $2, $1 }')"
	same "host $K: words that tt links did not know" 0 "$(grep -c 'not understood' "/run/test/events$K.log" || :)"
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
