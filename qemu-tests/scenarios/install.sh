# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: Debian packages on Debian with systemd: from apt install to a cluster, over a reboot, and to a purge
# topology: systemd
# packages: debian
# hosts: 2
# form: long
# timeout: 900
#
# Host 1 gets the package with the module for its kernel; host 2 the module that
# DKMS has built on a plain Debian 13 (scripts/test-packages.sh dkms, which is the
# first half of "make test T=install").

RELEASE=$(guest 1 uname -r)
BY_DKMS=$CHECKOUT/build/test/packages/$RELEASE/nlb.ko

# files N NAME: note in host N which files there are, less those that dpkg, apt and
# systemd keep for themselves.
files() {
	guest "$1" "cd / && find etc usr var \( -path var/lib/dpkg -o -path var/lib/apt -o -path var/lib/systemd \
		-o -path var/cache -o -path var/log -o -path var/tmp \) -prune -o -print | LC_ALL=C sort >/root/files-$2"
}

# left N: what is in host N now and was not when "before" was noted, in one line.
left() {
	files "$1" now
	guest "$1" "LC_ALL=C comm -13 /root/files-before /root/files-now | paste -sd' '"
}

# has_vip N: host N serves, with the VIP.
has_vip() {
	serves "$1"
	check "host $1: it has the VIP" guest "$1" "ip -brief address show dev nlb0 | grep -qw $VIP"
}

# says N TEXT: "nlbadm" in host N has no module, and says why.
says() {
	local code=0
	guest "$1" nlbadm >"$RUN/says" 2>&1 || code=$?
	note "host $1: $(cat "$RUN/says")"
	same "host $1: the exit code without a module" 3 "$code"
	check "host $1: nlbadm says: $2" grep -q -- "$2" "$RUN/says"
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
END

check "DKMS has built a module for $RELEASE (make test T=install)" [ -s "$BY_DKMS" ]
for n in 1 2; do
	files "$n" before
	copy "$n" /root "$DEBS"/nlbadm_*.deb
done
copy 1 /root "$DEBS/nlb-modules-${RELEASE}"_*.deb
check "host 1: apt install, of tool and module" apt 1 install ./nlbadm_*.deb ./nlb-modules-*.deb
check "host 2: apt install, of the tool" apt 2 install ./nlbadm_*.deb
says 2 "the module is not loaded, and modprobe knows none: .apt install nlb-modules-$RELEASE."
guest 2 "mkdir -p /lib/modules/7.0-other && echo updates/nlb.ko: >/lib/modules/7.0-other/modules.dep"
says 2 "the module is not built for this kernel ($RELEASE), only for 7.0-other: .apt install nlb-modules-$RELEASE."
guest 2 "rm -r /lib/modules/7.0-other; mkdir -p /lib/modules/$RELEASE/updates/dkms"
copy 2 "/lib/modules/$RELEASE/updates/dkms" "$BY_DKMS"
guest 2 depmod -a
for n in 1 2; do
	check "host $n: modprobe finds the module" guest "$n" "modprobe --show-depends nlb | grep -q '/updates/.*nlb.ko'"
done

# One key for the cluster, made on a host of it.
check "host 1: nlbadm genkey" make_key web 1 2
for n in 1 2; do
	copy "$n" /etc/nlb "$RUN/web.toml"
	check "host $n: nlbadm check" guest "$n" nlbadm check /etc/nlb/web.toml
	check "host $n: enable --now" guest "$n" systemctl enable --now nlb@web
	has_vip "$n"
done
check "the hosts are members" wait_agree 120 1 2
check "all requests are answered, by both hosts" wait_until 180 all_answer 1 2

for n in 1 2; do
	check "host $n reboots" reboot "$n"
	has_vip "$n"
done
check "the hosts are members after a reboot" wait_agree 120 1 2
check "all requests are answered, by both hosts, after a reboot" wait_until 180 all_answer 1 2

# A removal takes the host out of its cluster in order.
load busy --parallel 4 --interval-ms 50 --timeout-ms 30000
check "host 1: apt remove" apt 1 remove nlbadm
load_end busy
same "requests that failed meanwhile" 0 "$(field busy "r['requests'] - r['answered']")"
check "host 1: no cluster is left" guest 1 "! ip link show nlb0"
check "host 1: rmmod" guest 1 rmmod nlb
check "all requests are answered by host 2" wait_until 180 all_answer 2
same "host 1: what a removal leaves" \
	"etc/default/nlb etc/nlb etc/nlb/web.key etc/nlb/web.toml etc/systemd/system/multi-user.target.wants/nlb@web.service usr/lib/modules/$RELEASE/updates usr/lib/modules/$RELEASE/updates/nlb.ko" \
	"$(left 1)"
check "host 1: apt purge" apt 1 purge nlbadm "nlb-modules-$RELEASE"
same "host 1: what a purge leaves, the operator's own" "etc/nlb etc/nlb/web.key etc/nlb/web.toml" "$(left 1)"
check "host 1: modprobe finds no module" not guest 1 modprobe nlb
check "host 1: systemd is content after the purge" guest 1 "systemctl is-system-running --wait"

# And back, with the file and the key that stayed.
check "host 1: apt install again" apt 1 install ./nlbadm_*.deb ./nlb-modules-*.deb
check "host 1: enable --now again" guest 1 systemctl enable --now nlb@web
has_vip 1
check "the hosts are members again" wait_agree 120 1 2

# A kernel that takes only signed modules, as Secure Boot makes it: one has no
# signature, the other that of a key which this kernel does not know.
for n in 1 2; do
	guest "$n" "systemctl stop nlb@web && rmmod nlb && echo 1 >/sys/module/module/parameters/sig_enforce"
	check "host $n: modprobe is refused" guest "$n" "modprobe nlb 2>&1 | grep -i 'key was rejected'"
done
says 1 "nlb.ko has no signature, and this kernel takes only signed modules (Secure Boot): .apt install nlb-dkms"
says 2 "if its key is rejected, .*mokutil --import /var/lib/dkms/mok.pub"
