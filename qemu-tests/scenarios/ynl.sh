# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: the kernel tree's own netlink tool does every operation by the specification

hosts 2
load_module
serve 2
join 2
ip -n h1 addr add "$VIP/32" dev eth0

on h1 python3 -B /nlb/ynl/ynl.py /nlb/nlb.yaml "$KEY_FILE" eth0 "$VIP" "$CLIENT" >/run/test/ynl.out 2>&1 || :
while IFS= read -r line; do
	case $line in
	'ok '*) pass "${line#ok }" ;;
	'not ok '*) fail "${line#not ok }" ;;
	*) note "$line" ;;
	esac
done </run/test/ynl.out
same "it comes to its end" end "$(tail -n 1 /run/test/ynl.out)"
