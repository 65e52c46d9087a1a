# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: nlbadm owner names the host that really answers, on every host alike
# timeout: 300

cluster 3
requests 1000 real --sources 1000 --list /run/test/real.list
same "all answered" 1000 "$(field real .answered)"

# source port answer
awk '{ print $2, $3, $4 }' /run/test/real.list >/run/test/flows

# ask N: what host N says of each flow. One shell in the namespace asks for
# all of them.
ask() {
	# shellcheck disable=SC2016
	on "h$1" bash -c 'while read -r source port _; do
		nlbadm -j owner "$source:$port" "$0:80" eth0
	done </run/test/flows' "$VIP" | jq -r .owner
}

cut -d' ' -f3 /run/test/flows >/run/test/answers
for i in 1 2 3; do
	ask "$i" >"/run/test/owners$i"
	same "host $i: flows asked" 1000 "$(wc -l <"/run/test/owners$i")"
	same "host $i: flows where the owner is not who answered" 0 \
		"$(paste "/run/test/owners$i" /run/test/answers | awk '$1 != $2' | wc -l)"
done
