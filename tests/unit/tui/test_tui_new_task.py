"""Tasks are started from the screen."""

from __future__ import annotations

import pytest
from textual import events
from textual.widgets import Input

from supervisor.errors import AgentNotFound
from supervisor.protocol import wire
from tests.support.fake_client import NOW
from tests.support.tui_driver import running
from tui.screens.new_task import NewTaskDialog
from tui.widgets.line import Line


async def test_a_new_task_is_started_and_shown() -> None:
    async with running(wire.Snapshot(session="s", now=NOW), task="") as d:
        await d.until(lambda: "taskpass run -- claude" in d.said("welcome"))
        await d.lead("n")
        await d.until(lambda: isinstance(d.app.screen, NewTaskDialog))
        await d.press("tab", *"docs")
        d.app.screen.query_one("#new-cwd", Input).value = "/tmp"
        await d.press("enter")
        await d.until(lambda: d.client.requests("start_task"))
        request = d.client.requests("start_task")[0]
        assert (request.argv, request.purpose, request.cwd) == (("claude",), "docs", "/tmp")
        await d.until(lambda: d.app.focused is not None and d.app.focused.id == "pane-t-1")


async def test_what_is_typed_in_one_burst_goes_into_its_fields() -> None:
    async with running() as d:
        await d.lead("n")
        await d.until(lambda: isinstance(d.app.screen, NewTaskDialog))
        await d.until(lambda: d.app.focused is not None and d.app.focused.id == "new-command")
        for key in ("s", "h", "tab", "o", "k"):
            d.app.post_message(events.Key(key, None if key == "tab" else key))
        fields = d.app.screen.query(Input)
        await d.until(lambda: [field.value for field in fields][:2] == ["sh", "ok"])


@pytest.mark.parametrize(
    ("command", "cwd", "sentence"),
    [
        ("", "/tmp", "There is no command."),
        ("claude 'x", "/tmp", "a quote that does not close"),
        ("claude", "/no/such/place", "There is no directory /no/such/place."),
        ("claud", "/tmp", "There is no program claud."),
    ],
)
async def test_what_cannot_be_started_is_one_sentence(
    command: str, cwd: str, sentence: str
) -> None:
    async with running() as d:
        d.client.refuse = AgentNotFound("There is no program claud.")
        await d.lead("n")
        await d.until(lambda: isinstance(d.app.screen, NewTaskDialog))
        d.app.screen.query_one("#new-command", Input).value = command
        d.app.screen.query_one("#new-cwd", Input).value = cwd
        await d.press("enter")
        await d.until(lambda: sentence in d.app.screen.query_one("#new-say", Line).said)
