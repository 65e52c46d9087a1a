# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: what an unprivileged reader costs depends on the hosts, and on no table: a full one of sessions adds nothing
# clock: counted
# timeout: 400
# long-timeout: 1500
#
# In instructions, of the reader's program and the kernel together, the least of
# several times. A reader with the privilege is told how many sessions there
# are, which shows that the table is there. LONG=1 fills the largest table that
# there may be, and has 64 hosts.

SESSIONS=65536
HOSTS_OF=(1 9 17)
if [ -n "${LONG:-}" ]; then
	SESSIONS=1048576
	HOSTS_OF=(1 33 64)
fi
TIMES=40
NOBODY=65534
READS=(cluster-get 'cluster-get (dump)' member-get counter-get history-get rule-get)
# What two measurements of the same may differ by: one in so many, and so much
# for what a processor does beside.
PART=50
REST=2000

# read_by_nobody DEVICE FILE: the costs of all reads.
read_by_nobody() {
	local file=/run/test/$2
	setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups --inh-caps=-all --bounding-set=-all \
		tt ask --dev "$1" --times "$TIMES" "${READS[@]}" >"$file"
	note "$(basename "$file"): $(awk -F '\t' '{ printf "%s%s %s", sep, $1, $3; sep = ", " }' "$file")"
}

# took FILE READ: instructions
took() {
	awk -F '\t' -v name="$2" '$1 == name && $2 == "ok" { print $3 }' "/run/test/$1"
}

# read_by_root FILE: what the cluster costs root, who is told of the sessions.
read_by_root() {
	tt ask --dev "$COST_DEVICE" --times 3 cluster-get >"/run/test/$1"
}

counted() {
	nlbadm -j counters "$COST_DEVICE" --all | jq ".counters[\"$1\"]"
}

# fired CMD…: datagrams of more clients each time, as the table grows, of twice as
# many as there is room for in the end; then CMD.
SHOTS=8192
fired() {
	fire "$COST_DEVICE" rx "$SHOTS" "$(frame udp 4)" >/dev/null
	[ "$SHOTS" -ge $((SESSIONS * 2)) ] || SHOTS=$((SHOTS * 4))
	"$@"
}

sessions() {
	nlbadm -j show "$COST_DEVICE" | jq '.[0].sessions'
}

filled() {
	[ "$(counted session-no-room)" -gt 0 ] && [ "$(sessions)" -gt $((SESSIONS * 3 / 4)) ]
}

cost_device
heartbeat_device
# shellcheck disable=SC2034
COST_BURST=1
printf '[[rule]]\nports = "0-65535"\naffinity = "none"\ntrack = "on"\n' >/run/test/tracked.toml
load_module

# Sessions.
nlbadm up "$COST_DEVICE" --cluster cost --host-id 1 --no-key --vip "$COST_VIP" \
	--rules /run/test/tracked.toml --sessions-max "$SESSIONS"
cost_converged
read_by_nobody "$COST_DEVICE" empty.nobody
read_by_root empty.root
with_hook "$COST_DEVICE" first=0 backstop=1 -- check "the table is full" wait_until 60 fired filled
note "$(sessions) sessions"
read_by_nobody "$COST_DEVICE" full.nobody
read_by_root full.root
for read in "${READS[@]}"; do
	empty=$(took empty.nobody "$read")
	within "$read by nobody, with a full table" "$(took full.nobody "$read")" 1 $((empty + empty / PART + REST))
done
more=$(($(took full.root cluster-get) - $(took empty.root cluster-get)))
within "root is told how many there are: instructions for each cell" \
	"$(awk -v n="$more" -v cells="$SESSIONS" 'BEGIN { print n / cells }')" 2 100
cost_down

# Hosts.
make_key
# members_of HOSTS: reads by nobody at a host of so many.
members_of() {
	nlbadm up "$HEARTBEAT_DEVICE" --cluster cost --host-id 1 --vip 10.97.0.10 --affinity none \
		--key-file "$KEY_FILE" --period "${HEARTBEAT_PERIOD_MS}ms" --tolerance "$HEARTBEAT_TOLERANCE"
	[ "$1" = 1 ] || on company tt company --dev eth0 --cluster cost --hosts "$1" --key-file "$KEY_FILE" \
		--period-ms "$HEARTBEAT_PERIOD_MS" --tolerance "$HEARTBEAT_TOLERANCE" \
		--save "/run/test/heartbeats$1" >"/run/test/company$1.json"
	same "hosts that are listed" "$1" "$(nlbadm -j show "$HEARTBEAT_DEVICE" | jq '.[0].hosts | length')"
	read_by_nobody "$HEARTBEAT_DEVICE" "hosts$1.nobody"
	nlbadm down "$HEARTBEAT_DEVICE"
}
for hosts in "${HOSTS_OF[@]}"; do
	members_of "$hosts"
done
read -r _ some all <<<"${HOSTS_OF[*]}"
# instructions_from FEW MORE READ: for each host more.
instructions_from() {
	echo $((($(took "hosts$2.nobody" "$3") - $(took "hosts$1.nobody" "$3")) / ($2 - $1)))
}
each=$(instructions_from 1 "$some" member-get)
within "member-get: instructions for each host up to $some" "$each" 1 25000
within "and for each one after that" "$(instructions_from "$some" "$all" member-get)" 1 $((each + each / 10))
# A host by itself has not converged yet, and less to tell.
fewer=$(took "hosts$some.nobody" cluster-get)
within "cluster-get with $all hosts" "$(took "hosts$all.nobody" cluster-get)" 1 $((fewer + fewer / PART + REST))
