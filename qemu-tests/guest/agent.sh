#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs commands in a guest for the host. Usage: agent DEVICE
#
# Each line from the host is "ID BASE64", a bash script; several may run at
# once. Answers are lines "ID - TEXT" for what it prints and, last,
# "ID = CODE". The line "poweroff" ends the guest.

# The port can be opened once only, so all commands share this descriptor.
exec 3<>"$1"

# answer ID: run the script of that id and report on it. Each line goes out
# in one write, so lines of several commands never mix.
answer() {
	local id=$1
	bash "/run/agent/$id" </dev/null 2>&1 3>&- | sed -u "s/^/$id - /" >&3
	printf '%s = %s\n' "$id" "${PIPESTATUS[0]}" >&3
	rm -f "/run/agent/$id"
}

printf 'ready\n' >&3
while IFS= read -r -u 3 line; do
	case $line in
	poweroff) break ;;
	*' '*)
		base64 -d <<<"${line#* }" >"/run/agent/${line%% *}"
		answer "${line%% *}" &
		;;
	esac
done
