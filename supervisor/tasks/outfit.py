"""What a task is fitted with so that git and gh find their log-ins: files, variables, channels."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from supervisor.calls.offering import Offering
from supervisor.channels import github
from supervisor.channels.git import environment as git
from supervisor.channels.git.helper import GitHelper
from supervisor.channels.http.proxy import HttpProxyChannel
from supervisor.core import Engine
from supervisor.errors import TaskpassError
from supervisor.identity.attest_linux import peer_process
from supervisor.model import Task, Tier
from supervisor.ports import Channel, ConnectionOwner, Vault
from supervisor.vault.standing import lent_in

log = logging.getLogger("supervisor")

_GH = "gh"  # in the task's directory: gh's configuration, and the socket it is told of
_SOCKET = "gh/socket"
_LONGEST_PATH = 107  # of a unix socket (unix(7))


async def variables(
    engine: Engine, task: Task, task_dir: Path, ports: Mapping[str, int], environ: Mapping[str, str]
) -> dict[str, str]:
    """Variables for the agent, whose files are written to `task_dir`. Holds no secret."""
    helper = _program(task_dir / git.HELPER, git.helper_script(ports["git"]))
    guard = ""
    if not _ssh_let_in(task):
        guard = _program(task_dir / git.SSH_GUARD, git.ssh_guard_script())
    lent = [spec for spec in engine.vault.specs() if lent_in(spec, task.workspace)]
    hosts = sorted({host for spec in lent for host in spec.hosts})
    told = git.variables(environ, helper, guard, hosts)
    return told | await _gh(engine.vault, task, task_dir)


async def _gh(vault: Vault, task: Task, task_dir: Path) -> dict[str, str]:
    """gh's configuration, where there is a credential for a GitHub."""
    stand_ins: dict[str, str] = {}
    # Of several for a host, the one that is not for one owner alone.
    for spec in sorted(vault.specs(), key=lambda spec: bool(spec.options.get("owner"))):
        if not lent_in(spec, task.workspace):
            continue
        for host in github.hosts(spec):
            if host in stand_ins:
                continue
            try:
                stand_ins[host] = await vault.surrogate(spec.name, task.id)
            except TaskpassError as error:
                log.warning("gh has no log-in to %s in %s: %s", host, task.id, error)
    if not stand_ins:
        return {}
    folder = task_dir / _GH
    folder.mkdir(mode=0o700, exist_ok=True)
    path = str(task_dir / _SOCKET) if _has_socket(task, task_dir) else ""
    for name, text in github.files(stand_ins, path).items():
        (folder / name).write_text(text)
    return github.variables(str(folder))


def channels(
    engine: Engine,
    task: Task,
    task_dir: Path,
    sockets: Mapping[str, socket.socket],
    owner: ConnectionOwner,
    proxy: HttpProxyChannel,
) -> list[Channel]:
    """The channels behind them; of a task that an earlier version began, those it has."""
    if "git" not in sockets:
        return []
    if (task_dir / _GH).is_dir() and _has_socket(task, task_dir):
        with contextlib.suppress(OSError):  # without it gh says that nothing listens there
            listener = _listening(task_dir / _SOCKET)
            proxy.serve_local(listener, egress=engine.egress, peer=peer_process)
    offering = Offering(
        engine.book, engine.vault, engine.judge, engine.lending, engine.egress, engine.records,
        engine.desk,
    )  # fmt: skip
    return [GitHelper(task.id, sockets["git"], engine, offering, owner)]


def _has_socket(task: Task, task_dir: Path) -> bool:
    """Not in tier B, whose gate connects in the task's place: the kernel would name the gate."""
    return task.runtime.tier is not Tier.B and len(str(task_dir / _SOCKET)) <= _LONGEST_PATH


def _listening(path: Path) -> socket.socket:
    """A listening socket there, for our account alone; one of an earlier supervisor goes."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _program(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o700)
    return str(path)


def _ssh_let_in(task: Task) -> bool:
    """Whether the person let this task have SSH keys."""
    let = (*task.runtime.let_read, *task.runtime.let_write)
    return any(os.path.basename(path) == ".ssh" or "/.ssh/" in path for path in let)
