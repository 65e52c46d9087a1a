# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: affinity single: one client address, one host, always

cluster 3 --affinity single
requests 1000 single --sources 50
note "$(cat /run/test/single.json)"
same "all answered" 1000 "$(field single .answered)"
same "addresses" 50 "$(field single .sources)"
same "addresses that two hosts answered" 0 "$(field single .sources_moved)"
same "hosts that answered" 3 "$(field single '.hosts | length')"

# The same addresses meet the same hosts again after an unrelated rejoin: the
# seed, not the moment, decides. (Host 3's own clients may move.)
requests 50 before --sources 50 --list /run/test/before.list
leave 3
wait_agree 20 1 2
requests 50 without --sources 50 --list /run/test/without.list
same "all answered without host 3" 50 "$(field without .answered)"
moved=$(command join <(awk '$4 != 3 { print $2, $4 }' /run/test/before.list | sort) \
	<(awk '{ print $2, $4 }' /run/test/without.list | sort) | awk '$2 != $3' | wc -l)
same "clients of hosts 1 and 2 that moved when host 3 left" 0 "$moved"
