# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a cluster interface is renamed, set down, moved and made another kind, under traffic
# clock: real
# cpus: 2
# timeout: 300

cluster 3
load busy --sources 300 --interval-ms 25 --timeout-ms 3000
requests 100 warm

# A new name is no event for the cluster.
before=$(generation h1)
ip -n h2 link set eth0 name lan0
check "renamed: the cluster is known by the new name" members_are h2 lan0 1 2 3
code=0
adm h2 show eth0 >/run/test/out 2>&1 || code=$?
same "renamed: nlbadm on the old name: exit code" 5 "$code"
ip -n h2 link set lan0 name eth0
same "renamed: the generation" "$before" "$(generation h1)"

# A network with a VLAN id may use the VIP's address for itself, here in a
# namespace of its own; what it sends passes host 1's interface untouched.
add_netns v
ip -n h1 link add link eth0 name eth0.5 type vlan id 5
ip -n h1 link set eth0.5 netns v
ip -n v addr add "$VIP/24" dev eth0.5
ip -n v link set eth0.5 up
ip -n sw link add link br0 name br0.5 type vlan id 5
ip -n sw addr add 10.0.0.77/24 dev br0.5
ip -n sw link set br0.5 up
mended=$(counter h1 arp-leak-mended)
dropped=$(counter h1 arp-leak-dropped)
check "VLAN: the other network's machine is reached" \
	on v ping -q -c 1 -W 5 10.0.0.77
same "VLAN: its address is known by its own MAC" "$(host_mac 1)" \
	"$(ip -n sw -j neigh show "$VIP" dev br0.5 | jq -r '.[0].lladdr')"
same "VLAN: ARP mended" "$mended" "$(counter h1 arp-leak-mended)"
same "VLAN: ARP dropped" "$dropped" "$(counter h1 arp-leak-dropped)"
ip -n sw link del br0.5
del_netns v

# Down and up again: the others take over meanwhile.
ip -n h2 link set eth0 down
check "down: the others go on" wait_agree 30 1 3
ip -n h2 link set eth0 up
ip -n h2 route add "$SOURCES" via "$CLIENT"
check "up: host 2 is a member again" wait_agree 30 1 2 3

# Moved to another namespace, the interface has no cluster any more.
add_netns o
ip -n h3 link set eth0 netns o
check "moved: the others go on" wait_agree 30 1 2
same "moved: clusters left behind" 0 "$(adm h3 -j show | jq length)"
same "moved: clusters in the new namespace" 0 "$(adm o -j show | jq length)"
same "moved: what the interface still receives" 0 \
	"$(ip -n o -j maddr show dev eth0 | jq "[.[].maddr[] | select(.link == \"$VIRTUAL_MAC\")] | length")"
ip -n o link set eth0 netns h3
ip -n h3 link set eth0 up
ip -n h3 addr add 10.0.0.3/16 dev eth0
ip -n h3 route add "$SOURCES" via "$CLIENT"
join 3
check "moved back: host 3 is a member again" wait_agree 30 1 2 3

# To and fro, with the cluster made anew each time and never asked to stop.
for ((i = 0; i < 5; i++)); do
	ip -n h3 link set eth0 netns o
	ip -n o link set eth0 netns h3
	ip -n h3 link set eth0 up
	ip -n h3 addr add 10.0.0.3/16 dev eth0
	adm h3 up eth0 --cluster test --host-id 3 --vip "$VIP" --key-file "$KEY_FILE" --affinity none
	# It may find the cluster, or come too late.
	adm h3 start eth0 >/run/test/out 2>&1 || : &
	starting=$!
	ip -n h3 link set eth0 netns o
	wait "$starting"
	ip -n o link set eth0 netns h3
done
same "to and fro: clusters left" 0 "$(adm h3 -j show | jq length)"

# A bond is an Ethernet device until its first port makes it another kind.
ip -n h3 link add bond0 type bond mode active-backup
ip -n h3 link set bond0 up
adm h3 up bond0 --cluster other --host-id 1 --vip 10.9.0.1 --no-key
same "bond: clusters" 1 "$(adm h3 -j show | jq length)"
modprobe tun
ip -n h3 tuntap add dev tun1 mode tun
ip -n h3 link set tun1 master bond0
same "bond: its kind" "none" "$(ip -n h3 -j link show bond0 | jq -r '.[0].link_type')"
same "bond: clusters when it has become another kind" 0 "$(adm h3 -j show | jq length)"

load_end busy
check "the hosts that stayed agree" wait_agree 30 1 2
requests 200 after
same "all answered by them" 200 "$(field after .answered)"
