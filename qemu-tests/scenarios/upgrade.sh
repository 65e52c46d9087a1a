# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: packages of a higher version on members that serve, and another kernel: no connection is lost, and each is there again
# topology: systemd
# packages: upgrade
# hosts: 3
# form: long
# timeout: 2400

NEXT=$CHECKOUT/build/next/build/deb${NLB_PROFILE:+-$NLB_PROFILE}
KERNELS=${NLB_CACHE:-$HOME/.cache/nlb}/kernels
RELEASE=$(guest 1 uname -r)
# The kernel that host 1 has beside it (nlbtest/scenario.py).
OTHER=$(cd "$KERNELS" && ls -d 7.2.*-cloud-amd64/debs | sort -V | tail -n 1 | cut -d/ -f1)

# apt_says N TEXT: whether the last apt-get of host N said this.
apt_says() {
	in_log "$1" /root/apt "$2"
}

# policy N WORD: what an upgrade does in host N.
policy() {
	guest "$1" "sed -i 's/^UPGRADE=.*/UPGRADE=$2/' /etc/default/nlb"
}

# loaded N: the build id of the module in the kernel of host N.
loaded() {
	guest "$1" "od -An -tx1 /sys/module/nlb/notes/.note.gnu.build-id | xargs"
}

# downloads NAME: 24 of them, each of 40 s, and return when all have begun; how many
# come to their end is in NAME.whole.
downloads() {
	client python3 -c '
import concurrent.futures, http.client, pathlib, sys, threading
begun = threading.Barrier(24, pathlib.Path(sys.argv[2]).touch)
def whole(number):
    host = http.client.HTTPConnection(sys.argv[1], timeout=60, source_address=(f"198.51.100.{number}", 0))
    host.request("GET", "/slow")
    answer = host.getresponse()
    begun.wait()
    return len(answer.read()) == 163840
with concurrent.futures.ThreadPoolExecutor(24) as pool:
    done = [pool.submit(whole, number) for number in range(1, 25)]
    print(sum(one.exception() is None and one.result() for one in done), flush=True)
' "$VIP" "$RUN/$1.begun" >"$RUN/$1.whole" &
	DOWNLOADS=$!
	check "$1: downloads have begun" wait_until 60 [ -e "$RUN/$1.begun" ]
}

# under_load NAME CMD…: requests and downloads while CMD runs; none may fail.
under_load() {
	local name=$1 rc=0
	shift
	load "$name" --parallel 4 --interval-ms 50 --timeout-ms 30000
	downloads "$name"
	"$@" || rc=$?
	load_end "$name"
	wait "$DOWNLOADS"
	same "$name: requests that failed" 0 "$(field "$name" "r['requests'] - r['answered']")"
	same "$name: downloads that came to their end" 24 "$(<"$RUN/$name.whole")"
	return "$rc"
}

# state N: what host N does in its cluster.
state() {
	shown "$1" "r[0]['state']"
}

cat >"$RUN/web.toml" <<END
[cluster]
vips = ["$VIP"]
interface = "eth1"

[[rule]]
ports = 80
affinity = "none"

[host.host1]
id = 1

[host.host2]
id = 2

[host.host3]
id = 3
END

# Version N on three hosts, and a file that takes its time.
for n in 1 2 3; do
	copy "$n" /root "$DEBS"/nlbadm_*.deb "$DEBS/nlb-modules-${RELEASE}"_*.deb
	guest "$n" "mkdir -p next && head -c 163840 /dev/zero >/var/www/html/slow &&
		echo 'limit_rate 4k;' >/etc/nginx/conf.d/slow.conf && systemctl reload nginx"
	copy "$n" /root/next "$NEXT"/nlbadm_*.deb "$NEXT/nlb-modules-${RELEASE}"_*.deb
	check "host $n: version N" apt "$n" install ./nlbadm_*.deb ./nlb-modules-*.deb
done
check "host 1: nlbadm genkey" make_key web 1 2 3
for n in 1 2 3; do
	copy "$n" /etc/nlb "$RUN/web.toml"
	check "host $n: enable --now" guest "$n" systemctl enable --now nlb@web
	serves "$n"
done
check "the hosts are members" wait_agree 120 1 2 3
check "all requests are answered" wait_until 180 all_answer 1 2 3
old=$(loaded 1)
check "nothing is to be replaced" guest 1 "nlbadm upgrade --dry-run | grep -q '^nothing to do'"

# The default: N's module goes on below N+1's tool, and says so.
check "host 3: N+1, and it waits" under_load wait apt 3 install ./next/*.deb
check "host 3: apt says who runs the old module, and what replaces it" \
	apt_says 3 "cluster web on eth1 goes on with it. .systemctl start nlb-upgrade. replaces it"
same "host 3: the module in the kernel" "$old" "$(loaded 3)"
same "host 3: it serves on" converged "$(state 3)"
check "host 3: nlbadm says so" guest 3 "nlbadm | grep -q 'WARNING: the module in the kernel is not the installed one'"
check "host 3: so does nlbadm doctor" guest 3 "nlbadm doctor | grep -q '^warning .*systemctl start nlb-upgrade'"
# The tool N+1 takes a module N out of its cluster and into it again.
check "host 3: a restart of its unit, N+1 with the module N" under_load restart guest 3 systemctl restart nlb@web
serves 3
check "the hosts are members, N+1 with the module N" wait_agree 120 1 2 3

# N+1's module beside N's.
check "host 3: by the operator's command" under_load by-hand guest 3 systemctl start nlb-upgrade
within "host 3: it waited for its downloads, in seconds" "$(field by-hand "r['seconds']")" 25 100
note "$(guest 3 'journalctl -b --no-pager -u nlb-upgrade | tail -n 20')"
check "host 3: another module is in the kernel" [ "$old" != "$(loaded 3)" ]
check "the hosts are members, N and N+1" wait_agree 120 1 2 3
check "all requests are answered, by N and N+1" wait_until 180 all_answer 1 2 3
check "host 3: nlbadm is content" not guest 3 "nlbadm | grep WARNING"

# Two hosts at the same moment, by apt alone: one waits for the other.
both() {
	local pids=() n rc=0
	for n in 1 2; do
		policy "$n" reload
		apt "$n" install ./next/*.deb &
		pids+=($!)
	done
	for n in "${pids[@]}"; do
		wait "$n" || rc=1
	done
	return "$rc"
}
before=$(members 3)
check "hosts 1 and 2: N+1 at once, and it reloads" under_load both both
for n in 1 2; do
	note "$(guest "$n" 'tail -n 5 /root/apt; journalctl -b --no-pager -u nlb-upgrade | tail -n 20')"
	check "host $n: apt says so" apt_says "$n" "the module was replaced"
	same "host $n: the module in the kernel" "$(loaded 3)" "$(loaded "$n")"
	serves "$n"
done
check "the hosts are members, all of N+1" wait_agree 120 1 2 3
check "all requests are answered by N+1" wait_until 180 all_answer 1 2 3
note "$(guest 3 nlbadm history)"
guest 3 nlbadm -j history >"$RUN/history.json"
same "the fewest members that there were meanwhile" 2 "$(field history \
	"min(len(h['members']) for h in r['history'] if h['generation'] > ${before%%:*})")"

# What an operator has stopped stays so. (A step back is an upgrade to the module.)
back="install --allow-downgrades ./nlb-modules-*.deb"
check "host 2: stop" guest 2 nlbadm stop web
check "host 2: back to the module N, with the tool N+1" apt 2 "$back"
same "host 2: the module in the kernel" "$old" "$(loaded 2)"
same "host 2: it is stopped still" stopped "$(state 2)"
check "host 2: so is its unit as it was" guest 2 systemctl is-active nlb-serve@web
check "host 2: start" guest 2 nlbadm start web
check "the hosts are members, N+1 and N" wait_agree 120 1 2 3
# The tool N with the module N+1, the other way round.
check "host 2: the tool N" apt 2 "install --allow-downgrades ./nlbadm_*.deb"
check "host 2: the module N+1 with the tool N" under_load tool apt 2 "install ./next/nlb-modules-*.deb"
same "host 2: the module in the kernel" "$(loaded 3)" "$(loaded 2)"
check "host 2: N drains and joins with the module N+1" under_load older guest 2 systemctl restart nlb@web
check "the hosts are members, N and N+1 with one module" wait_agree 120 1 2 3

# A module that the kernel refuses: the old one serves again, and it is told.
policy 3 wait
check "host 3: back to the module N" apt 3 "$back"
guest 3 "echo garbage >/lib/modules/$RELEASE/updates/nlb.ko"
check "host 3: a module that is none is refused" under_load refused not guest 3 systemctl start nlb-upgrade
note "$(guest 3 'journalctl -b --no-pager -u nlb-upgrade | tail -n 5')"
check "host 3: the journal says what became of it" guest 3 \
	"journalctl -b --no-pager -u nlb-upgrade | grep -q 'the old module is in the kernel again, and cluster web on eth1 is as it was: modprobe nlb'"
same "host 3: the module in the kernel is the old one" "$(loaded 1)" "$(loaded 3)"
check "the hosts are members with it" wait_agree 120 1 2 3
check "host 3: the package again" apt 3 "install --reinstall ./next/nlb-modules-*.deb"
guest 3 systemctl reset-failed nlb-upgrade

# The last host that serves stays.
policy 1 wait
check "host 1: another module to go to" apt 1 "$back"
guest 2 systemctl stop nlb@web
guest 3 systemctl stop nlb@web
check "host 1 is alone" wait_agree 60 1
check "host 1: it does not leave" not guest 1 "nlbadm upgrade --turn-timeout 3s 2>/root/says"
check "host 1: and says why" in_log 1 /root/says "nothing was changed: .*host [23] of web\|no other host of web serves"
same "host 1: it serves on" converged "$(state 1)"
guest 2 systemctl start nlb@web
guest 3 systemctl start nlb@web
check "the hosts are members once more" wait_agree 120 1 2 3
check "host 1: now it does" guest 1 systemctl start nlb-upgrade

# Another kernel with its module: host 1 is there again by itself, after the step back and after the upgrade.
guest 1 "mkdir -p kernel"
copy 1 /root/kernel "$KERNELS/$OTHER/debs"/*.deb "$DEBS/nlb-modules-${OTHER}"_*.deb
check "host 1: apt install, of Linux $OTHER and its module" apt 1 install ./kernel/*.deb
for kernel in "$OTHER" "$RELEASE"; do
	check "host 1 reboots into $kernel" under_load "into-${kernel%%+*}" boot_kernel 1 "$kernel"
	same "host 1: the kernel" "$kernel" "$(guest 1 uname -r)"
	serves 1
	check "the hosts are members, with host 1 on $kernel" wait_agree 120 1 2 3
	check "all requests are answered, with host 1 on $kernel" wait_until 180 all_answer 1 2 3
done

# Without one: the rest of the host is there, and nlbadm says what helps.
check "host 1: the module of $OTHER goes" apt 1 purge "nlb-modules-$OTHER"
check "host 1 reboots into $OTHER all the same" under_load without boot_kernel 1 "$OTHER" degraded
same "host 1: what failed" nlb@web.service "$(guest 1 "systemctl list-units --failed --plain --no-legend 'nlb*' | cut -d' ' -f1")"
check "host 1: its web server runs" guest 1 systemctl is-active nginx
check "host 1: nlbadm says what helps" guest 1 \
	"nlbadm 2>&1 | grep -q 'not built for this kernel ($OTHER), only for $RELEASE: .apt install nlb-modules-$OTHER.'"
check "the other hosts go on" wait_agree 60 2 3
check "host 1 reboots into $RELEASE" boot_kernel 1 "$RELEASE"
serves 1
check "the hosts are members at the end" wait_agree 120 1 2 3
check "all requests are answered at the end" wait_until 180 all_answer 1 2 3
