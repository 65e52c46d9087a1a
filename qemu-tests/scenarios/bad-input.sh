# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: each bad input has its own message and exit code, and changes nothing

hosts 2
make_key
up=(up eth0 --cluster test --host-id 1 --vip "$VIP" --key-file "$KEY_FILE")

# refused TEXT CODE PATTERN CMD…: CMD fails with CODE and a message that has
# PATTERN; one line, no traces of a crash.
refused() {
	local text=$1 want=$2 pattern=$3 code=0
	shift 3
	"$@" >/run/test/out 2>&1 || code=$?
	note "$text: $(tail -n 1 /run/test/out)"
	same "$text: exit code" "$want" "$code"
	check "$text: the message says /$pattern/" grep -qiE -- "$pattern" /run/test/out
	if [ -d /sys/module/nlb ]; then
		same "$text: nothing changed" "$picture" "$(picture)"
	fi
}

# picture: the whole state of host 1 that a refusal must leave alone.
picture() {
	adm h1 -j show | jq -c 'map(del(.hosts, .generation, .cause))'
	ip -n h1 -br addr
}

refused "module not loaded" 3 'modprobe nlb|not loaded' adm h1 "${up[@]}"
load_module
picture=$(picture)

refused "unknown interface" 5 'eth9' adm h1 up eth9 "${up[@]:2}"
refused "loopback" 1 'loopback' adm h1 up lo "${up[@]:2}"
refused "host id 0" 2 '1 to 64' adm h1 up eth0 --cluster t --host-id 0 --vip "$VIP" --key-file "$KEY_FILE"
refused "host id 65" 2 '1 to 64' adm h1 up eth0 --cluster t --host-id 65 --vip "$VIP" --key-file "$KEY_FILE"
refused "malformed address" 2 '10\.0\.0\.300' adm h1 up eth0 --cluster t --host-id 1 --vip 10.0.0.300 --key-file "$KEY_FILE"
refused "VIP is the dedicated IP" 2 'dedicated' adm h1 up eth0 --cluster t --host-id 1 --vip 10.0.0.1 --key-file "$KEY_FILE"
refused "no key at all" 2 'key-file|no-key' adm h1 up eth0 --cluster t --host-id 1 --vip "$VIP"
refused "key file is missing" 2 '/run/test/none' adm h1 up eth0 --cluster t --host-id 1 --vip "$VIP" --key-file /run/test/none
(umask 077 && printf 'key AAAA\nseed AAAA\n' >/run/test/short)
refused "short key" 2 '32' adm h1 up eth0 --cluster t --host-id 1 --vip "$VIP" --key-file /run/test/short
refused "no permission" 4 'CAP_NET_ADMIN|root|permi' \
	on h1 setpriv --reuid 65534 --clear-groups --inh-caps=-all --bounding-set=-all nlbadm up eth0 \
	--cluster t --host-id 1 --vip "$VIP" --no-key
refused "no cluster on the interface" 6 'cluster' adm h1 down eth0
refused "unknown verb" 2 'usage|unrecognized' adm h1 frobnicate

adm h1 "${up[@]}"
wait_agree 20 1
picture=$(picture)
# Whoever may ask for many flows could choose those that fall on one host.
refused "whose a flow is, without permission" 4 'CAP_NET_ADMIN' \
	on h1 setpriv --reuid 65534 --clear-groups --inh-caps=-all --bounding-set=-all nlbadm owner 10.1.0.1:1024 "$VIP:80"
refused "interface already in a cluster" 7 'already|exists|has a cluster' adm h1 "${up[@]}"
refused "interface in another cluster" 7 'already|exists|has a cluster' \
	adm h1 up eth0 --cluster other --host-id 5 --vip 10.0.0.11 --key-file "$KEY_FILE"

# A second host with the same id is kept out by name; the first serves on.
adm h2 up eth0 --cluster test --host-id 1 --vip "$VIP" --key-file "$KEY_FILE"
kept_out() {
	adm h2 -j show eth0 | jq -e '.[0].out_reason != null' >/dev/null
}
check "duplicate id: kept out" wait_until 10 kept_out
check "duplicate id: by name" grep -qi duplicate <<<"$(adm h2 -j show eth0 | jq -r '.[0].out_reason')"
check "duplicate id: the first host serves on" agree 1
