"""AuthZEN on the real socket, with a person at a real screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.support.live import Install, Person, wait_for

POST = {"type": "host", "id": "api.example", "properties": {"method": "POST", "path": "/issues"}}


@pytest.fixture
async def task(install: Install) -> AsyncIterator[str]:
    """The id of a running task."""
    running = install.popen("run", "--headless", "--", "sleep", "300")
    started = await asyncio.to_thread(
        wait_for, lambda: install.records("task.started"), "the task to start"
    )
    yield str(started[0]["task"])
    await asyncio.to_thread(install.cli, "revoke", "--all")
    running.wait(30)


async def test_denied_requested_approved_and_evaluated_again(install: Install, task: str) -> None:
    connector = aiohttp.UnixConnector(str(install.paths.socket))
    async with aiohttp.ClientSession("http://supervisor", connector=connector) as session:

        async def post(path: str, **body: Any) -> dict[str, Any]:
            request = {
                "subject": {"type": "task", "id": task},
                "action": {"name": "http"},
                "resource": POST,
            }
            async with session.post(path, json=request | body) as answer:
                return dict(await answer.json())

        async with session.get("/.well-known/authzen-configuration") as answer:
            told = await answer.json()
        assert told["access_evaluation_endpoint"] == "https://supervisor/access/v1/evaluation"

        denied = await post("/access/v1/evaluation")
        assert denied["decision"] is False
        with Person(install) as person:
            person.answers("http api.example", approve=True)
            submitted = await post(
                "/access/v1/requests",
                denial={
                    "evaluation_id": denied["context"]["evaluation_id"],
                    "expires_at": denied["context"]["access_request"]["expires_at"],
                },
            )
            await asyncio.to_thread(
                wait_for, lambda: install.records("approval.answered"), "the answer"
            )
        async with session.get("/access/v1/requests/" + submitted["task"]["id"]) as answer:
            found = await answer.json()
        assert found["task"]["status"] == "approved"
        approval = {"approval": found["result"]["approval"]}
        assert (await post("/access/v1/evaluation", context=approval))["decision"] is True
        assert (await post("/access/v1/evaluation", context=approval))["decision"] is False


def test_a_task_cannot_ask_for_decisions_itself(install: Install) -> None:
    done = install.cli(
        "run", "--headless", "--contain", "off", "--", "sh", "-c",
        f"curl -s --unix-socket {install.paths.socket} http://supervisor/access/v1/evaluation -d x",
    )  # fmt: skip
    assert "A task may not talk to the supervisor." in done.stdout
    assert install.records("incident.api_from_task")


def test_the_past_is_judged_by_a_new_rule(install: Install) -> None:
    install.cli("run", "--headless", "--", "sh", "-c", "true")
    rule = install.home / "rule.cedar"
    rule.write_text('@id("mine") forbid (principal, action == Action::"http", resource);')
    done = install.cli("policy", "backtest", str(rule))
    assert done.returncode == 0, done.stderr
    assert "past calls and requests, 0 would have been decided otherwise" in done.stdout
