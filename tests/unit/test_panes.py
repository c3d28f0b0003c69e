"""Panes: what a person at a screen, and the agent in the PTY, can rely on."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import struct
import termios
import time

import pytest

from supervisor.process import panes
from supervisor.protocol import clipboard, holder_wire
from tests.support.live import until
from tests.support.panes import DEADLINE, pane


def winsize(fd: int) -> tuple[int, int]:
    rows, cols, _, _ = struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, b"\0" * 8))
    return cols, rows


async def test_a_screen_that_attaches_later_gets_everything() -> None:
    async with pane() as served:
        served.agent_writes(b"before anyone looked\r\n\x1b]0;my title\x07")
        screen = await served.attach()
        await screen.shows("before anyone looked")
        assert screen.last is not None
        assert (screen.last.cols, screen.last.height) == (80, 24)
        assert screen.screens[0].full
        await screen.until(lambda: screen.last is not None and screen.last.title == "my title")


async def test_only_changed_rows_are_sent() -> None:
    async with pane() as served:
        screen = await served.attach()
        served.agent_writes(b"one\r\ntwo\r\nthree")
        await screen.shows("three")
        served.agent_writes(b"\x1b[2;1HTWO")
        await screen.shows("TWO")
        assert screen.last is not None
        assert not screen.last.full
        assert set(screen.last.rows) == {1}
        assert (screen.last.x, screen.last.y) == (3, 1)


async def test_what_is_typed_does_not_wait_for_the_next_frame() -> None:
    async with pane() as served:
        screen = await served.attach()
        loop = asyncio.get_running_loop()

        async def second_after_first(number: int, *, typed: bool) -> float:
            served.agent_writes(b"first-%d " % number)
            await screen.shows(f"first-{number}")
            began = loop.time()
            if typed:
                screen.send(holder_wire.Key(key="a", text="a"))
                await served.agent_reads(1)
            served.agent_writes(b"second-%d\r\n" % number)
            await screen.shows(f"second-{number}")
            return loop.time() - began

        slow = [await second_after_first(n, typed=False) for n in range(5)]
        fast = [await second_after_first(n, typed=True) for n in range(5, 25)]
        assert min(slow) > 0.016, "thirty frames a second; half of one may be made up for"
        assert min(fast) < 0.016


async def test_who_draws_all_the_time_is_shown_at_the_end_of_an_update(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whenever somebody looks it is in the middle of the next one."""
    monkeypatch.setattr("supervisor.process.panes._HOLD", DEADLINE)
    begins, ends = b"\x1b[?2026h", b"\x1b[?2026l"
    async with pane() as served:
        screen = await served.attach()
        served.agent_writes(b"ready\r\n")
        await screen.shows("ready")
        for number in range(1, 6):
            served.agent_writes(begins + b"\x1b[2;1Hfirst-%d " % number)
            await until(lambda: served.server._wanted, "the screen's turn")
            rest = b"\x1b[3;1Hsecond-%d " % number + ends + begins + b"\x1b[4;1Htorn-%d" % number
            served.agent_writes(rest)
            await screen.shows(f"first-{number}")
            shown = screen.text()
            assert f"second-{number}" in shown
            assert f"torn-{number}" not in shown
            served.agent_writes(ends)
            await screen.shows(f"torn-{number}")


async def test_colours_arrive_as_documented() -> None:
    async with pane() as served:
        screen = await served.attach()
        served.agent_writes(b"\x1b[1;31mred\x1b[0;48;2;1;2;3mrgb\x1b[0m end")
        await screen.shows("end")
        assert screen.rows[0] == (
            ("red", 1, -1, 1),
            ("rgb", -1, 0x1010203, 0),
            (" end", -1, -1, 0),
        )


async def test_keys_pastes_mouse_and_focus_reach_the_agent() -> None:
    async with pane() as served:
        screen = await served.attach()
        served.agent_writes(b"\x1b[?2004h\x1b[?1004h\x1b[?1000h\x1b[?1006hready")
        await screen.shows("ready")
        assert screen.last is not None
        assert screen.last.mouse
        for message, expected in (
            (holder_wire.Key(key="a", text="a"), b"a"),
            (holder_wire.Key(key="ctrl+c", text="\x03"), b"\x03"),
            (holder_wire.Key(key="alt+enter", text="\r"), b"\x1b\r"),
            (holder_wire.Paste(text="two\nlines"), b"\x1b[200~two\nlines\x1b[201~"),
            (holder_wire.Mouse(action="press", button=1, x=2, y=3), b"\x1b[<0;3;4M"),
            (holder_wire.Focus(gained=False), b"\x1b[O"),
        ):
            screen.send(message)
            assert await served.agent_reads(len(expected)) == expected


async def test_a_paste_cannot_end_its_own_brackets() -> None:
    async with pane() as served:
        screen = await served.attach()
        served.agent_writes(b"\x1b[?2004hready")
        await screen.shows("ready")
        screen.send(holder_wire.Paste(text="x\x1b[201~rm -rf ~\n"))
        received = await served.agent_reads(len("\x1b[200~x [201~rm -rf ~\n\x1b[201~"))
        assert received.count(b"\x1b[201~") == 1
        assert received.endswith(b"\x1b[201~")


async def test_queries_of_the_agent_are_answered() -> None:
    async with pane() as served:
        served.agent_writes(b"\x1b[3;4H\x1b[6n")
        assert await served.agent_reads(6) == b"\x1b[3;4R"


async def test_a_flood_of_queries_never_read_does_not_fill_our_memory() -> None:
    async with pane() as served:
        screen = await served.attach()
        flood = b"\x1b[>q" * 20_000 + b"\x1b[2J\x1b[Hstill here"
        async with asyncio.timeout(DEADLINE):
            await asyncio.to_thread(served.agent_writes, flood)
        await screen.shows("still here")
        assert len(served.server._input) < 64 * 1024


async def test_the_screen_somebody_is_at_decides_the_size() -> None:
    async with pane(80, 24) as served:
        first = await served.attach(100, 30)
        await first.until(lambda: first.last is not None and first.last.cols == 100)
        second = await served.attach(60, 20)
        await second.until(lambda: second.last is not None)
        second.send(holder_wire.Resize(cols=62, rows=21))
        first.send(holder_wire.Resize(cols=90, rows=25))
        await second.until(lambda: second.last is not None and second.last.cols == 90)
        assert winsize(served.slave) == (90, 25), "looking on changes nothing"
        second.send(holder_wire.Key(key="a", text="a"))
        await first.until(lambda: first.last is not None and first.last.cols == 62)
        assert first.last is not None
        assert first.last.full
        assert winsize(served.slave) == (62, 21)
        first.send(holder_wire.Focus(gained=True))
        await second.until(lambda: second.last is not None and second.last.cols == 90)
        first.writer.close()
        await second.until(lambda: second.last is not None and second.last.cols == 62)


@pytest.mark.parametrize(
    ("asked", "given"), [((1, 1), (20, 5)), ((70_000, 70_000), (1000, 500)), ((-3, 0), (20, 5))]
)
async def test_sizes_are_clamped_alike_for_the_agent(
    asked: tuple[int, int], given: tuple[int, int]
) -> None:
    async with pane() as served:
        screen = await served.attach(*asked)
        await screen.until(lambda: screen.last is not None)
        assert screen.last is not None
        assert (screen.last.cols, screen.last.height) == given
        assert winsize(served.slave) == given


async def test_output_is_drained_without_any_screen() -> None:
    async with pane() as served:
        async with asyncio.timeout(DEADLINE):  # far more than a terminal's buffer holds
            await asyncio.to_thread(served.agent_writes, b"x" * 79 + b"\r\n" + b"y" * 2_000_000)


async def test_a_stuck_screen_never_throttles_the_agent_or_another_screen() -> None:
    async with pane() as served:
        stuck = await served.attach(receive=4096)
        brisk = await served.attach()
        served.python(
            "import sys\n"
            "for n in range(3000): sys.stdout.write(f'\\x1b[H' + f'line {n} ' * 200 + '\\n')\n"
            "print('\\x1b[2J\\x1b[Hdone flooding'); sys.stdout.flush(); input()"
        )
        await brisk.shows("done flooding")
        assert not stuck.rows  # it has read nothing so far
        before = len(stuck.screens)
        await stuck.shows("done flooding")
        assert len(stuck.screens) - before < 20  # no backlog: the newest state, soon


async def test_the_frame_rate_is_bounded_under_a_flood() -> None:
    async with pane() as served:
        screen = await served.attach()
        await screen.until(lambda: screen.last is not None)
        screen.screens.clear()
        served.python(
            "import sys,time; end=time.monotonic()+1.0; n=0\n"
            "while time.monotonic()<end: n+=1; print(n)\n"
            "print('over'); sys.stdout.flush(); input()"
        )
        began = time.monotonic()
        await screen.shows("over")
        assert 3 <= len(screen.screens) <= 32 * (time.monotonic() - began) + 3


async def test_an_echo_does_not_wait_for_the_next_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    async with pane() as served:
        screen = await served.attach()
        served.run("cat")
        screen.type("a")
        await screen.shows("a")
        monkeypatch.setattr(panes, "FRAME_RATE", 1 / 3600)
        for letter in "bcdefgh":
            screen.type(letter)
            await screen.shows(letter)


async def test_a_synchronized_update_is_not_shown_half_done() -> None:
    async with pane() as served:
        screen = await served.attach()
        await screen.until(lambda: screen.last is not None)
        screen.screens.clear()
        served.agent_writes(b"\x1b[?2026hfirst half")
        await asyncio.sleep(0.03)
        served.agent_writes(b", second half\x1b[?2026l")
        await screen.shows("first half, second half")
        assert len(screen.screens) == 1


async def test_an_unfinished_synchronized_update_is_shown_after_all() -> None:
    async with pane() as served:
        screen = await served.attach()
        served.agent_writes(b"\x1b[?2026hforgotten")
        await screen.shows("forgotten")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x04\xc1\xc1\xc1\xc1",
        holder_wire.frame(holder_wire.Kill()),
        holder_wire.frame(holder_wire.Adopt(token="t")),
        b"\x00\x00",
    ],
    ids=["length", "not msgpack", "kill", "adopt", "cut short"],
)
async def test_a_malformed_or_foreign_frame_ends_that_screen_only(garbage: bytes) -> None:
    async with pane() as served:
        good, bad = await served.attach(), await served.attach()
        bad.writer.write(garbage)
        bad.writer.write_eof()
        with pytest.raises(asyncio.IncompleteReadError):
            await bad.until(lambda: False)
        served.agent_writes(b"unharmed")
        await good.shows("unharmed")


async def test_the_end_brings_the_last_output_then_the_code() -> None:
    async with pane() as served:
        screen = await served.attach()
        await screen.until(lambda: screen.last is not None)
        served.agent_writes(b"last words")
        served.server.exited(3)
        await screen.until(lambda: screen.exited is not None)
        assert "last words" in screen.text()
        assert screen.exited == 3
        late = await served.attach()
        await late.until(lambda: late.exited is not None)
        assert "last words" in late.text()


async def test_no_byte_of_the_agent_crosses() -> None:
    """Whatever it prints: texts hold no control or bidirectional-override characters."""
    async with pane() as served:
        screen = await served.attach()
        served.agent_writes(
            "a\u202eb\u2066c\x9b31md \x1b]52;c;aGk=\x07\x1b]9;note\x07\x1bPx\x1b\\e\u0085f".encode()
            + b"\x1b[5i\x9c\x1b_Gi=1;AAAA\x1b\\end"
        )
        await screen.shows("end")
        texts = "".join(run[0] for row in screen.rows.values() for run in row)
        assert not [c for c in texts if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0]
        assert not set(texts) & set("\u202e\u2066")


async def test_the_agent_writes_to_the_clipboard_when_a_person_says_so() -> None:
    async with pane() as served:
        screen = await served.attach()
        served.agent_writes(b"\x1b]52;c;Zmlyc3Q=\x07\x1b]52;c;aGVsbG8=\x07\x1b]52;c;?\x07done")
        await screen.shows("done")
        assert screen.asked == ["hello"], "the newest one"
        later = await served.attach()
        await later.until(lambda: later.asked == ["hello"])
        screen.send(clipboard.AnswerClipboard(number=7, allow=True))
        screen.send(clipboard.AnswerClipboard(number=1, allow=True))
        await later.until(lambda: later.closed == [1])
        digest = hashlib.sha256(b"hello").hexdigest()
        assert served.told == [holder_wire.ClipboardAnswered(size=5, digest=digest, allowed=True)]
        screen.send(clipboard.AnswerClipboard(number=1, allow=True))
        screen.type("x")
        assert await served.agent_reads(1) == b"x", "nothing was answered to the agent"
        assert len(served.told) == 1
