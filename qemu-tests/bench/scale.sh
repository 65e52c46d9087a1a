# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What "make bench-scale" runs in a guest: "trace PACKETS CASES" and "moved
# PACKETS" for the emulator's plugin, "memory" for what a cluster takes. Its
# lines:
#   row symbols BASE64      of the packed list of all functions
#   row packets CPU COUNT
#   row memory WHAT RULES VIPS BYTES

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

"${BENCH_ARGS[@]}"
