"""The class of a path: what it is to policy (`labels.toml`), found once for each effect."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

_GLOB = re.compile(r"[*?\[]")
_SET = re.compile(r"\[[!^]?\]?[^\]]*\]")


@dataclass(frozen=True, slots=True)
class _Class:
    """One label, with its patterns as one expression for each place they count in."""

    name: str
    everywhere: re.Pattern[str] | None
    at_home: re.Pattern[str] | None  # on the path below the home directory
    excepted: re.Pattern[str] | None  # on the base name
    samples: tuple[tuple[str, ...], ...]  # parts of names it stands for, for `_may_be`


@lru_cache(maxsize=4096)
def label_of(folded: str, below_home: str = "") -> str:
    """The label of a path, "" for an ordinary one.

    Args:
        folded: the real path, case-folded.
        below_home: its part after the home directory ("/.npmrc"), "" when it is not there.

    A path with wildcards (`~/.ss?/*`) has the label of what it may match.
    """
    if not _may_have_one(folded):
        return ""
    name = folded.rpartition("/")[2]
    for kind in _classes():
        if kind.excepted is not None and kind.excepted.fullmatch(name):
            continue
        if kind.everywhere is not None and kind.everywhere.search(folded):
            return kind.name
        if below_home and kind.at_home is not None and kind.at_home.match(below_home):
            return kind.name
    if _GLOB.search(folded) and _may_tell(folded):
        return next((kind.name for kind in _classes() if _may_be(folded, kind)), "")
    return ""


def _may_tell(pattern: str) -> bool:
    """Whether a part with wildcards begins as some name does; most do not, and that is quick."""
    names = _sampled()
    for part in pattern.split("/"):
        begins = _GLOB.split(part, maxsplit=1)[0]
        tells = begins != part and (len(begins) >= 3 or begins.startswith("."))
        if tells and "/" + begins in names:
            return True
    return False


@cache
def _sampled() -> str:
    """All names of all samples, each after a slash."""
    samples = (sample for kind in _classes() for sample in kind.samples)
    return "".join(sorted({"/" + name for sample in samples for name in sample}))


def _may_have_one(folded: str) -> bool:
    """Whether it begins as a pattern from the root does, or has a part that ends another one.

    Most paths have neither, and that is quick to see.
    """
    roots, names, starts, ends = _hints()
    parts = folded.split("/")
    return (
        folded.startswith(roots)
        or not names.isdisjoint(parts)
        or any(part.startswith(starts) or part.endswith(ends) for part in parts)
        or _GLOB.search(folded) is not None
    )


@cache
def _hints() -> tuple[tuple[str, ...], frozenset[str], tuple[str, ...], tuple[str, ...]]:
    """Of patterns from the root: their text before a `*`. Of others: last parts, plain ones and
    the starts or ends of those with a `*`."""
    patterns = _patterns()
    lasts = {each.rpartition("/")[2] for each in patterns if not each.startswith("/")}
    wild = [last.partition("*")[::2] for last in sorted(lasts) if "*" in last]
    return (
        tuple(each.partition("*")[0] for each in patterns if each.startswith("/")),
        frozenset(last for last in lasts if "*" not in last),
        tuple(start for start, _ in wild if start),
        tuple(end.rpartition("*")[2] for start, end in wild if not start),
    )


def _may_be(pattern: str, kind: _Class) -> bool:
    """Whether wildcards of a shell's pattern may well stand for a name of this class.

    A hidden name, or one that begins as the pattern does: `*` alone may be anything, and is left
    to what it matches now.
    """
    parts = pattern.strip("/").split("/")
    for sample in kind.samples:
        pairs = list(zip(parts[-len(sample) :], sample, strict=False))
        if (
            len(pairs) == len(sample)
            and any(_telling(part, name) for part, name in pairs)
            and all(part == name or _matches(part, name) for part, name in pairs)
        ):
            return True
    return False


def _telling(pattern: str, name: str) -> bool:
    """Whether the wildcards of `pattern` say enough to be taken for `name`."""
    wild = _GLOB.search(pattern)
    return wild is not None and (
        name.startswith(".") or (wild.start() >= 3 and name.startswith(pattern[: wild.start()]))
    )


def _matches(pattern: str, text: str) -> bool:
    """As the shell: a leading dot is only matched by a dot."""
    if text.startswith(".") and not pattern.startswith("."):
        return False
    return bool(_shell_pattern(pattern).fullmatch(text))


@lru_cache(maxsize=1024)
def _shell_pattern(pattern: str) -> re.Pattern[str]:
    """Wider than the shell's: a set of characters stands for any one."""
    out, at = "", 0
    while at < len(pattern):
        if found := _SET.match(pattern, at):
            out, at = out + ".", found.end()
            continue
        out += {"*": ".*", "?": "."}.get(pattern[at], re.escape(pattern[at]))
        at += 1
    return re.compile(out, re.DOTALL)


@cache
def _tables() -> list[dict[str, Any]]:
    text = (resources.files("supervisor.effects") / "labels.toml").read_text("utf-8")
    tables: list[dict[str, Any]] = tomllib.loads(text)["label"]
    return tables


@cache
def _classes() -> tuple[_Class, ...]:
    return tuple(_class(table) for table in _tables())


def _patterns() -> list[str]:
    return [p for table in _tables() for p in (*table.get("trees", []), *table.get("files", []))]


def _class(table: dict[str, Any]) -> _Class:
    trees: list[str] = table.get("trees", [])
    files: list[str] = table.get("files", [])
    everywhere: list[str] = []
    at_home: list[str] = []
    for patterns, end in ((trees, r"(?:/|\Z)"), (files, r"\Z")):
        for pattern in patterns:
            if pattern.startswith("~/"):
                at_home.append(_expression(pattern[1:]) + end)
            elif pattern.startswith("/"):
                everywhere.append(r"\A" + _expression(pattern) + end)
            else:
                everywhere.append("/" + _expression(pattern) + end)
    names = [*trees, *(f"{tree}/x" for tree in trees), *files]
    return _Class(
        name=table["name"],
        everywhere=_any(everywhere),
        at_home=_any(at_home),
        excepted=_any([_expression(each) for each in table.get("except", [])]),
        samples=tuple(
            tuple(part for part in name.removeprefix("~").replace("*", "x").split("/") if part)
            for name in names
        ),
    )


def _expression(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", "[^/]*")


def _any(patterns: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(patterns), re.DOTALL) if patterns else None
