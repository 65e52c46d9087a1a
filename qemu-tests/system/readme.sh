# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# Commands out of the README's text, so that what is tried is what people read.

# readme_block TEXT N: the N-th block of commands after the line of the README
# that begins with TEXT, within its section. It fails when there is none.
readme_block() {
	awk -v text="$1" -v number="$2" '
		index($0, text) == 1 { after = 1 }
		after && /^## / { exit }
		after && $0 == "```sh" && ++seen == number { inside = 1; next }
		inside && $0 == "```" { exit }
		inside { print; found = 1 }
		END { exit !found }
	' "$NLB_TESTS/../README.md"
}

# command_of LINE: a line of such a block without its comment.
command_of() {
	local text=${1%%  #*}
	printf '%s\n' "${text%"${text##*[! ]}"}"
}
