"""Limits by cgroup: what is planned, and what the kernel then does where the machine has one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.errors import LaunchFailed
from supervisor.model import Limits
from supervisor.process import cgroup
from supervisor.process.cgroup import Delegation, Group
from tests.support.live import wait_for

GIB = 1 << 30
ALL = Limits(memory=4 * GIB, cpus=1.5, processes=300)


def tree(tmp_path: Path, path: str, controllers: str, *, root: str = "/") -> str:
    """A `/proc` whose process is in the group `path` of a cgroup2 tree below `tmp_path`."""
    own = tmp_path / "cgroup" / path.removeprefix(root).strip("/")
    own.mkdir(parents=True)
    for name, text in (("procs", ""), ("subtree_control", ""), ("controllers", controllers)):
        (own / f"cgroup.{name}").write_text(text)
    proc = tmp_path / "proc/self"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text(f"4:memory:/elsewhere\n0::{path}\n")
    (proc / "mountinfo").write_text(
        "24 1 0:22 / /proc rw - proc proc rw\n"
        f"35 24 0:30 {root} {tmp_path}/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
    )
    return str(tmp_path / "proc")


def test_limits_become_the_kernels_files() -> None:
    assert cgroup.settings(ALL) == {
        "memory.max": str(4 * GIB),
        "cpu.max": "150000 100000",
        "pids.max": "300",
    }
    assert cgroup.settings(Limits()) == {}
    assert not cgroup.limited(Limits())


def test_delegated_scope_offers_its_controllers(tmp_path: Path) -> None:
    scope = "/user.slice/user@1000.service/app.slice/run-7.scope"
    found = cgroup.delegation(tree(tmp_path, scope, "cpuset cpu io memory pids"))
    assert found.path == f"{tmp_path}/cgroup{scope}"
    assert found.controllers == {"cpu", "memory", "pids"}
    assert cgroup.missing(ALL, found) == ""


def test_part_of_a_tree_is_found_by_where_it_begins(tmp_path: Path) -> None:
    """In a container the mount shows the tree from the container's own group on."""
    found = cgroup.delegation(tree(tmp_path, "/machine/c1/work", "memory", root="/machine/c1"))
    assert found.path == f"{tmp_path}/cgroup/work"


def test_once_moved_into_its_leaf_the_supervisor_still_finds_the_place(tmp_path: Path) -> None:
    proc = tree(tmp_path, "/scope", "memory pids")
    (Path(proc) / "self/cgroup").write_text("0::/scope/taskpass-supervisor\n")
    assert cgroup.delegation(proc).path == f"{tmp_path}/cgroup/scope"


def test_what_cannot_be_limited_is_said_in_words(tmp_path: Path) -> None:
    nothing = cgroup.delegation(str(tmp_path))
    assert cgroup.missing(ALL, nothing) == "no cgroup2 tree is mounted"
    bare = cgroup.delegation(tree(tmp_path / "a", "/x", "hugetlb"))
    assert "no controllers are delegated" in cgroup.missing(ALL, bare)
    partly = Delegation("/cg", frozenset({"memory"}))
    assert cgroup.missing(ALL, partly) == "/cg has no controller for cpu, pids"
    assert cgroup.missing(Limits(memory=GIB), partly) == ""


def test_group_that_cannot_be_written_is_no_delegation(tmp_path: Path) -> None:
    proc = tree(tmp_path, "/system.slice", "memory pids")
    (tmp_path / "cgroup/system.slice/cgroup.subtree_control").unlink()
    assert "is not this account's" in cgroup.delegation(proc).reason


def test_group_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(LaunchFailed, match="limits cannot be set"):
        Group.make(str(tmp_path / "not-there"), "t-1", Limits(memory=GIB))
    assert list(tmp_path.iterdir()) == []


def test_hits_are_counted_by_what_was_met(tmp_path: Path) -> None:
    group = Group(tmp_path)
    assert group.hits() == {"memory": 0, "processes": 0}
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\n")
    (tmp_path / "pids.events").write_text("max 17\n")
    assert group.hits() == {"memory": 2, "processes": 17}
    assert len(group.watched) == 2


@pytest.fixture
def kernels_own() -> Iterator[Path | None]:
    """A directory of the machine's real cgroup2 tree; None where this account may make none."""
    base = cgroup.delegation().path
    path = Path(base, f"taskpass-test-{os.getpid()}") if base else None
    if path is not None:
        path.mkdir()
    yield path
    if path is not None:
        events = path / "cgroup.events"
        wait_for(lambda: "populated 0" in events.read_text(), "an empty group")
        path.rmdir()


def test_killing_a_group_ends_what_has_left_its_session(kernels_own: Path | None) -> None:
    if kernels_own is None:
        assert cgroup.delegation().reason
        return
    group = Group.make(str(kernels_own), "t-1", Limits())
    inside = "setsid sleep 600 & setsid setsid sleep 600 & sleep 600"
    first = subprocess.Popen(["/bin/sh", "-c", f"read _; {inside}"], stdin=subprocess.PIPE)
    group.add(first.pid)
    assert first.stdin is not None
    first.stdin.write(b"\n")
    first.stdin.close()

    def members() -> list[str]:
        return (group.path / "cgroup.procs").read_text().split()

    wait_for(lambda: len(members()) == 4, "the whole tree to run")
    assert group.kill()
    first.wait()
    wait_for(lambda: not members(), "the group to be empty")
    group.remove()
    assert not group.path.exists()


def test_what_is_in_the_way_of_limits_goes_to_a_leaf(kernels_own: Path | None) -> None:
    """The kernel hands controllers on only below a group without processes of its own."""
    if kernels_own is None:
        assert cgroup.delegation().reason
        return
    base = kernels_own.parent
    had = (base / "cgroup.subtree_control").read_text()
    # Any controller obeys the rule; which there are is the machine's affair.
    (controller, *_) = (base / "cgroup.controllers").read_text().split()
    cgroup.hand_on(base, [controller])
    member = subprocess.Popen(["/bin/sleep", "600"])
    (kernels_own / "cgroup.procs").write_text(str(member.pid))
    leaf = kernels_own / "taskpass-supervisor"
    try:
        cgroup.hand_on(kernels_own, [controller])
        assert controller in (kernels_own / "cgroup.subtree_control").read_text().split()
        assert (leaf / "cgroup.procs").read_text().split() == [str(member.pid)]
    finally:
        member.kill()
        member.wait()
        Group(leaf).remove()
        (kernels_own / "cgroup.subtree_control").write_text(f"-{controller}")
        if controller not in had.split():
            (base / "cgroup.subtree_control").write_text(f"-{controller}")
