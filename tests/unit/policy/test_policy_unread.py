"""A command that could not be read beforehand reaches nothing without a question."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.model import Effect, Outcome, Verb
from supervisor.policy.engine import CedarEngine
from tests.support.judging import situation

HOST = "api.example.com"


@pytest.mark.parametrize(
    "effect",
    [
        Effect(Verb.HTTP, HOST, {"method": "GET", "path": "/a"}),
        Effect(Verb.HTTP, HOST, {"method": "POST", "path": "/r.git/git-upload-pack"}),
        Effect(Verb.HTTP, "127.0.0.1:8000", {"method": "GET", "path": "/"}),
        Effect(Verb.CONNECT, "127.0.0.1:5432", {"port": 5432}),
    ],
    ids=lambda effect: effect.label,
)
def test_what_goes_on_for_a_command_that_was_read_asks_for_one_that_was_not(effect: Effect) -> None:
    policy = CedarEngine.load()
    judged = situation("/work")
    assert policy.decide([effect], judged).outcome is Outcome.ALLOW
    assert policy.decide([effect], replace(judged, unread=True)).outcome is Outcome.ASK
