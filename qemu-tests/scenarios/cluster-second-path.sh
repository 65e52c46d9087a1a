# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the segment, the relays, or both carry the heartbeats

hosts 3
second_network 1 2 3
load_module
for i in 1 2 3; do
	serve "$i"
	join "$i"
	relay "$i" 1 2 3
done
wait_converged 3
check "both paths are heard" wait_until 10 paths_are 1 2 segment,relay

# Relays alone.
generation=$(generation h1)
block_heartbeats
check "only the relays are heard" wait_until 10 paths_are 1 2 relay
check "three members on the relays alone" steady 3000 agree 1 2 3
same "no convergence was needed" "$generation" "$(generation h1)"
adm h1 history eth0
requests 300 relayed
same "all answered" 300 "$(field relayed .answered)"

kill_background relay3
check "a dead relay is a dead host then" wait_agree 10 1 2
relay 3 1 2 3
check "and it returns with it" wait_agree 20 1 2 3

# The segment alone.
unblock_heartbeats
wait_until 10 paths_are 1 2 segment,relay
for i in 1 2 3; do
	kill_background "relay$i"
done
check "only the segment is heard" wait_until 10 paths_are 1 2 segment
check "three members on the segment alone" steady 3000 agree 1 2 3

# A host whose cluster interface is cut and whose relay lives owns nothing.
for i in 1 2 3; do
	relay "$i" 1 2 3
done
wait_until 10 paths_are 1 2 segment,relay
cut_cable 2
check "the cut host's buckets have moved" wait_until 10 buckets_are 1 2 0
requests 300 cut
same "all answered by the others" 300 "$(field cut .answered)"
same "none by the cut host" 0 "$(field cut '.hosts."2" // 0')"
plug_cable 2
check "its buckets come back" wait_until 20 agree 1 2 3
check "a third of them" wait_until 20 buckets_about 1365 1 2
requests 300 again
same "all answered" 300 "$(field again .answered)"
