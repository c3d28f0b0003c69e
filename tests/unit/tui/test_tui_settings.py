"""What `[screen]` of the config says, and what a choice on the screen writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.command import CommandList

from supervisor.config import load_user_config
from tests.support.tui_driver import running
from tui import settings
from tui.keymap import DEFAULT
from tui.screens.leader import LeaderDialog
from tui.widgets.line import Line

MINE = """\
# mine
preset = "standard"   # as it comes

[screen]
theme = "light"  # for the sun
keymap = "vim"

[screen.keys]
new-task = "c"        # as ever
changes = "C"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(MINE)
    return path


def test_it_is_read_by_the_screen_and_passed_over_by_the_daemon(config: Path) -> None:
    found = settings.load(config)
    assert (found.theme, found.problem) == ("light", "")
    assert found.keys.command("new_task").key == "c"
    assert found.keys.command("next_task").key == "j"
    assert load_user_config(config).preset == "standard"


def test_no_file_is_the_defaults(tmp_path: Path) -> None:
    found = settings.load(tmp_path / "none")
    assert (found.keys, found.problem) == (DEFAULT, "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[screen]\nthem = 'x'", ":2:1: screen.them: there is no such setting. There are: theme"),
        ("[screen]\ntheme = 'pink'", ":2:1: screen.theme: there is no theme 'pink'."),
        ("[screen]\ntheme = 3", ":2:1: screen.theme: must be a text."),
        ("[screen]\nkeymap = 'nano'", ":2:1: screen.keymap: There is no keymap 'nano'."),
        ("[screen]\nleader = 'a'", ":2:1: screen.leader: 'a' alone cannot be the leader"),
        ("[screen.keys]\n\nzom = 'm'", ":3:1: screen.keys.zom: There is no action 'zom'."),
        ("[screen.keys]\nzoom = 'g'", ":2:1: screen.keys.zoom: The key g is taken twice"),
        ("[screen]\nkeys = 3", ":2:1: screen.keys: must be a table"),
        ("screen = 3", "screen must be a table. Write [screen]."),
        ("[screen", "config.toml:1:8: "),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_defaults_hold(
    config: Path, text: str, said: str
) -> None:
    config.write_text(text)
    found = settings.load(config)
    assert said in found.problem
    assert "\n" not in found.problem
    assert (found.keys, found.theme) == (DEFAULT, "")


async def test_a_mistake_is_on_the_screen() -> None:
    problem = "config.toml:2:1: screen.leader: 'a' alone cannot be the leader."
    async with running(settings=settings.Settings(problem=problem)) as d:
        assert any("screen.leader: 'a' alone" in toast for toast in d.toasts)
        await d.lead("g")  # the usual one works
        await d.until(lambda: d.app.screen is not d.app.main)


def test_a_choice_changes_its_line_only(config: Path) -> None:
    config.chmod(0o640)
    settings.keep(config, theme="no-colour")
    assert config.read_text() == MINE.replace('"light"', '"no-colour"')
    settings.keep(config, leader="ctrl+b")
    assert settings.load(config).keys.leader == "ctrl+b"
    settings.keep(config, leader="")
    assert config.read_text() == MINE.replace('"light"', '"no-colour"')
    assert config.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in config.parent.iterdir()] == ["config.toml"]


def test_a_choice_goes_to_where_a_link_leads(config: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "config.toml"
    link.parent.mkdir()
    link.symlink_to(config)
    settings.keep(link, theme="dark")
    assert link.is_symlink()
    assert 'theme = "dark"' in config.read_text()


def test_the_first_choice_makes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "taskpass" / "config.toml"
    settings.keep(path, theme="light")
    assert settings.load(path).theme == "light"
    assert path.stat().st_mode & 0o077 == 0


async def test_a_theme_is_chosen_in_the_palette_and_kept(config: Path) -> None:
    async with running(settings=settings.load(config)) as d:
        assert d.app.theme == "light"
        await d.lead("colon")
        await d.press(*"high-contrast")
        await d.until(lambda: len(d.app.screen.query_one(CommandList).options) == 1)
        await d.press("enter")
        assert d.app.theme == "high-contrast"
    assert settings.load(config).theme == "high-contrast"


async def test_the_leader_is_captured_from_two_presses(config: Path) -> None:
    async with running(settings=settings.load(config)) as d:
        await d.app.run_action("leader")
        await d.until(lambda: isinstance(d.app.screen, LeaderDialog))
        page = d.app.screen.query_one("#page", Line)
        await d.press("a")
        assert "'a' alone cannot be the leader" in page.said
        await d.press("ctrl+o", "ctrl+g", "ctrl+backslash", "ctrl+g")
        assert "That is ^g. Press it again" in page.said
        await d.press("ctrl+g")
        await d.until(lambda: d.app.settings.keys.leader == "ctrl+g")
        await d.press("ctrl+g", "g")
        await d.until(lambda: d.app.screen is not d.app.main)
    assert settings.load(config).keys.leader == "ctrl+g"


async def test_a_capture_that_is_left_changes_nothing(config: Path) -> None:
    async with running(settings=settings.load(config)) as d:
        await d.app.run_action("leader")
        await d.until(lambda: isinstance(d.app.screen, LeaderDialog))
        await d.press("ctrl+g", "escape")
        await d.until(lambda: d.app.screen is d.app.main)
        assert d.app.settings.keys.leader == "ctrl+backslash"
    assert settings.load(config).keys.leader == "ctrl+backslash"


async def test_a_choice_that_cannot_be_written_holds_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file" / "config.toml"
    path.parent.write_text("in the way")
    async with running(settings=settings.Settings(path)) as d:
        await d.app.run_action("theme('light')")
        assert d.app.theme == "light"
        await d.until(lambda: any("cannot be read: Not a directory" in one for one in d.toasts))
