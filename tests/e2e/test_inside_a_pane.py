"""What the person does inside a pane, at a real terminal: read back, search, select and copy."""

from __future__ import annotations

import base64
import re
import shlex
import subprocess
from pathlib import Path

from tests.e2e.test_workspace_live import LEADER, enter, run
from tests.support.live import TASKPASS, Install, until
from tests.support.terminal import Terminal

_CLIPBOARD = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")


def copied(terminal: Terminal) -> list[str]:
    """What was given to the clipboard of the person's terminal."""
    return [base64.b64decode(data).decode() for data in _CLIPBOARD.findall(terminal.printed)]


def drag(terminal: Terminal, start: tuple[int, int], end: tuple[int, int], mods: int = 0) -> None:
    terminal.mouse("press", *start, mods=mods)
    terminal.mouse("move", *end, mods=mods)
    terminal.mouse("release", *end, mods=mods)


async def test_far_back_is_found_selected_and_copied(install: Install) -> None:
    async with run(install, "long output") as terminal:
        await terminal.shows(r"(?m)^[#$]")
        enter(terminal, "seq -f 'row %g of many' 1 9000; echo needle-$((40 + 2)); echo end")
        await terminal.shows("\nend")
        terminal.press(LEADER, "[")
        await terminal.shows("COPY .* v select")
        terminal.press("g")
        await terminal.shows(r"row 1 of many")
        terminal.press("/")
        terminal.type("ow 77")
        await terminal.shows(r"/ ow 77▏  1 of 111")
        await terminal.shows("row 7799 of many")
        terminal.press("enter", "n")
        await terminal.shows("2 of 111")
        terminal.press("0", "v", "$", "y")
        await until(lambda: copied(terminal), "the copy")
        assert copied(terminal) == ["row 7798 of many"]
        await terminal.shows("Copied 16 characters in 1 line")
        await terminal.shows("needle-42")  # it is live again
        enter(terminal, "echo typed-$((1 + 1))")
        await terminal.shows("typed-2")
        terminal.press(LEADER, "x")


async def test_the_mouse_selects_where_the_agent_does_not_take_it(install: Install) -> None:
    async with run(install, "mouse") as terminal:
        await terminal.shows(r"(?m)^[#$]")
        enter(terminal, "clear; echo alpha beta; echo gamma; printf 'x%.0s' $(seq 150); echo")
        await terminal.shows("xxx\n")
        row = terminal.text().split("\n").index("alpha beta")
        drag(terminal, (6, row), (2, row + 1))
        await until(lambda: copied(terminal) == ["beta\ngam"], "the drag")
        for _ in range(2):
            terminal.mouse("press", 2, row)
            terminal.mouse("release", 2, row)
        await until(lambda: copied(terminal)[1:] == ["alpha"], "the double click")
        # What the terminal wrapped is one line again.
        drag(terminal, (0, row + 2), (99, row + 3))
        await until(lambda: copied(terminal)[2:] == ["x" * 150], "the long line")
        terminal.press(LEADER, "x")


async def test_a_paste_that_would_be_run_is_shown_first(install: Install) -> None:
    async with run(install, "paste") as terminal:
        await terminal.shows(r"(?m)^[#$]")
        terminal.send(b"\x1b[200~echo one-$((1 + 1))\recho two-$((1 + 1))\r\x1b[201~")
        await terminal.shows("Paste this")
        await terminal.shows("takes a paste as typed keys: 2 lines")
        assert "one-2" not in terminal.text()
        await until(lambda: (terminal.press("P"), "Paste this" not in terminal.text())[1], "P")
        await terminal.shows("one-2")
        await terminal.shows("two-2")
        terminal.send(b"\x1b[200~echo three\x1b[201~")
        await terminal.shows("echo three")  # one plain line is never asked about
        terminal.press("enter", LEADER, "x")


async def test_the_agent_gets_to_the_clipboard_only_when_asked_for_and_it_is_recorded(
    install: Install,
) -> None:
    async with run(install, "clipboard") as terminal:
        await terminal.shows(r"(?m)^[#$]")
        enter(terminal, r"printf '\033]52;c;bXkgdGV4dA==\007\033]52;c;?\007'")
        await terminal.shows(r"\^\\ y: for your clipboard, 7 characters: “my text”")
        assert copied(terminal) == []
        terminal.press(LEADER, "y")
        await terminal.shows("Copy this for the agent")
        await until(
            lambda: (terminal.press("C"), "Copy this for" not in terminal.text())[1], "the answer"
        )
        await until(lambda: copied(terminal) == ["my text"], "the copy")
        terminal.press(LEADER, "x")
    (record,) = install.records("task.clipboard")
    assert (record["outcome"], record["size"]) == ("allow", 7)


async def test_a_link_is_shown_before_it_is_opened_and_never_sent_on(install: Install) -> None:
    async with run(install, "links") as terminal:
        await terminal.shows(r"(?m)^[#$]")
        enter(terminal, r"clear; printf '\033]8;;https://a.example/\033\\here\033]8;;\033\\\n'")
        await terminal.shows("(?m)^here")
        terminal.mouse("move", 2, 0)
        await terminal.shows("↗ https://a.example/")
        terminal.press(LEADER, "o")
        await terminal.shows(r"leads to +https://a.example/")
        terminal.press("escape", LEADER, "x")
        await terminal.exit_code()
        assert b"\x1b]8;" not in terminal.printed


async def test_a_copy_reaches_the_clipboard_through_tmux(install: Install, tmp_path: Path) -> None:
    """The terminal is a real tmux, which takes OSC 52 into its buffer, as terminals do."""
    socket = str(tmp_path / "tmux")
    environ = {**install.environ, "TERM": "xterm-256color"}

    def tmux(*words: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-S", socket, "-f", "/dev/null", *words],
            env=environ, cwd=install.project, capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip
        return done.stdout

    async def shows(pattern: str) -> None:
        await until(lambda: re.search(pattern, tmux("capture-pane", "-p")), pattern)

    command = shlex.join([*TASKPASS, "run", "--purpose", "in tmux", "--", "sh"])
    tmux(
        "set", "-g", "escape-time", "0", ";", "new-session", "-d", "-x", "100", "-y", "30", command
    )
    try:
        tmux("set", "-s", "set-clipboard", "on")
        await shows(r"(?m)^[#$]")
        tmux("send-keys", "echo first-$((1 + 1))", "Enter")
        await shows(r"first-2")
        tmux("send-keys", "C-\\", "/", "first-2")
        await shows(r"first-2▏ +1 of 1")
        tmux("send-keys", "Enter", "V", "y")
        await until(lambda: tmux("show-buffer") == "first-2", "the buffer of tmux")
        tmux("send-keys", "C-\\", "x")
    finally:
        tmux("kill-server")
