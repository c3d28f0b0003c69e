"""The list of MCP servers, and configurations of clients that are taken over into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from profiles.environment import sensitive
from supervisor.errors import ConfigError, TaskpassError, UsageError
from supervisor.gateway.servers import Server, checked, find, read, take_passed, write
from supervisor.gateway.wrapping import wrap


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "taskpass/mcp.toml"
    servers = {
        "files": Server("files", "npx", ("-y", "server", "."), {"LOG": "info"}),
        "tracker": Server("tracker", url="https://m.example/mcp", bearer_token_env_var="T"),
    }
    assert read(file) == {}
    write(file, servers)
    assert read(file) == servers
    assert find(file, "files").command == "npx"
    with pytest.raises(TaskpassError, match="no MCP server 'other'"):
        find(file, "other")


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("files", {}),
        ("files", {"command": "x", "url": "https://m.example/mcp"}),
        ("files", {"command": ["x"]}),
        ("files", {"command": "x", "args": "y"}),
        ("files", {"command": "x", "env": {"A": 1}}),
        ("files", {"command": "x", "cwd": "/"}),
        ("files", {"command": "x", "bearer_token_env_var": "T"}),
        ("files", {"url": "ftp://m.example/"}),
        ("files", {"url": "https://ana:secret@m.example/mcp"}),
        ("taskpass", {"command": "x"}),
        ("a__b", {"command": "x"}),
        ("../x", {"command": "x"}),
    ],
)
def test_what_cannot_be_a_server_is_refused_in_a_sentence(
    name: str, entry: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        checked(name, entry)
    assert refused.value.message.endswith(".")
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("text", ["servers = 3", "[other]\n", "[servers.x]\n", "not toml ="])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mcp.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=str(file)):
        read(file)


def test_a_configuration_is_wrapped_and_its_secrets_are_left_out() -> None:
    config = {
        "mcpServers": {
            "github": {
                "command": "npx",
                "args": ["-y", "server-github"],
                "env": {"GITHUB_TOKEN": "ghp_real", "LOG": "debug"},
            },
            "tracker": {
                "type": "http",
                "url": "https://m.example/mcp",
                "headers": {"Authorization": "Bearer real"},
            },
        }
    }
    made = wrap(config, sensitive)
    assert made.servers["github"] == Server(
        "github", "npx", ("-y", "server-github"), {"LOG": "debug"}
    )
    assert made.servers["tracker"].url == "https://m.example/mcp"
    assert made.config["mcpServers"]["github"] == {
        "command": "taskpass", "args": ["mcp", "serve", "github"],
    }  # fmt: skip
    assert made.left_out == ("github: variable GITHUB_TOKEN", "tracker: header Authorization")
    assert "real" not in repr(made).replace("server", "")


@pytest.mark.parametrize("config", [{}, [], {"mcpServers": []}, {"mcpServers": {"x": 1}}])
def test_another_file_is_refused(config: Any) -> None:
    with pytest.raises(UsageError):
        wrap(config, sensitive)


def test_variables_that_came_under_other_names_get_their_own_back() -> None:
    environ = {
        "PATH": "/bin", "TASKPASS_PASSED_HTTPS_PROXY": "http://a:b@127.0.0.1:1",
        "TASKPASS_PASSED_https_proxy": "http://a:b@127.0.0.1:1",
        "TASKPASS_PASSED_ABSENT": "${ABSENT}",
    }  # fmt: skip
    take_passed(environ)
    assert environ == {
        "PATH": "/bin", "HTTPS_PROXY": "http://a:b@127.0.0.1:1",
        "https_proxy": "http://a:b@127.0.0.1:1",
    }  # fmt: skip
