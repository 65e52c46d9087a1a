# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a container's published port behind the VIP, with podman's own firewall rules: downloads go on while a host joins and another drains
# hosts: 3
# timeout: 1800

DOWNLOADS=24

# downloads_begin NAME, downloads_end NAME: slow downloads, each on a connection that goes on
# while the cluster changes.
downloads_begin() {
	client python3 -B "$TOOLS/slow.py" --url "http://$VIP/large" --clients "$DOWNLOADS" --ready "$RUN/$1.ready" \
		--until "$RUN/$1.go" >"$RUN/$1.json" &
	SLOW_PID=$!
	defer touch "$RUN/$1.go"
	check "$1: $DOWNLOADS downloads have begun" wait_until 120 [ -e "$RUN/$1.ready" ]
}

downloads_end() {
	touch "$RUN/$1.go"
	check "$1: the downloads come to their end" wait "$SLOW_PID"
	note "$1: $(cat "$RUN/$1.json")"
	same "$1: downloads that are whole" "$DOWNLOADS" "$(field "$1" "r['whole']")"
	tell "$1: $(field "$1" "r['whole']") of $DOWNLOADS downloads are whole"
}

for n in 1 2 3; do
	guest "$n" "mkdir -p /etc/containers/systemd && { head -c 2000000 /dev/zero | tr '\\0' .; cat /var/www/html/index.html; } >/var/www/html/large"
	copy "$n" /etc/containers/systemd "$STORY/web.container"
done
commands "1 2 3" image.sh
commands "1 2 3" hosts.sh
tell "host 1: podman ps"
guest 1 podman ps | show
prepare 1 2 3
join 1 2
check "hosts 1 and 2 are members" wait_agree 120 1 2
check "all requests are answered, by both hosts" wait_until 180 all_answer 1 2

load_client busy --interval-ms 200
downloads_begin join
event "host 3 joins"
join 3
check "three are members" wait_agree 120 1 2 3
event "host 3 is a member"
run_for 6000
downloads_end join

downloads_begin drain
event "host 1: nlbadm drainstop"
guest 1 nlbadm drainstop
run_for 6000
tell "host 1: nlbadm connections"
guest 1 nlbadm connections | show
same "host 1 has not left while its downloads go on" draining "$(shown 1 "r[0]['state']")"
touch "$RUN/drain.go"
check "host 1 leaves when its downloads have ended" wait_until 180 agree 2 3
event "host 1 has left"
downloads_end drain
run_for 4000
load_client_end busy
timeline busy --step-ms 2000
same "requests that failed" 0 "$(field busy "r['requests'] - r['answered']")"
same "hosts that answered" "1 2 3" "$(field busy "' '.join(r['hosts'])")"
check "host 3 forwards what it takes to its container" guest 3 "conntrack -L -p tcp 2>/dev/null | grep -q 'dst=$VIP .* src=10.88'"
