# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# title: each call to the kernel by which the module is loaded is refused once, and leaves nothing
# timeout: 300

# Which of the calls of nlb.ko may be refused is known of each.
while read -r name; do
	refusable "$name" || unfailing "$name" ||
		fail "qemu-tests/lib/refuse.sh does not say whether $name can fail"
done </nlb/nlb.imports
check "the calls of the module are known" grep -q nf_register_net_hook /nlb/nlb.imports

refuse_load insmod

LOADED=0
MUTE=0
after_load() {
	if [ "$1" = 0 ]; then
		LOADED=$((LOADED + 1))
		check "a loaded module goes" rmmod nlb
	else
		grep -q 'Cannot allocate memory' /run/test/out || MUTE=$((MUTE + 1))
	fi
}
refuse_each after_load insmod /nlb/nlb.ko
check "calls of the load that were refused: $REFUSED" [ "$REFUSED" -ge 8 ]
same "loads that went well: the one where no call was refused" 1 "$LOADED"
same "refused loads that did not say why" 0 "$MUTE"

# What a refused load had registered before is not there any more.
load_module
hosts 1
join 1
check "a cluster stands after all of it" wait_agree 30 1
