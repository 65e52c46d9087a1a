# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: connections that transfer all the time survive joins, leaves and weights
# timeout: 300

cluster 3
capture wire sw pc "tcp port 80 and tcp[tcpflags] & tcp-rst != 0"
background c held tt hold --to "$VIP:80" --from "$SOURCES" --count 600 --interval-ms 1000 \
	--ready /run/test/held.ready --until /run/test/held.end
wait_until 60 test -e /run/test/held.ready
note "held: $(tr '\n' ' ' </run/test/held.ready)"
load busy --sources 200 --interval-ms 20 --timeout-ms 8000

adm h2 drain eth0
check "host 2 owns nothing while it drains" wait_until 20 buckets_are 1 2 0
steady 2500 true
adm h2 start eth0
check "host 2 owns its share again" wait_until 20 buckets_about 1365 1 2
adm h1 set --weight 10 eth0
steady 2500 true
adm h1 set --weight 50 eth0
add_host 4
serve 4
join 4
check "a fourth host joins" wait_agree 20 1 2 3 4
steady 2500 true

touch /run/test/held.end
finish held
cp /run/test/held.log /run/test/held.json
note "$(cat /run/test/held.json)"
load_end busy
capture_end wire
same "connections" 600 "$(field held .connections)"
same "broken" 0 "$(field held .broken)"
check "messages went all the time" [ "$(field held .messages)" -gt 3000 ]
same "failed new requests" 0 "$(field busy '.requests - .answered')"
same "resets on the wire" 0 "$(field wire .rst)"
