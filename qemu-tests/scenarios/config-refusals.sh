# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: a file that is not right, or would cost connections, has its own message and exit code, and changes nothing
# clock: counted
# timeout: 300

# refused TEXT CODE PATTERN CMD…: CMD fails with CODE and one line on standard
# error that has PATTERN; the host is as it was.
refused() {
	local text=$1 want=$2 pattern=$3 code=0
	shift 3
	"$@" >/run/test/out 2>/run/test/err || code=$?
	note "$text: $(cat /run/test/err)"
	same "$text: exit code" "$want" "$code"
	check "$text: the message says /$pattern/" grep -qE -- "$pattern" /run/test/err
	same "$text: lines" 1 "$(grep -c . /run/test/err)"
	[ ! -d /sys/module/nlb ] || check "$text: nothing changed" as_kept 1
}

# bad TEXT CODE PATTERN: the file as it is now is refused by apply; and by check,
# where nothing but the file is wrong.
bad() {
	refused "$1" "$2" "$3" adm h1 apply "$CONFIG" --host h1
	refused "$1, dry run" "$2" "$3" adm h1 apply "$CONFIG" --host h1 --dry-run
	[ "$2" != 2 ] || refused "$1, check" 2 "$3" nlbadm check "$CONFIG"
}

hosts 2
config 2 </dev/null
refused "no module" 3 'modprobe nlb|not loaded' adm h1 apply "$CONFIG" --host h1
load_module
sed 's/^key-file.*/no-key = true/; s/^\[cluster\]/&\nname = "test"/' "$CONFIG" >/run/test/no-key.toml
sed 's/"eth0"/"eth9"/; s/^\[cluster\]/&\nname = "test"/' "$CONFIG" >/run/test/eth9.toml
keep 1
refused "no such section" 2 'no section for the host h9; there are h1, h2' adm h1 apply "$CONFIG" --host h9
refused "no permission" 4 'CAP_NET_ADMIN' on h1 setpriv --reuid 65534 --clear-groups --inh-caps=-all \
	--bounding-set=-all nlbadm apply /run/test/no-key.toml --host h1
refused "no interface" 5 'after 1 s: there is no interface eth9' adm h1 apply /run/test/eth9.toml --host h1 --wait 1s
same "no cluster was made" "" "$(adm h1 -j show | jq -r '.[].interface')"

for k in 1 2; do
	check "host $k: as the file says" apply "$k"
done
check "both are members" wait_agree 30 1 2
keep 1

# What is wrong in the file.
config 2 'perod = "200ms"' </dev/null
bad "an unknown key" 2 'line 5 column 1: \[cluster\] has no key `perod`; did you mean `period`\?'
config 2 'tolerance = "5"' </dev/null
bad "a wrong type" 2 'line 5 column 13: invalid type: string "5", expected a number from 3 to 100'
config 2 <<<'h2 id = 1'
bad "a key twice" 2 'duplicate key'
config 2 </dev/null
sed -i 's/^id = 2/id = 1/' "$CONFIG"
bad "an id twice" 2 'the id of \[host.h2\] is that of \[host.h1\], line'
config 2 <<'END'
[[rule]]
ports = 80
[[rule]]
ports = "70-90"
END
bad "rules that overlap" 2 'line 7 column 1: the rule covers packets that the rule line 5 column 1 covers'
head -c 1000000 /dev/urandom >"$CONFIG"
bad "1 MB of garbage" 2 'more than 256 KiB'
head -c 200000 /dev/urandom >"$CONFIG"
bad "garbage" 2 'no text in UTF-8'
printf '[cluster]\n# f\374r\n' >"$CONFIG"
bad "Latin-1" 2 'line 2 column 4: this is no text in UTF-8'
: >"$CONFIG"
bad "an empty file" 2 'no table \[cluster\]'

# What is wrong with the key.
config 2 </dev/null
chmod 644 "$KEY_FILE"
bad "a key that others can read" 2 'chmod 600'
chmod 600 "$KEY_FILE"
mv "$KEY_FILE" "$KEY_FILE.away"
refused "no key" 2 'the key file .* cannot be read' adm h1 apply "$CONFIG" --host h1
mv "$KEY_FILE.away" "$KEY_FILE"

# What cannot change while the host serves; what could does not, beside it.
config 2 'mode = "unicast"' <<'END'
[[rule]]
ports = 80
h1 weight = 7
END
bad "another mode" 9 'mode cannot change while the host serves; nothing was changed. With --restart'
config 2 'mode = "igmp"' 'allow-other-interfaces = true' </dev/null
bad "mode and other interfaces" 9 'hosts that differ in mode, allow-other-interfaces do not serve together'
config 2 'key-id = 2' </dev/null
bad "another key id" 9 'nlbadm key'
config 2 'name = "other"' </dev/null
bad "another cluster" 7 'eth0 is in another cluster, test, as host 1'
refused "another cluster, restart" 7 'nothing was changed' adm h1 apply "$CONFIG" --host h1 --restart

# Rules of another file wait: no others are taken, and nothing of the file is.
config 2 <<'END'
[[rule]]
ports = 80
END
check "new rules on host 1" apply 1
keep 1
config 2 <<'END'
[[rule]]
ports = 81
h1 weight = 7
h1 sessions-max = 7
END
refused "other rules while some wait" 7 'withdraw|wait' adm h1 apply "$CONFIG" --host h1
config 2 </dev/null
check "those in force withdraw them" apply 1
same "none wait" null "$(shown 1 '.[0].pending')"
check "both are members all the time" agree 1 2
