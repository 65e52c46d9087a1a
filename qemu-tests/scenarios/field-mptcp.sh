# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: Multipath TCP: a client's second path is refused where another host owns it, and the connection goes on
# clock: counted
# timeout: 200
#
# Row 20 of the field. Each path is a TCP connection of its own to the VIP, and goes where its addresses hash to: only
# the host of the first one knows what the others are to join.

FIRST=10.1.0.1
PORT=90

cat >/run/test/server.py <<-'END'
	# Answers each line by the number of its host.
	import socket, sys, threading

	def serve(connection):
	    with connection, connection.makefile("rw") as lines:
	        for _ in lines:
	            lines.write(sys.argv[1] + "\n")
	            lines.flush()

	listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
	listener.bind(("0.0.0.0", int(sys.argv[2])))
	listener.listen()
	print("serving", flush=True)
	while True:
	    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
END
cat >/run/test/client.py <<-'END'
	# A connection from one address; a line for each order that it reads: the number of the host.
	import socket, sys

	connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
	connection.bind((sys.argv[1], 0))
	connection.settimeout(30)
	connection.connect((sys.argv[2], int(sys.argv[3])))
	lines = connection.makefile("rw")
	for _ in range(int(sys.argv[4])):
	    lines.write("who\n")
	    lines.flush()
	    print(lines.readline().strip(), flush=True)
END

# counted NS NAME: a counter of Multipath TCP there.
counted() {
	on "$1" nstat -asz "$2" | awk -v name="$2" '$1 == name { print $2 }'
}
# tried: whether the client has tried all its further paths.
tried() {
	[ "$(counted c MPTcpExtMPJoinSynTx)" -ge "$((JOINS + 4))" ]
}

cluster 3 --affinity none
for k in 1 2 3; do
	background "h$k" "mptcp$k" python3 -B /run/test/server.py "$k" "$PORT"
	check "host $k: a service of Multipath TCP" wait_until 20 logged_line "mptcp$k" serving
done
on c ip mptcp limits set subflows 4
for i in 2 3 4 5; do
	on c ip mptcp endpoint add "10.1.0.$i" dev eth0 subflow
done

for i in 1 2 3 4 5 6; do
	JOINS=$(counted c MPTcpExtMPJoinSynTx)
	on c python3 -B /run/test/client.py "$FIRST" "$VIP" "$PORT" 200 >/run/test/answers
	check "connection $i: its client tries four further paths" wait_until 10 tried
	same "connection $i: 200 answers of one host" "200" "$(sort /run/test/answers | uniq -c | awk '{ print $1 }')"
done
note "$(counted c MPTcpExtMPJoinSynTx) paths were tried, $(counted c MPTcpExtMPJoinSynAckRx) were answered"
