"""From words as written to words as a program gets them: XCU 2.6 and bash's braces."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from typing import Protocol

from supervisor.effects.environment import loads_code
from supervisor.effects.reading import Word
from supervisor.effects.shell.braces import braces, tilde
from supervisor.effects.shell.state import State
from supervisor.effects.shell.syntax import (
    Arithmetic,
    Literal,
    Parameter,
    Part,
    Quoted,
    Raw,
    Substitution,
)

_MAX_VALUE = 65_536  # characters of a word
_MAX_POSITIONAL = 256
_MAX_TRIMMED = 100  # characters of a value that is cut by a pattern
_WILD = re.compile(r"[*?\[]")
_VARIABLE = re.compile(r"[A-Za-z_]\w*")
_ASSIGNS = re.compile(
    r"([A-Za-z_]\w*)\s*(?:\+\+|--|(?:[-+*/%&|^]|<<|>>)?=(?!=))|(?:\+\+|--)\s*([A-Za-z_]\w*)"
)
_BLANK = re.compile(r"[ \t\n]+")


class Judge(Protocol):
    """Who judges what runs inside a word."""

    def substitute(self, part: Substitution, state: State) -> str | None:
        """Judge a substitution; its output where that is known."""

    def doubt(self, why: str) -> None:
        """Something in the word cannot be told beforehand and may run commands."""


def fields(raw: Raw, state: State, judge: Judge) -> list[Word]:
    """The words that `raw` becomes; none where it is only an empty variable."""
    literal = raw.literal
    if literal is not None:
        return [Word(literal, quoted=_is_quoted(raw.parts))]
    found: list[Word] = []
    for parts in braces(raw.parts) if raw.special else [raw.parts]:
        builder = _Builder(state, judge, splitting=True)
        builder.all(tilde(parts, state))
        found += builder.finish()
    return found


def text(raw: Raw, state: State, judge: Judge, *, assigned: bool = False) -> Word:
    """`raw` as one word that is neither split nor expanded for braces and wildcards.

    `assigned`: it is the value of a variable, in which `~` also counts after a colon.
    """
    literal = raw.literal
    if literal is not None:
        return Word(literal, quoted=_is_quoted(raw.parts))
    builder = _Builder(state, judge, splitting=False)
    builder.all(tilde(raw.parts, state, assigned=assigned))
    words = builder.finish()
    return words[0] if words else Word("")


def calculate(value: Arithmetic, state: State, judge: Judge) -> None:
    """Judge what runs inside arithmetic: bash runs commands in the subscripts of values."""
    builder = _Builder(state, judge, splitting=False)
    for part in value.parts:
        builder.part(part)
        if isinstance(part, Parameter) and not state.calculable(part.name):
            judge.doubt("calculates with a text that is only known when it runs")
    names = _VARIABLE.findall(value.text)
    if not all(state.calculable(name) for name in names):
        judge.doubt("calculates with a text that is only known when it runs")
    for match in _ASSIGNS.finditer(value.text):
        name = match[1] or match[2]
        state.assign(name, None, number=True)
        if loads_code(name):
            judge.doubt(f"sets {name}, by which programs find their code")


def _is_quoted(parts: Sequence[Part]) -> bool:
    return any(not isinstance(part, Literal) or part.quoted for part in parts)


class _Builder:
    """Puts one word together; an unquoted value may make it several."""

    __slots__ = ("begins", "begun", "exact", "glob", "judge", "pieces", "quoted", "size",
                 "splitting", "state", "words")  # fmt: skip

    def __init__(self, state: State, judge: Judge, *, splitting: bool) -> None:
        self.state = state
        self.judge = judge
        self.splitting = splitting
        self.words: list[Word] = []
        self.size = 0
        self.clear()

    def clear(self) -> None:
        self.pieces: list[str] = []
        self.exact = True
        self.glob = False
        self.quoted = False
        self.begun = False
        self.begins = ""

    def flush(self) -> None:
        if self.begun:
            text = "".join(self.pieces)
            glob = self.glob and text != "["  # the program of that name
            self.words.append(Word(text, self.exact, glob, self.quoted, self.begins))
        self.clear()

    def finish(self) -> list[Word]:
        self.flush()
        return self.words

    def all(self, parts: Sequence[Part]) -> None:
        for part in parts:
            self.part(part)

    def add(self, value: str, *, quoted: bool) -> None:
        self.begun = True
        self.size += len(value)
        if self.size > _MAX_VALUE:
            self.exact = False
            return
        self.pieces.append(value)
        if quoted:
            self.quoted = True
        elif _WILD.search(value):
            self.glob = True

    def unknown(self, *, quoted: bool = False) -> None:
        if self.exact and (quoted or not self.splitting):
            self.begins = "".join(self.pieces)
        self.begun = True
        self.exact = False

    def number(self) -> None:
        """Some number: as good as a wildcard to whoever asks which file is meant."""
        self.add("*", quoted=True)
        self.glob = True

    def value(self, value: str | None, *, quoted: bool) -> None:
        """A value that was expanded."""
        if value is None:
            self.unknown(quoted=quoted)
        elif quoted or not self.splitting:
            self.add(value, quoted=True)
        elif not self.state.splits:
            self.unknown()
        elif value:
            pieces = _BLANK.split(value)
            for index, piece in enumerate(pieces):
                if index:
                    self.flush()
                if piece:
                    self.add(piece, quoted=False)

    def part(self, part: Part) -> None:
        match part:
            case Literal():
                self.add(part.text, quoted=part.quoted)
            case Quoted():
                self.begun = self.quoted = True
                self.all(part.parts)
            case Parameter():
                self.parameter(part)
            case Substitution():
                self.value(self.judge.substitute(part, self.state), quoted=part.quoted)
            case Arithmetic():
                calculate(part, self.state, self.judge)
                self.number()

    def parameter(self, part: Parameter) -> None:
        name, operator = part.name, part.operator
        if not operator:
            if name in {"@", "*"} and self.splitting:
                self.positionals(name, quoted=part.quoted)
            elif self.state.value(name) is None and self.state.is_number(name):
                self.number()
            else:
                self.value(self.state.value(name), quoted=part.quoted)
            return
        if operator == "!name":
            self.judge.doubt("takes a value by a name that is only known when it runs")
        known = self.state.value(name)
        match operator:
            case ":-" | "-" | ":=" | "=":
                self.default(part, known)
            case ":+" | "+":
                if known == "" and name not in {"@", "*"}:
                    self.aside(part.argument)
                elif known is not None:
                    self.all(part.argument)
                else:
                    self.aside(part.argument)
                    self.unknown()
            case ":?" | "?":
                self.aside(part.argument)
                self.value(known or None, quoted=part.quoted)
            case "#name":
                self.number()
            case "%" | "%%" | "#" | "##":
                self.value(self.trimmed(part, known), quoted=part.quoted)
            case _:
                self.aside(part.argument)
                self.unknown()

    def default(self, part: Parameter, known: str | None) -> None:
        assigns = part.operator in {":=", "="}
        if known is None or (known == "" and not part.operator.startswith(":")):
            # It may be set or not: the default is judged, and stands for nothing.
            self.aside(part.argument)
            if assigns:
                self.assign(part.name)
            self.unknown()
        elif known:
            self.value(known, quoted=part.quoted)
        else:
            self.all(part.argument)
            if assigns:
                self.assign(part.name)

    def assign(self, name: str) -> None:
        """A word gives a variable its default value."""
        self.state.assign(name, None)
        if loads_code(name):
            self.judge.doubt(f"sets {name}, by which programs find their code")

    def aside(self, parts: Sequence[Part]) -> Word:
        """Judge `parts`, which are no part of this word."""
        builder = _Builder(self.state, self.judge, splitting=False)
        builder.all(parts)
        words = builder.finish()
        return words[0] if words else Word("")

    def trimmed(self, part: Parameter, known: str | None) -> str | None:
        """`${name%pattern}` and its kin."""
        pattern = self.aside(part.argument)
        if known is None or not pattern.exact or len(known) > _MAX_TRIMMED:
            return None
        lengths = range(len(known) + 1)
        if part.operator in {"%", "##"}:
            lengths = range(len(known), -1, -1)
        for length in lengths:  # how much is kept before, or cut off in front
            head, tail = known[:length], known[length:]
            if part.operator.startswith("%") and fnmatch.fnmatchcase(tail, pattern.text):
                return head
            if part.operator.startswith("#") and fnmatch.fnmatchcase(head, pattern.text):
                return tail
        return known

    def positionals(self, name: str, *, quoted: bool) -> None:
        values = self.state.positional
        if values is None or len(values) > _MAX_POSITIONAL:
            self.unknown()
        elif quoted and name == "*":
            self.add(" ".join(values), quoted=True)
        else:
            for index, value in enumerate(values):
                if index:
                    self.flush()
                self.value(value, quoted=quoted)
