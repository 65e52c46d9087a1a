# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: mail, DNS by UDP and TCP, and a web application with sessions, on the same three hosts
# hosts: 3
# timeout: 1800

MAILS=60
QUESTIONS=60
CARTS=40

# delivered: the mails in the mailboxes of all hosts.
delivered() {
	local n sum=0
	for n in 1 2 3; do
		sum=$((sum + $(guest "$n" "ls /home/info/Maildir/new 2>/dev/null | wc -l")))
	done
	printf '%s\n' "$sum"
}

all_delivered() {
	[ "$(delivered)" = "$1" ]
}

# dig_all NAME OPTION…: questions from as many addresses, each by a dig of its own: who answers.
dig_all() {
	local name=$1
	shift
	# shellcheck disable=SC2016 # expanded by the client
	client env "LD_LIBRARY_PATH=$CLIENT_PROGRAMS/lib" bash -c '
		for ((i = 1; i <= $2; i++)); do
			"$1/bin/dig" "@$3" -b "198.51.100.$i" +tries=3 +timeout=10 "${@:4}" +short CH TXT id.server
		done' dig "$CLIENT_PROGRAMS" "$QUESTIONS" "$VIP" "$@" >"$RUN/$name" 2>&1 || :
	note "$name: $(sort "$RUN/$name" | uniq -c | xargs)"
}

# row TEXT ALL COUNT1 COUNT2 COUNT3: a line of the table; all were served, by all hosts.
row() {
	printf '  %-38s %7s %7s %7s %7s\n' "$1" "$3" "$4" "$5" "$(($2 - $3 - $4 - $5))" >>"$RUN/table"
	same "$1: served" "$2" "$(($3 + $4 + $5))"
	check "$1: by all hosts" [ "$3" -gt 0 -a "$4" -gt 0 -a "$5" -gt 0 ]
}

for n in 1 2 3; do
	copy "$n" /etc/nsd/nsd.conf.d "$STORY/example.org.conf"
	copy "$n" /etc/nsd "$STORY/example.org.zone"
	copy "$n" /etc/nginx/sites-available "$STORY/cart.conf"
	copy "$n" /var/www/html "$STORY/cart.php"
done
for service in mail dns cart; do
	commands "1 2 3" "$service.sh"
done
farm 1 2 3
printf '  %-38s %7s %7s %7s %7s\n' '' 'host 1' 'host 2' 'host 3' failed >"$RUN/table"

# Mail: each is accepted once and is in the mailbox of the host that accepted it.
client python3 -B "$TOOLS/mail.py" --to "$VIP" --count "$MAILS" >"$RUN/mail.json"
note "$(cat "$RUN/mail.json")"
row "mails accepted" "$MAILS" "$(field mail "r['hosts'].get('1', 0)")" "$(field mail "r['hosts'].get('2', 0)")" "$(field mail "r['hosts'].get('3', 0)")"
check "all mails are delivered" wait_until 120 all_delivered "$MAILS"
row "mails in a mailbox" "$MAILS" "$(guest 1 "ls /home/info/Maildir/new | wc -l")" \
	"$(guest 2 "ls /home/info/Maildir/new | wc -l")" "$(guest 3 "ls /home/info/Maildir/new | wc -l")"

# DNS.
for way in UDP TCP; do
	options=()
	[ "$way" = UDP ] || options=(+tcp)
	dig_all "dns-$way" "${options[@]}"
	row "questions by $way" "$QUESTIONS" "$(grep -c host1 "$RUN/dns-$way")" "$(grep -c host2 "$RUN/dns-$way")" "$(grep -c host3 "$RUN/dns-$way")"
done
client_program dig "@$VIP" +ignore +noedns TXT large.example.org >"$RUN/truncated"
check "a large answer is truncated by UDP" grep -q '^;; flags:.* tc' "$RUN/truncated"
client_program dig "@$VIP" +noedns TXT large.example.org >"$RUN/large"
check "dig asks again by TCP" grep -q 'retrying in TCP mode' "$RUN/large"
check "and has the whole" grep -q 'ANSWER: 1' "$RUN/large"
tell "large.example.org by UDP: truncated; dig asked again by TCP and had the whole"

# Sessions.
for port in 80 8080; do
	client python3 -B "$TOOLS/cart.py" --url "http://$VIP:$port/cart.php" --carts "$CARTS" >"$RUN/cart$port.json"
	note "$(cat "$RUN/cart$port.json")"
	same "port $port: requests that failed" 0 "$(field "cart$port" "r['failed']")"
done
row "carts of three items, affinity single" "$CARTS" "$(field cart80 "r['hosts'].get('1', 0)")" "$(field cart80 "r['hosts'].get('2', 0)")" "$(field cart80 "r['hosts'].get('3', 0)")"
show <"$RUN/table"
same "affinity single: carts that are whole" "$CARTS" "$(field cart80 "r['whole']")"
check "affinity none: carts have been lost" [ "$(field cart8080 "r['whole']")" -lt "$CARTS" ]
tell "of $CARTS carts, whole: $(field cart80 "r['whole']") with affinity single, $(field cart8080 "r['whole']") with affinity none"
