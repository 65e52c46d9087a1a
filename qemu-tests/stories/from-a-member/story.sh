# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a member that connects to the VIP reaches itself, by design; it reaches the others by their own addresses
# hosts: 2
# timeout: 600
# form: any

# answers_to N URL: who answers 20 requests of host N, with how many each: "20 host 1".
answers_to() {
	guest "$1" "for i in \$(seq 20); do curl -sS --max-time 30 $2; done | sort | uniq -c | xargs"
}

# row N NAME URL WHO: a line of the table.
row() {
	local got
	got=$(answers_to "$1" "$3")
	printf '  host %s   %-22s %-20s %s\n' "$1" "$3" "$2" "$got" >>"$RUN/table"
	same "host $1 asks $3, $2" "20 host $4" "$got"
}

farm 1 2
commands "1 2" member.sh
check "host 1: the kernel delivers the VIP locally" guest 1 "ip route get $VIP | grep -q '^local $VIP dev lo'"

tell "20 requests of each host to the VIP, and to each dedicated IP"
printf '  from     to                     which is             answered\n' >"$RUN/table"
for n in 1 2; do
	row "$n" "the VIP" "http://$VIP/" "$n"
	for m in 1 2; do
		row "$n" "dedicated, host $m" "http://192.0.2.$m/" "$m"
	done
done
show <"$RUN/table"

check "clients are answered by both hosts" wait_until 180 all_answer 1 2
tell "100 requests of clients to the VIP: $(field all "', '.join(f'host {host} {count}' for host, count in sorted(r['hosts'].items()))")"

# So a test from a member tells of its own server alone.
tell "host 1: systemctl stop nginx"
check "host 1: systemctl stop nginx" guest 1 systemctl stop nginx
check "host 1: curl of the VIP is refused" not guest 1 "curl -sS http://$VIP/ 2>/run/curl"
tell "host 1 asks the VIP: $(guest 1 cat /run/curl)"
same "host 2 asks the VIP" "20 host 2" "$(answers_to 2 "http://$VIP/")"
tell "host 2 asks the VIP: host 2 (and clients of host 1's share are refused: see pull-the-plug)"
same "host 1 reaches host 2 by its dedicated IP" "20 host 2" "$(answers_to 1 http://192.0.2.2/)"
