# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: nlbadm owner names the host that really answers, on every host alike
# timeout: 300

cluster 3
requests 1000 real --sources 1000 --list /run/test/real.list
same "all answered" 1000 "$(field real .answered)"

# "start source port host connect" → questions and answers
awk -v vip="$VIP" '{ print $2 ":" $3, vip ":80" }' /run/test/real.list >/run/test/questions
awk '{ print $4 }' /run/test/real.list >/run/test/answers

for i in 1 2 3; do
	adm "h$i" -j owner --batch </run/test/questions | jq .owner >"/run/test/owners$i"
	same "host $i: flows asked" 1000 "$(wc -l <"/run/test/owners$i")"
	same "host $i: flows where the owner is not who answered" 0 \
		"$(paste "/run/test/owners$i" /run/test/answers | awk '$1 != $2' | wc -l)"
done

# One flow as a person asks for it.
read -r question _ </run/test/questions
same "a single question" "$(head -n 1 /run/test/answers)" \
	"$(adm h2 -j owner "$question" "$VIP:80" eth0 | jq .owner)"
adm h3 owner "$question" "$VIP:80"
