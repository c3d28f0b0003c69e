"""Revoking and freezing from the screen."""

from __future__ import annotations

from tests.support.tui_driver import running
from tui.screens.grants import GrantsDialog


async def test_revoking_asks_nothing_and_tells_what_is_dead() -> None:
    async with running() as d:
        await d.lead("x")
        await d.until(lambda: "revoked" in d.said("side-tasks"))
        assert d.client.requests("revoke_task") == ["t-1"]
        sentence = "revoked: 3 leases dead in 41 ms, 1 unconfirmed, 2 connections cut"
        await d.until(lambda: sentence in d.toasts)


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


async def test_after_panic_any_other_key_revokes_nothing() -> None:
    async with running() as d:
        await d.lead("X")
        await d.press("escape", "X")
        await d.until(lambda: d.typed == ["X"])
        assert d.client.requests("revoke_all") == []


async def test_one_grant_is_revoked_from_the_list() -> None:
    async with running() as d:
        await d.lead("g")
        await d.until(lambda: isinstance(d.app.screen, GrantsDialog))
        await d.press("down", "x")
        await d.until(lambda: d.client.requests("revoke_grant"))
        assert d.client.requests("revoke_grant") == ["g-3"]
