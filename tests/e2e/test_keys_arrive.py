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


async def test_what_an_agent_asks_its_terminal_for_is_what_it_gets(install: Install) -> None:
    """Claude Code and Codex ask for these: kitty keys, focus, brackets around pastes, the mouse."""
    asks = r"\033[>1u\033[?1004h\033[?2004h\033[?1003h\033[?1006h"
    listener = LISTENER.replace('"listening"', f'"{asks}listening"')
    (install.project / "listen.py").write_text(listener)
    pressed = install.project / "pressed"

    def got() -> bytes:
        return bytes.fromhex(pressed.read_text().replace("\n", ""))

    async with Terminal(
        [*TASKPASS, "run", "--", "/usr/bin/python3", "-S", "listen.py"],
        cwd=install.project, environ=install.environ, cols=100, rows=30,
    ) as terminal:  # fmt: skip
        await terminal.shows("listening")
        for sent, arrives in {
            b"\x1b[13;2u": b"\x1b[13;2u",  # Shift+Enter
            b"\x1b\r": b"\x1b[13;3u",  # Alt+Enter
            b"\x1bb": b"\x1b[98;3u",  # Alt+b
            b"\x1b[O": b"\x1b[O",  # the terminal loses the focus
            b"\x1b[I": b"\x1b[I",
            b"\x1b[200~two\nlines\x1b[201~": b"\x1b[200~two\nlines\x1b[201~",
        }.items():
            before = len(got())
            terminal.send(sent)
            await until(lambda a=arrives, b=before: got()[b:].endswith(a), repr(sent))  # type: ignore[misc]
        terminal.mouse("press", 4, 5)
        await until(lambda: b"\x1b[<0;5;6M" in got(), "the press")
        terminal.mouse("release", 4, 5)
        await until(lambda: b"\x1b[<0;5;6m" in got(), "the release")
        terminal.press("ctrl+backslash", "x")
