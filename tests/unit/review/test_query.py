"""The filter line of the history."""

from __future__ import annotations

import time
from typing import Any

import pytest

from supervisor.errors import UsageError
from supervisor.review.query import parse

NOW = 1_790_000_000.0
RECORD: dict[str, Any] = {
    "v": 1, "seq": 7, "time": NOW - 60, "prev": "00", "hash": "abcdef", "kind": "use.allowed",
    "task": "t-1", "user": "ana@laptop", "agent": "claude-code 2.1.330", "call": "c-9",
    "effect": "POST api.github.com/repos/acme/shop", "outcome": "allow", "lease": "l-3",
    "policies": ["standard/outward.api", "user/mine"], "credential": "gh",
}  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "",
        "task:1",
        "task:t-1,t-2 decision:allow",
        "kind:use.*",
        "-kind:call.* -decision:deny",
        "host:api.github.com",
        "rule:standard/outward.api",
        "rule:user/*",
        "ACME/shop",
        '"POST api.github.com"',
        "since:5m",
        "since:5m until:30s",
        "user:ana agent:claude hash:abc credential:gh lease:l-3 call:c-9",
        "-curl",
        "decision:",
    ],
)
def test_it_matches(line: str) -> None:
    assert parse(line, NOW, lambda shown: {"1": "t-1"}.get(shown, shown)).matches(RECORD)


@pytest.mark.parametrize(
    "line",
    [
        "task:2",
        "-task:t-1",
        "decision:deny",
        "kind:use.denied",
        "host:example.com",
        "-acme",
        '"acme POST"',
        "until:5m",
        "since:30s",
        "hash:bcd",
        "00",  # the hash of the record before is no word of this one
        "effect",  # nor are the names of its fields
    ],
)
def test_it_does_not(line: str) -> None:
    assert not parse(line, NOW).matches(RECORD)


def test_a_time_of_today_and_a_day_are_the_persons_own() -> None:
    day = time.strftime("%Y-%m-%d", time.localtime(NOW))
    clock = time.strftime("%H:%M", time.localtime(NOW))
    assert NOW - parse(f"since:{clock}", NOW).since < 60
    assert time.localtime(parse(f"since:{day}", NOW).since)[3:6] == (0, 0, 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [("colour:red", "There is no field “colour”"), ("since:soon", "“soon” is not a time")],
)
def test_what_it_does_not_know_it_says(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse(line, NOW)
    assert caught.value.hint
