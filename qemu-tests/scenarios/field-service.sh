# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a dead service, a firewall, a filter of the return path, packets taken away: each is named, per rule
# clock: counted
# timeout: 600
#
# Rows 6, 11 and 12 of the field: clients of one host get no answer while all are
# converged. The host itself notices, from the SYNs that it accepts and the answers
# that leave.

cat >/run/test/rules <<-'END'
	[[rule]]
	ports = "80"
	protocols = "tcp"

	[[rule]]
	ports = "5300"
	protocols = "udp"
	affinity = "none"

	[[rule]]
	ports = "8080"
	protocols = "tcp"
	affinity = "none"
END
cluster 2 --vip "$VIP6" --rules /run/test/rules
for n in 1 2; do
	background "h$n" "udp$n" tt serve --id "$n" --listen-udp "$VIP:5300" --listen "[::]:8080"
	wait_until 10 logged_line "udp$n" serving
	watch "$n"
done

# health N RULE: what host N knows of a rule; health_is N RULE WORD.
health() {
	adm "h$1" -j rules eth0 | jq -r ".rules[$2].health"
}
health_is() {
	[ "$(health "$1" "$2")" = "$3" ]
}
# told N RULE WORD: host N told of it as an event.
told() {
	next_event "$1" 10 "*\"event\":\"rule-health\"*\"rule\":$2,\"health\":\"$3\"*"
}
# named TEXT RULE WORD WORDS: host 2 names it within ten seconds, everywhere.
named() {
	check "$1: noticed within ten seconds" wait_until 10 health_is 2 "$2" "$3"
	check "$1: told as an event" told 2 "$2" "$3"
	check "$1: in show" grep -q "PROBLEM: rule $2 .*$4" <<<"$(adm h2 show eth0)"
	CODE=0
	adm h2 doctor eth0 >/run/test/doctor || CODE=$?
	same "$1: exit code of doctor" 8 "$CODE"
	check "$1: in doctor" grep -q "^problem.*rule $2 .*$4" /run/test/doctor
	check "$1: in the kernel's log" grep -q "nlb: rule $2: .*" <<<"$(dmesg)"
	same "$1: host 1 has nothing to tell" "" "$(adm h1 -j show eth0 | jq -r '.[0].obstacles[] | select(.check == "service").text')"
}
mended() {
	check "$1: noticed that it is over" wait_until 10 health_is 2 "$2" answers
	check "$1: told that it is over" told 2 "$2" answers
}
# clients NAME [6]: connections that come while the rest goes on.
clients() {
	local to=$VIP from=$SOURCES
	[ "${2:-4}" = 4 ] || to="[$VIP6]" from=fd01::/64
	on c tt connect --to "$to:${3:-80}" --from "$from" --count 60 --timeout-ms 300 >"/run/test/$1.json"
	note "$1: $(cat "/run/test/$1.json")"
}
answered() {
	clients "$1" "$2" "${3:-80}"
	same "$1: all are answered" 60 "$(field "$1" .answered)"
}

answered healthy 4
answered healthy6 6
answered wide 4 8080
on c tt datagrams --to "$VIP:5300" --from "$SOURCES" --count 40 --setup-s 10 >/run/test/udp.json
for n in 1 2; do
	for rule in 0 1 2; do
		check "healthy: host $n, rule $rule answers" wait_until 5 health_is "$n" "$rule" answers
	done
	same "healthy: host $n has nothing to tell" "" "$(adm "h$n" -j show eth0 | jq -r '.[0].obstacles[].text')"
	check "counted: as many SYN-ACKs as SYNs at host $n" \
		[ "$(counter "h$n" asked-syn)" = "$(counter "h$n" answered-syn-ack)" ]
done

# A firewall.
for family in 4 6; do
	on h2 nft 'add table inet fw; add chain inet fw in { type filter hook input priority 0; }
		add rule inet fw in tcp dport 80 drop'
	clients "firewall$family" "$family"
	check "firewall$family: some are not answered" [ "$(field "firewall$family" .answered)" -lt 50 ]
	named "firewall$family" 0 silent 'get no answer'
	on h2 nft delete table inet fw
	answered "firewall$family-gone" "$family"
	mended "firewall$family" 0
done

# A firewall before datagrams, which had answers.
background c udp tt datagrams --to "$VIP:5300" --from "$SOURCES" --count 40 --until /run/test/udp.end --ready /run/test/udp.ready
wait_until 20 test -e /run/test/udp.ready
# Until host 2 has given the 16 answers by which it is held to them, and the look after that: how many of the clients are
# its own is a matter of the seed.
answers_given() {
	[ "$(counter h2 answered-datagram)" -ge 16 ]
}
check "datagrams: host 2 has given 16 answers" wait_until 30 answers_given
pause 2
on h2 nft 'add table inet fw; add chain inet fw in { type filter hook input priority 0; }
	add rule inet fw in udp dport 5300 drop'
named "datagrams" 1 silent 'get no answer'
on h2 nft delete table inet fw
mended "datagrams" 1
touch /run/test/udp.end
finish udp || :

# A service that is gone.
kill_background serve2
for family in 4 6; do
	clients "dead$family" "$family"
	named "dead$family" 0 refuses 'no service listens'
	serve 2
	answered "dead$family-back" "$family"
	mended "dead$family" 0
	kill_background serve2
done
serve 2

# Two cards, and a filter that is strict: clients' packets are accepted, and the stack drops them.
plug h2 eth1 p2b 02:00:00:00:01:02
ip -n h2 addr add 10.9.0.2/24 dev eth1
ip -n h2 route replace "$SOURCES" via 10.9.0.9 dev eth1
on h2 sysctl -q net.ipv4.conf.eth0.rp_filter=1
clients rp_filter
check "rp_filter: noticed within ten seconds" wait_until 10 health_is 2 0 silent
check "rp_filter: told" told 2 0 silent
on h2 sysctl -q net.ipv4.conf.eth0.rp_filter=0
ip -n h2 route replace "$SOURCES" via "$CLIENT"
answered rp_filter-gone 4
mended rp_filter 0

# A program that takes packets before the cluster sees them, for a container that answers. It does so on every host.
adm h1 stop eth0
wait_agree 30 2
add_netns pod
ip link add vpod netns h2 type veth peer name eth0 netns pod
ip -n h2 link set vpod up address 02:00:00:00:03:01
ip -n pod link set eth0 up address 02:00:00:00:03:02
ip -n pod addr add "$VIP/32" dev eth0
ip -n pod route add 10.9.9.1 dev eth0
ip -n pod route add default via 10.9.9.1 dev eth0
ip -n pod neigh add 10.9.9.1 lladdr 02:00:00:00:03:01 dev eth0
# What comes back is routed, though it comes from an address of this host.
on h2 sysctl -q net.ipv4.ip_forward=1 net.ipv4.conf.vpod.accept_local=1 net.ipv4.conf.vpod.rp_filter=0
background pod podserve tt serve --id 9 --listen "[::]:8080"
wait_until 10 logged_line podserve serving
on h2 tc qdisc add dev eth0 clsact
on h2 tc filter add dev eth0 ingress protocol ip flower ip_proto tcp dst_ip "$VIP" dst_port 8080 \
	action pedit ex munge eth dst set 02:00:00:00:03:02 pipe action mirred egress redirect dev vpod
# More SYN-ACKs than those SYNs account for that were accepted a minute ago, each sent six times.
for i in 1 2 3 4 5 6; do
	clients taken 4 8080
done
same "taken: the container answers" '{"9":60}' "$(field taken '.hosts | tostring')"
named "taken" 2 unasked 'clients are answered here that the cluster did not accept'
