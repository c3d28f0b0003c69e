"""An agent's MCP servers in the configuration that its task gets: behind the gateway, or not."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from profiles.claude_code.adapter import ClaudeCode
from profiles.codex.adapter import Codex
from profiles.copilot.adapter import Copilot
from profiles.opencode.adapter import OpenCode
from supervisor.errors import ConfigError, UsageError
from supervisor.model import McpServer
from supervisor.ports import LaunchPlan, LaunchRequest, Mount, Profile

SECRET = "sk-live-0f9a8b7c6d5e4f3a2b1c"
NOTES = {"command": "notes-server", "args": ["."]}


class Bench:
    """A person's home and project, in which an agent is prepared."""

    def __init__(self, root: Path) -> None:
        self.root, self.home, self.work = root, root / "home", root / "home/work"
        (self.work / ".claude").mkdir(parents=True)
        (self.work / ".git").mkdir()
        (self.home / ".claude").mkdir()
        (self.home / ".codex").mkdir()
        (root / "package/bin").mkdir(parents=True)
        (root / "package/codex-package.json").write_text('{"version": "0.169.0"}')

    def put(self, name: str, **content: Any) -> None:
        (self.home / name).write_text(json.dumps(content))

    def launch(
        self, profile: Profile, *arguments: str, lent: tuple[str, ...] = (), **environ: str
    ) -> LaunchPlan:
        program = self.root / "package/bin" / profile.name.partition("-")[0]
        program.touch()
        return profile.prepare(
            LaunchRequest(
                task="t", argv=(str(program), *arguments), cwd=str(self.work),
                home=str(self.home), environ={"PATH": "/bin", **environ},
                task_dir=str(self.root / "task"), hook_url="http://127.0.0.1:1/t",
                hook_timeout=600, contained=True, interactive=False,
                mcp_url="http://127.0.0.1:2/t", lent=lent, leading=("HTTPS_PROXY",),
            )
        )  # fmt: skip

    def told(self, name: str) -> dict[str, Any]:
        """What the gateway is told of a server."""
        told: dict[str, Any] = json.loads((self.root / "task/mcp" / f"{name}.json").read_text())
        return told


def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read from now on, in their order."""
    read, files = Path.read_text, list[Path]()

    def noted(file: Path, *args: Any, **options: Any) -> str:
        files.append(file)
        return read(file, *args, **options)

    monkeypatch.setattr(Path, "read_text", noted)
    return files


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def started(plan: LaunchPlan) -> dict[str, Any]:
    """The servers that Claude Code is given."""
    (option,) = [each for each in plan.argv if each.startswith("--mcp-config")]
    assert "--strict-mcp-config" in plan.argv
    servers: dict[str, Any] = json.loads(Path(option.partition("=")[2]).read_text())["mcpServers"]
    return servers


@pytest.mark.parametrize("words", [("--mcp-config",), ("--mcp-config", "--strict-mcp-config")])
def test_a_configuration_of_claude_code_that_is_none_is_refused(
    bench: Bench, words: tuple[str, ...]
) -> None:
    """As it is by Claude Code itself: the next word is the file, whatever it is."""
    with pytest.raises(ConfigError, match=r"--mcp-config .*it cannot be used"):
        bench.launch(ClaudeCode(), "-p", *words)


def test_every_place_of_claude_code_is_looked_at_and_the_nearest_wins(bench: Bench) -> None:
    bench.put(
        ".claude.json",
        mcpServers={"notes": NOTES, "far": {"command": "far"}},
        projects={
            str(bench.work): {
                "mcpServers": {"far": {"command": "near"}, "off": NOTES},
                "disabledMcpServers": ["off"],
            }
        },
    )
    bench.put("work/.mcp.json", mcpServers={"shared": {"command": "shared"}, "far": NOTES})
    (bench.home / "own.json").write_text(json.dumps({"mcpServers": {"own": {"command": "own"}}}))
    plan = bench.launch(ClaudeCode(), "-p", "--mcp-config", str(bench.home / "own.json"), "-c")
    assert set(started(plan)) == {"notes", "far", "shared", "own"}
    assert bench.told("far")["server"]["command"] == "near"
    assert bench.told("own")["hook_url"] == "http://127.0.0.1:2/t"
    for server in started(plan).values():
        assert server["args"][:3] == ["-I", "-m", "supervisor.gateway.serve"]
    assert plan.argv[-2:] == ("-p", "-c")
    assert plan.mcp == tuple(McpServer(name) for name in ("notes", "far", "shared", "own"))


def test_only_what_the_person_asked_for_where_claude_code_is_told_so(bench: Bench) -> None:
    bench.put(".claude.json", mcpServers={"notes": NOTES})
    own = json.dumps({"mcpServers": {"own": {"command": "own"}}})
    plan = bench.launch(ClaudeCode(), f"--mcp-config={own}", "--strict-mcp-config", "do")
    assert set(started(plan)) == {"own"}
    assert plan.argv[-1] == "do"


@pytest.mark.parametrize(
    ("settings", "let_in"),
    [
        ({}, False),
        ({"settings.local.json": {"enabledMcpjsonServers": ["shared"]}}, True),
        ({"settings.local.json": {"enableAllProjectMcpServers": True}}, True),
        ({"settings.json": {"enabledMcpjsonServers": ["shared"]}}, False),  # its own word
        (
            {
                "settings.local.json": {"enableAllProjectMcpServers": True},
                "settings.json": {"disabledMcpjsonServers": ["shared"]},
            },
            False,
        ),
    ],
)
def test_a_projects_server_starts_when_the_person_has_let_it_in(
    bench: Bench, settings: dict[str, Any], let_in: bool
) -> None:
    bench.put("work/.mcp.json", mcpServers={"shared": {"command": "shared"}})
    for name, content in settings.items():
        bench.put(f"work/.claude/{name}", **content)
    plan = bench.launch(ClaudeCode())
    assert set(started(plan)) == ({"shared"} if let_in else set())
    if not settings:
        (told,) = plan.mcp
        assert "you have not let it in" in told.left_out


def test_secrets_of_the_configuration_stay_where_they_are(bench: Bench) -> None:
    env = {
        "NOTES_TOKEN": SECRET, "BOUND_TOKEN": SECRET, "LEVEL": "${LEVEL:-low}",
        "OTHER_TOKEN": "${OTHER_TOKEN}", "LENT_TOKEN": "${LENT_TOKEN}",
    }  # fmt: skip
    bench.put(
        ".claude.json",
        mcpServers={
            "notes": {**NOTES, "env": env},
            "tracker": {
                "type": "http", "url": "https://m.example/mcp",
                "headers": {"Authorization": f"Bearer {SECRET}"},
            },
            "lent": {
                "type": "http", "url": "https://n.example/mcp",
                "headers": {"authorization": "Bearer ${LENT_TOKEN}"},
            },
        },
    )  # fmt: skip
    plan = bench.launch(ClaudeCode(), lent=("LENT_TOKEN", "BOUND_TOKEN"), OTHER_TOKEN=SECRET)
    assert plan.mcp == (
        McpServer("notes", without=("NOTES_TOKEN", "OTHER_TOKEN")),
        McpServer("tracker", without=("header Authorization",)),
        McpServer("lent"),
    )
    assert set(bench.told("notes")["server"]["env"]) == {"LEVEL", "OTHER_TOKEN", "LENT_TOKEN"}
    assert bench.told("lent")["server"]["bearer_token_env_var"] == "LENT_TOKEN"
    for file in (bench.root / "task").rglob("*"):
        assert file.is_dir() or SECRET not in file.read_text()
    assert SECRET not in str(plan)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"type": "sse", "url": "https://m.example/sse"}, "speaks sse"),
        ({"command": "x", "args": "y"}, "not one of a program"),
        ({"type": "http", "url": "https://ana:pw@m.example/"}, "carries a log-in"),
        ("x", "not one of a program"),
    ],
)
def test_what_the_gateway_cannot_serve_is_left_out_and_told(
    bench: Bench, entry: Any, why: str
) -> None:
    bench.put(".claude.json", mcpServers={"odd": entry, "notes": NOTES})
    plan = bench.launch(ClaudeCode())
    assert set(started(plan)) == {"notes"}
    assert why in plan.mcp[0].left_out


def test_a_configuration_that_cannot_be_read_is_refused(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="--mcp-config"):
        bench.launch(ClaudeCode(), "--mcp-config", "missing.json")


def codex(bench: Bench, own: str, project: str = "", *arguments: str) -> LaunchPlan:
    trust = f'[projects."{bench.work}"]\ntrust_level = "trusted"\n'
    (bench.home / ".codex/config.toml").write_text(own + trust)
    (bench.work / ".codex").mkdir()
    (bench.work / ".codex/config.toml").write_text(project)
    return bench.launch(Codex(), *arguments, lent=("API_TOKEN",))


def test_codex_gets_its_servers_behind_the_gateway(bench: Bench) -> None:
    own = (
        '[mcp_servers.notes]\ncommand = "notes-server"\nenv_vars = ["MINE", "API_TOKEN"]\n'
        f'enabled_tools = ["get_note"]\n[mcp_servers.notes.env]\nNOTES_TOKEN = "{SECRET}"\n'
        '[mcp_servers.tracker]\nurl = "https://m.example/mcp"\nbearer_token_env_var = "API_TOKEN"\n'
    )
    plan = codex(bench, own, "", "exec", "do")
    config = tomllib.loads(Path(plan.env["CODEX_HOME"], "config.toml").read_text())
    notes = config["mcp_servers"]["notes"]
    assert notes["args"][:3] == ["-I", "-m", "supervisor.gateway.serve"]
    assert notes["enabled_tools"] == ["get_note"]
    assert notes["env_vars"] == ["API_TOKEN", "HTTPS_PROXY", "MINE"]
    assert notes["required"]  # its one turn waits for them
    assert "url" not in config["mcp_servers"]["tracker"]
    assert bench.told("tracker")["server"]["bearer_token_env_var"] == "API_TOKEN"
    assert plan.mcp == (McpServer("notes", without=("MINE", "NOTES_TOKEN")), McpServer("tracker"))
    assert SECRET not in str(config)


def test_a_projects_servers_of_codex_are_replaced_on_the_command_line(bench: Bench) -> None:
    project = (
        '[mcp_servers.shared]\ncommand = "shared"\n[mcp_servers.there]\nurl = "https://m.example"\n'
    )
    plan = codex(bench, "", project)
    given = [plan.argv[at + 1] for at, each in enumerate(plan.argv) if each == "-c"]
    (arguments,) = [each for each in given if each.startswith("mcp_servers.shared.args=")]
    assert "supervisor.gateway.serve" in arguments
    assert "mcp_servers.there.enabled=false" in given
    assert [server.name for server in plan.mcp if server.left_out] == ["there"]


def test_codex_is_given_no_server_on_the_command_line(bench: Bench) -> None:
    with pytest.raises(UsageError, match="MCP servers"):
        bench.launch(Codex(), "-c", 'mcp_servers.own.command="own"', "do")


def test_copilot_gets_its_servers_behind_the_gateway(bench: Bench) -> None:
    (bench.home / ".copilot").mkdir()
    server = {"type": "local", **NOTES, "tools": ["get_note"], "env": {"NOTES_TOKEN": SECRET}}
    bench.put(".copilot/mcp-config.json", mcpServers={"notes": server, "old": {"type": "sse"}})
    more = json.dumps({"mcpServers": {"own": {"command": "own"}}})
    plan = bench.launch(Copilot(), "--additional-mcp-config", more, "-p", "x")
    file = Path(plan.env["COPILOT_HOME"], "mcp-config.json")
    servers = json.loads(file.read_text())["mcpServers"]
    assert set(servers) == {"notes", "own"}
    assert servers["notes"]["tools"] == ["get_note"]
    assert servers["notes"]["args"][:3] == ["-I", "-m", "supervisor.gateway.serve"]
    assert plan.argv[-2:] == ("-p", "x")
    assert more not in plan.argv
    assert Mount(str(file)) in plan.mounts  # and stays as it is
    assert [(s.name, s.without, bool(s.left_out)) for s in plan.mcp] == [
        ("notes", ("NOTES_TOKEN",), False), ("old", (), True), ("own", (), False),
    ]  # fmt: skip


def test_opencode_gets_its_servers_behind_the_gateway(bench: Bench) -> None:
    """Its settings are merged, so each part of an entry has to be replaced."""
    (bench.home / ".config/opencode").mkdir(parents=True)
    settings = {
        "notes": {"type": "local", "command": ["notes", "{env:HOME}"],
                  "environment": {"NOTES_TOKEN": SECRET, "LEVEL": "low"}},
        "off": {"type": "local", "command": ["off"], "enabled": False},
    }  # fmt: skip
    text = f"// mine: https://example.com\n{json.dumps({'mcp': settings})}"
    (bench.home / ".config/opencode/opencode.jsonc").write_text(text)
    bench.put("work/opencode.json", mcp={"shared": {"type": "local", "command": ["shared"]}})
    plan = bench.launch(OpenCode(), "run", "x")
    servers = json.loads(plan.env["OPENCODE_CONFIG_CONTENT"])["mcp"]
    assert set(servers) == {"notes", "shared"}
    # A variable that nobody lends is empty there.
    assert servers["notes"]["environment"]["NOTES_TOKEN"] == "{env:NOTES_TOKEN}"
    assert bench.told("notes")["server"]["env"] == {"LEVEL": "low"}
    assert bench.told("notes")["server"]["args"] == ["${HOME}"]
    assert plan.mcp == (McpServer("notes", without=("NOTES_TOKEN",)), McpServer("shared"))
    assert SECRET not in str(plan)
