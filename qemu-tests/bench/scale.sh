# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What "make bench-scale" runs in a guest: "trace PACKETS CASES" and "moved
# PACKETS" for the emulator's plugin, "memory" for what a cluster takes,
# "sessions COUNT…" for what sessions take and cost. Its lines:
#   row symbols BASE64      of the packed list of all functions
#   row packets CPU COUNT
#   row memory WHAT RULES VIPS BYTES
#   row floor INSTRUCTIONS                       of an empty hook
#   row sessions COUNT BYTES INSTRUCTIONS        of a packet of one of them

# on_each CASE FAMILY: a share of the packets on each processor, at a time. The
# clients differ, as the NIC's hash has it: one client is always seen by one
# processor.
on_each() {
	local cpu pids=() line address port hex
	line=$(frame "$1" "$2")
	read -r address port hex <<<"$line"
	for ((cpu = 0; cpu < CPUS; cpu++)); do
		taskset -c "$cpu" bash -c "echo '$COST_DEVICE rx $PACKETS 32 $address $COST_MASK $port $hex' >$GUN" &
		pids+=("$!")
	done
	wait "${pids[@]}"
}

trace() {
	local cpu case
	PACKETS=$1
	CPUS=$(nproc)
	cost_device
	load_module
	cost_up 64 8 --stopped
	insmod /nlb/empty_hook.ko device="$COST_DEVICE" first=0 backstop=1
	for case in $2; do
		on_each "${case%:*}" "${case#*:}"
		for ((cpu = 0; cpu < CPUS; cpu++)); do
			echo "row packets $cpu $PACKETS"
		done
	done
	symbols
	rmmod empty_hook
	cost_down
}

# symbols: the addresses of all functions, which are those of this boot.
symbols() {
	awk '$2 ~ /[tT]/ { print $1, $3, $4 }' /proc/kallsyms | gzip | base64 -w 4000 | sed 's/^/row symbols /'
}

# moved PACKETS: segments of a bucket that was let go of, and of no connection.
moved() {
	cost_device
	load_module
	moved_device
	echo "moved0 rx $1 32 $MOVED_MISS" >$GUN
	symbols
}

# charged: bytes that the kernel has charged to the group "nlb".
charged() {
	awk '$1 == "slab" || $1 == "percpu" || $1 == "vmalloc" { sum += $2 } END { print sum }' \
		/sys/fs/cgroup/nlb/memory.stat
}

# takes WHAT RULES VIPS OPTION…: what a cluster of that size takes. Lists that
# the interface and netlink keep of it are in the figure.
takes() {
	local what=$1 rules=$2 vips=$3 before
	shift 3
	before=$(charged)
	bash -c 'echo $$ >/sys/fs/cgroup/nlb/cgroup.procs
		for file in /nlb/lib/*.sh; do . "$file"; done
		cost_up "$@"' up "$rules" "$vips" --stopped
	wait_until 5 [ ! -s /sys/fs/cgroup/nlb/cgroup.procs ]
	echo "row memory $what $rules $vips $(($(charged) - before))"
	cost_down
}

memory() {
	mkdir -p /sys/fs/cgroup
	mount -t cgroup2 none /sys/fs/cgroup
	defer umount /sys/fs/cgroup
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir /sys/fs/cgroup/nlb
	defer rmdir /sys/fs/cgroup/nlb
	cost_device
	load_module
	# Once to make what is made once.
	takes cluster 1 1 >/dev/null
	takes cluster 1 1
	takes cluster 8 1
	takes cluster 64 1
	takes cluster 1 64
	takes cluster 64 64
}

# More than there are to be: a table that is nearly full turns some away.
SESSIONS_MAX=400000

# kernel_bytes: what the kernel has given itself. Tables of sessions are charged
# to the group of the process that made the cluster, which has none of its own here.
kernel_bytes() {
	awk '$1 == "VmallocUsed:" || $1 == "SUnreclaim:" { sum += $2 } END { print sum * 1024 }' /proc/meminfo
}

sessions_count() {
	nlbadm -j show "$COST_DEVICE" | jq '.[0].sessions'
}

# remembered COUNT: fires datagrams of some more clients than so many, the same
# ones each time; true once so many are remembered. (Of a table that is filled
# to two thirds, a set here and there is full.)
remembered() {
	fire "$COST_DEVICE" rx "$(($1 * 27 / 25))" "$(frame udp 4)" >/dev/null
	[ "$(sessions_count)" -ge "$1" ]
}

# sessions COUNT…: datagrams of a rule that tracks them, each of another
# client; what one of a known client costs, and what the table takes.
sessions() {
	local count empty
	cost_device
	COST_BURST=1
	COST_PACKETS=800
	echo "row floor $(floor accept udp 4)"
	load_module
	printf '[[rule]]\nports = "0-65535"\naffinity = "none"\ntrack = "on"\n' >/run/test/tracked.toml
	for count in "$@"; do
		empty=$(kernel_bytes)
		nlbadm up "$COST_DEVICE" --cluster cost --host-id 1 --no-key --vip "$COST_VIP" \
			--rules /run/test/tracked.toml --sessions-max "$SESSIONS_MAX"
		cost_converged
		insmod /nlb/empty_hook.ko device="$COST_DEVICE" first=0 backstop=1
		wait_until 20 remembered "$count"
		echo "row sessions $(sessions_count) $(($(kernel_bytes) - empty)) $(cost udp)"
		rmmod empty_hook
		cost_down
	done
}

"${BENCH_ARGS[@]}"
