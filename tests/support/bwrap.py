"""A bubblewrap for tests: the machine's, else the distribution's package unpacked without root."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path


def find_bwrap() -> str:
    """Path of a bubblewrap that every account may execute."""
    installed = shutil.which("bwrap")
    if installed:
        return installed
    cache = Path(tempfile.gettempdir()) / "taskpass-test-bubblewrap"
    unpacked = cache / "root/usr/bin/bwrap"
    if not unpacked.exists():
        cache.mkdir(mode=0o755, exist_ok=True)
        with open(cache / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file closes
            _unpack(cache, unpacked)
    return str(unpacked)


def _unpack(cache: Path, wanted: Path) -> None:
    if wanted.exists():
        return  # by whoever had the lock before
    subprocess.run(["apt-get", "download", "bubblewrap"], cwd=cache, check=True)
    package = next(cache.glob("bubblewrap_*.deb"))
    subprocess.run(["dpkg", "-x", str(package), str(cache / "root")], check=True)
