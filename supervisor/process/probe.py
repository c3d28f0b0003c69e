"""What containment this machine allows, found by doing it: a container started as a task's is.

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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from supervisor.errors import LaunchFailed, TaskpassError
from supervisor.model import Tier
from supervisor.ports import Containment, SpawnRequest
from supervisor.process.launch import launch

_PATIENCE = 10.0  # seconds a probe may take on a loaded machine
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_MAX_NAMESPACES = Path("/proc/sys/user/max_user_namespaces")

# Where credentials lie in a home directory, as the tools that put them there document it.
_CREDENTIALS = (
    ".ssh", ".gnupg", ".aws", ".azure", ".config/gcloud", ".kube", ".docker/config.json", ".netrc",
    ".git-credentials", ".config/git/credentials", ".config/gh", ".config/hub", ".npmrc", ".pypirc",
    ".cargo/credentials.toml", ".gem/credentials", ".m2/settings.xml", ".gradle/gradle.properties",
    ".config/op", ".password-store", ".vault-token", ".terraform.d/credentials.tfrc.json",
    ".pgpass", ".my.cnf", ".config/doctl", ".fly", ".config/rclone", ".local/share/keyrings",
    ".mozilla", ".config/google-chrome", ".config/chromium", ".bash_history", ".zsh_history",
    ".claude/.credentials.json", ".codex/auth.json",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Probe:
    """`bwrap`: path of the bubblewrap that works, "" when none does; `detail` says why not."""

    tier: Tier
    detail: str
    bwrap: str


@lru_cache(maxsize=8)
def probe(candidates: tuple[str, ...] = ()) -> Probe:
    """The best tier to be had here. Cached for the life of the process.

    `candidates`: paths of bubblewrap to try besides the one on PATH.
    """
    found = [path for path in (shutil.which("bwrap"), *candidates) if path]
    if not sys.platform.startswith("linux"):
        return Probe(Tier.UNCONTAINED, "containment needs Linux", "")
    reason = "bubblewrap is not installed"
    for path in found:
        if not os.access(path, os.X_OK):
            reason = f"{path} is not an executable file"
            continue
        reason = _try_apart(path)
        if not reason:
            return Probe(Tier.A, "bubblewrap, own network, system-call filter", path)
    return Probe(Tier.UNCONTAINED, reason, "")


def exposed(home: str) -> tuple[str, ...]:
    """Credential paths that exist in `home`: what an uncontained agent can read. As "~/…"."""
    return tuple(f"~/{name}" for name in _CREDENTIALS if os.path.lexists(os.path.join(home, name)))


def _try_apart(bwrap: str) -> str:
    """Try in a process of its own: the caller may have threads, which do not survive a fork."""
    command = [sys.executable, "-I", "-m", __name__, bwrap]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE, env={}, cwd="/", check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the probe did not end: {error}"
    if done.returncode == 0:
        return ""
    return done.stdout.strip() or f"the probe ended with {done.returncode}"


def try_container(bwrap: str) -> str:
    """Start and end one container with a task's namespaces, mounts and filter; "" when it works."""
    with tempfile.TemporaryDirectory(prefix="taskpass-probe-") as base:
        workspace, task_dir = os.path.join(base, "workspace"), os.path.join(base, "task")
        os.mkdir(workspace)
        os.mkdir(task_dir)
        request = SpawnRequest(
            task="t-probe",
            argv=("/bin/true",),
            env={},
            cwd=workspace,
            containment=Containment("standard", workspace),
            task_dir=task_dir,
            tier=Tier.A,
            bwrap=bwrap,
            listeners=("proxy",),
            ports=(0,),
            pty=False,
        )
        try:
            code = _run(request)
        except TaskpassError as error:
            return _reason(error.message)
    return "" if code == 0 else f"a program in the container ended with {code}"


def _run(request: SpawnRequest) -> int:
    # Any path will do: nothing of a home is mounted, and /home is there on every machine.
    launcher = launch(request, "/home")
    null = os.open(os.devnull, os.O_RDWR)
    try:
        launcher.start(null, null, null)
        launcher.announced()
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
    signal.alarm(int(_PATIENCE))  # whatever hangs, hangs for so long
    reason = try_container(arguments[0])
    print(reason)
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
