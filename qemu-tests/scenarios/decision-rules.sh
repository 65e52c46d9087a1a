# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: port rules decide as they say: weights, filtering modes, and one rule on one host
# timeout: 600

# rules_file NAME: standard input becomes /run/test/NAME.toml.
rules_file() {
	cat >"/run/test/$1.toml"
	nlbadm rules check "/run/test/$1.toml"
}

# rule_of N RULE FIELD: what host N says of a rule.
rule_of() {
	adm "h$1" -j rules | jq -r ".rules[$2].$3"
}

rule_is() {
	[ "$(rule_of "$1" "$2" "$3")" = "$4" ]
}

# shares: who would serve 30,000 clients of a port, by the decision itself:
# a line "host count" for each.
shares() {
	awk -v vip="$VIP" -v port="$1" 'BEGIN {
		for (n = 0; n < 30000; n++)
			printf "10.1.%d.%d:%d %s:%d\n", n / 256 % 256, n % 256, 1024 + n, vip, port
	}' >/run/test/clients
	adm h1 -j owner --batch </run/test/clients | jq -r .owner | sort -n | uniq -c |
		awk '{ printf "%s %.2f\n", $2, $1 * 100 / 30000 }'
}

# to PORT COUNT NAME: requests to a port.
to() {
	local port=$1 count=$2 name=$3
	shift 3
	on c tt connect --to "$VIP:$port" --from "$SOURCES" --count "$count" "$@" >"/run/test/$name.json"
}

rules_file weights <<'END'
[[rule]]
affinity = "none"
weights = { 1 = 30, 2 = 60, 3 = 10 }
END
rules_file recipes <<'END'
[[rule]]
ports = 443
protocols = "tcp"
weights = { 1 = 100, 2 = 0, 3 = 0 }

[[rule]]
ports = 8080
mode = "single"
priorities = { 1 = 2, 2 = 1, 3 = 3 }

[[rule]]
ports = 8081
mode = "disabled"

[[rule]]
ports = "80-90"
affinity = "none"
END

hosts 3
load_module
make_key
for i in 1 2 3; do
	background "h$i" "serve$i" tt serve --id "$i" --listen "[::]:80" --listen "[::]:443" \
		--listen "[::]:8080" --listen "[::]:8081" --listen "[::]:9000"
	wait_until 10 logged_line "serve$i" serving
	join "$i" --rules /run/test/weights.toml
done
wait_converged 3

for pair in 1:1229 2:2457 3:410; do
	within "buckets of host ${pair%:*} of weights 30, 60, 10" \
		"$(rule_of "${pair%:*}" 0 buckets)" "$((${pair#*:} - 1))" "$((${pair#*:} + 1))"
done
shares 80 >/run/test/shares
note "30,000 clients: $(tr '\n' ',' </run/test/shares)"
for pair in 1:30 2:60 3:10; do
	want=${pair#*:}
	within "share of host ${pair%:*} of 30,000 clients" \
		"$(awk -v id="${pair%:*}" '$1 == id { print $2 }' /run/test/shares)" "$((want - 1))" "$((want + 1))"
done
# The decision that is explained is the one that is made.
requests 600 real --list /run/test/real.list
same "all answered" 600 "$(field real .answered)"
awk -v vip="$VIP" '{ print $2 ":" $3, vip ":80" }' /run/test/real.list >/run/test/questions
adm h2 -j owner --batch </run/test/questions | jq .owner >/run/test/owners
same "requests that another host than the owner answered" 0 \
	"$(awk '{ print $4 }' /run/test/real.list | paste /run/test/owners - | awk '$1 != $2' | wc -l)"

# Other rules: they wait until the last host has them.
for i in 1 2 3; do
	adm "h$i" rules apply /run/test/recipes.toml eth0
done
for i in 1 2 3; do
	check "host $i: the new rules are in force" wait_until 10 rule_is "$i" 3 last_port 90
	same "host $i: nothing waits" null "$(adm "h$i" -j show eth0 | jq -r '.[0].pending')"
done
adm h1 rules

# The SSL recipe of the Windows article.
to 443 200 ssl
same "port 443: all answered" 200 "$(field ssl .answered)"
same "port 443: all by host 1" 200 "$(field ssl '.hosts."1"')"
to 80 200 web
same "port 80: all answered" 200 "$(field web .answered)"
same "port 80: by all hosts" 3 "$(field web '.hosts | length')"

# A single host serves, in the order of handling priority.
to 8080 50 single
same "single: all by host 2" 50 "$(field single '.hosts."2"')"
leave 2
wait_agree 20 1 3
to 8080 50 next
same "single: without host 2 all by host 1" 50 "$(field next '.hosts."1"')"
join 2 --rules /run/test/recipes.toml
wait_converged 3
to 8080 50 back
same "single: host 2 is back" 50 "$(field back '.hosts."2"')"

# What is disabled is dropped by all, what no rule covers is the default host's.
before=$(counter h2 dropped-disabled)
to 8081 5 disabled --timeout-ms 500
same "disabled: none answered" 0 "$(field disabled .answered)"
check "disabled: counted" [ "$(counter h2 dropped-disabled)" -ge "$((before + 5))" ]
# The rule tells its own reasons: all of these packets, and nothing else.
of_rule() {
	adm h2 -j counters eth0 --rule "$1" | jq -c .counters
}
same "the disabled rule alone" "{\"dropped-disabled\":$(counter h2 dropped-disabled)}" "$(of_rule 2)"
same "the reasons of all rules add up to what rule 0 served and dropped" \
	"$(adm h2 -j rules eth0 | jq -c '.rules[0] | [.accepted, .dropped]')" \
	"$(of_rule 0 | jq -c 'to_entries | [(map(select(.key | startswith("accepted-")).value) | add // 0),
		(map(select(.key | startswith("accepted-") | not).value) | add // 0)]')"
code=0
adm h2 counters eth0 --rule 9 >/run/test/out 2>&1 || code=$?
same "a rule that there is not: exit code" 1 "$code"
check "a rule that there is not: the message" grep -q 'there is no rule with this number' /run/test/out
same "disabled: explained" rule-is-disabled \
	"$(adm h3 -j owner "10.1.0.1:1024" "$VIP:8081" | jq -r .reason)"
to 9000 50 uncovered
same "no rule: all by the default host" 50 "$(field uncovered '.hosts."1"')"
adm h1 owner "10.1.0.1:1024" "$VIP:85" >/run/test/owner
check "owner names the rule" grep -q 'rule: 3 (80-90)' /run/test/owner

# One rule on one host: drained, disabled, enabled. Any port of it will do.
load during --sources 200 --interval-ms 2 --timeout-ms 8000
adm h3 drain "all:81"
check "drain: host 3 owns nothing of the rule" wait_until 10 rule_is 3 3 buckets 0
same "drain: the state is shown" draining "$(rule_of 3 3 state)"
to 80 200 drained
load_end during
same "drain: failed requests meanwhile" 0 "$(field during '.requests - .answered')"
check "drain: there were some" [ "$(field during .requests)" -gt 10 ]
same "drain: all answered" 200 "$(field drained .answered)"
same "drain: none by host 3" 0 "$(field drained '.hosts."3" // 0')"
leave 2
wait_agree 20 1 3
leave 1
wait_agree 20 3
to 8080 20 others
same "drain: other rules are not concerned" 20 "$(field others '.hosts."3"')"
for i in 1 2; do
	join "$i" --rules /run/test/recipes.toml
done
wait_converged 3
rm -f /run/test/during.end
load during --sources 200 --interval-ms 2 --timeout-ms 8000
adm h3 enable "$VIP:80"
check "enable: host 3 has its share again" wait_until 10 rule_is 3 3 buckets 1365
load_end during
same "enable: failed requests meanwhile" 0 "$(field during '.requests - .answered')"
adm h1 disable 3
check "disable: host 1 owns nothing of the rule" wait_until 10 rule_is 1 3 buckets 0
to 80 100 without
same "disable: all answered" 100 "$(field without .answered)"
same "disable: none by host 1" 0 "$(field without '.hosts."1" // 0')"
