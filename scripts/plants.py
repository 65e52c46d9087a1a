#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Plants panics in a copy of the module, to see that the check of its object finds each.

  plants.py plant DIR    into DIR/module, a copy of the sources
  plants.py expect DIR   the findings of check-object.py on standard input: prints what is missing

One copy has all of them, each in a function of its own name. A panic is planted in each function that the source
declares for the kernel to call, in the module's beginning and end, and in each way in which one could hide: behind a
table of functions, with a name or without; inside functions of core and of the kernel crate; in the helpers in C; in
every form in which Rust spells one.
"""

import dataclasses
import pathlib
import re
import sys

_EXTERN = re.compile(r'\bextern "C" fn (\w+)(?:<[^>]*>)?\([^{]*\{\n', re.DOTALL)


class PlantError(Exception):
    """The sources are not as this file has them."""


@dataclasses.dataclass(frozen=True)
class Plant:
    """Code that is put into a function, and what the check must say of it."""

    name: str
    # Source of a Rust function of that name, "" if it is none; and where it is called.
    function: str
    file: str
    after: str
    call: str
    # Patterns of one line of the findings.
    expect: tuple[str, ...]


# Bodies of functions that may panic, by the way in which they do. N is a number that the compiler does not know.
SPELLINGS = {
    "index": "[1u8, 2, 3][N] as usize",
    "range": "[1u8, 2, 3][..N].len()",
    "sum": "N + 1",
    "division": "7 / N",
    "shift": "1usize << N",
    "unwrap": "N.checked_sub(1).unwrap()",
    "expect": "u8::try_from(N).expect(\"fits\") as usize",
    "explicit": "if N == 7 { panic!(\"seven\") } else { N }",
    "unreachable": "match N { 7 => unreachable!(), other => other }",
    "assertion": "assert_eq!(N, 7); N",
    "copy": "let mut to = [0u8; 8]; to[..4].copy_from_slice(&[1u8; 8][..N.min(8)]); to[0] as usize",
    "text": "\"täxt\"[..N].len()",
    "borrow": "let cell = core::cell::RefCell::new(N); let held = (N & 1 == 1).then(|| cell.borrow_mut());"
    " let len = *cell.borrow(); drop(held); len",
    # Inside functions of core and of the kernel crate, which say nothing of it.
    "core": "let bytes = [1u8, 0, 3]; let bytes = bytes.get(..N).unwrap_or_default();"
    " CStr::from_bytes_until_nul(bytes).map_or(0, |it| it.to_bytes().len())",
    "kernel": "Error::from_errno(N as i32).to_errno() as usize",
    # By tables of functions, one with a name and one without.
    "table": "static TABLE: [fn(usize) -> usize; 2] = [double, in_table];"
    " #[inline(never)] fn in_table(n: usize) -> usize { [1usize, 2, 3][n] } TABLE[N & 1](N)",
    "const_table": "let table: &[fn(usize) -> usize] = &[double, in_const_table];"
    " #[inline(never)] fn in_const_table(n: usize) -> usize { [1usize, 2, 3][n] }"
    " table.get(N & 1).map_or(0, |it| it(N))",
    "object": "trait Do { fn act(&self, n: usize) -> usize; } struct A; struct B;"
    " impl Do for A { fn act(&self, n: usize) -> usize { n } }"
    " impl Do for B { #[inline(never)] fn act(&self, n: usize) -> usize { [1usize, 2, 3][n] } }"
    " let it: &dyn Do = if N & 1 == 1 { &A } else { &B }; black_box(it).act(N)",
}

HEAD = """// SPDX-License-Identifier: GPL-2.0-only
//! Panics for scripts/plants.py.
use core::hint::black_box;
use kernel::prelude::*;

#[inline(never)]
fn double(n: usize) -> usize {
    n.wrapping_mul(2)
}

pub(crate) extern "C" fn unlisted() {}
"""

FUNCTION = """
#[inline(never)]
pub(crate) fn NAME(n: usize) -> usize {
    BODY
}
"""

# In C: where, what, and what is found. BUG() is an instruction, panic() a function, a callback no call.
C_PLANTS = (
    (
        "module/kapi/helpers.c",
        "void nlb_helper_consume_skb(struct sk_buff *skb)\n{\n",
        "\tBUG_ON(!skb);\n",
        ("netfilter::call_input reaches (trap) in nlb_helper_consume_skb,",),
    ),
    (
        "module/kapi/helpers.c",
        "int nlb_helper_skb_network_offset(const struct sk_buff *skb)\n{\n",
        '\tif (!skb->len)\n\t\tpanic("empty");\n',
        ("netfilter::call for l2::arp::ArpOutput reaches panic in nlb_helper_skb_network_offset",),
    ),
    (
        "module/kapi/helpers.c",
        "bool nlb_helper_skb_of_connected(const struct sk_buff *skb)\n{\n",
        "\tif (!skb->len)\n\t\temergency_restart();\n",
        ("netfilter::call for datapath::egress::Egress reaches emergency_restart in nlb_helper_skb_of_connected",),
    ),
    (
        "module/kapi/helpers.c",
        "void nlb_helper_queue_work(struct work_struct *work)\n{\n",
        "\tmod_timer(&planted_timer, jiffies + 1);\n",
        ("takes the address of planted_expiry",),
    ),
    (
        "module/kapi/helpers.c",
        "/* An empty skb with room",
        None,
        (),
    ),
)

C_HEAD = """#include <linux/reboot.h>
#include <linux/timer.h>

static void planted_expiry(struct timer_list *timer)
{
	BUG();
}

static DEFINE_TIMER(planted_timer, planted_expiry);

"""


def plants(module: pathlib.Path) -> list[Plant]:
    """All plants in Rust."""
    found = []
    for file in sorted(module.rglob("*.rs")):
        text = file.read_text(encoding="utf-8")
        path = file.relative_to(module)
        title = "::".join(path.with_suffix("").parts)
        for match in _EXTERN.finditer(text):
            name = f"in_{path.stem}_{match[1]}"
            found.append(
                Plant(name, SPELLINGS["index"], str(path), match[0], name, (f"{title}::{match[1]}", f"planted::{name},"))
            )
    begin = "fn init(module: &'static ThisModule) -> Result<Self> {\n"
    found.append(Plant("in_init", SPELLINGS["index"], "nlb_main.rs", begin, "in_init", ("init_module reaches", "planted::in_init,")))
    end = "impl<S: Service> Drop for Registration<S> {\n    fn drop(&mut self) {\n"
    found.append(
        Plant("in_exit", SPELLINGS["index"], "kapi/genetlink.rs", end, "in_exit", ("cleanup_module reaches", "planted::in_exit,"))
    )
    # All forms in one hook.
    hook = "fn handle(guarded: &Guard, side: &ReadSide, skb: &mut Skb) -> Verdict {\n"
    for name, body in SPELLINGS.items():
        seen = {"table": "::in_table", "const_table": "::in_const_table", "object": "::act"}.get(name, f"::by_{name}")
        expect = ("netfilter::call for l2::arp::ArpOutput", f"{seen},")
        found.append(Plant(f"by_{name}", body, "l2/arp.rs", hook, f"by_{name}", expect))
    unlisted = ("extern \"C\" fn unlisted", "no entry kapi::planted::unlisted")
    found.append(Plant("", "", "", "", "", unlisted))
    room = "let room = [N as u8; 600]; usize::from(black_box(&room).iter().fold(0u8, |sum, it| sum ^ it))"
    stack = ("l2::arp::ArpOutput", "planted::in_much_stack, which takes")
    found.append(Plant("in_much_stack", room, "l2/arp.rs", hook, "in_much_stack", stack))
    # The calls by address themselves.
    for name in ("table", "const_table", "object"):
        found.append(Plant("", "", "", "", "", ("l2::arp::ArpOutput", "(indirect call)", f"planted::by_{name},")))
    return found


def insert(file: pathlib.Path, after: str, text: str) -> None:
    """Puts text behind a piece of a file that is there once."""
    source = file.read_text(encoding="utf-8")
    if source.count(after) != 1:
        raise PlantError(f"{file} has {source.count(after)} times, not once:\n{after}")
    file.write_text(source.replace(after, after + text), encoding="utf-8")


def plant(directory: pathlib.Path) -> None:
    """Plants all."""
    module = directory / "module"
    rust = HEAD
    for it in plants(module):
        if not it.name:
            continue
        body = re.sub(r"\bN\b", "n", it.function)
        rust += FUNCTION.replace("NAME", it.name).replace("BODY", body)
        prefix = "super::planted" if it.file.startswith("kapi/") else "crate::kapi::planted"
        insert(
            module / it.file,
            it.after,
            f"        let _ = core::hint::black_box({prefix}::{it.call}(core::hint::black_box(5)));\n",
        )
    (module / "kapi" / "planted.rs").write_text(rust, encoding="utf-8")
    insert(module / "kapi" / "mod.rs", "pub(crate) mod pernet;\n", "pub(crate) mod planted;\n")
    for name, at, text, _ in C_PLANTS:
        file = directory / name
        if text is None:
            source = file.read_text(encoding="utf-8")
            file.write_text(source.replace(at, C_HEAD + at, 1), encoding="utf-8")
        else:
            insert(file, at, text)


def missing(directory: pathlib.Path, lines: list[str]) -> list[str]:
    """Plants that no line of the findings is about."""
    wanted = [it.expect for it in plants(directory / "module")] + [it[3] for it in C_PLANTS if it[3]]
    return [" … ".join(it) for it in wanted if not any(all(part in line + " " for part in it) for line in lines)]


def main() -> int:
    match sys.argv[1:]:
        case ["plant", directory]:
            plant(pathlib.Path(directory))
        case ["expect", directory]:
            lines = sys.stdin.read().splitlines()
            lost = missing(pathlib.Path(directory), lines)
            print("\n".join(f"not found: {it}" for it in lost), end="\n" if lost else "")
            return 1 if lost else 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
