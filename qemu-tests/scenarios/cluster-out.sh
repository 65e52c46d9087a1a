# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: duplicate id, other settings, other version: kept out by name, and the rest serve on
# timeout: 900

cluster 3
add_host 4
serve 4
capture wire sw pc "tcp port 80"
load busy --sources 100 --interval-ms 20 --timeout-ms 5000
generation=$(generation h1)

# named N ID REASON: host N names that as the reason why host ID is out.
named() {
	[ "$(adm "h$1" -j show eth0 | jq -r ".[0].hosts[] | select(.host_id == $2).out_reason")" = "$3" ]
}

# kept_out TEXT REASON OPTION…: host 4 joins so, is out for that reason in its
# own words and in host 1's, and leaves.
kept_out() {
	local text=$1 reason=$2
	shift 2
	join 4 "$@"
	check "$text: it is named $reason by itself" wait_until 10 named 4 4 "$reason"
	check "$text: it is named $reason by host 1" wait_until 10 named 1 4 "$reason"
	check "$text: the others serve on" agree 1 2 3
	same "$text: no convergence was needed" "$generation" "$(generation h1)"
	leave 4
}

kept_out "another affinity" rules-differ --affinity single
kept_out "another period" settings-differ --period 100ms
kept_out "another tolerance" settings-differ --tolerance 8
kept_out "one VIP more" settings-differ --vip 10.0.0.11

# The id of a host that serves: who serves stays.
adm h4 up eth0 --cluster test --host-id 2 --vip "$VIP" --affinity none --key-file "$KEY_FILE"
check "duplicate id: it is named so by itself" wait_until 10 named 4 2 duplicate-id
check "duplicate id: the others serve on" steady 2000 agree 1 2 3
same "duplicate id: no convergence was needed" "$generation" "$(generation h1)"
check "duplicate id: counted" [ "$(counter h1 duplicate-id)" -gt 0 ]
leave 4

# A host that has the key and speaks version 3 alone.
background c recorder tcpdump -i eth0 -n -s 0 -U --immediate-mode -c 20 -w /run/test/beats.pcap ether proto 0x88b5
finish recorder
background c stranger tt forge --dev eth0 --file /run/test/beats.pcap --key-file "$KEY_FILE" \
	--host 9 --incarnation 12345 --version 3 --count 30 --interval-ms 100
check "another version: it is named so by host 1" wait_until 10 named 1 9 version
check "another version: the others serve on" agree 1 2 3
finish stranger
same "another version: all its frames are counted" 30 "$(counter h1 version)"
same "another version: no convergence was needed" "$generation" "$(generation h1)"

load_end busy
capture_end wire
same "failed requests" 0 "$(field busy '.requests - .answered')"
same "SYNs answered by two hosts" 0 "$(field wire .answered_twice)"
no_reset wire "resets"
join 4
check "with the same settings it is a member" wait_agree 20 1 2 3 4
