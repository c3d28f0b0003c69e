"""Reads sed: scripts that only edit what passes through, and what they run, read and write.

Source: POSIX.1-2024 sed and the manual of GNU sed 4.9.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.follow import file_text
from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import resolve
from supervisor.effects.reading import Word

_MAX_TEXT = 65_536
_ADDRESS_FLAGS = re.compile(r"[IM]*")
_NUMBERS = re.compile(r"[0-9]+|\$")
_STEP = re.compile(r"[~+][0-9]+")
_BLANK = re.compile(r"[ \t]*")
_CODE = re.compile(r"[ \t]*[0-9]*")
_LABEL = re.compile(r"[ \t]*[^;\n}]*")


class _Unreadable(Exception):
    """The script is none that we can read."""


class _Script:
    def __init__(self, invocation: Invocation, text: str) -> None:
        self.invocation = invocation
        self.text = text
        self.at = 0

    def read(self) -> None:
        while True:
            self.skip(" \t\n;")
            if self.at >= len(self.text):
                return
            self.command()

    def skip(self, letters: str) -> None:
        while self.at < len(self.text) and self.text[self.at] in letters:
            self.at += 1

    def over(self, pattern: re.Pattern[str]) -> bool:
        """Skip what `pattern` matches here; whether it does."""
        match = pattern.match(self.text, self.at)
        if match is None:
            return False
        self.at = match.end()
        return True

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        letter = self.peek()
        self.at += 1
        return letter

    def delimited(self, mark: str) -> None:
        """Skip to behind the next `mark` that is not escaped."""
        while self.at < len(self.text):
            letter = self.take()
            if letter == "\\":
                self.at += 1
            elif letter == mark:
                return
        raise _Unreadable

    def address(self) -> bool:
        if not self.over(_NUMBERS):
            if self.peek() == "/":
                self.at += 1
                self.delimited("/")
            elif self.peek() == "\\":
                self.at += 1
                self.delimited(self.take())
            else:
                return False
            self.over(_ADDRESS_FLAGS)
        self.over(_STEP)
        return True

    def command(self) -> None:
        if self.address():
            self.over(_BLANK)
            if self.peek() == ",":
                self.at += 1
                self.over(_BLANK)
                if not (self.over(_STEP) or self.address()):
                    raise _Unreadable
        self.skip(" \t!")
        match self.take():
            case "{" | "}" | "=" | "d" | "D" | "g" | "G" | "h" | "H" | "n" | "N" | "p" | "P":
                return
            case "x" | "F" | "z":
                return
            case "l" | "L" | "q" | "Q":
                self.over(_CODE)
            case "#" | ":" | "v":
                self.line()
            case "b" | "t" | "T":
                self.over(_LABEL)
            case "a" | "i" | "c":
                self.insertion()
            case "r" | "R":
                self.file(writes=False)
            case "w" | "W":
                self.file(writes=True)
            case "e":
                command = self.line().strip()
                if command:
                    self.invocation.script(Word(command))
                else:
                    self.invocation.opaque("runs what it reads")
            case "s":
                self.substitution()
            case "y":
                mark = self.take()
                self.delimited(mark)
                self.delimited(mark)
            case _:
                raise _Unreadable

    def line(self) -> str:
        end = self.text.find("\n", self.at)
        end = len(self.text) if end < 0 else end
        found = self.text[self.at : end]
        self.at = end
        return found

    def insertion(self) -> None:
        """The text of `a`, `i`, `c`: to the end of the line, goes on after a backslash."""
        while True:
            line = self.line()
            if not line.endswith("\\") or self.at >= len(self.text):
                return
            self.at += 1

    def file(self, *, writes: bool) -> None:
        name = self.line().strip()
        if name:
            (self.invocation.write if writes else self.invocation.read)(Word(name))

    def substitution(self) -> None:
        mark = self.take()
        if mark in {"", "\n", "\\"}:
            raise _Unreadable
        self.delimited(mark)
        self.delimited(mark)
        while self.peek() and self.peek() not in " \t\n;}#":
            flag = self.take()
            if flag == "w":
                self.file(writes=True)
                return
            if flag == "e":
                self.invocation.opaque("runs what it reads")
            elif flag not in "gpiIMm0123456789":
                raise _Unreadable


def read_sed(invocation: Invocation, text: str) -> None:
    """Add what the sed script `text` runs, reads and writes by itself."""
    try:
        if len(text) > _MAX_TEXT:
            raise _Unreadable
        _Script(invocation, text).read()
    except _Unreadable:
        invocation.opaque("runs a text that is no sed we can read")


@reader
def sed_program(invocation: Invocation, words: Sequence[Word]) -> None:
    """`sed SCRIPT FILE…`; with `-i` the files are written."""
    given = take(invocation, words)
    in_place = given.has("-i", "--in-place", "-I")
    operands = list(given.operands)
    if in_place and operands and operands[0].text == "" and operands[0].exact:
        operands.pop(0)  # BSD's `-i ''`: no backup
    suffix = given.value("-i")
    if suffix is not None and "/" in suffix.text:
        invocation.opaque("keeps a copy in another directory")
    scripts = [
        (option.names, value)
        for option, value in given.options
        if value is not None and {"-e", "-f"} & set(option.names)
    ]
    if not scripts and operands:
        scripts.append((("-e",), operands.pop(0)))
    apply_options(invocation, given, "-e", "-f", "-i")
    texts: list[str] = []
    for names, value in scripts:
        source = value.text if value.exact else None
        if "-f" in names:
            invocation.read(value)
            source = file_text(resolve(value.text, invocation.where.cwd)) if value.exact else None
        if source is None:
            invocation.opaque("runs a script that is only known when it runs")
        else:
            texts.append(source)
    if not given.has("--sandbox"):
        read_sed(invocation, "\n".join(texts))
    for operand in operands:
        if operand.text != "-" and invocation.read(operand) and in_place:
            invocation.write(operand, "\n".join(texts))
