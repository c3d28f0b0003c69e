"""What a key does can be clicked, and what can be clicked can be jumped to."""

from __future__ import annotations

import pytest
from textual.pilot import OutOfBounds

from tests.support.tui_driver import Driver, running
from tui.keymap import COMMANDS
from tui.screens.grants import GrantsDialog
from tui.screens.help import HelpPage
from tui.screens.history import HistoryScreen
from tui.screens.main import WorkspaceScreen
from tui.screens.new_task import NewTaskDialog
from tui.widgets.jump import JumpOverlay, names


def _lines(d: Driver) -> list[str]:
    return [strip.text for strip in d.app.screen._compositor.render_strips()]


def place(d: Driver, words: str, *, after: str = "") -> tuple[int, int]:
    """Where the first cell of some words stands on the screen now, below or beside others."""
    lines = _lines(d)
    for y, line in enumerate(lines):
        start = line.find(after) if after else 0
        x = line.find(words, max(start, 0))
        if start >= 0 and x >= 0:
            return x, y
    raise AssertionError(f"{words!r} is not on the screen:\n" + "\n".join(lines))


async def click(d: Driver, words: str, *, after: str = "") -> None:
    await d.until(lambda: words in "\n".join(_lines(d)), 20.0)
    x, y = place(d, words, after=after)
    assert await d.pilot.click(offset=(x, y)), OutOfBounds


@pytest.mark.parametrize(
    ("words", "screen"),
    [("g grants", GrantsDialog), ("h history", HistoryScreen), ("? help", HelpPage)],
)
async def test_a_hint_does_what_it_says(words: str, screen: type) -> None:
    async with running() as d:
        await click(d, words)
        await d.until(lambda: isinstance(d.app.screen, screen))
        await click(d, "q back" if screen is HistoryScreen else "esc back")
        await d.until(lambda: d.app.screen is d.app.main)


async def test_every_command_after_the_leader_can_be_clicked() -> None:
    async with running() as d:
        await d.press("ctrl+backslash")
        line = d.app.main.query_one("#which-key")
        actions = {
            segment.style.meta.get("@click", "")
            for row in range(line.size.height)
            for segment in line.render_line(row)
            if segment.style
        }
        assert {f"app.press('{command.key}')" for command in COMMANDS} <= actions
        await click(d, "z zoom", after="then")
        await d.until(lambda: d.app.main.has_class("-zoom"))


async def test_the_line_of_what_waits_opens_the_dock() -> None:
    async with running() as d:
        await click(d, "a answer", after="waits")
        await d.until(lambda: d.dock.has_focus)


async def test_a_task_in_the_narrow_strip_is_shown() -> None:
    async with running(size=(80, 24)) as d:
        await click(d, "2●codex")
        await d.until(lambda: d.app.focused_task == "t-2")


async def test_jump_puts_a_letter_on_each_thing_and_goes_there() -> None:
    async with running() as d:
        assert isinstance(d.app.main, WorkspaceScreen)
        await d.lead("j")
        await d.until(lambda: isinstance(d.app.screen, JumpOverlay))
        overlay = d.app.screen
        assert isinstance(overlay, JumpOverlay)
        x, y = place(d, "grants", after="zoom")
        letter = next(n for n, t in overlay.named.items() if tuple(t.at) == (x - 2, y))
        await d.press(letter)
        await d.until(lambda: isinstance(d.app.screen, GrantsDialog))
        assert d.typed == []


async def test_jump_goes_into_another_pane() -> None:
    async with running() as d:
        await d.lead("j")
        await d.until(lambda: isinstance(d.app.screen, JumpOverlay))
        tile = d.tile("t-2").region
        named = d.app.screen.named  # type: ignore[attr-defined]
        letter = next(n for n, t in named.items() if tile.contains(*t.at))
        await d.press(letter)
        await d.until(lambda: d.app.focused_task == "t-2")
        await d.until(lambda: d.app.focused is not None and d.app.focused.id == "pane-t-2")


@pytest.mark.parametrize("key", ["escape", "enter", "1", "space"])
async def test_any_other_key_leaves_the_jump(key: str) -> None:
    async with running() as d:
        await d.lead("j")
        await d.until(lambda: isinstance(d.app.screen, JumpOverlay))
        await d.press(key)
        await d.until(lambda: d.app.screen is d.app.main)
        assert d.typed == []


@pytest.mark.parametrize("count", [1, 26, 27, 300])
def test_names_are_told_apart(count: int) -> None:
    made = names(count)
    assert len(set(made)) == count
    assert len({len(name) for name in made}) == 1


async def test_help_is_searched() -> None:
    async with running() as d:
        await d.lead("question_mark")
        await d.until(lambda: isinstance(d.app.screen, HelpPage))
        page = d.app.screen.query_one("#page")
        await d.press("slash", *"revoke")
        await d.until(lambda: "Zoom" not in page.said)  # type: ignore[attr-defined]
        assert "Revoke the task" in page.said  # type: ignore[attr-defined]
        await d.press(*"qzx")
        await d.until(lambda: "Nothing here is about that" in page.said)  # type: ignore[attr-defined]
        await d.press("escape")
        await d.until(lambda: d.app.screen is d.app.main)


async def test_a_new_task_is_started_by_a_click() -> None:
    async with running() as d:
        await click(d, "n new")
        await d.until(lambda: isinstance(d.app.screen, NewTaskDialog))
        await click(d, "enter start")
        await d.until(lambda: "There is no directory /home/ana/shop" in "\n".join(_lines(d)))
