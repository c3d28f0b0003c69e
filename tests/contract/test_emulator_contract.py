"""What every `ports.Emulator` does; a new engine inherits `EmulatorContract`."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from supervisor.model import Run
from supervisor.ports import Emulator
from supervisor.process.emulator import clean_title, make_emulator
from tests.contract.emulator_battery import CASES, COLS, ROWS, Case
from tests.support.panes import pane


def text(row: tuple[Run, ...]) -> str:
    return "".join(run.text for run in row)


class EmulatorContract:
    def make(self, cols: int = 40, rows: int = 10) -> Emulator:
        raise NotImplementedError

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_the_battery(self, case: Case) -> None:
        emulator = self.make(COLS, ROWS)
        reply = emulator.feed(case.data)
        shown = emulator.snapshot()
        assert tuple(text(shown[y]).rstrip() for y in range(len(case.rows))) == case.rows
        assert case.cursor is None or (emulator.cursor().x, emulator.cursor().y) == case.cursor
        assert reply.startswith(case.reply) if case.reply else reply == b""

    def test_what_is_hidden_is_blank(self) -> None:
        emulator = self.make()
        emulator.feed(b"a\x1b[8mhid\x1b[28mb")
        assert text(emulator.snapshot()[0]) == "a   b"

    def test_a_narrower_screen_wraps_what_it_shows(self) -> None:
        emulator = self.make(40, 10)
        emulator.feed(b"abcdefghij" * 3)
        emulator.resize(20, 10)
        assert [text(emulator.snapshot()[y]) for y in range(2)] == ["abcdefghij" * 2, "abcdefghij"]
        emulator.resize(40, 10)
        assert text(emulator.snapshot()[0]) == "abcdefghij" * 3

    def test_modes_change_what_is_sent(self) -> None:
        emulator = self.make()
        assert (emulator.paste("x"), emulator.focus(True), emulator.held) == (b"x", b"", False)
        assert emulator.mouse("press", 1, 2, 3, 0) == b""
        emulator.feed(b"\x1b[?2004h\x1b[?1004h\x1b[?1003h\x1b[?1006h\x1b[?2026h\x1b[?1h")
        assert emulator.paste("x") == b"\x1b[200~x\x1b[201~"
        assert emulator.focus(True) == b"\x1b[I"
        assert emulator.mouse("press", 1, 2, 3, 0) == b"\x1b[<0;3;4M"
        assert emulator.key("up", "") == b"\x1bOA"
        assert emulator.held

    @pytest.mark.parametrize(
        ("query", "answer"),
        [
            (b"\x1b[?2004$p", b"\x1b[?2004;2$y"),
            (b"\x1b[?1004$p", b"\x1b[?1004;2$y"),
            (b"\x1b[>7u\x1b[?u", b"\x1b[?7u"),
        ],
    )
    def test_what_agents_ask_is_answered(self, query: bytes, answer: bytes) -> None:
        assert self.make().feed(query).startswith(answer)

    def test_clipboard_title_and_files_are_never_answered(self) -> None:
        emulator = self.make()
        assert emulator.feed(b"\x1b]52;c;?\x07") == b""
        assert emulator.feed(b"\x1b]52;c;aGk=\x07") == b""
        assert emulator.feed(b"\x1b]2;rm -rf ~\r\x07\x1b[21t") == b""
        assert b"OK" not in emulator.feed(b"\x1b_Gi=1,a=q,t=f,f=24,s=1,v=1;L2V0Yy9wYXNzd2Q=\x1b\\")

    def test_only_changed_rows_are_dirty(self) -> None:
        emulator = self.make()
        assert len(emulator.dirty()) == 10
        assert emulator.dirty() == {}
        emulator.feed(b"\x1b[4;1H\x1b[31mx")
        changed = emulator.dirty()
        assert changed[3] == (Run("x", 1, -1, 0),)

    @pytest.mark.parametrize(
        ("setup", "key", "typed", "sent"),
        [
            (b"", "a", "a", b"a"),
            (b"", "é", "é", "é".encode()),
            (b"", "ctrl+c", "\x03", b"\x03"),
            (b"", "ctrl+@", "\x00", b"\x00"),
            (b"", "ctrl+backslash", "\x1c", b"\x1c"),
            (b"", "ctrl+backslash", "", b"\x1c"),
            (b"", "alt+enter", "", b"\x1b\r"),
            (b"", "alt+b", "b", b"\x1bb"),
            (b"", "alt+full_stop", ".", b"\x1b."),
            (b"", "shift+tab", "", b"\x1b[Z"),
            (b"", "backspace", "\x7f", b"\x7f"),
            (b"", "up", "", b"\x1b[A"),
            (b"\x1b[?1h", "up", "", b"\x1bOA"),
            (b"", "f5", "", b"\x1b[15~"),
            (b"\x1b[>1u", "shift+enter", "", b"\x1b[13;2u"),
            (b"\x1b[>1u", "escape", "\x1b", b"\x1b[27u"),
            (b"\x1b[>1u", "ctrl+c", "\x03", b"\x1b[99;5u"),
            (b"\x1b[>1u", "ctrl+space", "", b"\x1b[32;5u"),
        ],
    )
    def test_keys(self, setup: bytes, key: str, typed: str, sent: bytes) -> None:
        emulator = self.make()
        emulator.feed(setup)
        assert emulator.key(key, typed) == sent

    def test_the_wheel_is_arrows_in_full_screen_programs_without_mouse(self) -> None:
        emulator = self.make()
        assert emulator.mouse("press", 4, 1, 1, 0) == b""
        assert not emulator.wants_mouse
        emulator.feed(b"\x1b[?1049h")
        assert emulator.wants_mouse
        assert emulator.mouse("press", 4, 1, 1, 0) == b"\x1b[A" * 3

    def test_scrollback_reaches_far(self) -> None:
        emulator = self.make()
        emulator.feed(b"".join(b"line %d\r\n" % n for n in range(5000)))
        assert emulator.history > 4900
        top = emulator.scrollback(emulator.history, 10)
        assert [text(row) for row in top] == [f"line {n}" for n in range(10)]
        assert text(emulator.snapshot()[0]) == "line 4991"

    @settings(max_examples=80, deadline=None)
    @given(st.lists(st.text(max_size=30) | st.sampled_from(["\x1b[7m", "\x1b[?2027l", "\r\n"])))
    def test_rows_fit_and_hold_no_control_character(self, parts: list[str]) -> None:
        emulator = self.make(20, 5)
        emulator.feed("".join(parts).encode("utf-8", "replace"))
        for row in emulator.snapshot().values():
            assert sum(cell_len(run.text) for run in row) <= 20
            assert not [c for c in text(row) if ord(c) < 32 or 127 <= ord(c) < 160]

    @settings(max_examples=60, deadline=None)
    @given(st.text(max_size=40), st.text(max_size=5))
    def test_any_key_name_is_survived(self, key: str, typed: str) -> None:
        assert isinstance(self.make().key(key, typed), bytes)


class TestGhostty(EmulatorContract):
    def make(self, cols: int = 40, rows: int = 10) -> Emulator:
        return make_emulator(cols, rows)

    def test_hostile_output_with_resizes_is_survived(self) -> None:
        """In a process of its own: what goes wrong in native code ends the process."""
        for seed in range(3):
            done = subprocess.run(
                [sys.executable, "-c", _FUZZ, str(seed), "150"],
                capture_output=True, timeout=60, cwd=Path(__file__).parents[2], check=False,
            )  # fmt: skip
            assert done.returncode == 0, (seed, done.stderr[-500:])

    @pytest.mark.full
    @pytest.mark.timeout(3600)
    def test_hostile_output_with_resizes_is_survived_for_long(self) -> None:
        for seed in random.SystemRandom().sample(range(10**6), 30):
            done = subprocess.run(
                [sys.executable, "-c", _FUZZ, str(seed), "2000"],
                capture_output=True, timeout=120, cwd=Path(__file__).parents[2], check=False,
            )  # fmt: skip
            assert done.returncode == 0, (seed, done.stderr[-500:])


_FUZZ = """
import random, sys
from supervisor.process.emulator import make_emulator
random.seed(int(sys.argv[1]))
finals = b"@ABCDEFGHIJKLMPSTXZ`abcdefghilmnpqrstu"
def sequence():
    kind = random.random()
    if kind < 0.5:
        numbers = b";".join(b"%d" % random.choice((0, 1, 2, 5, 80, 1049, 2026, 2027, 69, 6, 65535))
                            for _ in range(random.randint(0, 4)))
        return b"\\x1b[" + random.choice((b"", b"?", b">", b"=")) + numbers + bytes(
            [random.choice(finals)])
    if kind < 0.6:
        return b"\\x1b" + bytes([random.randint(0x20, 0x7e)])
    if kind < 0.7:
        return b"\\x1b]" + b"%d;" % random.randint(0, 60) + random.randbytes(9) + b"\\x07"
    if kind < 0.85:
        return "".join(chr(random.choice((0x65e5, 0x301, 0x1f468, 0x200d, 0xfe0f, 0x1f1eb)))
                       for _ in range(8)).encode()
    return random.randbytes(20)
emulator = make_emulator(80, 24)
for _ in range(int(sys.argv[2])):
    emulator.feed(b"".join(sequence() for _ in range(50)))
    emulator.dirty()
    emulator.cursor(), emulator.title
    if random.random() < 0.1:
        emulator.resize(random.randint(-5, 300), random.randint(-5, 100))
    if random.random() < 0.1:
        emulator.scrollback(random.randint(0, 500), 50)
"""


@pytest.mark.parametrize("title", ["a\u202eb", "a\x1b]0;x\x07b", "a\nb", "a\u200bb"], ids=ascii)
def test_titles_are_one_clean_line(title: str) -> None:
    clean = clean_title(title)
    assert clean.isprintable()
    assert clean.startswith("a")


async def test_bash_in_a_pane() -> None:
    async with pane() as served:
        screen = await served.attach()
        served.run("bash", "--norc", "--noprofile", "-i", PS1="ready> ")
        await screen.shows("ready>")
        screen.type("echo $((20+3)) $COLUMNS\n")
        await screen.shows("23 80")


@pytest.mark.skipif(not shutil.which("less"), reason="less is not installed")
async def test_less_in_a_pane_gives_the_screen_back() -> None:
    async with pane() as served:
        screen = await served.attach()
        script = "echo before; seq 1 500 | less; echo after"
        served.run("bash", "--norc", "--noprofile", "-c", script)
        await screen.shows("\n10\n")
        screen.type(" ")
        await screen.shows("\n40\n")
        screen.type("q")
        await screen.shows("after")
        assert "before" in screen.text()
