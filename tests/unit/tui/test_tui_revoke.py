"""Revoking and freezing from the screen."""

from __future__ import annotations

import msgspec
import pytest

from supervisor.errors import LedgerFailed
from supervisor.protocol import wire
from tests.support.tui_driver import Driver, running
from tui.screens.grants import GrantsDialog
from tui.screens.help import HelpPage
from tui.screens.new_task import NewTaskDialog
from tui.screens.revoked import RevokedScreen
from tui.widgets.line import Line


def shown(d: Driver) -> str:
    """What the list of a revocation says."""
    return d.app.screen.query_one("#revoked-list", Line).said


async def test_revoking_asks_nothing_and_tells_what_is_dead() -> None:
    async with running() as d:
        await d.lead("x")
        await d.until(lambda: "revoked" in d.said("side-tasks"))
        assert d.client.requests("revoke_task") == ["t-1"]
        await d.until(lambda: isinstance(d.app.screen, RevokedScreen))
        await d.until(lambda: "refused in 41 ms · 2 connections cut" in shown(d))
        assert "✓ refused and cut" in shown(d)
        assert "… ending its processes" in shown(d)
        gone = d.client._task("t-1")
        d.client.send(wire.TaskChanged(task=msgspec.structs.replace(gone, tree_left=0)))
        await d.until(lambda: "✓ process tree gone" in shown(d))
        await d.press("escape")
        await d.until(lambda: d.app.screen is d.app.main)


async def test_after_a_revocation_a_new_task_is_one_key_away() -> None:
    async with running() as d:
        await d.lead("x")
        await d.until(lambda: isinstance(d.app.screen, RevokedScreen))
        await d.press("n")
        await d.until(lambda: isinstance(d.app.screen, NewTaskDialog))


async def test_why_it_is_not_acknowledged_is_in_its_place() -> None:
    async with running() as d:
        d.client.refuse = LedgerFailed("The history cannot be written.", hint="Free the disk.")
        await d.lead("x")
        await d.until(lambda: "The history cannot be written." in shown(d))


async def test_freeze_is_undone_by_the_same_key() -> None:
    async with running() as d:
        await d.lead("f")
        await d.until(lambda: "❄ frozen" in str(d.tile("t-1").border_title))
        await d.lead("f")
        await d.until(lambda: d.client.requests("thaw_task"))
        assert d.client.requests("freeze_task") == d.client.requests("thaw_task") == ["t-1"]


async def test_panic_freezes_all_and_once_more_revokes_all() -> None:
    async with running() as d:
        await d.lead("X")
        await d.until(lambda: d.client.requests("freeze_all"))
        assert d.client.requests("revoke_all") == []
        await d.press("X")
        await d.until(lambda: d.client.requests("revoke_all"))
        assert d.typed == []


@pytest.mark.parametrize("key", ["escape", "x", "q", "f", "enter"])
async def test_after_panic_any_other_key_leaves_it_frozen_and_does_nothing_else(key: str) -> None:
    async with running() as d:
        await d.lead("X")
        await d.press(key, "X")
        await d.until(lambda: d.typed == ["X"])
        assert {name for name, _ in d.client.asked} <= {"pair", "attach", "freeze_all"}


async def test_after_panic_the_leader_leads_again() -> None:
    async with running() as d:
        await d.lead("X")
        await d.lead("question_mark")
        await d.until(lambda: isinstance(d.app.screen, HelpPage))


async def test_panic_counts_what_stands_still() -> None:
    async with running() as d:
        await d.lead("X")
        await d.until(lambda: "1 of 5 tasks frozen" in d.said("which-key"))
        assert "X again within 5s revokes every task" in d.said("which-key")
        for task in ("t-1", "t-2"):
            d.client._change(task, "frozen")
        await d.until(lambda: "3 of 5 tasks frozen" in d.said("which-key"))


async def test_one_grant_is_revoked_from_the_list() -> None:
    async with running() as d:
        await d.lead("g")
        await d.until(lambda: isinstance(d.app.screen, GrantsDialog))
        await d.press("down", "x")
        await d.until(lambda: d.client.requests("revoke_grant"))
        assert d.client.requests("revoke_grant") == ["g-3"]
