"""What the doctor says of what it is told."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from profiles.manifest import load
from supervisor.config import Config
from supervisor.doctor import install, machine
from supervisor.doctor.report import Finding, State, as_json, as_text, healthy
from supervisor.model import Tier
from supervisor.process.cgroup import Delegation
from supervisor.process.probe import Probe
from supervisor.process.root_equivalents import Account, Hole, Way

CONTAINED = Probe(Tier.A, "bubblewrap, own network", "/usr/bin/bwrap")
BARE = Probe(Tier.UNCONTAINED, "bubblewrap is not installed", "")
DOCKER = Way("docker socket", "starts a container as root", "leave the group docker")
CLAUDE = load("claude_code")


def account(tmp_path: Path) -> Account:
    return Account(1000, "ana", str(tmp_path), frozenset(), {})


def test_every_problem_stands_with_its_next_step() -> None:
    (finding,) = machine.containment(BARE, None, Config())
    assert finding.state is State.PROBLEM
    text = as_text([finding])
    assert "! uncontained: an agent can read and do what you can (bubblewrap is not inst" in text
    assert text.splitlines()[1].strip().startswith("→ install bubblewrap")
    assert "1 problem, marked with !" in text


def test_tier_a_tells_what_else_would_work() -> None:
    gated = Probe(Tier.B, "Landlock, gate on connections; not A: config.toml asks for less", "")
    first, second = machine.containment(CONTAINED, gated, Config())
    assert (first.state, "/usr/bin/bwrap" in first.what) == (State.OK, True)
    assert second.what == "tier B would work too (Landlock, gate on connections)"
    _, second = machine.containment(CONTAINED, BARE, Config())
    assert second.what == "tier B would not work (bubblewrap is not installed)"


def test_tier_that_was_asked_for_is_not_blamed_on_the_machine() -> None:
    (finding,) = machine.containment(Probe(Tier.B, "Landlock", ""), None, Config(tier="B"))
    assert (finding.state, finding.next) == (State.NOTE, "take `tier` out of config.toml")


def test_containment_that_the_person_switched_off_is_a_problem_of_its_own() -> None:
    (finding,) = machine.containment(CONTAINED, None, Config(contain="off"))
    assert finding.state is State.PROBLEM
    assert "config.toml switches it off" in finding.what


def test_areas_are_named_once_and_in_order() -> None:
    found = [Finding("a", State.OK, "one"), Finding("a", State.NOTE, "two"),
             Finding("b", State.OK, "three")]  # fmt: skip
    lines = as_text(found).splitlines()
    assert [line[:1] for line in lines[:3]] == ["a", " ", "b"]
    assert healthy(found)
    assert lines[-1] == "Nothing is wrong."


def test_machines_read_the_same() -> None:
    told = as_json([Finding("disk", State.PROBLEM, "full", "free some")])
    assert told == {
        "schema_version": 1,
        "ok": False,
        "findings": [{"area": "disk", "state": "problem", "what": "full", "next": "free some"}],
        "paths": [],
    }


@pytest.mark.parametrize(("tier", "state"), [(Tier.A, State.OK), (Tier.UNCONTAINED, State.PROBLEM)])
def test_files_and_ways_out_are_problems_where_nothing_keeps_them(tier: Tier, state: State) -> None:
    (files,) = machine.exposure(tier, ("~/.ssh", "~/.aws"))
    (ways,) = machine.holes(tier, [Hole(DOCKER, "/run/docker.sock")])
    assert (files.state, ways.state) == (state, state)
    assert "~/.ssh, ~/.aws" in files.what
    assert "docker socket" in ways.what
    if state is State.PROBLEM:
        assert "/run/docker.sock" in ways.what
        assert ways.next == "leave the group docker"


def test_several_paths_of_one_way_are_one_finding() -> None:
    holes = [Hole(DOCKER, f"/run/{number}.sock") for number in range(6)]
    (finding,) = machine.holes(Tier.UNCONTAINED, holes)
    assert "and 2 more" in finding.what


def test_limits_are_told_with_the_reason_why_not() -> None:
    can = machine.limits(Delegation("/sys/fs/cgroup/x", frozenset({"memory", "pids"})))
    assert "memory, pids (/sys/fs/cgroup/x)" in can.what
    cannot = machine.limits(Delegation(reason="no cgroup2 tree is mounted"))
    assert cannot.what == "none to be had: no cgroup2 tree is mounted"
    assert "Delegate=yes" in cannot.next


def test_agent_that_is_too_old_is_a_problem_and_an_untested_one_a_note() -> None:
    assert install.agent(CLAUDE, "", "", outdated=False).what == "Claude Code is not installed"
    old = install.agent(CLAUDE, "/bin/claude", "2.0.1", outdated=True)
    assert old.state is State.PROBLEM
    assert old.next == f"update it to {CLAUDE.minimum} or later"
    tested = install.agent(CLAUDE, "/bin/claude", CLAUDE.tested[0], outdated=False)
    assert tested.state is State.OK
    newer = install.agent(CLAUDE, "/bin/claude", "99.0", outdated=False)
    assert (newer.state, f"tested with {CLAUDE.tested[0]}" in newer.what) == (State.NOTE, True)


SUDO = {"asks": "exit 1", "gives": "echo '(ALL) NOPASSWD: ALL'"}


@pytest.mark.parametrize(("kind", "state"), [("asks", State.OK), ("gives", State.PROBLEM)])
def test_sudo_is_asked_without_a_prompt(tmp_path: Path, kind: str, state: State) -> None:
    program = tmp_path / "sudo"
    program.write_text(f'#!/bin/sh\n[ "$*" = "-n -l" ] || exit 0\n{SUDO[kind]}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    assert machine.sudo(account(tmp_path), {"PATH": str(tmp_path)}).state is state


def test_no_sudo_no_question(tmp_path: Path) -> None:
    assert machine.sudo(account(tmp_path), {"PATH": str(tmp_path)}).what == "not installed"


def test_history_that_does_not_exist_yet_has_room(tmp_path: Path) -> None:
    finding = machine.disk(str(tmp_path / "not/made/yet"))
    assert finding.state is State.OK
    assert "no history yet" in finding.what
    assert not (tmp_path / "not").exists(), "looking makes nothing"


@pytest.mark.parametrize(
    ("environ", "size", "said"),
    [
        ({"TERM": "xterm-256color", "LANG": "C.UTF-8"}, (120, 40), "xterm-256color, 120×40"),
        ({"TERM": "dumb", "LANG": "C.UTF-8"}, (120, 40), "no screen can be drawn"),
        ({"TERM": "xterm"}, (120, 40), "not UTF-8"),
        ({"TERM": "xterm", "LC_ALL": "en_GB.utf8"}, (60, 20), "small: 60×20"),
        ({}, None, "none here"),
    ],
)
def test_terminal(environ: dict[str, str], size: tuple[int, int] | None, said: str) -> None:
    assert said in " ".join(finding.what for finding in install.terminal(environ, size))


def test_the_slow_emulator_is_said_to_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "supervisor.process.emulator_ghostty", raising=False)
    monkeypatch.setitem(sys.modules, "pyghostty", None)
    finding, *_ = install.terminal({"TERM": "xterm", "LANG": "C.UTF-8"}, (120, 40))
    assert "a hundred times slower" in finding.what
    monkeypatch.setitem(sys.modules, "supervisor.process.emulator_bittty", None)
    finding, *_ = install.terminal({"TERM": "xterm", "LANG": "C.UTF-8"}, (120, 40))
    assert finding.state is State.PROBLEM
    assert "only --headless works" in finding.what
