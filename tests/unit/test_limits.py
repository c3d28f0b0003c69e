"""Limits as people write them, and how they meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config import load_user_config
from supervisor.errors import ConfigError, LaunchFailed, PolicyError, UsageError
from supervisor.model import Limits
from supervisor.policy.project import read_project
from supervisor.process.cgroup import Delegation
from supervisor.protocol import wire
from supervisor.sizes import bytes_of, size_words
from supervisor.tasks import limits

GIB, MIB = 1 << 30, 1 << 20
EVERYTHING = Delegation("/cg", frozenset({"memory", "cpu", "pids"}))


@pytest.mark.parametrize(
    ("text", "size"),
    [("4G", 4 * GIB), ("1.5g", 3 * GIB // 2), ("512M", 512 * MIB), ("512MiB", 512 * MIB),
     ("800000000", 800_000_000), (" 2 GB ", 2 * GIB)],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "G", "four", "4X", "-1G", "nan", "inf", "1K", "0"])
def test_what_is_no_size_for_a_task_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        bytes_of(text)


def test_sizes_in_words() -> None:
    assert size_words(4 * GIB) == "4 GB"
    assert size_words(3 * GIB // 2) == "1.5 GB"


def start(**wanted: object) -> wire.StartTask:
    return wire.StartTask(argv=("x",), cwd="/", environ={}, **wanted)  # type: ignore[arg-type]


def test_what_is_said_for_one_task_beats_the_persons_own() -> None:
    own = Limits(memory=8 * GIB, processes=500)
    asked = limits.asked_for(start(memory=GIB, cpus=2.0), own)
    assert (asked.memory, asked.cpus, asked.processes) == (GIB, 2.0, 500)
    assert limits.in_words(asked) == ("1 GB of memory", "2 processors", "500 processes")


def test_limits_that_nothing_would_hold_start_no_task() -> None:
    limits.check(Limits(), Delegation(reason="no delegated cgroup"))
    limits.check(Limits(memory=GIB), EVERYTHING)
    with pytest.raises(LaunchFailed) as refused:
        limits.check(Limits(memory=GIB), Delegation(reason="no delegated cgroup"))
    assert refused.value.message == (
        "A task cannot be limited to 1 GB of memory here: no delegated cgroup."
    )
    assert "Delegate=yes" in refused.value.hint


def test_the_persons_limits_are_read_from_their_configuration(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[limits]\nmemory = "4G"\ncpus = 2\nprocesses = 300\n')
    config = load_user_config(file)
    assert (config.memory, config.cpus, config.processes) == (4 * GIB, 2.0, 300)


@pytest.mark.parametrize(
    "line", ['memory = "lots"', "memory = 4", "cpus = 0", 'cpus = "2"', "processes = 1.5",
             "processes = true"],
)  # fmt: skip
def test_limits_that_are_none_are_told_with_their_place(tmp_path: Path, line: str) -> None:
    for name, read in (
        ("config.toml", lambda: load_user_config(tmp_path / "config.toml")),
        ("taskpass.toml", lambda: read_project(str(tmp_path))),
    ):
        (tmp_path / name).write_text(f"[limits]\n{line}\n")
        with pytest.raises((ConfigError, PolicyError), match="limits"):
            read()


def test_a_project_only_lowers_them(tmp_path: Path) -> None:
    (tmp_path / "taskpass.toml").write_text(
        '[limits]\nmemory = "2G"\ncpus = 4.0\nprocesses = 100\n'
    )
    project = read_project(str(tmp_path))
    own = Limits(memory=GIB, cpus=8.0)
    assert project.tightened(own) == Limits(memory=GIB, cpus=4.0, processes=100)
