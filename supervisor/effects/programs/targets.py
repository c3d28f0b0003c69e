"""Readers of builders: the recipes that a Makefile or justfile of the workspace names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from supervisor.effects.files import within
from supervisor.effects.follow import file_text, just_text, make_text
from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_given, resolve
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.languages import forget_vague
from supervisor.effects.programs.registry import reader
from supervisor.effects.reading import Word

_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_JUSTFILES = ("justfile", "Justfile", ".justfile")


@reader
def make(invocation: Invocation, words: Sequence[Word]) -> None:
    """`make GOAL…`: what the recipes run is judged with it."""
    given = take(invocation, words)
    apply_given(invocation, given)
    if given.has("-n", "--dry-run", "--just-print", "--recon", "-q", "--question"):
        return
    _follow(invocation, given.value("-f"), _MAKEFILES, make_text, given.operands)


@reader
def just(invocation: Invocation, words: Sequence[Word]) -> None:
    """`just RECIPE…`: what the recipe runs is judged with it."""
    given = take(invocation, words)
    apply_given(invocation, given)
    if given.has("-n", "--dry-run", "-l", "--list", "--summary", "--dump", "--show", "--evaluate"):
        return
    _follow(invocation, given.value("-f"), _JUSTFILES, just_text, given.operands[:1])


def _follow(
    invocation: Invocation,
    named: Word | None,
    usual: Sequence[str],
    recipes: Callable[[str, Sequence[str], Mapping[str, str]], str | None],
    operands: Sequence[Word],
) -> None:
    where = invocation.where
    goals = [word.text for word in operands if "=" not in word.text]
    values = dict(word.text.split("=", 1) for word in operands if "=" in word.text)
    if where.elsewhere or not where.cwd or (named is not None and not named.exact):
        return
    for name in (named.text,) if named is not None else usual:
        path = resolve(name, where.cwd)
        if not within(path, where.place.workspace) or not os.path.isfile(path):
            continue
        if path in invocation.reading.written:
            invocation.opaque("runs a file that is written just before")
            return
        text = file_text(path)
        script = recipes(text, goals, values) if text is not None else None
        if script and invocation.follow(path, *(word.text for word in operands)):
            mark = len(invocation.reading.effects)
            invocation.script(Word(script))
            forget_vague(invocation, mark)
        return
