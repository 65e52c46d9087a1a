# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: three sites with an address each on one farm of three hosts, on shared and on separate hosts, by rules for each address
# hosts: 3
# timeout: 900

NAMES=(www shop admin)
ADDRESSES=(192.0.2.10 192.0.2.11 192.0.2.12)
COUNT=240

# visit NAME: requests for all sites; a line of the table for each, as NAME says.
visit() {
	local i site
	for i in "${!NAMES[@]}"; do
		site=$1-${NAMES[i]}
		ask "$site" "$COUNT" --url "http://${ADDRESSES[i]}/" --parallel 16
		same "$1: ${NAMES[i]}: requests that were answered" "$COUNT" "$(field "$site" "r['answered']")"
		printf '  %-26s %-6s %-11s %7s %7s %7s %7s\n' "$1" "${NAMES[i]}" "${ADDRESSES[i]}" \
			"$(hosts_of "$site" 1)" "$(hosts_of "$site" 2)" "$(hosts_of "$site" 3)" "$(field "$site" "r['requests'] - r['answered']")" >>"$RUN/table"
	done
}

hosts_of() {
	field "$1" "r['hosts'].get('$2', 0)"
}

# by NAME "N…": these hosts and no others answered.
by() {
	same "$1: hosts that answered" "$2" "$(field "$1" "' '.join(r['hosts'])")"
}

for n in 1 2 3; do
	copy "$n" /etc/nginx/conf.d "$STORY/sites.conf"
done
farm 1 2 3
commands "1 2 3" hosts.sh

printf '  %-26s %-6s %-11s %7s %7s %7s %7s\n' '' site address 'host 1' 'host 2' 'host 3' failed >"$RUN/table"
visit "all three hosts"
by "all three hosts-www" "1 2"
by "all three hosts-shop" "2 3"
by "all three hosts-admin" "3"
# Two thirds, with four standard deviations of 240 clients.
within "www: host 1 has twice as much as host 2" "$(hosts_of "all three hosts-www" 1)" 131 189

tell "host 3: nlbadm drainstop"
check "host 3: nlbadm drainstop" guest 3 nlbadm drainstop --wait --timeout 60s
check "hosts 1 and 2 are left" wait_agree 60 1 2
visit "without host 3"
by "without host 3-www" "1 2"
by "without host 3-shop" "2"
by "without host 3-admin" "1"

tell "host 3: nlbadm start; host 1: nlbadm drain 192.0.2.10:80, of www alone"
guest 3 nlbadm start
check "all three are members again" wait_agree 120 1 2 3
check "host 1: www is drained" guest 1 nlbadm drain 192.0.2.10:80
visit "www drained on host 1"
by "www drained on host 1-www" "2"
by "www drained on host 1-shop" "2 3"
by "www drained on host 1-admin" "3"
guest 1 nlbadm enable 192.0.2.10:80
show <"$RUN/table"

# What has no rule that serves it is dropped, on every host.
check "port 22 of an address is not served" not client_program curl -sS --max-time 5 http://192.0.2.10:22/
tell "port 22 of 192.0.2.10: no answer (rule disabled)"
