"""Known secrets are taken out of a screen before it is kept, however they stand on it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.protocol.holder_wire import Screen
from supervisor.protocol.recording import FrameView
from supervisor.recording.cast import asciicast
from supervisor.recording.frames import Film, Pane, Row, pack, unpack
from supervisor.recording.masking import PIECE, mask_rows
from supervisor.vault.redact import Redactor

SECRET = "ghp_q7dXyN0s3bq0mD5lXoAh1x0x9oW4f4c2Yb8m"
KNOWN = Redactor({"gh": SECRET, "words": "open sesame now"})


def shown(*lines: str, redactor: Redactor = KNOWN) -> str:
    rows: dict[int, Row] = {y: ((line, -1, -1, 0),) for y, line in enumerate(lines)}
    masked = mask_rows(rows, redactor)
    assert {y: len("".join(r[0] for r in row)) for y, row in masked.items()} == {
        y: len(line) for y, line in enumerate(lines)
    }
    return "\n".join("".join(run[0] for run in masked[y]) for y in sorted(masked))


@pytest.mark.parametrize(
    "lines",
    [
        (f"token: {SECRET} end",),
        (f"│ {SECRET[:15]} │", f"│ {SECRET[15:]} │"),
        (SECRET[:20], f"    {SECRET[20:]}"),
        (SECRET[17:] + " scrolled half away",),
        (f"typing {SECRET[:12]}",),
        ("b64 " + base64.b64encode(b"x:" + SECRET.encode()).decode(),),
        ("hex " + SECRET.encode().hex(),),
        (f"日本 {SECRET} 語",),
        ("say: open sesame now",),
    ],
)
def test_no_eight_characters_of_a_secret_are_kept(lines: tuple[str, ...]) -> None:
    told = shown(*lines)
    assert "•" in told
    bare = "".join(c for c in told if not c.isspace() and c != "│")
    for form in (SECRET, SECRET.encode().hex(), "opensesamenow"):
        assert not any(form[at : at + PIECE] in bare for at in range(len(form) - PIECE + 1))


def test_a_secret_in_two_colours_is_one() -> None:
    row: Row = ((SECRET[:9], 1, -1, 0), (SECRET[9:], 2, -1, 1), (" ok", -1, -1, 0))
    masked = mask_rows({0: row}, KNOWN)[0]
    assert [run[0] for run in masked] == ["•" * 9, "•" * (len(SECRET) - 9), " ok"]
    assert [run[1:] for run in masked] == [run[1:] for run in row], "colours stay"


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=30), max_size=6))
def test_everything_else_stays_as_it_is(lines: list[str]) -> None:
    rows: dict[int, Row] = {y: ((line, -1, -1, 0),) for y, line in enumerate(lines)}
    assert mask_rows(rows, Redactor({"gh": "\x00never\x00on\x00a\x00screen"})) == rows


def frames_of(*screens: Screen) -> list[FrameView]:
    pane, film = Pane(), Film()
    made = []
    for number, screen in enumerate(screens):
        pane.take(screen)
        frame = film.frame(1000.0 + number, pane, pane.rows, full=number == 0)
        if frame is not None:
            made.append(frame)
    return made


def row(text: str) -> Row:
    return ((text, 0x1000000 | 0xFF8000, -1, 1),)


def test_frames_hold_what_has_changed_and_come_back_from_a_chunk() -> None:
    frames = frames_of(
        Screen(rows={0: row("one"), 1: row("two")}, cols=20, height=3, full=True),
        Screen(rows={1: row("zwei")}, cols=20, height=3),
        Screen(rows={1: row("zwei")}, cols=20, height=3),  # nothing has changed
        Screen(rows={0: row("big")}, cols=30, height=3, full=True),
    )
    assert [sorted(frame.rows) for frame in frames] == [[0, 1], [1], [0]]
    assert [frame.full for frame in frames] == [True, False, True]
    assert list(unpack(pack(frames))) == frames


@pytest.mark.parametrize("data", [b"", b"nothing", pack([])[:-1]])
def test_what_is_no_chunk_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="format"):
        unpack(data)


def test_an_asciicast_has_no_byte_of_the_agents_own() -> None:
    import json

    lines = [
        json.loads(line)
        for line in asciicast(
            frames_of(
                Screen(rows={0: row("hi \x1b]52;c;x\x07 \x9b2J")}, cols=20, height=3, full=True),
                Screen(rows={2: row("ok")}, x=2, y=2, cols=20, height=3),
                Screen(rows={0: row("new")}, cols=40, height=5, full=True),
            ),
            "taskpass t-1",
        )
    ]
    assert lines[0] == {"version": 2, "width": 20, "height": 3, "timestamp": 1000,
                        "title": "taskpass t-1"}  # fmt: skip
    assert [(each[0], each[1]) for each in lines[1:]] == [
        (0.0, "o"), (1.0, "o"), (2.0, "r"), (2.0, "o"),
    ]  # fmt: skip
    assert lines[3][2] == "40x5"
    for each in lines[1:]:
        assert "\x1b]" not in each[2]
        assert "\x07" not in each[2]
        assert "\x9b" not in each[2]
    assert "\x1b[3;1H" in lines[2][2]
    assert "38;2;255;128;0" in lines[2][2]
