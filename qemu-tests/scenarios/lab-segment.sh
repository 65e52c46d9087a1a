# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the segment, the servers and the counting tools work without nlb
# topology: one-guest
#
# One host holds the address in the ordinary way. If this fails, no other
# result means anything.

hosts 3
ip -n h1 addr add "$VIP/16" dev eth0
background h1 serve1 tt serve --id 1 --listen "$VIP:80" --listen-udp "$VIP:53"
wait_until 10 logged_line serve1 serving

capture wire sw pc tcp or arp
on c tt connect --to "$VIP:80" --from "$SOURCES" --count 500 >/run/test/connect.json
capture_end wire
note "$(cat /run/test/connect.json)"
note "$(cat /run/test/wire.json)"

same "all answered" 500 "$(field connect '.hosts."1"')"
same "one SYN each in the capture" 500 "$(field wire .syn)"
same "one SYN-ACK each in the capture" 500 "$(field wire .synack_frames)"
no_reset wire "no reset"
same "the address is bound to its owner's MAC" "$(host_mac 1)" \
	"$(field wire ".bindings.\"$VIP\" | join(\",\")")"

on c tt connect --udp --to "$VIP:53" --from "$SOURCES" --count 20 >/run/test/udp.json
same "datagrams answered" 20 "$(field udp '.hosts."1"')"

# A port without a server must show as refusals: the tools can fail.
on c tt connect --to "$VIP:81" --from "$SOURCES" --count 5 >/run/test/refused.json
same "refusals are counted" 5 "$(field refused .failures.refused)"
