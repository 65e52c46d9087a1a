# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: one host has others start, stop, drain and change: with the control key alone, a line for each, and all at once
# clock: counted
# timeout: 300

# A cluster is found by its file at the place where nlbadm looks.
CONTROL=/run/test/test.control
mkdir -p /etc/nlb
ln -sf "$CONFIG" "/etc/nlb/test.toml"

# daemon N: nlbd of host N. That of host 1 is where nlbadm asks.
daemon() {
	local directory=/run/nlb
	[ "$1" = 1 ] || directory=/run/test/nlbd$1
	background "h$1" "nlbd$1" nlbd "$CONFIG" --host "h$1" --run-directory "$directory"
	wait_until 10 logged_line "nlbd$1" 'nlbd: 0 checks'
}

# from N VERB…: host N asks; what it prints is in /run/test/answer. The exit code.
from() {
	local n=$1 code=0
	shift
	adm "h$n" -j "$@" >/run/test/answer 2>/run/test/why || code=$?
	note "host $n: $*: $(jq -c '[.hosts[]? | [.host_id, .done, .message]]' /run/test/answer) $(cat /run/test/why)"
	return "$code"
}

# host N FILTER: of what host N is said to have answered.
host() {
	jq -r ".hosts[] | select(.host_id == $1) | $2" /run/test/answer
}
# all_done N…: exactly these hosts have done it.
all_done() {
	[ "$(jq -r '[.hosts[] | select(.done).host_id] | join(" ")' /run/test/answer)" = "$*" ]
}

hosts 3
load_module
for k in 1 2 3; do
	serve "$k"
done
(umask 077 && nlbadm genkey >"$CONTROL")
config 3 'remote-control = true' "control-key-file = \"$CONTROL\"" <<-END
	[[rule]]
	ports = 80
	protocols = "tcp"
	affinity = "none"
END
for k in 1 2 3; do
	check "host $k: from nothing" apply "$k"
done
check "all are members" wait_agree 30 1 2 3

check "without nlbd elsewhere: refused" not from 1 stop --on 2,3
check "each host is named, with what helps" [ "$(jq '[.hosts[] | select(.message | contains("does nlbd run there"))] | length' /run/test/answer)" = 2 ]
check "nothing has changed" agree 1 2 3
for k in 1 2 3; do
	daemon "$k"
	check "host $k: it says that it can be controlled" logged_line "nlbd$k" 'remote control of test: port 2504'
done

# Hosts leave and come back. One that is stopped is not heard any more.
load planned --interval-ms 20
check "host 1 stops host 3" from 1 stop --on 3
check "host 3 has left" state_is 3 stopped
check "host 3 says who asked" logged_line nlbd3 'remote control of test: 10.0.0.1: stop: done'
check "host 1 starts host 3 again, by its name" from 1 start --on h3
check "host 3 is back" wait_agree 30 1 2 3
check "host 2 drains and stops host 1 and itself, and waits" from 2 drainstop --wait --timeout 30 --on 1-2
check "both have done it" all_done 1 2
check "host 1 has stopped" state_is 1 stopped
check "host 2 has stopped" state_is 2 stopped
check "host 3 is alone" wait_agree 30 3
check "host 3 starts all: no address of some is needed from heartbeats" from 3 start --on all
check "all are back" wait_agree 30 1 2 3
load_end planned
same "requests that failed meanwhile" 0 "$(field planned ".requests - .answered")"

# Suspended: deaf to all but resume.
check "host 1 suspends host 2" from 1 suspend --on 2
check "a start is refused" not from 1 start --on 2
check "the answer says why" [ "$(host 2 '.message | test("suspend")')" = true ]
check "host 2 is suspended still" state_is 2 suspended
check "resume is not" from 1 resume --on 2
check "it is stopped then" state_is 2 stopped
check "and starts" from 1 start --on 2
check "all are members again" wait_agree 30 1 2 3

# Of a rule.
check "host 1: rule 0 is disabled on host 2" from 1 disable all:80 --on 2
same "host 2: its state there" disabled "$(adm h2 -j rules | jq -r '.rules[0].state')"
same "host 3: it is enabled" enabled "$(adm h3 -j rules | jq -r '.rules[0].state')"
check "host 1: enabled on all" from 1 enable 0 --on all
check "a rule that is not there" not from 1 enable 7 --on all
check "no host has done it" all_done
same "host 2: it is enabled" enabled "$(adm h2 -j rules | jq -r '.rules[0].state')"

# What all share: from one host, in force on all as one change, under load.
load shared --interval-ms 20
check "host 2: a weight of host 3" from 2 set --weight 10 --on 3
same "host 3: its weight" 10 "$(shown 3 '.[0].weight')"
check "host 2: the period of all" from 2 set --period 100ms --on all
check "host 2: a VIP for all" from 2 vip add 10.0.0.77 --on all
cat >/run/test/rules.toml <<-END
	[[rule]]
	ports = "80-81"
	protocols = "tcp"
	affinity = "none"
END
check "host 2: rules for all" from 2 rules apply /run/test/rules.toml --on all
in_force() {
	local k
	for k in 1 2 3; do
		[ "$(shown "$k" '.[0] | [.period_ms, (.vips | length), .pending] | join(" ")')" = "100 2 " ] &&
			[ "$(adm "h$k" -j rules | jq -r '.rules[0].last_port')" = 81 ] || return
	done
}
check "all is in force on all" wait_until 10 in_force
load_end shared
same "requests that failed meanwhile" 0 "$(field shared ".requests - .answered")"
buckets_are() {
	[ "$(adm "h$1" -j rules | jq '.rules[0].buckets')" "$2" 0 ]
}
check "host 2: no share of a rule for host 3" from 2 set --rule all:80 --weight 0 --on 3
check "host 3: it has no bucket of the rule" wait_until 10 buckets_are 3 -eq
check "host 2: a share again" from 2 set --rule all:80 --weight 10 --on 3
check "host 3: it has buckets of the rule" wait_until 10 buckets_are 3 -gt
check "host 2: a period for hosts 1 and 2 alone" from 2 set --period 150ms --on 1,2
same "the answer says whom it waits for" 3 "$(jq -r '.waits_for | join(" ")' /run/test/answer)"
check "host 2: forgotten there" from 2 set --withdraw --on 1,2
check "nothing waits" wait_until 10 in_force

# Without the key, or with that of the heartbeats.
cp "$CONTROL" /run/test/right
(umask 077 && nlbadm genkey >"$CONTROL")
check "another key" not from 1 stop --on 2
check "the answer says so" [ "$(host 2 '.message | test("another control key")')" = true ]
check "host 2 counts it" wait_until 5 logged_line nlbd2 'it has another control key'
cp "$KEY_FILE" "$CONTROL"
check "the key of the heartbeats is no control key" not from 1 stop --on 2
check "nlbadm says so" grep -q 'is that of the heartbeats' /run/test/why
cp /run/test/right "$CONTROL"
chmod 644 "$CONTROL"
check "a key that others can read" not from 1 stop --on 2
chmod 600 "$CONTROL"
on h1 bash -c 'head -c 100000 /dev/urandom >/dev/tcp/10.0.0.2/2504' || :
check "host 2 serves on" agree 1 2 3
check "and does what it is asked for" from 1 announce --on 2
check "no connection to the VIP is answered" not on c bash -c "exec 3<>/dev/tcp/$VIP/2504 && printf x >&3 && read -r -t 5 -N 1 <&3"
check "a host that there is none of" not from 1 stop --on 9
check "a name that is not known" not from 1 stop --on web9
check "a drain without end is not waited for" not from 1 drainstop --wait --on 2

# Switched off.
sed -i '/control/d' "$CONFIG"
kill -HUP "$(<"/run/test/nlbd2.pid")"
check "host 2: off" wait_until 10 logged_line nlbd2 'remote control: off'
check "host 2: nobody listens" not on h1 bash -c 'true >/dev/tcp/10.0.0.2/2504'
check "host 1: nlbadm says that it is off" not from 1 stop --on 2
check "with what switches it on" grep -q 'remote-control = true' /run/test/why
check "all are members to the end" agree 1 2 3
