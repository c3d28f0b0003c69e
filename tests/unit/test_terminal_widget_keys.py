"""What the person pressed is what the app hears, byte for byte."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.message import Message

from supervisor.process.emulator import make_emulator
from tests.support.chords import chords
from tui import keys


def pressed(*chunks: str) -> list[tuple[str, str | None]]:
    messages = parse(*chunks)
    assert all(isinstance(m, events.Key) for m in messages), messages
    return [(m.key, m.character) for m in messages if isinstance(m, events.Key)]


def parse(*chunks: str) -> list[Message]:
    parser = keys.KeyParser()
    messages: list[Message] = []
    for chunk in chunks:
        messages.extend(parser.feed(chunk))
    messages.extend(parser.feed(""))
    return messages


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("\x1b\r", "alt+enter"),
        ("\x1bb", "alt+b"),
        ("\x1bf", "alt+f"),
        ("\x1bB", "alt+shift+b"),
        ("\x1b1", "alt+1"),
        ("\x1b.", "alt+full_stop"),
        ("\x1b\x7f", "alt+backspace"),
        ("\x1b[13;2u", "shift+enter"),
        ("\x1b[27;2;13~", "shift+enter"),
        ("\x1b[Z", "shift+tab"),
        ("\x1b\t", "shift+tab"),
        ("\x1b[1;5D", "ctrl+left"),
        ("\x1b[1;3D", "alt+left"),
        ("\x1c", "ctrl+backslash"),
        ("\x1b[24~", "f12"),
        ("\x10", "ctrl+p"),
        ("\x11", "ctrl+q"),
        ("\r", "enter"),
        ("a", "a"),
    ],
)
def test_a_key_keeps_its_name(typed: str, key: str) -> None:
    assert [name for name, _ in pressed(typed)] == [key]


@pytest.mark.parametrize("data", chords().values(), ids=chords())
def test_what_is_pressed_is_what_the_agent_is_sent(data: bytes) -> None:
    """Through the screen's parser, and the encoder of the pane's terminal."""
    messages = parse(data.decode())
    presses = [(m.key, m.character or "") for m in messages if isinstance(m, events.Key)]
    emulator = make_emulator(80, 24)
    assert b"".join(emulator.key(*press) for press in presses) == data


def test_escape_alone_is_escape() -> None:
    assert pressed("\x1b") == [("escape", "\x1b")]


def test_a_paste_never_presses_a_key() -> None:
    text = "before \x1b\x1c" + "aO" * 40 + "\x1b[200~ \x11\r"
    (paste,) = parse(f"\x1b[200~{text}\x1b[201~")
    assert isinstance(paste, events.Paste)
    assert paste.text == text


@given(
    st.text().filter(lambda text: "\x1b[201~" not in text and "\x00" not in text),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_a_paste_is_whole_however_it_is_cut(text: str, cuts: list[int]) -> None:
    stream = f"a\x1b[200~{text}\x1b[201~b"
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    chunks = [stream[i:j] for i, j in itertools.pairwise(places) if i < j]
    first, paste, last = parse(*chunks)
    assert isinstance(first, events.Key)
    assert isinstance(last, events.Key)
    assert (first.key, last.key) == ("a", "b")
    assert isinstance(paste, events.Paste)
    assert paste.text == text


def test_textual_reads_with_our_parser_once_installed() -> None:
    from textual.drivers import linux_driver

    keys.install()
    assert linux_driver.XTermParser is keys.KeyParser


def test_a_paste_cannot_end_itself() -> None:
    parser = keys.KeyParser()
    sent = "\x1b[200~safe\x1b[201~\rrm -rf /\r\x1b[201~x"
    got = list(parser.feed(sent))
    assert [type(event) for event in got] == [events.Paste, events.Key]
    assert isinstance(got[0], events.Paste)
    assert got[0].text == "safe\x1b[201~\rrm -rf /\r"
