# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what a host begins from a VIP comes home, whoever owns the bucket
# timeout: 200

cluster 3
# A server out there, which is a client of nobody.
background c out tt serve --id 99 --listen "$CLIENT:8000" --listen-udp "$CLIENT:5300"
wait_until 10 logged_line out serving
capture wire sw pc "tcp port 8000 and $TURNS"

for n in 1 2 3; do
	on "h$n" tt connect --to "$CLIENT:8000" --from "$VIP/32" --count 60 >"/run/test/tcp$n.json"
	note "host $n: $(cat "/run/test/tcp$n.json")"
	same "connections that host $n opened from the VIP" 60 "$(field "tcp$n" .answered)"
	on "h$n" tt datagrams --to "$CLIENT:5300" --from "$VIP/32" --count 60 --setup-s 10 >"/run/test/udp$n.json"
	same "questions by UDP that it sent from the VIP" 60 "$(field "udp$n" .sessions)"
	check "and pings" on "h$n" ping -c 3 -i 0.2 -W 2 -I "$VIP" "$CLIENT"
done
capture_end wire
no_reset wire "resets of the owners"
residual=0
for n in 1 2 3; do
	residual=$((residual + $(counter "h$n" accepted-residual)))
done
check "most were of buckets of others" [ "$residual" -gt 200 ]
