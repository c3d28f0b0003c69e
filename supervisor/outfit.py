"""What a task is fitted with so that git finds its log-ins: files, variables, channels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from socket import socket

from supervisor.channels.git import environment as git
from supervisor.channels.git.helper import GitHelper
from supervisor.core import Engine
from supervisor.model import Task
from supervisor.offering import Offering
from supervisor.ports import Channel, ConnectionOwner
from supervisor.vault.standing import lent_in


def variables(
    engine: Engine, task: Task, task_dir: Path, ports: Mapping[str, int], environ: Mapping[str, str]
) -> dict[str, str]:
    """Variables for the agent, whose files are written to `task_dir`. Holds no secret."""
    helper = _program(task_dir / git.HELPER, git.helper_script(ports["git"]))
    guard = ""
    if not _ssh_let_in(task):
        guard = _program(task_dir / git.SSH_GUARD, git.ssh_guard_script())
    lent = [spec for spec in engine.vault.specs() if lent_in(spec, task.workspace)]
    hosts = sorted({host for spec in lent for host in spec.hosts})
    return git.variables(environ, helper, guard, hosts)


def channels(
    engine: Engine, task: str, sockets: Mapping[str, socket], owner: ConnectionOwner
) -> list[Channel]:
    """The channels behind them; of a task that an earlier version began, those it has."""
    if "git" not in sockets:
        return []
    offering = Offering(
        engine.book, engine.vault, engine.judge, engine.egress, engine.records, engine.desk
    )
    return [GitHelper(task, sockets["git"], engine, offering, owner)]


def _program(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o700)
    return str(path)


def _ssh_let_in(task: Task) -> bool:
    """Whether the person let this task have SSH keys."""
    let = (*task.runtime.let_read, *task.runtime.let_write)
    return any(os.path.basename(path) == ".ssh" or "/.ssh/" in path for path in let)
