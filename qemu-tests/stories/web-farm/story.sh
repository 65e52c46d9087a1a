# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a web farm with PHP and one PostgreSQL behind it: each host alone and all together, for a page that reads and for an order
# hosts: 4
# timeout: 2400
#
# The hosts share the processors of one machine, so how many requests a second they
# answer together says nothing of a farm. What can be measured is the processor time that
# each emulated host takes for a request: its share of other hosts' packets, which it
# drops, is in it. From that follows what each could answer with a processor of its own.

MEMBERS='1 2 3'
SECONDS_EACH=15
LOGFILE=/var/log/nginx/shop.log

# spent_ms N…: the processor time that each of these hosts has taken since it was powered on.
spent_ms() {
	local n
	for n in "$@"; do
		cat "/proc/$(<"$NLB_LAB_DIR/host$n/pid")/task/"*/schedstat | awk '{ sum += $1 } END { printf "%d ", sum / 1e6 }'
	done
}

# served PAGE N…: how many requests for a page each host has answered well.
served() {
	local page=$1 n
	shift
	for n in "$@"; do
		guest "$n" "grep -c '/$page HTTP/1.1\" 200' $LOGFILE || :" | tr '\n' ' '
	done
}

# measure NAME PAGE ADDRESS N…: load on an address that these hosts serve; a row of
# "measured" in JSON: what each of them, and the database, took for a request.
measure() {
	local name=$1 page=$2 address=$3 spent served database
	shift 3
	spent=$(spent_ms "$@") served=$(served "$page" "$@") database=$(spent_ms 4)
	client_program wrk -t 1 -c 6 -d "${SECONDS_EACH}s" --timeout 60s -H 'Connection: close' "http://$address/$page" >"$RUN/wrk" || return 1
	note "$(cat "$RUN/wrk")"
	python3 - "$name" "$page" "$*" "$spent" "$(spent_ms "$@")" "$served" "$(served "$page" "$@")" "$database" "$(spent_ms 4)" \
		"$(awk '/^Requests\/sec/ { print $2 }' "$RUN/wrk")" >>"$RUN/measured" <<-'END'
		import json, sys
		name, page, hosts, *numbers, rate = sys.argv[1:]
		spent0, spent1, served0, served1, database0, database1 = ([int(word) for word in text.split()] for text in numbers)
		requests = [after - before for before, after in zip(served0, served1)]
		assert all(requests), f"{name}: not every host answered: {requests}"
		print(json.dumps({"name": name, "page": page, "hosts": hosts.split(), "requests": requests,
			"cost": [(b - a) / n for a, b, n in zip(spent0, spent1, requests)],
			"database": (database1[0] - database0[0]) / sum(requests), "rate": float(rate)}))
	END
}

# report: the table of what was measured, and the ratios.
report() {
	python3 - "$RUN/measured" <<-'END'
		import json, sys
		rows = [json.loads(line) for line in open(sys.argv[1])]
		print(f"{'page':<10} {'load on':<14} {'requests by host':<18} {'ms of a host for one':<22} {'of the database':<16} {'answered/s here':>15}")
		for row in rows:
		    print(f"{row['page']:<10} {row['name']:<14} {' '.join(map(str, row['requests'])):<18} "
		          f"{' '.join(f'{cost:.1f}' for cost in row['cost']):<22} {row['database']:<16.1f} {row['rate']:>15.1f}")
		def capacity(row):
		    hosts = sum(1000 / cost for cost in row["cost"])
		    # Of the page that only reads, the database does nothing.
		    return min(hosts, 1000 / row["database"]) if row["page"] == "order.php" else hosts
		print()
		print("with a processor of its own for each, from that time:")
		for page in ("read.php", "order.php"):
		    alone = {row["hosts"][0]: capacity(row) for row in rows if row["page"] == page and len(row["hosts"]) == 1}
		    for row in rows:
		        if row["page"] == page and len(row["hosts"]) > 1:
		            single = [alone[host] for host in row["hosts"]]
		            print(f"  {page:<10} {' + '.join(f'{rate:.0f}' for rate in single)} = {sum(single):.0f}/s alone, "
		                  f"{capacity(row):.0f}/s together: {100 * capacity(row) / sum(single):.0f} %")
	END
}

tell "host 4 becomes the database"
commands 4 database.sh
for n in $MEMBERS; do
	copy "$n" /etc/nginx/sites-available "$STORY/shop.conf"
	copy "$n" /var/www/html "$STORY/read.php" "$STORY/order.php"
done
commands "$MEMBERS" web.sh
# shellcheck disable=SC2086 # a list of hosts
farm $MEMBERS

orders() {
	guest 4 "su postgres -c \"psql -qtA shop -c 'SELECT count(*) FROM orders $*'\""
}

# The outcome: each order is made once, by the host that answered it.
for page in read.php order.php; do
	before=$(orders)
	ask "$page" 90 --url "http://$VIP/$page" --parallel 6
	same "$page: requests that were answered" 90 "$(field "$page" "r['answered']")"
	same "$page: hosts that answered" "1 2 3" "$(field "$page" "' '.join(r['hosts'])")"
	tell "90 requests for $page: $(field "$page" "', '.join(f'host {host} {count}' for host, count in r['hosts'].items())")"
done
same "orders in the database" 90 "$(($(orders) - before))"
for n in $MEMBERS; do
	same "orders by host $n" "$(field order.php "r['hosts']['$n']")" "$(orders "WHERE host = $n")"
done

# The cost.
: >"$RUN/measured"
for page in read.php order.php; do
	for n in $MEMBERS; do
		check "$page, host $n alone" measure "host $n alone" "$page" "192.0.2.$n" "$n"
	done
	check "$page, hosts 1 2 3" measure "1, 2 and 3" "$page" "$VIP" 1 2 3
done
guest 3 nlbadm stop
check "host 3 is out" wait_agree 60 1 2
for page in read.php order.php; do
	check "$page, hosts 1 2" measure "1 and 2" "$page" "$VIP" 1 2
done
report | show

# Over time: orders while host 3 comes back.
load_client time --url "http://$VIP/order.php" --interval-ms 200
run_for 5000
event "host 3: nlbadm start"
guest 3 nlbadm start
check "hosts 1 2 3 are members again" wait_agree 120 1 2 3
event "host 3 is a member again"
run_for 8000
load_client_end time
timeline time
same "orders that failed while host 3 came back" 0 "$(field time "r['requests'] - r['answered']")"
same "all orders are in the database, each once: less than none" 0 \
	"$(guest 4 "su postgres -c \"psql -qtA shop -c 'SELECT (SELECT count(*) FROM orders) - (SELECT sum(1000000 - left_over) FROM stock)'\"")"
