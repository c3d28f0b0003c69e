"""Reads the plain part of YAML that people write build files in.

Block mappings and lists, texts with and without quotes, `|` and `>` blocks, lists and mappings in
brackets on one line (YAML 1.2.2, chapters 7 and 8). Anchors, tags, several documents and tabs are
refused: what is read is read as every other reader does. No I/O.
"""

from __future__ import annotations

import re
from typing import TypeAlias

Value: TypeAlias = "str | list[Value] | dict[str, Value]"

_MAX_DEPTH = 20
_KEY = re.compile(
    r"(?:'((?:[^']|'')*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s\"'#\[\]{}&*!|>%@,-][^#]*?)):(?:\s+|$)"
)
_QUOTED = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"\\]|\\.)*)\"")
_BLOCK = re.compile(r"([|>])([-+]?)(?:\s+#.*)?")
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "/": "/"}


class NotPlain(Exception):
    """The text is YAML that is not read here, or none."""


def read_yaml(text: str) -> Value:
    """What `text` holds; every number and word as its text, "" for what is empty.

    Raises:
        NotPlain: see there.
    """
    lines = [line for line in text.split("\n") if not line.startswith("%")]
    if lines and lines[0].rstrip() == "---":
        lines[0] = ""
    reader = _Reader(lines)
    value = reader.block(0, 0)
    if reader.next() is not None:
        raise NotPlain("something behind the end")
    return value


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0

    def next(self) -> int | None:
        """The indentation of the next line that says something."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            bare = line.strip()
            if bare and not bare.startswith("#"):
                if "\t" in line[: len(line) - len(line.lstrip())] or bare in {"---", "..."}:
                    raise NotPlain("tabs, or several documents")
                return len(line) - len(line.lstrip(" "))
            self.at += 1
        return None

    def block(self, least: int, depth: int) -> Value:
        """The block that begins at the next line, indented by `least` or more; "" for none."""
        indent = self.next()
        if indent is None or indent < least:
            return ""
        if depth > _MAX_DEPTH:
            raise NotPlain("nested too deep")
        bare = self.lines[self.at][indent:]
        if bare == "-" or bare.startswith("- "):
            return self.list(indent, depth)
        if _KEY.match(bare):
            return self.mapping(indent, depth)
        self.at += 1
        return self.text(bare, indent - 1)

    def list(self, indent: int, depth: int) -> list[Value]:
        found: list[Value] = []
        while self.next() == indent:
            line = self.lines[self.at]
            rest = line[indent + 1 :]
            if line[indent] != "-" or rest[:1] not in {"", " "}:
                break
            bare = rest.strip()
            if _KEY.match(bare) or bare.startswith("- "):
                # What follows the dash is a block of its own, as deep as it stands.
                self.lines[self.at] = " " * (indent + 1) + rest
                found.append(self.block(indent + 1, depth + 1))
            else:
                self.at += 1
                found.append(self.value(bare, indent, depth))
        return found

    def mapping(self, indent: int, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while self.next() == indent:
            bare = self.lines[self.at][indent:]
            match = _KEY.match(bare)
            if match is None:
                raise NotPlain("a line that is no entry")
            key = match[3] if match[3] is not None else _unquoted(match[1], match[2])
            if key in found or key == "<<":
                raise NotPlain("a key that is given twice, or merged")
            self.at += 1
            found[key] = self.value(bare[match.end() :].strip(), indent, depth, mapped=True)
        after = self.next()
        if after is not None and after > indent:
            raise NotPlain("a line that belongs nowhere")
        return found

    def value(self, bare: str, indent: int, depth: int, *, mapped: bool = False) -> Value:
        """What stands after a key or a dash, and in the lines below it."""
        if not bare or bare.startswith("#"):
            after = self.next()
            if mapped and after == indent and self.lines[self.at][indent:].startswith("-"):
                return self.block(indent, depth + 1)  # a list may stand right below its key
            return self.block(indent + 1, depth + 1)
        if block := _BLOCK.fullmatch(bare):
            return self.literal(indent, folded=block[1] == ">")
        if bare[0] in "[{":
            return _flow(_without_comment(bare), depth)
        return self.text(bare, indent)

    def literal(self, indent: int, *, folded: bool) -> str:
        taken: list[str] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
                break
            taken.append(line)
            self.at += 1
        margin = min((len(t) - len(t.lstrip(" ")) for t in taken if t.strip()), default=0)
        return (" " if folded else "\n").join(line[margin:].rstrip() for line in taken).strip()

    def text(self, bare: str, indent: int) -> str:
        """A text that begins with `bare` and may go on in lines indented deeper."""
        if bare[0] in "&*!@`%":
            raise NotPlain("an anchor or a tag")
        quoted = _QUOTED.match(bare)
        if quoted is not None:
            if not re.fullmatch(r"\s*(?:#.*)?", bare[quoted.end() :]):
                raise NotPlain("something behind a quoted text")
            return _unquoted(quoted[1], quoted[2])
        if bare[0] in "\"'":
            raise NotPlain("a quoted text of several lines")
        parts = [_without_comment(bare)]
        while (after := self.next()) is not None and after > indent:
            parts.append(_without_comment(self.lines[self.at].strip()))
            self.at += 1
        return " ".join(parts)


def _without_comment(text: str) -> str:
    return re.sub(r"\s+#.*", "", text) if "'" not in text and '"' not in text else text.rstrip()


def _unquoted(single: str | None, double: str | None) -> str:
    if double is None:
        return (single or "").replace("''", "'")
    return re.sub(r"\\(.)", lambda match: _escape(match[1]), double)


def _escape(letter: str) -> str:
    if letter not in _ESCAPES:
        raise NotPlain("an escape that is not read")
    return _ESCAPES[letter]


def _flow(text: str, depth: int) -> Value:
    """`[a, 'b', {c: d}]` on one line."""
    value, rest = _flow_value(text, depth)
    if rest.strip():
        raise NotPlain("something behind a bracket")
    return value


def _flow_value(text: str, depth: int) -> tuple[Value, str]:
    text = text.lstrip()
    if depth > _MAX_DEPTH or not text:
        raise NotPlain("a bracket without its end")
    if text[0] == "[":
        items: list[Value] = []
        rest = text[1:].lstrip()
        while not rest.startswith("]"):
            item, rest = _flow_value(rest, depth + 1)
            items.append(item)
            rest = _separated(rest, "]")
        return items, rest[1:]
    if text[0] == "{":
        found: dict[str, Value] = {}
        rest = text[1:].lstrip()
        while not rest.startswith("}"):
            key, colon, rest = rest.partition(":")
            if not colon or not re.fullmatch(r"[\w.-]+", key.strip()):
                raise NotPlain("an entry in brackets that is not plain")
            found[key.strip()], rest = _flow_value(rest, depth + 1)
            rest = _separated(rest, "}")
        return found, rest[1:]
    quoted = _QUOTED.match(text)
    if quoted is not None:
        return _unquoted(quoted[1], quoted[2]), text[quoted.end() :]
    plain = re.match(r"[^,\[\]{}\"'&*!#]+", text)
    if plain is None:
        raise NotPlain("an item in brackets that is not plain")
    return plain[0].strip(), text[plain.end() :]


def _separated(rest: str, closing: str) -> str:
    rest = rest.lstrip()
    if rest.startswith(","):
        return rest[1:].lstrip()
    if not rest.startswith(closing):
        raise NotPlain("a bracket without its end")
    return rest
