"""The supervisor's own requests go by the network's proxy, as tasks' do."""

from __future__ import annotations

import pytest

from supervisor.channels.http.upstream import from_url
from supervisor.config import Config
from supervisor.own_way import OwnWay

API = "https://api.github.com/app"


def test_without_a_word_it_goes_directly() -> None:
    assert OwnWay(Config()).via(API) is None


def test_it_goes_as_the_last_task_that_was_started() -> None:
    way = OwnWay(Config())
    way.learn(from_url("HTTPS_PROXY", "http://ana:p%40ss@proxy.corp:3128", [".corp"]))
    assert way.via(API) == ("http://proxy.corp:3128", "Basic YW5hOnBAc3M=")
    assert way.via("https://git.corp/api") is None
    assert way.via("https://localhost:8443/api") is None


@pytest.mark.parametrize("configured", ["http://other.corp:8080", "none"])
def test_the_configuration_has_the_last_word(configured: str) -> None:
    way = OwnWay(Config(proxy=configured))
    way.learn(from_url("HTTPS_PROXY", "http://proxy.corp:3128"))
    found = way.via(API)
    assert found == (None if configured == "none" else (configured, ""))
