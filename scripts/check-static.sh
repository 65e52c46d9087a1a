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
	files | grep -vE '(^|/)(LICENSE|Cargo\.lock|changelog)$|^debian/source/format$|\.(snap|json|bin|hex|proptest-regressions)$' |
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
	files '*.sh' .ci/run qemu-tests/{run,demo,lab,measure,story} debian/\*.{postinst,prerm,postrm} \
		dist/modules-package/{post{inst,rm},prerm} | while IFS= read -r file; do
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

# What each entry point reaches, in the stock kernels' modules: the debug
# kernel's is compiled with debug assertions, which panic by design, and what
# locks are with PREEMPT_RT is another list.
bad_object() {
	local module release found modules=0
	for module in build/module/*/nlb.ko; do
		release=$(basename "$(dirname "$module")")
		case $release in
		'*' | *-debug | *-rt-*) continue ;;
		esac
		modules=$((modules + 1))
		found=$(scripts/check-object.py --kernel "$NLB_CACHE/kernels/$release/build" "$module" 2>/dev/null) ||
			printf '%s\n' "${found:-scripts/check-object.py $module failed}"
	done
	[ "$modules" != 0 ] || echo "there is no module to look into: run make module"
}

unseen_plants() {
	scripts/check-plants.sh 2>&1 || echo "scripts/check-plants.sh failed; see build/test/plants.log"
}

# docs/security.md names tests: scenarios in code font as "scenario NAME", tests
# of the workspaces and of the core as "test NAME", checks of this script as
# "static NAME".
unknown_tests() {
	local kind name
	[ "$(grep -oE '(scenario|test|static) `[^`]+`' docs/security.md | wc -l)" -gt 20 ] ||
		echo "docs/security.md names hardly any test: has its form changed?"
	grep -oE '(scenario|test|static) `[^`]+`' docs/security.md | sort -u | while read -r kind name; do
		name=${name//\`/}
		case $kind in
		scenario) [ -f "qemu-tests/scenarios/$name.sh" ] ;;
		test) grep -rqE "fn ${name}\\(" --include='*.rs' module/core userspace ;;
		static) grep -qF "verdict \"$name\"" scripts/check-static.sh ;;
		esac || echo "docs/security.md: there is no $kind $name"
	done
}

# Each row of a table that says "prevented" names its test.
untested_claims() {
	awk '/^\|/ && /\| *prevented *\|/ && !/(scenario|test|static) `/ { print FILENAME ":" FNR ": " $0 }' docs/security.md
}

# Verbs of tt that scenarios call and userspace/nlb-testtool/src/main.rs does not have.
unknown_verbs() {
	local known verb
	known=$(sed -nE '/^enum Verb/,/^}/s/^    ([A-Z][A-Za-z]*)\(.*/\1/p' userspace/nlb-testtool/src/main.rs |
		sed -E 's/([a-z])([A-Z])/\1-\2/g' | tr '[:upper:]' '[:lower:]')
	[ "$(wc -w <<<"$known")" -gt 10 ] || echo "hardly any verb in userspace/nlb-testtool/src/main.rs: has its form changed?"
	files 'qemu-tests/*.sh' | xargs sed -E 's/(^|[[:space:]])#.*//' |
		grep -ohE '(^|[^[:alnum:]_./-])tt [a-z][a-z-]*' | sed 's/.*tt //' | sort -u | while read -r verb; do
		grep -qx -- "$verb" <<<"$known" || echo "scenarios call tt $verb, which is not there"
	done
}

# What module/specs/nlb.yaml says differently than the files that are made of it, or than docs/security.md.
stale_files() {
	python3 -B scripts/generate.py --check 2>&1 || [ "$?" = 1 ] || echo "scripts/generate.py failed"
}

# Pages of docs/recipes that show other files than their stories run.
wrong_recipes() {
	python3 -B scripts/recipes.py --check 2>&1 || [ "$?" = 1 ] || echo "scripts/recipes.py failed"
}

# The specification by the kernel's own tool and schema.
invalid_specification() {
	local source found
	source=$(find "$NLB_CACHE/kernels" -maxdepth 2 -name source | sort | tail -n 1)
	if [ -z "$source" ]; then
		echo "there are no kernel sources: run make setup"
		return
	fi
	found=$(python3 -B "$source/tools/net/ynl/pyynl/cli.py" --spec module/specs/nlb.yaml \
		--schema "$source/Documentation/netlink/genetlink.yaml" --validate 2>&1) ||
		printf '%s\n' "${found:-the check failed}"
}

# Of docs/SUMMARY.md the site is made (build-site.sh).
pages_without_chapter() {
	local page
	files 'docs/*.md' | while IFS= read -r page; do
		page=${page#docs/}
		[ "$page" = SUMMARY.md ] || grep -qF "($page)" docs/SUMMARY.md || echo "docs/$page"
	done
}

# Files in code font that a page names, from the top of the checkout, and targets of its links.
unknown_files() {
	local page name
	files '*.md' | while read -r page; do
		grep -ohE '`(module|userspace|qemu-tests|scripts|docs)/[A-Za-z0-9_./-]*`' "$page" | tr -d '\`' | sort -u |
			while read -r name; do
				[ -e "$name" ] || git -c safe.directory='*' check-ignore -q "$name" || echo "$page: there is no $name"
			done
		grep -ohE '\]\([A-Za-z0-9_./-]+' "$page" | sed 's/^](//' | sort -u | while read -r name; do
			[ -e "$(dirname "$page")/$name" ] || echo "$page: a link to $name, which is not there"
		done
	done
}

# Parts of the module that docs/architecture.md says to use other parts than they do.
wrong_uses() {
	local parts part said does
	parts=$(sed -nE 's/^\| `module\/([a-z0-9]+)(\/|\.rs)` \|[^|]*\| *([^|]*[^| ])? *\|$/\1:\3/p' docs/architecture.md)
	[ "$(wc -l <<<"$parts")" -ge 10 ] || echo "docs/architecture.md has hardly any part: has its form changed?"
	while IFS=: read -r part said; do
		does=$(find "module/$part" "module/$part.rs" -name '*.rs' -exec grep -ohE 'crate::[a-z0-9_]+' {} + 2>/dev/null |
			sed 's/crate:://' | grep -vx "$part" | sort -u | tr '\n' ' ')
		# Elsewhere the core is a crate of its own: what it calls "crate" is itself.
		[ "$part" != core ] || does=
		[ "${does% }" = "$said" ] || echo "module/$part uses ${does:-nothing}; docs/architecture.md says ${said:-nothing}"
	done <<<"$parts"
	find module -mindepth 1 -maxdepth 1 \( -name '*.rs' -o -type d \) ! -name nlb_main.rs ! -name specs -printf '%f\n' |
		sed 's/\.rs$//' | while read -r part; do
		grep -q "^$part:" <<<"$parts" || echo "docs/architecture.md does not name module/$part"
	done
}

# What has another version than the tool, of what goes into its packages.
other_versions() {
	local version said
	version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' userspace/Cargo.toml)
	said=$(sed -nE '1s/^nlb \(([^)]+)\).*/\1/p' debian/changelog)
	[ -n "$version" ] && [ "$said" = "$version" ] ||
		echo "debian/changelog says $said, and userspace/Cargo.toml $version"
	said=$(sed -nE 's/^Version: +//p' dist/nlb.spec)
	[ "$said" = "$version" ] || echo "dist/nlb.spec says $said, and userspace/Cargo.toml $version"
	said=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' module/core/Cargo.toml)
	[ "$said" = "$version" ] || echo "module/core/Cargo.toml says $said, and userspace/Cargo.toml $version"
}

verdict "each file has its licence line" "$(without_spdx)"
verdict "unsafe only in module/kapi" "$(unsafe_outside_kapi)"
verdict "the core forbids unsafe" "$(core_without_forbid)"
verdict "no binary is tracked" "$(binaries)"
verdict "shell scripts parse" "$(bad_bash)"
verdict "Python files parse" "$(bad_python)"
verdict "the module is formatted" "$(unformatted_module)"
verdict "generated files are what the specification makes" "$(stale_files)"
verdict "recipes show what their stories run" "$(wrong_recipes)"
verdict "the specification is valid for the kernel's tool" "$(invalid_specification)"
verdict "entry points reach what they may" "$(bad_object)"
verdict "planted panics are found" "$(unseen_plants)"
verdict "files that pages name exist" "$(unknown_files)"
verdict "parts of the module use what docs/architecture.md says" "$(wrong_uses)"
verdict "each page of docs/ has its chapter" "$(pages_without_chapter)"
verdict "packages have the tool's version" "$(other_versions)"
verdict "tt has the verbs that scenarios call" "$(unknown_verbs)"
verdict "tests that docs/security.md names exist" "$(unknown_tests)"
verdict "what docs/security.md calls prevented is tested" "$(untested_claims)"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
