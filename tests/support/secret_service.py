"""A desktop's Secret Service: the real gnome-keyring on a bus of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import secretstorage
from jeepney.io.blocking import open_dbus_connection

from tests.support.live import wait_for

# Unpacked without root where the machine has none of it; what every Debian has is left out.
_PACKAGES = (
    "gnome-keyring", "libgck-1-0", "libgcr-base-3-1", "libp11-kit0", "libglib2.0-0", "libcap-ng0",
    "dbus-daemon", "libdbus-1-3", "libapparmor1", "libexpat1",
)  # fmt: skip
_CONFIG = """\
<busconfig><type>session</type><listen>unix:dir={folder}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>
"""


@dataclass
class Desktop:
    """`address`: of the bus. The keyring is unlocked until `lock_up`."""

    address: str
    keyring: subprocess.Popen[bytes]

    def lock_up(self) -> None:
        """The person logs out."""
        self.keyring.kill()
        self.keyring.wait()


@contextlib.contextmanager
def desktop(folder: Path) -> Iterator[Desktop]:
    """`folder`: of this desktop alone; holds the keyring's files."""
    programs = _programs()
    folder.mkdir(mode=0o700)
    config = folder / "bus.conf"
    config.write_text(_CONFIG.format(folder=folder))
    environ = {
        "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_RUNTIME_DIR": str(folder),
        "PATH": os.environ["PATH"], **programs.environ,
    }  # fmt: skip
    bus = subprocess.Popen(
        [programs.bus, f"--config-file={config}", "--nofork", "--print-address"],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert bus.stdout is not None
    address = bus.stdout.readline().strip()
    keyring = subprocess.Popen(
        [programs.keyring, "--unlock", "--foreground", "--components=secrets"],
        env={**environ, "DBUS_SESSION_BUS_ADDRESS": address},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert keyring.stdin is not None
        keyring.stdin.write(b"the person's log-in")
        keyring.stdin.close()
        wait_for(lambda: _answers(address), "the keyring")
        yield Desktop(address, keyring)
    finally:
        for process in (keyring, bus):
            process.kill()
            process.wait()


def _answers(address: str) -> bool:
    with contextlib.closing(open_dbus_connection(bus=address)) as connection:
        if not secretstorage.check_service_availability(connection):
            return False
        return not secretstorage.get_default_collection(connection).is_locked()


@dataclass(frozen=True)
class _Programs:
    bus: str
    keyring: str
    environ: dict[str, str]


def _programs() -> _Programs:
    bus, keyring = shutil.which("dbus-daemon"), shutil.which("gnome-keyring-daemon")
    if bus and keyring:
        return _Programs(bus, keyring, {})
    cache = Path(tempfile.gettempdir()) / "taskpass-test-secret-service"
    cache.mkdir(mode=0o755, exist_ok=True)
    root = cache / "root"
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            subprocess.run(["apt-get", "download", *_PACKAGES], cwd=cache, check=True)
            for package in cache.glob("*.deb"):
                subprocess.run(["dpkg", "-x", str(package), str(cache / "partial")], check=True)
            (cache / "partial").rename(root)
    libraries = (
        ":".join(str(path) for path in root.glob("*lib/*-linux-gnu"))
        + ":"
        + ":".join(str(path) for path in root.glob("usr/lib/*-linux-gnu"))
    )
    return _Programs(
        str(root / "usr/bin/dbus-daemon"),
        str(root / "usr/bin/gnome-keyring-daemon"),
        {"LD_LIBRARY_PATH": libraries},
    )
