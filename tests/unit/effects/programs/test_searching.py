"""A search reads every file it goes through, the secret ones among them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.effects.files import Place
from supervisor.effects.shell import shell_effects
from supervisor.model import Outcome, Verb
from supervisor.policy.engine import CedarEngine
from supervisor.policy.evaluate import Evaluator

SECRETS = {".env", "src/.env.local", "config/master.key"}
Read = Callable[[str], set[str]]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "ws"
    for name in (*SECRETS, "src/a.py", ".env.example", "README.md", "node_modules/x/.env"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("KEY=1\n")
    return root


@pytest.fixture
def secrets(workspace: Path) -> Read:
    """The secret files that a command reads, from the workspace on."""

    def read(command: str) -> set[str]:
        place = Place.of(str(workspace), "/home/ana")
        effects = shell_effects(command, str(workspace), place)
        found = {e.resource for e in effects if e.verb is Verb.READ and e.attributes["label"]}
        return {path.removeprefix(f"{workspace}/") for path in found}

    return read


@pytest.mark.parametrize(
    "command",
    [
        "grep -r KEY .", "grep -rn KEY", "grep -R KEY . | head", "egrep -r KEY .", "rgrep KEY",
        "grep --recursive KEY .", "grep -d recurse KEY .", "grep --directories=recurse -e KEY .",
        "cd src && grep -r KEY ..", "grep -rlZ KEY . | xargs -0 cat", "grep -r KEY ./*",
    ],
)  # fmt: skip
def test_a_recursive_grep_reads_the_secrets_of_the_tree(secrets: Read, command: str) -> None:
    assert secrets(command) >= SECRETS - ({".env"} if command.endswith("*") else set())


def test_a_grep_reads_what_it_is_not_kept_from(secrets: Read) -> None:
    assert secrets("grep -r KEY src") == {"src/.env.local"}
    assert secrets("grep KEY src/a.py README.md") == set()
    assert secrets("grep -r --include='*.py' KEY .") == set()
    assert secrets("grep -r --exclude='.env*' KEY .") == {"config/master.key"}
    assert secrets("grep -r --exclude-dir=src --exclude-dir config KEY .") == {".env"}
    assert secrets("grep -r --exclude='*' --include='.env' KEY .") == {".env"}
    assert secrets("cat README.md | grep KEY") == set()


@pytest.mark.parametrize(
    "options",
    ["--hidden", "-.", "-uu", "-u -u", "-uuu", "-nuu", "--hidden --no-ignore"],
)  # fmt: skip
def test_ripgrep_reads_hidden_files_when_it_is_told_to(secrets: Read, options: str) -> None:
    assert secrets(f"rg {options} KEY") == SECRETS
    assert secrets(f"rg KEY src {options}") == {"src/.env.local"}


def test_ripgrep_passes_by_what_it_does_not_search(secrets: Read, workspace: Path) -> None:
    assert secrets("rg KEY") == {"config/master.key"}
    assert secrets("rg --hidden -g '!.env*' KEY") == {"config/master.key"}
    assert secrets("rg --hidden -g '*.py' KEY") == set()
    assert secrets("rg --hidden -tpy KEY") == set()
    assert secrets("rg -g '.env' KEY") == {".env"}
    assert secrets("rg --hidden --files") == set()
    assert secrets("cat README.md | rg --hidden KEY") == set()
    (workspace / ".git").mkdir()
    (workspace / ".gitignore").write_text(".env*\n!.env.example\n/config/*.key\n")
    assert secrets("rg --hidden KEY") == set()
    assert secrets("rg KEY config") == set()
    assert secrets("rg -uu KEY") == SECRETS
    assert secrets("rg --hidden --no-ignore-vcs KEY") == SECRETS
    assert secrets("echo > .gitignore; rg --hidden KEY") == SECRETS
    assert secrets("grep -r KEY .") == SECRETS  # which knows nothing of git


@pytest.mark.parametrize(
    "command",
    [
        "find . -type f | xargs grep KEY", "find . -type f -exec cat {} +",
        "find src config -type f -print0 | xargs -0 cat", "find . -name '.e*' -exec cat {} +",
    ],
)  # fmt: skip
def test_what_is_found_everywhere_is_read_everywhere(secrets: Read, command: str) -> None:
    assert secrets(command) >= {"src/.env.local"}


@pytest.mark.parametrize(
    "command",
    [
        "find . -name '*.py' -exec grep KEY {} +", "find . -not -path '*/.*' -type f | xargs wc -l",
        "find . -path ./src -prune -o -name '*.md' -print | xargs cat", "find . -type f | wc -l",
        "find . -maxdepth 1 -name '*.md' -exec cat {} +", "find docs -type f | xargs cat",
    ],
)  # fmt: skip
def test_what_is_picked_out_is_not_taken_for_the_secrets(secrets: Read, command: str) -> None:
    assert secrets(command) == set()


def test_what_a_search_comes_by_is_told_from_what_is_named(workspace: Path) -> None:
    place = Place.of(str(workspace), "/home/ana")
    for command, passing in (("grep -r KEY .", True), ("grep KEY .env", None), ("cat .e*", None)):
        effects = shell_effects(command, str(workspace), place)
        told = [e.attributes.get("passing") for e in effects if e.resource == f"{workspace}/.env"]
        assert told == [passing], command


def test_links_are_followed_where_the_program_does(secrets: Read, workspace: Path) -> None:
    outside = workspace.parent / "other"
    outside.mkdir()
    (outside / ".env").touch()
    (workspace / "src" / "link").symlink_to(outside)
    assert secrets("grep -r KEY src") == {"src/.env.local"}
    assert f"{outside}/.env" in secrets("grep -R KEY src")


def test_a_search_through_a_large_tree_takes_a_bounded_time(tmp_path: Path) -> None:
    for directory in range(40):
        (tmp_path / f"d{directory}").mkdir()
        for file in range(100):
            (tmp_path / f"d{directory}" / f"{file}.py").touch()
    (tmp_path / "d0" / ".env").touch()
    (tmp_path / ".env").touch()
    place = Place.of(str(tmp_path), "/home/ana")
    before = time.process_time()
    effects = shell_effects("grep -r KEY .; " * 60, str(tmp_path), place)
    assert time.process_time() - before < 0.5  # a goal of 0.05, and a busy machine is slow
    assert any(e.resource == f"{tmp_path}/.env" for e in effects)
    # What is no longer gone through may hold more.
    assert any(e.attributes.get("uninspectable") for e in effects)
    assert not any(
        e.attributes.get("uninspectable")
        for e in shell_effects("grep -r KEY . d1; grep -r KEY d2", str(tmp_path), place)
    )


def test_such_a_search_is_refused_with_a_way_that_works(workspace: Path) -> None:
    judge = Evaluator(CedarEngine.load(), True, str(workspace), "/home/ana")
    refused = judge.evaluate({"command": "grep -rn KEY .", "cwd": str(workspace)})
    assert refused.decision is Outcome.DENY
    other = "grep -rn --exclude='.env*' --exclude='*.key' KEY ."
    assert judge.evaluate({"command": other, "cwd": str(workspace)}).decision is Outcome.ALLOW
