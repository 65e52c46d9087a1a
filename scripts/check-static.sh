#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What can be seen without running anything. Prints "ok NAME" or "not ok NAME"
# with the offending lines, and last "N passed, N failed".

. "$(dirname "$0")/lib.sh"
enter_tree "$@"
cd "$NLB_ROOT"

passed=0
failed=0

# verdict NAME OFFENDERS: one result; what offends is printed.
verdict() {
	if [ -z "$2" ]; then
		passed=$((passed + 1))
		echo "ok $1"
	else
		failed=$((failed + 1))
		echo "not ok $1"
		printf '%s\n' "$2" | head -n 40 | sed 's/^/    /'
	fi
}

# files PATTERN…: tracked files, those about to be committed included.
files() {
	git -c safe.directory='*' ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r file; do
		[ -f "$file" ] && printf '%s\n' "$file"
	done
}

without_spdx() {
	files | grep -vE '(^|/)(LICENSE|Cargo\.lock)$|\.(snap|json|bin|hex|proptest-regressions)$' |
		while IFS= read -r file; do
			head -n 4 -- "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only' || echo "$file"
		done
}

# The word may stand in comments, and in lints' names such as unsafe_code.
unsafe_outside_kapi() {
	files '*.rs' | grep -v '^module/kapi/' | while IFS= read -r file; do
		sed 's|//.*||; s/"[^"]*"//g' "$file" | grep -nw unsafe | sed "s|^|$file:|"
	done
}

core_without_forbid() {
	grep -q 'forbid(.*unsafe_code' module/core/src/lib.rs || echo module/core/src/lib.rs
}

binaries() {
	files | while IFS= read -r file; do
		if [ -s "$file" ] && ! grep -Iq . "$file"; then
			echo "$file"
		fi
	done
}

bad_bash() {
	files '*.sh' .ci/run qemu-tests/{run,demo,lab,measure} | while IFS= read -r file; do
		bash -n "$file" 2>&1 || :
	done
}

bad_python() {
	files '*.py' | while IFS= read -r file; do
		python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file" 2>&1 |
			tail -n 1
	done
}

unformatted_module() {
	rustfmt --check --edition 2021 --color never -l module/nlb_main.rs 2>/dev/null | sort -u |
		sed "s|^$NLB_ROOT/||"
}

# Panic functions and stack frames, in the stock kernels' modules: the debug
# kernel's is compiled with debug assertions, which panic by design.
bad_object() {
	local object found objects=()
	for object in build/module/*/module/nlb_main.o; do
		case $object in
		*-debug/*) ;;
		*) [ ! -f "$object" ] || objects+=("$object") ;;
		esac
	done
	if [ "${#objects[@]}" = 0 ]; then
		echo "there is no module to look into: run make module"
	elif ! found=$(scripts/check-object.py "${objects[@]}" 2>/dev/null); then
		printf '%s\n' "${found:-scripts/check-object.py failed}"
	fi
}

verdict "each file has its licence line" "$(without_spdx)"
verdict "unsafe only in module/kapi" "$(unsafe_outside_kapi)"
verdict "the core forbids unsafe" "$(core_without_forbid)"
verdict "no binary is tracked" "$(binaries)"
verdict "shell scripts parse" "$(bad_bash)"
verdict "Python files parse" "$(bad_python)"
verdict "the module is formatted" "$(unformatted_module)"
verdict "no panic and no large frame on the packet path" "$(bad_object)"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
