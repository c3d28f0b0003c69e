"""The environment of a task's agent, and what binds a shell that it starts to its call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from supervisor.calls.attestation import agent_handle
from supervisor.channels.http.environment import (
    bind_script,
    environment,
    proxy_url,
    shell_prefix,
    sourced,
)
from supervisor.core import Engine
from supervisor.model import Task, Tier
from supervisor.tasks import network, outfit

# What an agent with hooks reaches directly: them, and local models. Its tools get the handle of
# their own call, and no exception, from the rewritten command.
_AGENTS_OWN = "127.0.0.1,localhost"


async def variables(
    engine: Engine,
    task: Task,
    plain: Mapping[str, str],
    task_dir: Path,
    ports: Mapping[str, int],
    roots: bytes,
    handle: str,
    private_hosts: Iterable[str],
    *,
    alone: bool = False,
) -> dict[str, str]:
    """All variables of the agent but those that hold stand-ins; files go to `task_dir`.

    Args:
        plain: as the profile made them up.
        roots: certificates that the task's tools shall believe, PEM.
        handle: of agents that announce no calls, that of their one; else "".
        private_hosts: that may be private addresses.
        alone: of `LaunchPlan`.
    """
    bundle = task_dir / "ca.pem"
    bundle.write_bytes(roots)
    env = dict(plain) | environment(
        str(bundle),
        proxy_url(handle or agent_handle(task.id), ports["proxy"]),
        no_proxy=tools_exceptions(task.runtime.tier, private_hosts)
        if handle or alone
        else _AGENTS_OWN,
    )
    env["TASKPASS_TASK"] = task.id
    return env | await outfit.variables(engine, task, task_dir, ports, env)


def binding(
    task: Task, task_dir: Path, port: int, private_hosts: Iterable[str]
) -> Callable[[str], str]:
    """What is put before a shell command, by the handle of its call.

    Short where the task cannot alter the file it names.
    """
    exceptions = tools_exceptions(task.runtime.tier, private_hosts)
    if not task.runtime.tier.contained:
        return lambda handle: shell_prefix(handle, port, exceptions)
    file = task_dir / "bind"
    file.write_text(bind_script(port, exceptions))
    return lambda handle: sourced(str(file), handle)


def tools_exceptions(tier: Tier, private_hosts: Iterable[str]) -> str:
    """NO_PROXY of a task's tools."""
    if not tier.contained:
        return ""
    return network.proxy_exceptions(private_hosts)
