"""Doors: a file from outside is in a running container for one call, and gone after it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.accounts import Account, Drive

pytest_plugins = ("tests.support.task_fixtures",)

PLACES = ("home", "outside")


@pytest.fixture(scope="module")
def _seen() -> dict[str, Any]:
    return {}


@pytest.fixture
def outside(account: Account) -> Iterator[Path]:
    """A directory of the account's where the container has none: not in its home, nor in /tmp.

    Only root can make one; without it, another one in the home.
    """
    above = "/srv" if os.geteuid() == 0 else account.home
    made = Path(tempfile.mkdtemp(prefix="taskpass-", dir=above))
    os.chown(made, account.uid, -1)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def seen(drive: Drive, account: Account, outside: Path, _seen: dict[str, Any]) -> dict[str, Any]:
    """The whole scenario, once an account."""
    if account.name not in _seen:
        home = Path(tempfile.mkdtemp(prefix="taskpass-home-", dir=account.home))
        os.chown(home, account.uid, -1)
        try:
            _seen[account.name] = drive("doors", outside=str(outside), below=str(home))
        finally:
            shutil.rmtree(home)
    found: dict[str, Any] = _seen[account.name]
    return found


@pytest.mark.parametrize("place", PLACES)
def test_a_file_is_absent_there_while_its_door_is_open_and_absent_again(
    seen: dict[str, Any], place: str
) -> None:
    found = seen[place]
    assert all("No such file" in line for line in found["before"])
    assert found["open"] == ""
    assert found["during"][:2] == ["real", "todo"]
    assert found["real"][0] == "real\nmore\n", "written to while open, and not removed"
    assert "No such file" in found["after"][0]
    assert "real" not in found["after"]


@pytest.mark.parametrize("place", PLACES)
def test_its_neighbours_are_neither_seen_nor_written(seen: dict[str, Any], place: str) -> None:
    assert "nobody's business" not in seen[place]["during"]
    assert seen[place]["beside"] is False


@pytest.mark.parametrize("place", PLACES)
def test_a_new_file_is_put_in_place_when_the_call_is_over(seen: dict[str, Any], place: str) -> None:
    found = seen[place]
    assert found["not_yet"] is False
    problem, path = found["close"]
    assert problem == ""
    assert path.endswith("/fresh/deep/made")
    assert found["real"][1:] == ["made\n", "0o755"], "no setuid bit comes out"
    assert found["dropped"] is False, "what is not to be published stays inside"


@pytest.mark.parametrize("place", PLACES)
def test_a_new_file_takes_the_place_of_no_other(seen: dict[str, Any], place: str) -> None:
    problem, content = seen[place]["taken"]
    assert "could not be put in place" in problem
    assert content == "mine"


@pytest.mark.parametrize("place", PLACES)
def test_what_is_to_be_read_cannot_be_written(seen: dict[str, Any], place: str) -> None:
    assert seen[place]["read_only"] == ["real", "more", "refused"]
    assert seen[place]["directory"][0] == "nobody's business"
    assert "Read-only" in seen[place]["directory"][1]


def test_a_new_directory_is_put_in_place_with_what_is_in_it(seen: dict[str, Any]) -> None:
    assert seen["tree"] == "leaf\n"


def test_what_is_no_file_or_would_fill_the_disk_is_not_put_in_place(seen: dict[str, Any]) -> None:
    assert "could not be put in place" in seen["vast"][0]
    assert seen["vast_there"] is False


def test_a_link_outside_is_followed_to_what_was_judged(seen: dict[str, Any]) -> None:
    assert seen["linked"] == ["real", "more"]


def test_links_inside_and_out_lead_a_door_nowhere_else(seen: dict[str, Any]) -> None:
    assert "cannot be opened" in seen["sly"]
    assert "cannot be opened" in seen["swapped"]
    assert "covered" in seen["covered"]


def test_each_call_has_its_own_doors(seen: dict[str, Any]) -> None:
    assert seen["two"] == ""
    assert seen["other_stays"][0] == "nobody's business"
    assert "real" not in seen["other_stays"]


def test_doors_that_nobody_remembers_are_closed(seen: dict[str, Any]) -> None:
    assert "No such file" in seen["adopted_again"][0]


def test_the_end_leaves_nothing_mounted_and_the_files_as_they_were(seen: dict[str, Any]) -> None:
    assert seen["left"] == 0
    assert seen["mounted"] == []
    assert seen["real"] == "real\nmore\n"
