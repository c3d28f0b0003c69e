"""Tabs, one for each project, and the list of all tasks."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.protocol import wire
from tests.support.fake_client import NOW, task_view
from tests.support.tui_driver import running
from tui.screens.tasks import TasksScreen
from tui.tabs import bar, beside, key_of, tabs
from tui.widgets.line import Line
from tui.widgets.tabs import TabLine
from tui.world import World

DOCS: dict[str, Any] = {"cwd": "/home/ana/docs", "repository": "/home/ana/docs"}


def snapshot(*tasks: wire.TaskView) -> wire.Snapshot:
    return wire.Snapshot(session="s", now=NOW, tasks=tasks)


SEVERAL = snapshot(
    task_view(1, "flaky checkout"),
    task_view(2, "manual", **DOCS, state="waiting for you"),
    task_view(3, "invoice bug"),
    task_view(4, "spelling", **DOCS),
    task_view(5, "explore", parent="t-1", cwd="/tmp", repository=""),
)


def world(of: wire.Snapshot) -> World:
    made = World()
    made.apply(of)
    return made


def test_tasks_of_one_project_are_under_one_tab() -> None:
    found = [(tab.name, [task.number for task in tab.tasks]) for tab in tabs(world(SEVERAL))]
    assert found == [("shop", [1, 5, 3]), ("docs", [2, 4])], "a child is where its parent is"


@pytest.mark.parametrize(
    ("repository", "cwd", "key"),
    [
        ("/home/ana/shop", "/home/ana/shop/src", "/home/ana/shop"),
        ("/home/ana/shop.worktrees/fix", "/home/ana/shop.worktrees/fix", "/home/ana/shop"),
        ("", "/home/ana/notes", "/home/ana/notes"),
        ("", "/", "/"),
        ("", "/home/ana/my.worktrees", "/home/ana/my.worktrees"),
    ],
)
def test_a_work_tree_is_with_the_project_it_was_made_from(
    repository: str, cwd: str, key: str
) -> None:
    assert key_of(task_view(1, "", repository=repository, cwd=cwd)) == ("ana@laptop", key)


def test_only_the_tasks_of_a_tab_stand_beside_each_other() -> None:
    known = world(SEVERAL)
    assert [task.number for task in beside(known, known.tasks["t-4"])] == [2, 4]
    assert len(beside(known, None)) == 5


def test_the_bar_tells_what_waits_where_without_colour() -> None:
    text, places = bar(tabs(world(SEVERAL)), "t-1", 80)
    assert text.plain.split() == ["shop", "docs", "◐1"]
    assert [task for _, _, task in places] == ["t-1", "t-2"]


def test_two_people_are_told_apart() -> None:
    other = task_view(2, "docs", user="ben@build")
    text, _ = bar(tabs(world(snapshot(task_view(1, "x"), other))), "t-1", 80)
    assert text.plain.split() == ["ana@laptop:shop", "ben@build:shop"]


async def test_a_key_and_a_click_lead_to_another_tab() -> None:
    async with running(SEVERAL, size=(200, 60)) as d:
        line = d.app.main.query_one(TabLine)
        await d.until(lambda: line.display and d.app.main.panes.shown == ["t-1", "t-3", "t-5"])
        await d.lead("t")
        await d.until(lambda: d.app.main.panes.shown == ["t-2", "t-4"])
        assert d.app.focused_task == "t-2", "who waits comes first"
        await d.lead("T")
        await d.until(lambda: d.app.focused_task == "t-1")
        await d.pilot.click(TabLine, offset=(line.said.index("docs"), 0))
        await d.until(lambda: d.app.focused_task == "t-2")


async def test_with_one_project_there_is_no_bar() -> None:
    async with running() as d:
        assert not d.app.main.query_one(TabLine).display
        await d.lead("t")
        await d.until(lambda: any("no other tabs" in said for said in d.toasts))


async def test_the_list_tells_each_task_and_leads_to_it() -> None:
    tasks = (
        task_view(1, "flaky checkout"),
        task_view(2, "manual", **DOCS, state="waiting for you", cpu_pct=12.4,
                  rss_bytes=212 << 20, processes=14),
    )  # fmt: skip
    async with running(snapshot(*tasks), size=(80, 24)) as d:
        await d.lead("l")
        await d.until(lambda: isinstance(d.app.screen, TasksScreen))
        await d.until(lambda: "waiting for you" in shown(d.app.screen))
        assert "12 % cpu · 212 MB · 14 processes · 0 grants" in shown(d.app.screen)
        await d.press("down", "enter")
        await d.until(lambda: d.app.focused_task == "t-2")


def shown(screen: Any) -> str:
    """What the rows of a screen say."""
    rows = (strip.text for strip in screen._compositor.render_strips())
    return "\n".join(rows)


async def test_more_tasks_than_there_is_room_for_are_counted() -> None:
    many = snapshot(*(task_view(number, f"job {number}") for number in range(1, 31)))
    async with running(many) as d:
        side = d.app.main.query_one("#side-tasks", Line)
        await d.until(lambda: "more: ^\\ l lists all" in side.said)
        assert "▸1 " in side.said
        await d.lead("l")
        await d.until(lambda: isinstance(d.app.screen, TasksScreen))
        await d.press("end", "enter")
        await d.until(lambda: "▸30 " in side.said)


async def test_grants_have_a_column_of_their_own_where_there_is_room() -> None:
    async with running(size=(300, 80)) as d:
        tasks, grants = (d.app.main.query_one(f"#side-{name}") for name in ("tasks", "grants"))
        await d.until(lambda: grants.region.x > tasks.region.right - 1)
        assert grants.region.y == tasks.region.y
        assert d.app.main.panes.size.width >= 2 * 82
