"""Evidence for the four parts: user, agent, runtime, task. Reads the system, decides nothing."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import socket
from pathlib import Path

from supervisor.errors import AgentNotExecutable, AgentNotFound, UsageError
from supervisor.model import Agent, CallIdentity, Evidence, Runtime, Tier, User

_BLOCK = 1 << 20
# The CI systems that say so in documented variables. A variable is a hint, not evidence:
# the runtime's kind is what it looks like, `evidence` is what backs it.
_CI_MARKERS = ("GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BUILDKITE", "CI")
_CONTAINER_MARKERS = (Path("/.dockerenv"), Path("/run/.containerenv"))


def current_user() -> User:
    """The OS account of this process."""
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid{uid}"
    return User(uid=uid, name=name, host=socket.gethostname())


def find_executable(program: str, cwd: str, path: str) -> str:
    """The file that `program` names, as execvp(3) would find it, resolved to its real path.

    Raises:
        AgentNotFound, AgentNotExecutable.
    """
    if not program:
        raise UsageError("There is no program to run.", hint="Give one after `--`.")
    if "/" in program:
        candidate = os.path.join(cwd, program)
        if not os.path.exists(candidate):
            raise AgentNotFound(f"{program} does not exist.", hint="Check the path.")
        if os.path.isdir(candidate) or not os.access(candidate, os.X_OK):
            raise AgentNotExecutable(f"{program} cannot be executed.", hint="Check its mode.")
        return os.path.realpath(candidate)
    found = shutil.which(program, path=path)
    if found is None:
        raise AgentNotFound(
            f"{program} was not found on PATH.", hint="Install it, or give its path."
        )
    return os.path.realpath(found)


class Digests:
    """SHA-256 of files, kept by device, inode, size, mtime and ctime.

    ctime cannot be set back by an unprivileged process, so a changed file is read again.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int, int, int], str] = {}

    def of(self, path: str) -> str:
        """`sha256:<hex>`; "" when the file cannot be read."""
        try:
            with open(path, "rb") as file:
                info = os.fstat(file.fileno())
                key = (
                    info.st_dev,
                    info.st_ino,
                    info.st_size,
                    info.st_mtime_ns,
                    info.st_ctime_ns,
                )
                if key not in self._known:
                    digest = hashlib.sha256()
                    while block := file.read(_BLOCK):
                        digest.update(block)
                    self._known[key] = f"sha256:{digest.hexdigest()}"
                return self._known[key]
        except OSError:
            return ""


def agent_evidence(
    profile: str, executable: str, version: str, call_identity: CallIdentity, digests: Digests
) -> Agent:
    """The agent, or a refusal when its program cannot be read: no digest, no identity.

    Raises:
        AgentNotExecutable: the executable cannot be read.
    """
    digest = digests.of(executable)
    if not digest:
        raise AgentNotExecutable(
            f"{executable} cannot be read, so it cannot be identified.", hint="Check its mode."
        )
    return Agent(profile, executable, digest, version, call_identity)


def runtime_evidence(tier: Tier, detail: str, sandbox_profile: str) -> Runtime:
    """Where we run. On a laptop there is no attestation, and none is claimed."""
    if any(os.environ.get(name) for name in _CI_MARKERS):
        kind = "ci"
    elif any(marker.exists() for marker in _CONTAINER_MARKERS):
        kind = "container"
    else:
        kind = "laptop"
    return Runtime(kind, Evidence.OS, tier, detail, sandbox_profile)


def repository_of(cwd: str) -> tuple[str, str]:
    """(top level of the git work tree, branch) around `cwd`; ("", "") outside one.

    Read from the files, as git itself lays them out (gitrepository-layout(5)): no repository's
    configuration is run to find out where we are. A folder `.git` without HEAD is no repository,
    as for git: programs that mount over such places leave empty ones behind when they are killed.
    """
    place = Path(cwd)
    for folder in (place, *place.parents):
        marker = folder / ".git"
        if os.path.lexists(marker / "HEAD"):
            return str(folder), _branch(marker)
        if marker.is_file():  # a linked work tree: "gitdir: PATH"
            word, _, target = marker.read_text(errors="replace").strip().partition(": ")
            if word == "gitdir":
                return str(folder), _branch(folder / target)
    return "", ""


def _branch(git_dir: Path) -> str:
    try:
        head = (git_dir / "HEAD").read_text(errors="replace").strip()
    except OSError:
        return ""
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: ") else head[:12]
