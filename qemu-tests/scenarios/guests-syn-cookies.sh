# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: connections begun with SYN cookies are finished by the host that made the cookie
# topology: guests
#
# The secret of the cookies is each kernel's own, so one guest cannot show it.

FROM=10.2.0.0/16

for n in 1 2 3; do
	guest "$n" "sysctl -q net.ipv4.tcp_syncookies=2; ip route add $FROM via 10.0.0.100"
done
join 1
join 2
wait_agree 60 1 2
mac=$(client ip -brief link show dev c0 | awk '{ print $3 }')
client tt handshake --dev c0 --from-mac "$mac" --to-mac "$VIRTUAL_MAC" --to "$VIP:80" \
	--from "$FROM" --count 90 --ready "$RUN/begun.ready" --until "$RUN/begun.end" >"$RUN/begun.json" &
begun=$!
defer touch "$RUN/begun.end"
begun_all() {
	test -e "$RUN/begun.ready"
}
check "90 SYNs are answered" wait_until 40 begun_all
join 3
check "a third host joins" wait_agree 60 1 2 3
run_for 1000
touch "$RUN/begun.end"
wait "$begun"
note "$(cat "$RUN/begun.json")"
same "finished and answered" 90 "$(field begun "r['answered']")"
same "reset" 0 "$(field begun "r['reset']")"
same "by the new host, which did not make the cookies" 0 "$(field begun "r['hosts'].get('3', 0)")"
