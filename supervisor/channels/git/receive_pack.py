"""What a push says on the wire: the beginning of a request to `git-receive-pack`. Pure.

Source: gitprotocol-pack(5), "Pushing Data To a Server", and gitprotocol-common(5), "pkt-line".
The server does what these lines say, whatever the command was called that sent them: one line for
each ref, with the commit it is to be at and the one it is at now. The server compares the latter
with its own, so it cannot be lied about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LIMIT = 64 * 1024  # bytes that are read: some hundreds of refs

_LENGTH = re.compile(rb"[0-9a-fA-F]{4}")
_COMMAND = re.compile(
    rb"([0-9a-fA-F]{40}|[0-9a-fA-F]{64}) ([0-9a-fA-F]{40}|[0-9a-fA-F]{64}) (refs/[^\x00-\x20\x7f]+)"
)
_SHALLOW = re.compile(rb"shallow [0-9a-fA-F]{40,64}")


class Unreadable(ValueError):
    """It is not understood in full: it may do anything that a push can do."""


@dataclass(frozen=True, slots=True)
class Command:
    """One ref that is to be changed; object ids in lower case, None for none."""

    ref: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Push:
    """All of a push. `options`: words for the server (`git push -o`), which may act on them."""

    commands: tuple[Command, ...]
    options: tuple[str, ...] = ()


def parse(data: bytes) -> Push:
    """Read the commands and options of a request whose body begins with `data`.

    Raises:
        Unreadable: it does not end within `data`, or holds something else (signed pushes do).
    """
    lines, at = _lines(data, 0)
    commands: list[Command] = []
    features: set[bytes] = set()
    for line in lines:
        text, _, told = line.partition(b"\0")
        features.update(told.split())
        if _SHALLOW.fullmatch(text):
            continue
        match = _COMMAND.fullmatch(text)
        if match is None or len(match[1]) != len(match[2]):
            raise Unreadable("a line is no command")
        commands.append(Command(_text(match[3]), _id(match[1]), _id(match[2])))
    options: tuple[str, ...] = ()
    if commands and b"push-options" in features:
        options = tuple(_text(line) for line in _lines(data, at)[0])
    return Push(tuple(commands), options)


def _lines(data: bytes, at: int) -> tuple[list[bytes], int]:
    """The lines up to the next flush, without their line breaks, and where it ends."""
    lines: list[bytes] = []
    while True:
        head = data[at : at + 4]
        if not _LENGTH.fullmatch(head):
            raise Unreadable("a line has no length")
        length = int(head, 16)
        if length == 0:
            return lines, at + 4
        if length < 5 or at + length > len(data):
            raise Unreadable("a line is cut short")
        lines.append(data[at + 4 : at + length].removesuffix(b"\n"))
        at += length


def _id(text: bytes) -> str | None:
    return text.decode().lower() if text.strip(b"0") else None


def _text(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise Unreadable("a name is not UTF-8") from None
