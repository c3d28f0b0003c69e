"""The person's own terminal tells them, unless they are looking."""

from __future__ import annotations

import re

import pytest
from textual import events

from supervisor.protocol import wire
from tests.support.fake_client import approval
from tests.support.tui_driver import asking, running
from tui.outer import sequence, surely_shown


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"TERM": "xterm-256color"}, "\x1b]9;a;b: c\x07"),
        ({"TERM": "xterm-kitty"}, "\x1b]9;a;b: c\x07"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "\x1b]9;a;b: c\x07"),
        ({"TERM": "xterm-ghostty"}, "\x1b]777;notify;a,b;c\x07"),
        ({"TERM": "foot"}, "\x1b]777;notify;a,b;c\x07"),
        ({"TERM": "rxvt-unicode-256color"}, "\x1b]777;notify;a,b;c\x07"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "\x1b]777;notify;a,b;c\x07"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7200"}, "\x1b]777;notify;a,b;c\x07"),
        ({"TERM": "tmux", "TMUX": "/tmp/x"}, "\x1bPtmux;\x1b\x1b]9;a;b: c\x07\x1b\\"),
        ({"TERM": "linux"}, ""),
        ({"TERM": "dumb"}, ""),
    ],
    ids=str,
)
def test_each_terminal_is_told_in_its_own_words(environ: dict[str, str], told: str) -> None:
    assert sequence("a;b", "c", environ) == told


def test_who_surely_shows_it() -> None:
    assert surely_shown({"TERM": "xterm-kitty"})
    assert surely_shown({"TERM": "xterm", "TERM_PROGRAM": "WezTerm"})
    assert not surely_shown({"TERM": "xterm-256color", "VTE_VERSION": "7200"})
    assert not surely_shown({"TERM": "xterm-kitty", "TMUX": "/tmp/x"})


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setenv("TERM", "xterm-kitty")
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("VTE_VERSION", raising=False)
    monkeypatch.setattr("textual.drivers.headless_driver.HeadlessDriver.write",
                        lambda self, text: found.append(text))  # fmt: skip
    return found


def notes(written: list[str]) -> list[str]:
    return [text for text in written if re.match(r"\x1b\](9|777);", text)]


async def test_the_supervisor_hears_that_the_terminal_has_told(written: list[str]) -> None:
    async with running(asking()) as d:
        d.client.send(wire.ApprovalAsked(approval=approval(1)))
        await d.until(lambda: notes(written))
        await d.until(lambda: d.client.requests("noticed") == [(("a-1",), False)])


async def test_a_request_that_joins_those_on_show_is_not_told(written: list[str]) -> None:
    async with running(asking(approval(1))) as d:
        await d.open_dock()
        await d.until(lambda: (("a-1",), True) in d.client.requests("noticed"))
        before = len(notes(written))
        d.client.send(wire.ApprovalAsked(approval=approval(2)))
        await d.until(lambda: (("a-1", "a-2"), True) in d.client.requests("noticed"))
        assert len(notes(written)) == before


async def test_what_is_on_show_in_a_terminal_without_the_focus_is_not_looked_at(
    written: list[str],
) -> None:
    async with running(asking(approval(1))) as d:
        await d.open_dock()
        d.app.post_message(events.AppBlur())
        await d.until(lambda: not d.app.app_focus)
        assert d.app.looked_at() == ()
        d.app.post_message(events.AppFocus())
        await d.until(lambda: d.app.looked_at() == ("a-1",))
