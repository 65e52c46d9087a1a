# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: an idle tunnel of PPTP stays where its control connection is while its bucket is another host's
# clock: counted
# timeout: 300
#
# Row 25 of the field. GRE is forgotten ten seconds after its last packet, but the connection that controls the tunnel, TCP
# 1723, is what says whether it is there still.

CLIENT4=10.1.0.7
CLIENT6=fd00::64

cat >/run/test/control.py <<-'END'
	# Holds connections to port 1723 for as long as their clients do.
	import socket, threading

	def hold(connection):
	    with connection:
	        connection.recv(1)

	listener = socket.create_server(("::", 1723), family=socket.AF_INET6, dualstack_ipv6=True)
	print("serving", flush=True)
	while True:
	    threading.Thread(target=hold, args=(listener.accept()[0],), daemon=True).start()
END
cat >/run/test/gre.py <<-'END'
	# A line for each GRE packet that arrives.
	import select, socket

	sockets = [socket.socket(family, socket.SOCK_RAW, 47) for family in (socket.AF_INET, socket.AF_INET6)]
	print("serving", flush=True)
	while True:
	    for ready in select.select(sockets, [], [])[0]:
	        ready.recv(2048)
	        print(4 if ready.family == socket.AF_INET else 6, flush=True)
END
cat >/run/test/dial.py <<-'END'
	# A control connection, until the file is there.
	import os, socket, sys, time

	connection = socket.create_connection((sys.argv[2], 1723), source_address=(sys.argv[1], 0))
	print("connected", flush=True)
	while not os.path.exists(sys.argv[3]):
	    time.sleep(0.2)
END
cat >/run/test/data.py <<-'END'
	# Some GRE packets of one client.
	import socket, sys, time

	family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
	sender = socket.socket(family, socket.SOCK_RAW, 47)
	sender.bind((sys.argv[1], 0))
	for _ in range(int(sys.argv[3])):
	    sender.sendto(bytes.fromhex("3001880b000000000000000100000000"), (sys.argv[2], 0))
	    time.sleep(0.1)
END

# count N FAMILY: packets of GRE that host N has had.
count() {
	grep -c "^$2\$" "/run/test/gre$1.log" || :
}
# data CLIENT VIP COUNT: so many packets; ARRIVED[N]: how many of them host N has had.
data() {
	local n family=4
	[[ "$2" != *:* ]] || family=6
	for n in 1 2; do
		ARRIVED[n]=-$(count "$n" "$family")
	done
	on c python3 -B /run/test/data.py "$1" "$2" "$3"
	for n in 1 2; do
		ARRIVED[n]=$((ARRIVED[n] + $(count "$n" "$family")))
	done
	note "$1: host 1 has had ${ARRIVED[1]} packets, host 2 ${ARRIVED[2]}"
}

# no_residue N: host N may hold nothing of what others own.
no_residue() {
	[ "$(shown "$1" '.[0].residue')" = 0 ]
}
# settled: no host holds anything of what another owns, as both know it. Until then the owner of a bucket cannot tell data
# that is new from that of a tunnel of the other.
settled() {
	local n
	for n in 1 2; do
		[ "$(shown "$n" '[.[0].hosts[].residue] | join(" ")')" = "0 0" ] || return
	done
}
ARRIVED=()
cluster 2 --vip "$VIP6" --affinity single
for k in 1 2; do
	background "h$k" "control$k" python3 -B /run/test/control.py
	background "h$k" "gre$k" python3 -B /run/test/gre.py
	wait_until 20 logged_line "control$k" serving
	wait_until 20 logged_line "gre$k" serving
done

for pair in "$CLIENT4 $VIP" "$CLIENT6 $VIP6"; do
	read -r client vip <<<"$pair"
	case $vip in *:*) name=IPv6 ;; *) name=IPv4 ;; esac
	check "$name: nothing is left of changes before" wait_until 60 settled
	background c "dial$name" python3 -B /run/test/dial.py "$client" "$vip" "/run/test/end$name"
	check "$name: the control connection stands" wait_until 20 logged_line "dial$name" connected
	data "$client" "$vip" 5
	here=1
	[ "${ARRIVED[1]}" -gt 0 ] || here=2
	there=$((3 - here))
	same "$name: the tunnel's data is all on one host" "5 0" "${ARRIVED[$here]} ${ARRIVED[$there]}"
	adm "h$here" drain eth0
	check "$name: host $here has no buckets" wait_until 30 buckets_are "$there" "$here" 0
	pause 40
	data "$client" "$vip" 8
	same "$name: after 40 s of silence it is there still" "8 0" "${ARRIVED[$here]} ${ARRIVED[$there]}"
	touch "/run/test/end$name"
	finish "dial$name"
	check "$name: the connection is gone, and with it all residue" wait_until 120 no_residue "$here"
	data "$client" "$vip" 3
	same "$name: what comes now is the owner's" "0 3" "${ARRIVED[$here]} ${ARRIVED[$there]}"
	adm "h$here" start eth0
	check "$name: host $here has buckets again" wait_until 30 not buckets_are "$there" "$here" 0
done
