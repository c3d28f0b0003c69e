"""A real sshd on loopback that lets one key in: another machine, as far as ssh can tell.

Where we are root it runs as, and lets in, an account that is nobody else's.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.accounts import somebody_new
from tests.support.debian import find_program
from tests.support.live import wait_for

ALIAS = "sandbox.example"
_LIBRARIES = ("libwrap0", "libnsl2", "libtirpc3")


@dataclass(frozen=True)
class SshServer:
    """The running server. `environ`: what makes `ssh sandbox.example` come to it."""

    environ: dict[str, str]
    home: Path  # of the account that it lets in
    uid: int
    log: Path


@contextlib.contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """Start it; `folder` is for the keys and configuration of both sides."""
    with contextlib.ExitStack() as stack:
        if os.geteuid():
            account = pwd.getpwuid(os.geteuid())
        else:
            account = stack.enter_context(somebody_new())
        home = Path(account.pw_dir)
        port = _free_port()
        server = stack.enter_context(_files(home / "sshd", account))
        _key(server / "host")
        _key(folder / "key")
        shutil.copy(folder / "key.pub", server / "allowed")
        (server / "config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {server}/host\nPidFile none\n"
            f"AuthorizedKeysFile {server}/allowed\nStrictModes no\nPasswordAuthentication no\n"
            f"AllowUsers {account.pw_name}\n"
        )
        for each in server.iterdir():
            os.chown(each, account.pw_uid, account.pw_gid)
        log = folder / "sshd.log"
        stack.enter_context(_running(server / "config", log, account))
        wait_for(lambda: b"listening on" in log.read_bytes(), f"sshd, see {log}")
        (folder / "known").write_text(f"[127.0.0.1]:{port} {(server / 'host.pub').read_text()}")
        (folder / "ssh_config").write_text(
            f"Host {ALIAS}\n  HostName 127.0.0.1\n  Port {port}\n  User {account.pw_name}\n"
            f"  IdentityFile {folder}/key\n  IdentitiesOnly yes\n  BatchMode yes\n"
            f"  UserKnownHostsFile {folder}/known\n"
        )
        yield SshServer(_in_front(folder), home, account.pw_uid, log)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _files(place: Path, account: pwd.struct_passwd) -> Iterator[Path]:
    place.mkdir()
    os.chown(place, account.pw_uid, account.pw_gid)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _key(file: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)]
    subprocess.run(command, check=True)


@contextlib.contextmanager
def _running(config: Path, log: Path, account: pwd.struct_passwd) -> Iterator[None]:
    sshd = find_program("sshd", "openssh-server", *_LIBRARIES)
    become: dict[str, Any] = {}
    if account.pw_uid != os.geteuid():
        become = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sshd.path, "-D", "-e", "-f", str(config)],
            stdin=subprocess.DEVNULL, stdout=told, stderr=told, cwd="/",
            env={"PATH": "/usr/bin:/bin", **sshd.environ}, **become,
        )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _in_front(folder: Path) -> dict[str, str]:
    """`ssh`, with our configuration: it looks for a person's own by the account, not by $HOME."""
    programs = folder / "bin"
    programs.mkdir()
    wrapper = programs / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n')
    wrapper.chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}"}
