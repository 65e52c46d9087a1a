# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a packet socket that lies about its frame's EtherType cannot bind a VIP to the NIC's own MAC
# timeout: 120

cluster 1
# The client believes each ARP message, however soon it follows another one.
on c sysctl -q net.ipv4.neigh.eth0.locktime=0
requests 20 first

# request TAG: an ARP request of host 1 to all, in the name of the VIP with the
# NIC's own MAC.
request() {
	local own=020000000001 vip=0a00000a client=0a000064
	printf 'ffffffffffff%s%s08060001080006040001%s%s000000000000%s\n' "$own" "$1" "$own" "$vip" "$client"
}
bound() {
	ip -n c -j neigh show "$VIP" | jq -r '.[0].lladdr'
}
mended() {
	[ $(($(counter h1 arp-leak-mended) + $(counter h1 arp-leak-dropped))) -ge "$1" ]
}

same "the client's neighbour entry" "$VIRTUAL_MAC" "$(bound)"
n=0
# Of the kernel's own words for ARP, for a local experiment, and for VLANs.
for told in 0806 88b6 8100; do
	# Untagged, and with a tag of a priority and no VLAN.
	for tag in '' 8100e000; do
		on h1 tt raw --dev eth0 --told "$told" "$(request "$tag")"
		n=$((n + 1))
		check "told $told${tag:+, tagged}: the guard has seen it" wait_until 5 mended "$n"
		# What this answers was sent after it on the same cable.
		on c arping -c 1 -w 5 -I eth0 10.0.0.1 >/run/test/arping.log
		same "told $told${tag:+, tagged}: the client's neighbour entry" "$VIRTUAL_MAC" "$(bound)"
	done
done
