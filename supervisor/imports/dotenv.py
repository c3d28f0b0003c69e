"""A `.env` file, read by python-dotenv, with some texts in it replaced and every other byte kept.

There is no standard: readers differ in what `#`, quotes, `$` and backslashes mean. A value is only
replaced where all of them read the same, and afterwards the library must read the same file with
the same names, differing in nothing but what was replaced.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass

from supervisor.errors import UsageError

_BOM = "\ufeff"
# Without what any dialect gives a meaning of its own.
_PLAIN = re.compile(r"[!%&()*+,\-./0-9:;<=>?@A-Z\[\]^_a-z{|}~]+")


@dataclass(frozen=True, slots=True, repr=False)  # a repr would hold a value
class Value:
    """One assignment. `plain`: it stands in the file as it is, and every dialect reads it so."""

    name: str
    text: str
    line: int
    plain: bool


@dataclass(frozen=True, slots=True, repr=False)
class Dotenv:
    """`rest`: line and text of what assigns nothing: comments, and what cannot be read."""

    text: str
    values: tuple[Value, ...]
    rest: tuple[tuple[int, str], ...]


def read(content: bytes) -> Dotenv:
    """Bytes that are no UTF-8 are kept as they are."""
    from dotenv.parser import parse_stream

    text = content.decode("utf-8", "surrogateescape")
    at = len(_BOM) if text.startswith(_BOM) else 0
    values: list[Value] = []
    rest: list[tuple[int, str]] = []
    for binding in parse_stream(io.StringIO(text[at:], newline="")):
        original = binding.original.string
        # Blank lines before an assignment are given as part of it.
        start = at + len(original) - len(original.lstrip())
        line = len(re.findall(r"\r\n|\r|\n", text[:start])) + 1
        at += len(original)
        if binding.key is None or binding.value is None:
            rest.append((line, original.strip()))
            continue
        value = binding.value
        plain = bool(_PLAIN.fullmatch(value)) and value in original.partition("=")[2]
        values.append(Value(binding.key, value, line, plain))
        # What follows a value on its line may be a comment.
        left = original.replace(value, "", 1) if value else original
        if "#" in left:
            rest.append((line, left.strip()))
    return Dotenv(text, tuple(values), tuple(rest))


def replaced(file: Dotenv, instead: Mapping[str, str]) -> bytes:
    """The file with every occurrence of some texts replaced, in comments and other values too.

    Raises:
        UsageError: it would then be read otherwise than meant.
    """
    pattern = re.compile("|".join(re.escape(old) for old in sorted(instead, key=len, reverse=True)))

    def new(text: str) -> str:
        return pattern.sub(lambda match: instead[match.group()], text) if instead else text

    content = new(file.text).encode("utf-8", "surrogateescape")
    before = [(value.name, new(value.text), value.line) for value in file.values]
    after = [(value.name, value.text, value.line) for value in read(content).values]
    if before != after:
        raise UsageError(
            "This file cannot be rewritten without changing how it is read.",
            hint="Put each secret on a line of its own, as NAME=value.",
        )
    return content
