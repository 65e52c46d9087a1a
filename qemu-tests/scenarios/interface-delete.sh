# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: deleting a cluster interface and a namespace under traffic

cluster 3
load busy --sources 300 --interval-ms 5 --timeout-ms 3000
requests 100 warm

ip -n h2 link del eth0
check "the others go on without host 2" wait_agree 20 1 3
code=0
adm h2 show eth0 >/run/test/out 2>&1 || code=$?
same "nlbadm on the deleted interface: exit code" 5 "$code"
same "clusters left on host 2" 0 "$(adm h2 -j show | jq length)"

# The namespace of host 3 goes with everything in it.
del_netns h3
check "host 1 goes on alone" wait_agree 20 1
requests 200 alone
same "host 1 answers everything" 200 "$(field alone '.hosts."1"')"

# An interface of the same name can be a member again.
plug h2 eth0 p2 "$(host_mac 2)"
ip -n h2 addr add 10.0.0.2/16 dev eth0
ip -n h2 route add "$SOURCES" via "$CLIENT"
join 2
check "host 2 is a member again" wait_agree 20 1 2
load_end busy
requests 300 both
same "all answered" 300 "$(field both .answered)"
same "by two hosts" 2 "$(field both '.hosts | length')"
