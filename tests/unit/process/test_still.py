"""Reading back: what is read stands still, is found and copied as the agent printed it."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from supervisor.process.emulator import make_emulator
from supervisor.process.still import between, cells, places
from supervisor.protocol import reading
from tests.support.panes import pane


def text_of(row: reading.Row) -> str:
    return "".join(run[0] for run in row)


async def test_what_is_read_does_not_move() -> None:
    async with pane(80, 24) as served:
        screen = await served.attach()
        served.agent_writes(b"".join(b"line %d\r\n" % n for n in range(100)) + b"end")
        await screen.shows("end")
        begun = await screen.ask(reading.StartReading(count=30, number=7))
        assert isinstance(begun, reading.Reading)
        assert (begun.number, begun.count, begun.height) == (7, 101, 24)
        assert (begun.x, begun.y) == (3, 100)
        assert [text_of(row) for row in begun.last] == [f"line {n}" for n in range(71, 100)] + [
            "end"
        ]
        served.agent_writes(b"\x1b[3J\x1b[H\x1b[2Jgone" + b"\r\nmore" * 50)
        await screen.shows("more")
        lines = await screen.ask(reading.ReadLines(first=0, count=3))
        assert isinstance(lines, reading.Lines)
        assert [text_of(row) for row in lines.rows] == ["line 0", "line 1", "line 2"]
        found = await screen.ask(reading.Find(text="NE 9"))
        assert found == reading.Found(text="NE 9", count=0)
        found = await screen.ask(reading.Find(text="ne 9"))
        assert isinstance(found, reading.Found)
        assert (found.count, found.places[:2]) == (11, ((9, 2, 4), (90, 2, 4)))
        taken = await screen.ask(reading.TakeText(anchor=(100, 1), head=(98, 5)))
        assert taken == reading.Taken(text="98\nline 99\nen")
        again = await screen.ask(reading.StartReading(count=1))
        assert isinstance(again, reading.Reading)
        assert text_of(again.last[0]) == "more"
        # Nothing is answered any more; the connection goes on.
        screen.send(reading.StopReading())
        screen.send(reading.ReadLines(first=0, count=3))
        served.agent_writes(b"\r\nlive")
        await screen.shows("live")
        assert screen.answers[-1] is again


async def test_ten_thousand_lines_are_read_to_the_first() -> None:
    async with pane(80, 24) as served:
        screen = await served.attach()
        output = b"".join(b"line %d\r\n" % n for n in range(9000)) + b"end"
        await asyncio.to_thread(served.agent_writes, output)
        await screen.shows("end")
        begun = await screen.ask(reading.StartReading(count=1))
        assert isinstance(begun, reading.Reading)
        assert begun.count == 9001
        found = await screen.ask(reading.Find(text="line 12"))
        assert isinstance(found, reading.Found)
        assert found.count == 111
        taken = await screen.ask(reading.TakeText(anchor=(0, 0), head=(8999, 79)))
        assert isinstance(taken, reading.Taken)
        assert taken.text == "\n".join(f"line {n}" for n in range(9000))


@given(st.text(alphabet="ab日 é👍", min_size=1, max_size=90), st.integers(20, 40))
def test_a_line_is_found_and_copied_however_it_was_wrapped(line: str, cols: int) -> None:
    line = line.strip(" ") or "a"
    emulator = make_emulator(cols, 10)
    emulator.feed(line.encode())
    still = emulator.still()
    rows = [(row.text, row.wraps_at) for row in still.lines(0, still.count)]
    used = next(n for n, (_, wraps_at) in enumerate(rows) if not wraps_at) + 1
    assert between(rows[:used], 0, cols) == line
    assert next(places(rows, line))[:2] == (0, 0)
    assert next(places(rows, line))[2] == cell_len(line)


@given(st.text(alphabet="ab日e\u0301👍", max_size=20), st.integers(0, 40), st.integers(0, 40))
def test_cells_are_taken_as_they_stand(text: str, start: int, end: int) -> None:
    assert cells(text, 0, 100) == text.lstrip("\u0301")
    if start <= end:
        pieces = cells(text, 0, start) + cells(text, start, end) + cells(text, end, 100)
        assert pieces.replace("\u0301", "") == text.replace("\u0301", "")
