# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the cable of one host of three is pulled under load; then its web server is stopped, without a health check and with one
# hosts: 3
# timeout: 1500
#
# An emulated host stands still for a second now and then, and is taken for dead by its
# heartbeats. So what is judged is what became of requests, and not how soon; the times
# are printed.

PAGE=(--url "http://$VIP/page" --interval-ms 100 --timeout-ms 15000)

# list_says NAME EXPRESSION: of the requests of a load, with rows of start, source,
# outcome and connect time in ms, and what happened at which time.
list_says() {
	python3 -B - "$RUN/$1.list" "$RUN/events" "$2" "$TOOLS" <<-'END'
		import pathlib, sys
		sys.path.insert(0, sys.argv[4])
		import timeline
		rows = timeline.read(pathlib.Path(sys.argv[1]))
		events = timeline.read_events(pathlib.Path(sys.argv[2]), 0, 1 << 62)
		at = lambda text: [time for time, event in events if text in event][-1]
		bad = lambda row: not row[2].isdigit() or row[3] >= timeline.SLOW_MS
		failed = lambda row: not row[2].isdigit()
		print(eval(sys.argv[3]))
	END
}

# failures NAME: "3 no-answer, 1 reset", or "none".
failures() {
	field "$1" "', '.join(f'{count} {cause}' for cause, count in r['causes'].items()) or 'none'"
}

farm 1 2 3
commands "1 2 3" hosts.sh
check "all requests are answered, by all hosts" wait_until 180 all_answer 1 2 3

# The cable.
load_client cable "${PAGE[@]}"
run_for 8000
event "the cable of host 2 is pulled"
unplug 2
check "hosts 1 and 3 agree without host 2" wait_agree 120 1 3
event "hosts 1 and 3 have agreed without it"
run_for 12000
event "the cable is plugged in"
plug 2
check "all three are members again" wait_agree 120 1 2 3
event "host 2 is a member again"
run_for 8000
load_client_end cable
timeline cable --svg "$RUN/pull-the-plug.svg"
same "requests that failed before the cable was pulled, but for those that were under way" 0 \
	"$(list_says cable "sum(failed(row) for row in rows if row[0] < at('is pulled') - 4000)")"
same "requests that failed, of those that began after the others had agreed" 0 \
	"$(list_says cable "sum(failed(row) for row in rows if row[0] > at('have agreed'))")"
same "requests that host 2 answered while its cable was out" 0 \
	"$(list_says cable "sum(row[2] == '2' for row in rows if at('have agreed') < row[0] < at('plugged in'))")"
check "host 2 serves again" [ "$(list_says cable "sum(row[2] == '2' for row in rows if row[0] > at('member again'))")" -gt 0 ]
tell "the cable was pulled: failed $(failures cable), of $(field cable "r['requests']") requests"
tell "the last request that failed or waited began $(list_says cable \
	"'%.1f' % ((max([row[0] for row in rows if bad(row) and row[0] < at('plugged in')], default=at('is pulled')) - at('is pulled')) / 1000)") s after the pull (Windows: some 10 s)"

# The service without a check: its host goes on to get its share.
load_client service "${PAGE[@]}"
run_for 5000
event "host 2: systemctl stop nginx"
guest 2 systemctl stop nginx
event "nginx of host 2 has stopped"
run_for 12000
event "host 2: systemctl start nginx"
guest 2 systemctl start nginx
event "nginx of host 2 runs"
run_for 5000
load_client_end service
timeline service
check "host 2 is a member all the while" agree 1 2 3
dead=$(list_says service "sum(failed(row) for row in rows if at('has stopped') < row[0] < at('systemctl start'))")
all=$(list_says service "sum(at('has stopped') < row[0] < at('systemctl start') for row in rows)")
within "without a check: requests refused while nginx was stopped, of $all" "$dead" $((all / 6)) $((all / 2))
tell "the service was stopped, without a check: $dead of $all requests failed, as long as it was stopped"

# And with one.
file_of_cluster checked.toml 1 2 3
commands "1 2 3" check.sh
for n in 1 2 3; do
	check "host $n: nlbd finds its service well" wait_until 60 guest "$n" "nlbadm -j checks | grep -q '\"state\": \"well\"'"
done
load_client checked "${PAGE[@]}"
run_for 5000
event "host 2: systemctl stop nginx, with a check"
guest 2 systemctl stop nginx
check "host 2 gives the rule up" wait_until 60 guest 2 "nlbadm rules | grep -q draining"
event "host 2 has given the rule up"
tell "host 2: nlbadm checks"
guest 2 nlbadm checks | show
run_for 10000
event "host 2: systemctl start nginx, with a check"
guest 2 systemctl start nginx
check "host 2 takes the rule" wait_until 60 guest 2 "nlbadm rules | grep -q enabled"
event "host 2 has taken the rule again"
run_for 6000
load_client_end checked
timeline checked
same "with a check: requests that failed, of those that began after host 2 gave the rule up" 0 \
	"$(list_says checked "sum(failed(row) for row in rows if row[0] > at('has given'))")"
check "host 2 serves again" [ "$(list_says checked "sum(row[2] == '2' for row in rows if row[0] > at('has taken'))")" -gt 0 ]
tell "the service was stopped, with a check: failed $(failures checked), of $(field checked "r['requests']") requests, the last one $(list_says checked \
	"'%.1f' % ((max([row[0] for row in rows if failed(row)], default=at('stop nginx, with')) - at('stop nginx, with')) / 1000)") s after the stop"
