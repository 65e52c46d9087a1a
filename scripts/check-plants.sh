#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Would check-object.py find a panic? They are planted in a copy of the module
# in every way that scripts/plants.py knows, and the copy is built (once for the
# same sources) and checked; and one in a small crate, under the names of both
# ways of mangling. Prints what was not found; the log of the builds is
# build/test/plants.log.

. "$(dirname "$0")/lib.sh"
enter_tree "$@"
cd "$NLB_ROOT"

copy=build/plants
log=build/test/plants.log
rm -rf -- "$copy"
mkdir -p "$copy" build/test
cp -r Kbuild module "$copy/"
python3 -B scripts/plants.py plant "$copy"
module=$(NLB_KERNEL=${NLB_KERNEL:-cloud} scripts/build-module.sh "$copy" 2>"$log") ||
	{ tail -n 20 "$log"; die "the module with planted panics does not build"; }
release=$(basename "$(dirname "$(dirname "$module")")")
python3 -B scripts/check-object.py --sources "$copy/module" --kernel "$NLB_CACHE/kernels/$release/build" "$module" \
	>"$copy/found" 2>>"$log" || :
[ -s "$copy/found" ] || { tail -n 5 "$log"; die "nothing at all was found in $module"; }

# mangled NAME OPTION…: a crate with one entry point, which panics, compiled with these options.
mangled() {
	local name=$1
	shift
	rustc --crate-type lib --crate-name nlb_main --edition 2021 --emit obj -O -C panic=abort "$@" \
		-o "$copy/$name.o" "$copy/mangled.rs" 2>>"$log"
	python3 -B scripts/check-object.py --rules "$copy/mangled.rules" --sources '' "$copy/$name.o" \
		>"$copy/found-$name" 2>>"$log" || :
	grep -q "^kapi::netfilter::call reaches core::panicking::.* in .*nlb_main::kapi::netfilter::call" "$copy/found-$name" ||
		echo "not found: a panic under $name names"
}
cat >"$copy/mangled.rs" <<-'END'
	#![no_std]
	pub mod kapi {
	    pub mod netfilter {
	        pub extern "C" fn call(n: usize) -> u8 {
	            [1, 2, 3][n]
	        }
	    }
	}
END
echo 'entry kapi::netfilter::call frame 512' >"$copy/mangled.rules"
mangled legacy
mangled v0 -C symbol-mangling-version=v0
[ "$(nm "$copy/legacy.o" | grep -c ' _ZN')" != 0 ] && [ "$(nm "$copy/v0.o" | grep -c ' _R')" != 0 ] ||
	echo "not tried: both ways of mangling"

# The copy that is looked at for the list of plants has none yet.
rm -rf -- "$copy/module"
cp -r module "$copy/"
python3 -B scripts/plants.py expect "$copy" <"$copy/found"
