"""The work tree a task stands in is the one git itself would name."""

from __future__ import annotations

import subprocess
from pathlib import Path

from supervisor.identity.evidence import repository_of


def _git(at: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *words],
        cwd=at, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_a_work_tree_and_a_linked_one_with_their_branches(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    _git(tree, "init", "-q", "-b", "trunk")
    _git(tree, "commit", "-q", "--allow-empty", "-m", "first")
    _git(tree, "worktree", "add", "-q", "-b", "side", "../linked")
    inner = tree / "a" / "b"
    inner.mkdir(parents=True)

    assert repository_of(str(inner)) == (_git(inner, "rev-parse", "--show-toplevel"), "trunk")
    assert repository_of(str(tmp_path / "linked")) == (str(tmp_path / "linked"), "side")
    _git(tree, "checkout", "-q", "--detach")
    assert repository_of(str(tree))[1] == _git(tree, "rev-parse", "HEAD")[:12]


def test_an_empty_folder_named_git_is_no_repository_as_git_says(tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    inner = outer / "inner"
    (inner / ".git").mkdir(parents=True)
    _git(outer, "init", "-q", "-b", "trunk")
    assert _git(inner, "rev-parse", "--show-toplevel") == str(outer)
    assert repository_of(str(inner)) == (str(outer), "trunk")
