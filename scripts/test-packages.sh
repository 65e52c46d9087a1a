#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Do the Debian packages of this checkout hold what they promise? What needs no
# guest: "make test T=install" runs it before the scenario of that name, as root.
#   test-packages.sh         lintian; make install and RPM packages; installed on a plain
#                            Debian 13, removed, purged
#   test-packages.sh dkms    also: DKMS builds the module there for a stock kernel
#                            (NLB_KERNEL), and says what is missing; its nlb.ko is
#                            left in build/test/packages/RELEASE/
# The plain Debian 13 is a root tree with apt, entered by chroot. Prints "ok NAME"
# and "not ok NAME", and last "N passed, N failed". Logs are left in
# build/test/packages/. With NLB_KEEP=1 the tree stays, until the next run.
# NLB_PROFILE=guest tests packages that are built quickly (build-deb.sh).

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib-verdict.sh"
. "$(dirname "$0")/lib-apt.sh"
. "$(dirname "$0")/test-make-install.sh"

# What a build by DKMS may take on two processors, the Rust metadata included,
# and one that finds the metadata there. Shown; the machine decides nothing.
FIRST_BUILD=240
NEXT_BUILD=60

logs=$NLB_ROOT/build/test/packages
# Of this checkout: others may share the cache.
root=$NLB_CACHE/roots/$(sha256sum <<<"$NLB_ROOT" | cut -c1-12)

# attempt NAME TEXT CMD…: whether CMD succeeds; its output is in a log of that name.
attempt() {
	local name=$1 text=$2 rc=0
	shift 2
	"$@" >"$logs/$name.log" 2>&1 || rc=$?
	[ "$rc" = 0 ] || tail -n 20 "$logs/$name.log" >&2
	verdict "$name" "$rc" "$text"
}

# make_plain DEST: what an operator has who installed Debian 13 and names its
# backports to apt.
make_plain() {
	local line aptopts=()
	while IFS= read -r line; do
		aptopts+=("--aptopt=$line")
	done <"$NLB_HOST_PROXIES"
	logged "$NLB_CACHE/log/plain.log" \
		unshare --mount --propagation private -- \
		mmdebstrap --mode=root --variant=minbase --architectures=amd64 \
		--include=ca-certificates,init-system-helpers --dpkgopt=force-unsafe-io "${aptopts[@]}" \
		"$NLB_SUITE" "$1" - < <(debian_sources "$(debian_mirror)") ||
		die "a plain Debian 13 cannot be made: $(apt_trouble "$NLB_CACHE/log/plain.log")"
	# Nothing starts in a tree.
	printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
	chmod +x "$1/usr/sbin/policy-rc.d"
}

# new_root: a copy of it.
new_root() {
	local plain=$NLB_CACHE/trees/plain
	step "$plain" "1 $NLB_SUITE" "a plain Debian 13 (0.2 GB)" make_plain
	rm -rf --one-file-system -- "$root"
	cp -a --reflink=auto "$plain" "$root"
	: >"$root.lock"
}

# inside COMMAND: a shell command there, with the packages in the current directory.
inside() {
	(NLB_TREE=$root exec_in_tree "$debs" env DEBIAN_FRONTEND=noninteractive bash -c "$1")
}

# files NAME: note which files there are, less those that dpkg and apt keep for themselves.
files() {
	(cd "$root" && find etc usr var \( -path var/lib/dpkg -o -path var/lib/apt -o -path var/cache/apt \
		-o -path var/cache/debconf -o -path var/log \) -prune -o -print | LC_ALL=C sort) >"$logs/files-$1"
}

# left NAME: what there is now and was not when NAME was noted.
left() {
	files now
	LC_ALL=C comm -13 "$logs/files-$1" "$logs/files-now"
}

# nothing_left TEST NAME [PATTERN]: a result: nothing was added since then but what
# matches the pattern.
nothing_left() {
	local more
	more=$(left "$2" | grep -vE "${3:-^$}" || :)
	if [ -z "$more" ]; then
		verdict "$1" 0 "nothing is left"
	else
		verdict "$1" 1 "$(wc -l <<<"$more") files are left: $(head -n 20 <<<"$more" | paste -sd' ')"
	fi
}

# satisfy NAME FILE: install what a package depends on, so that what it leaves
# itself can be told.
satisfy() {
	attempt "$1-dependencies" "Debian 13 has what $2 depends on" inside "
		apt-get update
		apt-get satisfy -y --no-install-recommends \"\$(dpkg-deb -f $2 Depends)\""
}

# says TEST LOG PATTERN: a result: a line of a log has the pattern.
says() {
	local line
	line=$(grep -m 1 -E "$3" "$logs/$2.log" || :)
	if [ -n "$line" ]; then
		verdict "$1" 0 "$line"
	else
		tail -n 20 "$logs/$2.log" >&2
		verdict "$1" 1 "no line of $2.log matches $3"
	fi
}

# refused NAME PATTERN COMMAND: a shell command in the tree fails, and says why.
refused() {
	local rc=0
	inside "$3" >"$logs/$1.log" 2>&1 || rc=$?
	if [ "$rc" = 0 ]; then
		verdict "$1" 1 "it succeeds: $3"
	else
		says "$1" "$1" "$2"
	fi
}

test_lintian() {
	local rc=0
	(NLB_TREE=$NLB_PACKAGING_TREE exec_in_tree "$debs" sh -c 'lintian --fail-on error,warning --allow-root *.changes') \
		>"$logs/lintian.log" 2>&1 || rc=$?
	cat "$logs/lintian.log" >&2
	verdict lintian "$rc" "of $(find "$debs" -name '*.changes' -printf '%f ')"
}

# The tool and its documentation: installed, removed, purged.
test_tool() {
	satisfy tool nlbadm_*_amd64.deb
	files before
	attempt install "nlbadm, nlbd and nlb-doc, by apt from files" \
		inside "apt-get install -y --no-install-recommends ./nlbadm_*_amd64.deb ./nlbd_*_amd64.deb ./nlb-doc_*_all.deb"
	attempt tool-works "the tool, its example, its completions and pages" inside 'set -e
		nlbadm --version
		nlbadm check --host web2 /usr/share/doc/nlbadm/examples/web.toml
		bash -n /usr/share/bash-completion/completions/nlbadm
		for page in nlbadm nlbadm-up nlbadm-rules-apply; do [ -s /usr/share/man/man8/$page.8.gz ]; done
		for file in /usr/lib/systemd/system/nlb@.service /usr/share/nlb/nlb.schema.json \
			/usr/lib/*/wireshark/plugins/nlb.lua /usr/share/doc/nlbadm/examples/ansible/site.yml; do [ -s $file ]; done
		[ "$(stat -c "%a %U" /etc/nlb)" = "755 root" ]'
	attempt daemon-works "the daemon, its page and its unit" inside 'set -e
		nlbd --version
		[ -s /usr/share/man/man8/nlbd.8.gz ] && [ -s /usr/lib/systemd/system/nlbd.service ]'
	test_policy
	# What an operator leaves: a file, a key, an enabled unit.
	attempt operator "a file, a key, an enabled cluster" inside 'set -e
		cp /usr/share/doc/nlbadm/examples/web.toml /etc/nlb/
		(umask 077 && nlbadm genkey >/etc/nlb/web.key)
		mkdir -p /etc/systemd/system/multi-user.target.wants
		ln -s /usr/lib/systemd/system/nlb@.service /etc/systemd/system/multi-user.target.wants/nlb@web.service'
	attempt remove "apt-get remove" inside "apt-get remove -y nlbadm nlbd nlb-doc"
	# That a unit was not enabled is remembered until the purge.
	nothing_left removed before '^etc/default/nlb$|^etc/nlb(/web\.(toml|key))?$|^var/lib/systemd/deb-systemd-helper-enabled/nlbd\.service\.dsh-also$|^etc/systemd/system(/multi-user.target.wants(/nlb@web.service)?)?$'
	attempt kept "the operator's files stay" inside "[ -s /etc/nlb/web.key ] && [ -s /etc/nlb/web.toml ]"
	attempt purge "apt-get purge" inside "apt-get purge -y nlbadm nlbd nlb-doc"
	nothing_left purged before '^etc/nlb(/web\.(toml|key))?$|^etc/systemd/system(/multi-user.target.wants)?$'
}

# stand_in: programs that stand for the tool and for systemd where no module is
# loaded, and a script that lets the package see them: "run LINE CODE" makes the
# trigger with LINE in /etc/default/nlb, and a systemctl that ends with CODE.
stand_in() {
	local dir=$root/stand-in
	mkdir -p "$dir"
	printf '#!/bin/sh\necho the module in the kernel is another one\n' >"$dir/nlbadm"
	# shellcheck disable=SC2016 # they expand these themselves
	{
		printf '#!/bin/sh\necho "called: systemctl $*"\nexit "$CODE"\n' >"$dir/systemctl"
		printf '%s\n' '#!/bin/sh' 'set -e' 'mkdir -p /run/systemd/system' \
			'mount -t tmpfs none /sys/module' 'mkdir /sys/module/nlb' \
			'sed -i "s/^UPGRADE=.*/$1/" /etc/default/nlb' \
			'export CODE="$2" PATH=/stand-in:$PATH' \
			'exec /var/lib/dpkg/info/nlbadm.postinst triggered nlb-module' >"$dir/run"
	}
	chmod +x "$dir"/*
}

# policy NAME LINE CODE PATTERN: a result: what the trigger says. It fails never:
# a cluster that goes on with the old module is no broken package.
policy() {
	attempt "$1" "$2, and a systemctl that ends with $3" inside "unshare --mount /stand-in/run '$2' $3 2>&1"
	says "$1-says" "$1" "$4"
}

# What becomes of the module in the kernel when a package of another one is there.
test_policy() {
	stand_in
	policy upgrade-wait 'UPGRADE=wait' 0 '^nlb: the module in the kernel is another one$'
	attempt upgrade-wait-leaves "nothing was started" sh -c "! grep -q called: '$logs/upgrade-wait.log'"
	policy upgrade-reload 'UPGRADE="reload"' 0 '^called: systemctl start nlb-upgrade.service$'
	policy upgrade-failed 'UPGRADE=reload' 1 '^nlb: the module was not replaced: journalctl -u nlb-upgrade tells why'
	policy upgrade-odd 'UPGRADE=always' 0 '^nlb: UPGRADE=always in /etc/default/nlb is neither wait nor reload: taken as wait$'
	attempt upgrade-odd-leaves "nothing was started" sh -c "! grep -q called: '$logs/upgrade-odd.log'"
	rm -r -- "$root/stand-in"
}

# The repository: apt takes it by its key, and refuses what was changed after.
test_repository() {
	local key=/srv/nlb/nlb.asc made
	made=$("$NLB_ROOT/scripts/build-apt-repo.sh")
	rm -rf -- "$root/srv/nlb"
	cp -r "$made" "$root/srv/nlb"
	attempt repository "apt install nlbadm, out of the repository" inside "set -e
		echo 'deb [signed-by=$key] file:/srv/nlb ./' >/etc/apt/sources.list.d/nlb.list
		apt-get update -o Dir::Etc::SourceList=/etc/apt/sources.list.d/nlb.list -o Dir::Etc::SourceParts=/dev/null \
			-o APT::Update::Error-Mode=any
		apt-get install -y --no-install-recommends nlbadm
		apt-get purge -y nlbadm"
	sed -i 's/^Label: nlb$/Label: other/' "$root/srv/nlb/InRelease"
	refused repository-changed 'signature verification failed' "
		apt-get update -o Dir::Etc::SourceList=/etc/apt/sources.list.d/nlb.list -o Dir::Etc::SourceParts=/dev/null \
			-o APT::Update::Error-Mode=any"
	rm "$root/etc/apt/sources.list.d/nlb.list"
}

# all: what was asked for.
all() {
	rm -rf -- "$logs"
	mkdir -p "$logs"
	debs=$("$NLB_ROOT/scripts/build-deb.sh")
	test_lintian
	test_make_install
	test_rpm
	new_root
	test_tool
	test_repository
	if [ "${1:-}" = dkms ]; then
		. "$NLB_ROOT/scripts/test-dkms.sh"
		test_dkms
		. "$NLB_ROOT/scripts/test-ansible.sh"
		test_ansible
	fi
	if [ -n "${NLB_KEEP:-}" ]; then
		say "packages: kept: $root"
	else
		rm -rf --one-file-system -- "$root" "$root.lock"
	fi
}

need_root "make test T=install"
mkdir -p "$(dirname "$root")"
exec 9>>"$root.run"
flock 9
all "$@"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
