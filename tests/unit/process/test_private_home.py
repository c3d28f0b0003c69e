"""The directory that stands in for the home of a task in tier B."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.process.confine import make_private
from supervisor.process.landlock_rules import Private


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home/.agent/sessions").mkdir(parents=True)
    (tmp_path / "home/.agent/settings").write_text("mine")
    (tmp_path / "task").mkdir()
    return tmp_path / "home"


def test_what_is_visible_of_the_home_is_at_its_place(home: Path) -> None:
    private = Private.of(str(home.parent / "task"))
    visible = [home / ".agent", home / ".config/tool", Path("/usr/share"), home]
    make_private(private, str(home), map(str, visible))
    assert Path(private.home, ".agent/settings").read_text() == "mine"
    assert os.readlink(Path(private.home, ".config/tool")) == str(home / ".config/tool")
    assert sorted(os.listdir(private.home)) == [".agent", ".config"]


def test_nothing_is_made_in_the_persons_own_directories(home: Path) -> None:
    """Of a visible directory more is named that does not exist: no link leads into itself."""
    private = Private.of(str(home.parent / "task"))
    named = ["settings.json", "settings", "sessions/old", "hooks"]
    visible = [*(str(home / ".agent" / name) for name in named), str(home / ".agent")]
    make_private(private, str(home), visible)
    assert sorted(os.listdir(home / ".agent")) == ["sessions", "settings"]
    assert os.listdir(home / ".agent/sessions") == []
    assert Path(private.home, ".agent/settings").read_text() == "mine"
