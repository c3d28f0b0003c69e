"""A recording in asciicast v2 (https://docs.asciinema.org/manual/asciicast/v2/).

The output events are written from cells: nothing of the agent's own bytes reaches the terminal
that plays it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final

from supervisor.protocol.holder_wire import RunTuple
from supervisor.protocol.recording import FrameView

_ATTRIBUTES: Final = ((1, "1"), (2, "2"), (4, "3"), (8, "4"), (16, "7"), (32, "9"))


def asciicast(frames: Iterable[FrameView], title: str) -> Iterator[bytes]:
    """The lines of the file; none for no frames."""
    began, size = 0.0, (0, 0)
    for frame in frames:
        if not began:
            began = frame.at
            size = (frame.cols, frame.height)
            header = {"version": 2, "width": frame.cols, "height": frame.height,
                      "timestamp": int(frame.at), "title": title}  # fmt: skip
            yield _line(header)
        at = round(max(0.0, frame.at - began), 3)
        if (frame.cols, frame.height) != size:
            size = (frame.cols, frame.height)
            yield _line([at, "r", f"{frame.cols}x{frame.height}"])
        yield _line([at, "o", _output(frame)])


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _output(frame: FrameView) -> str:
    parts = ["\x1b[?25l"]
    if frame.full:
        parts.append("\x1b[0m\x1b[2J")
    for y, row in sorted(frame.rows.items()):
        parts.append(f"\x1b[{y + 1};1H\x1b[0m\x1b[2K")
        parts += map(_run, row)
    parts.append(f"\x1b[0m\x1b[{frame.y + 1};{frame.x + 1}H")
    if frame.cursor:
        parts.append("\x1b[?25h")
    return "".join(parts)


def _run(run: RunTuple) -> str:
    text, fg, bg, attrs = run
    codes = ["0", *(code for bit, code in _ATTRIBUTES if attrs & bit)]
    codes += _colour(fg, "38") + _colour(bg, "48")
    shown = "".join(each if each >= " " and not "\x7f" <= each <= "\x9f" else " " for each in text)
    return f"\x1b[{';'.join(codes)}m{shown}"


def _colour(value: int, which: str) -> list[str]:
    if value < 0:
        return []
    if value < 256:
        return [which, "5", str(value)]
    return [which, "2", str(value >> 16 & 255), str(value >> 8 & 255), str(value & 255)]
