# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: keys are rotated in three steps without a gap; who has another key is kept out by name
# timeout: 900

cluster 3
capture wire sw pc "tcp port 80"
load busy --sources 100 --interval-ms 10 --timeout-ms 5000
generation=$(generation h1)
(umask 077 && nlbadm genkey >/run/test/key2)

for i in 1 2 3; do
	adm "h$i" key add 2 --key-file /run/test/key2 eth0
done
for i in 1 2 3; do
	adm "h$i" key use 2 eth0
	# Longer than the silence after which a host counts as dead.
	check "host $i sends with the new key: all are members" steady 1300 agree 1 2 3
done
for i in 1 2 3; do
	adm "h$i" key del 1 eth0
done
check "the old key is gone: all are members" steady 1300 agree 1 2 3
same "no convergence was needed" "$generation" "$(generation h1)"
for i in 1 2 3; do
	same "frames refused by host $i" 0 "$(($(counter "h$i" unknown-key) + $(counter "h$i" bad-stamp) + $(counter "h$i" bad-tag)))"
done

# Keys are write-only: nothing that can be asked for has their bytes.
for verb in show "key list" "counters --all" history buckets; do
	# shellcheck disable=SC2086
	adm h1 -j $verb eth0
	# shellcheck disable=SC2086
	adm h1 $verb eth0
done >/run/test/answers
adm h1 -j key list eth0 >/run/test/keys.json
same "keys known" 2 "$(field keys '.keys[].id')"
same "lines that have bytes of a key or a seed" 0 \
	"$(awk '{ print $2 }' "$KEY_FILE" /run/test/key2 | { grep -cFf - /run/test/answers || :; })"

# why_out N ID: why host ID is out, as host N sees it.
why_out() {
	adm "h$1" -j show eth0 | jq -r ".[0].hosts[] | select(.host_id == $2).out_reason"
}

named() {
	[ "$(out_reason 4)" = "$1" ]
}

named_by_1() {
	[ "$(why_out 1 4)" = "$1" ]
}

# kept_out TEXT: host 4 stays out for its key, and answers nobody.
kept_out() {
	check "$1: named by itself" wait_until 10 named key
	check "$1: named by host 1" wait_until 10 named_by_1 key
	check "$1: it stays so" steady 3000 named key
	check "$1: the others serve on" agree 1 2 3
	same "$1: no convergence was needed" "$generation" "$(generation h1)"
	leave 4
}

add_host 4
serve 4
join 4
kept_out "the old key"
adm h4 up eth0 --cluster test --host-id 4 --vip "$VIP" --affinity none --no-key
kept_out "no key"

# With the new key, but another seed, it would send clients elsewhere.
adm h4 up eth0 --cluster test --host-id 4 --vip "$VIP" --affinity none --key-id 2 --key-file /run/test/key2
check "another hash seed: kept out" wait_until 10 named settings-differ
check "another hash seed: named by host 1" wait_until 10 named_by_1 settings-differ
leave 4

load_end busy
capture_end wire
same "failed requests" 0 "$(field busy '.requests - .answered')"
same "SYNs repeated" 0 "$(field wire '.syn_frames - .syn')"
same "SYNs answered by two hosts" 0 "$(field wire .answered_twice)"
no_reset wire "resets"

(umask 077 && { grep ^key /run/test/key2 && grep ^seed "$KEY_FILE"; } >/run/test/key3)
adm h4 up eth0 --cluster test --host-id 4 --vip "$VIP" --affinity none --key-id 2 --key-file /run/test/key3
check "with key and seed it is a member" wait_agree 20 1 2 3 4

# A cluster without a key must be asked for, and says so.
leave 4
code=0
adm h4 up eth0 --cluster open --host-id 4 --vip "$VIP" 2>/run/test/out || code=$?
same "neither a key nor --no-key: exit code" 2 "$code"
adm h4 up eth0 --cluster open --host-id 4 --vip "$VIP" --no-key
adm h4 show eth0 >/run/test/shown
cat /run/test/shown
check "show says that it has no key" grep -qi 'no key' /run/test/shown
same "and so does its JSON" false "$(adm h4 -j show eth0 | jq '.[0].authenticated')"
