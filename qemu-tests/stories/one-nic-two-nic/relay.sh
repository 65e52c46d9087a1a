# SPDX-License-Identifier: GPL-2.0-only
# On both hosts, with nlb-relay.service copied there: each listens at its own address, and the other one is its peer.
n=$(hostname | tr -dc 0-9); echo "RELAY=--listen 192.168.0.$n:7946 --peer 192.168.0.$((3 - n)):7946" >/etc/nlb/relay.env
systemctl daemon-reload
systemctl enable --now nlb-relay
