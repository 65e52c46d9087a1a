# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: nlb@NAME on Debian with systemd: after a reboot the cluster is there again, and a reboot lets connections end
# topology: systemd
# hosts: 2
# form: long
# timeout: 900

CHECKOUT=$(cd "$NLB_TESTS/.." && pwd -P)
RELEASE=$(guest 1 uname -r)
MODULE=$CHECKOUT/build/module/$RELEASE/nlb.ko
NLBADM=$CHECKOUT/userspace/target/release/nlbadm
NLBD=$CHECKOUT/userspace/target/release/nlbd

# all_answer: each of 100 requests is answered, by both hosts.
all_answer() {
	requests 100 all --timeout-ms 30000
	[ "$(field all "r['answered']")" = 100 ] && [ "$(field all "len(r['hosts'])")" = 2 ]
}

# property N UNIT NAME: a property of a unit.
property() {
	guest "$1" "systemctl show --value -p $3 $2"
}

# began_before N UNIT OTHER: whether one unit was active before another, in this boot.
began_before() {
	local one other
	one=$(property "$1" "$2" ActiveEnterTimestampMonotonic)
	other=$(property "$1" "$3" ActiveEnterTimestampMonotonic)
	note "host $1: $2 at $one us, $3 at $other us"
	[ "$one" -gt 0 ] && [ "$one" -le "$other" ]
}

# up_again N: what there is after a boot, without a hand.
up_again() {
	check "host $1: the unit is active" guest "$1" systemctl is-active nlb@web
	check "host $1: systemd is content" guest "$1" systemctl is-system-running --wait
	check "host $1: it has the VIP" guest "$1" "ip -brief address show dev nlb0 | grep -qw $VIP"
	check "host $1: the cluster was made before the network counted as online" \
		began_before "$1" nlb@web.service network-online.target
	check "host $1: nothing differs from the file" guest "$1" \
		"nlbadm apply /etc/nlb/web.toml | grep -q '^nothing to do: host$1 '"
	check "host $1: it serves when its services do" began_before "$1" multi-user.target nlb-serve@web.service
}

check "nlbadm and nlbd are built" env -u MAKEFLAGS -u MAKELEVEL make -C "$CHECKOUT" nlbadm nlbd
(umask 077 && "$NLBADM" genkey >"$RUN/web.key")
cat >"$RUN/web.toml" <<END
[cluster]
vips = ["$VIP"]
interface = "eth1"
replicate = true

[[rule]]
ports = 80
affinity = "none"
[rule.check]
type = "systemd"
unit = "nginx.service"
interval = "1s"
fall = 2

[host.host1]
id = 1

[host.host2]
id = 2
weight = 60
END
check "the file is right on the machine that made it" "$NLBADM" check "$RUN/web.toml"
for n in 1 2; do
	note "host $n is called $(guest "$n" hostname)"
	copy "$n" /usr/local/sbin "$NLBADM" "$NLBD"
	copy "$n" /root "$MODULE" "$RUN/web.key"
	copy "$n" /etc/systemd/system "$CHECKOUT"/dist/systemd/nlb*.service
	guest "$n" "install -D -m 644 nlb.ko /lib/modules/$RELEASE/updates/nlb.ko && depmod -a
		install -D -m 600 web.key /etc/nlb/web.key && rm nlb.ko web.key
		systemctl daemon-reload"
	copy "$n" /etc/nlb "$RUN/web.toml"
	check "host $n: systemd has nothing against the units" guest "$n" \
		"systemd-analyze verify /etc/systemd/system/nlb*.service >/run/verify 2>&1; cat /run/verify; [ ! -s /run/verify ]"
	check "host $n: enable --now" guest "$n" systemctl enable --now nlb@web
	check "host $n: it serves" wait_until 60 guest "$n" systemctl is-active nlb-serve@web
done
check "the hosts are members" wait_agree 120 1 2
check "all requests are answered, by both hosts" wait_until 180 all_answer
# Exposure from 0 to 10, in systemd's opinion.
for unit in nlb@web nlb-serve@web nlbd; do
	check "$unit is in a sandbox" guest 1 \
		"systemd-analyze security --no-pager --threshold=20 $unit >/run/security; code=\$?; tail -n 1 /run/security; exit \$code"
done

# A file that changed is a matter of a reload.
sed -i 's/^weight = 60/weight = 40/' "$RUN/web.toml"
copy 2 /etc/nlb "$RUN/web.toml"
check "reload" guest 2 systemctl reload nlb@web
same "the weight of host 2" 40 "$(shown 2 "r[0]['weight']")"

# nlbd in its unit: a service that stops, and one that is there again; a reload of the cluster's unit is one of nlbd too.
for n in 1 2; do
	check "host $n: nlbd begins" guest "$n" systemctl enable --now nlbd
	check "host $n: its service is well" wait_until 60 guest "$n" \
		"nlbadm -j checks | grep -q '\"state\": \"well\"'"
done
guest 2 systemctl stop nginx
check "nginx is stopped: host 2 gives the rule up" wait_until 30 guest 2 "nlbadm rules | grep -q draining"
check "all requests are answered, by host 1" requests 20 one
same "by host 1 alone" "['1']" "$(field one "list(r['hosts'])")"
guest 2 systemctl restart nlbd
check "nlbd is started anew: it knows what it did" guest 2 "nlbadm checks | grep -q 'given up'"
guest 2 systemctl start nginx
check "nginx is there again: host 2 takes the rule" wait_until 30 guest 2 "nlbadm rules | grep -q enabled"
guest 2 systemctl reload nlb@web
check "a reload of the cluster is one of nlbd" wait_until 30 guest 2 \
	"journalctl -b --no-pager -u nlbd | grep -q 'checks\?, 0 of them new'"
note "$(guest 2 'journalctl -b --no-pager -u nlbd | tail -n 20')"
note "host 2: nlbd has $(guest 2 "grep VmRSS /proc/\$(systemctl show --value -p MainPID nlbd)/status")"

# The file of all hosts: changed on host 2 alone.
copy 2 /root "$RUN/web.toml"
guest 2 "mkdir -p new && sed 's/^weight = 40/weight = 45/' /etc/nlb/web.toml >new/web.toml"
check "host 2 changes the file on all hosts" guest 2 nlbadm apply new/web.toml --on all
check "host 1 has it" guest 1 grep -qx 'weight = 45' /etc/nlb/web.toml
same "the weight of host 2" 45 "$(shown 2 "r[0]['weight']")"

# A reboot in order, under load: what host 2 serves ends first. It boots with a file of a year ago, and knows of no version.
guest 2 "systemctl stop nlbd && rm -r /var/lib/nlb/web && cp web.toml /etc/nlb/ && touch -d '1 year ago' /etc/nlb/web.toml"
load busy --parallel 4 --interval-ms 50 --timeout-ms 30000
before=$(guest 2 cat /proc/sys/kernel/random/boot_id)
check "host 2 reboots" reboot 2
check "it was a reboot" [ "$before" != "$(guest 2 cat /proc/sys/kernel/random/boot_id)" ]
up_again 2
check "host 2 has taken the newest file over before it served" began_before 2 nlbd.service nlb-serve@web.service
check "it has the file of all" guest 2 grep -qx 'weight = 45' /etc/nlb/web.toml
same "the weight of host 2 after the reboot" 45 "$(shown 2 "r[0]['weight']")"
check "the hosts are members after the reboot" wait_agree 120 1 2
load_end busy
same "requests that failed" 0 "$(field busy "r['requests'] - r['answered']")"
check "all requests are answered, by both hosts, after it" wait_until 180 all_answer
note "$(guest 2 'journalctl -b -1 --no-pager -u nlb@web -u nlb-serve@web | tail -n 20' || :)"

# Without power, on both hosts at once.
for n in 1 2; do
	power_cut "$n"
done
for n in 1 2; do
	check "host $n boots" boot "$n"
done
for n in 1 2; do
	up_again "$n"
done
check "the hosts are members after a power cut" wait_agree 120 1 2
check "all requests are answered, by both hosts, after a power cut" wait_until 180 all_answer

# Stopping the unit takes the host out; what is wrong is told, and the system boots on.
check "stop" guest 2 systemctl stop nlb@web
same "no cluster is left" "[]" "$(guest 2 nlbadm -j show)"
check "nor does the host serve" not guest 2 systemctl is-active nlb-serve@web
check "start" guest 2 systemctl start nlb@web
check "the hosts are members again" wait_agree 120 1 2
check "an operator takes it down by hand" guest 2 nlbadm down web
check "the unit stops without a failure" guest 2 "systemctl stop nlb@web && ! systemctl is-failed nlb@web nlb-serve@web"
guest 2 "sed -i 's/^vips/vip/' /etc/nlb/web.toml"
check "a file that is not right: the unit fails" not guest 2 systemctl start nlb@web
check "and the journal says where" guest 2 \
	"journalctl -b --no-pager -u nlb@web | grep -q 'line 2 column 1: .cluster. has no key .vip.; did you mean .vips.'"
