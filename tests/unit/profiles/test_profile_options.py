"""An option taken out of an agent's command line, as that agent reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.options import commander, yargs

WORDS = st.lists(st.sampled_from(["-p", "x", "--a", "--a=1", "y", "--", "--b"]), max_size=8)


@given(WORDS, st.booleans())
def test_the_rest_of_a_command_line_of_yargs_stays_in_its_order(
    words: list[str], several: bool
) -> None:
    rest, values = yargs(words, "--a", several=several)
    before = words[: words.index("--")] if "--" in words else words
    assert "--a" not in rest[: len(rest) - (len(words) - len(before))]
    kept = iter(words)
    assert all(word in kept for word in rest)
    assert len(rest) + len(values) == len(words) - sum(word == "--a" for word in before)


@given(WORDS, st.booleans())
def test_the_rest_of_a_command_line_of_commander_stays_in_its_order(
    words: list[str], several: bool
) -> None:
    rest, values = commander(words, "--a", several=several)
    own = rest[: rest.index("--")] if "--" in rest else rest
    assert not {"--a", "--a=1"} & set(own)
    kept = iter(words)
    assert all(word in kept for word in rest)
    assert set(values) <= {*words, "1", ""}


@pytest.mark.parametrize(
    ("words", "several", "rest", "values"),
    [
        (["--a", "1", "2", "-p"], False, ["2", "-p"], ["1"]),
        (["--a", "1", "2", "-p"], True, ["-p"], ["1", "2"]),
        (["--a=1", "2"], True, ["2"], ["1"]),
        (["--a", "-p"], False, [], ["-p"]),  # whatever it is
        (["--a", "-p", "1", "-x"], True, ["-x"], ["-p", "1"]),
        (["x", "--a"], False, ["x"], [""]),
        (["x", "--a"], True, ["x"], [""]),
        (["--a", "1", "--", "--a", "2"], False, ["--", "--a", "2"], ["1"]),
    ],
)
def test_commander(words: list[str], several: bool, rest: list[str], values: list[str]) -> None:
    assert commander(words, "--a", several=several) == (rest, values)


@pytest.mark.parametrize(
    ("words", "several", "rest", "values"),
    [
        (["--a", "1", "2", "-p"], False, ["2", "-p"], ["1"]),
        (["--a", "1", "2", "-p"], True, ["-p"], ["1", "2"]),
        (["--a=1", "2"], True, [], ["1", "2"]),
        (["--a=1", "2"], False, ["2"], ["1"]),
        (["--a", "-p"], False, ["-p"], []),
        (["x", "--a"], False, ["x"], []),
        (["--a", "1", "--", "--a", "2"], True, ["--", "--a", "2"], ["1"]),
    ],
)
def test_yargs(words: list[str], several: bool, rest: list[str], values: list[str]) -> None:
    assert yargs(words, "--a", several=several) == (rest, values)
