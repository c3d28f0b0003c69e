"""Nothing of a task lives on after its revocation, whatever its processes do, in every tier.

`test_revoke_contained` says how fast a crowd ends; here are processes that fight back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import crowd, nest_inside
from tests.support.accounts import Account
from tests.support.agents import RealAgent
from tests.support.live import TASKPASS, Install, until
from tests.support.scripted_model import ScriptedModel, script
from tests.support.somebody import Somebody, settled
from tests.support.supervised import supervise
from tests.support.terminal import Terminal

TIERS = ("A", "B", "uncontained")
PYTHON = "/usr/bin/python3"
NEST = f"#!{PYTHON} -S\n{Path(nest_inside.__file__).read_text()}"


@pytest.fixture(params=TIERS)
def anybody(request: pytest.FixtureRequest, unprivileged: Account) -> Iterator[Somebody]:
    with settled(unprivileged, request.param) as somebody:
        yield somebody


def test_a_tree_that_fights_back_leaves_no_survivor(anybody: Somebody) -> None:
    anybody.own("mkfifo", crowd.PIPE)
    anybody.write("project/nest", NEST, 0o755)
    contain = ("--contain", "off") if anybody.tier == "uncontained" else ()
    with crowd.Gate(anybody.project / crowd.PIPE) as gate:
        task = anybody.popen("run", "--headless", *contain, "--", PYTHON, "-S", "nest")
        gate.all_here(nest_inside.HERE)
        revoked = anybody.taskpass("revoke", "1")
        assert revoked.returncode == 0, revoked.stderr
        gate.all_gone()
        assert task.wait(30) != 0
    (started,) = anybody.records("task.started")
    assert started["tier"] == anybody.tier
    (killed,) = anybody.records("task.killed")
    assert killed["processes_left"] == 0


def of_task(task: str) -> dict[int, str]:
    """The processes that have a task's mark in their environment: pid → program."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"TASKPASS_TASK={task}".encode() in (
                (entry / "environ").read_bytes().split(b"\0")
            ):
                found[int(entry.name)] = (entry / "comm").read_text().strip()
        except OSError:  # it has ended, or is another account's
            continue
    return found


@pytest.mark.parametrize("tier", TIERS)
async def test_codex_leaves_no_survivor(
    install: Install, codex: RealAgent, scripted_model: ScriptedModel, tier: str
) -> None:
    if tier == "B":
        install.configure('[containment]\ntier = "B"\n')
    install.allow_programs("nest")
    os.mkfifo(install.project / crowd.PIPE)
    nest = install.project / "nest"
    nest.write_text(NEST)
    nest.chmod(0o755)
    supervised = supervise(codex, install, scripted_model)
    contain = ("--contain", "off") if tier == "uncontained" else ()
    # Its own sandbox would leave what it mounted over in a /tmp that it may write to.
    own = ("-c", "sandbox_workspace_write.exclude_slash_tmp=true")
    words = [*codex.argv, *own, script(supervised.shell("./nest"))]
    argv = [*TASKPASS, "run", *contain, "--", *words]
    with crowd.Gate(install.project / crowd.PIPE) as gate:
        async with Terminal(argv, cwd=install.project, environ=supervised.environ) as terminal:
            await until(lambda: gate.here(nest_inside.HERE), "the tree below Codex", 60)
            (started,) = await supervised.records("task.started")
            assert started["tier"] == tier
            assert "codex" in of_task(started["task"]).values()
            terminal.press("ctrl+backslash", "x")
            assert await terminal.exit_code() != 0
        gate.all_gone()
    assert of_task(started["task"]) == {}
    (killed,) = await supervised.recorded("task.killed")
    assert killed["processes_left"] == 0
