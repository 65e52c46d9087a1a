# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: show, monitor, history and counters tell what happens

cluster 2
background h1 monitor nlbadm -j monitor eth0

# A join, a leave: each is seen with its members.
add_host 3
serve 3
join 3
wait_agree 20 1 2 3
leave 3
wait_agree 20 1 2

told() {
	jq -e -s "any(.[]; .members == [$1])" /run/test/monitor.log >/dev/null 2>&1
}
check "monitor tells of three members" wait_until 5 told 1,2,3
check "monitor tells of two members again" wait_until 5 told 1,2
cat /run/test/monitor.log

requests 100 some
check "accepted connections are counted" [ "$(counter h1 accepted-owner)" -gt 20 ]
check "packets of the other host's are counted" [ "$(counter h1 dropped-not-owner)" -gt 20 ]
check "history has the convergences" \
	[ "$(adm h1 -j history eth0 | jq '.history | length')" -ge 3 ]
same "buckets are all owned" 4096 \
	"$(adm h1 -j buckets eth0 | jq '[.maps[0].hosts[] | select(.host_id != null).buckets] | add')"
check "show names the hosts" grep -q 10.0.0.2 <<<"$(adm h1)"

adm h1 stop eth0
check "host 2 serves alone while host 1 is stopped" wait_until 10 members_are h2 eth0 2
requests 50 alone
same "host 2 answers everything" 50 "$(field alone '.hosts."2"')"
adm h1 start eth0
check "host 1 is back" wait_agree 20 1 2
