"""Where a repository keeps what runs programs, as real git lays it out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from supervisor.process.git_places import GitPlaces, git_places

HOME = "/nowhere"


def git(cwd: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "protocol.file.allow=always",
         *words],
        cwd=cwd, check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    git(root, "commit", "-q", "--allow-empty", "-m", "1")
    return root


def test_no_repository_has_no_places(tmp_path: Path) -> None:
    assert git_places(str(tmp_path), HOME) == GitPlaces()


def test_an_ordinary_repository(repository: Path) -> None:
    found = git_places(str(repository), HOME)
    assert found.outside == ()
    assert found.hooks == (str(repository / ".git/hooks"),)
    assert found.files == (str(repository / ".git/config"),)


def test_a_linked_work_tree_brings_its_repository(repository: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    git(repository, "worktree", "add", "-q", str(tree))
    found = git_places(str(tree), HOME)
    assert found.outside == (str(repository / ".git"),)
    assert found.hooks == (str(repository / ".git/hooks"),)
    assert set(found.files) == {str(tree / ".git"), str(repository / ".git/config")}


def test_a_submodule_and_the_repository_around_it(repository: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "add", "-q", str(repository), "deep/inner")
    module = str(outer / ".git/modules/deep/inner")
    inner = git_places(str(outer / "deep/inner"), HOME)
    assert inner.outside == (module,)
    assert set(inner.files) == {str(outer / "deep/inner/.git"), f"{module}/config"}
    around = git_places(str(outer), HOME)
    assert set(around.hooks) == {str(outer / ".git/hooks"), f"{module}/hooks"}
    assert set(around.files) == {str(outer / ".git/config"), f"{module}/config"}


@pytest.mark.parametrize("shape", ["nothing", "bare", "other tree"])
def test_a_pointer_to_what_does_not_know_of_this_work_tree_lets_nothing_in(
    repository: Path, tmp_path: Path, shape: str
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    if shape == "bare":
        git(secret, "init", "-q", "--bare")
    if shape == "other tree":
        git(repository, "worktree", "add", "-q", str(tmp_path / "tree"))
        secret = repository / ".git/worktrees/tree"
    workspace = tmp_path / "work"
    workspace.mkdir()
    (workspace / ".git").write_text(f"gitdir: {secret}\n")
    found = git_places(str(workspace), HOME)
    assert found == GitPlaces(files=(str(workspace / ".git"),))


@pytest.mark.parametrize(
    "line",
    [
        "hooksPath = .husky/_",
        'HooksPath=".husky/_" ; theirs',
        "hookspath = .hus\\\nky/_",
        "hooksPath = x/../.husky/_ # old",
    ],
)
def test_hooks_may_be_elsewhere(repository: Path, line: str) -> None:
    with (repository / ".git/config").open("a") as file:
        file.write(f"[core]\n\t{line}\n")
    assert str(repository / ".husky/_") in git_places(str(repository), HOME).hooks


def test_the_persons_own_configuration_counts_too(repository: Path, tmp_path: Path) -> None:
    (tmp_path / ".gitconfig").write_text("[core] hooksPath = .githooks\n")
    found = git_places(str(repository), str(tmp_path))
    assert str(repository / ".githooks") in found.hooks


def test_included_configuration_and_what_it_names(repository: Path) -> None:
    (repository / "tools").mkdir()
    (repository / "tools/gitconfig").write_text("[core]\nhooksPath = tools/hooks\n")
    git(repository, "config", "include.path", "../tools/gitconfig")
    git(repository, "config", "includeIf.gitdir:~/x/.path", "../other")
    found = git_places(str(repository), HOME)
    assert str(repository / "tools/gitconfig") in found.files
    assert str(repository / "other") in found.files
    assert str(repository / "tools/hooks") in found.hooks


def test_configuration_of_one_work_tree_where_git_reads_it(repository: Path) -> None:
    assert str(repository / ".git/config.worktree") not in git_places(str(repository), HOME).files
    git(repository, "config", "extensions.worktreeConfig", "true")
    assert str(repository / ".git/config.worktree") in git_places(str(repository), HOME).files
