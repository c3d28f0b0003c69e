"""What is passed between an ACP client and its agent, and what is answered in between."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.acp import messages
from supervisor.acp.serve import Between

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
OPTIONS = st.lists(
    st.fixed_dictionaries(
        {"optionId": st.text(min_size=1, max_size=4)},
        optional={"kind": st.sampled_from(
            ["allow_once", "allow_always", "reject_once", "reject_always", "odd"]
        )},
    )
    | JSON,
    max_size=6,
)  # fmt: skip


def asks(options: Any, **more: Any) -> dict[str, Any]:
    told = {"sessionId": "s", "toolCall": {"toolCallId": "c"}, "options": options}
    return {"jsonrpc": "2.0", "id": 7, "method": messages.ASK, "params": {**told, **more}}


@given(options=OPTIONS, allow=st.booleans())
def test_a_choice_is_for_once_and_never_for_good(options: list[Any], allow: bool) -> None:
    outcome = messages.chosen(asks(options), allow=allow, reason="r")["result"]["outcome"]
    kinds = {
        o["optionId"]: o.get("kind") for o in reversed(options)
        if isinstance(o, dict) and isinstance(o.get("optionId"), str)
        and o.get("kind") == ("allow_once" if allow else "reject_once")
    }  # fmt: skip
    if outcome["outcome"] == "selected":
        assert outcome["optionId"] in kinds
    else:
        assert outcome == {"outcome": "cancelled"}
        assert not kinds


@pytest.mark.parametrize(
    "line",
    [b"", b"log line", b"[]", b'[{"jsonrpc":"2.0","id":1,"method":"session/request_permission"}]',
     b'{"id":1}', b'{"jsonrpc":"2.0","id":[1],"method":"x"}', b"\xff\xfe", b'"text"'],
)  # fmt: skip
def test_what_is_no_message_of_acp_is_not_passed_on(line: bytes) -> None:
    assert messages.read(line) is None


@given(message=st.dictionaries(st.text(), JSON, max_size=4))
def test_strange_parameters_do_no_harm(message: dict[str, Any]) -> None:
    told = {**message, "jsonrpc": "2.0", "id": 1}
    off = messages.without_outside(told)["params"]["clientCapabilities"]
    assert off["terminal"] is False
    assert not any(off["fs"].values())
    messages.ended(told)
    messages.in_asking_mode(told)


@pytest.mark.parametrize(
    ("modes", "wanted"),
    [
        ({"currentModeId": "auto", "availableModes": [{"id": "auto"}, {"id": "default"}]},
         "default"),
        ({"currentModeId": "default", "availableModes": [{"id": "default"}]}, ""),
        ({"currentModeId": "build", "availableModes": [{"id": "build"}]}, ""),
        (None, ""), ("auto", ""),
    ],
)  # fmt: skip
def test_an_agent_is_put_into_the_mode_in_which_it_asks(modes: Any, wanted: str) -> None:
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"sessionId": "s", "modes": modes}}
    shown, mode = messages.in_asking_mode(answer)
    assert mode == wanted
    if wanted:
        assert shown["result"]["modes"]["currentModeId"] == wanted


async def test_without_a_supervisor_the_answer_is_no_and_says_why() -> None:
    to_client: list[dict[str, Any]] = []
    to_agent: list[dict[str, Any]] = []

    async def client(line: bytes) -> None:
        to_client.append(json.loads(line))

    async def agent(line: bytes) -> None:
        to_agent.append(json.loads(line))

    async with aiohttp.ClientSession() as http:
        # Port 9 of the discard protocol: nothing listens there.
        between = Between("http://127.0.0.1:9/token", http, client, agent, "/work")
        options = [
            {"optionId": "y", "kind": "allow_once"},
            {"optionId": "n", "kind": "reject_once"},
        ]
        await between.from_agent(messages.written(asks(options)))
        while not to_agent:
            await next(iter(between._busy))
        await between.from_agent(
            messages.written({"jsonrpc": "2.0", "id": 8, "method": "terminal/create"})
        )
    answered, refused = to_agent
    assert answered["id"] == 7
    assert answered["result"]["outcome"] == {"outcome": "selected", "optionId": "n"}
    (said,) = to_client
    assert "does not answer" in said["params"]["update"]["content"]["text"]
    assert (refused["id"], "error" in refused) == (8, True)
