"""Where no task is, commands need no leader; where one is, every key is its own."""

from __future__ import annotations

from textual.widgets import Input

from supervisor.protocol import wire
from tests.support.fake_client import NOW
from tests.support.tui_driver import running
from tui.screens.help import HelpPage
from tui.screens.new_task import NewTaskDialog

_NOTHING = wire.Snapshot(session="s-1", now=NOW)


async def test_a_key_alone_does_it_in_an_empty_workspace() -> None:
    async with running(_NOTHING, task="") as d:
        await d.press("question_mark")
        await d.until(lambda: isinstance(d.app.screen, HelpPage))
        await d.press("escape")
        await d.until(lambda: d.app.screen is d.app.main)
        await d.press("n")
        await d.until(lambda: isinstance(d.app.screen, NewTaskDialog))
        await d.press("q", "n")  # typed into the field, no command
        assert d.app.screen.query_one("#new-command", Input).value.endswith("qn")


async def test_beside_a_task_it_is_the_agents() -> None:
    async with running() as d:
        await d.press("n", "question_mark", "q")
        await d.until(lambda: d.typed == ["n", "question_mark", "q"])
        assert d.app.screen is d.app.main
