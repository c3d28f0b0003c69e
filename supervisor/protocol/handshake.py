"""Finding the supervisor, starting it, and being sure that it is ours. Standard library only.

Who starts: any client outside every task. Who is believed: a process of our own uid that
knows the install key (a 0600 file in the state directory, absent inside tier A), shown by its
proof over a fresh nonce (`supervisor.protocol.proof`). A process that merely sits on the socket
fails that and is reported through the incident spool, which the real supervisor records.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from supervisor.errors import DaemonUnavailable, LaunchFailed, VersionMismatch
from supervisor.paths import Paths
from supervisor.protocol.proof import new_nonce, proof, shown

__all__ = ["check_peer", "check_proof", "check_protocol", "ensure_daemon", "fake_daemon",
           "inside_task", "install_key", "new_nonce", "proof", "report_fake",
           "start_ahead"]  # fmt: skip

_KEY_BYTES = 32
_starting = threading.Lock()
_POLL = 0.02  # seconds
_START_TIMEOUT = 20.0  # seconds; a cold start imports everything once

# What the daemon may see of the environment it is started from. Nothing that carries a secret.
_DAEMON_ENV = (
    "HOME",
    "PATH",
    "LANG",
    "LC_ALL",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "CI",
    "GITHUB_ACTIONS",
    "SSL_CERT_FILE",
)


def install_key(paths: Paths) -> bytes:
    """The key that supervisor and clients of one install share; made on first use."""
    path = paths.install_key
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    # link(2) does not replace: of two first starts, one key wins and both read it.
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    return path.read_bytes()


def check_peer(sock: socket.socket, paths: Paths) -> None:
    """Refuse a socket that another user listens on.

    Raises:
        DaemonUnavailable: the listener is not of our uid.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        return
    _, uid, _ = struct.unpack(
        "3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    )
    if uid != os.geteuid():
        report_fake(paths, f"uid {uid}")
        raise fake_daemon(paths)


def check_proof(paths: Paths, nonce: str, answer: str) -> None:
    """Refuse a listener that does not know the install key.

    Raises:
        DaemonUnavailable: it does not.
    """
    if not shown(install_key(paths), nonce, answer):
        report_fake(paths, "wrong proof")
        raise fake_daemon(paths)


def check_protocol(theirs: object, version: str, ours: int) -> None:
    """Refuse a supervisor of another protocol.

    Raises:
        VersionMismatch: with the way out.
    """
    if theirs != ours:
        raise VersionMismatch(
            f"The running supervisor is version {version} and speaks protocol {theirs}; "
            f"this client speaks {ours}.",
            hint="Stop it with `taskpass stop`, then run the command again.",
        )


def fake_daemon(paths: Paths) -> DaemonUnavailable:
    return DaemonUnavailable(
        f"The process listening on {paths.socket} is not your supervisor; nothing was sent to it.",
        hint="Find it with `ss -xlp`, end it, and run the command again.",
    )


def report_fake(paths: Paths, detail: str) -> None:
    """Leave a note that the real supervisor turns into a record."""
    with contextlib.suppress(OSError):
        paths.incidents.mkdir(mode=0o700, exist_ok=True)
        note = {"kind": "fake_daemon", "time": time.time(), "detail": detail}
        (paths.incidents / f"{time.time_ns()}.json").write_text(json.dumps(note))


def inside_task(paths: Paths) -> bool:
    """Whether this process descends from a holder; a task never starts the supervisor.

    `TASKPASS_TASK` is a marker that helps honest programs; the walk is what counts outside a
    container, and inside one neither our state nor our socket exists.
    """
    if os.environ.get("TASKPASS_TASK"):
        return True
    holders = set()
    for file in paths.runtime.glob("tasks/*/holder.pid"):
        with contextlib.suppress(OSError, ValueError):
            holders.add(int(file.read_text()))
    pid = os.getpid()
    while pid > 1 and holders:
        if pid in holders:
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
        except (OSError, IndexError):
            break
    return False


def ensure_daemon(paths: Paths) -> None:
    """Return when a supervisor accepts connections, starting one if none does.

    Threads wait for each other: they start one together.

    Raises:
        LaunchFailed: it cannot be started here.
        DaemonUnavailable: it did not come up; the message carries its last words.
    """
    with _starting:
        if not _accepts(paths):
            _start(paths)


def start_ahead(paths: Paths) -> None:
    """Let the supervisor come up while the caller does something else. What goes wrong is told to
    who needs it, by `ensure_daemon`."""

    def ensure() -> None:
        with contextlib.suppress(LaunchFailed, DaemonUnavailable):
            ensure_daemon(paths)

    threading.Thread(target=ensure, name="supervisor start", daemon=True).start()


def _start(paths: Paths) -> None:
    if inside_task(paths):
        raise LaunchFailed(
            "taskpass was called from inside a task, where there is no supervisor to reach.",
            hint="Run it in a terminal outside the task.",
        )
    log = paths.state / "daemon.log"
    ready_read, ready_write = os.pipe()
    with open(log, "ab") as output:
        os.chmod(log, 0o600)
        child = subprocess.Popen(
            [sys.executable, "-I", "-m", "supervisor.daemon", "--ready-fd", str(ready_write)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={name: os.environ[name] for name in _DAEMON_ENV if name in os.environ},
            cwd="/",
            pass_fds=(ready_write,),
            start_new_session=True,
        )
    os.close(ready_write)
    words = _read_all(ready_read, _START_TIMEOUT)
    os.close(ready_read)
    if words.startswith("ready"):
        return
    # Silence with exit 0: another one won the lock meanwhile, and is about to serve.
    if words == "" and child.wait() == 0 and _comes_up(paths):
        return
    raise DaemonUnavailable(
        words.strip() or "The supervisor did not start.", hint=f"See {log} for what it said."
    )


def _comes_up(paths: Paths) -> bool:
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline:
        if _accepts(paths):
            return True
        time.sleep(_POLL)
    return False


def _accepts(paths: Paths) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(paths.socket))
        except OSError:
            return False
    return True


def _read_all(descriptor: int, timeout: float) -> str:
    import select

    deadline = time.monotonic() + timeout
    collected = b""
    while (left := deadline - time.monotonic()) > 0:
        readable, _, _ = select.select([descriptor], [], [], left)
        if not readable:
            break
        chunk = os.read(descriptor, 65536)
        collected += chunk
        if not chunk or b"\n" in chunk:
            break
    return collected.decode(errors="replace")
