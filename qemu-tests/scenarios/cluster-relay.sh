# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: heartbeats over the segment, over the relays, or both; and a cut interface by name
# timeout: 900

hosts 3
second_network 1 2 3
load_module
for i in 1 2 3; do
	serve "$i"
done

# From cold on the relays alone.
block_heartbeats
for i in 1 2 3; do
	join "$i"
	relay "$i" 1 2 3
done
check "three hosts converge on the relays alone" wait_agree 30 1 2 3
check "only the relays are heard" paths_are 1 2 relay
same "no host counts as cut, although no heartbeat of the segment arrives" "null null null" \
	"$(out_reason 1) $(out_reason 2) $(out_reason 3)"
requests 300 relayed
same "all answered" 300 "$(field relayed .answered)"
same "by three hosts" 3 "$(field relayed '.hosts | length')"
generation=$(generation h1)
check "nothing changes without traffic either" steady 5000 agree 1 2 3
same "no convergence was needed" "$generation" "$(generation h1)"

crash 3
kill_background relay3
check "fail-over on the relays alone" wait_agree 10 1 2
requests 100 two
same "all answered by the other two" 100 "$(field two '(.hosts."1" // 0) + (.hosts."2" // 0)')"
ip -n sw link set p3 master br0
serve 3
relay 3 1 2 3
check "and the host returns" wait_agree 30 1 2 3

# The segment alone.
unblock_heartbeats
check "both paths are heard" wait_until 10 paths_are 1 2 segment,relay
generation=$(generation h1)
for i in 1 2 3; do
	kill_background "relay$i"
done
check "only the segment is heard" wait_until 10 paths_are 1 2 segment
check "three members on the segment alone" steady 3000 agree 1 2 3
[ "$generation" = "$(generation h1)" ] || adm h1 history eth0
same "no convergence was needed while the second path went" "$generation" "$(generation h1)"

# cut_off TEXT CUT MEND: host 2's cluster interface fails while its relay lives.
cut_off() {
	local text=$1
	"$2"
	check "$text: host 2's buckets have moved" wait_until 10 buckets_are 1 2 0
	check "$text: it is still a member" agree 1 2 3
	same "$text: named by host 1" interface-cut "$(why_out 1 2)"
	same "$text: named by itself" interface-cut "$(out_reason 2)"
	requests 200 "cut"
	same "$text: all answered" 200 "$(field cut .answered)"
	same "$text: none by host 2" 0 "$(field cut '.hosts."2" // 0')"
	"$3"
	check "$text: its buckets come back" wait_until 20 buckets_about 1365 1 2
	requests 200 again
	same "$text: all answered again" 200 "$(field again .answered)"
}

# why_out N ID: why host ID owns nothing, as host N sees it.
why_out() {
	adm "h$1" -j show eth0 | jq -r ".[0].hosts[] | select(.host_id == $2).out_reason"
}

# No carrier is lost here: frames of the switch to host 2 vanish, or its own.
deaf() {
	on sw nft 'add table bridge cut; add chain bridge cut forward { type filter hook forward priority 0; }
		add rule bridge cut forward oifname "p2" drop; add rule bridge cut forward iifname "p2" drop
		add chain bridge cut output { type filter hook output priority 0; }
		add rule bridge cut output oifname "p2" drop'
}

dumb() {
	on sw nft 'add table bridge cut; add chain bridge cut forward { type filter hook forward priority 0; }
		add rule bridge cut forward iifname "p2" drop'
}

deafened() {
	on sw nft 'add table bridge cut; add chain bridge cut forward { type filter hook forward priority 0; }
		add rule bridge cut forward oifname "p2" drop
		add chain bridge cut output { type filter hook output priority 0; }
		add rule bridge cut output oifname "p2" drop'
}

mend() {
	on sw nft delete table bridge cut
}

for i in 1 2 3; do
	relay "$i" 1 2 3
done
check "both paths are heard again" wait_until 10 paths_are 1 2 segment,relay
cut_2() { cut_cable 2; }
plug_2() { plug_cable 2; }
cut_off "no carrier" cut_2 plug_2
cut_off "cut behind the port" deaf mend
cut_off "one way: nothing that it sends arrives" dumb mend
cut_off "one way: nothing arrives at it" deafened mend

# Only heartbeats vanish on host 2's cable, other frames pass: no cut.
generation=$(generation h1)
on sw nft 'add table bridge cut; add chain bridge cut forward { type filter hook forward priority 0; }
	add rule bridge cut forward oifname "p2" ether type 0x88b5 drop
	add rule bridge cut forward iifname "p2" ether type 0x88b5 drop
	add rule bridge cut forward oifname "p2" ip protocol 254 drop
	add rule bridge cut forward iifname "p2" ip protocol 254 drop'
check "heartbeats to and from host 2 pass the relay alone" wait_until 10 paths_are 1 2 relay
check "it keeps its buckets" steady 5000 buckets_about 1365 1 2
[ "$generation" = "$(generation h1)" ] || adm h1 history eth0
same "no convergence was needed without its heartbeats" "$generation" "$(generation h1)"
requests 200 lossy
check "and serves" [ "$(field lossy '.hosts."2"')" -gt 30 ]
same "all answered then" 200 "$(field lossy .answered)"
mend
