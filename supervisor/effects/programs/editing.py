"""Readers of editors: the files that they change, and commands that they are started with."""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.reading import Word

_HARMLESS = frozenset({"q", "q!", "qa", "qa!", "wq", "x", "w", "wqa", "set nu", "syntax on", "$"})


@reader
def editor(invocation: Invocation, words: Sequence[Word]) -> None:
    """`vim FILE…`: `+LINE` is harmless, `+COMMAND` is a command of the editor."""
    own = []
    for word in words:
        if word.exact and word.text.startswith("+"):
            if not word.text[1:].replace(",", "").isdigit() and word.text not in {"+", "+$"}:
                _command(invocation, word.text[1:])
        elif word.text in {"-es", "-Es"}:  # `-s` is silent here, else it names a script
            own.append(Word("-e"))
        else:
            own.append(word)
    given = take(invocation, own)
    for name in ("-c", "--cmd", "-S"):
        for option, value in given.options:
            if name in option.names and value is not None:
                _command(invocation, value.text)
    start = given.value("-u")
    plain = start is not None and start.text in {"NONE", "NORC", "DEFAULTS"}
    apply_options(invocation, given, "-c", "--cmd", *(["-u"] if plain else []))
    for word in given.operands:
        if word.text != "-" and invocation.read(word):
            invocation.write(word)


def _command(invocation: Invocation, command: str) -> None:
    """A command of the editor; where it is one of the shell's, that is judged too."""
    text = command.strip().lstrip(":").strip()
    if text in _HARMLESS:
        return
    _, mark, shell = text.partition("!")
    if mark and shell.strip():
        invocation.script(Word(shell.strip()))
    invocation.opaque(f"runs the editor's command {command}")


@reader
def line_editor(invocation: Invocation, words: Sequence[Word]) -> None:
    """`ed FILE`: its input is a script that may run commands."""
    given = take(invocation, words)
    apply_options(invocation, given)
    for word in given.operands:
        if word.text.startswith("!"):
            invocation.script(Word(word.text[1:], word.exact))
        elif invocation.read(word):
            invocation.write(word)
    invocation.source = "input"
    invocation.opaque("runs what it is given on its input")
