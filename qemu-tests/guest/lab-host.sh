#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a guest of the lab does to be a host of the cluster:
#   lab-host network N               addresses and the web server
#   lab-host join N [OPTION…]        load the module, join (key in /run/key)
#   lab-host wait-members S ID…      wait at most S seconds until exactly the
#                                    hosts of these ids are converged

set -euo pipefail

for file in ktap cluster; do
	# shellcheck disable=SC1090
	. "/nlb/lib/$file.sh"
done

VIP=10.0.0.10

network() {
	modprobe virtio_net
	wait_until 10 ip link show eth1 >/dev/null 2>&1
	ip link set eth0 up
	ip addr add "10.0.0.$1/16" dev eth0
	ip route add 10.1.0.0/16 via 10.0.0.100
	ip link set eth1 up
	ip addr add "192.168.0.$1/24" dev eth1
	cat >/run/nginx.conf <<-END
		worker_processes 1;
		error_log /var/log/nginx/error.log;
		pid /run/nginx.pid;
		events { worker_connections 4096; }
		http {
			access_log off;
			default_type text/plain;
			keepalive_timeout 0;
			server {
				listen 80 backlog=4096;
				return 200 "host $1\n";
			}
		}
	END
	sysctl -q net.core.somaxconn=4096
	nginx -c /run/nginx.conf
}

join() {
	local id=$1
	shift
	[ -d /sys/module/nlb ] || insmod /nlb/nlb.ko
	nlbadm up eth0 --cluster lab --host-id "$id" --vip "$VIP" --key-file /run/key "$@"
}

case $1 in
network) network "$2" ;;
join)
	shift
	join "$@"
	;;
wait-members)
	seconds=$2
	shift 2
	wait_until "$seconds" members_are "" eth0 "$@" || {
		nlbadm show eth0
		exit 1
	}
	;;
*) exit 2 ;;
esac
