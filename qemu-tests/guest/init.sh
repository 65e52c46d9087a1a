#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Process 1 of a guest, once its root file system stands (boot.sh): mounts the
# rest, keeps a shell on the people's console, and runs the agent. When the
# agent ends, the guest powers off.

export PATH=/nlb/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LC_ALL=C.UTF-8 TERM=linux

mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs tmp /tmp
mount -t tmpfs shm /dev/shm
mount -t debugfs debug /sys/kernel/debug
mkdir -p /run/netns /run/lock /run/agent /var/log/nginx
ln -sf /proc/self/fd /dev/fd

# A client with thousands of connections, and a server that serves them.
ulimit -n 65536

for word in $(</proc/cmdline); do
	case $word in
	nlb.name=*) hostname "${word#*=}" ;;
	nlb.patience=*) export NLB_PATIENCE=${word#*=} ;;
	nlb.long=*) export LONG=${word#*=} ;;
	nlb.seed=*) export SEED=${word#*=} ;;
	esac
done
hostname >/etc/hostname
printf '127.0.0.1 localhost %s\n::1 localhost\n' "$(hostname)" >/etc/hosts
ip link set lo up

# port NAME: the device of the virtio-serial port of that name. There is no
# udev here to make links of these names.
port() {
	local dir
	for dir in /sys/class/virtio-ports/*; do
		if [ -e "$dir/name" ] && [ "$(<"$dir/name")" = "$1" ]; then
			printf '/dev/%s\n' "$(basename "$dir")"
		fi
	done
}

people() {
	while :; do
		setsid --ctty --wait bash --login <>/dev/hvc0 >&0 2>&1
	done
}

cat >/root/.bash_profile <<'END'
PS1='\h:\w\$ '
stty rows 40 cols 120 2>/dev/null
END

if [ -e /dev/hvc0 ]; then
	people &
fi
export NLB_KTAP
NLB_KTAP=$(port nlb.ktap)
/nlb/agent "$(port nlb.ctl)"
poweroff -f 2>/dev/null || busybox poweroff -f
