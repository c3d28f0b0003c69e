"""Program texts in languages other than the shell's, as far as they can be read."""

from __future__ import annotations

from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.reading import Word


def read_code(invocation: Invocation, language: str, text: Word) -> None:
    """`text` is executed as a program in `language`."""
    if language == "sh":
        invocation.script(text)
    elif not text.exact:
        invocation.opaque("runs a program that is only known when it runs")
    else:
        invocation.opaque(f"runs a program in {language}")


def read_script(invocation: Invocation, word: Word, language: str) -> None:
    """The file `word` is executed as a program in `language`."""
    del language
    invocation.read(word)
    invocation.opaque(f"runs the program in {word.text}")


def read_input(invocation: Invocation, language: str) -> None:
    """What comes in is executed as a program in `language`."""
    del language
    invocation.source = "download" if invocation.where.downloaded else "input"
    invocation.opaque("runs what it is given on its input")
