"""A task in a cgroup of its own, made by its holder in a directory that is delegated to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.process import cgroup
from tests.support.accounts import Account, Drive

pytest_plugins = ("tests.support.task_fixtures",)


@pytest.fixture
def delegated(account: Account) -> Iterator[str]:
    """A group that belongs to the account, with this process (and so the driver) in it; "" where
    the machine has no place for one."""
    base = cgroup.delegation().path
    if not base:
        yield ""
        return
    path = Path(base, f"taskpass-delegated-{os.getpid()}")
    path.mkdir()
    for each in (path, path / "cgroup.procs", path / "cgroup.subtree_control"):
        os.chown(each, account.uid, -1)
    (path / "cgroup.procs").write_text(str(os.getpid()))
    yield str(path)
    Path(base, "cgroup.procs").write_text(str(os.getpid()))
    cgroup.Group(path).remove()
    assert not path.exists(), "nothing of the task is left in it"


def test_a_tasks_processes_are_in_its_own_group_which_ends_with_it(
    drive: Drive, delegated: str
) -> None:
    if not delegated:
        assert cgroup.delegation().reason
        return
    argv = ["/bin/sh", "-c", "(setsid cat /proc/self/cgroup)"]
    result = drive("run", argv=argv, tier="uncontained", cgroup=delegated)
    assert result["exit_code"] == 0
    unified = [line for line in result["output"].splitlines() if line.startswith("0::")]
    assert unified[0].endswith("/taskpass-t-driver")
    assert not Path(delegated, "taskpass-t-driver").exists()


@pytest.mark.parametrize("tier", ["A", "B"])
def test_contained_its_group_is_out_of_its_reach(drive: Drive, delegated: str, tier: str) -> None:
    place = f"{delegated}/cgroup.procs"
    script = f"echo started; echo $$ > {place} && echo left; ls {delegated or '/sys'} && echo seen"
    result = drive("run", argv=["/bin/sh", "-c", script], tier=tier, cgroup=delegated)
    assert "started" in result["output"]
    assert "left" not in result["output"].split()
    assert tier == "B" or "seen" not in result["output"].split(), "in tier A it is not even there"
    assert not Path(delegated or "/nowhere", "taskpass-t-driver").exists()
