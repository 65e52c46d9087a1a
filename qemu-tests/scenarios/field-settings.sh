# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: settings of the cluster change while it serves: timing, echo, responder, VIPs
# clock: counted
# timeout: 600
#
# Row 8 of the field. In other clusters another period or one more VIP is an outage of all
# hosts. Here the hosts are told one after the other, and change together.

NEW=10.0.0.20
NEW_WORD=0x0a000014
NEW6=fd00::20

cluster 3 --vip "$VIP6"

# waits_for N ID…: whom host N waits for.
waits_for() {
	local n=$1
	shift
	[ "$(shown "$n" '.[0] | select(.pending) | .pending_hosts | join(" ")')" = "$*" ]
}
# in_force N EXPRESSION VALUE: nothing waits on host N, and the setting has the value.
in_force() {
	[ "$(shown "$1" ".[0] | select(.pending == null) | $2")" = "$3" ]
}
# set_on N OPTION…: set on host N; what it says is in /run/test/set.
set_on() {
	local n=$1 code=0
	shift
	adm "h$n" set eth0 "$@" >/run/test/set 2>&1 || code=$?
	note "h$n set $*: $(cat /run/test/set)"
	return "$code"
}
# vip_on N VERB ADDR: the same of nlbadm vip.
vip_on() {
	local n=$1 code=0
	shift
	adm "h$n" vip "$@" eth0 >/run/test/set 2>&1 || code=$?
	note "h$n vip $*: $(cat /run/test/set)"
	return "$code"
}
said() {
	grep -q -- "$1" /run/test/set
}
# refuses CODE TEXT CMD…: it ends with that code, and says so.
refuses() {
	local code=$1 text=$2 got=0
	shift 2
	"$@" || got=$?
	same "$*: exit code" "$code" "$got"
	check "$*: it says why" said "$text"
}
causes() {
	adm h1 -j history eth0 | jq -r '[.history | sort_by(.generation)[].cause] | join(" ")'
}
# asked ADDRESS: how many answers a client gets that asks for an address.
asked() {
	on c arping -c 3 -w 3 -I eth0 "$1" 2>/dev/null | grep -c 'reply from' || :
}
# claims NAME: ARP messages of a capture in which NEW is the sender, with another MAC than the virtual one.
claims() {
	local mac=${VIRTUAL_MAC//:/}
	on sw tcpdump -r "/run/test/$1.pcap" -n -e "arp[14:4] = $NEW_WORD and
		not (arp[8:4] = 0x${mac:0:8} and arp[12:2] = 0x${mac:8})" 2>/dev/null | tee /run/test/claims | wc -l
	note "$(cat /run/test/claims)" >&2
}
has_address() {
	ip -n "h$1" -j addr show | jq -e --arg it "$2" '[.[].addr_info[]? | select(.local == $it)] | length > 0' >/dev/null
}

# Timing, under load. Nobody is taken for dead though the hosts change one after the other.
capture wire sw pc "tcp port 80 and $TURNS"
load busy --sources 50 --interval-ms 100 --timeout-ms 8000
check "timing: host 1" set_on 1 --period 100ms --tolerance 10
check "timing: it waits for the others" said 'wait until hosts 2, 3 have the same'
check "timing: show says what waits" grep -q 'new settings (period 100ms, tolerance 10): they wait until hosts 2, 3 have the same' <<<"$(adm h1 show eth0)"
same "timing: it is not in force" 200 "$(shown 1 '.[0].period_ms')"
check "timing: host 2" set_on 2 --period 100ms --tolerance 10
check "timing: host 1 waits for host 3" wait_until 10 waits_for 1 3
check "timing: host 3" set_on 3 --period 100ms --tolerance 10
check "timing: it is in force" said 'in force'
for n in 1 2 3; do
	check "timing: host $n has it" wait_until 10 in_force "$n" '"\(.period_ms) \(.tolerance)"' "100 10"
done
same "timing: the last change was one of settings" settings "$(causes | awk '{ print $NF }')"
# Until the former timing is over, and the new one counts alone: twice the longer silence.
for period in 2000 20 200; do
	for n in 1 2 3; do
		set_on "$n" --period "${period}ms" --tolerance 5
	done
	check "timing: $period ms is in force" wait_until 20 in_force 1 .period_ms "$period"
	pause "$((period < 2000 ? 21 : 3))"
	check "timing: $period ms: all are members" agree 1 2 3
done
same "timing: no host was ever lost" '' "$(causes | grep -o 'died\|restarted' || :)"

# Echo and responder together.
for n in 1 2 3; do
	set_on "$n" --echo all --responder all
done
check "echo: in force" wait_until 10 in_force 2 '"\(.echo) \(.responder)"' "all all"
answered() {
	echo "$(counter h1 arp-replied) $(counter h2 arp-replied) $(counter h3 arp-replied)"
}
read -r one two three < <(answered)
asked "$VIP" >/dev/null
read -r one2 two2 three2 < <(answered)
check "responder: every host answers" [ "$((one2 > one)) $((two2 > two)) $((three2 > three))" = "1 1 1" ]
for n in 1 2 3; do
	set_on "$n" --echo default-host --responder default-host
done
check "responder: the default host again" wait_until 10 in_force 2 .responder default-host
same "responder: one host answers" 3 "$(asked "$VIP")"

# VIPs. The addresses are there before they are in force, and no stack answers for them.
capture leaks sw br0 "arp and host $NEW"
check "vip: host 1" vip_on 1 add "$NEW,$NEW6"
check "vip: it waits for the others" said 'wait until hosts 2, 3 have the same'
check "vip: the addresses are there" has_address 1 "$NEW"
same "vip: nobody answers for it" 0 "$(asked "$NEW")"
check "vip: a client that knows better is not answered either" \
	[ "$(ip -n c neigh replace "$NEW" lladdr "$(host_mac 1)" dev eth0 nud permanent && on c curl -s --max-time 2 -o /dev/null "http://$NEW/" && echo served)" = '' ]
check "vip: for it is not in force" [ "$(counter h1 dropped-not-in-force)" -gt 0 ]
ip -n c neigh del "$NEW" dev eth0
check "vip: host 2" vip_on 2 add "$NEW,$NEW6"

# Host 3 is told, and somebody takes the address away at once: the others wait.
background h3 thief bash -c "until ip -n h3 addr del $NEW/32 dev \$(ip -n h3 -j link show type nlb | jq -r '.[].ifname') 2>/dev/null; do :; done"
vip_on 3 add "$NEW,$NEW6"
finish thief
if in_force 3 '.vips | length' 4; then
	note "the thief came after the change"
	check "vip: host 3 lacks it" wait_until 10 [ "$(out_reason 3)" = vip-missing ]
else
	check "held: show says so" wait_until 10 grep -q 'held here' <<<"$(adm h3 show eth0)"
	check "held: the others wait" steady 2000 waits_for 1 3
fi
check "held: start puts it in place" adm h3 start eth0
for n in 1 2 3; do
	check "vip: host $n has four" wait_until 20 in_force "$n" '.vips | length' 4
done
check "vip: all are members" wait_agree 20 1 2 3
on c tt connect --to "$NEW:80" --from "$SOURCES" --count 60 >/run/test/new.json
same "vip: clients of the new one are served" 60 "$(field new .answered)"
same "vip: by all hosts" 3 "$(field new '.hosts | length')"
on c tt connect --to "[$NEW6]:80" --from fd01::/64 --count 60 >/run/test/new6.json
same "vip: by IPv6 as well" 60 "$(field new6 .answered)"
same "vip: one host answers for it" 3 "$(asked "$NEW")"
capture_end leaks
check "vip: it was announced" [ "$(on sw tcpdump -r /run/test/leaks.pcap -n "arp[14:4] = $NEW_WORD" 2>/dev/null | wc -l)" -gt 0 ]
same "vip: no other MAC was ever told for it" 0 "$(claims leaks)"

# A VIP goes. What is still an address of a host is no answer.
background c held tt hold --to "$NEW:80" --from "$SOURCES" --count 30 --interval-ms 200 \
	--ready /run/test/held.ready --until /run/test/held.end
wait_until 60 test -e /run/test/held.ready
capture leaks2 sw br0 "arp and host $NEW"
for n in 1 2 3; do
	check "vip: host $n: del" vip_on "$n" del "$NEW"
done
check "vip: it is in force" said 'in force'
for n in 1 2 3; do
	check "vip: host $n has three" wait_until 10 in_force "$n" '.vips | length' 3
done
check "vip: host 3, the last one, took the address off" [ "$(has_address 3 "$NEW" && echo there)" = '' ]
check "vip: host 1 has it still" has_address 1 "$NEW"
same "vip: nobody answers for it" 0 "$(asked "$NEW")"
check "vip: show says so" grep -q "no vip any more: $NEW, still on this host" <<<"$(adm h1 show eth0)"
for n in 1 2; do
	adm "h$n" start eth0
done
check "vip: start takes it off" [ "$(has_address 1 "$NEW" && echo there)" = '' ]
none_guarded() {
	[ "$(shown 1 '.[0].former_vips | length')" = 0 ]
}
check "vip: and then it is guarded no more" wait_until 20 none_guarded
touch /run/test/held.end
finish held || :
ip -n sw addr add "$NEW/24" dev br0
same "vip: another station can have it" 3 "$(asked "$NEW")"
check "vip: and hosts reach it" on h1 ping -c 1 -W 2 "$NEW"
ip -n sw addr del "$NEW/24" dev br0
capture_end leaks2

load_end busy
capture_end wire
same "failed requests" 0 "$(field busy '.requests - .answered')"
no_reset wire "resets on the wire"

# The first IPv6 VIP of a cluster in IGMP mode has a group of its own: the hosts join it before
# the VIP is in force. The group of the others stays, so the first one does too.
for n in 1 2 3; do
	leave "$n"
done
ip -n h3 link set eth0 down
for n in 1 2; do
	join "$n" --mode igmp
done
check "igmp: both are members" wait_agree 20 1 2
in_group() {
	ip -n "h$1" maddr show dev eth0 | grep -q "inet6 ff12:"
}
check "igmp: no group of IPv6 yet" [ "$(in_group 1 && echo joined)" = '' ]
vip_on 1 add "$NEW6"
check "igmp: the first host has joined it" in_group 1
vip_on 2 add "$NEW6"
check "igmp: in force" wait_until 10 in_force 1 '.vips | length' 2
check "igmp: the second host has joined it" in_group 2
on c tt connect --to "[$NEW6]:80" --from fd01::/64 --count 40 >/run/test/igmp.json
same "igmp: clients are served" 40 "$(field igmp .answered)"
for n in 1 2; do
	vip_on "$n" add "$VIP6"
done
check "igmp: one more" wait_until 10 in_force 1 '.vips | length' 3
refuses 1 'in IGMP mode the first one of each family' vip_on 1 del "$NEW6"
for n in 1 2; do
	leave "$n"
	join "$n" --vip "$VIP6" --vip "$NEW6"
done
ip -n h3 link set eth0 up
join 3 --vip "$VIP6" --vip "$NEW6"
check "igmp: over" wait_agree 20 1 2 3

# An address that the host has anyway is no new VIP.
refuses 7 'is an address of eth0' vip_on 1 add 10.0.0.1
ip -n h1 addr add 10.0.0.201/24 dev eth0
refuses 7 'is an address of eth0' vip_on 1 add 10.0.0.201
ip -n h1 addr del 10.0.0.201/24 dev eth0

# What waits can be withdrawn, and nothing else can be staged beside it.
set_on 1 --period 50ms
refuses 7 'wait for the other hosts' set_on 1 --period 60ms
check "withdrawn: the one in force" set_on 1 --period 200ms
check "withdrawn: nothing waits" in_force 1 .period_ms 200
vip_on 1 add "$NEW"
check "withdrawn: a VIP that waits" vip_on 1 del "$NEW"
check "withdrawn: it is no address of the host any more" [ "$(has_address 1 "$NEW" && echo there)" = '' ]
set_on 1 --echo drop
check "withdrawn: whatever waits" set_on 1 --withdraw
check "withdrawn: nothing waits" in_force 1 .echo default-host
check "withdrawn: all are members" agree 1 2 3

# Bad input changes nothing.
before=$(shown 1 '.[0] | "\(.vips) \(.period_ms)"')
refuses 2 'is a VIP of test already' vip_on 1 add "$VIP"
refuses 2 'is no VIP of test' vip_on 1 del 10.0.0.99
refuses 1 'the primary VIP' vip_on 1 del "$VIP"
refuses 2 'not an IPv4' vip_on 1 add nonsense
refuses 2 'cannot be used with' set_on 1 --weight 10 --period 100ms
same "bad input changes nothing" "$before" "$(shown 1 '.[0] | "\(.vips) \(.period_ms)"')"
