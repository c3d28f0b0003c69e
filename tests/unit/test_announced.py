"""A push on the wire is the one that its call announced, or it is asked about by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.calls.announced import announced, as_announced, by_https
from supervisor.calls.egress import approved_with
from supervisor.effects import effects_of
from supervisor.effects.files import Place
from supervisor.effects.http import http_effect
from supervisor.effects.programs.shapes import push_effect
from supervisor.model import (
    Call,
    CallIdentity,
    CredentialSpec,
    Decision,
    Effect,
    Outcome,
    ToolCall,
    ToolKind,
)

URL = "git@github.com:ana/app.git"
WIRE = "https://github.com/ana/app.git"


def call(*effects: Effect) -> Call:
    tool = ToolCall("1", "Bash", ToolKind.SHELL, {}, "/home/ana", "git push")
    asked = Decision(Outcome.ASK, "sends commits to a remote", about=effects)
    return Call("c-1", "t-1", 1, tool, "sha256:0", effects, asked, 0.0,
                CallIdentity.CALL)  # fmt: skip


def wire(ref: str = "topic", url: str = WIRE, **flags: bool) -> Effect:
    return push_effect(url, ref, url=url, **flags)


SAID = push_effect("origin", "topic", url=URL)


def test_it_goes_by_the_names_that_the_call_used() -> None:
    (named,) = as_announced(call(SAID), [wire()])
    assert named == SAID
    assert approved_with(call(SAID), named)


@pytest.mark.parametrize(
    "other",
    [
        wire("main"),
        wire(url="https://github.com/ana/other.git"),
        wire(url="https://github.com.evil.example/ana/app.git"),
        wire(url="https://github.com:8443/ana/app.git"),
        wire(force=True),
        wire(delete=True),
        wire("refs/tags/topic-1"),
    ],
    ids=str,
)
def test_anything_else_is_another_push(other: Effect) -> None:
    assert announced(call(SAID), other) is None
    assert as_announced(call(SAID), [other]) == (other,)
    assert not approved_with(call(SAID), other)


def test_what_was_announced_with_force_covers_less_and_tells_how_it_is_checked() -> None:
    said = replace(push_effect("origin", "topic", url=URL, force=True, checked=True))
    (named,) = as_announced(call(said), [wire(force=True)])
    assert named == said
    (plain,) = as_announced(call(said), [wire()])
    assert not plain.attributes["force"]
    assert not plain.attributes["checked"]


@pytest.mark.parametrize(
    ("said", "done", "covered"),
    [
        ("v1", "refs/tags/v1", True),
        ("tags/v1", "refs/tags/v1", True),
        ("refs/tags/v1", "refs/tags/v1", True),
        ("refs/tags/*", "refs/tags/v1", True),
        ("refs/tags/*", "topic", False),
        ("*", "topic", True),
        ("top*", "topic", True),
        ("top*", "main", False),
    ],
)
def test_names_of_refs(said: str, done: str, covered: bool) -> None:
    call_ = call(push_effect("origin", said, url=URL, several="*" in said))
    assert (announced(call_, wire(done)) is not None) is covered


def test_a_protected_branch_stays_one() -> None:
    said = push_effect("origin", "topic", url=URL, protected=True)
    (named,) = as_announced(call(said), [wire()])
    assert named.attributes["protected"]


def test_a_call_that_does_not_know_its_remote_covers_nothing() -> None:
    assert announced(call(push_effect("origin", "topic")), wire()) is None


@pytest.mark.parametrize("address", ["git@github.com:ana/app.git", "ssh://git@github.com/ana/app"])
def test_ssh_addresses_are_what_they_become_in_a_task(address: str, tmp_path: Path) -> None:
    tool = ToolCall("1", "Bash", ToolKind.SHELL, {}, str(tmp_path), f"git clone {address}")
    told = effects_of(tool, Place.of(str(tmp_path)))
    assert "connect github.com:22" in [effect.label for effect in told]
    bound = [CredentialSpec("github", "stored", ("github.com",))]
    labels = [effect.label for effect in by_https(told, bound)]
    assert "GET github.com/ana/app" in labels
    assert "connect github.com:22" not in labels
    elsewhere = [CredentialSpec("other", "stored", ("gitlab.com", "github.com:8443"))]
    assert by_https(told, elsewhere) == list(told)


def test_a_plain_ssh_connection_stays_one(tmp_path: Path) -> None:
    tool = ToolCall("1", "Bash", ToolKind.SHELL, {}, str(tmp_path), "ssh git@github.com")
    told = effects_of(tool, Place.of(str(tmp_path)))
    assert by_https(told, [CredentialSpec("github", "stored", ("github.com",))]) == list(told)


def mcp_call(url: str) -> Call:
    tool = ToolCall("1", "mcp__tracker__close", ToolKind.MCP, {}, "/", url=url, alone=True)
    effects = effects_of(tool, Place.of("/"))
    asked = Decision(Outcome.ASK, "may change something", about=effects)
    return Call("c-1", "t-1", 1, tool, "sha256:0", effects, asked, 0.0,
                CallIdentity.CALL)  # fmt: skip


def test_what_carries_an_mcp_call_to_its_server_is_that_call() -> None:
    asked = mcp_call("https://mcp.example.com/mcp")
    carried = as_announced(asked, [http_effect("https://mcp.example.com/mcp", "POST")])
    assert carried == asked.effects[:1]
    assert approved_with(asked, carried[0])
    for other in (
        "https://mcp.example.com/admin",
        "https://evil.example.com/mcp",
        "https://mcp.example.com:8443/mcp",
    ):
        request = http_effect(other, "POST")
        assert as_announced(asked, [request]) == (request,)
        assert not approved_with(asked, request)
    allowed = replace(asked, decision=Decision(Outcome.ALLOW, "reads"))
    assert not approved_with(allowed, carried[0])  # what the use itself asks is asked
