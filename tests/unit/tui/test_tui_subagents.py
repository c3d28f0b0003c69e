"""Subagents' tasks stand below their agent's, and are taken away by themselves."""

from __future__ import annotations

from typing import Any

import msgspec

from supervisor.model import TaskState
from supervisor.protocol import wire
from tests.support.fake_client import NOW, grant, story, task_view
from tests.support.tui_driver import running
from tui import panels
from tui.lines import View
from tui.screens.dialog import IdentityPage
from tui.screens.tasks import TasksScreen
from tui.world import World


def one(path: str, purpose: str, *, above: str = "t-1", **more: Any) -> wire.TaskView:
    given = {
        "id": f"t-{path}", "path": path, "parent": above, "subagent": purpose.split()[-1],
        "pane": False, "created": NOW - 72, "state": TaskState.WORKING, "allowed": 3, "denied": 0,
        "asked": 0,
    }  # fmt: skip
    return task_view(0, purpose, **(given | more))


def view(*children: wire.TaskView, focus: str = "t-1", **task: Any) -> View:
    world = World()
    of = task_view(1, "flaky checkout", **task)
    world.apply(
        wire.Snapshot(
            session="s", now=NOW, tasks=(of, *children, task_view(2, "docs")),
            grants=(
                grant("g-1", "github", "api.github.com", left=60, whole=90),
                grant("g-2", "github", "api.github.com", left=60, whole=90, task="t-1.1"),
            ),
        )
    )  # fmt: skip
    return View(world, world.tasks[focus], NOW)


def rows(shown: View) -> list[str]:
    return [line.plain.rstrip() for _, line in panels.tasks(shown, 52)]


def test_a_row_below_its_task_is_a_task_of_its_own() -> None:
    shown = view(one("1.1", "explore a01db2"), one("1.2", "explore b77", allowed=1))
    assert [task for task, _ in panels.tasks(shown, 52)] == ["t-1", "t-1.1", "t-1.2", "t-2"]
    assert rows(shown)[1] == "   └ 1.1 ● explore a01db2              1 grant  1:12"
    assert rows(shown)[2] == "   └ 1.2 ● explore b77                  1 call  1:12"


def test_what_is_chosen_is_marked_and_its_agents_pane_is_shown() -> None:
    shown = view(one("1.1", "explore a01db2"), focus="t-1.1")
    assert rows(shown)[1].startswith("▸  └ 1.1 ")
    assert shown.task is not None
    assert shown.world.agent_of(shown.task).id == "t-1"
    assert [task.id for task in shown.world.agents()] == ["t-1", "t-2"]
    assert shown.world.family("t-1") == {"t-1", "t-1.1"}


def test_the_tree_is_as_deep_as_it_is() -> None:
    deeper = one("1.1.1", "plan c1", above="t-1.1")
    shown = view(one("1.1", "explore a1"), deeper)
    assert rows(shown)[2].startswith("     └ 1.1.1 ● plan c1")


def test_one_that_has_ended_goes_after_a_while_and_all_go_with_their_task() -> None:
    gone = {"state": TaskState.ENDED}
    assert "■ explore a" in rows(view(one("1.1", "explore a", ended=NOW - 5, **gone)))[1]
    assert len(rows(view(one("1.1", "explore a", ended=NOW - 31, **gone)))) == 2
    assert len(rows(view(one("1.1", "explore a"), state="revoked", ended=NOW))) == 2


def test_one_that_was_revoked_stays_while_its_agent_works() -> None:
    assert "revoked" in rows(view(one("1.1", "explore a", state=TaskState.REVOKED)))[1]


def test_what_it_is_called_moves_no_cursor_and_has_no_authority() -> None:
    shown = view(one("1.1", "ad\u202emin a\x1b[2J", subagent="a\x1b[2J"), focus="t-1.1")
    assert "\x1b" not in rows(shown)[1]
    assert "\u202e" not in rows(shown)[1]
    assert shown.task is not None
    page = " ".join(IdentityPage(shown.task).text(90).plain.split())
    assert "a⟨U+001B⟩[2J" in page
    assert "by its agent's own word: at most what its task may, and revocable alone" in page
    above = IdentityPage(shown.world.tasks["t-1"], [shown.task]).text(90).plain
    assert "1.1 ad⟨U+202E⟩min" in above


async def test_one_is_chosen_and_revoked_alone_by_keys_and_by_mouse() -> None:
    started = msgspec.structs.replace(
        story(), tasks=(*story().tasks, one("1.1", "explore a01db2"), one("1.2", "explore b77"))
    )
    async with running(started) as d:
        await d.click("side-tasks", "1.2 ●")
        await d.until(lambda: d.app.focused_task == "t-1.2")
        assert d.tile("t-1").has_class("-focused")  # its agent's pane stays
        assert "GRANTS  task 1.2" in d.said("side-grants")
        await d.lead("f")
        await d.until(lambda: d.client.requests("freeze_task") == ["t-1.2"])
        await d.lead("l")
        await d.until(lambda: isinstance(d.app.screen, TasksScreen))
        await d.press("up", "enter")
        await d.until(lambda: d.app.focused_task == "t-1.1")
        await d.lead("x")
        await d.until(lambda: d.client.requests("revoke_task") == ["t-1.1"])
        await d.press("escape")
        await d.lead("2")
        await d.until(lambda: d.app.focused_task == "t-2")
