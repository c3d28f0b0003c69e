"""What a task left in its overlay: seen, applied or dropped on the screen."""

from __future__ import annotations

import msgspec
import pytest

from supervisor.errors import Denied
from supervisor.protocol import wire
from tests.support.fake_client import FakeClient, change_set, story
from tests.support.tui_driver import Driver, running
from tui.screens.changes import ChangesScreen
from tui.widgets.line import Line


def _client() -> FakeClient:
    client = FakeClient(story())
    client.change_sets = [change_set("t-1")]
    return client


async def _opened(d: Driver) -> ChangesScreen:
    await d.lead("c")
    await d.until(lambda: isinstance(d.app.screen, ChangesScreen))
    screen = d.app.screen
    assert isinstance(screen, ChangesScreen)
    await d.until(lambda: screen.query_one("#page", Line).said)
    return screen


async def test_changes_and_why_to_look_twice_are_shown() -> None:
    async with running(client=_client()) as d:
        said = (await _opened(d)).query_one("#page", Line).said
        assert ".husky/pre-commit  git runs it" in said
        assert "+LIMIT = 5" in said
        assert "\x1b" not in said, "what a file holds plays no tricks on the screen"


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("A", wire.ApplyChanges(risky=True)),
        ("S", wire.ApplyChanges(paths=("src/retry.py", "src/old.py"))),
    ],
)
async def test_all_are_applied_or_those_without_a_second_look(
    key: str, asked: wire.ApplyChanges
) -> None:
    async with running(client=_client()) as d:
        await _opened(d)
        await d.press(key)
        await d.until(lambda: d.client.requests("apply_changes"))
        assert d.client.requests("apply_changes") == [("t-1", asked)]
        left = ", 1 left" if key == "S" else ""
        words = f"{3 if key == 'A' else 2} changes applied{left}."
        await d.until(lambda: words in d.toasts)


async def test_dropping_takes_two_keys() -> None:
    async with running(client=_client()) as d:
        screen = await _opened(d)
        await d.press("D")
        await d.until(lambda: "again" in screen.query_one("#decision", Line).said)
        assert not d.client.requests("drop_changes")
        await d.press("D")
        await d.until(lambda: d.client.requests("drop_changes") == ["t-1"])


@pytest.mark.parametrize("key", ["escape", "enter", "a", "s", "d", "y", "space"])
async def test_no_other_key_decides(key: str) -> None:
    async with running(client=_client()) as d:
        await _opened(d)
        await d.press(key)
        await d.press("escape")
        await d.until(lambda: d.app.screen is d.app.main)
        assert not d.client.requests("apply_changes")
        assert not d.client.requests("drop_changes")


async def test_a_conflict_is_told() -> None:
    client = _client()
    async with running(client=client) as d:
        await _opened(d)
        client.refuse = Denied("Nothing was applied: a changed in the real workspace meanwhile.")
        await d.press("A")
        await d.until(lambda: any("Nothing was applied" in toast for toast in d.toasts))


async def test_where_there_is_nothing_it_is_said() -> None:
    async with running() as d:
        await d.lead("c")
        await d.until(lambda: "There are no changes to review." in d.toasts)


async def test_a_task_with_changes_says_so_when_it_has_ended() -> None:
    view = story()
    ended = msgspec.structs.replace(view.tasks[0], state="ended", ended=view.now, to_review=3)
    async with running() as d:
        d.client.send(wire.TaskChanged(task=ended))
        await d.until(lambda: "review" in d.said("side-tasks"))
