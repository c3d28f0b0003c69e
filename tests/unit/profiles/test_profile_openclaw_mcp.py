"""The MCP servers of OpenClaw: behind the gateway, in a configuration in place of the person's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from profiles import nodejs
from profiles.openclaw.adapter import OpenClaw
from supervisor.model import McpServer
from supervisor.ports import LaunchPlan
from tests.unit.profiles.test_profile_mcp import NOTES, SECRET, Bench, reads

WORDS = ("agent", "--local", "--message", "x")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(nodejs, "runtime", lambda environ, title: "/opt/node/bin/node")
    made = Bench(tmp_path)
    (made.home / ".openclaw").mkdir()
    return made


def started(bench: Bench, text: str) -> tuple[LaunchPlan, dict[str, Any]]:
    """A launch by somebody with this configuration, and the configuration that the task gets."""
    (bench.home / ".openclaw/openclaw.json").write_text(text)
    plan = bench.launch(OpenClaw(), *WORDS, lent=("API_TOKEN",))
    return plan, json.loads(Path(plan.env["OPENCLAW_CONFIG_PATH"]).read_text())


def test_its_servers_are_replaced_and_all_else_stays(bench: Bench) -> None:
    servers = {
        "notes": {**NOTES, "env": {"NOTES_TOKEN": SECRET}, "toolFilter": {"include": ["get_*"]}},
        "there": {"url": "https://m.example/mcp", "transport": "streamable-http",
                  "headers": {"Authorization": "Bearer ${API_TOKEN}"}},
        "old": {"url": "https://m.example/sse"},
        "off": {**NOTES, "enabled": False},
    }  # fmt: skip
    own = {
        "mcp": {"servers": servers, "sessionIdleTtlMs": 7},
        "plugins": {"load": {"paths": ["/mine"]}},
        "agents": {"defaults": {"model": "m", "workspace": "/elsewhere"}},
    }
    plan, config = started(bench, json.dumps(own))
    assert "$include" not in config  # which would merge the person's with ours
    assert set(config["mcp"]["servers"]) == {"notes", "there", "off"}
    assert config["mcp"]["servers"]["off"] == {**NOTES, "enabled": False}
    assert config["mcp"]["sessionIdleTtlMs"] == 7
    notes = config["mcp"]["servers"]["notes"]
    assert notes["args"][:3] == ["-I", "-m", "supervisor.gateway.serve"]
    assert notes["toolFilter"] == {"include": ["get_*"]}
    assert "url" not in config["mcp"]["servers"]["there"]
    assert bench.told("there")["server"]["bearer_token_env_var"] == "API_TOKEN"
    assert config["plugins"]["load"]["paths"][0] == "/mine"
    assert config["agents"]["defaults"] == {
        "model": "m", "workspace": str(bench.work), "skipBootstrap": True,
    }  # fmt: skip
    assert plan.mcp == (
        McpServer("notes", without=("NOTES_TOKEN",)),
        McpServer("there"),
        McpServer("old", left_out="it speaks sse, which the gateway does not"),
    )
    assert SECRET not in str(config)


def test_variables_come_to_the_gateway_by_names_that_openclaw_lets_through(bench: Bench) -> None:
    _, config = started(bench, json.dumps({"mcp": {"servers": {"notes": NOTES}}}))
    assert config["mcp"]["servers"]["notes"]["env"] == {
        "TASKPASS_PASSED_HTTPS_PROXY": "${HTTPS_PROXY}",
        "TASKPASS_PASSED_API_TOKEN": "${API_TOKEN}",
    }


@pytest.mark.parametrize(
    "text", ["{mcp: {servers: {notes: {command: 'x'}}}}", '{"$include": "./more.json5"}']
)
def test_servers_that_cannot_be_read_do_not_start(bench: Bench, text: str) -> None:
    plan, config = started(bench, text)
    assert config["$include"] == [str(bench.home / ".openclaw/openclaw.json")]
    assert config["tools"]["deny"] == ["bundle-mcp"]
    (told,) = plan.mcp
    assert "plain JSON" in told.left_out


@pytest.mark.parametrize("text", ["{}", "{models: {}}", '{"mcp": {"servers": {}}}'])
def test_without_servers_the_persons_configuration_is_included(bench: Bench, text: str) -> None:
    plan, config = started(bench, text)
    assert config["$include"] == [str(bench.home / ".openclaw/openclaw.json")]
    assert "tools" not in config
    assert plan.mcp == ()


def test_the_configuration_is_read_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its hosts, plugins and servers are comes of one text, whatever it is meanwhile."""
    opened = reads(monkeypatch)
    started(bench, json.dumps({"mcp": {"servers": {"notes": NOTES}}}))
    assert opened.count(bench.home / ".openclaw/openclaw.json") == 1


def test_of_a_configuration_in_several_files_what_can_be_read_counts(bench: Bench) -> None:
    own = {
        "$include": "./more.json5",
        "models": {"providers": {"mine": {"baseUrl": "https://m.example/v1"}, "odd": 7}},
        "plugins": {"enabled": False},
    }
    plan, config = started(bench, json.dumps(own))
    assert plan.model_hosts[0] == "m.example:443"
    assert config["plugins"]["allow"] == ["taskpass"]
    assert config["tools"]["deny"] == ["bundle-mcp"]
