"""Locked secrets: told on the workspace, unlocked there, never asked for by themselves."""

from __future__ import annotations

import msgspec

from supervisor.protocol import wire
from tests.support.fake_client import story
from tests.support.tui_driver import running
from tui.screens.unlock import UnlockScreen
from tui.widgets.line import Line

LOCKED = msgspec.structs.replace(story(), locked=True, approvals=())


async def test_they_are_unlocked_with_the_leader() -> None:
    async with running(LOCKED) as d:
        d.client.locked = True
        await d.until(lambda: "secrets are locked · ^\\ u unlocks" in d.said("attention"))
        assert d.app.screen is d.app.main
        await d.lead("u")
        await d.until(lambda: isinstance(d.app.screen, UnlockScreen))
        await d.press(*"open", "space", *"sesame")
        written = [strip.text for strip in d.app.screen._compositor.render_strips()]
        assert not any("sesame" in row for row in written)
        await d.press("enter")
        await d.until(lambda: "The secrets are unlocked." in d.toasts)
        d.client.send(wire.Recorded(record={"kind": "vault.unlocked", "seq": 1, "time": 0.0}))
        await d.until(lambda: "locked" not in d.said("attention"))


async def test_a_wrong_passphrase_is_said_and_asked_for_again() -> None:
    async with running(LOCKED) as d:
        d.client.locked = True
        await d.lead("u")
        await d.until(lambda: isinstance(d.app.screen, UnlockScreen))
        say = d.app.screen.query_one("#unlock-say", Line)
        await d.press(*"wrong", "enter")
        await d.until(lambda: "That is not the passphrase." in say.said)
        await d.press("escape")
        await d.until(lambda: d.app.screen is d.app.main)
        assert not any("unlocked" in said for said in d.toasts)


async def test_with_nothing_locked_there_is_nothing_to_unlock() -> None:
    async with running() as d:
        await d.lead("u")
        await d.until(lambda: "No secret is locked." in d.toasts)
