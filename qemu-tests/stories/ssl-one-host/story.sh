# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: HTTPS on the one host that has the certificate, then on all of them; TLS sessions go on while a host joins
# hosts: 3
# timeout: 1500

HTTPS=(--url "https://$VIP/" --host www.example.org --ca "$RUN/authority.crt")

# row NAME TEXT: a line of the table, of the requests NAME.
row() {
	printf '  %-34s %7s %7s %7s %7s\n' "$2" "$(hosts_of "$1" 1)" "$(hosts_of "$1" 2)" "$(hosts_of "$1" 3)" \
		"$(field "$1" "r['requests'] - r['answered']")" >>"$RUN/table"
	same "$2: requests that failed" 0 "$(field "$1" "r['requests'] - r['answered']")"
}

hosts_of() {
	field "$1" "r['hosts'].get('$2', 0)"
}

commands 1 certificate.sh
copy 1 /etc/nginx/conf.d "$STORY/tls.conf"
commands 1 one.sh
guest 1 cat /etc/nginx/tls/authority.crt >"$RUN/authority.crt"
farm 1 2 3

# The certificate on one host.
printf '  %-34s %7s %7s %7s %7s\n' '' 'host 1' 'host 2' 'host 3' failed >"$RUN/table"
ask https-one 120 "${HTTPS[@]}" --parallel 8
ask http-one 240 --parallel 8
row https-one "443, weights 100, 0, 0"
row http-one "80, shared"
same "443: hosts that answered" 1 "$(field https-one "' '.join(r['hosts'])")"
same "80: hosts that answered" "1 2 3" "$(field http-one "' '.join(r['hosts'])")"

# Weights of 0 hold while host 1 is away as well: nobody else has the certificate.
tell "host 1: nlbadm drainstop"
check "host 1: nlbadm drainstop" guest 1 nlbadm drainstop --wait --timeout 60s
check "hosts 2 and 3 are left" wait_agree 60 2 3
ask https-none 6 "${HTTPS[@]}" --parallel 6 --timeout-ms 5000
same "443 without host 1: requests that were answered" 0 "$(field https-none "r['answered']")"
tell "443 without host 1: of 6 requests $(field https-none "r['answered']") answered ($(field https-none "', '.join(f'{count} {cause}' for cause, count in r['causes'].items())"))"
guest 1 nlbadm start
check "all three are members again" wait_agree 120 1 2 3

# The certificate on all.
for n in 2 3; do
	guest "$n" "mkdir -p /etc/nginx/tls && chmod 700 /etc/nginx/tls"
	for file in www.crt www.key; do
		(umask 077 && guest 1 cat "/etc/nginx/tls/$file" >"$RUN/$file")
		copy "$n" /etc/nginx/tls "$RUN/$file"
	done
	copy "$n" /etc/nginx/conf.d "$STORY/tls.conf"
done
file_of_cluster everywhere.toml 1 2 3
commands "1 2 3" everywhere.sh
check "the new rules are in force" wait_until 60 guest 1 \
	"nlbadm rules >/run/rules && ! grep -q 'which wait' /run/rules && grep -w 443 /run/rules | grep -q 'of the host'"
ask https-all 510 "${HTTPS[@]}" --sources 170 --parallel 8
row https-all "443, affinity single"
same "443: hosts that answered" "1 2 3" "$(field https-all "' '.join(r['hosts'])")"
same "clients whose three requests were answered by more than one host" 0 "$(field https-all "r['sources_moved']")"

# TLS connections and sessions through a join.
tell "host 3: nlbadm stop"
guest 3 nlbadm stop
check "host 3 is out" wait_agree 60 1 2
client python3 -B "$TOOLS/tls.py" --to "$VIP:443" --host www.example.org --ca "$RUN/authority.crt" --sources 30 \
	--ready "$RUN/tls.ready" --until "$RUN/tls.end" >"$RUN/tls.json" &
TLS_PID=$!
defer touch "$RUN/tls.end"
check "30 clients have a TLS connection each" wait_until 120 [ -e "$RUN/tls.ready" ]
run_for 3000
tell "host 3 joins, while 30 clients send requests on standing TLS connections"
guest 3 nlbadm start
check "host 3 is a member" wait_agree 120 1 2 3
run_for 5000
touch "$RUN/tls.end"
check "the clients come to their end" wait "$TLS_PID"
note "$(cat "$RUN/tls.json")"
show <"$RUN/table"
tell "TLS connections through the join: $(field tls "r['connections']"), $(field tls "r['requests']") requests on them, $(field tls "r['broken']") broken"
tell "then each client connected again with its session: $(field tls "r['resumed']") were resumed, $(field tls "r['moved_full']") of clients that went to host 3 began anew, $(field tls "r['failed']") failed"
same "TLS connections" 30 "$(field tls "r['connections']")"
same "TLS connections that broke" 0 "$(field tls "r['broken']")"
same "new connections that failed" 0 "$(field tls "r['failed']")"
same "sessions of clients that stayed on their host and were not resumed" 0 "$(field tls "r['stayed_full']")"
check "clients went to host 3" [ "$(field tls "r['moved_full']")" -gt 0 ]
