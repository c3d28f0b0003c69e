"""Which files of a workspace hold secrets."""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from supervisor.process import search
from supervisor.process.search import secrets_in
from supervisor.process.secret_places import exposed


def names(tree: Path, *, strict: bool = False, seconds: float = 10.0) -> set[str]:
    result = secrets_in([str(tree)], strict=strict, seconds=seconds)
    return {os.path.relpath(path, tree) for path in result.paths}


def put(tree: Path, *paths: str, text: str = "x") -> None:
    for path in paths:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)


def track(tree: Path, *paths: str) -> None:
    subprocess.run(["git", "init", "-q", tree], check=True)
    subprocess.run(["git", "-C", tree, "add", "-f", *paths], check=True)


def test_dotenv_files_but_not_their_models(tmp_path: Path) -> None:
    secret = {".env", ".env.local", ".env.production", "app/.env", "app/prod.env.local"}
    plain = {".env.example", ".env.sample", "app/.env.template", ".env.dist", ".environment", "env"}
    put(tmp_path, *secret, *plain)
    assert names(tmp_path) == secret


def test_credential_stores_of_a_home_kept_in_a_project(tmp_path: Path) -> None:
    put(tmp_path, "home/.ssh/id_rsa", "home/.aws/config", ".config/gh/hosts.yml", ".config/fine")
    put(tmp_path, ".docker/config.json", "docker/config.json", ".netrc", ".git-credentials")
    assert names(tmp_path) == {
        "home/.ssh", "home/.aws", ".config/gh", ".docker/config.json", ".netrc", ".git-credentials",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("registry=https://npm.corp.test/\n", False),
        ("//npm.corp.test/:_authToken=${NPM_TOKEN}\n", False),
        ("//npm.corp.test/:_authToken=npm_abcdef\n", True),
        ("_auth=dXNlcjpwYXNz\n", True),
    ],
)
def test_registry_settings_only_with_a_log_in_in_them(
    tmp_path: Path, text: str, secret: bool
) -> None:
    put(tmp_path, ".npmrc", text=text)
    assert names(tmp_path) == ({".npmrc"} if secret else set())


def test_places_of_other_peoples_code_are_not_searched(tmp_path: Path) -> None:
    put(
        tmp_path, "node_modules/x/.env", "vendor/.env", ".venv/.env", ".git/.env", ".env/pyvenv.cfg"
    )
    assert names(tmp_path) == set()


def test_what_git_tracks_is_left_but_in_strict(tmp_path: Path) -> None:
    put(tmp_path, ".env", "a/.env", "b/.env.local", "home/.aws/config", "home/.ssh/id")
    track(tmp_path, ".env", "a/.env", "home/.aws/config")
    assert names(tmp_path) == {"b/.env.local", "home/.ssh"}
    assert names(tmp_path, strict=True) == {
        ".env", "a/.env", "b/.env.local", "home/.aws", "home/.ssh",
    }  # fmt: skip


def test_a_name_that_another_tracked_name_ends_with_is_not_tracked(tmp_path: Path) -> None:
    put(tmp_path, ".env", "x.env", "deep/.env", "deep/.env.local.example")
    track(tmp_path, "x.env", "deep/.env.local.example")
    assert names(tmp_path) == {".env", "deep/.env"}


def test_a_repository_inside_has_its_own_index(tmp_path: Path) -> None:
    put(tmp_path, "inner/.env", "inner/.env.local", ".env")
    track(tmp_path / "inner", ".env")
    track(tmp_path)
    assert names(tmp_path) == {"inner/.env.local", ".env"}


def test_links_are_followed_to_what_they_name_and_not_out(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    put(tree, "config/production")
    put(tmp_path, "outside")
    (tree / ".env").symlink_to("config/production")
    (tree / ".env.local").symlink_to(tmp_path / "outside")
    (tree / "loop").symlink_to(tree)
    assert names(tree) == {"config/production"}


def test_every_name_of_a_file_with_several(tmp_path: Path) -> None:
    put(tmp_path, ".env")
    os.link(tmp_path / ".env", tmp_path / "notes.txt")
    assert names(tmp_path) == {".env", "notes.txt"}


def test_it_says_when_the_time_was_over_and_has_looked_at_the_nearest(tmp_path: Path) -> None:
    put(tmp_path, ".env", "deep/.env")
    late = secrets_in([str(tmp_path)], strict=False, seconds=-1)
    assert (late.paths, late.complete) == ((str(tmp_path / ".env"),), False)
    found = secrets_in([str(tmp_path)], strict=False, seconds=10)
    assert (len(found.paths), found.complete) == (2, True)


def test_a_machine_that_has_no_time_for_it_cuts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "deep/.env")
    clock = itertools.count(step=0.04)  # by the clock more than it may take, each time it looks
    own = SimpleNamespace(monotonic=lambda: next(clock), thread_time=time.thread_time)
    monkeypatch.setattr(search, "time", own)
    found = secrets_in([str(tmp_path)], strict=False, seconds=0.03)
    assert (len(found.paths), found.complete) == (1, True)


def test_an_uncontained_agent_is_told_to_read_only_what_exists(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".netrc").write_text("")
    assert exposed(str(tmp_path)) == ("~/.ssh", "~/.netrc")
