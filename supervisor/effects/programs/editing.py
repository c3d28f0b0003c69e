"""Readers of editors: the files that they change, and commands that they are started with."""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.effects.programs.core import take, values
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.reading import Word


@reader
def editor(invocation: Invocation, words: Sequence[Word]) -> None:
    """`vim FILE…`: `+LINE` is harmless, `+COMMAND` is a command of the editor."""
    own = []
    for word in words:
        if word.exact and word.text.startswith("+"):
            if not word.text[1:].replace(",", "").isdigit() and word.text not in {"+", "+$"}:
                invocation.opaque(f"runs the editor's command {word.text[1:]}")
        else:
            own.append(word)
    given = take(invocation, own)
    values(invocation, given)
    for word in given.operands:
        if word.text != "-" and invocation.read(word):
            invocation.write(word)


@reader
def line_editor(invocation: Invocation, words: Sequence[Word]) -> None:
    """`ed FILE`: its input is a script that may run commands."""
    given = take(invocation, words)
    values(invocation, given)
    for word in given.operands:
        if word.text.startswith("!"):
            invocation.script(Word(word.text[1:], word.exact))
        elif invocation.read(word):
            invocation.write(word)
    invocation.source = "input"
    invocation.opaque("runs what it is given on its input")
