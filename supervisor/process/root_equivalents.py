"""Ways out of a task that are as good as root, or as the person at the keyboard: found, not closed.

Whoever reaches one of these runs programs that no supervisor sees: in a container with the host's
disk mounted, in the person's other terminal, in tomorrow's cron. Contained, their paths are
not to be had; an uncontained agent can use each one, so each is named.

Which places to look at follows from the account (`candidates`, pure); what is there is read by
`found`, in well under a millisecond, without asking any program or prompting anybody. What only a
program could tell (what sudo would allow) is for `taskpass doctor --sudo`.
"""

from __future__ import annotations

import errno
import glob
import grp
import os
import pwd
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from supervisor.model import Tier
from supervisor.process.containment import within


class Sign(StrEnum):
    """What has to be true of a path for it to be a way out."""

    SOCKET = "socket"  # a socket that this account may connect to
    SERVED = "served"  # and somebody listens on it: programs leave such files behind
    WRITABLE = "writable"  # this account may write it, or make it
    READABLE = "readable"


@dataclass(frozen=True, slots=True)
class Way:
    """A kind of way out: its name, what it gives away, and what closes it."""

    name: str
    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Hole:
    """One way out that is open. `path` is "" where the account itself is the way."""

    way: Way
    path: str = ""

    @property
    def label(self) -> str:
        """`docker socket (/run/docker.sock)`."""
        return f"{self.way.name} ({self.path})" if self.path else self.way.name


@dataclass(frozen=True, slots=True)
class Account:
    """Whose ways out are looked for."""

    uid: int
    name: str
    home: str
    groups: frozenset[str]
    environ: Mapping[str, str]  # of the terminal the task is started from

    @property
    def runtime(self) -> str:
        return f"/run/user/{self.uid}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place to look at. `pattern` is a glob."""

    way: Way
    pattern: str
    sign: Sign = Sign.SOCKET


_ROOT = Way(
    "root account",
    "this account is root: every file and process of the machine is its own",
    "work as an unprivileged account",
)
_CONTAINERS = "starts a container that mounts the whole disk as root"
_DOCKER = Way(
    "docker socket",
    _CONTAINERS,
    "leave the docker group, or use a rootless engine",
)
_ENGINE = Way(
    "container engine socket",
    _CONTAINERS,
    "take the socket's permission away from this account",
)
_OWN_ENGINE = Way(
    "own container engine",
    "starts a container outside the task with all your files in it",
    "stop the service while agents run: systemctl --user stop podman.socket docker",
)
_MACHINES = Way(
    "virtual machine manager",
    "starts a machine or container that mounts the disk as root",
    "leave the group lxd, incus or libvirt",
)
_DISK = Way(
    "raw disk",
    "reads and writes every file by way of the disk's device",
    "leave the group disk",
)
_SUDO = Way(
    "sudo",
    "runs a program as root, without a password where sudoers says so or one was just given",
    "see `taskpass doctor --sudo`; take NOPASSWD away, and `sudo -k` before an agent starts",
)
_UNITS = Way(
    "systemd user manager",
    "`systemd-run --user` starts a program outside the task, and a unit file starts one later",
    "contain the task; the manager itself cannot be taken away",
)
_CRON = Way(
    "cron",
    "a crontab runs a program later, outside the task",
    "list who may use it in /etc/cron.allow",
)
_AT = Way("at", "runs a program later, outside the task", "list who may not in /etc/at.deny")
_SYSTEM_CRON = Way(
    "system crontab",
    "runs a program later, as root",
    "make it writable for root only",
)
_MULTIPLEXER = Way(
    "terminal multiplexer",
    "types commands into your other terminals",
    "close its sessions, or contain the task",
)
_EDITOR = Way(
    "editor",
    "runs commands in your editor, outside the task",
    "close the editor's server, or contain the task",
)
_BUS = Way(
    "session bus",
    "asks your desktop's programs to act: start programs, unlock the keyring, open a terminal",
    "contain the task",
)
_DISPLAY = Way(
    "display",
    "reads what you type and types into your other windows",
    "contain the task; prefer Wayland",
)
_INPUT = Way(
    "input device",
    "reads what you type, or types for you",
    "leave the group input",
)
_KEYS = Way(
    "key agent",
    "signs with your SSH or GPG keys",
    "contain the task, or add keys with confirmation: ssh-add -c",
)
_WINDOWS = Way(
    "Windows interoperability",
    "starts Windows programs, which no Linux sandbox holds",
    "set [interop] enabled=false in /etc/wsl.conf",
)

_SUDOERS = frozenset({"sudo", "wheel", "admin"})
_SUDO_PROGRAMS = ("/usr/bin/sudo", "/usr/local/bin/sudo", "/run/wrappers/bin/sudo")


def candidates(account: Account) -> Iterator[Candidate]:
    """Where ways out of this account lie, whether there or not. Pure."""
    yield from _engines(account)
    yield from _later(account)
    yield from _beside(account)
    yield from _desktop(account)


def _engines(account: Account) -> Iterator[Candidate]:
    for path in ("/run/docker.sock", "/var/run/docker.sock"):
        yield Candidate(_DOCKER, path)
    for path in (
        "/run/podman/podman.sock",
        "/run/containerd/containerd.sock",
        "/run/k3s/containerd/containerd.sock",
        "/run/crio/crio.sock",
        "/run/buildkit/buildkitd.sock",
    ):
        yield Candidate(_ENGINE, path)
    for path in (
        "/var/lib/lxd/unix.socket",
        "/var/snap/lxd/common/lxd/unix.socket",
        "/var/lib/incus/unix.socket",
        "/run/incus/unix.socket",
        "/run/libvirt/libvirt-sock",
        "/run/libvirt/virtqemud-sock",
    ):
        yield Candidate(_MACHINES, path)
    for base in _runtimes(account):
        for name in ("docker.sock", "podman/podman.sock", "containerd/containerd.sock"):
            yield Candidate(_OWN_ENGINE, f"{base}/{name}")
    for name in (".docker/run/docker.sock", ".docker/desktop/docker.sock", ".colima/*/docker.sock"):
        yield Candidate(_OWN_ENGINE, f"{glob.escape(account.home)}/{name}")
    named = account.environ.get("DOCKER_HOST", "")
    if named.startswith("unix://"):
        yield Candidate(_DOCKER, glob.escape(named.removeprefix("unix://")))
    for pattern in ("/dev/sd?", "/dev/vd?", "/dev/nvme?n?", "/dev/mapper/*"):
        yield Candidate(_DISK, pattern, Sign.READABLE)


def _later(account: Account) -> Iterator[Candidate]:
    for base in _runtimes(account):
        yield Candidate(_UNITS, f"{base}/systemd/private")
    for path in ("/etc/crontab", "/etc/cron.d"):
        yield Candidate(_SYSTEM_CRON, path, Sign.WRITABLE)


def _beside(account: Account) -> Iterator[Candidate]:
    own = account.uid
    home, temporary = glob.escape(account.home), ["/tmp"]  # noqa: S108 - looked at only
    if named := account.environ.get("TMUX_TMPDIR"):
        temporary.append(glob.escape(named))
    for base in temporary:
        yield Candidate(_MULTIPLEXER, f"{base}/tmux-{own}/*", Sign.SERVED)
        yield Candidate(_MULTIPLEXER, f"{base}/zellij-{own}/*/*", Sign.SERVED)
    for base in ("/run/screen", "/tmp/screens", "/var/run/screen"):  # noqa: S108
        yield Candidate(_MULTIPLEXER, f"{base}/S-{glob.escape(account.name)}/*", Sign.SERVED)
    yield Candidate(_MULTIPLEXER, f"{home}/.screen/*", Sign.SERVED)
    yield Candidate(_EDITOR, f"/tmp/emacs{own}/*", Sign.SERVED)  # noqa: S108
    for base in _runtimes(account):
        yield Candidate(_MULTIPLEXER, f"{base}/zellij/*/*", Sign.SERVED)
        yield Candidate(_MULTIPLEXER, f"{base}/wezterm/*sock*", Sign.SERVED)
        for name in ("emacs/*", "nvim.*", "vscode-ipc-*.sock", "vscode-git-*.sock"):
            yield Candidate(_EDITOR, f"{base}/{name}", Sign.SERVED)


def _desktop(account: Account) -> Iterator[Candidate]:
    environ = account.environ
    for address in environ.get("DBUS_SESSION_BUS_ADDRESS", "").split(";"):
        kind, _, rest = address.partition(":")
        options = dict(part.partition("=")[::2] for part in rest.split(","))
        if kind == "unix" and "path" in options:
            yield Candidate(_BUS, glob.escape(options["path"]))
    for base in _runtimes(account):
        yield Candidate(_BUS, f"{base}/bus")
        yield Candidate(_DISPLAY, f"{base}/wayland-*")
        for name in ("keyring/ssh", "gcr/ssh", "ssh-agent*", "gnupg/S.gpg-agent"):
            yield Candidate(_KEYS, f"{base}/{name}")
    yield Candidate(_DISPLAY, "/tmp/.X11-unix/X*")  # noqa: S108
    yield Candidate(_INPUT, "/dev/uinput", Sign.WRITABLE)
    yield Candidate(_INPUT, "/dev/input/event*", Sign.READABLE)
    home = glob.escape(account.home)
    if agent := environ.get("SSH_AUTH_SOCK"):
        yield Candidate(_KEYS, glob.escape(agent), Sign.SERVED)
    for pattern in (
        "/tmp/ssh-*/agent.*",  # noqa: S108
        f"{home}/.ssh/agent/*",
        f"{home}/.gnupg/S.gpg-agent",
        f"{home}/.1password/agent.sock",
    ):
        yield Candidate(_KEYS, pattern, Sign.SERVED)
    yield Candidate(_WINDOWS, "/run/WSL/*_interop")


def _runtimes(account: Account) -> list[str]:
    """Where the account's services put their sockets, as globs."""
    named = account.environ.get("XDG_RUNTIME_DIR", "")
    return sorted({glob.escape(path) for path in (account.runtime, named) if path})


def account_now(environ: Mapping[str, str]) -> Account:
    """This process's account, as a task started from a terminal with `environ` would be it."""
    uid = os.geteuid()
    entry = pwd.getpwuid(uid)
    groups = set()
    for gid in {os.getegid(), *os.getgroups()}:
        try:
            groups.add(grp.getgrgid(gid).gr_name)
        except KeyError:
            continue  # a group without a name gives nothing that we know of
    return Account(uid, entry.pw_name, entry.pw_dir, frozenset(groups), environ)


def found(account: Account) -> tuple[Hole, ...]:
    """Every way out that is open to the account now; one of a kind and file."""
    holes: dict[tuple[str, str], Hole] = {}
    if account.uid == 0:
        holes[_ROOT.name, ""] = Hole(_ROOT)
    elif account.groups & _SUDOERS and any(map(os.path.exists, _SUDO_PROGRAMS)):
        holes[_SUDO.name, ""] = Hole(_SUDO)
    if account.uid != 0:
        for way, program, allow, deny, without_lists in (
            (_CRON, "/usr/bin/crontab", "/etc/cron.allow", "/etc/cron.deny", True),
            (_AT, "/usr/bin/at", "/etc/at.allow", "/etc/at.deny", False),
        ):
            if os.path.exists(program) and may(
                account.name, allow, deny, without_lists=without_lists
            ):
                holes[way.name, ""] = Hole(way)
    for candidate in candidates(account):
        if account.uid == 0 and candidate.sign in (Sign.WRITABLE, Sign.READABLE):
            continue  # every file is root's own
        for path in glob.iglob(candidate.pattern, include_hidden=True):
            # /var/run is a link to /run: one socket is one hole.
            real = os.path.realpath(path)
            if _holds(real, candidate.sign):
                holes.setdefault((candidate.way.name, real), Hole(candidate.way, real))
    return tuple(holes.values())


def reachable(holes: Iterable[Hole], tier: Tier, visible: Iterable[str]) -> tuple[Hole, ...]:
    """Those of an account's holes that a task of this tier can use. Pure.

    Contained, what is not below a path that the task is shown (`visible`) is not there; what
    gains rights by a set-id bit (sudo, crontab, at) gains none, since the task may not (tier A:
    bubblewrap, tier B: Landlock, each needs no_new_privs).
    """
    if tier is Tier.UNCONTAINED:
        return tuple(holes)
    shown = tuple(visible)
    return tuple(hole for hole in holes if any(within(hole.path, path) for path in shown))


def may(name: str, allow: str, deny: str, *, without_lists: bool) -> bool:
    """Whether crontab(1) or at(1) serves the account, by its two lists."""
    allowed, denied = _lines(allow), _lines(deny)
    if allowed is not None:
        return name in allowed
    if denied is not None:
        return name not in denied
    return without_lists


def _lines(path: str) -> list[str] | None:
    try:
        with open(path) as file:
            return file.read().split()
    except FileNotFoundError:
        return None
    except OSError:
        return []  # it is there, and not for us to read: nobody is on it


def _holds(path: str, sign: Sign) -> bool:
    if sign in (Sign.WRITABLE, Sign.READABLE):
        return os.access(path, os.W_OK if sign is Sign.WRITABLE else os.R_OK)
    try:
        is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
    open_to_us = is_socket and os.access(path, os.W_OK)
    # Only where it is known to do nothing: a connection may start what a socket stands for.
    return open_to_us and (sign is Sign.SOCKET or _served(path))


def _served(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as ours:
        ours.setblocking(False)
        try:
            return ours.connect_ex(path) != errno.ECONNREFUSED
        except OSError:  # too long a path for a socket's name: not judged, so counted
            return True
