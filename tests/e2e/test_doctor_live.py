"""`taskpass doctor` on this machine, with what can be wrong made so."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents import RealAgent
from tests.support.every_agent import FURTHER, WAYS, agents
from tests.support.homes import everything
from tests.support.live import Install, wait_for
from tests.support.way import Setting
from tests.support.wrapped_agents import wrapped


def diagnosis(install: Install, *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code, and the first finding of each area."""
    done = install.cli("doctor", "--json", *words)
    told = json.loads(done.stdout)
    assert told["schema_version"] == 1
    assert told["ok"] is (done.returncode == 0)
    areas: dict[str, dict[str, Any]] = {}
    for finding in told["findings"]:
        areas.setdefault(finding["area"], finding)
    return done.returncode, areas


def test_one_screen_tells_what_holds_and_starts_no_supervisor(install: Install) -> None:
    done = install.cli("doctor")
    assert done.returncode == 0, done.stdout
    assert "tier A" in done.stdout
    assert "not running" in done.stdout
    assert done.stdout.splitlines()[-1] == "Nothing is wrong."
    assert len(done.stdout.splitlines()) < 30
    assert install.daemon_pid() == 0


def test_without_bubblewrap_it_names_the_holes_and_fails(install: Install, tmp_path: Path) -> None:
    for name in ("sh", "id"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    (install.home / ".netrc").write_text("machine example.com password x\n")
    keys = tmp_path / "agent.sock"
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(keys))
        agent.listen(1)
        install.environ |= {"PATH": str(tmp_path), "SSH_AUTH_SOCK": str(keys)}
        code, areas = diagnosis(install)
        told = install.cli("doctor").stdout
    if areas["containment"]["what"].startswith("tier B"):
        assert code == 0
        return
    assert code == 1
    assert areas["containment"]["state"] == "problem"
    assert "~/.netrc" in areas["credentials"]["what"]
    assert f"key agent ({keys})" in told
    assert "→" in told


def test_running_supervisor_is_named_with_its_version(install: Install) -> None:
    assert install.cli("ps").returncode == 0
    _, areas = diagnosis(install)
    assert areas["supervisor"]["state"] == "ok"
    assert f"pid {install.daemon_pid()}" in areas["supervisor"]["what"]


def test_somebody_else_on_the_socket_is_a_problem(install: Install) -> None:
    place = install.root / "run/taskpass"
    place.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place / "supervisor.sock"))
        other.listen(1)
        code, areas = diagnosis(install)
    assert code == 1
    assert areas["supervisor"]["state"] == "problem"
    (place / "supervisor.sock").unlink()


def test_configuration_that_cannot_be_used_is_named_by_its_place(install: Install) -> None:
    install.configure("[network]\nhold = 3\n")
    code, areas = diagnosis(install)
    assert code == 1
    assert "config.toml:2:1" in areas["configuration"]["what"]
    install.configure("")


def test_agents_are_found_where_the_person_has_them(install: Install) -> None:
    package = install.home / "claude"
    (package / "bin").mkdir(parents=True)
    (package / "package.json").write_text('{"version": "1.0.0"}')
    program = package / "bin/claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    install.environ["PATH"] = f"{program.parent}{os.pathsep}{install.environ['PATH']}"
    code, areas = diagnosis(install)
    assert code == 1
    assert "Claude Code 1.0.0" in areas["agents"]["what"]
    assert "cannot be supervised" in areas["agents"]["what"]


def test_limits_hold_or_the_task_does_not_start(install: Install) -> None:
    """What doctor says of limits is what `run` does."""
    _, areas = diagnosis(install)
    done = install.cli("run", "--headless", "--memory", "512M", "--", "echo", "ran")
    if areas["limits"]["state"] == "ok" and "memory" in areas["limits"]["what"]:
        assert done.stdout == "ran\n"
        assert install.records("task.started")[0]["memory"] == 512 << 20
        return
    assert done.returncode == 125
    assert "cannot be limited to 512 MB of memory here" in done.stderr
    assert install.records("task.started") == []


# ── Every path of the real agents ────────────────────────────────────────────────────────

PATHS = ["shell", "file", "MCP", "background", "subagent"]
# What starts an agent otherwise than it seems, as an alias or a packager's wrapper would.
WRAPPERS = [
    pytest.param("claude_code", 'exec {program} --bare "$@"', id="claude-bare"),
    pytest.param("codex", 'exec {program} "$@" --disable hooks', id="codex-hooks-disabled"),
    pytest.param(
        "claude_code", 'exec {program} --safe-mode "$@"', id="claude-safe-mode",
        marks=pytest.mark.full,
    ),
    pytest.param(
        "claude_code", 'exec {program} "$@" --settings {}', id="claude-other-settings",
        marks=pytest.mark.full,
    ),
    pytest.param(
        "codex", 'exec {program} "$@" -c features.hooks=false', id="codex-hooks-off",
        marks=pytest.mark.full,
    ),
]  # fmt: skip


def put_on_path(install: Install, name: str, agent: RealAgent) -> None:
    folder = install.root / "bin"
    folder.mkdir(exist_ok=True)
    (folder / name).symlink_to(agent.argv[0])
    install.environ["PATH"] = f"{folder}:{agent.node_bin}:{install.environ['PATH']}"


def tried(install: Install) -> tuple[int, dict[tuple[str, str], dict[str, Any]]]:
    done = install.cli("doctor", "--json")
    told = json.loads(done.stdout)
    return done.returncode, {(each["who"], each["path"]): each for each in told["paths"]}


def test_every_path_of_the_real_agents_is_proven_and_nothing_is_left(
    install: Install, claude_code: RealAgent, codex: RealAgent
) -> None:
    put_on_path(install, "claude", claude_code)
    put_on_path(install, "codex", codex)
    (install.home / ".claude").mkdir()
    (install.home / ".claude/settings.json").write_text('{"disableAllHooks": true}')
    (install.home / ".codex").mkdir()
    (install.home / ".codex/config.toml").write_text("[features]\nhooks = false\n")
    before, temporary = everything(install.home), set(os.listdir("/tmp"))
    code, paths = tried(install)
    assert code == 0, paths
    wanted = {(who, path) for who in ("Claude Code", "Codex") for path in PATHS}
    assert set(paths) == {*wanted, ("", "proxy")}
    assert all(each["proven"] and each["seen"] == each["expected"] for each in paths.values())
    assert everything(install.home) == before
    # Another test's doctor may be at work there as well: it cleans up, too.
    left = {name for name in set(os.listdir("/tmp")) - temporary if "doctor" in name}
    wait_for(lambda: not left & {*os.listdir("/tmp")}, "its folder to be gone")
    assert install.daemon_pid() == 0


@pytest.mark.parametrize("label", agents(FURTHER))
def test_every_path_of_a_further_agent_is_proven_or_said_to_be_untried(
    install: Install, label: str
) -> None:
    way = WAYS[label]
    agent = way.agent()
    put_on_path(install, way.program, agent)
    at = Setting(install.home, install.project, "http://127.0.0.1:9")  # nobody is there
    install.environ |= way.environ(at)
    done = install.cli("doctor", "--json", timeout=way.patience + 60)
    told = json.loads(done.stdout)
    paths = {each["path"]: each for each in told["paths"] if each["who"]}
    assert all(each["proven"] for each in paths.values()), paths
    untried = " ".join(f["what"] for f in told["findings"] if f["what"].startswith("not tried"))
    assert {*paths} | {path for path in PATHS if f" {path}" in untried} == {*PATHS}
    assert {"shell", "file"} <= {*paths}
    assert done.returncode == 0, told["findings"]


@pytest.mark.parametrize(("which", "words"), WRAPPERS)
def test_an_agent_whose_hooks_are_broken_is_found(
    install: Install, request: pytest.FixtureRequest, which: str, words: str
) -> None:
    agent: RealAgent = request.getfixturevalue(which)
    behind = wrapped(install.root / "wrapped", agent, words)
    # In tier A the hooks hold nevertheless; uncontained, Codex has a sandbox of its own.
    without = 'mode = "off"' if which == "claude_code" else 'tier = "B"'
    install.configure(f"[containment]\n{without}\n")
    put_on_path(install, which.partition("_")[0], behind)
    code, paths = tried(install)
    assert code == 1
    shell = next(each for (who, path), each in paths.items() if path == "shell")
    assert shell["seen"].startswith("OPEN: done without being announced"), paths
    assert "wrapper" in shell["next"]
    assert not any(each["proven"] for (who, _), each in paths.items() if who)
    assert paths["", "proxy"]["proven"]
