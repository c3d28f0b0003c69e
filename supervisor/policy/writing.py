"""How Cedar is written by a program: texts that stay texts, and forms with wildcards."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What runs whatever it is given: an allowance for one of these would allow everything.
_ANYTHING = """
sh bash dash zsh ksh fish csh tcsh ash busybox toybox pwsh powershell eval exec source command
python python2 python3 pypy pypy3 perl ruby node nodejs deno bun php lua luajit tclsh osascript
env xargs sudo doas su nice nohup timeout time stdbuf setsid ionice chrt taskset watch parallel
find ssh docker podman nsenter unshare chroot strace ltrace gdb script expect builtin make
npx bunx uvx pipx awk gawk mawk vim vi emacs less more screen tmux at crontab
"""
ANYTHING = frozenset(_ANYTHING.split())

Part = str | None  # literal text, or None for any characters
Pattern = tuple[Part, ...]

# An escaped character, stars, or literal text; without escapes the first group is empty.
_ESCAPED_PARTS = re.compile(r"\\(.)|(\*+)|([^*\\]+|\\)", re.DOTALL)
_PARTS = re.compile(r"(?!)(.)|(\*+)|([^*]+)", re.DOTALL)

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def quoted(text: str) -> str:
    """`text` as a Cedar string."""
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return "".join(
        _ESCAPES.get(c) or (c if c.isprintable() else f"\\u{{{ord(c):x}}}") for c in text
    )


def comment(text: str) -> str:
    """`text` on one line."""
    return "".join(c if c.isprintable() else " " for c in text)


def pattern(text: str, *, escape: bool = False) -> Pattern:
    """Cut a text at its `*`. `escape`: a backslash makes the next character literal."""
    parts: list[Part] = []
    for found in (_ESCAPED_PARTS if escape else _PARTS).finditer(text):
        literal = found[1] or found[3]
        if literal is None:
            parts.append(None)
        elif parts and parts[-1] is not None:
            parts[-1] += literal
        else:
            parts.append(literal)
    return tuple(parts)


def like(value: str, parts: Pattern) -> str:
    """`value` has this form."""
    if None not in parts:
        return f"{value} == {quoted(''.join(part or '' for part in parts))}"
    text = "".join("*" if part is None else _escaped(part).replace("*", "\\*") for part in parts)
    return f'{value} like "{text}"'


def either(conditions: Iterable[str]) -> str:
    """One of them holds."""
    each = list(conditions)
    return each[0] if len(each) == 1 else " || ".join(f"({one})" for one in each)
