"""Where a link leads is seen before it is opened; only the web and mail are."""

from __future__ import annotations

import time

import pytest
from textual.app import App

from supervisor.protocol import holder_wire
from tests.support.tui_driver import Driver, running
from tui.links import page, refusal, warnings
from tui.screens.question import Question


@pytest.mark.parametrize(
    "target", ["https://a.b/c?d#e", "http://localhost:3000", "mailto:a@b.example"]
)
def test_the_web_and_mail_may_be_opened(target: str) -> None:
    assert refusal(target) == ""


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "javascript:alert(1)",
        "ssh://a.b/",
        "vscode://x",
        "x-man-page://ls",
        "/etc/passwd",
        "",
        "https:///nowhere",
        "https://a.b/\u202egpj.exe",
        "https://a.b/ --flag",
        "https://a.b/\x1b]8;;",
        "http://[::1",
    ],
    ids=ascii,
)
def test_nothing_else_is(target: str) -> None:
    assert refusal(target).startswith("It is not opened")
    assert page("text", target).plain.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("text", "target", "count"),
    [
        ("github.com/x", "https://github.com/x", 0),
        ("the docs", "https://evil.example/", 0),
        ("https://github.com/x", "https://evil.example/x", 1),
        ("docs", "https://github.com@evil.example/", 1),
        ("docs", "https://gіthub.com/", 1),
        ("docs", "https://xn--gthub-n4a.com/", 1),
    ],
)
def test_what_is_odd_is_said(text: str, target: str, count: int) -> None:
    assert len(warnings(text, target)) == count


def test_a_host_that_looks_like_another_is_told_in_letters_that_do_not() -> None:
    first, second = warnings("github.com/x", "https://gіthub.com/x")
    assert first.endswith("the link leads to xn--gthub-n2e.com.")
    assert "xn--gthub-n2e.com" in second


LINKS = {0: ((2, 4, "https://a.example/b"), (8, 4, "file:///etc/passwd"))}


def row(d: Driver, y: int) -> str:
    return d.app.main.query_one("#pane-t-1").render_line(y).text


async def showing(d: Driver) -> None:
    rows = {0: (("a link, file, text", -1, -1, 0),)}
    screen = holder_wire.Screen(rows=rows, links=LINKS, cols=78, height=20, full=True)
    d.client.panes["t-1"].show(screen)
    await d.until(lambda: row(d, 0).startswith("a link, file"))


async def answer(d: Driver, key: str) -> None:
    await d.until(lambda: isinstance(d.app.screen, Question))
    question = d.app.screen
    assert isinstance(question, Question)
    await d.until(lambda: time.monotonic() >= question._armed_at)
    await d.press(key)


async def test_a_click_shows_the_target_and_opens_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(App, "open_url", lambda self, url: opened.append(url))
    monkeypatch.setenv("DISPLAY", ":0")
    async with running() as d:
        await showing(d)
        pane = d.app.main.query_one("#pane-t-1")
        await d.pilot.hover(pane, offset=(3, 0))
        await d.until(lambda: "↗ https://a.example/b" in row(d, pane.size.height - 1))
        await d.pilot.hover(pane, offset=(15, 0))
        await d.until(lambda: "↗" not in row(d, pane.size.height - 1))
        await d.pilot.click(pane, offset=(3, 0))
        await d.until(lambda: isinstance(d.app.screen, Question))
        assert opened == []
        await answer(d, "o")
        await d.until(lambda: opened == ["https://a.example/b"])
        await d.until(lambda: d.app.screen is d.app.main)
        await d.pilot.pause(0.6)  # or the next click would be the second of a double one
        await d.pilot.click(pane, offset=(9, 0))
        await answer(d, "o")
        assert isinstance(d.app.screen, Question), "a file is not opened"
        await d.press("c")
        await d.until(lambda: d.app.clipboard == "file:///etc/passwd")
        assert len(opened) == 1


async def test_without_a_browser_the_address_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    async with running() as d:
        rows = {0: (("a link", -1, -1, 0),)}
        one = {0: ((2, 4, "https://a.example/b"),)}
        d.client.panes["t-1"].show(
            holder_wire.Screen(rows=rows, links=one, cols=78, height=20, full=True)
        )
        await d.until(lambda: row(d, 0).startswith("a link"))
        await d.lead("o")
        await answer(d, "o")
        await d.until(lambda: d.app.clipboard == "https://a.example/b")
        await d.until(lambda: "no browser here" in d.toasts[-1])
        # The row is another one now, and has no link.
        d.client.panes["t-1"].show(holder_wire.Screen(rows=rows, cols=78, height=20))
        await d.until(lambda: not d.app.main.panes.links())
        await d.lead("o")
        await d.until(lambda: "no link" in d.toasts[-1])
