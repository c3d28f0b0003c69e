"""The MCP servers of Gemini CLI and Qwen Code: behind the gateway, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from profiles import nodejs, settings_servers
from profiles.gemini.adapter import GeminiCli
from profiles.qwen.adapter import QwenCode
from supervisor.errors import ConfigError
from supervisor.model import McpServer, ToolKind
from supervisor.ports import LaunchPlan, Profile
from tests.unit.profiles.test_profile_mcp import NOTES, SECRET, Bench, reads

GEMINI, QWEN = ".gemini/settings.json", ".qwen/settings.json"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(nodejs, "runtime", lambda environ, title: "/opt/node/bin/node")
    made = Bench(tmp_path)
    for folder in (made.home, made.work):
        (folder / ".gemini").mkdir()
        (folder / ".qwen").mkdir()
    return made


def allowed(plan: LaunchPlan) -> set[str]:
    """What may start at all."""
    (option,) = [each for each in plan.argv if each.startswith(settings_servers.ALLOWED)]
    return set(option.partition("=")[2].split(","))


def servers(plan: LaunchPlan) -> dict[str, Any]:
    """The servers that the agent is given."""
    if "QWEN_HOME" in plan.env:
        (option,) = [each for each in plan.argv if each.startswith("--mcp-config=")]
        file = Path(option.partition("=")[2])
    else:
        file = Path(plan.env["GEMINI_CLI_HOME"], GEMINI)
    found: dict[str, Any] = json.loads(file.read_text())["mcpServers"]
    return found


@pytest.mark.parametrize(("profile", "file"), [(GeminiCli(), GEMINI), (QwenCode(), QWEN)])
def test_the_persons_servers_keep_their_names(bench: Bench, profile: Profile, file: str) -> None:
    env = {"NOTES_TOKEN": SECRET, "LEVEL": "$LEVEL", "LENT_TOKEN": "${LENT_TOKEN}"}
    notes = {**NOTES, "args": ["$HOME"], "env": env, "includeTools": ["get_note"]}
    bearer = {
        "httpUrl": "https://n.example/mcp",
        "headers": {"Authorization": "Bearer $LENT_TOKEN"},
    }
    bench.put(file, mcpServers={"notes": notes, "lent": bearer, "old": {"tcp": "x"}})
    plan = bench.launch(profile, "-p", "x", lent=("LENT_TOKEN",))
    assert allowed(plan) == set(servers(plan)) == {"notes", "lent"}
    assert servers(plan)["notes"]["args"][:3] == ["-I", "-m", "supervisor.gateway.serve"]
    assert servers(plan)["notes"]["includeTools"] == ["get_note"]
    assert bench.told("notes")["server"]["args"] == ["${HOME}"]
    assert bench.told("notes")["server"]["env"] == {
        "LEVEL": "${LEVEL}", "LENT_TOKEN": "${LENT_TOKEN}",
    }  # fmt: skip
    assert bench.told("lent")["server"]["bearer_token_env_var"] == "LENT_TOKEN"
    assert [(each.name, each.without, bool(each.left_out)) for each in plan.mcp] == [
        ("notes", ("NOTES_TOKEN",), False), ("lent", (), False), ("old", (), True),
    ]  # fmt: skip
    assert plan.argv[-2:] == ("-p", "x")
    for written in (bench.root / "task").rglob("*"):
        assert not written.is_file() or SECRET not in written.read_text()


@pytest.mark.parametrize("profile", [GeminiCli(), QwenCode()])
def test_without_servers_none_may_start(bench: Bench, profile: Profile) -> None:
    """Whatever an extension, a subagent, or settings written in mid-session say."""
    plan = bench.launch(profile, "x")
    assert servers(plan) == {}
    assert allowed(plan) == {"taskpass"}  # which none of ours can be called
    assert plan.mcp == ()


@pytest.mark.parametrize(("profile", "file"), [(GeminiCli(), GEMINI), (QwenCode(), QWEN)])
def test_what_the_person_leaves_out_stays_out(bench: Bench, profile: Profile, file: str) -> None:
    some = {name: NOTES for name in ("a", "b", "c")}
    bench.put(file, mcpServers=some, mcp={"excluded": ["b"]})
    bench.put(f"work/{file}", mcp={"allowed": ["a", "b"]})
    assert set(servers(bench.launch(profile))) == {"a"}


@pytest.mark.parametrize(("profile", "file"), [(GeminiCli(), GEMINI), (QwenCode(), QWEN)])
def test_the_persons_own_word_on_the_command_line_wins(
    bench: Bench, profile: Profile, file: str
) -> None:
    bench.put(file, mcpServers={"a": NOTES, "b": NOTES}, mcp={"excluded": ["b"]})
    plan = bench.launch(profile, settings_servers.ALLOWED, "b", "-p", "x")
    assert allowed(plan) == set(servers(plan)) == {"b"}
    assert plan.argv[-2:] == ("-p", "x")


def test_a_projects_server_of_gemini_has_a_name_that_its_settings_cannot_take(
    bench: Bench,
) -> None:
    bench.put(GEMINI, mcpServers={"shared": {"command": "far"}, "mine": NOTES})
    bench.put(f"work/{GEMINI}", mcpServers={"shared": {"command": "near"}})
    plan = bench.launch(GeminiCli())
    assert allowed(plan) == set(servers(plan)) == {"mine", "shared-taskpass"}
    assert bench.told("shared")["server"]["command"] == "near"
    call = GeminiCli().parse_hook({
        "hook_event_name": "BeforeTool", "session_id": "s", "cwd": "/work", "tool_input": {},
        "tool_name": "mcp_shared-taskpass_get_note",
        "mcp_context": {"server_name": "shared-taskpass", "tool_name": "get_note"},
    }).call  # fmt: skip
    assert call is not None
    assert (call.kind, call.tool) == (ToolKind.MCP, "mcp__shared__get_note")


def test_gemini_gives_its_servers_what_the_gateway_needs_and_no_log_in(bench: Bench) -> None:
    bench.put(GEMINI, mcpServers={"notes": NOTES})
    env = servers(bench.launch(GeminiCli(), lent=("API_TOKEN",)))["notes"]["env"]
    assert env["HTTPS_PROXY"] == "${HTTPS_PROXY}"
    assert env["API_TOKEN"] == "${API_TOKEN}"
    assert env["GEMINI_API_KEY"] == ""


def test_qwen_looks_in_all_its_places_and_the_last_wins(bench: Bench) -> None:
    names = ("one", "two", "three", "four")
    places = (QWEN, "work/.mcp.json", f"work/{QWEN}")
    for at, place in enumerate(places):
        bench.put(place, mcpServers={name: {"command": place} for name in names[at:]})
    given = json.dumps({"mcpServers": {"four": {"command": "given"}}})
    plan = bench.launch(QwenCode(), "--mcp-config", given, "x")
    assert set(servers(plan)) == set(names)
    found = [bench.told(name)["server"]["command"] for name in names]
    assert found == [*places, "given"]
    assert given not in plan.argv
    assert plan.argv[-1] == "x"
    assert servers(plan)["one"]["env"]["OPENAI_API_KEY"] == ""


@pytest.mark.parametrize("said", [{"mcpServers": {"a": NOTES}}, {"a": NOTES}])
def test_qwen_takes_servers_on_its_command_line_with_and_without_their_heading(
    bench: Bench, said: dict[str, Any]
) -> None:
    plan = bench.launch(QwenCode(), "--mcp-config", json.dumps(said))
    assert set(servers(plan)) == {"a"}


@pytest.mark.parametrize(("profile", "file"), [(GeminiCli(), GEMINI), (QwenCode(), QWEN)])
def test_each_settings_file_is_read_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, profile: Profile, file: str
) -> None:
    """What was looked at is what is used, whatever is written into it meanwhile."""
    for name in (file, f"work/{file}"):
        bench.put(name, mcpServers={"a": NOTES})
    opened = reads(monkeypatch)
    bench.launch(profile)
    for name in (file, f"work/{file}"):
        assert opened.count(bench.home / name) == 1


def test_a_name_that_would_let_in_others_is_left_out(bench: Bench) -> None:
    bench.put(QWEN, mcpServers={"*": NOTES, "a,b": NOTES})
    plan = bench.launch(QwenCode())
    assert servers(plan) == {}
    why = "its name is one for several servers"
    assert plan.mcp == (McpServer("*", left_out=why), McpServer("a,b", left_out=why))


def test_what_qwen_cannot_use_is_refused_or_counts_for_nothing(bench: Bench) -> None:
    (bench.work / ".mcp.json").write_text("{")  # of which it warns
    with pytest.raises(ConfigError, match="--mcp-config"):
        bench.launch(QwenCode(), "--mcp-config", "missing.json")
