# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the rules of a running cluster change under load, and no connection breaks
# timeout: 400

in_force() {
	local i
	for i in 1 2 3; do
		[ "$(adm "h$i" -j show eth0 | jq -c '.[0] | [.rules, .pending]')" = "[$1,null]" ] || return 1
	done
}

# change RULES: standard input on every host, one after the other.
change() {
	local i
	cat >/run/test/new.toml
	for i in 3 1; do
		adm "h$i" rules apply /run/test/new.toml eth0
	done
	same "rules wait for host 2" '[2]' "$(adm h1 -j show eth0 | jq -c '.[0].pending_hosts')"
	same "and say so to people" 1 "$(adm h3 show eth0 | grep -c 'wait until host 2 has the same')"
	adm h2 -j rules apply /run/test/new.toml eth0 >/run/test/applied.json
	same "the last host waits for nobody" true "$(field applied .in_force)"
	check "$1 rules in force on all hosts" wait_until 10 in_force "$1"
}

cluster 3
capture wire sw pc "tcp port 80 and $TURNS"
background c held tt hold --to "$VIP:80" --from "$SOURCES" --count 400 --interval-ms 1000 \
	--ready /run/test/held.ready --until /run/test/held.end
wait_until 60 test -e /run/test/held.ready
load busy --sources 200 --interval-ms 20 --timeout-ms 8000

# Port 80 comes under a rule of its own, with another affinity and another map.
change 2 <<'END'
[[rule]]
ports = 443
protocols = "tcp"
weights = { 1 = 100, 2 = 0, 3 = 0 }

[[rule]]
ports = 80
affinity = "single"
END
steady 2500 true

# It moves to another place in the list, and to one host.
change 3 <<'END'
[[rule]]
ports = 80
mode = "single"
priorities = { 1 = 3, 2 = 1, 3 = 2 }

[[rule]]
ports = 443

[[rule]]
ports = "8000-8099"
END
steady 2500 true

# No rule at all: the default host.
change 0 <<'END'
END
steady 2500 true

# Rules that wait can be withdrawn, and others are refused meanwhile.
printf '[[rule]]\nports = 80\n' >/run/test/one.toml
printf '[[rule]]\nports = 81\n' >/run/test/other.toml
printf '# none\n' >/run/test/none.toml
adm h1 rules apply /run/test/one.toml
code=0
adm h1 rules apply /run/test/other.toml >/run/test/out 2>&1 || code=$?
same "other rules while some wait: exit code" 7 "$code"
check "and the message says what to do" grep -q 'withdraw' /run/test/out
check "and which attribute it is about" grep -q 'attribute rule\.' /run/test/out
note "$(cat /run/test/out)"
adm h1 rules apply /run/test/none.toml
same "withdrawn" null "$(adm h1 -j show eth0 | jq -r '.[0].pending')"

touch /run/test/held.end
finish held
cp /run/test/held.log /run/test/held.json
note "$(cat /run/test/held.json)"
load_end busy
capture_end wire
same "connections" 400 "$(field held .connections)"
same "broken" 0 "$(field held .broken)"
same "failed new requests" 0 "$(field busy '.requests - .answered')"
no_reset wire "resets on the wire"
