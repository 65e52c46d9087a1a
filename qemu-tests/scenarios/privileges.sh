# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: each operation as root, as root of a user namespace, as nobody: as the table in docs/security.md says
#
# The table is read; "tt ask" sends each operation as a right message. What is
# refused changes nothing.

TABLE=/run/test/table
USER_ID=1000
NOBODY=65534

# cells COLUMN: lines "OPERATION<TAB>CELL" of a column of the table.
cells() {
	awk -F ' *[|] *' -v column="$1" '
		$2 == "operation" { for (i = 3; i < NF; i++) if ($i == column) at = i }
		at && $2 ~ /^`.*`$/ { gsub("`", "", $2); print $2 "\t" $at }' /nlb/security.md
}

# expected CELL: what "tt ask" says then, as a pattern.
expected() {
	case $1 in
	yes) echo ok ;;
	absent) echo absent ;;
	no) echo 'EPERM*' ;;
	'no cluster') echo 'ENOENT*' ;;
	*) echo "($1 is no cell)" ;;
	esac
}

# column NAME CMD…: every operation, by CMD, as the column says.
column() {
	local name=$1 operation cell got asked
	shift
	cells "$name" >"$TABLE"
	mapfile -t asked < <(cut -f 1 "$TABLE")
	"$@" tt ask --dev eth0 --vip "$VIP" "${asked[@]}" >/run/test/asked
	while IFS=$'\t' read -r operation cell; do
		got=$(outcome /run/test/asked "$operation")
		# shellcheck disable=SC2053 # a pattern
		if [[ $got == $(expected "$cell") ]]; then
			pass "$name: $operation: $cell"
		else
			fail "$name: $operation: $cell, but got '$got'"
		fi
	done <"$TABLE"
}

# picture: what a refusal must leave alone, and nothing that changes by itself.
picture() {
	adm h1 -j show eth0 | jq -c 'map({name, host_id, mode, vips, virtual_mac, echo, responder, sessions_max, weight,
		period_ms, tolerance, authenticated, key_id, pending, rules})'
	adm h1 -j key list eth0
	adm h1 -j rules eth0 | jq -c '[.rules[] | del(.accepted, .dropped, .buckets, .share_percent)]'
}

hosts 1
load_module
container box "$USER_ID"

column root on h1

on h1 tt ask --dev eth0 --vip "$VIP" cluster-new cluster-set
before=$(picture)
column nobody as_user "$NOBODY" h1
column "container, host's network" as_user_root "$USER_ID" h1
same "what was refused changed nothing" "$before" "$(picture)"

# The host's cluster is there, on an interface of the same index.
same "the container's interface has the index of the host's" "$(ip -n h1 -j link show eth0 | jq '.[0].ifindex')" \
	"$(in_container box ip -j link show eth0 | jq '.[0].ifindex')"
same "at first they are not allowed" N "$(<"$PARAMETERS/allow_user_namespaces")"
column container in_container box
check "nlbadm names the parameter" not in_container box nlbadm up eth0 --cluster test --host-id 1 --vip "$VIP" --no-key \
	2>/run/test/refused
note "$(cat /run/test/refused)"
check "nlbadm says which" grep -q allow_user_namespaces /run/test/refused
check "and not that a capability is missing" not grep -q CAP_NET_ADMIN /run/test/refused
same "there is no cluster" '[]' "$(in_container box nlbadm -j show)"

echo Y >"$PARAMETERS/allow_user_namespaces"
column 'container, allowed' in_container box
same "the host's cluster is as before" "$before" "$(picture)"
on h1 tt ask --dev eth0 cluster-del
