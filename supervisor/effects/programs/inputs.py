"""Readers of programs that make commands of words from an input."""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import joined
from supervisor.effects.reading import Word

_SPLIT = re.compile(r'[\\$"\'#]')
_UNKNOWN = Word("", exact=False)
_MAX_RUNS = 32  # words that a command is run for one by one
_COST = 40  # steps of the budget
_MAX_INPUT = 200  # words from a known input that are handed on


@reader
def xargs(invocation: Invocation, words: Sequence[Word]) -> None:
    """`xargs PROGRAM …`: words from the input come last, or where `-I` says."""
    given = take(invocation, words)
    apply_options(invocation, given, "-I", "-i")
    command = list(given.operands) or [Word("echo")]
    found = _input_words(invocation, null=given.has("-0", "--null"))
    if given.has("-a", "--arg-file"):
        found = None
    start = len(invocation.reading.effects)
    mark = given.value("-I")
    if mark is None and given.has("-i", "--replace"):
        mark = given.value("-i") or Word("{}")
    if mark is None:
        fed = [*command, *(found if found is not None else [_UNKNOWN])]
        invocation.run(fed)
    else:
        for item in bounded(invocation, found) if found is not None else [_UNKNOWN]:
            invocation.run([put(word, mark.text, item) for word in command])
    if found is not None and invocation.where.feed.everything:
        invocation.all_below(start)


def bounded(invocation: Invocation, items: Sequence[Word]) -> Sequence[Word]:
    """As many of `items` as are judged one by one; each costs, since they may multiply."""
    if len(items) > _MAX_RUNS:
        invocation.opaque("runs a command for too many words to judge")
    invocation.reading.budget -= _COST * len(items[:_MAX_RUNS])
    return items[:_MAX_RUNS]


def _input_words(invocation: Invocation, *, null: bool) -> list[Word] | None:
    """The words on the input; None when they are only known when it runs."""
    where = invocation.where
    if where.feed.words:
        return list(where.feed.words)
    text = where.stdin_text
    if null or not text or _SPLIT.search(text):
        return None
    found = [Word(word) for word in text.split()]
    return found if len(found) <= _MAX_INPUT else None


def put(word: Word, mark: str, item: Word) -> Word:
    """`word` with `item` in the place of `mark`."""
    if not mark or mark not in word.text:
        return word
    begins = ""
    if not item.exact:
        begins = word.text.partition(mark)[0]
    return Word(
        word.text.replace(mark, item.text),
        exact=word.exact and item.exact,
        glob=word.glob or item.glob,
        quoted=word.quoted,
        begins=begins,
        deep=item.deep,
    )


@reader
def parallel(invocation: Invocation, words: Sequence[Word]) -> None:
    """GNU parallel builds shell texts from a template; they are only known when it runs."""
    invocation.opaque("builds commands from its input")
    command: list[Word] = []
    for word in words:
        if word.text.startswith(":::"):
            break
        if command or not word.text.startswith("-"):
            command.append(word)
    if command:
        invocation.script(joined(command))
