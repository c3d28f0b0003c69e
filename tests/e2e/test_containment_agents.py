"""Real Claude Code and real Codex among guards and placeholders: they do not notice them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.scripted_model import call, script
from tests.support.supervised import Supervised


def begin_repository(root: Path) -> None:
    git = ["git", "-C", root, "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "1"], check=True)


@pytest.mark.parametrize("mode", ["standard", "strict"])
async def test_an_agent_works_and_nothing_of_ours_is_left(
    supervised: Supervised, mode: str
) -> None:
    project = supervised.install.project
    claude = supervised.install.home / ".claude"
    before = sorted(claude.iterdir()) if supervised.is_claude else []
    commands = ("git status --porcelain", "echo x > .claude/settings.json", "echo done > made")
    output = await supervised.run(*map(supervised.shell, commands), options=("--contain", mode))
    assert "mcp" not in output.lower(), output
    status, refused, _ = supervised.model.last.results.values()
    assert "??" not in status
    assert "a task does not change them" in refused or "as it is" in refused
    assert [path.name for path in project.iterdir()] == ["made"]
    (started,) = await supervised.records("task.started")
    assert (started["tier"], started["containment"]) == ("A", mode)
    if supervised.is_claude:
        left = {path.name for path in claude.iterdir()} - {path.name for path in before}
        assert not left & {"settings.json", "hooks", "commands", "agents", "skills", "plugins"}


@pytest.mark.parametrize("supervised", ["claude-code"], indirect=True)
async def test_a_subagent_has_a_work_tree_of_its_own(supervised: Supervised) -> None:
    project = supervised.install.project
    begin_repository(project)
    errand = script(supervised.shell("pwd > where; cat where"))
    await supervised.run(
        call(
            "Agent", description="errand", prompt=errand, subagent_type="general-purpose",
            isolation="worktree",
        ),
    )  # fmt: skip
    told = [text for request in supervised.model.requests for text in request.results.values()]
    assert any(f"{project}/.claude/worktrees/" in text for text in told), told
    assert not (project / "where").exists()
