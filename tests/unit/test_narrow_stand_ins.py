"""A stand-in that git was given opens one repository, for one call."""

from __future__ import annotations

import pytest

from supervisor.calls.narrowing import Narrow, NarrowStandIns
from supervisor.errors import Denied
from supervisor.model import Effect, Verb

LIKE = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
APP = Narrow("github", "c-1", "github.com", "ana/app")


def request(path: str, host: str = "github.com") -> Effect:
    return Effect(Verb.HTTP, host, {"method": "GET", "path": path})


@pytest.fixture
def stand_ins() -> NarrowStandIns:
    return NarrowStandIns(lambda call: True)


@pytest.mark.parametrize(
    "path", ["/ana/app.git/info/refs", "/ana/app/git-upload-pack", "/Ana/App.git/info/lfs/x"]
)
def test_it_opens_its_repository(stand_ins: NarrowStandIns, path: str) -> None:
    text = stand_ins.give("t-1", APP, LIKE)
    assert text != LIKE
    assert (text[:4], len(text)) == (LIKE[:4], len(LIKE))
    assert stand_ins.resolve("t-1", "c-1", request(path), text) == "github"
    assert stand_ins.give("t-1", APP, LIKE) == text


@pytest.mark.parametrize("path", ["/ana/app2.git/info/refs", "/ana", "/"])
def test_it_opens_no_other(stand_ins: NarrowStandIns, path: str) -> None:
    text = stand_ins.give("t-1", APP, LIKE)
    with pytest.raises(Denied) as refusal:
        stand_ins.resolve("t-1", "c-1", request(path), text)
    assert "github.com/ana/app" in refusal.value.message
    assert text not in str(refusal.value)


def test_it_is_nothing_to_another_call_or_task(stand_ins: NarrowStandIns) -> None:
    text = stand_ins.give("t-1", APP, LIKE)
    with pytest.raises(Denied):
        stand_ins.resolve("t-1", "c-2", request("/ana/app.git/info/refs"), text)
    assert stand_ins.resolve("t-2", "c-1", request("/ana/app.git/info/refs"), text) == ""


def test_at_another_host_it_is_known_for_what_it_is(stand_ins: NarrowStandIns) -> None:
    """So that the canary sings."""
    text = stand_ins.give("t-1", APP, LIKE)
    assert stand_ins.resolve("t-1", "c-1", request("/", "evil.example"), text) == "github"


def test_those_of_calls_that_ended_are_forgotten() -> None:
    opened = {"c-1"}
    stand_ins = NarrowStandIns(opened.__contains__)
    text = stand_ins.give("t-1", APP, LIKE)
    opened.clear()
    stand_ins.give("t-1", Narrow("github", "c-2", "github.com", "ana/lib"), LIKE)
    assert stand_ins.resolve("t-1", "c-1", request("/ana/app/x"), text) == ""
