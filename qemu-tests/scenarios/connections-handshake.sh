# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: connections that were half open when their bucket moved are finished where they were begun
# timeout: 200

FROM=10.2.0.0/16

cluster 2
for n in 1 2; do
	ip -n "h$n" route add "$FROM" via "$CLIENT"
done
capture wire sw pc "tcp port 80"
background c begun tt handshake --dev eth0 --from-mac 02:00:00:00:00:64 --to-mac "$VIRTUAL_MAC" \
	--to "$VIP:80" --from "$FROM" --count 90 --ready /run/test/begun.ready --until /run/test/begun.end
check "90 SYNs are answered" wait_until 30 test -e /run/test/begun.ready

add_host 3
ip -n h3 route add "$FROM" via "$CLIENT"
serve 3
join 3
check "a third host joins" wait_agree 30 1 2 3
check "it owns its share" wait_until 20 buckets_about 1365 1 3
# late: SYN-ACKs that the hosts without the bucket kept back.
late() {
	[ "$(($(counter h1 dropped-late-syn-ack) + $(counter h2 dropped-late-syn-ack)))" -ge 5 ]
}
check "SYN-ACKs are not sent again for buckets that moved" wait_until 20 late
touch /run/test/begun.end
finish begun
capture_end wire
cp /run/test/begun.log /run/test/begun.json
note "$(cat /run/test/begun.json)"
same "finished and answered" 90 "$(field begun .answered)"
same "answered twice" 0 "$(field begun .answered_twice)"
same "reset" 0 "$(field begun .reset)"
same "by the new host, which knows none of them" 0 "$(field begun '.hosts."3" // 0')"
check "a third of them at a host that did not own them any more" \
	[ "$(($(counter h1 accepted-residual) + $(counter h2 accepted-residual)))" -ge 15 ]
