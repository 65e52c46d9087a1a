# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a cluster works at MTU 1280 and 9000, and while the MTU changes
# clock: counted
# timeout: 300
#
# Row 14 of the field: OpenStack, VXLAN and other overlays have 1450, 1400, or less.

# mtu BYTES: of all hosts and of the switch, which drops what is longer.
mtu() {
	local n
	for n in 1 2 3; do
		ip -n sw link set "p$n" mtu "$1"
		ip -n "h$n" link set eth0 mtu "$1"
	done
}
# serves TEXT NAME: every client of both families is answered, and by one host.
serves() {
	local family
	for family in "" 6; do
		capture "$2$family" sw pc "$TURNS"
		"requests$family" 60 "$2$family-clients" --timeout-ms 1000
		capture_end "$2$family"
		same "$1: all clients of IPv${family:-4} are answered" 60 "$(field "$2$family-clients" .answered)"
		same "$1: SYNs of IPv${family:-4} answered twice" 0 "$(field "$2$family" .answered_twice)"
	done
}

# As many rules as there can be: the longest frames.
for port in $(seq 1001 1063); do
	printf '[[rule]]\nports = %s\n\n' "$port"
done >/run/test/rules
printf '[[rule]]\nports = "1-1000"\naffinity = "none"\n' >>/run/test/rules

hosts 3
mtu 1280
load_module
for n in 1 2 3; do
	serve "$n"
	join "$n" --vip "$VIP6" --rules /run/test/rules
done
check "1280: three hosts with 64 rules are a cluster" wait_agree 30 1 2 3
serves "1280" small
block_ethertype
check "1280: heartbeats inside IP fit as well" steady 5000 agree 1 2 3
leave 2
check "1280, inside IP: a host leaves" wait_agree 30 1 3
join 2 --vip "$VIP6" --rules /run/test/rules
check "1280, inside IP: a host joins" wait_agree 30 1 2 3
unblock_heartbeats
same "1280: doctor has nothing to say of it" ok "$(adm h1 -j doctor eth0 | jq -r '.checks[] | select(.check == "mtu").verdict')"

generation=$(generation h1)
for bytes in 1500 9000 1450 1280; do
	mtu "$bytes"
	check "$bytes: nobody leaves" steady 3000 agree 1 2 3
done
same "no change was needed" "$generation" "$(generation h1)"

# Below that IPv6 ends, and no heartbeat is promised to fit.
ip -n h3 link set eth0 mtu 1279
owns_nothing() {
	[ "$(shown 3 '.[0].buckets_owned')" = 0 ]
}
owns() {
	[ "$(shown 3 '.[0].buckets_owned')" -gt 0 ]
}
check "1279: the host gives its buckets up" wait_until 20 owns_nothing
same "1279: for its interface" interface-cut "$(out_reason 3)"
check "1279: and says why" grep -q "PROBLEM: the MTU of eth0 is 1279" <<<"$(adm h3 show eth0)"
ip -n h3 link set eth0 mtu 1280
check "1280: it is back" wait_until 20 owns
