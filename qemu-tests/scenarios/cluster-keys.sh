# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: keys are rotated in three steps without a gap; who has another key is kept out

cluster 3
load busy --sources 100 --interval-ms 10 --timeout-ms 5000
generation=$(generation h1)
(umask 077 && nlbadm genkey >/run/test/key2)

for i in 1 2 3; do
	adm "h$i" key add 2 --key-file /run/test/key2 eth0
done
for i in 1 2 3; do
	adm "h$i" key use 2 eth0
	check "host $i sends with the new key: all are members" steady 1500 agree 1 2 3
done
for i in 1 2 3; do
	adm "h$i" key del 1 eth0
done
check "the old key is gone: all are members" steady 1500 agree 1 2 3
same "no convergence was needed" "$generation" "$(generation h1)"
load_end busy
same "failed requests" 0 "$(field busy '.requests - .answered')"

# Keys are write-only.
adm h1 -j key list eth0 >/run/test/keys.json
same "keys known" 1 "$(field keys '.keys | length')"
check "no key bytes in what is shown" not grep -qF "$(awk '/^key/ { print $2 }' /run/test/key2)" /run/test/keys.json

# The old key opens nothing any more.
add_host 4
serve 4
join 4
check "a host with the old key stays alone" steady 3000 agree 1 2 3
leave 4

# With the new key, but another seed, it would send clients elsewhere.
adm h4 up eth0 --cluster test --host-id 4 --vip "$VIP" --affinity none --key-id 2 --key-file /run/test/key2
kept_out() {
	[ "$(out_reason 4)" != null ]
}
check "another hash seed: kept out" wait_until 10 kept_out
note "kept out as: $(out_reason 4)"
leave 4
{ grep ^key /run/test/key2; grep ^seed "$KEY_FILE"; } >/run/test/key3
chmod 600 /run/test/key3
adm h4 up eth0 --cluster test --host-id 4 --vip "$VIP" --affinity none --key-id 2 --key-file /run/test/key3
check "with key and seed it is a member" wait_agree 20 1 2 3 4
