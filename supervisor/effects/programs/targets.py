"""Readers of builders: the recipes that a Makefile, justfile or Taskfile of the workspace names."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from supervisor.effects.files import within
from supervisor.effects.follow import Endless, file_text, just_text, make_text
from supervisor.effects.knowledge import knowledge
from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_given, interpret
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.languages import forget_vague
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import resolve
from supervisor.effects.reading import Word
from supervisor.effects.taskfile import task_text

_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_TASKFILES = tuple(
    f"{begin}askfile{middle}.{end}"
    for middle in ("", ".dist")
    for end in ("yml", "yaml")
    for begin in "Tt"
)
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


@reader
def task(invocation: Invocation, words: Sequence[Word]) -> None:
    """`task NAME…`: go-task where a Taskfile lies here or above, Taskwarrior elsewhere."""
    named = any(re.match(r"-t|--taskfile|-d|--dir", word.text) for word in words)
    place = invocation.where
    above = place.cwd if not place.elsewhere else ""
    while above and above != "/" and not named:
        named = any(os.path.lexists(os.path.join(above, name)) for name in _TASKFILES)
        above = os.path.dirname(above)
    other = knowledge().table(("go-task" if named else "taskwarrior",))
    if other is not None:
        interpret(invocation, other, words)


@reader
def taskfile(invocation: Invocation, words: Sequence[Word]) -> None:
    """`task NAME… [-- WORDS]`: what the tasks run is judged with it."""
    own = list(words)
    for index, word in enumerate(words):
        if word.text == "--":
            own = list(words[:index])
            break
    given = take(invocation, own)
    apply_given(invocation, given)
    if given.has("-l", "--list", "-a", "--list-all", "--summary", "--status", "-n", "--dry"):
        return
    if given.has("-g", "--global"):
        invocation.opaque("runs a task of the home directory")
        return
    operands = [word for word in given.operands if word.exact]
    _follow(invocation, given.value("-t"), _TASKFILES, task_text, operands, above=True)


def _follow(
    invocation: Invocation,
    named: Word | None,
    usual: Sequence[str],
    recipes: Callable[[str, Sequence[str], Mapping[str, str]], str | None],
    operands: Sequence[Word],
    *,
    above: bool = False,
) -> None:
    """The recipes of the file `named`, or of the first of the `usual` ones that is here.

    With `above` it is also looked for in the directories above, up to the workspace, and what it
    says is done where it lies.
    """
    where = invocation.where
    goals = [word.text for word in operands if "=" not in word.text]
    values = dict(word.text.split("=", 1) for word in operands if "=" in word.text)
    if where.elsewhere or not where.cwd or (named is not None and not named.exact):
        return
    places = [where.cwd]
    while above and named is None and within(os.path.dirname(places[-1]), where.place.workspace):
        places.append(os.path.dirname(places[-1]))
    files = [os.path.join(place, name) for place in places for name in usual]
    for name in (named.text,) if named is not None else files:
        path = resolve(name, where.cwd)
        if not within(path, where.place.workspace) or not os.path.isfile(path):
            continue
        if path in invocation.reading.written:
            invocation.opaque("runs a file that is written just before")
            return
        text = file_text(path)
        try:
            script = recipes(text, goals, values) if text is not None else None
        except Endless:
            invocation.opaque("runs recipes whose values stand for too much text")
            return
        if script and invocation.follow(path, *(word.text for word in operands)):
            mark = len(invocation.reading.effects)
            deeper = invocation.deeper()
            if above:
                deeper = replace(deeper, cwd=os.path.dirname(path))
            invocation.script(Word(script), deeper)
            forget_vague(invocation, mark)
        return
