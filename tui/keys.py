"""Reading the person's keyboard without losing what they pressed.

Textual's parser takes `ESC CR` (Alt+Enter) for Enter, which would submit a prompt instead of
breaking its line, `ESC b` for Ctrl+Left, `ESC 1` for `¡`, Ctrl+H for Backspace, and F3 with a
modifier for the answer to a question that nobody asked. It also types the text of a paste as keys
when that text holds an escape character: a paste must never press a key, least of all the
leader's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from textual import constants, events
from textual._time import get_time
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.message import Message

_ESC: Final = "\x1b"
# `ESC [` and `ESC O` begin longer sequences; `ESC TAB` is Shift+Tab on the Linux console.
_NOT_ALT: Final = frozenset("[O\t\x1b")
# xterm's modifyOtherKeys: CSI 27 ; modifiers ; code point ~ (ctlseqs, "XTMODKEYS")
_OTHER_KEYS: Final = re.compile(r"\x1b\[27;(\d+);(\d+)~")
# F3 with a modifier, and the position of the cursor in the first row: the same bytes (ctlseqs,
# "PC-Style Function Keys"). Where the cursor is, nobody asks.
_F3: Final = re.compile(r"\x1b\[1;([2-8])R")
# What `tui.joining` asks (DECRPM). Whole in one read, or not at all: then nothing is known.
_JOINING: Final = re.compile(r"\x1b\[\?2027;(\d)\$y")


class JoiningTold(Message):
    """The terminal's answer about mode 2027; `setting` as DECRPM has it."""

    def __init__(self, setting: int) -> None:
        super().__init__()
        self.setting = setting


class KeyParser(XTermParser):
    """`XTermParser` with Alt kept and pastes apart from keys."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._paste: str | None = None  # what has been pasted so far; None outside a paste
        self._held = ""  # what may be the start of a paste's first bracket
        self._held_until = 0.0

    def feed(self, data: str) -> Iterable[Message]:
        if not data:
            yield from super().feed(self._take_held())
            if not self.is_eof:
                yield from super().feed("")
            return
        data = self._take_held() + data
        while data:
            if self._paste is None:
                keys, bracket, data = data.partition(BRACKETED_PASTE_START)
                if bracket:
                    self._paste = ""
                else:
                    keys, self._held = _split_prefix(keys)
                    self._held_until = get_time() + constants.ESCAPE_DELAY
                if answer := _JOINING.search(keys):
                    yield JoiningTold(int(answer[1]))
                    keys = _JOINING.sub("", keys)
                if keys:
                    yield from super().feed(_F3.sub("\x1b[13;\\1~", keys))
                continue
            # The closing bracket may have come in two pieces.
            pasted, bracket, data = _split_end(self._paste + data)
            self._paste = pasted
            if bracket:
                # NUL is dropped as Textual does: no terminal pastes it on purpose.
                text, self._paste = self._paste.replace("\x00", ""), None
                yield events.Paste(text)

    def tick(self) -> Iterable[Message]:
        if self._held and get_time() >= self._held_until:
            yield from super().feed(self._take_held())
            if self._timeout_time is not None:
                self._timeout_time = 0.0  # it has waited long enough here
        yield from super().tick()

    def _take_held(self) -> str:
        held, self._held = self._held, ""
        return held

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        if len(sequence) == 2 and sequence[0] == _ESC and sequence[1] not in _NOT_ALT:
            sequence, alt = sequence[1], True
        elif match := _OTHER_KEYS.fullmatch(sequence):
            sequence = f"{_ESC}[{match[2]};{match[1]}u"
        for event in super()._sequence_to_key_events(sequence):
            if sequence == "\b":
                event = events.Key("ctrl+h", sequence)
            yield _with_alt(event) if alt and len(sequence) == 1 else event


def _with_alt(event: events.Key) -> events.Key:
    key = f"shift+{event.key.lower()}" if len(event.key) == 1 and event.key.isupper() else event.key
    return events.Key(f"alt+{key}", event.character)


def _split_end(text: str) -> tuple[str, str, str]:
    """`text` cut at the bracket that ends its paste.

    Where another one follows without a beginning between them, the first was pasted itself.
    """
    pasted, bracket, rest = text.partition(BRACKETED_PASTE_END)
    while bracket:
        more, again, left = rest.partition(BRACKETED_PASTE_END)
        if not again or BRACKETED_PASTE_START in more:
            break
        pasted, rest = pasted + bracket + more, left
    return pasted, bracket, rest


def _split_prefix(text: str) -> tuple[str, str]:
    """`text` without, and then, what it ends with that could become a paste's first bracket."""
    for length in range(min(len(text), len(BRACKETED_PASTE_START) - 1), 0, -1):
        if BRACKETED_PASTE_START.startswith(text[-length:]):
            return text[:-length], text[-length:]
    return text, ""


def install() -> None:
    """Have Textual's terminal drivers read keys with `KeyParser`. Call before the app runs."""
    from textual.drivers import linux_driver, linux_inline_driver

    for driver in (linux_driver, linux_inline_driver):
        vars(driver)["XTermParser"] = KeyParser
