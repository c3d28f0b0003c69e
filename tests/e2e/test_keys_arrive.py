"""Every key press arrives at the agent as it would without us."""

from __future__ import annotations

from tests.support.chords import chords
from tests.support.live import TASKPASS, Install, until
from tests.support.terminal import Terminal

# Keeps what each key press sent, a line each: no two are read at once, for the next one waits.
LISTENER = """
import os, tty
tty.setraw(0)
with open("pressed", "ab", buffering=0) as pressed:
    print("listening", end="", flush=True)
    while True:
        pressed.write(os.read(0, 100).hex().encode() + b"\\n")
"""


async def test_every_chord(install: Install) -> None:
    (install.project / "listen.py").write_text(LISTENER)
    pressed = install.project / "pressed"
    async with Terminal(
        [*TASKPASS, "run", "--", "/usr/bin/python3", "-S", "listen.py"],
        cwd=install.project, environ=install.environ, cols=100, rows=30,
    ) as terminal:  # fmt: skip
        await terminal.shows("listening")
        for number, (name, data) in enumerate(chords().items(), start=1):
            terminal.send(data)
            await until(lambda n=number: pressed.read_bytes().count(b"\n") >= n, name)  # type: ignore[misc]
        got = pressed.read_text().split()
        expected = {name: data.hex() for name, data in chords().items()}
        assert dict(zip(expected, got, strict=False)) == expected
        # The leader pressed twice is the leader, sent on.
        terminal.send(b"\x1c")
        terminal.send(b"\x1c")
        await until(lambda: pressed.read_bytes().endswith(b"1c\n"), "the leader")
        terminal.press("ctrl+backslash", "x")
    got = pressed.read_text().split()
    assert got[len(expected) :] == ["1c"]
