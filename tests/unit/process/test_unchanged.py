"""What changed while a task ran is seen, whoever changed it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.process.unchanged import differing, marks


def replaced(root: Path) -> None:
    (root / "new").write_text("old")
    os.replace(root / "new", root / ".git/config")


CHANGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "replaced by the same": (".git/config", replaced),
    "written": (".git/config", lambda root: (root / ".git/config").write_text("new")),
    "hook added": (".git/hooks", lambda root: (root / ".git/hooks/pre-commit").touch()),
    "mode": (".git/hooks", lambda root: (root / ".git/hooks/sample").chmod(0o755)),
    "folder's mode": (".claude", lambda root: (root / ".claude").chmod(0o777)),
    "deep": (".claude", lambda root: (root / ".claude/skills/a/SKILL.md").write_text("x")),
    "gone": (".claude", lambda root: os.rename(root / ".claude", root / "x")),
    "made": (".mcp.json", lambda root: (root / ".mcp.json").touch()),
    "link": ("link", lambda root: (os.unlink(root / "link"), os.symlink("y", root / "link"))),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".git/hooks").mkdir(parents=True)
    (tmp_path / ".git/hooks/sample").touch(0o644)
    (tmp_path / ".git/config").write_text("old")
    (tmp_path / ".claude/skills/a").mkdir(parents=True)
    (tmp_path / ".claude/worktrees").mkdir()
    (tmp_path / "link").symlink_to("x")
    return tmp_path


def test_what_stays_does_not_differ(root: Path) -> None:
    names = [str(root / name) for name in (".git/config", ".git/hooks", ".claude", ".mcp.json")]
    before = marks(names)
    subprocess.run(["grep", "-r", "old", root], check=True, capture_output=True)
    (root / "elsewhere").touch()
    assert differing(before) == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(root: Path, change: str) -> None:
    name, make = CHANGES[change]
    before = marks(str(root / each) for each, _ in CHANGES.values())
    make(root)
    assert differing(before) == [str(root / name)]


def test_what_may_change_is_left_out(root: Path) -> None:
    free = [str(root / ".claude/worktrees")]
    before = marks([str(root / ".claude")], free)
    (root / ".claude/worktrees/a").mkdir()
    assert differing(before, free) == []
    (root / ".claude/worktrees/a").rmdir()
    (root / ".claude/worktrees").rmdir()
    assert differing(before, free) == []
    (root / ".claude/settings.json").touch()
    assert differing(before, free) == [str(root / ".claude")]
    assert differing(before, [*free, str(root / ".claude/settings.json")]) == []
