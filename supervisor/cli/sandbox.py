"""`taskpass sandbox`: a task for an agent that runs in a container or sandbox elsewhere."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from supervisor import places
from supervisor.errors import LaunchFailed, UsageError
from supervisor.sandbox.guidance import INSIDE, KINDS, PORT, SSH, lines, there

_SOCKET = "proxy.sock"
_LONGEST_PATH = 107  # of a unix socket (unix(7))


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="taskpass sandbox",
        description="Start a task whose agent runs elsewhere: in a container, or in a sandbox on "
        "another machine. It gets a proxy of its own, by a socket or an address, with a bearer "
        "that is good for this task and ends with it. The files for it lie in a directory until "
        "then; what is printed says how to start it. Ctrl-C here, or `taskpass revoke`, ends it.",
    )
    made.add_argument(
        "--listen",
        default="",
        metavar="ADDRESS:PORT",
        help="an address of this machine that the sandbox reaches, a container engine's bridge "
        "for one (default: a unix socket)",
    )
    made.add_argument("--for", dest="kind", choices=KINDS, default="docker", help="what to print")
    made.add_argument("--purpose", default="", help="what the task is for, in your words")
    made.add_argument("--preset", default="", help="policy: standard or strict")
    made.add_argument(
        "--certificates",
        default="",
        metavar="PATH",
        help=f"where a container finds our certificates ({INSIDE})",
    )
    made.add_argument(
        "--max-age", type=int, default=0, metavar="MINUTES", help="how long the task may live"
    )
    return made


def main(command: str, words: list[str]) -> int:
    from supervisor.cli.headless import run_headless

    options = parser(command).parse_args(words)
    if os.environ.get("TASKPASS_TASK"):
        raise UsageError("This is inside a task already; a task does not start another one.")
    by_ssh = options.kind == SSH
    if by_ssh and (options.listen or options.certificates):
        raise UsageError(
            "Over SSH the proxy is reached by a socket, and the certificates go along.",
            hint="Leave --listen and --certificates out.",
        )
    with _directory() as folder:
        certificates = f"{there(folder)}/ca.pem" if by_ssh else options.certificates or INSIDE
        port = _free_elsewhere() if by_ssh else PORT
        listener, address = _listening(options.listen, folder, port)
        os.dup2(listener.fileno(), 0)
        listener.close()
        for line in lines(options.kind, folder, options.listen, port, certificates):
            print(line)
        sys.stdout.flush()
        request: dict[str, object] = {
            "argv": [sys.executable, str(folder), address, certificates],
            "profile": "sandbox",
            "cwd": os.getcwd(),
            "environ": places.environment(),
            "umask": places.umask(),
            "interactive": False,
            "purpose": options.purpose or "an agent in a sandbox",
            "preset": options.preset,
            "contain": "off",
            "max_age": options.max_age * 60,
        }
        return run_headless(request)


@contextlib.contextmanager
def _directory() -> Iterator[Path]:
    """A new private one, gone with all in it at the end."""
    runtime = Path(places.runtime())
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="sandbox-", dir=runtime))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_elsewhere() -> int:
    """A port that is likely to be free on another machine, where other tasks may be as well.

    It is below those that Linux gives to connections by itself.
    """
    return 20000 + secrets.randbelow(12000)


def _listening(listen: str, folder: Path, port: int) -> tuple[socket.socket, str]:
    """The listener, and the address by which the sandbox dials it.

    `port`: of the sandbox's loopback, whence something leads to the socket.

    Raises:
        UsageError: it is no address that is ours alone.
        LaunchFailed: it cannot be had.
    """
    if not listen:
        path = str(folder / _SOCKET)
        if len(path) > _LONGEST_PATH:
            raise LaunchFailed(
                f"{path} is too long for a socket.", hint="Set XDG_RUNTIME_DIR to a shorter path."
            )
        made = socket.socket(socket.AF_UNIX)
        made.bind(path)
        os.chmod(path, 0o600)
        made.listen(128)
        return made, f"127.0.0.1:{port}"
    host, _, given = listen.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
        number = int(given)
    except ValueError:
        raise UsageError(
            f"{listen!r} is not ADDRESS:PORT.", hint="For Docker's bridge: 172.17.0.1:3128."
        ) from None
    if address.is_unspecified or not (address.is_private or address.is_loopback):
        raise UsageError(
            f"{address} can be reached from other machines, and the bearer would go there in "
            "clear.",
            hint="Name the address of a container bridge, or use the socket by `ssh -R`.",
        )
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    made = socket.socket(family)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((str(address), number))
    except (OSError, OverflowError) as error:
        made.close()
        raise LaunchFailed(
            f"Cannot listen at {listen}: {error}.", hint="Choose another port."
        ) from None
    made.listen(128)
    shown = f"[{address}]" if address.version == 6 else str(address)
    return made, f"{shown}:{made.getsockname()[1]}"
