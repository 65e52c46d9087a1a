# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a segment that passes IP and withholds the heartbeats' EtherType: they go inside IP, and nobody is answered twice
# clock: counted
# timeout: 420
#
# Row 3 of the field: Neutron's port security, filters of libvirt and other hypervisors.
# Each host took itself for alone, and answered every client.

# paths N: by which way host N hears each other host.
paths() {
	shown "$1" '[.[0].hosts[] | select(.self | not) | "\(.host_id):\(.paths | join("+"))"] | join(" ")'
}
paths_are() {
	[ "$(paths "$1")" = "$2" ]
}
# one_answer TEXT NAME [requests6]: each client is answered, and by one host.
one_answer() {
	capture "$2" sw pc "$TURNS"
	"${3:-requests}" 60 "$2-clients" --timeout-ms 1000
	capture_end "$2"
	same "$1: all are answered" 60 "$(field "$2-clients" .answered)"
	same "$1: SYNs answered twice" 0 "$(field "$2" .answered_twice)"
	no_reset "$2" "$1: resets"
}

content() {
	! grep -q 'EtherType' <<<"$(adm h1 doctor eth0)"
}

hosts 3
block_ethertype
load_module
for n in 1 2 3; do
	serve "$n"
	join "$n" --vip "$VIP6"
done
check "from the first moment on: the hosts find each other" wait_agree 30 1 2 3
check "show tells by which way" wait_until 5 paths_are 1 "2:ip 3:ip"
check "doctor tells what is filtered" grep -q 'warning.*EtherType 0x88b5' <<<"$(adm h1 doctor eth0)"
one_answer "filtered" filtered
one_answer "filtered, IPv6" filtered6 requests6
check "frames inside IP are counted" [ "$(counter h1 frame-wrapped)" -gt 0 ]

# A change of members, with maps and all.
leave 3
check "a host leaves" wait_agree 30 1 2
join 3 --vip "$VIP6"
check "a host joins" wait_agree 30 1 2 3
one_answer "after a join" joined

before=$(generation h1)
unblock_heartbeats
check "the filter is gone: plain heartbeats again" wait_until 10 paths_are 1 "2:segment 3:segment"
pause 5
wrapped=$(counter h1 frame-wrapped)
pause 5
same "nothing is wrapped any more" "$wrapped" "$(counter h1 frame-wrapped)"
check "doctor is content" content

# The filter comes while the cluster serves, and then works one way only.
load busy --interval-ms 5
block_ethertype
check "a filter in service: inside IP" wait_until 10 paths_are 1 "2:ip 3:ip"
pause 5
unblock_heartbeats
on sw nft 'add table bridge block; add chain bridge block forward { type filter hook forward priority 0; }
	add rule bridge block forward oifname "p1" ether type 0x88b5 drop'
check "one way: host 1 hears inside IP" wait_until 10 paths_are 1 "2:ip 3:ip"
check "one way: host 2 hears host 1 plainly" wait_until 10 paths_are 2 "1:segment 3:segment"
pause 5
unblock_heartbeats
load_end busy
same "no client noticed" "$(field busy .requests)" "$(field busy .answered)"
same "no host was lost or came" "$before" "$(generation h1)"

# Where neither passes, each is alone: the relay is for that. One serves, and the others name it.
block_heartbeats
names() {
	[[ $(shown "$1" '.[0].conflict.mac') == "02:00:00:00:00:0$2" ]]
}
reason_is() {
	[ "$(out_reason "$1")" = "$2" ]
}
# aside N: host N does not serve, and says why.
aside() {
	reason_is "$1" served-elsewhere
}
check "neither passes: hosts are alone" wait_until 20 members_are h1 eth0 1
for n in 2 3; do
	check "neither passes: host $n stands aside" wait_until 20 aside "$n"
done
check "neither passes: host 2 names host 1" wait_until 20 names 2 1
check "neither passes: in the kernel's log" grep -q 'nlb: out: another host serves the VIPs' <<<"$(dmesg)"
check "neither passes: doctor says what helps" grep -q 'out: served-elsewhere.*EtherType 0x88b5' <<<"$(adm h3 doctor eth0 || :)"
one_answer "neither passes" alone
one_answer "neither passes, IPv6" alone6 requests6
pause 60
same "a minute later: host 1 serves" null "$(out_reason 1)"
for n in 2 3; do
	check "a minute later: host $n stands aside" aside "$n"
done
same "nobody takes them for stations that keep asking" null "$(shown 1 '.[0].asking')"

# One that begins gives way to the one that serves, whichever MAC is lower.
leave 1
one_serves() {
	{ reason_is 2 null && aside 3; } || { aside 2 && reason_is 3 null; }
}
check "host 1 is gone: one of the others serves" wait_until 20 one_serves
one_answer "host 1 is gone" second
join 1 --vip "$VIP6"
check "host 1 is back, and stands aside" wait_until 10 aside 1
one_answer "host 1 is back" back
pause 30
same "nobody takes it for a station that keeps asking" "null null" "$(shown 2 '.[0].asking') $(shown 3 '.[0].asking')"
unblock_heartbeats
check "the filter is gone: one cluster" wait_agree 30 1 2 3
one_answer "one cluster" healed
