# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: nlbd gives a rule up when its check is bad, never on the last host, never against the operator, and may be killed
# clock: counted
# timeout: 300

INTERVAL=500
FALL=2

# web N: an HTTP server on host N, which names itself at / and is well at /health
# while there is a file; ill N, well N: that file. Those who are connected stay so.
web() {
	mkdir -p "/run/test/web$1"
	touch "/run/test/web$1/health"
	cat >"/run/test/web$1/conf" <<-END
		daemon off; master_process off; pid /run/test/web$1/pid; error_log /run/test/web$1/errors;
		events { worker_connections 512; }
		http {
			access_log off; keepalive_timeout 0;
			client_body_temp_path /run/test/web$1; proxy_temp_path /run/test/web$1;
			fastcgi_temp_path /run/test/web$1; uwsgi_temp_path /run/test/web$1; scgi_temp_path /run/test/web$1;
			server {
				listen 80 backlog=512;
				$(printf 'listen %s; ' 81 82 83 84 85 86 87 88 89)
				location / { return 200 "host $1\n"; }
				location = /health { root /run/test/web$1; error_page 404 =500 /oops; }
			}
		}
	END
	background "h$1" "web$1" nginx -c "/run/test/web$1/conf" -e "/run/test/web$1/errors"
	wait_until 10 on "h$1" curl -s -o /run/test/null http://127.0.0.1/
}
ill() {
	rm "/run/test/web$1/health"
}
well() {
	touch "/run/test/web$1/health"
}

# daemon N: nlbd on host N; killed N: it is gone from one moment to the next. What it says is in its log, which costs
# less to look at than to ask: mark, said N TEXT: whether it has said so since.
declare -A MARK=()
mark() {
	local n
	for n in 1 2 3; do
		MARK[$n]=$(wc -l <"/run/test/nlbd$n.log")
	done
}
said() {
	tail -n "+$((MARK[$1] + 1))" "/run/test/nlbd$1.log" | grep -qF -- "$2"
}
daemon() {
	MARK[$1]=0
	background "h$1" "nlbd$1" nlbd "$CONFIG" --host "h$1" --run-directory "/run/test/nlbd$1"
	wait_until 10 test -S "/run/test/nlbd$1/nlbd.sock"
}
killed() {
	kill -9 "$(<"/run/test/nlbd$1.pid")"
	wait "$(<"/run/test/nlbd$1.pid")" || :
}

# checks N EXPRESSION: of what nlbd of host N tells; checks_are N EXPRESSION VALUE.
checks() {
	adm "h$1" -j checks --socket "/run/test/nlbd$1/nlbd.sock" | jq -rc "$2"
}
checks_are() {
	[ "$(checks "$1" "$2")" = "$3" ]
}

# rule_is N NUMBER STATE; owners_are NUMBER ID…: these hosts, and no others, own buckets of a rule.
rule_is() {
	[ "$(adm "h$1" -j rules | jq -r ".rules[$2].state")" = "$3" ]
}
owners_are() {
	local map=$1
	shift
	[ "$(adm h1 -j buckets | jq -r ".maps[$map].hosts | map(select(.buckets > 0).host_id) | join(\" \")")" = "$*" ]
}

# moved_since MS: the next time after that moment that buckets moved because of a weight.
moved_since() {
	while next_event 1 10 '*"event":"converged"*"cause":"weight"*'; do
		MOVED=$(date -d "$(jq -r .time <<<"$EVENT")" +%s%3N)
		[ "$MOVED" -lt "$1" ] || return 0
	done
	return 1
}

# used N: processor time of nlbd of host N, in us, all of its threads.
used() {
	cat /proc/"$(</run/test/nlbd"$1".pid)"/task/*/schedstat | awk '{ ns += $1 } END { printf "%d\n", ns / 1000 }'
}

hosts 3
load_module
for k in 1 2 3; do
	web "$k"
done
rules() {
	config 3 <<-END
		[[rule]]
		ports = 80
		protocols = "tcp"
		affinity = "none"
		[rule.check]
		type = "http"
		path = "/health"
		interval = "${1:-$INTERVAL}ms"
		timeout = "300ms"
		fall = $FALL

		[[rule]]
		ports = 81
		protocols = "tcp"
		mode = "single"
		[rule.check]
		type = "tcp"
		interval = "${1:-$INTERVAL}ms"
		timeout = "300ms"
		fall = $FALL
	END
}
rules
check "the file is right" nlbadm check "$CONFIG" --host h1
for k in 1 2 3; do
	check "host $k: from nothing" apply "$k"
	daemon "$k"
done
check "all are members" wait_agree 30 1 2 3
watch 1
for k in 1 2 3; do
	check "host $k is well" wait_until 20 said "$k" 'rule tcp 80: well'
done
same "checks tell it" '["well",false,"well",false]' "$(checks 1 '[.checks[] | .state, .given_up]')"

# A service that answers 500: its host gives it up, and takes it again when it is well.
load busy --sources 200 --interval-ms 50 --timeout-ms 8000
mark
ill 2
check "500: host 2 gives the rule up" wait_until 10 said 2 'given up: no new connections'
check "500: the rule drains" rule_is 2 0 draining
check "500: host 2 owns nothing of it" wait_until 5 owners_are 0 1 3
same "500: it says why" '["unwell",true,"given up","answered 500 Internal Server Error"]' \
	"$(checks 2 '.checks[0] | [.state, .given_up, .note, .message]')"
well 2
check "500: it takes the rule again" wait_until 10 said 2 'taken again'
check "500: the rule is enabled" rule_is 2 0 enabled

# Without nlbd nothing changes, however it ends.
for k in 1 2 3; do
	killed "$k"
done
check "all nlbd are killed: every host serves" owners_are 0 1 2 3
load_end busy
same "requests that failed meanwhile" 0 "$(field busy '.requests - .answered')"
for k in 1 2 3; do
	daemon "$k"
done

# A service that dies, and nlbd after it. What it gave up is found by the next one.
check "host 3 is well again" wait_until 10 said 3 'rule tcp 80: well'
load dead --sources 200 --interval-ms 50 --timeout-ms 1000
died=$(wall_ms)
kill_background web3
check "dead: host 3 gives the rule up" moved_since "$died"
within "dead: after so many ms" $((MOVED - died)) 0 $((INTERVAL * FALL + 100))
check "dead: the others have all of it" wait_until 5 owners_are 0 1 2
killed 3
load_end dead
note "requests that failed before that: $(field dead '.requests - .answered') of $(field dead .requests)"
web 3
check "nlbd is dead as well: the rule stays given up" rule_is 3 0 draining
daemon 3
check "the next nlbd takes it again" wait_until 10 said 3 'rule tcp 80: taken again'
check "and it is enabled" rule_is 3 0 enabled

# What an operator has disabled is left alone, whatever the check says.
adm h1 disable 0
mark
ill 1
check "operator: the check is bad" wait_until 10 said 1 'rule tcp 80: left alone: an operator'
check "operator: the rule stays disabled" rule_is 1 0 disabled
well 1
check "operator: the check is good" wait_until 10 said 1 'rule tcp 80: well'
check "operator: the rule stays disabled still" rule_is 1 0 disabled
adm h1 enable 0
# One that he enables though the check is bad stays enabled.
mark
ill 1
check "operator: given up" wait_until 10 said 1 'given up'
adm h1 enable 0
check "operator: it is seen" wait_until 10 said 1 'left to the operator'
check "operator: and stays" rule_is 1 0 enabled
mark
well 1
check "operator: the check is good again" wait_until 10 said 1 'rule tcp 80: well'

# All at once: the last host keeps it, and when that one stops the others take it again.
mark
for k in 1 2 3; do
	ill "$k"
done
for k in 1 2 3; do
	check "last: host $k is not well" wait_until 10 said "$k" 'unwell'
done
owner() {
	adm h1 -j buckets | jq -r '.maps[0].hosts | map(select(.buckets > 0).host_id) | if length == 1 then .[0] else "" end'
}
one_owner() {
	last=$(owner) && [ -n "$last" ]
}
check "last: one host has all of it" wait_until 10 one_owner
same "last: it says why" '[false,"kept: no other host takes it"]' "$(checks "$last" '.checks[0] | [.given_up, .note]')"
mark
adm "h$last" stop eth0
served() {
	local n
	for n in 1 2 3; do
		[ "$n" = "$last" ] || ! said "$n" 'taken again' || return 0
	done
	return 1
}
check "last: it is stopped, and another one takes the rule" wait_until 5 served
adm "h$last" start eth0
mark
for k in 1 2 3; do
	well "$k"
done
for k in 1 2 3; do
	check "last: host $k is well" wait_until 10 said "$k" 'rule tcp 80: well'
done
check "last: all serve" wait_until 10 owners_are 0 1 2 3

# A check by a program, for which the whole host drains; in the file of host 1 alone.
config 3 <<-END
	[[rule]]
	ports = 80
	protocols = "tcp"
	affinity = "none"

	[[rule]]
	ports = 81
	protocols = "tcp"
	mode = "single"
	[rule.check]
	type = "command"
	command = ["/bin/sh", "-c", "[ ! -e /run/test/down ] || { echo it is down; exit 2; }"]
	action = "drain"
	interval = "500ms"
	fall = 2
END
mark
kill -HUP "$(</run/test/nlbd1.pid)"
check "drain: a check by a program" wait_until 10 said 1 '1 check, 1 of them new'
touch /run/test/down
check "drain: the host is given up" wait_until 10 said 1 'this host: given up'
check "drain: it drains" state_is 1 draining
same "drain: it says why" '["unwell",true,"exit code 2: it is down"]' "$(checks 1 '.checks[0] | [.state, .given_up, .message]')"
rm /run/test/down
check "drain: it is taken again" wait_until 10 said 1 'this host: taken again'
check "drain: all are members" wait_agree 30 1 2 3

# A changed check is a matter of a reload; a file that is not right changes nothing; a check that is gone gives back.
rules 400
check "reload: the cluster has nothing to do" apply 1
check "reload: it says so" applied 'nothing to do: h1 is what the file says'
mark
kill -HUP "$(</run/test/nlbd1.pid)"
check "reload: both checks are new" wait_until 10 said 1 '2 checks, 2 of them new'
ill 1
check "reload: given up" wait_until 10 said 1 'given up'
cp "$CONFIG" /run/test/right.toml
echo 'wrong' >>"$CONFIG"
kill -HUP "$(</run/test/nlbd1.pid)"
check "reload: a file that is not right is told" wait_until 10 said 1 "$CONFIG line"
check "reload: and changes nothing" rule_is 1 0 draining
sed '/^\[rule.check\]/,/^fall/d' /run/test/right.toml >"$CONFIG"
kill -HUP "$(</run/test/nlbd1.pid)"
check "reload: without the check the rule is taken again" wait_until 10 said 1 'taken again'

# What ten checks cost that are good: memory, and processor time of ten seconds.
{
	printf '[cluster]\nname = "test"\nvips = ["%s"]\ninterface = "eth0"\n[host.h1]\nid = 1\n' "$VIP"
	for ((port = 80; port < 90; port++)); do
		printf '[[rule]]\nports = %s\n[rule.check]\ntype = "tcp"\n' "$port"
	done
} >"$CONFIG"
mark
kill -HUP "$(</run/test/nlbd1.pid)"
check "cost: ten checks" wait_until 10 said 1 '10 checks, 10 of them new'
ten_well() {
	[ "$(checks 1 '[.checks[] | select(.state == "well")] | length')" = 10 ]
}
check "cost: all are good" wait_until 10 ten_well
before=$(used 1)
pause 10
within "cost: us of a processor in 10 s" $(($(used 1) - before)) 1 50000
within "cost: kB resident" "$(awk '/^VmRSS/ { print $2 }' "/proc/$(</run/test/nlbd1.pid)/status")" 1 15360
