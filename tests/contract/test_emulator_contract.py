"""What every `ports.Emulator` does; a new engine inherits `EmulatorContract`."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from supervisor.ports import Emulator, Run
from supervisor.process.emulator import clean_title, make_emulator
from supervisor.process.emulator_bittty import BitttyEmulator
from supervisor.process.emulator_ghostty import GhosttyEmulator
from tests.contract.emulator_battery import CASES, COLS, ROWS, Case
from tests.support.panes import pane


def text(row: tuple[Run, ...]) -> str:
    return "".join(run.text for run in row)


class EmulatorContract:
    fuzzed = 150  # rounds of each seed

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

    def test_a_still_keeps_all_rows_whatever_comes_after_it(self) -> None:
        emulator = self.make(20, 5)
        emulator.feed(b"".join(b"line %d\r\n" % n for n in range(50)) + b"x" * 45 + b"\r\n")
        emulator.feed(("a" * 19 + "日本\r\n\x1b[31mred\x1b[").encode())
        shown = [emulator.snapshot()[row] for row in range(5)]
        still = emulator.still()
        emulator.feed(b"0m\x1b[2J\x1b[3J\x1b[Hgone")
        lines = still.lines(0, still.count)
        assert [line.runs for line in lines[-5:]] == shown
        assert [(line.text, line.wraps_at) for line in lines[-7:]] == [
            ("line 49", 0), ("x" * 20, 20), ("x" * 20, 20), ("x" * 5, 0),
            ("a" * 19, 19), ("日本", 0), ("red", 0),
        ]  # fmt: skip
        assert [line.text for line in still.lines(1, 2)] == ["line 1", "line 2"]
        assert still.lines(still.count, 3) == []

    def test_a_still_of_a_full_screen_program_is_its_screen_alone(self) -> None:
        emulator = self.make(20, 5)
        emulator.feed(b"above\r\n" * 9 + b"\x1b[?1049h\x1b[Hfull")
        still = emulator.still()
        assert [line.text for line in still.lines(0, 9)] == ["full", "", "", "", ""]

    def test_scrollback_reaches_far(self) -> None:
        emulator = self.make()
        emulator.feed(b"".join(b"line %d\r\n" % n for n in range(5000)))
        still = emulator.still()
        assert still.count == 5001
        assert [line.text for line in still.lines(0, 10)] == [f"line {n}" for n in range(10)]
        assert text(emulator.snapshot()[0]) == "line 4991"

    def test_a_program_cannot_type(self) -> None:
        """Nothing a program says comes back as what the person typed, whatever it loads where."""
        emulator = self.make()
        said = b""
        for hostile in (
            "\x1bP$q{0}\x1b\\", "\x1b]2;{0}\x07\x1b[21t\x1b[20t", "\x1b]1;{0}\x07\x1b[20t",
            "\x1b]52;c;{0}\x07\x1b]52;c;?\x07", "\x1bP1;1|17/{1}\x1b\\",
            "\x1bP0;0;1!z{1}\x1b\\\x1b[0*z", "\x1bP+q{1}\x1b\\",
            "\x1b]50;{0}\x07\x1b]50;?\x07", "\x1bP1v{0}\x1b\\\x05",
            "\x1b]4;1;{0}\x07\x1b]4;1;?\x07", "{0}\x1b[1;1;1;1;1;9*y", "{0}\x1b[5i\x1b[i\x1b[?1i",
            "\x1b]99;i={0}:p=?;\x1b\\", "\x1b_Gi=1,a=q;{0}\x1b\\",
            "\x1b]7;{0}\x07\x1b[?26n\x1b[?63;1n",
        ):  # fmt: skip
            said += emulator.feed(hostile.format("reboot", b"reboot".hex()).encode())
        said += b"".join(emulator.key(key, "") for key in ("enter", "f6", "f11", "insert"))
        assert b"reboot" not in said
        assert b"reboot".hex().encode() not in said.lower()

    def test_a_program_cannot_change_the_size(self) -> None:
        emulator = self.make()
        emulator.feed(
            b"\x1b[?40h\x1b[?3h\x1b[8;50;200t\x1b[100t\x1b[132$|\x1b[60*|\x1b[?95h\x1b[2;60r"
        )
        assert emulator.size == (40, 10)
        assert len(emulator.snapshot()) == 10

    def test_a_paste_cannot_end_its_bracket(self) -> None:
        emulator = self.make()
        emulator.feed(b"\x1b[?2004h")
        pasted = emulator.paste("a\x1b[201~rm\x9b201~")
        assert pasted.startswith(b"\x1b[200~a")
        assert pasted.endswith(b"\x1b[201~")
        assert pasted.count(b"\x1b") == 2

    def test_hostile_output_with_resizes_is_survived(self) -> None:
        """In a process of its own: what goes wrong in native code ends the process."""
        for seed in range(3):
            self.survives(seed, self.fuzzed)

    @pytest.mark.full
    @pytest.mark.timeout(3600)
    def test_hostile_output_with_resizes_is_survived_for_long(self) -> None:
        for seed in random.SystemRandom().sample(range(10**6), 30):
            self.survives(seed, 2000)

    def survives(self, seed: int, rounds: int) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _FUZZ, str(seed), str(rounds), type(self.make()).__module__,
             type(self.make()).__name__],
            capture_output=True, timeout=600, cwd=Path(__file__).parents[2], check=False,
        )  # fmt: skip
        assert done.returncode == 0, (seed, done.stderr[-500:])


class TestGhostty(EmulatorContract):
    def make(self, cols: int = 40, rows: int = 10) -> Emulator:
        return make_emulator(cols, rows)

    def test_links_are_told_with_their_targets(self) -> None:
        emulator = self.make()
        assert emulator.links(0) == ()
        emulator.feed("日 \x1b]8;;https://a.b/c\x07th日s\x1b]8;;\x07 \x1b]".encode())
        emulator.feed(b"8;id=1;file:///etc/passwd\x1b\\that\r\non\x1b]8;;\x1b\\ x")
        assert emulator.links(0) == ((3, 5, "https://a.b/c"), (9, 4, "file:///etc/passwd"))
        assert emulator.links(1) == ((0, 2, "file:///etc/passwd"),)
        emulator.feed(b"\x1b[2J")
        assert emulator.links(0) == ()

    def test_the_clipboard_is_asked_for_once_and_never_answered(self) -> None:
        emulator = self.make()
        assert emulator.feed(b"\x1b]52;c;Zmlyc3Q=\x07\x1b]52;c;c2Vjb25k\x07\x1b]52;c;?\x07") == b""
        assert (emulator.take_clipboard(), emulator.take_clipboard()) == ("second", None)
        emulator.feed(b"\x1b]52;c;" + b"QUFB" * 40_000 + b"\x07")
        assert emulator.take_clipboard() is None, "too much for any clipboard"

    def test_it_is_the_one_that_is_used(self) -> None:
        assert isinstance(make_emulator(40, 10), GhosttyEmulator)


class TestBittty(EmulatorContract):
    fuzzed = 40

    def make(self, cols: int = 40, rows: int = 10) -> Emulator:
        return BitttyEmulator(cols, rows)

    def test_it_is_used_where_the_other_cannot_be_loaded(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "supervisor.process.emulator_ghostty", raising=False)
        monkeypatch.setitem(sys.modules, "pyghostty", None)
        assert isinstance(make_emulator(40, 10), BitttyEmulator)

    def test_a_sequence_that_never_ends_is_given_up(self) -> None:
        emulator = self.make()
        emulator.feed(b"\x1b]2;")
        for _ in range(20):
            emulator.feed(b"x" * 8192)
        emulator.feed(b"\x1b[2J\x1b[Hshown")
        assert text(emulator.snapshot()[0]) == "shown"


@pytest.mark.parametrize("make", [make_emulator, BitttyEmulator])
@settings(max_examples=80, deadline=None)
@given(parts=st.lists(st.text(max_size=30) | st.sampled_from(["\x1b[7m", "\x1b[?2027l", "\r\n"])))
def test_rows_fit_and_hold_no_control_character(
    make: Callable[[int, int], Emulator], parts: list[str]
) -> None:
    emulator = make(20, 5)
    emulator.feed("".join(parts).encode("utf-8", "replace"))
    for row in emulator.snapshot().values():
        assert sum(cell_len(run.text) for run in row) <= 20
        assert not [c for c in text(row) if ord(c) < 32 or 127 <= ord(c) < 160]


@pytest.mark.parametrize("make", [make_emulator, BitttyEmulator])
@settings(max_examples=60, deadline=None)
@given(key=st.text(max_size=40), typed=st.text(max_size=5))
def test_any_key_name_is_survived(
    make: Callable[[int, int], Emulator], key: str, typed: str
) -> None:
    assert isinstance(make(40, 10).key(key, typed), bytes)


_FUZZ = """
import importlib, random, sys
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
emulator = getattr(importlib.import_module(sys.argv[3]), sys.argv[4])(80, 24)
for _ in range(int(sys.argv[2])):
    emulator.feed(b"".join(sequence() for _ in range(50)))
    emulator.dirty()
    emulator.cursor(), emulator.title
    if random.random() < 0.1:
        emulator.resize(random.randint(-5, 300), random.randint(-5, 100))
    if random.random() < 0.1:
        emulator.still().lines(random.randint(0, 500), 50)
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
        assert "$((20+3)) $COLUMNS" in screen.text()  # echoed as it was typed


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
