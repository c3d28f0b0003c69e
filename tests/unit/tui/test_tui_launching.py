"""What is typed into the new-task dialog, read; and the work tree that it can ask for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.errors import UsageError
from tests.support.repositories import a_repository, git
from tui import worktree
from tui.launching import read


def test_limits_become_fields_of_the_request(tmp_path: Path) -> None:
    wanted = read(
        "codex 'fix it'", " docs ", str(tmp_path), "",
        "minutes=90 calls=500 changes=20 memory=4G cpus=1.5 processes=200", "strict",
        "record overlay",
    )  # fmt: skip
    assert wanted.options == {"overlay", "record"}
    assert (wanted.argv, wanted.purpose, wanted.preset) == (("codex", "fix it"), "docs", "strict")
    assert wanted.limits == {
        "max_age": 5400, "max_calls": 500, "max_changes": 20, "memory": 4 << 30, "cpus": 1.5,
        "processes": 200,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "preset", "sentence"),
    [
        ("age=5", "", "“age=5” is no limit."),
        ("calls", "", "“calls” is no limit."),
        ("calls=-1", "", "“calls=-1” is no limit."),
        ("calls=nan", "", "“calls=nan” is no limit."),
        ("calls=inf", "", "“calls=inf” is no limit."),
        ("memory=lots", "", "'lots' is no size."),
        ("", "loose", "There is no preset “loose”."),
    ],
)
def test_what_is_no_limit_and_no_preset_is_one_sentence(
    limits: str, preset: str, sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        read("claude", "", "/tmp", "", limits, preset)


def test_an_option_that_is_none_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="There is no option “rec”"):
        read("claude", "", "/tmp", options="record rec")


def test_a_branch_is_proposed_from_the_purpose() -> None:
    assert worktree.proposed("Fix the flaky checkout test!") == "agent/fix-the-flaky-checkout-test"
    assert worktree.proposed("") == worktree.proposed("… ?") == ""


@given(st.text(max_size=200))
def test_what_is_proposed_can_be_a_branch(purpose: str) -> None:
    name = worktree.proposed(purpose)
    if name:
        git = subprocess.run(["git", "check-ref-format", "--branch", name], capture_output=True)
        assert git.returncode == 0, name


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "shop")


async def test_a_work_tree_is_made_beside_the_repository(repository: Path) -> None:
    made = await worktree.add(str(repository / "src"), "agent/flaky")
    assert made.cwd == str(repository.parent / "shop.worktrees" / "flaky" / "src")
    assert git(Path(made.cwd), "status", "--short") == "", "all that was committed is there"
    assert git(Path(made.path), "branch", "--show-current").strip() == "agent/flaky"
    again = await worktree.add(made.cwd, "agent/other")
    assert again.path == str(repository.parent / "shop.worktrees" / "other"), "not below another"
    await worktree.remove(made)
    assert made.path not in git(repository, "worktree", "list")
    assert "agent/flaky" not in git(repository, "branch")


async def test_a_hook_of_the_repository_does_not_run(repository: Path, tmp_path: Path) -> None:
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    await worktree.add(str(repository), "agent/flaky")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("branch", "sentence"),
    [
        ("main", "git made no work tree: a branch named 'main' already exists."),
        ("a..b", "git made no work tree: 'a..b' is not a valid branch name."),
        ("-f", "“-f” is no branch name."),
    ],
)
async def test_why_git_made_none_is_one_sentence(
    repository: Path, branch: str, sentence: str
) -> None:
    with pytest.raises(UsageError) as caught:
        await worktree.add(str(repository), branch)
    assert sentence in str(caught.value)


async def test_outside_a_repository_there_is_none_to_make(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"There is no git repository around {tmp_path}"):
        await worktree.add(str(tmp_path), "agent/flaky")


async def test_without_git_it_is_said(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UsageError, match="git is not installed"):
        await worktree.add(str(repository), "agent/flaky")
