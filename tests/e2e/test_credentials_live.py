"""A tool call reaches an API with a credential it never sees."""

from __future__ import annotations

import json

import pytest

from tests.support.live import ApiServer, Install, wait_for

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


def test_a_credential_is_tried_rotated_and_removed(install: Install, api: ApiServer) -> None:
    tried = install.cli("credential", "test", "api", "/me")
    assert (tried.returncode, tried.stdout) == (
        0, f"api: GET https://{api.host}/me answered 200\n",
    ), tried.stderr  # fmt: skip
    rotated = install.cli("credential", "rotate", "api", stdin="an-old-token-of-somebody-else\n")
    assert (rotated.returncode, rotated.stdout) == (0, "rotated: api\n"), rotated.stderr
    refused = install.cli("credential", "test", "api", "/me", "--json")
    assert refused.returncode == 1, refused.stderr
    assert json.loads(refused.stdout)["result"]["status"] == 401
    back = install.cli("credential", "rotate", "api", stdin=api.token + "\n")
    assert back.returncode == 0, back.stderr
    assert api.seen[-1][1] == "Bearer an-old-token-of-somebody-else"
    done = install.cli("run", "--headless", "--", "sh", "-c", f"{CURL} https://{api.host}/me")
    assert done.returncode == 0, done.stderr
    removed = install.cli("credential", "remove", "api")
    assert (removed.returncode, removed.stdout) == (0, "removed: api\n"), removed.stderr
    assert install.cli("credential", "test", "api").returncode == 1
    kinds = [record["kind"] for record in install.records() if "credential" in record["kind"]]
    assert kinds == [
        "credential.added", "credential.tested", "credential.rotated", "credential.tested",
        "credential.rotated", "credential.removed",
    ]  # fmt: skip
    said = tried.stdout + refused.stdout + rotated.stdout + removed.stdout
    assert api.token not in said


def test_rotating_and_removing_cut_what_is_lent(install: Install, api: ApiServer) -> None:
    for verb, stdin in (("rotate", api.token + "\n"), ("remove", "")):
        before = len(api.accepted)
        task = install.popen(
            "run", "--headless", "--", "sh", "-c", f"{CURL} -N -m 60 https://{api.host}/stream"
        )
        wait_for(lambda seen=before: len(api.accepted) > seen, "the stream to begin")
        done = install.cli("credential", verb, "api", stdin=stdin)
        assert done.returncode == 0, done.stderr
        assert "1 lease ended, 2 connections cut" in done.stdout  # the task's and the host's
        assert ("live: task" in done.stdout) is (verb == "remove")
        assert task.wait(30) != 0
