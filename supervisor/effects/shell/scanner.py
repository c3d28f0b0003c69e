"""A place in a shell text, and how much may be read from there."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Self

from supervisor.effects.shell.syntax import Document, Script

UNPLACED = -1  # among the starts: programs whose place in the text is not known
MAX_COMMANDS = 500
MAX_WORDS = 5_000  # and variables
MAX_DEPTH = 60

_BLANKS = re.compile(r"(?:[ \t]|\\\n)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Doubt(Exception):
    """The text is not what this reader is sure of; the message says why."""


class TooMuch(Exception):
    """The text goes beyond a limit; the message says which."""


class Scanner(ABC):
    """Stands at a place in a text. What reads words, commands and lists builds on it, in layers;
    each names as abstract what it needs of those above.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.count = 0
        self.words = 0
        self.starts: list[int] = []
        self.foreign = False  # inside text whose positions are not those of `text`
        # Here-documents whose lines come after the next newline: delimiter, literal, tabs.
        self.pending: list[tuple[str, bool, bool, Document]] = []

    def apart(self, text: str) -> Self:
        """A reader of `text`, which stands inside this one's and under the same limits."""
        inner = type(self)(text)
        inner.depth, inner.count, inner.words = self.depth, self.count, self.words
        return inner

    @abstractmethod
    def whole(self) -> Script:
        """All commands of the text. Never raises `Doubt`: it is among the problems."""

    @abstractmethod
    def inner(self, closing: tuple[str, ...]) -> Script:
        """A list up to one of `closing`, which is not consumed."""

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooMuch("is nested deeper than is read")

    def blanks(self) -> None:
        match = _BLANKS.match(self.text, self.at)
        self.at = match.end() if match else self.at
        if self.text.startswith("#", self.at):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end

    def name(self) -> str:
        match = _NAME.match(self.text, self.at)
        if match is None:
            raise Doubt("a name that is none")
        self.at = match.end()
        return match[0]

    def count_one(self) -> None:
        self.count += 1
        if self.count > MAX_COMMANDS:
            raise TooMuch("has more commands than are read")

    def count_word(self) -> None:
        self.words += 1
        if self.words > MAX_WORDS:
            raise TooMuch("has more words than are read")
