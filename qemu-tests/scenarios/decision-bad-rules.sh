# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: each bad rule has its own refusal, by nlbadm and by the kernel, and changes nothing
# timeout: 300

hosts 1
load_module
make_key
join 1
wait_agree 20 1

picture() {
	adm h1 -j rules
	adm h1 -j show | jq -c 'map(del(.hosts))'
}
picture=$(picture)

# refused TEXT CODE PATTERN CMD…: CMD fails with CODE and a message that has
# PATTERN, and leaves everything as it was.
refused() {
	local text=$1 want=$2 pattern=$3 code=0
	shift 3
	"$@" >/run/test/out 2>&1 || code=$?
	note "$text: $(tail -n 1 /run/test/out)"
	same "$text: exit code" "$want" "$code"
	check "$text: the message says /$pattern/" grep -qE -- "$pattern" /run/test/out
	same "$text: nothing changed" "$picture" "$(picture)"
}

# bad TEXT NLBADM KERNEL: the rules on standard input are refused by nlbadm
# with one message, and by the kernel, when it is asked, with another.
bad() {
	cat >/run/test/bad.toml
	refused "$1, told by nlbadm" 2 "$2" adm h1 rules apply /run/test/bad.toml
	refused "$1, told by the kernel" 1 "$3" adm h1 rules apply --unchecked /run/test/bad.toml
}

bad "overlapping rules" 'line 3: .* covers packets' 'an earlier rule covers \(attribute rule\.rule\)' <<'END'
[[rule]]
ports = "80-90"
[[rule]]
ports = 85
END
bad "a reversed range" 'line 2: .* ends before' 'ends before it begins \(attribute rule\.last-port, of rule\.rule 0\)' <<'END'
[[rule]]
ports = "90-80"
END
bad "port 0" 'line 4: port 0' 'port 0 .*\(attribute rule\.first-port, of rule\.rule 1\)' <<'END'
[[rule]]
ports = 80
[[rule]]
ports = "0-10"
END
bad "weight 101" 'line 1: the load weight 101' 'load weight must be 0 to 100 \(attribute rule\.weight, of rule\.rule 0\)' <<'END'
[[rule]]
weights = { 1 = 101 }
END
bad "priority 65" 'line 1: the handling priority 65' 'handling priority must be 1 to 64 \(attribute rule\.priority' <<'END'
[[rule]]
mode = "single"
priorities = { 1 = 65 }
END
bad "an unknown VIP" 'line 1: the address is no VIP' 'no VIP of the cluster \(attribute rule\.vip, of rule\.rule 0\)' <<'END'
[[rule]]
vip = "10.0.0.11"
END
bad "prefix length 33" 'line 1: an IPv4 prefix' 'IPv4 prefix length must be 1 to 32 \(attribute rule\.prefix-v4' <<'END'
[[rule]]
affinity = "network"
prefix-v4 = 33
END
bad "affinity none for a tunnel" 'line 1: affinity none' 'affinity none would part .*\(attribute rule\.affinity' <<'END'
[[rule]]
ports = 500
protocols = "udp"
affinity = "none"
END
seq 1 65 | sed 's/.*/[[rule]]\nports = &/' >/run/test/65.toml
bad "the 65th rule" 'line 129: more than 64' 'at most 64 port rules \(attribute rule\.rule\)' </run/test/65.toml

# What is no rule at all, nlbadm says itself.
printf '[[rule]]\nmode = "both"\n' >/run/test/bad.toml
refused "an unknown mode" 2 'none of multiple, single, disabled' adm h1 rules apply /run/test/bad.toml
printf '[[rule]]\nport = 80\n' >/run/test/bad.toml
refused "an unknown key" 2 'line 2: unknown field' adm h1 rules apply /run/test/bad.toml
refused "a file that is missing" 2 'cannot be read' adm h1 rules apply /run/test/none.toml
refused "a rule that is not there" 2 'nlbadm rules' adm h1 drain 5
refused "a weight out of range" 2 '0 to 100' adm h1 set --weight 101

# 64 rules are as many as there can be; the cluster serves on under them.
seq 1 64 | sed 's/.*/[[rule]]\nports = &/' >/run/test/many.toml
adm h1 rules apply /run/test/many.toml
same "64 rules are in force" 64 "$(adm h1 -j rules | jq '.rules | length')"
same "the last one is owned" 4096 "$(adm h1 -j rules | jq '.rules[63].buckets')"
leave 1

# At creation as well.
printf '[[rule]]\nports = "90-80"\n' >/run/test/bad.toml
picture=$(adm h1 -j rules 2>&1 || :)
picture() {
	adm h1 -j rules 2>&1 || :
}
refused "up with a bad rule" 2 'line 2: .* ends before' adm h1 up eth0 --cluster test --host-id 1 \
	--vip "$VIP" --key-file "$KEY_FILE" --rules /run/test/bad.toml
refused "up with rules and an affinity" 2 'cannot be used with' adm h1 up eth0 --cluster test --host-id 1 \
	--vip "$VIP" --key-file "$KEY_FILE" --rules /run/test/many.toml --affinity none
