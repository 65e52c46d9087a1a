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
	adm "h$i" -j owner --batch </run/test/questions >"/run/test/answers$i.json"
	jq .owner "/run/test/answers$i.json" >"/run/test/owners$i"
	same "host $i: flows asked" 1000 "$(wc -l <"/run/test/owners$i")"
	same "host $i: flows where the owner is not who answered" 0 \
		"$(paste "/run/test/owners$i" /run/test/answers | awk '$1 != $2' | wc -l)"
	same "host $i: a first packet is served by the owner, and by nobody else" 0 \
		"$(jq -r --argjson id "$i" 'select(.first != (if .owner == $id then "accepted-owner"
			else "dropped-not-owner" end)) | .client' "/run/test/answers$i.json" | wc -l)"
done

# One flow as a person asks for it.
read -r question _ </run/test/questions
same "a single question" "$(head -n 1 /run/test/answers)" \
	"$(adm h2 -j owner "$question" "$VIP:80" eth0 | jq .owner)"
adm h3 owner "$question" "$VIP:80"

# What has no ports, on every host alike.
for proto in icmp gre esp ah; do
	answers=$(for i in 1 2 3; do
		adm "h$i" -j owner --proto "$proto" 10.1.0.1 "$VIP" eth0 | jq -c '[.owner, .reason, .bucket]'
	done | sort -u)
	note "$proto: $answers"
	same "$proto: what three hosts say" 1 "$(wc -l <<<"$answers")"
	served=$(for i in 1 2 3; do
		adm "h$i" -j owner --proto "$proto" 10.1.0.1 "$VIP" eth0 | jq -r 'select(.first | startswith("accepted-")) | 1'
	done | wc -l)
	same "$proto: hosts that would serve it" 1 "$served"
done
