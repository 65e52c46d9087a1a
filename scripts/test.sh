#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# All tests, summed in one last line "N passed, N failed".
#   T=PATTERN   only the scenarios whose name has the pattern; T=unit runs only
#               the cargo tests and lints, T=static only the static checks,
#               T=simulation only the simulator's share of seeds, T=flavours
#               only the scenarios on the generic kernel, T=install only the
#               packages, T=upgrade only their upgrade, T=dissector only Wireshark's dissector, T=site only the
#               documentation as a site, T=fresh only
#               what the README says on a machine with nothing on it
# With NLB_KERNEL=debug the scenarios run, and nothing that is the same for
# every kernel.
# Logs are left in build/test/.

. "$(dirname "$0")/lib.sh"
cd "$NLB_ROOT"

# What runs on the generic kernel as well.
GENERIC_SCENARIOS="lab-segment cluster-keys module-cycle"

logs=$NLB_ROOT/build/test
scripts/check-machine.sh segments
mkdir -p "$logs"
passed=0
failed=0

# What failed is said again at the end: of a long log, people see the last lines.
rm -f "$logs/failures"
trouble() {
	say "$*"
	echo "$*" >>"$logs/failures"
}

# add P F: to the sum.
add() {
	passed=$((passed + $1))
	failed=$((failed + $2))
}

# lint NAME CMD…: a command whose success is one result.
lint() {
	local name=$1
	shift
	if logged "$logs/$name.log" "$@"; then
		say "ok     $name"
		add 1 0
	else
		trouble "FAILED $name"
		add 0 1
	fi
}

# cargo_tests NAME ARG…: cargo test, its own results added up. A run that
# fails without a failed test (it did not build) is one failure.
cargo_tests() {
	local name=$1 rc=0 p f
	shift
	scripts/cargo.sh test --no-fail-fast "$@" >"$logs/$name.log" 2>&1 || rc=$?
	read -r p f < <(awk '/^test result:/ { p += $4; f += $6 } END { print p + 0, f + 0 }' "$logs/$name.log")
	if [ "$rc" != 0 ] && [ "$f" = 0 ]; then
		f=1
	fi
	add "$p" "$f"
	if [ "$f" = 0 ]; then
		say "ok     $name: $p passed"
	else
		trouble "FAILED $name: $p passed, $f failed; see ${logs#"$NLB_ROOT"/}/$name.log"
		grep -E '^(test .* FAILED|error)|panicked at' "$logs/$name.log" | head -n 20 | tee -a "$logs/failures" >&2 || :
	fi
}

# summed NAME CMD…: a command whose last line is "N passed, N failed".
summed() {
	local name=$1 p f
	shift
	"$@" | tee "$logs/$name.out" || :
	# With what a guest said last: those lines carry no time.
	awk '/^(\[ *[0-9]+s\] +)?(FAILED|not ok)/ { said = 25; print; next }
		/^ / && said-- > 0 { print; next }
		{ said = 0 }' "$logs/$name.out" >>"$logs/failures"
	if ! read -r p f < <(sed -nE '$s/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$logs/$name.out"); then
		trouble "FAILED $name: it did not come to its end"
		p=0 f=1
	fi
	add "$p" "$f"
}

# lints_and_tests WHERE: both workspaces, with one compiler.
lints_and_tests() {
	local core=module/core/Cargo.toml space=userspace/Cargo.toml
	lint "core-clippy$1" scripts/cargo.sh clippy --quiet --locked --manifest-path "$core" --all-targets -- -D warnings
	lint "userspace-clippy$1" scripts/cargo.sh clippy --quiet --locked --manifest-path "$space" --all-targets -- -D warnings
	cargo_tests "core-tests$1" --locked --manifest-path "$core"
	cargo_tests "userspace-tests$1" --locked --manifest-path "$space"
}

# newer_rust: true if this host has a Rust of its own, newer than Debian 13's.
newer_rust() {
	local minor
	minor=$(cargo --version 2>/dev/null | sed -nE 's/^cargo 1\.([0-9]+)\..*/\1/p')
	[ -n "$minor" ] && [ "$minor" -gt 85 ]
}

unit() {
	local core=module/core/Cargo.toml space=userspace/Cargo.toml
	say "with $(scripts/enter.sh rustc --version), Debian 13's"
	lint core-fmt scripts/cargo.sh fmt --manifest-path "$core" --check
	lint userspace-fmt scripts/cargo.sh fmt --manifest-path "$space" --all --check
	lints_and_tests ""
	# The smallest model to its end, and of each other one what fits a quarter of a minute.
	lint model-check scripts/cargo.sh run --quiet --profile sim --manifest-path "$space" -p nlb-sim -- \
		model-check --share --states 1500000
	tail -n 1 "$logs/model-check.log" >&2
	if newer_rust; then
		say "with $(rustc --version), this host's"
		export NLB_RUST=host
		lints_and_tests "-newer"
		unset NLB_RUST
	else
		say "this host has no Rust newer than Debian 13's 1.85 (or none): tried with 1.85 alone"
	fi
}

# Bare metal runs the generic kernel, and the other scenarios the cloud kernel.
flavours() {
	NLB_TEST_DIR=$logs/generic NLB_KERNEL=generic summed flavours qemu-tests/run $GENERIC_SCENARIOS
}

# The protocol under simulation: seeds 1 to 2000, and those that once found something, are one result. Two idle
# cores play them in three minutes.
simulation() {
	local log=$logs/simulation.log
	if logged "$log" make sim SEEDS=2000 FROM=1; then
		say "ok     simulation: $(grep -E '^[0-9]+ seeds ' "$log")"
		add 1 0
	else
		trouble "FAILED simulation: $(grep -E '^(verdict|seed [0-9]+: VIOLATED|FAILED)' "$log" | head -n 5)"
		add 0 1
	fi
}

case ${T:-} in
'')
	case ${NLB_KERNEL:-} in
	debug | *-debug)
		summed scenarios qemu-tests/run
		;;
	*)
		unit
		simulation
		# With LONG=1 a scenario loads the module that DKMS builds here.
		NLB_PROFILE=guest summed packages scripts/test-packages.sh ${LONG:+dkms}
		summed dissector scripts/test-dissector.sh
		[ -z "${LONG:-}" ] || lint site scripts/build-site.sh
		# The module is built by the scenarios' runner, and looked at after.
		# Those that install packages take the ones made above.
		NLB_PROFILE=guest summed scenarios qemu-tests/run
		flavours
		summed static scripts/check-static.sh
		summed fresh scripts/fresh.sh
		;;
	esac
	;;
unit) unit ;;
simulation) simulation ;;
static) summed static scripts/check-static.sh ;;
flavours) flavours ;;
install)
	# The module that DKMS builds in the first half is loaded in the second.
	summed packages scripts/test-packages.sh dkms
	summed scenarios qemu-tests/run install
	;;
upgrade) NLB_PROFILE=guest summed scenarios qemu-tests/run upgrade ;;
dissector) summed dissector scripts/test-dissector.sh ;;
site) lint site scripts/build-site.sh ;;
fresh) summed fresh scripts/fresh.sh ;;
*)
	# Several patterns are separated by spaces, and are no names of files here.
	set -f
	# shellcheck disable=SC2086
	NLB_PROFILE=guest summed scenarios qemu-tests/run $T
	;;
esac

if [ "$failed" != 0 ]; then
	echo "What failed:"
	cat "$logs/failures"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
