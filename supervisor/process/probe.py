"""What containment this machine allows, found by doing it: a task of each tier is started.

Kernels, distributions and container hosts forbid user namespaces, /proc mounts or filters in many
ways; none of them can be told from a version number.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from supervisor.errors import LaunchFailed, TaskpassError
from supervisor.loopback import PROXY_PORT
from supervisor.model import Tier
from supervisor.ports import Containment, Mount, SpawnRequest
from supervisor.process import landlock
from supervisor.process.gate import Gate
from supervisor.process.launch import launch

_PATIENCE = 10.0  # seconds a probe may take on a loaded machine
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_MAX_NAMESPACES = Path("/proc/sys/user/max_user_namespaces")


Outcome = tuple[bool, str]  # whether it works, and in words why not, or what does not


@dataclass(frozen=True, slots=True)
class Probe:
    """`bwrap`: path of the bubblewrap that works, "" when none does; `detail` says why not."""

    tier: Tier
    detail: str
    bwrap: str


@lru_cache(maxsize=8)
def probe(candidates: tuple[str, ...] = (), best: Tier = Tier.A) -> Probe:
    """The best tier to be had here, but none above `best`. Cached for the life of the process.

    `candidates`: paths of bubblewrap to try besides the one on PATH.
    """
    trials = _trials(candidates, best)
    try:
        wanted = next(trials)
        while True:
            wanted = trials.send(_try_apart(wanted))
    except StopIteration as end:
        found: Probe = end.value
        return found


async def probe_by(attempt: Callable[[str], Awaitable[Outcome]], best: Tier = Tier.A) -> Probe:
    """As `probe`, where somebody else makes the attempts.

    Args:
        attempt: starts what `attempted` starts, in a process that may fork.
    """
    trials = _trials((), best)
    try:
        wanted = next(trials)
        while True:
            wanted = trials.send(await attempt(wanted))
    except StopIteration as end:
        found: Probe = end.value
        return found


def _trials(candidates: tuple[str, ...], best: Tier) -> Generator[str, Outcome, Probe]:
    """Yields what is to be attempted, takes what came of it."""
    if not sys.platform.startswith("linux"):
        return Probe(Tier.UNCONTAINED, "containment needs Linux", "")
    if best is Tier.UNCONTAINED:
        return Probe(best, "config.toml asks for no containment", "")
    why_not_a = "config.toml asks for no better tier"
    if best is Tier.A:
        bwrap, why_not_a = yield from _working_bwrap(candidates)
        if bwrap:
            return Probe(Tier.A, "bubblewrap, own network, system-call filter", bwrap)
    works, told = yield ""
    if not works:
        return Probe(Tier.UNCONTAINED, f"{why_not_a}; {told}", "")
    limits = [told] if told else []
    if not landlock.controls_signals():
        limits.append("signals to your other programs are not held")
    parts = ("Landlock, gate on connections", *limits, f"not A: {why_not_a}")
    return Probe(Tier.B, "; ".join(parts), "")


def _working_bwrap(candidates: tuple[str, ...]) -> Generator[str, Outcome, tuple[str, str]]:
    """(path of a bubblewrap that works, "" for none, why the last one does not)."""
    reason = "bubblewrap is not installed"
    for path in (shutil.which("bwrap"), *candidates):
        if path is None:
            continue
        if not os.access(path, os.X_OK):
            reason = f"{path} is not an executable file"
            continue
        works, reason = yield path
        if works:
            return path, ""
    return "", reason


def _try_apart(bwrap: str) -> Outcome:
    """`attempted` in a process of its own: the caller may have threads, which do not survive a
    fork."""
    command = [sys.executable, "-I", "-m", __name__, bwrap]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, env={}, cwd="/", check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, f"the probe did not end: {error}"
    told = done.stdout.strip()
    if done.returncode == 0:
        return True, told
    return False, told or f"the probe ended with {done.returncode}"


def attempted(bwrap: str) -> Outcome:
    """Start and end one container by this bubblewrap, or for "" one program in tier B."""
    signal.alarm(int(_PATIENCE))  # whatever hangs, hangs for so long
    if not bwrap:
        return try_gated()
    told = try_container(bwrap)
    return not told, told


def try_container(bwrap: str) -> str:
    """Start and end one container with a task's namespaces, mounts and filter; "" when it works."""
    try:
        code = _try(Tier.A, ("/bin/true",), bwrap=bwrap)
    except TaskpassError as error:
        return _reason(error.message)
    return "" if code == 0 else f"a program in the container ended with {code}"


# Reaches its proxy and serves others, as programs of a task do: both by way of the gate.
_NO_SERVERS = 3
_CLIENT = f"""
import socket, sys
socket.create_connection(("127.0.0.1", {PROXY_PORT}), 5).close()
try:
    with socket.socket() as server:
        server.bind(("", 0))
        server.listen()
        socket.create_connection(("127.0.0.1", server.getsockname()[1]), 5).close()
except OSError:
    sys.exit({_NO_SERVERS})
"""


def try_gated() -> Outcome:
    """Start and end one program as tier B holds it."""
    prefixes = tuple(Mount(os.path.realpath(path)) for path in (sys.prefix, sys.base_prefix))
    python = os.path.realpath(sys.executable)
    try:
        code = _try(Tier.B, (python, "-I", "-S", "-c", _CLIENT), mounts=prefixes)
    except TaskpassError as error:
        return False, error.message
    if code == _NO_SERVERS:  # pidfd_getfd(2) is refused here, as in many containers
        return True, "programs in a task cannot be servers"
    return code == 0, "" if code == 0 else "a program behind Landlock and the gate cannot connect"


def _try(tier: Tier, argv: tuple[str, ...], bwrap: str = "", mounts: tuple[Mount, ...] = ()) -> int:
    """The exit code of one program in this tier, in an empty workspace."""
    with tempfile.TemporaryDirectory(prefix="taskpass-probe-") as base:
        workspace, task_dir = os.path.join(base, "workspace"), os.path.join(base, "task")
        os.mkdir(workspace)
        os.mkdir(task_dir)
        request = SpawnRequest(
            task="t-probe",
            argv=argv,
            env={},
            cwd=workspace,
            containment=Containment("standard", workspace, mounts),
            task_dir=task_dir,
            tier=tier,
            bwrap=bwrap,
            listeners=("proxy",),
            ports=(PROXY_PORT,),
            pty=False,
        )
        return _run(request)


def _run(request: SpawnRequest) -> int:
    # Any path will do: nothing of a home is mounted, and /home is there on every machine.
    launcher = launch(request, "/home")
    null = os.open(os.devnull, os.O_RDWR)
    try:
        launcher.start(null, null, null)
        launcher.announced()
        if launcher.gate >= 0:
            Gate.of(request, launcher.gate, launcher.ports, lambda attempt: None).start()
        launcher.release()
        error = launcher.outcome()
        if error is not None:
            raise error
    except OSError as error:
        raise LaunchFailed(f"The container could not be set up: {error.strerror}.") from error
    finally:
        os.close(null)
        status = os.waitpid(launcher.pid, 0)[1]
    return os.waitstatus_to_exitcode(status)


def _reason(message: str) -> str:
    """The failure, and the setting behind it where there is one."""
    if _read(_APPARMOR) == "1":
        return f"{message} AppArmor restricts user namespaces ({_APPARMOR.name} is 1)."
    if _read(_MAX_NAMESPACES) == "0":
        return f"{message} User namespaces are switched off ({_MAX_NAMESPACES.name} is 0)."
    return message


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _main(arguments: Sequence[str]) -> int:
    works, told = attempted(arguments[0])
    print(told)
    return 0 if works else 1


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
