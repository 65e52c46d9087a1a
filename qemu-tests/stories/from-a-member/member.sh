# SPDX-License-Identifier: GPL-2.0-only
# On a member: why the VIP is its own server, and how the others are reached.
ip route get 192.0.2.10
curl -sS http://192.0.2.10/
curl -sS http://192.0.2.1/
curl -sS http://192.0.2.2/
