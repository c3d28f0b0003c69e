"""Patterns of paths, as people write them and as a hostile project might."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from supervisor.process.patterns import expand


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "a/one.key",
        "a/b/two.key",
        "a/b/.hidden",
        "c/three.txt",
        "[d]/x",
        "node_modules/y",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a/one.key", {"a/one.key"}),
        ("a/*.key", {"a/one.key"}),
        ("**/*.key", {"a/one.key", "a/b/two.key"}),
        ("**/b/**/*.key", {"a/b/two.key"}),
        ("a/**", {"a"}),
        ("a/**/.h*", {"a/b/.hidden"}),
        ("?/three.txt", {"c/three.txt"}),
        ("[ac]/*", {"a/one.key", "a/b", "c/three.txt"}),
        ("[[]d]/x", {"[d]/x"}),
        ("missing/**", set()),
        ("a/one.key/**/x", set()),
    ],
)
def test_what_a_pattern_stands_for(tree: Path, pattern: str, found: set[str]) -> None:
    assert {os.path.relpath(path, tree) for path in expand(pattern, str(tree), 10)} == found


def test_many_wildcards_take_no_longer_than_one(tree: Path) -> None:
    for number in range(200):
        (tree / f"deep/{number % 10}/{number}/x/y").mkdir(parents=True)
    began = time.monotonic()
    assert expand("**/*/" * 12 + "none", str(tree), 60) == []
    assert time.monotonic() - began < 30


def test_the_time_is_bounded(tree: Path) -> None:
    with pytest.raises(TimeoutError):
        expand("**/*.key", str(tree), -1)
