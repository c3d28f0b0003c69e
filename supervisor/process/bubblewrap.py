"""The plan of what a task sees (`ports.Containment`) as arguments of bubblewrap.

Pure but for looking at which paths exist. The container starts from nothing and adds: system
programs read-only, fresh /tmp, /run and home, then the workspace, the task's own directory and
what the plan lets in. What must not be there is therefore absent, not merely forbidden: our
state, credential files, D-Bus, sockets of tmux, screen and zellij, X11.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from supervisor.ports import Containment, SpawnRequest
from supervisor.process.containment import NOTICE, NOTICE_FILE, anchors, check_workspace, within
from supervisor.process.staging import skeleton

# File descriptors as the launcher arranges them before it becomes bubblewrap.
CONTROL_FD = 3  # the holder's channel: proof of who the agent's process is, then the start signal
STDERR_FD = 4  # the agent's real standard error; bubblewrap's own goes to the holder
ARGS_FD = 5
FILTER_FD = 6
_FIRST_COPY_FD = 7

MERGED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM = ("/usr", "/opt", "/nix/store")

# The parts of /etc that programs need to run, resolve names and trust certificates. The rest
# (shadow, ssh host keys, network-manager secrets, sudoers …) is absent. Every mount costs: the
# list is kept to what something was seen to need, and files are copied (3 ms less for a start).
ETC = (
    "alternatives", "bash.bashrc", "crypto-policies", "fonts", "gai.conf", "gitconfig", "group",
    "host.conf", "hostname", "hosts", "ld.so.cache", "localtime", "mime.types", "nsswitch.conf",
    "os-release", "passwd", "pki", "profile", "profile.d", "protocols", "resolv.conf", "services",
    "shells", "ssl",
)  # fmt: skip

# The first program in the container. It shows the holder which process it is (the kernel stamps
# the sender's pid on the message), waits for the start signal, and becomes the agent. So nothing
# of the agent runs before the supervisor knows its root process. If the holder is gone, the read
# fails and the agent is never started.
_HANDSHAKE = f"printf . >&{CONTROL_FD} && read -r _ <&{CONTROL_FD} && "
# bubblewrap binds the pane's terminal at /dev/console. The agent gets a session of its own with
# that as its controlling terminal, so that job control works and ctrl+c reaches the agent's
# foreground job and not bubblewrap.
_EXEC_TERMINAL = (
    "exec 0<>/dev/console 1>&0 2>&0 && "
    f'exec /usr/bin/setsid --ctty "$@" {CONTROL_FD}<&- {STDERR_FD}<&-'
)
_EXEC_HEADLESS = f'exec "$@" 2>&{STDERR_FD} {CONTROL_FD}<&- {STDERR_FD}<&-'


@dataclass(frozen=True, slots=True)
class _Bind:
    path: str
    writable: bool
    required: bool
    source: str = ""  # where it comes from, "" for the same path


def bwrap_argv(request: SpawnRequest) -> list[str]:
    """The command line of bubblewrap: where its options come from, and what it starts."""
    shim = (
        f"umask {request.umask:03o} && "
        + _HANDSHAKE
        + (_EXEC_TERMINAL if request.pty else _EXEC_HEADLESS)
    )
    return ["bwrap", "--args", str(ARGS_FD), "--", "/bin/sh", "-c", shim, "taskpass", *request.argv]


def bwrap_options(request: SpawnRequest, home: str) -> list[str]:
    """The options of bubblewrap, to be read from `ARGS_FD`.

    They carry the agent's environment, so they travel on a file descriptor: a command line can
    be read by every account. `home` is the account's real home directory, which must not be the
    workspace.

    Raises:
        LaunchFailed: the workspace would bring in what containment keeps out.
    """
    plan = request.containment
    check_workspace(plan, request.cwd, home)
    arguments = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    arguments += ["--unshare-cgroup-try", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    arguments += ["--seccomp", str(FILTER_FD)]
    # The container's root, with an empty home, /tmp and /run; the launcher has made it (`staging`).
    arguments += ["--bind", skeleton(request.task_dir), "/"]
    arguments += _system()
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    binds = _binds(request)
    for bind in binds:
        arguments += [_option(bind), bind.source or bind.path, bind.path]
    for path in plan.sockets:
        arguments += ["--ro-bind-try", path, path]
    for path in plan.masked:
        arguments += _mask(path, os.path.join(request.task_dir, NOTICE))
    for path in _visible(plan.absent, binds):
        arguments += _empty(path)
    # What is not a mount of its own lies in the container's root: no tool plants anything there
    # (/etc/ld.so.preload, say) for the agent to run.
    arguments += ["--remount-ro", "/", "--clearenv"]
    for name, value in request.env.items():
        arguments += ["--setenv", name, value]
    return [*arguments, "--chdir", request.cwd]


def _system() -> list[str]:
    arguments: list[str] = []
    for path in SYSTEM:
        if os.path.isdir(path):
            arguments += ["--ro-bind", path, path]
    for path in MERGED:
        if os.path.islink(path):
            arguments += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            arguments += ["--ro-bind", path, path]
    arguments += ["--perms", "0755", "--dir", "/etc"]
    copied = _FIRST_COPY_FD
    for name in ETC:
        path = f"/etc/{name}"
        target = os.path.realpath(path)
        if target.startswith("/usr/"):
            arguments += ["--symlink", target, path]
        elif os.path.isdir(target):
            arguments += ["--ro-bind-try", target, path]
        elif os.access(target, os.R_OK):
            # The launcher opens `path` as this descriptor. A copy, since each mount takes
            # bubblewrap longer than the one before it.
            arguments += ["--perms", "0644", "--file", str(copied), path]
            copied += 1
    return arguments


def _binds(request: SpawnRequest) -> list[_Bind]:
    """Shallow paths first, so that none covers a deeper one; one entry a path.

    A directory on the way to something guarded becomes a mount of its own: one that merely holds
    mounts could be moved away, and another put into its place.
    """
    plan = request.containment
    # What is put in another's place has to be there: it is what the supervision rests on.
    binds = {
        m.path: _Bind(m.path, m.writable, bool(m.source), m.source)
        for m in plan.mounts
        if m.writable or m.source or not _shown_so(m.path, plan)
    }
    binds[request.task_dir] = _Bind(request.task_dir, writable=False, required=True)
    binds[plan.workspace] = _Bind(plan.workspace, writable=True, required=True)
    for path in plan.guarded:
        for anchor in anchors(plan, path, request.cwd):
            binds.setdefault(anchor, _Bind(anchor, writable=True, required=True))
        binds[path] = _Bind(path, writable=False, required=True)
    return sorted(binds.values(), key=lambda bind: len(Path(bind.path).parts))


def _shown_so(path: str, plan: Containment) -> bool:
    """Whether it is there read-only with the system's programs, and in nothing that is writable."""
    writable = (plan.workspace, *(mount.path for mount in plan.mounts if mount.writable))
    return any(within(path, each) for each in SYSTEM) and not any(
        within(path, each) for each in writable
    )


def _option(bind: _Bind) -> str:
    option = "--bind" if bind.writable else "--ro-bind"
    return option if bind.required else option + "-try"


def _visible(absent: tuple[str, ...], binds: list[_Bind]) -> list[str]:
    """Paths to be kept out that a mount would show."""
    shown = []
    for path in absent:
        inside = any(path != bind.path and within(path, bind.path) for bind in binds)
        if inside and os.path.lexists(path):
            shown.append(path)
    return shown


def _mask(path: str, notice: str) -> list[str]:
    """The name stays, the content is a sentence that says who keeps it, and how to go on."""
    if not os.path.isdir(path):
        notice = os.path.join(notice, NOTICE_FILE)
    return ["--ro-bind", notice, path]


def _empty(path: str) -> list[str]:
    if os.path.isdir(path):
        return ["--perms", "0000", "--tmpfs", path, "--remount-ro", path]
    return ["--ro-bind", "/dev/null", path]
