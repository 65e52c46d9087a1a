# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: Debian's network managers bring the cluster interface up again, on all hosts at once
# topology: systemd
# system: managers
# hosts: 2
# form: long
# timeout: 1800
#
# systemd-networkd, NetworkManager, ifupdown and netplan, each with the interface of the
# cluster in its own files and the VIP in none, and each with what its users do by hand or
# what an update of its package does. "field-vips" stands for this in CI.

# on_all LINE: on both hosts at once; %n is the host's number.
on_all() {
	local n pids=()
	for n in 1 2; do
		guest "$n" "${1//%n/$n}" >"$RUN/line$n" 2>&1 &
		pids+=("$!")
	done
	for n in 1 2; do
		wait "${pids[n - 1]}" || { cat "$RUN/line$n"; return 1; }
	done
}

# all_answer: each of 100 requests is answered, by both hosts.
all_answer() {
	requests 100 all --timeout-ms 30000
	[ "$(field all "r['answered']")" = 100 ] && [ "$(field all "len(r['hosts'])")" = 2 ]
}

# never_missed N: the host has not been out for want of a VIP, since it joined.
never_missed() {
	! guest "$1" "grep -q vip-missing /run/watch"
}

# survives WHAT LINE: what is done on both hosts at once takes no VIP away.
survives() {
	note "$2"
	check "$1" on_all "$2"
	check "$1: all requests are answered, by both hosts" wait_until 120 all_answer
	for n in 1 2; do
		check "$1: host $n has the VIP" guest "$n" "ip -brief address show dev nlb0 | grep -qw $VIP"
		check "$1: and was never without it" never_missed "$n"
	done
}

# managed_by MANAGER: stop the one before, and let this one set the interface up.
managed_by() {
	local manager=$1
	note "--- $manager"
	case $manager in
	networkd)
		on_all 'systemctl start systemd-networkd && networkctl reconfigure eth1'
		;;
	NetworkManager)
		on_all "systemctl stop systemd-networkd.socket systemd-networkd
			printf '[device-eth0]\nmatch-device=interface-name:eth0\nmanaged=0\n' >/etc/NetworkManager/conf.d/eth0.conf
			systemctl start NetworkManager
			nmcli connection add type ethernet ifname eth1 con-name eth1 ipv4.method manual \
				ipv4.addresses 192.0.2.%n/24 ipv4.gateway 192.0.2.254
			nmcli connection up eth1"
		;;
	ifupdown)
		on_all "systemctl stop NetworkManager
			printf 'auto lo eth1\niface lo inet loopback\niface eth1 inet static\n address 192.0.2.%n/24\n gateway 192.0.2.254\n' >/etc/network/interfaces
			ip addr flush dev eth1 scope global
			ip link set eth1 down
			ifup eth1"
		;;
	netplan)
		on_all "ifdown eth1
			rm /etc/systemd/network/eth1.network
			(umask 077 && printf 'network:\n  version: 2\n  ethernets:\n    eth1:\n      addresses: [192.0.2.%n/24]\n      routes: [{to: default, via: 192.0.2.254}]\n' >/etc/netplan/eth1.yaml)
			netplan apply"
		;;
	esac
	check "$manager: all requests are answered, by both hosts" wait_until 120 all_answer
}

CHECKOUT=$(cd "$NLB_TESTS/.." && pwd -P)
MODULE=$CHECKOUT/build/module/$(guest 1 uname -r)/nlb.ko
NLBADM=$CHECKOUT/userspace/target/release/nlbadm
check "nlbadm is built" env -u MAKEFLAGS -u MAKELEVEL make -C "$CHECKOUT" nlbadm
(umask 077 && "$NLBADM" genkey >"$RUN/web.key")
for n in 1 2; do
	copy "$n" /usr/local/sbin "$NLBADM"
	copy "$n" /root "$MODULE" "$RUN/web.key"
	guest "$n" "insmod nlb.ko && nlbadm up eth1 --cluster web --host-id $n --vip $VIP --key-file web.key"
	guest "$n" '{ exec nlbadm monitor; } </dev/null >/run/watch 2>&1 &'
done
check "the hosts are members" wait_agree 120 1 2

managed_by networkd
survives "networkctl reconfigure" 'networkctl reconfigure eth1'
survives "networkctl reload, with a changed file" 'echo "# changed" >>/etc/systemd/network/eth1.network; networkctl reload'
survives "an update of systemd restarts networkd" 'systemctl restart systemd-networkd'
survives "ip link set down and up" 'ip link set eth1 down; ip link set eth1 up; networkctl reconfigure eth1'

managed_by NetworkManager
survives "nmcli connection up" 'nmcli connection up eth1'
survives "nmcli device reapply" 'nmcli device reapply eth1'
survives "an update of NetworkManager restarts it" 'systemctl restart NetworkManager; nmcli --wait 60 connection up eth1'

managed_by ifupdown
survives "ifdown and ifup" 'ifdown eth1; ifup eth1'
survives "networking is restarted" 'systemctl restart networking'

managed_by netplan
survives "netplan apply" 'netplan apply'
survives "netplan apply, with a changed file" 'sed -i "s/version: 2/version: 2 /" /etc/netplan/eth1.yaml; netplan apply'

for n in 1 2; do
	note "$(guest "$n" 'ip -brief addr; cat /run/watch')"
	check "host $n: down" guest "$n" 'nlbadm down && rmmod nlb'
	same "host $n: no VIP is left" 0 "$(guest "$n" "ip -o addr | grep -cw $VIP || :")"
done
