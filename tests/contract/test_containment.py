"""A contained task as its holder runs it: what it sees, how it starts, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.accounts import Account, Drive

pytest_plugins = ("tests.support.task_fixtures",)

TIERS = ("A", "B", "uncontained")


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


@pytest.mark.parametrize("tier", TIERS)
def test_exit_code_and_output_pass_through(drive: Drive, tier: str) -> None:
    result = drive("run", argv=shell("echo out; echo err >&2; exit 7"), tier=tier)
    assert result["exit_code"] == 7
    assert result["output"].split() == ["out", "err"]
    assert result["events"] == ["Spawned", "Exited", "Killed"]
    assert result["socket_left"] is False


@pytest.mark.parametrize("tier", TIERS)
def test_death_by_signal_is_128_plus_its_number(drive: Drive, tier: str) -> None:
    assert drive("run", argv=shell("kill -9 $$"), tier=tier)["exit_code"] == 137


@pytest.mark.parametrize("tier", TIERS)
def test_agent_gets_its_environment_and_no_descriptor_of_ours(drive: Drive, tier: str) -> None:
    assert drive("run", argv=shell('echo "$CANARY_ENV"'), tier=tier)["output"] == "in-the-task\n"
    # 3 is the directory that ls itself has open.
    output = drive("run", argv=["/bin/ls", "/proc/self/fd"], tier=tier)["output"]
    assert output.split() == ["0", "1", "2", "3"]


@pytest.mark.parametrize("tier", TIERS)
def test_nothing_of_the_agent_runs_before_the_supervisor_watches(drive: Drive, tier: str) -> None:
    result = drive("waits", tier=tier)
    # Only the launcher exists: a fork of the holder, which is one of the zygote.
    for programs in (result["before_adopt"], result["before_stdio"]):
        assert len(programs) == 1
        assert "supervisor.process.zygote" in programs[0]
    assert result["ran_early"] is False
    assert result["ran"] is True
    assert result["events"] == ["Spawned", "Exited"]


@pytest.mark.parametrize("tier", TIERS)
def test_agent_outlives_daemon_and_zygote_and_is_adopted_again(drive: Drive, tier: str) -> None:
    result = drive("survives", tier=tier)
    assert (
        result["wrong_token"] == "ConnectionRefusedError"
        or "reset" in result["wrong_token"].lower()
    )
    assert result["same_ports"]
    assert result["same_root"]
    assert result["alive"]
    assert result["left"] == 0
    assert result["gone"]


@pytest.mark.parametrize("end", ["hangup", "crash"])
@pytest.mark.parametrize("tier", TIERS)
def test_agent_does_not_outlive_its_holder(drive: Drive, tier: str, end: str) -> None:
    result = drive(end, tier=tier)
    assert result["agent_lives"] is False
    assert end == "crash" or result["socket_left"] is False


@pytest.mark.parametrize("tier", TIERS)
def test_pane_has_a_controlling_terminal_and_ctrl_c_is_the_agents(drive: Drive, tier: str) -> None:
    result = drive("terminal", tier=tier)
    assert "not a tty" not in result["screen"]
    assert "20 70" in result["screen"]
    assert "interrupted" in result["screen"]
    assert result["exit_code"] == 5


@pytest.mark.parametrize("tier", TIERS)
def test_freeze_thaw_and_kill_reach_a_tree_that_outruns_a_listing(drive: Drive, tier: str) -> None:
    result = drive("tree", tier=tier)
    assert result["frozen_at"] > 0
    assert result["thawed"]
    assert result["left"] == 0
    assert result["survivors"] == []
    assert result["still_counting"] is False


def test_container_shows_the_workspace_and_little_else(drive: Drive, account: Account) -> None:
    script = f"pwd; ls -A {account.home}; ls -A /; ls -A /run /tmp; ps -e 2>/dev/null | wc -l"
    output = drive("run", argv=shell("touch written && " + script), tier="A")["output"]
    words = output.split()
    assert words[0].endswith("/workspace")
    assert "written" not in words[1:], "only the workspace is at its path"
    for absent in (".ssh", ".bashrc", ".profile", ".cache", "sys", "boot", "srv", "mnt"):
        assert absent not in words


def test_hidden_paths_and_git_hooks_are_out_of_reach(drive: Drive) -> None:
    files = {
        ".env": "SECRET",
        "state/key": "SECRET",
        ".git/config": "",
        ".git/hooks/pre-commit": "",
    }
    script = """
        cat .env; cat state/key || echo no key; ls state || echo no list
        echo x > .env || echo kept
        echo x > .git/hooks/pre-commit || echo guarded
        echo x > .git/config || echo guarded
        rm -rf .git/hooks || echo guarded
        mv .git old || echo guarded
        echo x > new && echo written
    """
    guarded = [".git/config", ".git/hooks"]
    result = drive(
        "run", argv=shell(script), tier="A", files=files, guarded=guarded, masked=[".env"],
        absent=["state"],
    )  # fmt: skip
    assert "SECRET" not in result["output"]
    lines = result["output"].splitlines()
    assert "no key" in lines
    assert "kept" in lines
    assert lines.count("guarded") == 4
    assert lines[-1] == "written"


def test_missing_program_is_127_as_env(drive: Drive) -> None:
    contained = drive("run", argv=["/no/such/program"], tier="A")
    assert contained["exit_code"] == 127
    plain = drive("run", argv=["/no/such/program"], tier="uncontained")
    assert plain["exit_code"] == "agent_not_found"
    assert plain["events"][:2] == ["Spawned", "SpawnFailed"]


def test_bubblewrap_that_fails_is_told_in_its_own_words(drive: Drive, tmp_path: Path) -> None:
    broken = Path("/bin/false")
    result = drive("run", argv=shell("true"), tier="A", bwrap=str(broken))
    assert result["exit_code"] == "launch_failed"
    assert result["events"][0] == "SpawnFailed"


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("client", ["plain", "mapped", "hidden", "child"])
def test_connection_is_traced_to_its_process(drive: Drive, tier: str, client: str) -> None:
    found = drive("attest", tier=tier, client=client)
    assert found["owners"] == 1
    assert found["owner_is_root"] is (client != "child")
    assert found["all_descend"]
    assert found["in_tree"] == [True]
    assert found["stands"] == [True]
    _check_nothing_else_resolves(found)


@pytest.mark.parametrize("tier", TIERS)
def test_every_holder_of_a_shared_connection_is_named(drive: Drive, tier: str) -> None:
    found = drive("attest", tier=tier, client="shared")
    assert found["owners"] == 2
    assert found["all_descend"]


@pytest.mark.parametrize("tier", TIERS)
def test_orphan_has_no_ancestry(drive: Drive, tier: str) -> None:
    found = drive("attest", tier=tier, client="orphan")
    assert found["owners"] == 1
    assert found["none_descends"]
    assert found["in_tree"] == [False]


@pytest.mark.parametrize("tier", TIERS)
def test_closed_connection_has_no_owner(drive: Drive, tier: str) -> None:
    assert drive("attest", tier=tier, client="gone")["owners"] == 0


def _check_nothing_else_resolves(found: dict[str, Any]) -> None:
    assert found["wrong_port"] == []
    assert found["reused_pid"] == []
    assert found["stranger"] == []
    assert found["after_kill"] == []
    assert not found["stands_after_kill"]


def test_nothing_can_be_planted_outside_the_places_that_are_writable(drive: Drive) -> None:
    script = (
        "exec 2>/dev/null; for at in / /etc /usr /home; do touch $at/planted && echo $at; done; "
        "(echo x >> /etc/passwd) && echo passwd; touch /tmp/mine mine && echo workspace; "
        "getent hosts localhost > /dev/null && echo hosts"
    )
    output = drive("run", argv=shell(script), tier="A")["output"]
    assert output.split() == ["/home", "workspace", "hosts"]  # /home is an empty one of its own
