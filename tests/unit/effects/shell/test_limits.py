"""Texts that nobody would write in earnest: a decision in bounded time, and never allow."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.effects.files import Place
from supervisor.effects.shell import shell_effects
from supervisor.model import Effect, Verb

_PLACE = Place("/work", "/home/ana")
_BOUND = 0.5  # seconds of computing: the goal is 0.05, and a busy machine is slow

EXCESSIVE = {
    "a megabyte of one word": "a" * 1_000_000,
    "a megabyte of pipes": "a b|" * 250_000,
    "binary junk": "\x00\xff\x01(<" * 30_000,
    "10,000 equal segments": "echo a; " * 10_000,
    "10,000 segments": "".join(f"echo {number}; " for number in range(10_000)),
    "10,000 programs": "".join(f"x{number} y; " for number in range(10_000)),
    "1,000 subshells": "(" * 1000 + "a" + ")" * 1000,
    "1,000 substitutions": "$(" * 1000 + "a" + ")" * 1000,
    "1,000 groups": "{ " * 1000 + "a" + "; }" * 1000,
    "10,000 words": "echo " + "a " * 10_000,
    "10,000 redirections": ">a " * 10_000,
    "loops in loops": "for a in 1 2 3 4 5 6 7 8; do " * 12 + "ls; " + "done; " * 12,
    "functions of functions": "".join(
        f"f{level}() {{ f{level + 1}; f{level + 1}; f{level + 1}; f{level + 1}; }}; "
        for level in range(8)
    )
    + "f0; ",
    "bytes that are no text": "echo \udcff; ",
    "a character that turns the text around": "echo \u202e; ",
    "a character without width": "echo \u200b; ",
    "a carriage return": "echo a\r\n",
    "an escape": "echo \x1b[2J; ",
}
UNREADABLE = {
    "a function that calls itself": "f() { f; f; f; }; f; ",
    "open arrays": "a=(" * 20_000,
    "open tests": "[[ (" * 15_000,
    "open documents": "<<a " * 15_000,
    "open quotes": '"$(' * 20_000,
    "quotes": "'" * 60_001,
    "backticks": "`" * 60_001,
    "backslashes": "\\" * 60_001,
    "parentheses": "(( " * 20_000,
}


def judged(text: str) -> tuple[Effect, ...]:
    start = time.process_time()
    effects = shell_effects(text, "/work", _PLACE)
    assert time.process_time() - start < _BOUND
    return effects


@pytest.mark.parametrize("text", EXCESSIVE.values(), ids=EXCESSIVE.keys())
def test_what_is_beyond_reading_is_never_allowed(text: str) -> None:
    effects = judged(text)
    assert any(e.verb is Verb.OTHER for e in effects)
    assert any(e.attributes.get("uninspectable") for e in effects)


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_not_closed_is_not_inspectable(text: str) -> None:
    assert any(e.attributes.get("uninspectable") for e in judged(text))


@pytest.mark.parametrize("filler", [v for k, v in EXCESSIVE.items() if "megabyte" not in k])
def test_a_deletion_shows_behind_anything(filler: str) -> None:
    effects = judged(f"{filler}\nrm -rf /srv/x")
    assert any(e.verb is Verb.DELETE and e.resource == "/srv/x" for e in effects)


@pytest.mark.parametrize("count", [1, 50, 51, 400, 1_000, 10_000])
def test_no_number_of_segments_hides_one(count: int) -> None:
    for separator in ("; ", " && ", " | ", "\n", " & "):
        effects = judged(separator.join(["echo a"] * count + ["rm -rf /srv/x"]))
        assert any(e.verb is Verb.DELETE and e.resource == "/srv/x" for e in effects)


GLOBS = {
    "equal ones": "cat " + "/*/*/* " * 100,
    "different ones": "cat "
    + " ".join(f"/*/*/*{a}{b}*" for a in "abcdefghij" for b in "eaiostlnrc"),
    "one for each command": "cat /*/*/*; " * 100,
    "of loops": "for f in " + "/*/*/* " * 100 + "; do cat $f; done",
    "that match nothing": "cat " + " ".join(f"/*/*/*/{number}-none*" for number in range(100)),
}


@pytest.mark.parametrize("text", GLOBS.values(), ids=GLOBS.keys())
def test_patterns_of_files_share_one_budget(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def counted(ask: Callable[..., Any]) -> Callable[..., Any]:
        def answer(*arguments: Any) -> Any:
            nonlocal asked
            asked += 1
            return ask(*arguments)

        return answer

    for module, name in ((os, "scandir"), (os.path, "realpath"), (os.path, "lexists")):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    assert judged(text)
    assert asked < 8_000  # questions to the file system


def test_a_command_that_names_more_files_than_are_seen_is_not_inspectable(tmp_path: Path) -> None:
    for directory in range(20):
        (tmp_path / str(directory)).mkdir()
        for file in range(50):
            (tmp_path / str(directory) / f"{file}.txt").touch()
    place = Place(str(tmp_path), "/home/ana")
    few = shell_effects("cat 1/*.txt 2/*.txt", str(tmp_path), place)
    assert not any(e.attributes.get("uninspectable") for e in few)
    many = shell_effects(
        " ".join(["cat", *(f"{n}/*.txt" for n in range(20))]), str(tmp_path), place
    )
    assert any(e.attributes.get("uninspectable") for e in many)


def test_a_pattern_stands_for_what_it_matches_as_the_shell_does(tmp_path: Path) -> None:
    for name in ("a/one.txt", "a/.two.txt", "b/three.txt", "b/x[1].txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    place = Place(str(tmp_path), "/home/ana")

    def read(pattern: str) -> set[str]:
        effects = shell_effects(f"cat {pattern}", str(tmp_path), place)
        found = {e.resource for e in effects if e.verb is Verb.READ}
        return {path.removeprefix(f"{tmp_path}/") for path in found if os.path.exists(path)}

    assert read("*/*.txt") == {"a/one.txt", "b/three.txt", "b/x[1].txt"}
    assert read("*/.t*") == {"a/.two.txt"}
    assert read("?/t[a-h]ree.txt") == {"b/three.txt"}
    assert read("a/../b/th*") == {"b/three.txt"}
    assert read("*/one.txt") == {"a/one.txt"}
