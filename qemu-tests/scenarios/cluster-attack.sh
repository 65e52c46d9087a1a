# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: replayed, altered and forged heartbeats, and a flood of them, change nothing
# clock: counted
# timeout: 600

cluster 3
tcpdump_file=/run/test/heartbeats.pcap
# Some seconds of the cluster's life, a join and a leave among them, whole.
background c recorder tcpdump -i eth0 -n -s 0 -U --immediate-mode -w "$tcpdump_file" ether proto 0x88b5
wait_until 10 logged_line recorder 'listening on'
adm h3 stop eth0
wait_agree 10 1 2
adm h3 start eth0
wait_agree 20 1 2 3
steady 2000 true
kill_background recorder

generation=$(generation h1)
load busy --sources 60 --interval-ms 10 --timeout-ms 5000

# attack NAME ARG…: send frames and look at the cluster the whole time.
attack() {
	local name=$1
	shift
	on c tt replay --dev eth0 --file "$tcpdump_file" --ethertype 88b5 "$@" >"/run/test/$name.json"
	note "$name: $(cat "/run/test/$name.json")"
	check "$name: the same members" steady 1500 agree 1 2 3
	same "$name: the same generation" "$generation" "$(generation h1)"
}

attack replayed --count 2000 --rate 2000
attack altered --count 2000 --rate 2000 --alter 3
attack flood --count 50000 --rate 50000 --alter 2

# Recorded frames of a host that is gone do not bring it back.
crash 3
wait_agree 10 1 2
generation=$(generation h1)
on c tt replay --dev eth0 --file "$tcpdump_file" --ethertype 88b5 --count 1000 --rate 1000 >/run/test/dead.json
check "a dead host's recorded frames: still two members" steady 1500 agree 1 2
same "a dead host's recorded frames: the same generation" "$generation" "$(generation h1)"
load_end busy
adm h1 counters eth0
