"""What runs in a pane while `terminal.py` measures; the standard library only.

    pane_load.py flood SECONDS NUMBER FILE   frames as an Ink screen draws them, as fast as they go
    pane_load.py agent FPS NUMBER            such frames at a rate, and an answer to every key
    pane_load.py idle                        nothing

Every frame carries `F<number>:<frame>`, every answer `K<number>:<key>`. A flood leaves the bytes
it got rid of, and its seconds, in FILE.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty

_WORDS = "thinking about the next edit in the parser, then running its tests again "


def frame(number: int, count: int) -> bytes:
    """Home, then every line erased and drawn anew, in a synchronized update."""
    lines = [
        f"\x1b[38;5;{(count + y) % 200 + 20}m{_WORDS[y % 20 :]}\x1b[0m"
        for y in range(1, _height() - 3)
    ]
    lines.insert(0, f"F{number}:{count:06d} ")
    return ("\x1b[?2026h\x1b[H\x1b[2K" + "\r\n\x1b[2K".join(lines) + "\x1b[?2026l").encode()


def _height() -> int:
    return os.get_terminal_size(1).lines


def flood(seconds: float, number: int, file: str) -> None:
    began, sent, count = time.monotonic(), 0, 0
    while time.monotonic() - began < seconds:
        data = frame(number, count)
        sent += len(data)
        while data:
            data = data[os.write(1, data) :]
        count += 1
    took = time.monotonic() - began
    with open(file, "w") as kept:
        kept.write(f"{sent} {took}")


def agent(fps: float, number: int) -> None:
    keys, count, due = 0, 0, time.monotonic()
    while True:
        ready, _, _ = select.select([0], [], [], max(0.0, due - time.monotonic()))
        if ready:
            read = os.read(0, 1024)
            if not read:
                return
            keys += len(read)
            os.write(1, f"\x1b[{_height()};1H\x1b[2KK{number}:{keys:06d} ".encode())
        if time.monotonic() >= due:
            due += 1 / fps
            os.write(1, frame(number, count))
            count += 1


def main() -> None:
    what, *words = sys.argv[1:]
    if os.isatty(0):
        tty.setcbreak(0, termios.TCSANOW)
    os.write(1, b"\x1b[2J")
    if what == "flood":
        flood(float(words[0]), int(words[1]), words[2])
    elif what == "agent":
        agent(float(words[0]), int(words[1]))
    while os.read(0, 1024):
        pass


if __name__ == "__main__":
    main()
