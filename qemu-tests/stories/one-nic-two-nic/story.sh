# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: hosts with one card in multicast mode, then with two in unicast mode: who reaches whom, and by which MAC
# hosts: 2
# timeout: 1200

# reaches TEXT N URL HOST: host N gets the page of this host.
reaches() {
	local got
	got=$(guest "$2" "curl -sS --max-time 30 $3 2>&1") || :
	printf '  %-44s %-22s %s\n' "$1" "$3" "$got" >>"$RUN/table"
	same "$1" "host $4" "$got"
}

# look MODE MAC: what clients and hosts see in this mode.
look() {
	check "$1: all requests are answered, by both hosts" wait_until 180 all_answer 1 2
	check "$1: the client's neighbour entry is the virtual MAC" wait_until 60 neighbour_is "$2"
	printf '  %-44s %-22s %s\n' "$1: the client asks who has the VIP" "$VIP" "$(neighbour)" >>"$RUN/table"
	same "$1: ports at which the switch has learned the virtual MAC" 0 \
		"$(client bridge fdb show br br0 | awk -v mac="$2" '$1 == mac && !/permanent/ { n++ } END { print n + 0 }')"
	for n in 1 2; do
		reaches "$1: host $n by the cluster's card" "$n" "http://192.0.2.$((3 - n))/" "$((3 - n))"
		reaches "$1: host $n by the other card" "$n" "http://192.168.0.$((3 - n))/" "$((3 - n))"
	done
	ask "$1" 60 --url http://192.0.2.2/ --parallel 8
	same "$1: 60 requests of clients to host 2's dedicated IP, by host 2" 60 "$(field "$1" "r['hosts'].get('2', 0)")"
	printf '  %-44s %-22s %s\n' "$1: 60 requests of clients" "http://192.0.2.2/" "$(field "$1" "r['hosts']")" >>"$RUN/table"
}

neighbour_is() {
	[ "$(neighbour)" = "$1" ]
}

# change N: the second file, applied.
change() {
	guest "$1" "$(grep -v '^#' "$STORY/change.sh")"
}

cp "$STORY/one.toml" "$RUN/web.toml"
prepare 1 2
join 1 2
check "the hosts are members" wait_agree 120 1 2
printf '  %-44s %-22s %s\n' '' to 'what answered' >"$RUN/table"
look multicast 03:bf:c0:00:02:0a

file_of_cluster two.toml 1 2
tell "hosts 1 2: $(grep -v '^#' "$STORY/change.sh")"
check "both hosts change the mode" at_once change 1 2
check "the hosts are members in unicast mode" wait_agree 120 1 2
# As routers do, the client keeps its entry until it asks again or is told.
look unicast 02:bf:c0:00:02:0a
show <"$RUN/table"

# The second network as a second path of heartbeats.
for n in 1 2; do
	copy "$n" /etc/systemd/system "$STORY/nlb-relay.service"
done
commands "1 2" relay.sh
both_paths() {
	[ "$(shown 1 "','.join(next(h['paths'] for h in r[0]['hosts'] if h['host_id'] == 2))")" = segment,relay ]
}
check "host 1 hears host 2 by both networks" wait_until 60 both_paths
tell "host 1: nlbadm"
guest 1 nlbadm | show
