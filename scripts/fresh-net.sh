# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What a fresh machine (scripts/fresh.sh) sees of the network: a cable to a
# proxy and nothing else. Source after lib.sh and lib-apt.sh, in a mount
# namespace of its own, whose end removes the mounts below.
#
# The proxy is Debian's apt-cacher-ng, run from a small Debian 13 tree. It
# knows package lists from packages: it keeps packages, asks the archive again
# for the lists, and serves no other host by http. Cargo reaches its registry
# through it by CONNECT, which is not cached.

# The tree with the proxy, and with ip: a host may lack it.
NLB_FRESH_TREE=$NLB_CACHE/fresh/proxy

# What the proxy keeps. Files that a month of runs has not asked for are removed.
NLB_FRESH_PACKAGES=$NLB_CACHE/fresh/packages
NLB_FRESH_DAYS=30

# Both ends of the cable, from the range for tests between networks (RFC 2544).
NLB_FRESH_HOST=198.18.13.1
NLB_FRESH_GUEST=198.18.13.2
NLB_FRESH_PORT=3142

fresh_packages=(apt-cacher-ng iproute2 netbase)

make_fresh_tree() {
	debian_tree fresh-proxy "$1" "${fresh_packages[@]}"
}

# fresh_tree: make the proxy's tree, once.
fresh_tree() {
	step "$NLB_FRESH_TREE" "1 $NLB_SUITE ${fresh_packages[*]}" \
		"Debian 13 tree with a proxy for packages" make_fresh_tree
}

# fresh_ip ARG…: ip, in the network namespace of the caller.
fresh_ip() {
	chroot "$NLB_FRESH_TREE" ip "$@"
}

# cut_cable: remove both ends, wherever they are.
cut_cable() {
	fresh_ip link del nlb-fresh 2>/dev/null || :
}

# lay_cable: both ends on the host; plug_in gives one away.
lay_cable() {
	cut_cable
	fresh_ip link add nlb-fresh type veth peer name nlb-fresh-peer
	fresh_ip addr add "$NLB_FRESH_HOST/30" dev nlb-fresh
	fresh_ip link set nlb-fresh up
}

# plug_in PID: give one end to the machine of that process, as "uplink".
plug_in() {
	local inside=(nsenter --net --target "$1" chroot "$NLB_FRESH_TREE" ip)
	fresh_ip link set nlb-fresh-peer netns "$1" name uplink
	"${inside[@]}" link set lo up
	"${inside[@]}" addr add "$NLB_FRESH_GUEST/30" dev uplink
	"${inside[@]}" link set uplink up
}

# proxy_conf MIRROR: the proxy's settings.
proxy_conf() {
	local above
	cat <<-END
		CacheDir: /var/cache/apt-cacher-ng
		LogDir: /var/log/apt-cacher-ng
		SupportDir: /usr/lib/apt-cacher-ng
		SocketPath: /run/apt-cacher-ng.socket
		BindAddress: $NLB_FRESH_HOST
		Port: $NLB_FRESH_PORT
		ForeGround: 1
		VerboseLog: 1
		ReportPage:
		AllowUserPorts: 0
		Remap-debian: $1 ; $1
		ForceManaged: 1
		PassThroughPattern: ^[^/]+:443\$
	END
	# The host may itself have no other way than a proxy.
	above=$(sed -nE 's/^Acquire::http::Proxy "(http.+)";$/\1/p' "$NLB_HOST_PROXIES")
	above=${above:-${http_proxy:-}}
	[ -z "$above" ] || printf 'Proxy: %s\n' "$above"
}

# start_proxy LOGDIR: run the proxy until this process' namespaces end, and
# wait until it listens.
start_proxy() {
	local mirror tree=$NLB_FRESH_TREE tries
	mirror=$(debian_mirror)
	mkdir -p "$1" "$NLB_FRESH_PACKAGES" "$tree/etc/nlb-fresh"
	find "$NLB_FRESH_PACKAGES" -type f -atime "+$NLB_FRESH_DAYS" -delete
	proxy_conf "$mirror" >"$tree/etc/nlb-fresh/acng.conf"
	: >>"$tree/etc/resolv.conf"
	mount --bind /etc/resolv.conf "$tree/etc/resolv.conf"
	mount --rbind /proc "$tree/proc"
	mount --rbind /dev "$tree/dev"
	mount --bind "$NLB_FRESH_PACKAGES" "$tree/var/cache/apt-cacher-ng"
	mount --bind "$1" "$tree/var/log/apt-cacher-ng"
	chroot "$tree" apt-cacher-ng -c /etc/nlb-fresh >"$1/output" 2>&1 &
	NLB_FRESH_PROXY=$!
	for ((tries = 0; tries < 100; tries++)); do
		if proxy_listens; then
			return
		fi
		sleep 0.1
	done
	tail -n 5 "$1/output" >&2
	die "the proxy for packages does not start: is $NLB_FRESH_HOST:$NLB_FRESH_PORT in use?"
}

# stop_proxy: end it; what it keeps stays.
stop_proxy() {
	kill "$NLB_FRESH_PROXY" 2>/dev/null || :
	wait "$NLB_FRESH_PROXY" 2>/dev/null || :
}

proxy_listens() {
	(exec 3<>"/dev/tcp/$NLB_FRESH_HOST/$NLB_FRESH_PORT") 2>/dev/null
}

# proxy_sum LOGDIR: how much came from the archive and how much from the cache,
# in MB. The log's fields: time, In or Out, bytes, client, path.
proxy_sum() {
	[ -f "$1/apt-cacher.log" ] || return 0
	awk -F '|' '{ sum[$2] += $3 }
		END { printf "packages: %d MB served, %d MB of them from the archive\n", sum["O"] / 1e6, sum["I"] / 1e6 }' \
		"$1/apt-cacher.log"
}
