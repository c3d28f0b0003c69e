"""Subagents stand below their task, by their agent's word alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from supervisor.model import Lease
from supervisor.protocol import wire
from tests.support.fake_client import NOW, grant, task_view
from tui import panels
from tui.lines import View
from tui.screens.dialog import IdentityPage
from tui.world import World


def one(name: str, **more: Any) -> wire.SubagentView:
    given = {"id": name, "kind": "explore", "since": NOW - 72, "last": NOW - 3, "calls": 3}
    return wire.SubagentView(**(given | more))


def view(*subagents: wire.SubagentView, leases: tuple[Lease, ...] = (), **task: Any) -> View:
    world = World()
    of = task_view(1, "flaky checkout", subagents=subagents, **task)
    world.apply(
        wire.Snapshot(
            session="s", now=NOW, tasks=(of, task_view(2, "docs")), leases=leases,
            grants=(grant("g-1", "github", "api.github.com", left=60, whole=90),),
        )
    )  # fmt: skip
    return View(world, world.tasks["t-1"], NOW)


def rows(shown: View) -> list[str]:
    return [line.plain.rstrip() for _, line in panels.tasks(shown, 50)]


def test_a_row_below_its_task_leads_to_it() -> None:
    shown = view(one("a01db2"), one("b77", since=NOW - 10, calls=1))
    assert [task for task, _ in panels.tasks(shown, 50)] == ["t-1", "t-1", "t-1", "t-2"]
    assert rows(shown)[1] == "   └ ● explore a01db2        3 calls  1:12 working"
    assert rows(shown)[2] == "   └ ● explore b77            1 call  0:10 working"


def test_what_it_holds_is_told_apart_from_what_its_task_holds() -> None:
    lease = Lease("l-1", "g-1", "t-1", "c-81f", 2, NOW - 8, NOW + 7, subagent="a01db2")
    other = replace(lease, id="l-2", subagent="")
    shown = view(one("a01db2"), leases=(lease, other))
    assert "1 grant " in rows(shown)[1]
    text = panels.grant(shown.world.grants["g-1"], [lease, other], NOW, 50).plain
    assert "└ c-81f of a01db2 " in text
    assert "└ c-81f ▰" in text


def test_one_that_has_ended_goes_after_a_while_and_all_go_with_their_task() -> None:
    assert "■ explore a" in rows(view(one("a", ended=True, last=NOW - 5)))[1]
    assert len(rows(view(one("a", ended=True, last=NOW - 31)))) == 2
    assert len(rows(view(one("a"), state="revoked", ended=NOW))) == 2


def test_frozen_with_its_task() -> None:
    assert "❄ explore a" in rows(view(one("a"), state="frozen"))[1]


def test_what_it_is_called_moves_no_cursor_and_has_no_authority() -> None:
    shown = view(one("a\x1b[2J", kind="ad\u202emin"))
    assert "\x1b" not in rows(shown)[1]
    assert "\u202e" not in rows(shown)[1]
    assert shown.task is not None
    page = " ".join(IdentityPage(shown.task).text(90).plain.split())
    assert "ad⟨U+202E⟩min a⟨U+001B⟩[2J" in page
    assert "by the agent's own word: each has this task's authority, and no other" in page
