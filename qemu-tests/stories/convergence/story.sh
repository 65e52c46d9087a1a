# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: hosts are added and removed one by one while clients are served: events, time and share of each step
# hosts: 4
# timeout: 1800
#
# A cluster may have 64 hosts; emulated, each takes 768 MiB and a share of the processors,
# so there are four here.

# step TEXT N…: wait until these are the members, and note what it took, as host 1 knows it.
step() {
	local text=$1 last
	shift
	check "$text: members are $*" wait_agree 120 "$@"
	event "members are $*"
	guest 1 nlbadm -j history >"$RUN/history.json"
	last=$(field history "'{cause}|{took_us}|{moved}'.format_map(r['history'][0])")
	printf '  %-34s %-12s %-9s %10s %8s\n' "$text" "${last%%|*}" "$*" \
		"$(cut -d'|' -f2 <<<"$last" | awk '{ printf "%.0f", $1 / 1000 }')" "${last##*|}" >>"$RUN/steps"
	run_for 8000
}

# fails_outside: requests that failed and did not begin within ten seconds before, or while, a host was lost.
fails_outside() {
	python3 -B - "$RUN/steps.list" "$RUN/events" "$TOOLS" <<-'END'
		import pathlib, sys
		sys.path.insert(0, sys.argv[3])
		import timeline
		rows = timeline.read(pathlib.Path(sys.argv[1]))
		events = timeline.read_events(pathlib.Path(sys.argv[2]), 0, 1 << 62)
		spans = []
		for number, (time, text) in enumerate(events):
		    if "nlbadm stop" in text or "power cut" in text:
		        spans.append((time - 10000, events[number + 1][0]))
		print(sum(not row[2].isdigit() and not any(a <= row[0] <= b for a, b in spans) for row in rows))
	END
}

prepare 1 2 3 4
printf '  %-34s %-12s %-9s %10s %8s\n' step cause members 'took ms' moved >"$RUN/steps"
commands 1 add.sh
check "host 1 serves alone" wait_until 120 all_answer 1
load_client steps --interval-ms 100
run_for 4000
for n in 2 3 4; do
	event "host $n: systemctl enable --now nlb@web"
	while IFS= read -r line; do
		case $line in '#'* | '') ;; *) check "host $n: $line" guest "$n" "$line" ;; esac
	done <"$STORY/add.sh"
	# shellcheck disable=SC2046 # a list of hosts
	step "host $n is added" $(seq "$n")
done
event "host 4: nlbadm drainstop"
while IFS= read -r line; do
	case $line in '#'* | '') ;; *) check "host 4: $line" guest 4 "$line" ;; esac
done <"$STORY/remove.sh"
step "host 4 is drained and removed" 1 2 3
event "host 3: nlbadm stop"
guest 3 nlbadm stop
step "host 3 is stopped at once" 1 2
event "host 2: power cut"
power_cut 2
step "host 2 loses its power" 1
load_client_end steps
timeline steps --step-ms 5000
show <"$RUN/steps"
tell "host 1: nlbadm history"
guest 1 nlbadm history | show
tell "$(field steps "r['requests']") requests, failed: $(field steps "', '.join(f'{count} {cause}' for cause, count in r['causes'].items()) or 'none'")"
same "requests that failed outside of the two losses" 0 "$(fails_outside)"
same "hosts that answered" "1 2 3 4" "$(field steps "' '.join(r['hosts'])")"
