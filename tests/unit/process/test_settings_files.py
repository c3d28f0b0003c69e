"""Settings of agents and hooks of git, kept in mind and put back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.process.settings_files import Looked, differing, keep, put_back


@pytest.fixture
def looked(tmp_path: Path) -> Looked:
    root = tmp_path.resolve()
    for folder in ("home/.claude", "work/.claude/worktrees", "work/.git/hooks", "work/sub"):
        (root / folder).mkdir(parents=True)
    return Looked(str(root / "work"), str(root / "work/sub"), str(root / "home"))


DECIDING = [
    "work/.claude/settings.json", "work/.claude/settings.local.json", "work/.mcp.json",
    "work/.cursor/hooks.json", "work/.codex/config.toml", "work/.git/hooks/pre-commit",
    "work/sub/.mcp.json", "home/.claude/settings.json", "home/.codex/hooks.json",
    "work/.claude/hooks/deep/x.sh",
]  # fmt: skip


@pytest.mark.parametrize("name", DECIDING)
def test_what_decides_about_agents_is_seen_and_put_back(
    looked: Looked, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    before = keep(looked.marks())
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("first")
    assert differing(before, looked.marks()) == [str(file)]
    assert put_back([str(file)], before, str(tmp_path / "aside")) == [str(file)]
    assert not file.exists()
    file.write_text("as the person has it")
    file.chmod(0o640)
    before = keep(looked.marks())
    for change in (lambda: file.write_text("changed"), file.unlink, lambda: file.chmod(0o777)):
        change()
        assert differing(before, looked.marks()) == [str(file)]
        put_back([str(file)], before, str(tmp_path / "again"))
        assert file.read_text() == "as the person has it"
        assert file.stat().st_mode & 0o777 == 0o640
        before = keep(looked.marks(), before)


def test_what_was_written_is_set_aside_not_lost(looked: Looked, tmp_path: Path) -> None:
    before = keep(looked.marks())
    file = Path(looked.workspace, ".mcp.json")
    file.write_text("somebody's work")
    put_back([str(file)], before, str(tmp_path / "aside"))
    assert [each.read_text() for each in (tmp_path / "aside").iterdir()] == ["somebody's work"]
    assert (tmp_path / "aside").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "name", ["work/main.py", "work/.claude/worktrees/x", "work/.git/config", "home/.claude/x.jsonl"]
)
def test_ordinary_work_is_none_of_it(looked: Looked, tmp_path: Path, name: str) -> None:
    before = keep(looked.marks())
    (tmp_path / name).write_text("x")
    assert differing(before, looked.marks()) == []


def test_a_link_in_its_place_is_taken_away_and_not_followed(looked: Looked, tmp_path: Path) -> None:
    file, victim = Path(looked.workspace, ".mcp.json"), tmp_path / "victim"
    file.write_text("{}")
    victim.write_text("kept")
    before = keep(looked.marks())
    file.unlink()
    file.symlink_to(victim)
    put_back([str(file)], before, str(tmp_path / "aside"))
    assert (file.read_text(), victim.read_text()) == ("{}", "kept")
    assert not file.is_symlink()


def test_what_cannot_be_kept_in_mind_is_left_as_it_is(looked: Looked, tmp_path: Path) -> None:
    file = Path(looked.workspace, ".mcp.json")
    file.write_bytes(b"x" * (1 << 20) + b"x")
    before = keep(looked.marks())
    os.truncate(file, 3)
    assert differing(before, looked.marks()) == [str(file)]
    assert put_back([str(file)], before, str(tmp_path / "aside")) == []
    assert file.read_bytes() == b"xxx"
