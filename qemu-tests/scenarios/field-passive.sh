# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a rule whose clients get no answer is given up while other hosts answer, tried again, and taken again
# clock: counted
# timeout: 900
#
# Row 12 of the field, with health = "passive": a dead service and a firewall cost
# some clients a few seconds, and no more.

cat >/run/test/rules <<-'END'
	[[rule]]
	ports = "80"
	protocols = "tcp"
	affinity = "none"
	health = "passive"

	[[rule]]
	ports = "81"
	protocols = "tcp"
	mode = "single"
	health = "passive"

	[[rule]]
	ports = "82"
	protocols = "tcp"
	affinity = "none"
END
cluster 2 --vip "$VIP6" --rules /run/test/rules
for n in 1 2; do
	background "h$n" "more$n" tt serve --id "$n" --listen "[::]:81" --listen "[::]:82"
	wait_until 10 logged_line "more$n" serving
	watch "$n"
done

# rule N RULE FIELD: what host N says of a rule; stance_is N RULE WORD; share N RULE: its
# buckets; share_is N RULE BUCKETS.
rule() {
	adm "h$1" -j rules eth0 | jq -r ".rules[$2].$3"
}
stance_is() {
	[ "$(rule "$1" "$2" stance)" = "$3" ]
}
share() {
	rule "$1" "$2" buckets
}
share_is() {
	[ "$(share "$1" "$2")" = "$3" ]
}
told() {
	next_event "$1" 10 "*\"event\":\"rule-health\"*\"rule\":$2,\"health\":\"$3\"*\"stance\":\"$4\"*"
}
# clients NAME PORT [6]: connections that come while the rest goes on.
clients() {
	local to=$VIP from=$SOURCES
	[ "${3:-4}" = 4 ] || to="[$VIP6]" from=fd01::/64
	on c tt connect --to "$to:$2" --from "$from" --count 60 --timeout-ms 300 >"/run/test/$1.json"
	note "$1: $(cat "/run/test/$1.json")"
}
# all_of NAME N PORT [6]: all clients are answered, by host N.
all_of() {
	clients "$1" "$3" "${4:-4}"
	same "$1: all are answered by host $2" "{\"$2\":60}" "$(field "$1" '.hosts | tostring')"
}
# asked_until SECONDS [PORT] COMMAND…: waits for it while clients come.
asked_until() {
	local end=$((SECONDS + $1)) port=80
	shift
	case $1 in [0-9]*)
		port=$1
		shift
		;;
	esac
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		on c tt connect --to "$VIP:$port" --from "$SOURCES" --count 20 --timeout-ms 300 >/dev/null
		# To look costs more than to wait, which the clock skips.
		pause 1
	done
}

same "the action is told" "passive passive report" \
	"$(rule 1 0 health_action) $(rule 1 1 health_action) $(rule 1 2 health_action)"
clients healthy 80
same "healthy: all are answered" 60 "$(field healthy .answered)"

for family in 4 6; do
	# A dead service.
	before=$(share 2 0)
	generation=$(adm h1 -j show eth0 | jq '.[0].generation')
	kill_background serve2
	clients "dead$family" 80 "$family"
	check "dead$family: host 2 gives the rule up" asked_until 30 stance_is 2 0 gave-up
	check "dead$family: told as an event" told 2 0 refuses gave-up
	check "dead$family: in the kernel's log" grep -q "nlb: rule 0: given up" <<<"$(dmesg)"
	check "dead$family: it has no bucket of the rule" wait_until 5 share_is 2 0 0
	check "dead$family: it keeps those of the other rules" [ "$(share 2 2)" -gt 0 ]
	all_of "dead$family-given-up" 1 80 "$family"
	check "dead$family: in show" grep -q "PROBLEM: rule 0 .*gave the rule up" <<<"$(adm h2 show eth0)"
	check "dead$family: the other host tells it" grep -q "^ *2 .*gave 1 rule up" <<<"$(adm h1 show eth0)"
	same "dead$family: both are members" "1,2" "$(adm h2 -j show eth0 | jq -r '.[0].members | join(",")')"
	same "dead$family: why the cluster converged" health "$(adm h1 -j history eth0 | jq -r '.history | max_by(.generation).cause')"
	check "dead$family: one change was enough" \
		[ "$(adm h1 -j show eth0 | jq '.[0].generation')" = $((generation + 1)) ]
	[ "$family" = 4 ] || break

	# The service is back. It tries a few, and then takes its share.
	serve 2
	pause 25
	check "dead$family: it tries again" wait_until 30 stance_is 2 0 tries
	tried=$(share 2 0)
	note "dead$family: it tries $tried buckets of $((before * 2))"
	check "dead$family: a few" [ "$((tried > 0 && tried <= before / 16))" = 1 ]
	check "dead$family: it takes its share again" asked_until 90 stance_is 2 0 takes
	check "dead$family: told as an event" told 2 0 answers takes
	check "dead$family: as many buckets as before" wait_until 5 share_is 2 0 "$before"
	clients "dead$family-back" 80 "$family"
	same "dead$family-back: all are answered" 60 "$(field "dead$family-back" .answered)"
	# What was found out is forgotten when a host starts anew.
	adm h2 stop eth0
	adm h2 start eth0
	wait_agree 30 1 2
done
serve 2
adm h2 stop eth0
adm h2 start eth0
wait_agree 30 1 2
same "a host that starts anew takes all rules" takes "$(rule 2 0 stance)"

# Mode single: the next host takes all of it.
same "single: host 1 has the rule" 0 "$(share 2 1)"
on h1 nft 'add table inet fw; add chain inet fw in { type filter hook input priority 0; }
	add rule inet fw in tcp dport 81 drop'
clients "single" 81
same "single: one burst is no reason" takes "$(rule 1 1 stance)"
check "single: host 1 gives it up" asked_until 30 81 stance_is 1 1 gave-up
all_of "single-given-up" 2 81
on h1 nft delete table inet fw

# No host answers: nothing is given up for nothing, and the first that answers again has all clients.
kill_background serve1
kill_background serve2
clients "nobody" 80
for n in 1 2; do
	check "nobody: host $n has found out" asked_until 30 stance_is "$n" 0 gave-up
done
check "nobody: every bucket has an owner" [ $(($(share 1 0) + $(share 2 0))) = $((before * 2)) ]
serve 1
pause 25
check "nobody: host 1 answers again" asked_until 60 stance_is 1 0 takes
all_of "nobody-but-1" 1 80
# And if it leaves, the other serves on.
serve 2
adm h1 stop eth0
check "nobody: host 2 is the last" wait_until 20 share_is 2 0 $((before * 2))
all_of "last" 2 80
check "nobody: host 2 has found out" asked_until 60 stance_is 2 0 takes

# A rule that only reports is not given up.
adm h1 start eth0
wait_agree 30 1 2
kill_background more2
clients reported 82
health_is() {
	[ "$(rule "$1" "$2" health)" = "$3" ]
}
check "report: noticed" wait_until 10 health_is 2 2 refuses
clients reported 82
same "report: the rule is not given up" takes "$(rule 2 2 stance)"
check "report: nor its buckets" [ "$(share 2 2)" -gt 0 ]
