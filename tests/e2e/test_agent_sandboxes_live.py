"""Agents that have a sandbox of their own, with the person's settings switching it on."""

from __future__ import annotations

import json

import pytest

from tests.support.supervised import Supervised

pytest_plugins = ("tests.support.supervised",)


def switch_on(supervised: Supervised) -> None:
    """As the person has it, in the user's settings and in the project's."""
    for folder in (supervised.install.home, supervised.install.project):
        (folder / ".claude").mkdir(exist_ok=True)
        (folder / ".claude/settings.json").write_text(json.dumps({"sandbox": {"enabled": True}}))
    (supervised.install.project / ".codex").mkdir()
    (supervised.install.project / ".codex/config.toml").write_text('sandbox_mode = "read-only"\n')
    own = supervised.install.home / ".codex/config.toml"
    own.write_text('sandbox_mode = "workspace-write"\n' + own.read_text())


async def test_contained_theirs_is_off_and_the_task_says_so(supervised: Supervised) -> None:
    switch_on(supervised)
    output = await supervised.run(supervised.shell("echo made > made && cat made"))
    assert "made" in supervised.last_result(), output
    assert "Sandbox disabled" not in output
    if not supervised.is_claude:
        assert "sandbox: danger-full-access" in output
    (started,) = await supervised.records("task.started")
    assert started["tier"] == "A"
    assert started["agent_sandbox"] == "off (nested not possible)"


@pytest.mark.parametrize("supervised", ["codex"], indirect=True)
async def test_uncontained_codex_without_network_works_and_is_lent_nothing(
    supervised: Supervised,
) -> None:
    command = "echo made > made && cat made; echo proxy=$HTTPS_PROXY"
    output = await supervised.run(supervised.shell(command), options=("--contain", "off"))
    assert "made" in supervised.last_result(), output
    (started,) = await supervised.records("task.started")
    assert started["agent_sandbox"] == (
        "its own (workspace-write), no network: its commands get no credential"
    )
    assert await supervised.records("incident.bind_refused") == []
    (opened,) = await supervised.records("call.opened")
    assert f"proxy=http://{opened['call']}" not in supervised.last_result()


@pytest.mark.parametrize("supervised", ["codex"], indirect=True)
async def test_uncontained_codex_with_its_network_open_has_its_calls_tied_to_it(
    supervised: Supervised,
) -> None:
    own = supervised.install.home / ".codex/config.toml"
    own.write_text(own.read_text() + "[sandbox_workspace_write]\nnetwork_access = true\n")
    command = "echo proxy=$HTTPS_PROXY"
    output = await supervised.run(supervised.shell(command), options=("--contain", "off"))
    (opened,) = await supervised.records("call.opened")
    assert f"proxy=http://{opened['call']}" in supervised.last_result(), output
    (started,) = await supervised.records("task.started")
    assert started["agent_sandbox"] == "its own (workspace-write)"


@pytest.mark.parametrize("supervised", ["claude-code"], indirect=True)
async def test_uncontained_claude_code_with_its_own_is_refused_in_words(
    supervised: Supervised,
) -> None:
    switch_on(supervised)
    output = await supervised.run(supervised.shell("true"), options=("--contain", "off"))
    assert "keeps its hooks from reaching the supervisor" in output
    assert supervised.model.requests == []
    assert await supervised.records("task.started") == []
