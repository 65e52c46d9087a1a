# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: doctor, show and up name what on a host keeps clients from being served, and a healthy host nothing
# clock: counted
# timeout: 420
#
# Each obstacle is put in the way for real, is named by its check, and is gone
# again when the remedy has been applied.

hosts 2
plug h1 eth1 p1b 02:00:00:00:01:01
ip -n h1 addr add 10.9.0.1/24 dev eth1
load_module
for n in 1 2; do
	serve "$n"
	join "$n" --vip "$VIP6" 2>"/run/test/up$n"
	same "up of host $n warns of nothing" "" "$(cat "/run/test/up$n")"
done
wait_agree 30 1 2

# doctor N [IFACE]: CODE is the exit code; the report is /run/test/doctor.json.
doctor() {
	CODE=0
	on "h$1" nlbadm -j doctor "${2:-eth0}" >/run/test/doctor.json 2>/run/test/doctor.err || CODE=$?
}
# of_check CHECK: what the check found: its verdicts, and the texts with the remedies.
of_check() {
	field doctor "[.checks[] | select(.check == \"$1\" and .verdict != \"not-checked\").verdict] | unique | join(\" \")"
}
says() {
	field doctor "[.checks[] | select(.check == \"$1\" and .verdict != \"ok\") | .text + \"; remedy: \" + .remedy] | join(\"; \")"
}
# in_show N: the checks whose obstacles "show" has.
in_show() {
	adm "h$1" -j show eth0 | jq -r '[.[0].obstacles[].check] | unique | join(" ")'
}
# obstacle TEXT N CHECK VERDICT WORDS: doctor of host N tells of it in these words, and has the exit code.
obstacle() {
	local code=0
	[ "$4" = warning ] || code=8
	doctor "$2"
	same "$1: the verdict of $3" "$4" "$(of_check "$3")"
	same "$1: the exit code" "$code" "$CODE"
	check "$1: in words: $5" grep -qF -- "$5" <<<"$(says "$3")"
	note "$1: $(says "$3")"
}
# shown_too TEXT N CHECK: "show" tells of it as well, and of nothing else.
shown_too() {
	same "$1: in show" "$3" "$(in_show "$2")"
}
healthy() {
	doctor "$2"
	same "$1: no problem and no warning" "0 0 0" "$CODE $(field doctor '"\(.problems) \(.warnings)"')"
	same "$1: nothing in show" "" "$(in_show "$2")"
	[ "$CODE" = 0 ] || cat /run/test/doctor.json
}

healthy "healthy host 1" 1
healthy "healthy host 2" 2
on h1 nlbadm doctor >/run/test/healthy
note "$(cat /run/test/healthy)"
check "each check has its line" [ "$(grep -cE '^(ok|not checked) ' /run/test/healthy)" -ge 12 ]

# Clients beyond the segment are answered by the second card.
ip -n h1 route del "$SOURCES"
ip -n h1 route add default via 10.9.0.9 dev eth1
healthy "two cards" 1
on h1 sysctl -q net.ipv4.conf.eth0.rp_filter=1
obstacle "strict rp_filter" 1 rp_filter warning 'answered by eth1'
on c tt connect --to "$VIP:80" --from "$SOURCES" --count 20 --timeout-ms 500 >/run/test/lost.json
obstacle "strict rp_filter that has dropped" 1 rp_filter problem 'net.ipv4.conf.eth0.rp_filter=2'
shown_too "strict rp_filter" 1 rp_filter
on h1 sysctl -q net.ipv4.conf.eth0.rp_filter=2
ip -n h1 route del default
ip -n h1 route add "$SOURCES" via "$CLIENT"
healthy "loose rp_filter" 1

on h1 sysctl -q net.ipv4.conf.all.arp_ignore=8
obstacle "arp_ignore" 1 arp_ignore problem 'net.ipv4.conf.all.arp_ignore=1'
shown_too "arp_ignore" 1 arp_ignore
on h1 sysctl -q net.ipv4.conf.all.arp_ignore=0

# Programs before the hook.
on h1 tc qdisc add dev eth0 clsact
healthy "a clsact without filters" 1
on h1 tc filter add dev eth0 ingress prio 7 matchall action pass
obstacle "a filter of tc" 1 programs warning 'tc filters at the ingress of eth0 (matchall)'
shown_too "a filter of tc" 1 programs
on h1 tc qdisc del dev eth0 clsact
mount -t bpf bpf /sys/fs/bpf
defer umount /sys/fs/bpf
# A program that lets all pass: r0 = XDP_PASS, exit. BPF_PROG_LOAD, BPF_OBJ_PIN.
python3 -B - <<'END'
import ctypes, struct
call = ctypes.CDLL(None, use_errno=True).syscall
def bpf(command, attributes):
    room = ctypes.create_string_buffer(attributes, 128)
    result = call(321, command, room, 128)
    assert result >= 0, ctypes.get_errno()
    return result
code = ctypes.create_string_buffer(bytes.fromhex("b700000002000000" "9500000000000000"))
text = ctypes.create_string_buffer(b"GPL")
path = ctypes.create_string_buffer(b"/sys/fs/bpf/pass")
program = bpf(5, struct.pack("=IIQQ", 6, 2, ctypes.addressof(code), ctypes.addressof(text)))
bpf(6, struct.pack("=QI", ctypes.addressof(path), program))
END
on h1 ip link set dev eth0 xdpgeneric pinned /sys/fs/bpf/pass
obstacle "XDP" 1 programs warning 'on eth0 gets packets before nlb'
on h1 ip link set dev eth0 xdpgeneric off
rm /sys/fs/bpf/pass

ip -n h1 link set eth0 mtu 1279
obstacle "a small MTU" 1 mtu problem 'ip link set eth0 mtu 1280'
shown_too "a small MTU" 1 mtu
ip -n h1 link set eth0 mtu 1500
wait_agree 30 1 2
# What the reverse-path filter has dropped is a rule without answers, until no client has come for a minute.
pause 65
healthy "after all these" 1

# The VIP in the hands of others.
rm -rf /etc/network/interfaces
mkdir -p /etc/network
defer rm -f /etc/network/interfaces
printf '%s\n' 'auto eth0' 'iface eth0 inet static' "	address $VIP/16" >/etc/network/interfaces
obstacle "a file of ifupdown" 1 manager warning '/etc/network/interfaces, line 3'
shown_too "a file of ifupdown" 1 manager
leave 1
adm h1 up eth0 --cluster test --host-id 1 --vip "$VIP" --vip "$VIP6" --key-file "$KEY_FILE" --affinity none \
	2>/run/test/up
check "up warns of it" grep -q 'warning: /etc/network/interfaces, line 3' /run/test/up
rm /etc/network/interfaces
wait_agree 30 1 2
ip -n h1 addr add "$VIP6/128" dev lo
obstacle "a VIP on lo" 1 address warning "the VIP $VIP6 on lo"
shown_too "a VIP on lo" 1 address
ip -n h1 addr del "$VIP6/128" dev lo

# IPVS with a service of the VIP: IP_VS_SO_SET_ADD, and IP_VS_SO_SET_FLUSH at the end.
ipvs() {
	on h1 python3 -B - "$VIP" "$1" <<'END'
import socket, struct, sys
address = socket.inet_aton(sys.argv[1])
service = struct.pack("=H2x4s", 6, address) + struct.pack(">H", 80) + struct.pack("=2xI16sIII", 0, b"rr", 0, 0, 0)
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
    raw.setsockopt(socket.SOL_IP, *{"add": (1154, service), "flush": (1157, b"")}[sys.argv[2]])
END
}
modprobe ip_vs
modprobe ip_vs_rr
defer wait_until 10 without ip_vs
healthy "IPVS without a service of a VIP" 1
ipvs add
obstacle "IPVS without connection tracking" 1 ip_vs warning "tcp $VIP:80"
shown_too "IPVS without connection tracking" 1 ip_vs
on h1 sysctl -q net.ipv4.vs.conntrack=1
healthy "IPVS with connection tracking" 1
ipvs flush

# Firewalls.
on h1 nft "add table inet f; add chain inet f input { type filter hook input priority 0; }
	add rule inet f input ct state established,related accept; add rule inet f input ct state invalid drop
	add rule inet f input iifname lo accept; add rule inet f input ip saddr 10.99.0.0/16 drop"
healthy "a firewall with usual rules" 1
on h1 nft add rule inet f input tcp dport '{ 80, 443 }' drop
obstacle "a rule that drops the port" 1 firewall problem "connections to $VIP at tcp 80"
obstacle "a rule that drops the port, IPv6" 1 firewall problem "connections to $VIP6 at tcp 80"
on h1 nft delete table inet f
on h1 nft "add table inet f; add chain inet f input { type filter hook input priority 0; policy drop; }
	add rule inet f input ct state established,related accept; add rule inet f input meta l4proto icmpv6 accept"
obstacle "a policy that drops" 1 firewall warning "the policy of the nft chain inet f input"
on h1 nft 'add rule inet f input tcp dport vmap { 22 : drop, 80 : accept }'
healthy "a policy that drops, and a rule for the port" 1
on h1 nft delete table inet f
# What iptables makes is told by nft with less detail.
on h1 iptables -P INPUT DROP
on h1 iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
obstacle "a policy of iptables" 1 firewall warning "the policy of the nft chain ip filter INPUT drops connections to $VIP at"
on h1 iptables -A INPUT -p tcp --dport 80 -m comment --comment web -j ACCEPT
healthy "a policy of iptables, and a rule for the port" 1
on h1 nft delete table ip filter
on h1 nft 'add table netdev f; add chain netdev f in { type filter hook ingress device eth0 priority -500; }
	add rule netdev f in ether type 0x88b5 counter drop'
obstacle "a rule that drops heartbeats" 1 firewall problem 'heartbeats (EtherType 0x88b5)'
on h1 nft delete table netdev f
check "without it the hosts meet again" wait_agree 30 1 2
healthy "at the end" 1

# A cluster on a bridge.
leave 2
ip -n h2 link add br9 type bridge forward_delay 0 mcast_snooping 0
ip -n h2 addr flush dev eth0
ip -n h2 link set eth0 master br9
ip -n h2 link set br9 up
ip -n h2 addr add 10.0.0.2/16 dev br9
modprobe br_netfilter
defer wait_until 10 without br_netfilter
on h2 sysctl -q net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
up_on_bridge() {
	adm h2 up br9 --cluster test --host-id 2 --vip "$VIP" --vip "$VIP6" --key-file "$KEY_FILE" --affinity none
}
CODE=0
up_on_bridge 2>/run/test/up || CODE=$?
same "up on a bridge with br_netfilter is refused" 1 "$CODE"
check "with the remedy" grep -q 'net.bridge.bridge-nf-call-iptables=0' /run/test/up
same "nothing is left" '[]' "$(adm h2 -j show | jq -c .)"
on h2 sysctl -q net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
check "without it the host joins" up_on_bridge
check "and is a member" wait_until 30 members_are h2 br9 1 2
on h2 sysctl -q net.bridge.bridge-nf-call-iptables=1
doctor 2 br9
same "switched on later: doctor" "problem 8" "$(of_check br_netfilter) $CODE"
same "switched on later: show" br_netfilter "$(adm h2 -j show br9 | jq -r '[.[0].obstacles[].check] | join(" ")')"
adm h2 show br9 >/run/test/broken
check "show says so to people" grep -q '^  PROBLEM: br_netfilter' /run/test/broken

# What doctor says where there is less.
adm h2 down br9
on h2 sysctl -q net.bridge.bridge-nf-call-iptables=0
doctor 2 br9
same "an interface without a cluster" "0 not-checked" \
	"$CODE $(field doctor '.checks[] | select(.check == "member").verdict')"
CODE=0
on h2 nlbadm doctor >/run/test/none 2>&1 || CODE=$?
same "no cluster: the exit code" 6 "$CODE"
leave 1
wait_until 20 remove_module
doctor 1
same "no module: the exit code" 3 "$CODE"
same "no module: the verdict" problem "$(of_check module)"
