"""A tool call reaches an API with a credential it never sees."""

from __future__ import annotations

import pytest

from tests.support.live import ApiServer, Install

CURL = 'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN"'


def test_a_contained_program_reaches_the_api_with_a_stand_in(
    install: Install, api: ApiServer
) -> None:
    done = install.cli("run", "--headless", "--", "sh", "-c", f"{CURL} https://{api.host}/me")
    assert (done.returncode, done.stdout) == (0, '{"hello": "ana"}'), done.stderr
    assert api.accepted == ["GET /me"]


def test_the_stand_in_alone_is_worth_nothing(install: Install, api: ApiServer) -> None:
    done = install.cli("run", "--headless", "--", "sh", "-c", "echo $API_TOKEN")
    stand_in = done.stdout.strip()
    assert stand_in.startswith("real-") is False or stand_in != api.token
    assert len(stand_in) == len(api.token)
    assert stand_in != api.token


@pytest.mark.parametrize("verb", ["DELETE"])
def test_what_asks_is_not_done_when_nobody_answers(
    install: Install, api: ApiServer, verb: str
) -> None:
    config = install.paths.config / "config.toml"
    install.configure("[approvals]\ntimeout = 1\n" + config.read_text())
    install.cli("stop")
    done = install.cli(
        "run", "--headless", "--", "sh", "-c", f"{CURL} -X {verb} https://{api.host}/me"
    )
    assert "time" in done.stdout, done.stdout
    assert api.accepted == []
