"""Reads a text by the grammar of bash.

Grammar: POSIX.1-2024 XCU chapter 2 and the bash reference manual, 3.1 to 3.5, for a shell that
is not interactive: no aliases, no history, no extended globs. A text that this reader is not
sure of gives a `Script` with `problems`; what follows the doubtful place is then cut at
everything that could separate commands, so that each of them is still judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import islice

from supervisor.effects.shell.compoundgrammar import CompoundGrammar
from supervisor.effects.shell.scanner import Doubt, TooMuch
from supervisor.effects.shell.syntax import (
    Chain,
    Command,
    Literal,
    Pipeline,
    Raw,
    Redirect,
    Redirected,
    Script,
    Simple,
)

MAX_TEXT = 65_536  # characters
_MAX_PIECES = 300  # distinct ones of a text that is cut
_MAX_CUT = 300_000  # characters of a text that is cut; of a longer one its begin and its end

_CUT = re.compile(r"[\n;&|(){}`]+|(?<![\w/.-])(?:then|do|else|elif|if|while|until|time|!)(?=\s)")

First = Callable[[str], bool]


def parse(text: str, first: First = lambda word: False) -> Script:
    """Read `text`, which holds no control characters. Never raises for what stands in it.

    `first` says of a piece's first word whether the piece is to be judged before others, where
    not all can be.
    """
    parser = _Parser(text, first)
    try:
        if len(text) > MAX_TEXT:
            raise TooMuch("is longer than is read")
        return parser.whole()
    except TooMuch as limit:
        reason = str(limit)
    except RecursionError:
        reason = "is nested deeper than is read"
    return in_pieces(text, reason, first)


def in_pieces(text: str, reason: str, first: First) -> Script:
    """A text that goes beyond a limit: what could be commands in it."""
    return Script(tuple(_Parser(text, first).pieces(0)), (reason,), excessive=True)


def cut(text: str, first: First) -> Iterable[str]:
    """What could be simple commands in `text`; those with rare first words before others."""
    if len(text) > _MAX_CUT:
        text = text[: _MAX_CUT * 2 // 3] + "\n" + text[-_MAX_CUT // 3 :]
    families: dict[str, list[str]] = {}
    for piece in dict.fromkeys(_CUT.split(text)):
        stripped = piece.strip()
        if stripped:
            families.setdefault(stripped[:40].split()[0], []).append(stripped)
    ordered = sorted(families, key=lambda word: (not first(word), len(families[word])))
    pieces = (piece for rank in range(_MAX_PIECES) for piece in _ranked(families, ordered, rank))
    return islice(pieces, _MAX_PIECES)


def _ranked(families: dict[str, list[str]], ordered: list[str], rank: int) -> list[str]:
    return [families[word][rank] for word in ordered if rank < len(families[word])]


class _Parser(CompoundGrammar):
    """Reads lists of commands."""

    def __init__(self, text: str, first: First = lambda word: False) -> None:
        super().__init__(text)
        self.first = first
        self.problems: list[str] = []

    def whole(self) -> Script:
        commands: list[Command] = []
        while True:
            start = self.at
            try:
                self.separators()
                if self.at >= len(self.text):
                    if self.pending:
                        raise Doubt("a here-document without its lines")
                    break
                start = self.at
                commands.append(self.chain())
                self.terminator("")
            except Doubt as doubt:
                commands += self.pieces(start)
                self.problems.append(str(doubt))
                break
        return Script(tuple(commands), tuple(self.problems), tuple(self.starts))

    def pieces(self, start: int) -> list[Command]:
        """What could be commands in the text from `start` on."""
        found: list[Command] = []
        for piece in cut(self.text[start:], self.first):
            parser = _Parser(piece)
            parser.foreign = True
            try:
                command = parser.simple()
                complete = parser.at >= len(piece)
            except (Doubt, TooMuch, RecursionError):
                complete = False
            if not complete:
                plain = [word.strip("\"'\\") for word in piece.split()[:64]]
                words = tuple(Raw((Literal(w, True),), w, 0) for w in plain if w)
                command = Simple((), words, (), piece)
            found.append(command)
        return found

    def inner(self, closing: tuple[str, ...]) -> Script:
        """A list up to one of `closing`, which is not consumed."""
        self.deeper()
        commands: list[Command] = []
        self.separators()
        while not self.closes(closing):
            if self.at >= len(self.text):
                raise Doubt(f"an end without {closing[0]}")
            commands.append(self.chain())
            if not self.terminator(closing):
                break
            self.separators()
        if not self.closes(closing):
            raise Doubt(f"something that is not {closing[0]}")
        self.depth -= 1
        return Script(tuple(commands))

    def closes(self, closing: tuple[str, ...]) -> bool:
        return any(
            self.text.startswith(end, self.at) and (end[0] in ");" or self.reserved() == end)
            for end in closing
        )

    def terminator(self, closing: tuple[str, ...] | str) -> bool:
        """What ends a chain. Returns whether another one may follow."""
        self.blanks()
        text = self.text
        if self.at >= len(text):
            return True
        if text[self.at] == "\n":
            self.newline()
            return True
        if text[self.at] in ";&" and not text.startswith((";;", ";&", "&&"), self.at):
            self.at += 1
            self.blanks()
            return True
        if closing and self.closes(tuple(closing)):
            return False
        raise Doubt(f"an unexpected {text[self.at]}")

    def chain(self) -> Command:
        first = self.pipeline()
        rest: list[tuple[str, Command]] = []
        while True:
            self.blanks()
            operator = self.text[self.at : self.at + 2]
            if operator not in {"&&", "||"}:
                break
            self.at += 2
            self.separators()
            rest.append((operator, self.pipeline()))
        background = self.text.startswith("&", self.at)
        return Chain(first, tuple(rest), background) if rest or background else first

    def pipeline(self) -> Command:
        while (word := self.reserved()) in {"!", "time"}:
            self.at += len(word)
            self.blanks()
            if word == "time":
                self.timed = True
                if self.text.startswith("-p", self.at):
                    self.at += 2
                    self.blanks()
        commands = [self.command()]
        while True:
            self.blanks()
            if not self.text.startswith("|", self.at) or self.text.startswith("||", self.at):
                break
            self.at += 2 if self.text.startswith("|&", self.at) else 1
            self.separators()
            commands.append(self.command())
        return commands[0] if len(commands) == 1 else Pipeline(tuple(commands))

    def command(self) -> Command:
        word = self.reserved()
        if word == "coproc":
            return self.coprocess()
        if word or self.text.startswith("(", self.at):
            self.timed = False
        compound = self.compound(word)
        if compound is not None:
            redirects: list[Redirect] = []
            while (redirect := self.redirect()) is not None:
                redirects.append(redirect)
            if redirects:
                return Redirected(compound, tuple(redirects))
            return compound
        if word:
            raise Doubt(f"an unexpected {word}")
        return self.simple()
