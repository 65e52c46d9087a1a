# SPDX-License-Identifier: GPL-2.0-only
# DNS, on each host, with example.org.conf and the zone copied there. nsd listens on the VIP by its address: bound to all
# addresses it would answer questions by UDP from its dedicated IP, and the client would not know that answer.
echo "server: identity: \"$(hostname)\"" >/etc/nsd/nsd.conf.d/identity.conf
nsd-checkconf /etc/nsd/nsd.conf
systemctl restart nsd
