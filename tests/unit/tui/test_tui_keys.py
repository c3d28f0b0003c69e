"""Whose keys are whose."""

from __future__ import annotations

import pytest
from textual import events

from tests.support.tui_driver import LEADER, running
from tui.screens.history import HistoryScreen


async def test_every_key_but_the_leader_goes_to_the_pane() -> None:
    keys = ["a", "O", "ctrl+c", "ctrl+p", "ctrl+q", "tab", "shift+tab", "escape", "f1", "enter"]
    async with running() as d:
        await d.press(*keys)
        await d.until(lambda: len(d.typed) == len(keys))
        assert d.typed == keys
        assert d.app.is_running


@pytest.mark.parametrize("leader", ["ctrl+backslash", "f12"])
async def test_the_leader_twice_sends_it_to_the_pane(leader: str) -> None:
    async with running() as d:
        await d.press(leader, leader)
        assert d.typed == ["ctrl+backslash"]


async def test_a_chord_typed_in_one_burst_never_ends_half_in_the_pane() -> None:
    async with running() as d:
        for key, character in ((LEADER, None), ("h", "h")):
            d.app.post_message(events.Key(key, character))
        await d.until(lambda: isinstance(d.app.screen, HistoryScreen))
        assert d.typed == []


async def test_the_which_key_line_shows_and_an_unknown_key_leaves_it() -> None:
    async with running() as d:
        await d.press(LEADER)
        assert "freeze all" in d.said("which-key")
        await d.press("w")
        assert not d.app.main.query_one("#which-key").display
        assert d.typed == []
