"""gh for tests: the machine's, else the distribution's package unpacked without root."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path


def find_gh() -> str:
    """Path of a gh that every account may execute."""
    if installed := shutil.which("gh"):
        return installed
    cache = Path(tempfile.gettempdir()) / "taskpass-test-gh"
    cache.mkdir(mode=0o755, exist_ok=True)
    unpacked = cache / "root/usr/bin/gh"
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not unpacked.exists():
            subprocess.run(["apt-get", "download", "gh"], cwd=cache, check=True)
            package = next(cache.glob("gh_*.deb"))
            partial = cache / "partial"
            subprocess.run(["dpkg", "-x", str(package), str(partial)], check=True)
            partial.rename(cache / "root")
    return str(unpacked)
