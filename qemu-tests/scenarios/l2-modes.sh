# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: each cluster mode behind a switch that floods: served, one binding, never learned
# timeout: 420

hosts 3
load_module
for i in 1 2 3; do
	serve "$i"
done

declare -A mac=(
	[unicast]=02:bf:0a:00:00:0a [multicast]=03:bf:0a:00:00:0a [igmp]=01:00:5e:7f:00:0a
)

# pings FROM TO: hosts reach each other by their own addresses.
pings() {
	on "h$1" ping -q -c 1 -W 2 -I "10.0.0.$1" "10.0.0.$2" >/run/test/ping.log
}

# serves MODE SWITCH: one mode behind the switch as it is now.
serves() {
	local mode=$1 name="$1, $2" i
	for i in 1 2 3; do
		join "$i" --mode "$mode"
	done
	wait_converged 3
	same "$name: the virtual MAC in show" "${mac[$mode]}" "$(adm h1 -j show eth0 | jq -r '.[0].virtual_mac')"
	capture frames sw br0
	ip -n c neigh flush all
	requests 300 "$mode"
	same "$name: answered" 300 "$(field "$mode" .answered)"
	same "$name: by all hosts" 3 "$(field "$mode" '.hosts | length')"
	same "$name: the client's neighbour entry" "${mac[$mode]}" \
		"$(ip -n c -j neigh show "$VIP" | jq -r '.[0].lladdr')"
	for i in 1 2 3; do
		ip -n "h$i" neigh flush all
		check "$name: host $i reaches host $((i % 3 + 1))" pings "$i" "$((i % 3 + 1))"
	done
	bridge -n sw -j fdb show br br0 >/run/test/fdb.json
	same "$name: the switch has not learned the virtual MAC" 0 \
		"$(jq "[.[] | select(.mac == \"${mac[$mode]}\")] | length" /run/test/fdb.json)"
	capture_end frames
	same "$name: no frame has the virtual MAC as its source" false \
		"$(field frames ".sources | index(\"${mac[$mode]}\") != null")"
	same "$name: SYNs answered twice" 0 "$(field frames .answered_twice)"
	for i in 1 2 3; do
		leave "$i"
	done
	same "$name: nothing is left on the interface" "$picture" "$(picture)"
}

# picture: what the interfaces of the hosts receive and have as addresses.
picture() {
	local i
	for i in 1 2 3; do
		ip -n "h$i" -j maddr show dev eth0 | jq -c '[.[].maddr[] | .link // .address] | sort'
		ip -n "h$i" -br addr show dev eth0
		ip -n "h$i" -d -j link show dev eth0 | jq '.[0].promiscuity'
	done
}
picture=$(picture)

for mode in unicast multicast igmp; do
	serves "$mode" "no snooping"
done
ip -n sw link set br0 type bridge mcast_snooping 1
for mode in multicast igmp; do
	serves "$mode" "snooping, no querier"
done
